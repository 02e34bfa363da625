package predict

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// somebody lets in whoever has the key "read" or "define", with those scopes.
type somebody struct{}

func (somebody) Authenticate(r *http.Request) (api.Principal, error) {
	scopes := map[string][]api.Scope{"Bearer read": {api.ScopeRead}, "Bearer define": {api.ScopeRead, api.ScopeDefine}}[r.Header.Get("Authorization")]
	if scopes == nil {
		return api.Principal{}, problem.Unauthorized("no key")
	}
	return api.Principal{ID: "k1", Kind: "key", Scopes: scopes}, nil
}

// A model is led through its life over HTTP, and what must not be is refused.
func TestRoutes(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.log(customers(150, 3))
	srv := api.New(api.Options{Auth: somebody{}})
	b.Routes(srv)
	ask := func(method, path, key, body string, want int) map[string]any {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		srv.Router.ServeHTTP(w, r)
		if w.Code != want {
			t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, want)
		}
		var out map[string]any
		_ = json.Unmarshal(w.Body.Bytes(), &out) // a file is no JSON
		return out
	}
	ask("PUT", "/v1/models/worth", "read", `{"family": "lifetime"}`, 403)
	ask("PUT", "/v1/models/worth", "define", `{"family": "tarot"}`, 422)
	ask("PUT", "/v1/models/worth", "define", `{"family": "lifetime", "horizonDays": 60}`, 200)
	ask("POST", "/v1/models/worth/score", "define", "", 409)
	ask("POST", "/v1/models/worth/roll-back", "define", "", 409)
	ask("POST", "/v1/models/worth/train", "read", "", 403)
	version := ask("POST", "/v1/models/worth/train", "define", "", 200)
	if version["version"] != 1.0 || version["state"] != "challenger" {
		t.Fatalf("%v", version)
	}
	ask("POST", "/v1/models/worth/registry/2/promote", "define", "", 404)
	ask("GET", "/v1/models/worth/registry/0", "read", "", 422)
	ask("GET", "/v1/models/worth/registry/2", "read", "", 404)
	ask("POST", "/v1/models/worth/registry/1/promote", "define", "", 200)
	if got := ask("POST", "/v1/models/worth/score", "define", "", 200); got["people"] != 150.0 {
		t.Errorf("%v", got)
	}
	if got := ask("GET", "/v1/models/worth/registry?limit=1", "read", "", 200); len(got["items"].([]any)) != 1 || got["next"] != 1.0 {
		t.Errorf("%v", got)
	}
	if got := ask("GET", "/v1/models/worth/registry/1", "read", "", 200); got["metrics"].(map[string]any)["lifetime"] == nil || got["state"] != "champion" {
		t.Errorf("%v", got)
	}
	if got := ask("GET", "/v1/models/worth/jobs", "read", "", 200)["items"].([]any); len(got) != 3 || got[0].(map[string]any)["kind"] != "score" || got[2].(map[string]any)["error"] == nil {
		t.Errorf("%v", got)
	}
	ask("GET", "/v1/models/worth/registry/1/artefact", "read", "", 200)
	ask("GET", "/v1/models/worth/registry/9/artefact", "read", "", 404)
	ask("POST", "/v1/models/worth/jobs", "define", `{"kind": "dance"}`, 422)
	ask("POST", "/v1/models/worth/jobs", "define", `{"kind": "train"}`, 202)
	ask("POST", "/v1/models/nothing/jobs", "define", `{"kind": "train"}`, 404)
	ask("GET", "/v1/models/worth/people/p00001", "read", "", 409)
	if got := ask("GET", "/v1/model-registry", "read", "", 200)["items"].([]any); len(got) != 1 || got[0].(map[string]any)["champion"] == nil {
		t.Errorf("%v", got)
	}
	ask("GET", "/v1/model-registry/worth", "read", "", 200)
	ask("GET", "/v1/model-registry/nothing", "read", "", 404)
}

// Data that nothing can be learnt from is refused with the reason, and data that is worse
// than that of training is scored all the same.
func TestBadData(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	r := rand.New(rand.NewPCG(4, 4))
	var events []event
	add := func(name string, people int, when func(p int) []float64, device func(p int) string) {
		for p := range people {
			for _, days := range when(p) {
				events = append(events, event{name: name, person: fmt.Sprintf("%s-%04d", name, p), at: now.Add(-time.Duration(days * 24 * float64(time.Hour))), value: 10, device: device(p)})
			}
		}
	}
	nowhere := func(int) string { return "" }
	add("all stayed", 200, func(int) []float64 { return []float64{150, 100, 70 + r.Float64(), 50, 45, 20, 15} }, nowhere)
	add("all left", 200, func(int) []float64 { return []float64{150 - r.Float64(), 100} }, nowhere)
	add("ten", 10, func(p int) []float64 { return []float64{80, float64(20 + p%2*60)} }, nowhere)
	// Half of them come back, and who does had three purchases; they have no device at all.
	add("no device", 400, func(p int) []float64 {
		if p%2 == 0 {
			return []float64{90 - r.Float64(), 85, 80, 45, 42, 12, 2}
		}
		return []float64{70 + 20*r.Float64(), 40 + 10*r.Float64()}[:1+p/2%2]
	}, nowhere)
	b.log(events)
	for name, reason := range map[string]string{"all stayed": "one class", "all left": "one class", "ten": "too few rows: 10", "nobody": "too few rows: 0"} {
		key := strings.ReplaceAll(name, " ", "-")
		b.define(key, Spec{Family: Churn, Events: []string{name}, Attribute: "a" + strings.ReplaceAll(name, " ", "")})
		_, err := b.Train(t.Context(), key)
		if err == nil || !strings.Contains(err.Error(), "Nothing can be learnt") || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.define("no-device", Spec{Family: Churn, Events: []string{"no device"}, AutoPromote: true})
	v, err := b.Train(t.Context(), "no-device")
	if err != nil {
		t.Fatal(err)
	}
	dropped := ""
	for _, d := range v.Metrics.Dropped {
		dropped += d.Name + " "
	}
	if !strings.Contains(dropped, "device") || v.State != Champion {
		t.Errorf("dropped %s, %s: %s", dropped, v.State, v.Verdict)
	}
	// At serving time there are devices that training has never seen.
	b.log([]event{{name: "no device", person: "no device-0001", at: now.Add(-time.Hour), device: "fridge"}})
	if _, err := b.Score(t.Context(), "no-device"); err != nil {
		t.Error(err)
	}
	why, err := b.Explain(t.Context(), "no-device", "no device-0001")
	if err != nil || !(why.Score >= 0 && why.Score <= 1) {
		t.Errorf("%+v %v", why, err)
	}
}
