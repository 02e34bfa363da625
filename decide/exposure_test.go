package decide

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"quintet/internal/problem"
)

// TestExposureOfPolicies bounds policies of every type, and computes each decision again
// from memory and from the log. The figures are worked out by hand, for two offers on two
// channels in two creatives and nobody.
func TestExposureOfPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.person(1) // paid, with an address
	w.person(2) // free, with an address
	of := func(some float64, others float64, has func(action string) bool) map[string]float64 {
		out := map[string]float64{}
		for _, offer := range []string{"spring", "summer"} {
			for _, channel := range []string{"onsite", "email"} {
				for _, creative := range []string{"a", "b"} {
					out[offer+"/"+channel+"/"+creative] = others
				}
			}
		}
		out[NoneAction] = others
		for id := range out {
			if has(id) {
				out[id] = some
			}
		}
		return out
	}
	spring := func(id string) bool { return strings.HasPrefix(id, "spring/") }
	paid := []Exposure{{Rule: Rule{When: []byte(`{"plan":"paid"}`), Actions: []string{"spring/*/*"}}, Least: .8}}
	for _, tt := range []struct {
		name   string
		policy Policy
		user   string
		want   map[string]float64
	}{
		{"a minimum beside a fixed action", Policy{Type: PolicyFixed, Action: NoneAction, Exposure: []Exposure{{Rule: Rule{Actions: []string{"spring/email/a", "summer/email/a"}}, Each: .1}}}, "u1",
			map[string]float64{NoneAction: .8, "spring/email/a": .1, "summer/email/a": .1}},
		{"a most", Policy{Type: PolicyUniform, Exposure: []Exposure{{Rule: Rule{Actions: []string{"spring/*/*"}}, Most: new(.2)}}}, "u1", of(.05, .16, spring)},
		{"a least before anything is learned", Policy{Type: PolicyBandit, Exploration: new(.1), Exposure: []Exposure{{Rule: Rule{Actions: []string{"spring/*/*"}}, Least: .6}}}, "u1", of(.15, .08, spring)},
		{"the first of two that have an action", Policy{Type: PolicyUniform, Exposure: []Exposure{
			{Rule: Rule{Actions: []string{NoneAction}}, Most: new(0.)}, {Rule: Rule{Actions: []string{"*/*/*", NoneAction}}, Least: 1}}}, "u1",
			of(0, .125, func(id string) bool { return id == NoneAction })},
		{"rules with exploration", Policy{Type: PolicyRules, Exploration: new(.18), Rules: []Rule{{Actions: []string{"spring/email/a"}}}, Exposure: []Exposure{{Rule: Rule{Actions: []string{NoneAction}}, Each: .05}}}, "u1",
			map[string]float64{"spring/email/a": .77 + .02, NoneAction: .07, "spring/email/b": .02, "spring/onsite/a": .02, "spring/onsite/b": .02, "summer/email/a": .02, "summer/email/b": .02, "summer/onsite/a": .02, "summer/onsite/b": .02}},
		{"stages", Policy{Type: PolicyUniform, Where: &Policy{Type: PolicyRules, Rules: []Rule{{Actions: []string{"*/email/*"}}}}, Exposure: []Exposure{{Rule: Rule{Actions: []string{"summer/*/*"}}, Least: .6}}}, "u1",
			map[string]float64{"summer/email/a": .3, "summer/email/b": .3, "spring/email/a": .16, "spring/email/b": .16, NoneAction: .08}},
		{"of people who are meant", Policy{Type: PolicyUniform, Exposure: paid}, "u1", of(.2, .04, spring)},
		{"of others", Policy{Type: PolicyUniform, Exposure: paid}, "u2", of(1./9, 1./9, spring)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := "e-" + strings.ReplaceAll(tt.name, " ", "-")
			w.put(t, key, hero(func(p *DecisionPoint) { p.Policy = tt.policy }))
			_, rec := w.ask(t, Request{Decision: key, User: map[string]string{"userId": tt.user}, Context: map[string]any{"hour": 3.}})
			if len(rec.Candidates) != 9 {
				t.Fatalf("candidates: %v", rec.Candidates)
			}
			for i, action := range rec.Candidates {
				if math.Abs(rec.Probabilities[i]-tt.want[action]) > 1e-9 {
					t.Errorf("%s has %g, want %g", action, rec.Probabilities[i], tt.want[action])
				}
			}
			checkRecord(t, w.state.Load().points[key], rec)
			got, err := w.Replay(t.Context(), rec)
			if err != nil || !got.Agrees {
				t.Errorf("replayed from memory: %+v, %v", got, err)
			}
			w.flush(t)
			found, err := w.Log(t.Context(), key, "", 10)
			if err != nil || len(found) != 1 {
				t.Fatalf("%d decisions in the log, %v", len(found), err)
			}
			if got, err = w.Replay(t.Context(), found[0]); err != nil || !got.Agrees {
				t.Errorf("replayed from the log: %+v, %v", got, err)
			}
		})
	}
}

// TestBadExposure refuses bounds that say nothing or cannot hold.
func TestBadExposure(t *testing.T) {
	t.Parallel()
	nobody := Rule{Actions: []string{NoneAction}}
	for field, list := range map[string][]Exposure{
		"policy.exposure":               slices.Repeat([]Exposure{{Rule: nobody, Each: .01}}, maxExposures+1),
		"policy.exposure[0]":            {{Rule: nobody}},
		"policy.exposure[0].least":      {{Rule: nobody, Least: .5, Most: new(.4)}},
		"policy.exposure[0].most":       {{Rule: nobody, Most: new(math.NaN())}},
		"policy.exposure[0].each":       {{Rule: nobody, Each: 1.1}},
		"policy.exposure[1].actions":    {{Rule: nobody, Each: .1}, {Each: .1}},
		"policy.exposure[0].actions[0]": {{Rule: Rule{Actions: []string{"winter/*/*"}}, Each: .1}},
		"policy.exposure[0].when":       {{Rule: Rule{Actions: []string{NoneAction}, When: []byte(`{"a":{"$like":1}}`)}, Each: .1}},
	} {
		p := hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyUniform, Exposure: list} })
		mustName(t, field, ValidatePoint(t.Context(), "hero", &p))
	}
	p := hero(func(p *DecisionPoint) {
		p.Policy = Policy{Type: PolicyUniform, Exposure: []Exposure{{Rule: nobody, Least: .6}, {Rule: Rule{Actions: []string{"*/*/*"}}, Least: .6}}}
	})
	mustName(t, "policy.exposure", ValidatePoint(t.Context(), "hero", &p))
	p = hero(func(p *DecisionPoint) {
		p.Policy = Policy{Type: PolicyUniform, How: &Policy{Type: PolicyUniform, Exposure: []Exposure{{Rule: nobody, Each: .1}}}}
	})
	mustName(t, "policy.how.exposure", ValidatePoint(t.Context(), "hero", &p))
}

func mustName(t *testing.T, field string, err error) {
	t.Helper()
	var bad problem.Invalid
	if !errors.As(err, &bad) {
		t.Errorf("%s: %v", field, err)
		return
	}
	for _, f := range bad {
		if f.Field == field {
			return
		}
	}
	t.Errorf("%s is not named: %v", field, bad)
}
