package experiments

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// TestLooksAreHeld: between two planned looks a report shows what was there when the
// last one was due, whatever came in since; at the final one it shows the present.
func TestLooksAreHeld(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Order Completed", WindowHours: 48})
	put(t, s.experiments, "hero", Experiment{Metrics: []string{"buyers"}, Variants: []Variant{{Key: "a", Control: true, Weight: 0.5}, {Key: "b", Weight: 0.5}},
		Analysis: &Analysis{Method: GroupSequentialMethod, NStar: 1000, Looks: 4}})
	// One person a minute, by turns in either arm; every fifth buys at once, in arm b
	// also every fifth of those who come after the 260th.
	const people = 1000
	insert(t, db, exposureColumns, people, func(i int) []any {
		return []any{"hero", []string{"a", "b"}[i%2], fmt.Sprint("p", i), testEpoch.Add(time.Duration(i) * time.Minute)}
	})
	buys := func(i int) bool { return i/2%5 == 0 || i%2 == 1 && i >= 260 && i/2%5 == 1 }
	insert(t, db, eventColumns, people, func(i int) []any {
		if !buys(i) {
			return nil
		}
		return []any{fmt.Sprint("m", i), "track", "Order Completed", fmt.Sprint("p", i), testEpoch.Add(time.Duration(i)*time.Minute + time.Second), map[string]float64{}}
	})
	look := func(minutes int) *GroupFigures {
		t.Helper()
		r, err := s.ReportAt(t.Context(), "hero", ReportOptions{At: testEpoch.Add(time.Duration(minutes)*time.Minute + 30*time.Second), Brief: true})
		if err != nil {
			t.Fatal(err)
		}
		return r.Metrics[0].Effects[0].GroupSequential
	}
	rates := func(n int) float64 {
		var sums, units [2]float64
		for i := range n {
			units[i%2]++
			if buys(i) {
				sums[i%2]++
			}
		}
		return sums[1]/units[1] - sums[0]/units[0]
	}
	if g := look(200); g.Look != 0 || g.NextAt == nil || *g.NextAt != 250 || g.Absolute != nil {
		t.Errorf("before the first look: %+v", g)
	}
	// The 250th person came at minute 249 and did not buy.
	for _, minutes := range []int{249, 300, 400, 498} {
		g := look(minutes)
		if g.Look != 1 || g.Absolute == nil || math.Abs(g.Absolute.Estimate-rates(250)) > 1e-12 || *g.NextAt != 500 {
			t.Errorf("at minute %d: %+v, want the effect of the first 250, %g", minutes, g, rates(250))
		}
	}
	g := look(600)
	if g.Look != 2 || g.Absolute == nil || math.Abs(g.Absolute.Estimate-rates(500)) > 0.005 || g.Boundary == nil {
		t.Errorf("at minute 600: %+v, want the effect of the first 500, %g", g, rates(500))
	}
	if g = look(2000); g.Look != 4 || g.NextAt != nil || math.Abs(g.Absolute.Estimate-rates(1000)) > 1e-12 {
		t.Errorf("at the end: %+v, want %g", g, rates(1000))
	}
}
