package decide

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"quintet/internal/api"
	"quintet/internal/enginetest"
)

type everybody struct{}

func (everybody) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "k1", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin}}, nil
}

// served is a service behind its routes.
func served(t *testing.T) (*world, func(method, path, body string) (int, map[string]any)) {
	w := newWorld(t, worldOptions{})
	w.put(t, "hero", hero())
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: everybody{}, BodyLimit: 8 << 20})
	w.Routes(srv)
	return w, func(method, path, body string) (int, map[string]any) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		srv.Router.ServeHTTP(rec, r)
		var out map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatalf("%s %s: %v in %.300s", method, path, err, rec.Body)
		}
		return rec.Code, out
	}
}

// locations are where a problem document finds faults.
func locations(out map[string]any) string {
	var list []string
	errors, _ := out["errors"].([]any)
	for _, e := range errors {
		list = append(list, fmt.Sprint(e.(map[string]any)["location"]))
	}
	return strings.Join(list, " ")
}

func TestBadCalls(t *testing.T) {
	t.Parallel()
	w, call := served(t)
	big := `{"decision":"hero","user":{"userId":"u1"},"context":{"x":"` + strings.Repeat("x", 5<<20) + `"}}`
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		where                    string
	}{
		{"malformed", "POST", "/v1/decide", `{"decision":`, 400, "body.decision"},
		{"empty", "POST", "/v1/decide", ``, 400, "body"},
		{"unknown point", "POST", "/v1/decide", `{"decision":"lost","user":{"userId":"u1"}}`, 404, "body.decision"},
		{"wrong types", "POST", "/v1/decide", `{"decision":1,"user":{"userId":2}}`, 422, "body.decision body.user.userId"},
		{"nobody", "POST", "/v1/decide", `{"decision":"hero"}`, 422, "body.user"},
		{"number too large", "POST", "/v1/decide", `{"decision":"hero","user":{"userId":"u1"},"context":{"x":1e999}}`, 422, "body.context.x"},
		{"NaN", "POST", "/v1/decide", `{"decision":"hero","user":{"userId":"u1"},"context":{"x":NaN}}`, 400, "body.context.x"},
		{"5 MB", "POST", "/v1/decide", big, 413, "body"},
		{"long identifier", "POST", "/v1/decide", `{"decision":"hero","user":{"userId":"` + strings.Repeat("x", 10000) + `"}}`, 422, "body.user.userId"},
		{"empty batch", "POST", "/v1/decide/batch", `{"requests":[]}`, 422, "body.requests"},
		{"batch too large", "POST", "/v1/decide/batch", `{"requests":[` + strings.Repeat(`{},`, 500) + `{}]}`, 422, "body.requests"},
		{"list limit", "GET", "/v1/decisions?limit=501", ``, 422, "query.limit"},
		{"no such decision", "GET", "/v1/decisions/01ARZ3NDEKTSV4RRFFQ69G5FAV", ``, 404, ""},
		{"log of no point", "GET", "/v1/decisions/log", ``, 422, "query.decisionPoint"},
		{"activity of no point", "GET", "/v1/decision-points/lost/activity", ``, 404, ""},
		{"bad external", "POST", "/v1/decisions", `{"decisions":[{"decisionId":"01ARZ3NDEKTSV4RRFFQ69G5FAV","decision":"hero","user":{"userId":"u"},"decidedAt":"2026-01-01T00:00:00Z",
			"action":"x","candidates":["x","y"],"probabilities":[0.6,0.5]}]}`, 422, "body.decisions[0].probabilities"},
		{"point without policy", "PUT", "/v1/decision-points/x", `{"offers":["lost"],"channels":["email"],"policy":{"type":"uniform"},"objective":{"terms":[]}}`, 422, "body.offers[0]"},
	} {
		status, out := call(tt.method, tt.path, tt.body)
		if status != tt.status || locations(out) != tt.where {
			t.Errorf("%s: %d at %q, want %d at %q: %v", tt.name, status, locations(out), tt.status, tt.where, out["detail"])
		}
	}
	w.flush(t)
	var n uint64
	if err := w.logged.Read.QueryRow(t.Context(), "SELECT count() FROM decisions").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d decisions stored (%v)", n, err)
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	w, call := served(t)
	var requests []string
	for i := range 500 {
		w.person(i)
		switch i % 10 {
		case 3:
			requests = append(requests, `{"decision":"lost","user":{"userId":"u1"}}`)
		case 7:
			requests = append(requests, `{"decision":"hero","user":{"userId":""}}`)
		default:
			requests = append(requests, fmt.Sprintf(`{"decision":"hero","user":{"userId":"u%d"},"context":{"i":%d}}`, i, i))
		}
	}
	status, out := call("POST", "/v1/decide/batch", `{"requests":[`+strings.Join(requests, ",")+`]}`)
	results, _ := out["results"].([]any)
	if status != 200 || len(results) != 500 {
		t.Fatalf("%d with %d results", status, len(results))
	}
	for i, r := range results {
		result := r.(map[string]any)
		decision, _ := result["decision"].(map[string]any)
		fault, _ := result["problem"].(map[string]any)
		switch i % 10 {
		case 3:
			if fault["status"] != 404.0 || decision != nil || locations(fault) != "body.decision" {
				t.Errorf("result %d: %v", i, result)
			}
		case 7:
			if fault["status"] != 422.0 || decision != nil || locations(fault) != "body.user.userId" {
				t.Errorf("result %d: %v", i, result)
			}
		default:
			if fault != nil || decision == nil {
				t.Fatalf("result %d: %v", i, result)
			}
			rec, ok := w.recent.get(decision["decisionId"].(string))
			if !ok || rec.Context["i"] != float64(i) || rec.Source != "k1" {
				t.Fatalf("result %d has the record %+v", i, rec)
			}
		}
	}
}

// Records are read while others are made: nothing may change what is being shown.
func TestReadsBesideDecisions(t *testing.T) {
	t.Parallel()
	w, call := served(t)
	for i := range 30 {
		w.person(i)
	}
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := range 50 {
				status, out := call("POST", "/v1/decide", fmt.Sprintf(`{"decision":"hero","user":{"userId":"u%d"},"context":{"hour":%d}}`, i%30, i%24))
				if status != 200 {
					t.Errorf("decide: %d", status)
					return
				}
				if k == 0 && i%10 == 0 {
					status, out := call("GET", "/v1/decisions/"+out["decisionId"].(string), "")
					replay, _ := out["replay"].(map[string]any)
					record, _ := out["record"].(map[string]any)
					if status != 200 || replay["agrees"] != true || len(record["features"].([]any)) == 0 || record["probabilities"] == nil || record["reasons"] == nil {
						t.Errorf("explained: %d %v", status, out)
					}
				}
				if k == 1 {
					if status, out := call("GET", "/v1/decisions?limit=20", ""); status != 200 || out["items"] == nil {
						t.Errorf("list: %d", status)
					}
				}
				if k == 2 && i%10 == 0 {
					w.put(t, "hero", hero(func(p *DecisionPoint) { p.Name = fmt.Sprint("change ", i) }))
				}
			}
		})
	}
	wg.Wait()
	if status, out := call("GET", "/v1/decision-points/hero/activity?hours=1", ""); status != 200 || out["series"] == nil {
		t.Errorf("activity: %d %v", status, out)
	}
	w.flush(t)
	if status, out := call("GET", "/v1/decisions/log?decisionPoint=hero&limit=150", ""); status != 200 || len(out["items"].([]any)) != 150 || out["next"] == "" {
		t.Errorf("log: %d, next %v", status, out["next"])
	}
}
