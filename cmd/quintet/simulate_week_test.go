package main

import (
	"math"
	"os"
	"testing"
	"time"

	"quintet/experiments"
	"quintet/internal/shop"
)

// Two days of the shop with everything at once, in whose second night clocks go back; with
// QUINTET_TEST_FULL a week of 5,000 people.
func TestWeek(t *testing.T) {
	t.Parallel()
	full := os.Getenv("QUINTET_TEST_FULL") != ""
	p := weekPlan{seed: 1, people: 300, from: time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC), days: 2, step: 2 * time.Hour, learn: 24 * time.Hour}
	if full {
		p = weekPlan{seed: 1, people: 5000, from: time.Date(2026, 10, 21, 0, 0, 0, 0, time.UTC), days: 7, step: 30 * time.Minute, learn: 6 * time.Hour}
	}
	out, err := simulateWeek(t.Context(), residentConfig(t), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Lived.Arrivals) < p.people/4 || out.Lived.Twice > 0 || full && out.Lived.Busy == 0 || out.Lived.Visits < p.people/4 {
		t.Errorf("%d visits, %d messages arrived, %d of them again, and the provider was busy %d times", out.Lived.Visits, len(out.Lived.Arrivals), out.Lived.Twice, out.Lived.Busy)
	}
	if out.HeldOut < p.people/5 || out.Treated < p.people/2 {
		t.Errorf("%d people are held out, %d treated", out.HeldOut, out.Treated)
	}
	for _, e := range out.Effects {
		if e.Metric == shop.MetricMade && math.Abs(e.Estimate-out.Apart) > 0.1*math.Abs(out.Apart)+0.02 {
			t.Errorf("the report says %.4f, the people lived %.4f", e.Estimate, out.Apart)
		}
		if e.Method == alwaysValid && !e.Covers() {
			t.Errorf("the interval of %s does not have the truth: %+v", e.Metric, e)
		}
	}
	for _, v := range out.Violations {
		t.Errorf("the log has a violation: %+v", v)
	}
	if len(out.Checked) != 10 || len(out.Groups) != 4 || len(out.Sent) < 3 {
		t.Errorf("%d kinds of violations were looked for, the groups are %+v, sent was %+v", len(out.Checked), out.Groups, out.Sent)
	}
	if full {
		for _, g := range out.Groups {
			if g.Variant == experiments.BanditVariant && g.Upper >= 0 {
				t.Errorf("the bandit does not tire people less than business as usual: %+v", g)
			}
		}
		if err := out.writeText(os.Stdout); err != nil {
			t.Error(err)
		}
	}
}
