package decide

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"quintet/internal/problem"
	"quintet/profiles"
)

// table is what a model expects of treatments, by person.
type table map[string]map[string]float64

func (t table) Knows(model string) bool { return model != "" }

func (t table) Effects(model, profileID string, treatments []string, effects []float64) bool {
	row, ok := t[model+" "+profileID]
	for i, name := range treatments {
		if v, there := row[name]; there {
			effects[i] = v
		} else {
			effects[i] = math.NaN()
		}
	}
	return ok
}

// scored has one item for every slot, of a score.
type scored map[string]float64

func (s scored) Recommend(_, slot string, limit int) []Item {
	if score, ok := s[slot]; ok && limit > 0 {
		return []Item{{ID: "sku-9", Score: score, Reason: "test"}}
	}
	return nil
}

// TestPoliciesOfStages decides by rules, by a model and by recommendations, alone and by
// stage, and computes each decision again from the log.
func TestPoliciesOfStages(t *testing.T) {
	t.Parallel()
	known := table{}
	w := newWorld(t, worldOptions{change: func(d *Deps) {
		d.Effects, d.Recommender = known, scored{"top": 0.4, "also": 0.9}
	}})
	for key, slot := range map[string]string{"bests": "top", "others": "also"} {
		if _, err := w.offers.Put(t.Context(), key, Offer{Active: true, Slot: slot}, "test", 0); err != nil {
			t.Fatal(err)
		}
	}
	w.person(1) // paid, with an address
	w.person(2) // free, with an address
	paid, free := profiles.NewID(profiles.Identifier{Namespace: "userId", Value: "u1"}), profiles.NewID(profiles.Identifier{Namespace: "userId", Value: "u2"})
	known["lift "+paid] = map[string]float64{"spring": 0.5, "summer": 0.7}
	known["lift "+free] = map[string]float64{"spring": -0.5, "summer": -0.1}
	none := 0.0
	rules := Policy{Type: PolicyRules, Exploration: &none, Rules: []Rule{
		{When: []byte(`{"plan":"paid","context.hour":{"$gte":12}}`), Actions: []string{"spring/email/*"}},
		{When: []byte(`{"plan":"paid"}`), Actions: []string{"summer/*/a", "spring/onsite/b"}},
	}}
	for _, tt := range []struct {
		name   string
		policy Policy
		user   string
		hour   float64
		want   map[string]float64
	}{
		{"the first rule", rules, "u1", 13, map[string]float64{"spring/email/a": .5, "spring/email/b": .5}},
		{"the second rule", rules, "u1", 3, map[string]float64{"summer/onsite/a": 1. / 3, "summer/email/a": 1. / 3, "spring/onsite/b": 1. / 3}},
		{"no rule", rules, "u2", 3, map[string]float64{NoneAction: 1}},
		{"a rule whose actions are closed", Policy{Type: PolicyRules, Rules: []Rule{{Actions: []string{"spring/email/a"}}, {Actions: []string{"summer/onsite/a"}}}}, "u3", 0, map[string]float64{"summer/onsite/a": 1}},
		{"the best effect", Policy{Type: PolicyModel, Model: "lift", Exploration: &none}, "u1", 0,
			map[string]float64{"summer/onsite/a": .25, "summer/onsite/b": .25, "summer/email/a": .25, "summer/email/b": .25}},
		{"nothing helps", Policy{Type: PolicyModel, Model: "lift", Exploration: &none}, "u2", 0, map[string]float64{NoneAction: 1}},
		{"nothing known", Policy{Type: PolicyModel, Model: "other", Exploration: &none}, "u1", 0, map[string]float64{NoneAction: 1}},
		{"stages", Policy{Type: PolicyModel, Model: "lift", Exploration: new(0.5), Where: &Policy{Type: PolicyRules, Rules: []Rule{{Actions: []string{"*/email/*"}}}}, How: &Policy{Type: PolicyUniform}}, "u1", 0,
			// Half goes evenly over nine actions, the rest to summer; the rule for the channel takes e-mail only.
			map[string]float64{"spring/email/a": .5 * 4 / 9 / 2, "spring/email/b": .5 * 4 / 9 / 2, "summer/email/a": (.5 + .5*4/9) / 2, "summer/email/b": (.5 + .5*4/9) / 2, NoneAction: .5 / 9}},
		{"recommended", Policy{Type: PolicyRecommender, Exploration: &none, How: &Policy{Type: PolicyFixed, Action: "others/email/b"}}, "u1", 0,
			map[string]float64{"others/onsite/a": .25, "others/onsite/b": .25, "others/email/b": .5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := hero(func(p *DecisionPoint) {
				p.Policy = tt.policy
				if tt.policy.Type == PolicyRecommender {
					p.Offers = []string{"bests", "others"}
				}
			})
			key := "p-" + strings.ReplaceAll(tt.name, " ", "-")
			w.put(t, key, p)
			w.person(3)
			_, rec := w.ask(t, Request{Decision: key, User: map[string]string{"userId": tt.user}, Context: map[string]any{"hour": tt.hour}})
			for i, action := range rec.Candidates {
				if math.Abs(rec.Probabilities[i]-tt.want[action]) > 1e-12 {
					t.Errorf("%s has %g, want %g", action, rec.Probabilities[i], tt.want[action])
				}
			}
			checkRecord(t, w.state.Load().points[key], rec)
			if lines := strings.Join(explain(rec), " "); !strings.Contains(lines, "policy") {
				t.Errorf("the explanation says nothing of the policy: %s", lines)
			}
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

// TestChargesMakeNobodyWorthIt takes a hurdle off what a model expects.
func TestChargesMakeNobodyWorthIt(t *testing.T) {
	t.Parallel()
	none := 0.0
	known := table{}
	w := newWorld(t, worldOptions{noSink: true, change: func(d *Deps) { d.Effects = known }})
	user := w.person(1)
	known["lift "+profiles.NewID(profiles.Identifier{Namespace: "userId", Value: "u1"})] = map[string]float64{"spring": 0.5, "summer": 0.3}
	for hurdle, want := range map[float64]string{0.1: "spring", 0.6: ""} {
		w.put(t, "hero", hero(func(p *DecisionPoint) {
			p.Policy, p.Costs = Policy{Type: PolicyModel, Model: "lift", Exploration: &none}, &Costs{Hurdle: hurdle}
		}))
		if _, rec := w.ask(t, Request{Decision: "hero", User: user, Context: map[string]any{"hour": 1.0}}); rec.Offer != want {
			t.Errorf("with a hurdle of %g the offer is %q, want %q", hurdle, rec.Offer, want)
		}
	}
}

// TestBadStages refuses what can never be meant.
func TestBadStages(t *testing.T) {
	t.Parallel()
	for field, policy := range map[string]Policy{
		"policy.rules":               {Type: PolicyRules},
		"policy.rules[0].actions":    {Type: PolicyRules, Rules: []Rule{{}}},
		"policy.rules[0].actions[0]": {Type: PolicyRules, Rules: []Rule{{Actions: []string{"winter/*/*"}}}},
		"policy.rules[0].when":       {Type: PolicyRules, Rules: []Rule{{When: []byte(`{"a":{"$like":1}}`), Actions: []string{"none"}}}},
		"policy.model":               {Type: PolicyModel},
		"policy.treatment":           {Type: PolicyModel, Model: "m", Treatment: "moon"},
		"policy.exploration":         {Type: PolicyRecommender, Exploration: new(-0.1)},
		"policy.where.type":          {Type: PolicyModel, Model: "m", Where: &Policy{Type: PolicyRecommender}},
		"policy.how":                 {Type: PolicyUniform, How: &Policy{Type: PolicyUniform, How: &Policy{Type: PolicyUniform}}},
		"policy.where.action":        {Type: PolicyUniform, Where: &Policy{Type: PolicyFixed, Action: "x/y/z"}},
	} {
		p := hero(func(p *DecisionPoint) { p.Policy = policy })
		err := ValidatePoint(t.Context(), "hero", &p)
		var bad problem.Invalid
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", field, err)
			continue
		}
		found := false
		for _, f := range bad {
			found = found || f.Field == field
		}
		if !found {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

// BenchmarkStages is the cost of composing stages beside that of one even policy.
func BenchmarkStages(b *testing.B) {
	p := hero(func(p *DecisionPoint) {
		p.Policy = Policy{Type: PolicyUniform, Where: &Policy{Type: PolicyUniform}, How: &Policy{Type: PolicyUniform}}
	})
	w := newWorld(b, worldOptions{noSink: true})
	w.put(b, "hero", p)
	at := w.state.Load().points["hero"]
	measure := func(policy Policy) time.Duration {
		sc := new(scratch)
		rec := sc.begin()
		for i := range at.actions {
			sc.actions = append(sc.actions, i)
		}
		rec.Candidates = at.names(sc.actions)
		start := time.Now()
		for range b.N {
			if _, _, err := staged(at, policy, nil, rec, nil, sc); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	alone := measure(Policy{Type: PolicyUniform})
	b.ReportMetric(float64(measure(at.def.Policy))/float64(max(alone, 1)), "x-one-policy")
}
