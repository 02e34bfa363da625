package experiments_test

import (
	"math"
	"strings"
	"testing"

	"quintet/experiments"
)

func TestPlanFor(t *testing.T) {
	t.Parallel()
	conversion := experiments.PlanRequest{Mean: 0.1, Variance: 0.09, Effect: 0.1}
	plan := func(change func(*experiments.PlanRequest)) *experiments.PlanAnswer {
		t.Helper()
		r := conversion
		change(&r)
		a, err := experiments.PlanFor(r)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	fixed := plan(func(r *experiments.PlanRequest) { r.Method = experiments.FixedMethod })
	// By hand: (1.959964+0.841621)²·(v/m²)·(1+1.1²)/0.1² per arm, v/m² = 9.
	if want := math.Ceil(7.8488797 * 9 * 2.21 / 0.01); math.Abs(float64(fixed.PerArm)-want) > 1 || fixed.People != 2*fixed.PerArm {
		t.Errorf("fixed: %+v, want %g in each arm", fixed, want)
	}
	if fixed.Days != nil || len(fixed.Outlook) != 0 {
		t.Errorf("days without traffic: %+v", fixed)
	}
	sequential := plan(func(*experiments.PlanRequest) {})
	group := plan(func(r *experiments.PlanRequest) { r.Method = experiments.GroupSequentialMethod })
	if !(fixed.People < group.People && group.People < sequential.People && sequential.People < 2*fixed.People) {
		t.Errorf("people: fixed %d, group-sequential %d, sequential %d", fixed.People, group.People, sequential.People)
	}
	if three := plan(func(r *experiments.PlanRequest) { r.Arms, r.Method = 3, experiments.FixedMethod }); three.People != 3*three.PerArm || three.PerArm != fixed.PerArm {
		t.Errorf("three arms: %+v", three)
	}

	for _, method := range []experiments.AnalysisMethod{experiments.SequentialMethod, experiments.FixedMethod, experiments.BayesianMethod, experiments.GroupSequentialMethod} {
		a := plan(func(r *experiments.PlanRequest) { r.Method, r.PeoplePerDay, r.Weeks = method, 1000, 12 })
		if a.Days == nil || *a.Days != int(math.Ceil(float64(a.People)/1000)) || len(a.Outlook) != 12 {
			t.Fatalf("%s: %+v", method, a)
		}
		for i, w := range a.Outlook {
			if w.Week != i+1 || w.People != int64(7000*(i+1)) || !(w.Power > 0 && w.Power <= 1) {
				t.Errorf("%s: %+v", method, w)
			}
			if i > 0 && w.Power < a.Outlook[i-1].Power {
				t.Errorf("%s: power falls in week %d", method, w.Week)
			}
		}
		// In the week in which the people are there, the power is what was planned.
		if done := a.Outlook[min(11, *a.Days/7)]; done.Power < 0.8 {
			t.Errorf("%s: %d days, then a power of %g", method, *a.Days, done.Power)
		}
	}
}

func TestPlanForRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r    experiments.PlanRequest
		says string
	}{
		"no baseline":             {experiments.PlanRequest{Mean: 0, Variance: 1, Effect: 0.1}, "body.mean"},
		"no variance":             {experiments.PlanRequest{Mean: 1, Variance: 0, Effect: 0.1}, "body.variance"},
		"NaN":                     {experiments.PlanRequest{Mean: math.NaN(), Variance: 1, Effect: 0.1}, "body.mean"},
		"no effect":               {experiments.PlanRequest{Mean: 1, Variance: 1}, "effect"},
		"far too small an effect": {experiments.PlanRequest{Mean: 1e-9, Variance: 1e9, Effect: 1e-6}, "effect"},
	} {
		if a, err := experiments.PlanFor(c.r); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}
