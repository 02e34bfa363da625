package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"quintet/internal/problem"
)

const readyTime = 5 * time.Second

// serveHealth says that the process answers.
func serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// The caller went away when this fails.
	_, _ = w.Write([]byte("{\"status\":\"ok\"}\n"))
}

// serveReady says whether the parts that requests need answer. Callers on other
// machines learn which part does not, and not why.
func (s *Server) serveReady(ready func(context.Context) map[string]error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTime)
		defer cancel()
		checks := map[string]string{}
		var failed problem.Invalid
		if s.draining.Load() {
			failed.Add("server", "is stopping", nil)
		}
		var results map[string]error
		if ready != nil {
			results = ready(ctx)
		}
		names := make([]string, 0, len(results))
		for name := range results {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			err := results[name]
			if err == nil {
				checks[name] = "ok"
				continue
			}
			why := "does not answer"
			if fromLoopback(r) {
				why = problem.Clip(err.Error())
			}
			failed.Add(name, why, nil)
		}
		if len(failed) > 0 {
			WriteProblem(w, r, &problem.Error{
				Status: http.StatusServiceUnavailable, Detail: "Not all parts of the service are ready.", RetryAfter: time.Second, Fields: failed,
			})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// The caller went away when this fails.
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "ready", "checks": checks})
	}
}
