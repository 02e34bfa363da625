package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

type kept struct {
	mu      sync.Mutex
	entries []api.AuditEntry
}

func (k *kept) Audit(_ context.Context, e api.AuditEntry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.entries = append(k.entries, e)
}

type anybody struct{}

func (anybody) Authenticate(r *http.Request) (api.Principal, error) {
	if r.Header.Get("X-Api-Key") == "" {
		return api.Principal{}, problem.Unauthorized("who?")
	}
	return api.Principal{ID: "7", Kind: "key", Scopes: []api.Scope{api.ScopeRead}}, nil
}

// Changes and looks at personal data are audited with their outcome; what reads
// ordinary things is not.
func TestAudit(t *testing.T) {
	t.Parallel()
	log := new(kept)
	srv := api.New(api.Options{Auth: anybody{}, Auditor: log})
	register := func(id, method string, handler func() error, marks ...func(*huma.Operation)) {
		op := huma.Operation{OperationID: id, Method: method, Path: "/" + id, DefaultStatus: http.StatusOK}
		api.Require(api.ScopeRead)(&op)
		for _, mark := range marks {
			mark(&op)
		}
		huma.Register(srv.API, op, func(context.Context, *struct{}) (*struct{}, error) { return nil, handler() })
	}
	fine := func() error { return nil }
	register("plain", http.MethodGet, fine)
	register("card", http.MethodGet, fine, api.Personal)
	register("change", http.MethodPost, fine)
	register("refused", http.MethodPut, func() error { return problem.Invalid{{Field: "x", Rule: "must be y"}} })
	register("broken", http.MethodPut, func() error { panic("broken") })
	register("estimate", http.MethodPost, fine, api.Query)
	register("secret", http.MethodDelete, fine, api.Require(api.ScopeAdmin))
	for _, call := range [][2]string{
		{"GET", "plain"}, {"GET", "card"}, {"POST", "change"}, {"PUT", "refused"}, {"PUT", "broken"}, {"POST", "estimate"}, {"DELETE", "secret"},
	} {
		r := httptest.NewRequest(call[0], "/"+call[1], nil)
		r.Header.Set("X-Api-Key", "k")
		srv.Router.ServeHTTP(httptest.NewRecorder(), r)
	}
	type line struct {
		operation string
		status    int
		personal  bool
	}
	var got []line
	for _, e := range log.entries {
		if e.Principal.ID != "7" && e.Operation != "secret" || e.RequestID == "" || e.Address == "" || e.At.IsZero() {
			t.Errorf("entry %+v", e)
		}
		got = append(got, line{e.Operation, e.Status, e.Personal})
	}
	want := []line{{"card", 200, true}, {"change", 200, false}, {"refused", 422, false}, {"broken", 500, false}, {"secret", 403, false}}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
