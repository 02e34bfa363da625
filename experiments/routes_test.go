package experiments

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"quintet/internal/api"
	"quintet/internal/enginetest"
)

// reader may read, admin may do everything; the token says who it is.
type tokens struct{}

func (tokens) Authenticate(r *http.Request) (api.Principal, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer admin":
		return api.Principal{ID: "1", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin}}, nil
	default:
		return api.Principal{ID: "2", Kind: "key", Scopes: []api.Scope{api.ScopeRead}}, nil
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: tokens{}})
	s.Routes(srv)
	insert(t, db, exposureColumns, 40, func(i int) []any {
		return []any{"hero", []string{"a", "b"}[i%2], fmt.Sprint(i), testEpoch}
	})
	insert(t, db, eventColumns, 20, func(i int) []any {
		return []any{fmt.Sprint(i), "track", "Buy", fmt.Sprint(i), testEpoch, map[string]float64{"price": float64(i)}}
	})
	const two = `[{"key":"a","weight":0.5,"control":true},{"key":"b","weight":%s,"policy":{"type":"bandit"}}]`
	half, more := fmt.Sprintf(two, "0.5"), fmt.Sprintf(two, "0.6")
	for i, step := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"PUT", "/v1/metrics/price", `{"kind":"mean","event":"Buy","property":"price"}`, 200, `"windowHours":336`},
		{"PUT", "/v1/metrics/bad", `{"kind":"median","event":"Buy"}`, 422, "body.kind"},
		{"PUT", "/v1/experiments/hero", `{"decisionPoint":"home-hero","metrics":["price"],"variants":` + more + `}`, 422, "body.variants"},
		{"PUT", "/v1/experiments/hero", `{"decisionPoint":"home-hero","metrics":["price"],"coverage":1e999,"variants":` + half + `}`, 422, "coverage"},
		{"PUT", "/v1/experiments/hero", `{"decisionPoint":"home-hero","metrics":["price"],"variants":` + half + `}`, 200, `"status":"draft"`},
		{"POST", "/v1/experiments/hero/start", "", 200, `"status":"running"`},
		{"POST", "/v1/experiments/nothing/start", "", 404, "nothing"},
		{"GET", "/v1/experiments", "", 200, `"policy":{"type":"bandit"}`},
		{"GET", "/v1/experiments/hero/report", "", 200, `"checksPassed":true`},
		{"GET", "/v1/experiments/hero/report?metric=price&at=2026-03-02T00:00:00Z", "", 200, `"at":"2026-03-02T00:00:00Z"`},
		{"GET", "/v1/experiments/hero/report?at=yesterday", "", 422, "query.at"},
		{"GET", "/v1/experiments/hero/report?metric=none", "", 422, "query.metric"},
		{"GET", "/v1/experiments/nothing/report", "", 404, "nothing"},
		{"GET", "/v1/experiments/universal-holdout/report", "", 200, `"variant":"holdout"`},
		{"PUT", "/v1/holdouts/universal", `{"share":1.5}`, 422, "body.share"},
		{"PUT", "/v1/holdouts/universal", `{"share":0.1}`, 200, `"salt":"universal-holdout"`},
		{"POST", "/v1/experiments/hero/stop", "", 200, `"status":"stopped"`},
		{"POST", "/v1/experiments/hero/start", "", 409, "stopped"},
	} {
		w := call(srv, "admin", step.method, step.path, step.body)
		if w.Code != step.status || !strings.Contains(w.Body.String(), step.says) || !json.Valid(w.Body.Bytes()) {
			t.Errorf("step %d, %s %s: %d %s; want %d with %q", i, step.method, step.path, w.Code, w.Body, step.status, step.says)
		}
	}
	for _, path := range []string{"/v1/experiments/hero/start", "/v1/experiments/hero/stop"} {
		if w := call(srv, "reader", "POST", path, ""); w.Code != http.StatusForbidden {
			t.Errorf("a reader may POST %s: %d", path, w.Code)
		}
	}
	if w := call(srv, "reader", "GET", "/v1/experiments/hero/report", ""); w.Code != http.StatusOK {
		t.Errorf("a reader may not read a report: %d %s", w.Code, w.Body)
	}
}

func call(srv *api.Server, who, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	srv.Router.ServeHTTP(w, r)
	return w
}

// A definition is the caller's text: whatever it is, it is taken or refused
// with a field, and what is taken assigns everybody.
func FuzzExperiment(f *testing.F) {
	f.Add([]byte(`{"variants":[{"key":"a","weight":0.5,"control":true},{"key":"b","weight":0.5}]}`), "u1")
	f.Add([]byte(`{"coverage":0.1,"salt":"\u0000","variants":[{"key":"a","weight":1e308}]}`), "")
	f.Fuzz(func(t *testing.T, body []byte, unit string) {
		var e Experiment
		if json.Unmarshal(body, &e) != nil {
			return
		}
		e.normalise("fuzz")
		bad := e.validate()
		for _, b := range bad {
			if b.Field == "" || b.Rule == "" {
				t.Fatalf("%s: a complaint without field or rule: %+v", body, b)
			}
		}
		if len(bad) > 0 {
			return
		}
		if v := Assign(e.Salt, unit, e.Weights()); v < 0 || e.Variants[v].Weight <= 0 {
			t.Fatalf("%s: %q gets variant %d", body, unit, v)
		}
	})
}
