package main

import (
	"testing"
	"time"
)

// Two days of the shop with everything at once. In the second night clocks go back.
func TestWeek(t *testing.T) {
	t.Parallel()
	p := weekPlan{seed: 1, people: 400, from: time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC), days: 2, step: time.Hour, learn: 12 * time.Hour}
	out, err := simulateWeek(t.Context(), residentConfig(t), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Lived.Arrivals) < p.people/4 || out.Lived.Twice > 0 || out.Lived.Busy == 0 || out.Lived.Visits < p.people/4 {
		t.Errorf("%d visits, %d messages arrived, %d of them again, and the provider was busy %d times", out.Lived.Visits, len(out.Lived.Arrivals), out.Lived.Twice, out.Lived.Busy)
	}
	if out.HeldOut < p.people/5 || out.Treated < p.people/2 {
		t.Errorf("%d people are held out, %d treated", out.HeldOut, out.Treated)
	}
	for _, e := range out.Effects {
		if e.Method == alwaysValid && !e.Covers() {
			t.Errorf("the interval of %s does not have the truth: %+v", e.Metric, e)
		}
	}
	for _, v := range out.Violations {
		t.Errorf("the log has a violation: %+v", v)
	}
	if len(out.Checked) < 10 || len(out.Groups) != 4 {
		t.Errorf("the groups are %+v", out.Groups)
	}
}
