package decide

import (
	"math"
	"slices"
	"testing"
)

// What is written out is what decisions draw from, in the context of a leaf.
func TestLeavesAreTheProbabilitiesOfDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "learned", hero(func(p *DecisionPoint) {
		p.Class, p.Policy = ClassService, Policy{Type: PolicyBandit, Exploration: new(0.1)}
	}))
	w.put(t, "fixed", hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyFixed, Action: "spring/email/a"} }))
	if l, ok := w.Leaves("learned", []string{"spring/email/a", "summer/onsite/a"}); !ok || l.ModelVersion != 0 || len(l.Leaves) != 0 || !slices.Equal(l.Otherwise, []float64{.5, .5}) {
		t.Errorf("before there is a model: %+v, %t", l, ok)
	}
	before := w.PolicyStamp("learned")
	w.teach(t, "learned", 600)
	if w.PolicyStamp("learned") == before || before == "" {
		t.Error("the stamp is the same with a model")
	}
	compared := 0
	for i := range 200 {
		_, rec := w.ask(t, Request{Decision: "learned", User: w.person(i)})
		if rec.Policy != PolicyBandit || rec.ModelVersion == 0 {
			continue // of another group
		}
		l, ok := w.Leaves("learned", rec.Candidates)
		if !ok || l.ModelVersion != rec.ModelVersion || len(l.Leaves) != 2 {
			t.Fatalf("%+v, %t", l, ok)
		}
		for _, leaf := range l.Leaves {
			if leaf.Profile["plan"] != []string{"free", "paid"}[i%2] {
				continue
			}
			compared++
			for j := range leaf.Probabilities {
				if math.Abs(leaf.Probabilities[j]-rec.Probabilities[j]) > 1e-12 {
					t.Fatalf("%v: %v, and the decision %v", leaf.Profile, leaf.Probabilities, rec.Probabilities)
				}
			}
		}
	}
	if compared < 100 {
		t.Errorf("%d decisions were compared", compared)
	}
	if l, ok := w.Leaves("fixed", []string{"spring/email/a", "summer/onsite/a"}); !ok || !slices.Equal(l.Otherwise, []float64{1, 0}) {
		t.Errorf("a fixed policy: %+v, %t", l, ok)
	}
	for point, actions := range map[string][]string{"none": {"a"}, "learned": {"spring/email/a", "nothing"}, "fixed": {}} {
		if _, ok := w.Leaves(point, actions); ok {
			t.Errorf("%s with %v has leaves", point, actions)
		}
	}
	if w.PolicyStamp("none") != "" {
		t.Error("a decision point that there is not has a stamp")
	}
}
