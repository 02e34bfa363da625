package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestEstimateRefusals(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string
		sample Sample
		want   Reason
	}{
		{"mean of nobody", Mean{}, TooFewUnits},
		{"negative n", Mean{N: -3, Sum: 1, SumSquares: 1}, TooFewUnits},
		{"NaN sum", Mean{N: 3, Sum: nan, SumSquares: 1}, NotFinite},
		{"infinite squares", Mean{N: 3, Sum: 1, SumSquares: inf}, NotFinite},
		{"squares that overflow", Mean{N: 3, Sum: 1e300, SumSquares: 1e301}, NotFinite},
		{"squares too small", Mean{N: 3, Sum: 30, SumSquares: 3}, ImpossibleSums},
		{"negative squares", Mean{N: 3, Sum: 0, SumSquares: -1}, ImpossibleSums},
		{"spread lost in the sums", Mean{N: 1000, Sum: 1000 * 1e6, SumSquares: 1000*1e12 + 1000*4}, PrecisionLost},
		{"more successes than units", Proportion{N: 3, Successes: 4}, ImpossibleSums},
		{"negative successes", Proportion{N: 3, Successes: -1}, ImpossibleSums},
		{"proportion of nobody", Proportion{}, TooFewUnits},
		{"ratio of nobody", Ratio{}, TooFewUnits},
		{"zero denominators", Ratio{N: 3, Numerator: 1, NumeratorSquares: 1}, DenominatorNotPositive},
		{"negative denominators", Ratio{N: 3, Numerator: 1, NumeratorSquares: 1, Denominator: -3, DenominatorSquares: 4}, DenominatorNotPositive},
		{"NaN products", Ratio{N: 3, Numerator: 1, Denominator: 1, NumeratorSquares: 1, DenominatorSquares: 1, Products: nan}, NotFinite},
		{"denominator squares too small", Ratio{N: 3, Numerator: 3, NumeratorSquares: 5, Denominator: 30, DenominatorSquares: 3}, ImpossibleSums},
		{"correlation above one", Ratio{N: 100, Numerator: 0, NumeratorSquares: 100, Denominator: 100, DenominatorSquares: 200, Products: 150}, ImpossibleSums},
	} {
		got, err := c.sample.Estimate()
		if p := AsProblem(err); p == nil || p.Reason != c.want {
			t.Errorf("%s: got %+v, %v; want %s", c.name, got, err, c.want)
		}
	}
	var m Moments
	if _, err := m.Estimate(); AsProblem(err) == nil || AsProblem(err).Reason != TooFewUnits {
		t.Errorf("empty moments: %v", err)
	}
	m.Add(1)
	m.Add(nan)
	if _, err := m.Estimate(); AsProblem(err) == nil || AsProblem(err).Reason != NotFinite {
		t.Errorf("NaN in moments: %v", err)
	}
}

func TestOneUnitHasAMeanButNoError(t *testing.T) {
	t.Parallel()
	var m Moments
	m.Add(7)
	for _, s := range []Sample{Mean{N: 1, Sum: 7, SumSquares: 49}, &m, Ratio{N: 1, Numerator: 14, NumeratorSquares: 196, Denominator: 2, DenominatorSquares: 4, Products: 28}} {
		e, err := s.Estimate()
		if err != nil || e.Mean != 7 || !math.IsNaN(e.Variance) || !math.IsNaN(e.StandardError()) {
			t.Errorf("%T: %+v, %v", s, e, err)
		}
	}
}

// A spread of one beside a level of 1e9: raw sums would give nonsense.
func TestShiftedSumsAndMomentsKeepSmallSpread(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	const level, n = 1e9, 20_000
	raw, shifted := Mean{N: n}, Mean{N: n, Shift: level + 5}
	reference := Mean{N: n}
	var all, half Moments
	for i := range n {
		y := math.Round(random.NormFloat64()*1024) / 1024 // exact in binary beside the level
		raw.Sum += level + y
		raw.SumSquares += (level + y) * (level + y)
		shifted.Sum += y - 5
		shifted.SumSquares += (y - 5) * (y - 5)
		reference.Sum += y
		reference.SumSquares += y * y
		if i < n/3 {
			all.Add(level + y)
		} else {
			half.Add(level + y)
		}
	}
	all.Merge(half)
	want, err := reference.Estimate()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Sample{"shifted sums": shifted, "moments": &all} {
		got, err := s.Estimate()
		if err != nil || !near(got.Variance, want.Variance, 1e-6*want.Variance) || !near(got.Mean, level+want.Mean, 1e-5) {
			t.Errorf("%s: %+v, %v; want %+v above %g", name, got, err, want, level)
		}
	}
	if got, err := raw.Estimate(); err == nil && got.Variance != 0 {
		t.Errorf("raw sums made up a variance of %g", got.Variance)
	}
}

func TestConstantValuesHaveZeroVariance(t *testing.T) {
	t.Parallel()
	for _, y := range []float64{0, 0.1, 1. / 3, 19.99, -7e7} {
		m := Mean{N: 1000}
		for range m.N {
			m.Sum += y
			m.SumSquares += y * y
		}
		if e, err := m.Estimate(); err != nil || e.Variance != 0 {
			t.Errorf("constant %g: %+v, %v", y, e, err)
		}
	}
}

func TestRatioAgainstResiduals(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	var r Ratio
	var m, d []float64
	for range 500 {
		den := float64(1 + random.IntN(20))
		num := den*0.4 + random.NormFloat64()
		m, d = append(m, num), append(d, den)
		r.N++
		r.Numerator += num
		r.Denominator += den
		r.NumeratorSquares += num * num
		r.DenominatorSquares += den * den
		r.Products += num * den
	}
	got, err := r.Estimate()
	if err != nil {
		t.Fatal(err)
	}
	// The delta method is the variance of the linearised values.
	ratio, perUnit := r.Numerator/r.Denominator, r.Denominator/float64(r.N)
	var residuals Moments
	for i := range m {
		residuals.Add((m[i] - ratio*d[i]) / perUnit)
	}
	want, _ := residuals.Estimate()
	if got.Mean != ratio || !near(got.Variance, want.Variance, 1e-12) {
		t.Errorf("got %+v, want mean %g, variance %g", got, ratio, want.Variance)
	}
}

func TestRatioOverOneEachIsTheMean(t *testing.T) {
	t.Parallel()
	mean := Mean{N: 40, Sum: 61, SumSquares: 222}
	ratio := Ratio{N: 40, Numerator: 61, NumeratorSquares: 222, Denominator: 40, DenominatorSquares: 40, Products: 61}
	a, errA := mean.Estimate()
	b, errB := ratio.Estimate()
	if errA != nil || errB != nil || !near(a.Mean, b.Mean, 1e-15) || !near(a.Variance, b.Variance, 1e-12) {
		t.Errorf("mean %+v (%v), ratio %+v (%v)", a, errA, b, errB)
	}
}
