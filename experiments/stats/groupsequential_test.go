package stats

import (
	"math"
	"testing"
	"time"
)

func fifths() []float64 { return []float64{0.2, 0.4, 0.6, 0.8, 1} }

// TestBoundariesPublished compares with the boundaries of ld98 and the R
// package ldbounds (Reboussin, DeMets, Kim and Lan 2000; a posting to r-help of
// March 2020 for the uneven looks) and of gsDesign's sfLDOF.
func TestBoundariesPublished(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		design GroupDesign
		z      []float64
	}{
		"O'Brien-Fleming, five looks": {GroupDesign{Spending: Spending{Kind: OBrienFlemingSpending}, Looks: fifths()},
			[]float64{4.8769, 3.3569, 2.6803, 2.2898, 2.0310}},
		"Pocock, five looks": {GroupDesign{Spending: Spending{Kind: PocockSpending}, Looks: fifths()},
			[]float64{2.4380, 2.4268, 2.4101, 2.3966, 2.3859}},
		"O'Brien-Fleming, uneven looks": {GroupDesign{Spending: Spending{Kind: OBrienFlemingSpending}, Looks: []float64{0.10, 0.33, 1}},
			[]float64{6.9913, 3.7308, 1.9605}},
		"O'Brien-Fleming, one-sided, two looks": {GroupDesign{Alpha: 0.025, Alternative: Greater,
			Spending: Spending{Kind: OBrienFlemingSpending}, Looks: []float64{0.5, 1}},
			[]float64{2.9626, 1.9686}},
	} {
		start := time.Now()
		bounds, err := c.design.Boundaries()
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range bounds {
			if math.Abs(b.Z-c.z[i]) > 2e-4 {
				t.Errorf("%s: bound %d is %.5f, published %.4f", name, i+1, b.Z, c.z[i])
			}
		}
		t.Log(name, bounds, time.Since(start))
	}
}
