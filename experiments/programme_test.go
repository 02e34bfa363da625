package experiments

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// The programme is worth what a holdout, in a world where the truth is known, says.
func TestProgramme(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	put(t, s.holdouts, UniversalHoldout, Holdout{Share: .25})
	put(t, s.metrics, "revenue", Metric{Kind: MeanKind, Event: "Buy", Property: "revenue", WindowHours: 24})
	const people = 4000
	held := func(i int) bool { return i%4 == 0 }
	insert(t, db, exposureColumns, people, func(i int) []any {
		arm := TreatedVariant
		if held(i) {
			arm = HoldoutVariant
		}
		return []any{UniversalExperiment, arm, fmt.Sprint("p", i), testEpoch}
	})
	insert(t, db, exposureColumns, people/2, func(i int) []any {
		arm := ComparisonVariant
		if i%2 == 0 {
			arm = HoldoutVariant
		}
		return []any{UniversalComparison, arm, fmt.Sprint("p", i*2), testEpoch}
	})
	insert(t, db, eventColumns, people, func(i int) []any {
		worth := 10 + float64(i%7)
		if !held(i) {
			worth += 2
		}
		return []any{fmt.Sprint("e", i), "track", "Buy", fmt.Sprint("p", i), testEpoch.Add(time.Hour), map[string]float64{"revenue": worth}}
	})
	for i := range 3 {
		key := fmt.Sprint("exp", i)
		insert(t, db, exposureColumns, 300, func(j int) []any {
			return []any{key, []string{"a", "b"}[j%2], fmt.Sprint("p", 300*i+j), testEpoch}
		})
		e := halves()
		e.DecisionPoint, e.Metrics = "", []string{"revenue"}
		put(t, s.experiments, key, e)
		if _, err := s.Start(t.Context(), key, "me"); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.Programme(t.Context(), "", time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Metric != "revenue" || p.Holdout != UniversalComparison || p.Impact == nil || !p.Passed {
		t.Fatalf("%+v", p)
	}
	if per := p.Impact.PerPerson; math.Abs(per.Estimate-2) > .2 || per.Lower > 2 || per.Upper < 2 {
		t.Errorf("per person %+v, the truth is 2", per)
	}
	if p.Impact.Treated != 3000 || math.Abs(p.Impact.Estimate-3000*p.Impact.PerPerson.Estimate) > 1e-6 || *p.Impact.Total.Lower >= p.Impact.Estimate {
		t.Errorf("%+v", p.Impact)
	}
	if len(p.Experiments) != 3 || p.Expected == nil || p.Experiments[0].Shrunk == nil {
		t.Errorf("%+v, %+v", p.Experiments, p.Expected)
	}
	if _, err := s.Programme(t.Context(), "none", time.Time{}, time.Time{}); err == nil {
		t.Error("a metric that is not there")
	}
}
