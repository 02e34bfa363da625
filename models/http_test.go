package models

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// reader lets in whoever has the key "read", with that scope.
type reader struct{}

func (reader) Authenticate(r *http.Request) (api.Principal, error) {
	if r.Header.Get("Authorization") != "Bearer read" {
		return api.Principal{}, problem.Unauthorized("no key")
	}
	return api.Principal{ID: "k1", Kind: "key", Scopes: []api.Scope{api.ScopeRead}}, nil
}

func TestModelsRoute(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	s, _ := service(t, db)
	for i := range 3 {
		trade(t, db, "hero", 200*i, 200)
		if err := s.Update(t.Context(), heroSpec); err != nil {
			t.Fatal(err)
		}
	}
	srv := api.New(api.Options{Auth: reader{}})
	s.Routes(srv)
	ask := func(path, key string, want int, into any) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		srv.Router.ServeHTTP(w, r)
		if w.Code != want {
			t.Fatalf("GET %s: %d %s, want %d", path, w.Code, w.Body, want)
		}
		if into != nil {
			if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got Listing
	ask("/v1/decision-points/hero/models?limit=2", "read", http.StatusOK, &got)
	if len(got.Items) != 2 || got.Items[0].Version != 3 || got.Items[0].Decisions != 600 || got.Next != 2 ||
		got.Current == nil || got.Current.Version != 3 || len(got.Current.Actions) != 3 || got.Current.Actions[0].SD <= 0 {
		t.Errorf("%+v", got)
	}
	var rest Listing
	ask("/v1/decision-points/hero/models?limit=2&before=2", "read", http.StatusOK, &rest)
	if len(rest.Items) != 1 || rest.Items[0].Version != 1 || rest.Next != 0 {
		t.Errorf("%+v", rest)
	}
	var none map[string]any
	ask("/v1/decision-points/unknown/models", "read", http.StatusOK, &none)
	if items, ok := none["items"].([]any); !ok || len(items) != 0 || none["current"] != nil {
		t.Errorf("%v", none)
	}
	ask("/v1/decision-points/hero/models", "other", http.StatusUnauthorized, nil)
	ask("/v1/decision-points/hero/models?limit=0", "read", http.StatusUnprocessableEntity, nil)
	ask("/v1/decision-points/hero/models?before=x", "read", http.StatusUnprocessableEntity, nil)
}
