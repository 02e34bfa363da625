package stats

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

func TestCheckSplit(t *testing.T) {
	t.Parallel()
	third := 1. / 3
	for _, c := range []struct {
		name           string
		observed       []int64
		weights        []float64
		problem        Reason
		mismatch, leak bool
	}{
		{"even", []int64{500, 500}, []float64{.5, .5}, "", false, false},
		{"by chance", []int64{5100, 4900}, []float64{.5, .5}, "", false, false},
		{"broken", []int64{5300, 4700}, []float64{.5, .5}, "", true, false},
		{"three arms broken", []int64{166080, 171180, 166300}, []float64{third, third, third}, "", true, false},
		{"five strays are allowed", []int64{500, 500, 5}, []float64{.5, .5, 0}, "", false, false},
		{"six strays are a leak", []int64{500, 500, 6}, []float64{.5, .5, 0}, "", false, true},
		{"0.01 % of many", []int64{500_000, 500_000, 100}, []float64{.5, .5, 0}, "", false, false},
		{"above 0.01 % of many", []int64{500_000, 500_000, 101}, []float64{.5, .5, 0}, "", false, true},
		{"seven expected", []int64{7, 7}, []float64{.5, .5}, TooFewUnits, false, false},
		{"small arm", []int64{700, 7}, []float64{.99, .01}, TooFewUnits, false, false},
		{"a leak needs no minimum", []int64{7, 7, 50}, []float64{.5, .5, 0}, TooFewUnits, false, true},
		{"one arm", []int64{700}, []float64{1}, TooFewUnits, false, false},
		{"nobody", []int64{0, 0}, []float64{.5, .5}, TooFewUnits, false, false},
		{"lengths", []int64{1}, []float64{.5, .5}, InvalidOption, false, false},
		{"weights above one", []int64{100, 100}, []float64{.6, .5}, InvalidOption, false, false},
		{"negative weight", []int64{100, 100}, []float64{-.5, 1.5}, InvalidOption, false, false},
		{"NaN weight", []int64{100, 100}, []float64{math.NaN(), .5}, InvalidOption, false, false},
		{"negative count", []int64{-1, 100}, []float64{.5, .5}, ImpossibleSums, false, false},
	} {
		got, err := CheckSplit(c.observed, c.weights)
		switch p := AsProblem(err); {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.problem != "" && (p == nil || p.Reason != c.problem):
			t.Errorf("%s: got %v, want %s", c.name, err, c.problem)
		case got.Mismatch != c.mismatch || got.Leak != c.leak || got.Passed() == (c.mismatch || c.leak):
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestCheckExpectedSumsPhases(t *testing.T) {
	t.Parallel()
	// 1,000 units at 50:50, then 1,000 at 90:10.
	got, err := CheckExpected([]int64{1402, 598}, []float64{1400, 600})
	if err != nil || got.Mismatch || got.DegreesOfFreedom != 1 {
		t.Errorf("phases: %+v, %v", got, err)
	}
	if _, err := CheckExpected([]int64{1402, 598}, []float64{1000, 500}); AsProblem(err) == nil || AsProblem(err).Reason != InvalidOption {
		t.Errorf("totals that differ: %v", err)
	}
}

// Under a fair split the alarm goes off as often as its level says.
func TestSplitAlarmKeepsItsLevel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	const runs, units = 20_000, 400
	alarms, below05 := 0, 0
	for range runs {
		counts := make([]int64, 2)
		for range units / 50 { // 50 fair coins from one draw
			heads := int64(bits.OnesCount64(random.Uint64() & (1<<50 - 1)))
			counts[0] += heads
			counts[1] += 50 - heads
		}
		c, err := CheckSplit(counts, []float64{.5, .5})
		if err != nil {
			t.Fatal(err)
		}
		if c.Mismatch {
			alarms++
		}
		if c.PValue < 0.05 {
			below05++
		}
	}
	if share := float64(alarms) / runs; share > 0.002 {
		t.Errorf("%.4f of fair splits raise the alarm", share)
	}
	if share := float64(below05) / runs; share < 0.035 || share > 0.065 {
		t.Errorf("%.4f of fair splits have p below 0.05", share)
	}
}
