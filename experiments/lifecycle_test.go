package experiments

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"quintet/experiments/assignment"
	"quintet/internal/api"
	"quintet/internal/enginetest"
)

// office has a junior, whose experiments somebody else must approve, and seniors.
type office struct{}

func (office) Authenticate(r *http.Request) (api.Principal, error) {
	name, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p := api.Principal{ID: name, Name: name, Kind: "user", Scopes: []api.Scope{api.ScopeRead}}
	switch name {
	case "junior":
		p.Scopes, p.NeedsApproval = []api.Scope{api.ScopeRead, api.ScopeDefine, api.ScopeApprove}, true
	case "senior", "boss":
		p.Scopes = []api.Scope{api.ScopeRead, api.ScopeDefine, api.ScopeApprove}
	}
	return p, nil
}

// body is an edited definition as JSON.
func body(t *testing.T, edit func(e *Experiment)) string {
	t.Helper()
	e := halves()
	if edit != nil {
		edit(&e)
	}
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestApprovalBySomebodyElse(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: office{}})
	s.Routes(srv)
	const at = "/v1/experiments/hero"
	for i, step := range []struct {
		who, method, path, body string
		status                  int
		says                    string
	}{
		{"junior", "PUT", at, body(t, nil), 200, `"editedBy":"user:junior"`},
		{"junior", "POST", at + "/start", "", 409, "needs the approval"},
		{"junior", "POST", at + "/approve", "", 409, "submit it first"},
		{"junior", "POST", at + "/submit", `{"reason":"ready"}`, 200, `"status":"review"`},
		{"junior", "POST", at + "/submit", "", 200, `"version":2`},
		{"junior", "POST", at + "/start", "", 409, "needs the approval"},
		{"junior", "POST", at + "/approve", "", 409, "somebody else must approve"},
		{"reader", "POST", at + "/approve", "", 403, "approve"},
		{"senior", "POST", at + "/reject", "", 422, "body.reason"},
		{"senior", "POST", at + "/reject", `{"reason":"no hypothesis"}`, 200, `"status":"draft"`},
		{"junior", "PUT", at, body(t, func(e *Experiment) { e.Hypothesis = "b is better" }), 200, `"action":"edit"`},
		{"junior", "POST", at + "/submit", "", 200, `"status":"review"`},
		{"senior", "POST", at + "/approve", `{"reason":"fine"}`, 200, `"by":"user:senior"`},
		{"senior", "POST", at + "/approve", "", 200, `"version":6`},
		// An edit takes the approval with it, also one by who approved.
		{"senior", "PUT", at, body(t, func(e *Experiment) { e.Hypothesis = "b is much better" }), 200, `"status":"review"`},
		{"junior", "POST", at + "/start", "", 409, "needs the approval of somebody other than user:senior"},
		{"senior", "POST", at + "/approve", "", 409, "somebody else"},
		{"boss", "POST", at + "/approve", "", 200, `"by":"user:boss"`},
		// Approvals and status are not for a PUT.
		{"junior", "PUT", at, body(t, func(e *Experiment) { e.Status = Running }), 422, "body.status"},
		{"junior", "POST", at + "/start", `{"reason":"go"}`, 200, `"status":"running"`},
		{"junior", "POST", at + "/submit", "", 409, "running"},
		{"junior", "POST", at + "/archive", "", 409, "stop it first"},
		// A wider coverage would need an approval that a running experiment cannot get.
		{"junior", "PUT", at, body(t, func(e *Experiment) { e.Hypothesis, e.Guardrails = "b is much better", []Guardrail{} }), 200, ``},
		{"junior", "PUT", at, body(t, func(e *Experiment) { e.Hypothesis, e.EndAt = "b", pointer(time.Now().Add(time.Hour)) }), 422, "your role may change names"},
		{"junior", "PUT", at, body(t, func(e *Experiment) { e.Name = "Hero" }), 200, `"Hero"`},
		{"junior", "POST", at + "/drop", `{"variant":"b"}`, 422, "body.variant"},
		{"junior", "POST", at + "/stop", `{"reason":"enough"}`, 200, `"status":"stopped"`},
		{"junior", "POST", at + "/archive", "", 200, `"status":"archived"`},
		{"junior", "POST", at + "/archive", "", 200, `"status":"archived"`},
		{"boss", "PUT", at, body(t, nil), 422, "archived"},
		{"boss", "POST", at + "/start", "", 409, "archived"},
		{"boss", "POST", "/v1/experiments/none/submit", "", 404, "none"},
		{"reader", "GET", "/v1/experiments/none/changes", "", 404, "none"},
	} {
		w := call(srv, step.who, step.method, step.path, step.body)
		if w.Code != step.status || !strings.Contains(w.Body.String(), step.says) {
			t.Fatalf("step %d, %s %s %s: %d %s; want %d with %q", i, step.who, step.method, step.path, w.Code, w.Body, step.status, step.says)
		}
	}
	var log struct {
		Items []ChangeEntry
		Next  int64
	}
	w := call(srv, "reader", "GET", at+"/changes?limit=4", "")
	if err := json.Unmarshal(w.Body.Bytes(), &log); err != nil || len(log.Items) != 4 || log.Next == 0 {
		t.Fatalf("%v, %s", err, w.Body)
	}
	if first := log.Items[1]; first.Action != stopAction || first.Reason != "enough" || first.By != "user:junior" ||
		len(first.Fields) != 1 || first.Fields[0] != (FieldChange{"status", "running", "stopped"}) {
		t.Errorf("%+v", first)
	}
	w = call(srv, "reader", "GET", at+"/changes", "")
	if err := json.Unmarshal(w.Body.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, c := range log.Items {
		actions = append(actions, c.Action)
	}
	const want = "archive stop edit start approve edit approve submit edit reject submit create"
	if got := strings.Join(actions, " "); got != want {
		t.Errorf("the change log has %s, want %s\n%s", got, want, w.Body)
	}
}

