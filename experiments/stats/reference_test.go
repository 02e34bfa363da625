package stats

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
)

// reference.json is written by testdata/reference.py with NumPy, SciPy and
// statsmodels, from the same single values by other ways.
//
//go:embed testdata/reference.json
var referenceJSON []byte

type referenceArm struct {
	Y, X1, X2, M, D, MPre, DPre, Hit []float64
	Stratum                          []int
}

type referenceEffect struct {
	Estimate, StandardError, Degrees, P float64
	Lower, Upper                        *float64
}

type reference struct {
	Control, Treatment              referenceArm
	Welch                           map[string]referenceEffect
	Relative, Fieller, Ratio, CUPED referenceEffect
	CUPEDRatio                      referenceEffect
	Lin                             struct {
		referenceEffect
		SlopesControl, SlopesTreatment []float64
	}
	Strata    map[string]json.RawMessage
	Quantile  struct{ Value, Lower, Upper, Variance float64 }
	Clustered struct {
		Units           [][]float64
		Value, Variance float64
		N               int64
	}
	Bayes       struct{ Mean, StandardError, Chance, RiskControl, RiskTreatment float64 }
	Excess      [][2]float64
	Interaction struct {
		Cells         [][][]float64
		ChiSquared, P float64
		TwoByTwo      referenceEffect
	}
	Independence struct {
		Units         [][]int64
		ChiSquared, P float64
		Degrees       int
	}
	Best []struct {
		Means, Deviations, Probabilities []float64
	}
	Skewness float64
	Cap      struct{ All, NonZero, Lower float64 }
}

