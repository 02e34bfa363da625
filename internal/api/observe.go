package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"

	"quintet/internal/problem"
)

// Header values that every answer has. They are shared slices, so that setting
// them costs no allocation; net/http does not modify them.
var (
	nosniff    = []string{"nosniff"}
	denyFrames = []string{"DENY"}
	noReferrer = []string{"no-referrer"}
	noStore    = []string{"no-store"}
	sameOrigin = []string{"same-origin"}
)

// observe is the outermost middleware: it gives the request its id, deadline and
// body limit, sets the security headers, turns a panic into a 500 problem, counts
// and times the request and writes the access log.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rc := &requestContext{
			Context: r.Context(), logger: s.logger, deadline: start.Add(s.deadline),
			writer: responseWriter{ResponseWriter: w, start: start},
		}
		if id := r.Header.Get("X-Request-Id"); usableID(id) {
			rc.id = id
		} else {
			rc.id = s.ids.make()
		}
		h := w.Header()
		rc.idHeader[0] = rc.id
		h["X-Request-Id"] = rc.idHeader[:]
		h["X-Content-Type-Options"] = nosniff
		h["X-Frame-Options"] = denyFrames
		h["Referrer-Policy"] = noReferrer
		h["Cross-Origin-Resource-Policy"] = sameOrigin
		h["Cache-Control"] = noStore

		r = r.WithContext(rc)
		rc.request = r
		defer s.finish(rc, r)
		rc.body = r.Body
		if r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody {
			limit := s.limitOf(r)
			if r.ContentLength > limit {
				WriteProblem(&rc.writer, r, problem.TooLarge(limit))
				return
			}
			if r.ContentLength < 0 { // one of a known length ends there
				// The reader is given net/http's own writer, which then closes the connection.
				r.Body = http.MaxBytesReader(w, r.Body, limit)
			}
			if r.Header.Get("Content-Encoding") != "" {
				if err := decodeBody(r, limit); err != nil {
					WriteProblem(&rc.writer, r, err)
					return
				}
			}
		}
		next.ServeHTTP(&rc.writer, r)
	})
}

// finish runs when the handler has returned or panicked.
func (s *Server) finish(rc *requestContext, r *http.Request) {
	aborted := false
	if p := recover(); p != nil {
		if aborted = s.panicked(rc, r, p); aborted {
			defer panic(http.ErrAbortHandler)
		}
	}
	rc.finish()
	status := rc.writer.status
	switch {
	case aborted:
		status = problem.StatusClientClosed
	case status == 0:
		status = http.StatusOK
	}
	elapsed := time.Since(rc.writer.start)
	route := routePattern(chi.RouteContext(rc.Context))
	s.metrics.record(r.Method, route, status, elapsed)
	if s.logger.Enabled(rc.Context, slog.LevelDebug) {
		s.logger.LogAttrs(rc.Context, slog.LevelDebug, "request",
			slog.String("request", rc.id), slog.String("method", r.Method), slog.String("route", route),
			slog.String("path", r.URL.Path), slog.Int("status", status), slog.Int64("bytes", rc.writer.bytes),
			slog.Duration("took", elapsed), slog.String("remote", r.RemoteAddr), slog.String("by", rc.principal.ID))
	}
}

// panicked logs what a handler panicked with and answers with a 500. It says
// whether the connection has to be cut instead: when the handler wants that, or
// when the answer has begun and nothing else tells the caller that it is not whole.
func (s *Server) panicked(rc *requestContext, r *http.Request, p any) (cut bool) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	s.logger.Error("handler panicked", "request", rc.id, "method", r.Method, "path", r.URL.Path,
		"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	s.metrics.panics.Inc()
	if rc.writer.status != 0 {
		return true
	}
	WriteProblem(&rc.writer, r, &problem.Error{
		Status: http.StatusInternalServerError,
		Detail: "Something went wrong on our side; the log has the details under this request's id.",
	})
	return false
}

// routePattern is the pattern of the matched route, empty when none did.
func routePattern(rctx *chi.Context) string {
	if rctx == nil || len(rctx.RoutePatterns) == 0 {
		return ""
	}
	if len(rctx.RoutePatterns) == 1 {
		return rctx.RoutePatterns[0]
	}
	return rctx.RoutePattern()
}
