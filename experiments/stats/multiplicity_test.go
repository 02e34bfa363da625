package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAdjustPublished has the figures of GrowthBook's experiments.test.ts.
func TestAdjustPublished(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		correction Correction
		p, want    []float64
	}{
		{HolmCorrection, []float64{0.01, 0.04, 0.03, 0.005, 0.55, 0.6}, []float64{0.05, 0.12, 0.12, 0.03, 1, 1}},
		{BHCorrection, []float64{0.898, 0.138, 0.007, 0.964, 0.538, 0.006, 0.138},
			[]float64{0.964, 0.2415, 0.0245, 0.964, 0.7532, 0.0245, 0.2415}},
		{NoCorrection, []float64{0.2, 0.1}, []float64{0.2, 0.1}},
		{HolmCorrection, nil, []float64{}},
	} {
		got, err := Adjust(c.correction, c.p)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return near(a, b, 1e-8) }) {
			t.Errorf("%s: %v, want %v", c.correction, got, c.want)
		}
	}
}

func drawP(t *rapid.T) []float64 {
	return rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64Range(0, 0.02), rapid.SampledFrom([]float64{0, 0.01, 1})), 1, 40).Draw(t, "p")
}

// TestAdjustProperties: adjusted values keep the order, never fall below the raw
// ones or rise above one, Holm's are never below Benjamini-Hochberg's, and each
// rejects exactly what its step-down or step-up definition rejects.
func TestAdjustProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawP(t)
		alpha := rapid.Float64Range(0.001, 0.5).Draw(t, "alpha")
		holm, err := Adjust(HolmCorrection, p)
		if err != nil {
			t.Fatal(err)
		}
		bh, err := Adjust(BHCorrection, p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p {
			if !(p[i] <= bh[i] && bh[i] <= holm[i]+1e-15 && holm[i] <= 1) {
				t.Fatalf("p %g, BH %g, Holm %g", p[i], bh[i], holm[i])
			}
			for j := range p {
				if p[i] < p[j] && (holm[i] > holm[j] || bh[i] > bh[j]) || p[i] == p[j] && (holm[i] != holm[j] || bh[i] != bh[j]) {
					t.Fatalf("the order of %g and %g is lost", p[i], p[j])
				}
			}
		}
		sorted := slices.Clone(p)
		slices.Sort(sorted)
		m := len(p)
		down, up := 0, 0
		for i, v := range sorted {
			if v*float64(m-i) > alpha {
				break
			}
			down = i + 1
		}
		for i, v := range sorted {
			if v*(float64(m)/float64(i+1)) <= alpha {
				up = i + 1
			}
		}
		count := func(adjusted []float64) (n int) {
			for _, v := range adjusted {
				if v <= alpha {
					n++
				}
			}
			return n
		}
		if count(holm) != down || count(bh) != up {
			t.Fatalf("Holm rejects %d, by definition %d; BH rejects %d, by definition %d", count(holm), down, count(bh), up)
		}
	})
}