func readReference(t *testing.T) reference {
	t.Helper()
	var r reference
	if err := json.Unmarshal(referenceJSON, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func relativelyNear(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Max(math.Abs(want), 1e-300)
}

func (w referenceEffect) check(t *testing.T, name string, got Effect, err error, tolerance float64) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	figures := []struct {
		what      string
		got, want float64
	}{{"estimate", got.Estimate, w.Estimate}, {"standard error", got.StandardError, w.StandardError}}
	if w.Degrees > 0 {
		figures = append(figures, struct {
			what      string
			got, want float64
		}{"degrees", got.DegreesOfFreedom, w.Degrees}, struct {
			what      string
			got, want float64
		}{"p", got.PValue, w.P})
	}
	for side, bound := range map[string]*float64{"lower": w.Lower, "upper": w.Upper} {
		if bound != nil {
			figures = append(figures, struct {
				what      string
				got, want float64
			}{side, map[string]float64{"lower": got.Lower, "upper": got.Upper}[side], *bound})
		}
	}
	for _, f := range figures {
		if !relativelyNear(f.got, f.want, tolerance) {
			t.Errorf("%s: %s is %.15g, the reference has %.15g", name, f.what, f.got, f.want)
		}
	}
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func total(a []float64) (sum float64) {
	for _, v := range a {
		sum += v
	}
	return sum
}

func (a referenceArm) mean() Mean {
	return Mean{N: int64(len(a.Y)), Sum: total(a.Y), SumSquares: dot(a.Y, a.Y)}
}

func (a referenceArm) ratio() Ratio {
	return Ratio{N: int64(len(a.Y)), Numerator: total(a.M), Denominator: total(a.D), NumeratorSquares: dot(a.M, a.M),
		DenominatorSquares: dot(a.D, a.D), Products: dot(a.M, a.D)}
}

func (a referenceArm) adjusted() Adjusted {
	return Adjusted{N: int64(len(a.Y)), Sum: total(a.Y), SumSquares: dot(a.Y, a.Y), CovariateSum: total(a.X1),
		CovariateSquares: dot(a.X1, a.X1), Products: dot(a.X1, a.Y)}
}

func (a referenceArm) adjustedRatio() AdjustedRatio {
	r := a.ratio()
	return AdjustedRatio{N: r.N, Numerator: r.Numerator, Denominator: r.Denominator, NumeratorSquares: r.NumeratorSquares,
		DenominatorSquares: r.DenominatorSquares, Products: r.Products,
		PreNumerator: total(a.MPre), PreDenominator: total(a.DPre), PreNumeratorSquares: dot(a.MPre, a.MPre),
		PreDenominatorSquares: dot(a.DPre, a.DPre), PreProducts: dot(a.MPre, a.DPre),
		NumeratorPreNumerator: dot(a.M, a.MPre), NumeratorPreDenominator: dot(a.M, a.DPre),
		DenominatorPreNumerator: dot(a.D, a.MPre), DenominatorPreDenominator: dot(a.D, a.DPre)}
}

// in keeps the units of one stratum.
func (a referenceArm) in(stratum int) referenceArm {
	keep := func(v []float64) (out []float64) {
		for i, s := range a.Stratum {
			if s == stratum {
				out = append(out, v[i])
			}
		}
		return out
	}
	return referenceArm{Y: keep(a.Y), X1: keep(a.X1), X2: keep(a.X2), M: keep(a.M), D: keep(a.D), MPre: keep(a.MPre), DPre: keep(a.DPre)}
}

func TestComparisonsAgainstReference(t *testing.T) {
	t.Parallel()
	r := readReference(t)
	a, b := r.Control, r.Treatment
	for name, alternative := range map[string]Alternative{"two-sided": TwoSided, "greater": Greater, "less": Less} {
		got, err := Compare(a.mean(), b.mean(), AbsoluteScale, Options{Alternative: alternative})
		r.Welch[name].check(t, "Welch "+name, got, err, 1e-10)
	}
	got, err := Compare(a.mean(), b.mean(), RelativeScale, Options{})
	r.Relative.check(t, "relative", got, err, 1e-8) // numerical derivatives
	ea, _ := a.mean().Estimate()
	eb, _ := b.mean().Estimate()
	fieller, err := Fieller(ea, eb, Options{})
	if err != nil || !relativelyNear(fieller.Lower, *r.Fieller.Lower, 1e-9) || !relativelyNear(fieller.Upper, *r.Fieller.Upper, 1e-9) {
		t.Errorf("Fieller: %+v (%v), want %g to %g", fieller, err, *r.Fieller.Lower, *r.Fieller.Upper)
	}
	got, err = Compare(a.ratio(), b.ratio(), AbsoluteScale, Options{})
	r.Ratio.check(t, "ratio", got, err, 1e-9)
	got, err = Compare(a.adjusted(), b.adjusted(), AbsoluteScale, Options{})
	r.CUPED.check(t, "CUPED", got, err, 1e-9)
	got, err = Compare(a.adjustedRatio(), b.adjustedRatio(), AbsoluteScale, Options{})
	r.CUPEDRatio.check(t, "CUPED ratio", got, err, 1e-9)

	var ca, cb Covariates
	ca.Ridge, cb.Ridge = 1e-12, 1e-12
	for i := range a.Y {
		ca.Add(a.Y[i], a.X1[i], a.X2[i])
	}
	for i := range b.Y {
		cb.Add(b.Y[i], b.X1[i], b.X2[i])
	}
	got, err = Compare(ca, cb, AbsoluteScale, Options{})
	r.Lin.check(t, "several covariates", got, err, 1e-8)
	for _, s := range []struct {
		sums Covariates
		want []float64
	}{{ca, r.Lin.SlopesControl}, {cb, r.Lin.SlopesTreatment}} {
		slopes, err := s.sums.Slopes()
		if err != nil || !slices.EqualFunc(slopes, s.want, func(x, y float64) bool { return relativelyNear(x, y, 1e-9) }) {
			t.Errorf("slopes %v (%v), statsmodels has %v", slopes, err, s.want)
		}
	}
	// The default penalty changes next to nothing.
	ca.Ridge, cb.Ridge = 0, 0
	got, err = Compare(ca, cb, AbsoluteScale, Options{})
	r.Lin.check(t, "several covariates, default ridge", got, err, 1e-5)
}

func TestStrataAgainstReference(t *testing.T) {
	t.Parallel()
	r := readReference(t)
	kinds := map[string]func(referenceArm) Sample{
		"mean":          func(a referenceArm) Sample { return a.mean() },
		"ratio":         func(a referenceArm) Sample { return a.ratio() },
		"meanAdjusted":  func(a referenceArm) Sample { return a.adjusted() },
		"ratioAdjusted": func(a referenceArm) Sample { return a.adjustedRatio() },
	}
	for kind, sums := range kinds {
		var strata []Stratum
		for s := range 6 {
			a, b := r.Control.in(s), r.Treatment.in(s)
			if len(a.Y)+len(b.Y) > 0 {
				strata = append(strata, Stratum{sums(a), sums(b)})
			}
		}
		for scale, suffix := range map[Scale]string{AbsoluteScale: "Absolute", RelativeScale: "Relative"} {
			var want referenceEffect
			if err := json.Unmarshal(r.Strata[kind+suffix], &want); err != nil {
				t.Fatalf("%s%s: %v", kind, suffix, err)
			}
			got, err := PostStratify(strata, scale, Options{})
			want.check(t, kind+suffix, got.Effect, err, 2e-8) // numerical derivatives
			if fmt.Sprint(got.Strata, got.Merged) != fmt.Sprintf("%s %s", r.Strata["viable"], r.Strata["merged"]) {
				t.Errorf("%s%s: %d strata and %d merged, want %s and %s", kind, suffix, got.Strata, got.Merged, r.Strata["viable"], r.Strata["merged"])
			}
		}
	}
}

func TestQuantilesAgainstReference(t *testing.T) {
	t.Parallel()
	r := readReference(t)
	q, err := QuantileOf(r.Control.Y, 0.25)
	if err != nil {
		t.Fatal(err)
	}
	e, err := q.Estimate()
	if err != nil || !relativelyNear(q.Value, r.Quantile.Value, 1e-12) || !relativelyNear(q.Lower, r.Quantile.Lower, 1e-12) ||
		!relativelyNear(q.Upper, r.Quantile.Upper, 1e-12) || !relativelyNear(e.Variance, r.Quantile.Variance, 1e-12) {
		t.Errorf("quantile %+v, %+v (%v), NumPy has %+v", q, e, err, r.Quantile)
	}
	c, err := ClusteredQuantileOf(r.Clustered.Units, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	e, err = c.Estimate()
	if err != nil || c.N != r.Clustered.N || !relativelyNear(c.Value, r.Clustered.Value, 1e-12) || !relativelyNear(e.Variance, r.Clustered.Variance, 1e-9) {
		t.Errorf("clustered quantile %+v, %+v (%v), NumPy has %+v", c, e, err, r.Clustered)
	}
}

func TestPosteriorAgainstReference(t *testing.T) {
	t.Parallel()
	r := readReference(t)
	effect := Effect{Estimate: 0.03, StandardError: 0.02, Relative: true, Baseline: 4}
	prior := Prior{Proper: true, Mean: 0.01, Variance: 0.05 * 0.05}
	p, err := effect.Posterior(prior, BayesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := r.Bayes
	for _, f := range [][2]float64{{p.Mean, w.Mean}, {p.StandardError, w.StandardError}, {p.ChanceToWin, w.Chance},
		{p.RiskControl, w.RiskControl}, {p.RiskTreatment, w.RiskTreatment}} {
		if !relativelyNear(f[0], f[1], 1e-9) {
			t.Errorf("posterior %+v, by quadrature %+v", p, w)
			break
		}
	}
	for _, row := range r.Excess {
		if got := expectedExcess(-row[0]); !relativelyNear(got, row[1], 1e-10) {
			t.Errorf("E[max(0, Z − %g)] is %.15g, by quadrature %.15g", row[0], got, row[1])
		}
	}
}

func TestInteractionsAgainstReference(t *testing.T) {
	t.Parallel()
	r := readReference(t)
	cells := make([][]Sample, len(r.Interaction.Cells))
	for i, row := range r.Interaction.Cells {
		for _, values := range row {
			cells[i] = append(cells[i], Mean{N: int64(len(values)), Sum: total(values), SumSquares: dot(values, values)})
		}
	}
	got, err := EffectsInteract(cells, Options{})
	if err != nil || got.DegreesOfFreedom != 2 || !relativelyNear(got.ChiSquared, r.Interaction.ChiSquared, 1e-8) || !relativelyNear(got.PValue, r.Interaction.P, 1e-8) {
		t.Errorf("Wald: %+v (%v), statsmodels has %+v", got, err, r.Interaction)
	}
	effect, err := Interaction([2][2]Sample{{cells[0][0], cells[0][1]}, {cells[1][0], cells[1][1]}}, Options{})
	r.Interaction.TwoByTwo.check(t, "two by two", effect, err, 1e-9)
	// With two arms each, the two tests have one statistic.
	square, err := EffectsInteract([][]Sample{{cells[0][0], cells[0][1]}, {cells[1][0], cells[1][1]}}, Options{})
	if z := effect.Estimate / effect.StandardError; err != nil || !relativelyNear(square.ChiSquared, z*z, 1e-9) {
		t.Errorf("χ² of the square is %+v (%v), t² %g", square, err, z*z)
	}
	table, err := AssignmentsIndependent(r.Independence.Units)
	if err != nil || table.DegreesOfFreedom != r.Independence.Degrees || !relativelyNear(table.ChiSquared, r.Independence.ChiSquared, 1e-12) ||
		!relativelyNear(table.PValue, r.Independence.P, 1e-12) {
		t.Errorf("independence: %+v (%v), SciPy has %+v", table, err, r.Independence)
	}
}

func TestBestArmAgainstReference(t *testing.T) {
	t.Parallel()
	r := readReference(t)
	for i, c := range r.Best {
		got, err := ProbabilityBest(c.Means, c.Deviations, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		for k := range got {
			if math.Abs(got[k]-c.Probabilities[k]) > 1e-10 {
				t.Errorf("case %d: %v, by quadrature %v", i, got, c.Probabilities)
				break
			}
		}
		hermite, err := ProbabilityBest(c.Means, c.Deviations, false, 128)
		if i == 0 && (err != nil || math.Abs(hermite[0]-c.Probabilities[0]) > 1e-10) {
			t.Errorf("Gauss-Hermite gives %v (%v), by quadrature %v", hermite, err, c.Probabilities)
		}
		mirrored := make([]float64, len(c.Means))
		for k, m := range c.Means {
			mirrored[k] = -m
		}
		inverse, err := ProbabilityBest(mirrored, c.Deviations, true, 0)
		if err != nil || !slices.Equal(inverse, got) {
			t.Errorf("the smallest of the mirrored arms: %v (%v), want %v", inverse, err, got)
		}
	}
}

func TestShapeAndCapAgainstReference(t *testing.T) {
	t.Parallel()
	r := readReference(t)
	var s Shape
	for _, y := range r.Control.Y {
		s.Add(y)
	}
	if got, err := s.Skewness(); err != nil || !relativelyNear(got, r.Skewness, 1e-10) {
		t.Errorf("skewness %g (%v), SciPy has %g", got, err, r.Skewness)
	}
	zeros := append(slices.Clone(r.Treatment.Y), 0, 0, 0, 0)
	for _, c := range []struct {
		cap  Cap
		want float64
	}{{Cap{Upper: 0.95}, r.Cap.All}, {Cap{Upper: 0.95, IgnoreZeros: true}, r.Cap.NonZero}} {
		got, err := c.cap.Of(r.Control.Y, zeros)
		if err != nil || !relativelyNear(got.Upper, c.want, 1e-12) || !math.IsInf(got.Lower, -1) {
			t.Errorf("%+v: %+v (%v), NumPy has %g", c.cap, got, err, c.want)
		}
	}
	got, err := Cap{Lower: 0.05}.Of(r.Control.Y, zeros)
	if err != nil || !relativelyNear(got.Lower, r.Cap.Lower, 1e-12) || got.Apply(0) != got.Lower || got.Apply(1e9) != 1e9 {
		t.Errorf("lower cap: %+v (%v), NumPy has %g", got, err, r.Cap.Lower)
	}
}