func pointer[T any](v T) *T { return &v }

// A dropped arm changes nothing for the people of the others.
func TestDropAnArm(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ctx := t.Context()
	e := halves()
	e.Variants = []Variant{{Key: "a", Weight: .4, Control: true}, {Key: "b", Weight: .3}, {Key: "c", Weight: .3}}
	put(t, s.experiments, "hero", e)
	if _, err := s.Drop(ctx, "hero", "b", Actor{By: "x"}); err == nil || !strings.Contains(err.Error(), "draft") {
		t.Errorf("an arm of a draft: %v", err)
	}
	if _, err := s.Start(ctx, "hero", "x"); err != nil {
		t.Fatal(err)
	}
	before := s.Plan()
	for _, c := range []struct{ variant, says string }{{"a", "control"}, {"z", "key of a variant"}, {"b", ""}, {"b", ""}, {"c", "last one"}} {
		_, err := s.Drop(ctx, "hero", c.variant, Actor{By: "x", Reason: "slow"})
		if (err == nil) != (c.says == "") || (err != nil && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("dropping %s: %v", c.variant, err)
		}
	}
	v, _ := s.experiments.Get("hero")
	if !v.Value.Variants[1].Dropped || v.Version != 3 || v.Value.Change.Reason != "slow" {
		t.Errorf("version %d: %+v", v.Version, v.Value)
	}
	after, now := s.Plan(), time.Now()
	left := 0
	for _, unit := range units(2000) {
		was, _ := before.Assign("home-hero", assignment.Bare(unit), now, nil, nil)
		is, _ := after.Assign("home-hero", assignment.Bare(unit), now, nil, nil)
		switch {
		case len(was) != 1:
			t.Fatalf("%s was in nothing", unit)
		case was[0].Variant == "b":
			left++
			if len(is) != 0 {
				t.Fatalf("%s of the dropped arm gets %+v", unit, is)
			}
		case len(is) != 1 || is[0].Variant != was[0].Variant:
			t.Fatalf("%s moved from %+v to %+v", unit, was, is)
		}
	}
	if left < 500 || left > 700 {
		t.Errorf("%d of 2000 were in an arm of 0.3", left)
	}
}