// TestAdjustOrder: which test has which adjusted value does not depend on the
// order in which the family is given.
func TestAdjustOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawP(t)
		order := rapid.Permutation(indices(len(p))).Draw(t, "order")
		shuffled := make([]float64, len(p))
		for i, j := range order {
			shuffled[i] = p[j]
		}
		for _, c := range []Correction{HolmCorrection, BHCorrection} {
			a, err := Adjust(c, p)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Adjust(c, shuffled)
			if err != nil {
				t.Fatal(err)
			}
			for i, j := range order {
				if a[j] != b[i] {
					t.Fatalf("%s: %g and %g", c, a[j], b[i])
				}
			}
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TestFamilyErrors simulates families of ten metrics, four of them with an
// effect: Holm keeps the chance of any false discovery below 5 %,
// Benjamini-Hochberg the share of false ones among all.
func TestFamilyErrors(t *testing.T) {
	t.Parallel()
	simulation(t)
	const families, metrics, real = 20_000, 10, 4
	r := rand.New(rand.NewPCG(7, 7))
	var any, anyRaw int
	var share float64
	for range families {
		p := make([]float64, metrics)
		for i := range p {
			z := r.NormFloat64()
			if i < real {
				z += 3
			}
			p[i] = 2 * normalSurvival(math.Abs(z))
		}
		holm, err := Adjust(HolmCorrection, p)
		if err != nil {
			t.Fatal(err)
		}
		bh, err := Adjust(BHCorrection, p)
		if err != nil {
			t.Fatal(err)
		}
		below := func(values []float64) (n float64) {
			for _, v := range values {
				if v < 0.05 {
					n++
				}
			}
			return n
		}
		if below(holm[real:]) > 0 {
			any++
		}
		if below(p[real:]) > 0 {
			anyRaw++
		}
		if found := below(bh); found > 0 {
			share += below(bh[real:]) / found
		}
	}
	t.Logf("any false discovery: Holm %.4f, unadjusted %.4f; share of false discoveries: BH %.4f",
		float64(any)/families, float64(anyRaw)/families, share/families)
	if float64(any)/families > 0.05 || share/families > 0.05 {
		t.Errorf("Holm %.4f, BH %.4f, both must be 0.05 at most", float64(any)/families, share/families)
	}
	if float64(anyRaw)/families < 0.2 {
		t.Error("the families do not test anything")
	}
}

// TestAdjustedInterval: it leaves zero out exactly when the adjusted p-value is
// below the level, and holds the plain interval.
func TestAdjustedInterval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e, err := Absolute(
			Estimate{N: rapid.Int64Range(50, 1e6).Draw(t, "nA"), Mean: 1, Variance: 2},
			Estimate{N: rapid.Int64Range(50, 1e6).Draw(t, "nB"), Mean: rapid.Float64Range(0.5, 1.5).Draw(t, "mB"), Variance: 3}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		adjusted := math.Min(1, e.PValue*rapid.Float64Range(1, 40).Draw(t, "factor"))
		lower, upper, err := AdjustedInterval(e, adjusted, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		if lower > e.Lower || upper < e.Upper {
			t.Fatalf("[%g, %g] is narrower than [%g, %g]", lower, upper, e.Lower, e.Upper)
		}
		if out := lower > 0 || upper < 0; math.Abs(adjusted-0.05) > 1e-3 && out != (adjusted < 0.05) {
			t.Fatalf("[%g, %g] with an adjusted p of %g", lower, upper, adjusted)
		}
	})
	// A p-value that underflows must not give an interval without width.
	lower, upper, err := AdjustedInterval(Effect{Estimate: 5, StandardError: 0.1, Lower: 4.8, Upper: 5.2}, 0, 0.05)
	if err != nil || lower != 4.8 || upper != 5.2 {
		t.Errorf("[%g, %g], %v", lower, upper, err)
	}
	lower, upper, err = AdjustedInterval(Effect{Estimate: 5}, 1, 0.05)
	if err != nil || !math.IsInf(lower, -1) || !math.IsInf(upper, 1) {
		t.Errorf("[%g, %g], %v", lower, upper, err)
	}
}

func TestWeightedLevels(t *testing.T) {
	t.Parallel()
	primary, other, err := WeightedLevels(0.05, 0.5, 2, 6)
	if err != nil || !near(primary, 0.0125, 1e-15) || !near(other, 0.0025, 1e-15) {
		t.Errorf("%g, %g, %v", primary, other, err)
	}
	// Bonferroni: the levels of all tests sum to α.
	if sum := 2*primary + 2*5*other; !near(sum, 0.05, 1e-15) {
		t.Errorf("the levels sum to %g", sum)
	}
	if primary, other, err = WeightedLevels(0.05, 0.3, 1, 1); err != nil || primary != 0.05 || other != 0 {
		t.Errorf("one metric: %g, %g, %v", primary, other, err)
	}
}

func TestMultiplicityRefusals(t *testing.T) {
	t.Parallel()
	_, err := Adjust(HolmCorrection, []float64{0.1, math.NaN()})
	wantProblem(t, "p NaN", err, NotFinite, "p[1]")
	_, err = Adjust(BHCorrection, []float64{-0.1})
	wantProblem(t, "p below 0", err, ImpossibleSums, "p[0]")
	_, err = Adjust(BHCorrection, []float64{0.1, 1.1})
	wantProblem(t, "p above 1", err, ImpossibleSums, "p[1]")
	_, err = Adjust("bonferroni", []float64{0.1})
	wantProblem(t, "correction", err, InvalidOption, "correction")
	_, _, err = AdjustedInterval(Effect{Estimate: math.NaN()}, 0.5, 0.05)
	wantProblem(t, "estimate", err, NotFinite, "estimate")
	_, _, err = AdjustedInterval(Effect{Estimate: 1}, 2, 0.05)
	wantProblem(t, "adjusted", err, InvalidOption, "adjusted")
	_, _, err = AdjustedInterval(Effect{Estimate: 1}, 0.5, 1.5)
	wantProblem(t, "alpha", err, InvalidOption, "alpha")
	for _, c := range []struct {
		gamma               float64
		treatments, metrics int
		subject             string
	}{{0, 1, 2, "gamma"}, {1.1, 1, 2, "gamma"}, {math.NaN(), 1, 2, "gamma"}, {0.5, 0, 2, "treatments"}, {0.5, 1, 0, "metrics"}} {
		_, _, err := WeightedLevels(0.05, c.gamma, c.treatments, c.metrics)
		wantProblem(t, c.subject, err, InvalidOption, c.subject)
	}
}
