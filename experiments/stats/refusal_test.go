package stats

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// refused asks that an error is a problem of this reason and about this subject.
func refused(t *testing.T, name string, err error, want Reason, subject string) {
	t.Helper()
	p := AsProblem(err)
	if p == nil || p.Reason != want || !strings.HasPrefix(p.Subject, subject) || p.Detail == "" {
		t.Errorf("%s: got %#v, want %s of %q", name, err, want, subject)
	}
}

func TestComparisonRefusals(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	good := Adjusted{N: 100, Sum: 50, SumSquares: 90, CovariateSum: 40, CovariateSquares: 80, Products: 60}
	goodRatio := AdjustedRatio{N: 100, Numerator: 50, Denominator: 100, NumeratorSquares: 90, DenominatorSquares: 140, Products: 60,
		PreNumerator: 40, PreDenominator: 100, PreNumeratorSquares: 80, PreDenominatorSquares: 130, PreProducts: 50,
		NumeratorPreNumerator: 50, NumeratorPreDenominator: 52, DenominatorPreNumerator: 45, DenominatorPreDenominator: 110}
	goodMany := Covariates{N: 100, Sum: 50, CovariateSums: []float64{40}, Products: []float64{90, 60, 80}}
	goodQuantile := Quantile{N: 1000, Level: 0.5, Value: 3, Lower: 2.9, Upper: 3.1}
	with := func(change func(*Adjusted)) Adjusted { a := good; change(&a); return a }
	ratioWith := func(change func(*AdjustedRatio)) AdjustedRatio { a := goodRatio; change(&a); return a }
	manyWith := func(change func(*Covariates)) Covariates { a := goodMany; change(&a); return a }
	quantileWith := func(change func(*Quantile)) Quantile { q := goodQuantile; change(&q); return q }
	for _, c := range []struct {
		name               string
		control, treatment Sample
		scale              Scale
		want               Reason
		subject            string
	}{
		{"no arm", nil, good.plain(), AbsoluteScale, TooFewUnits, "control"},
		{"unknown scale", good, good, Scale(7), InvalidOption, "scale"},
		{"CUPED against a mean", good, good.plain(), AbsoluteScale, KindsDiffer, "treatment"},
		{"a mean against CUPED", good.plain(), good, AbsoluteScale, KindsDiffer, "treatment"},
		{"CUPED ratio against CUPED", goodRatio, good, AbsoluteScale, KindsDiffer, "treatment"},
		{"CUPED of nobody", Adjusted{}, good, AbsoluteScale, TooFewUnits, "control"},
		{"CUPED of one", good, Adjusted{N: 1, Sum: 1, SumSquares: 1, CovariateSum: 1, CovariateSquares: 1, Products: 1}, AbsoluteScale, TooFewUnits, "treatment"},
		{"CUPED with NaN", with(func(a *Adjusted) { a.Products = nan }), good, AbsoluteScale, NotFinite, "control"},
		{"CUPED with infinite sums", good, with(func(a *Adjusted) { a.CovariateSquares = inf }), AbsoluteScale, NotFinite, "treatment"},
		{"CUPED with squares too small", with(func(a *Adjusted) { a.SumSquares = 1 }), good, AbsoluteScale, ImpossibleSums, "control.metric"},
		{"CUPED correlating by more than one", with(func(a *Adjusted) { a.Products = 1000 }), good, AbsoluteScale, ImpossibleSums, "control.metric and covariate"},
		{"CUPED without variance", Adjusted{N: 9, Sum: 9, SumSquares: 9, CovariateSum: 3, CovariateSquares: 9, Products: 3}, good, AbsoluteScale, ZeroVariance, "control"},
		{"CUPED over zero", with(func(a *Adjusted) { a.Sum = 0 }), good, RelativeScale, ZeroBaseline, "control"},
		{"ratio with negative denominators", ratioWith(func(a *AdjustedRatio) { a.Denominator = -100 }), goodRatio, AbsoluteScale, DenominatorNotPositive, "control"},
		{"ratio over zero", goodRatio, ratioWith(func(a *AdjustedRatio) { a.Denominator, a.Products, a.NumeratorPreDenominator = 0, 0, 20 }), AbsoluteScale, DenominatorNotPositive, "treatment"},
		{"ratio with NaN", goodRatio, ratioWith(func(a *AdjustedRatio) { a.PreProducts = nan }), AbsoluteScale, NotFinite, "treatment"},
		{"ratio of one unit", ratioWith(func(a *AdjustedRatio) {
			*a = AdjustedRatio{N: 1, Numerator: 1, Denominator: 1, NumeratorSquares: 1, DenominatorSquares: 1, Products: 1}
		}), goodRatio, AbsoluteScale, TooFewUnits, "control"},
		{"covariates of nobody", Covariates{}, Covariates{}, AbsoluteScale, TooFewUnits, "control"},
		{"covariates that differ in number", goodMany, Covariates{N: 9}, AbsoluteScale, KindsDiffer, "treatment"},
		{"too few products", manyWith(func(a *Covariates) { a.Products = a.Products[:2] }), goodMany, AbsoluteScale, InvalidOption, "control.products"},
		{"negative ridge", manyWith(func(a *Covariates) { a.Ridge = -1 }), manyWith(func(a *Covariates) { a.Ridge = -1 }), AbsoluteScale, InvalidOption, "control.ridge"},
		{"too many covariates", Covariates{N: 9, CovariateSums: make([]float64, 65)}, Covariates{N: 9, CovariateSums: make([]float64, 65)}, AbsoluteScale, InvalidOption, "control.covariates"},
		{"covariates with NaN", manyWith(func(a *Covariates) { a.Sum = nan }), goodMany, AbsoluteScale, NotFinite, "control"},
		{"quantile of a spike", quantileWith(func(q *Quantile) { q.Lower, q.Upper = 3, 3 }), goodQuantile, AbsoluteScale, ZeroVariance, "control"},
		{"quantile of few", quantileWith(func(q *Quantile) { q.N, q.Level = 30, 0.99 }), goodQuantile, AbsoluteScale, TooFewUnits, "control"},
		{"quantile of one", quantileWith(func(q *Quantile) { q.N = 1 }), goodQuantile, AbsoluteScale, TooFewUnits, "control"},
		{"level 90", quantileWith(func(q *Quantile) { q.Level = 90 }), goodQuantile, AbsoluteScale, InvalidOption, "control.level"},
		{"quantile bounds crossed", quantileWith(func(q *Quantile) { q.Lower = 4 }), goodQuantile, AbsoluteScale, ImpossibleSums, "control"},
		{"quantile NaN", goodQuantile, quantileWith(func(q *Quantile) { q.Value = nan }), AbsoluteScale, NotFinite, "treatment"},
		{"quantile of one cluster", quantileWith(func(q *Quantile) { q.Clusters = &Clusters{N: 1, Events: 1000} }), goodQuantile, AbsoluteScale, TooFewUnits, "control.clusters"},
		{"clusters without events", quantileWith(func(q *Quantile) { q.Clusters = &Clusters{N: 10} }), goodQuantile, AbsoluteScale, DenominatorNotPositive, "control.clusters"},
		{"quantile zero as baseline", quantileWith(func(q *Quantile) { q.Value, q.Lower, q.Upper = 0, -1, 1 }), goodQuantile, RelativeScale, ZeroBaseline, "control"},
	} {
		e, err := Compare(c.control, c.treatment, c.scale, Options{})
		refused(t, c.name, err, c.want, c.subject)
		if e != (Effect{}) {
			t.Errorf("%s: a refusal carries figures: %+v", c.name, e)
		}
	}
	if _, err := Compare(good, good, AbsoluteScale, Options{Alpha: 5}); AsProblem(err) == nil || AsProblem(err).Subject != "alpha" {
		t.Errorf("level of 5: %v", err)
	}
}

func TestStrataRefusals(t *testing.T) {
	t.Parallel()
	m := Mean{N: 10, Sum: 5, SumSquares: 9}
	a := Adjusted{N: 10, Sum: 5, SumSquares: 9, CovariateSum: 4, CovariateSquares: 8, Products: 5}
	q := Quantile{N: 1000, Level: 0.5, Value: 3, Lower: 2.9, Upper: 3.1}
	for _, c := range []struct {
		name    string
		strata  []Stratum
		want    Reason
		subject string
	}{
		{"none", nil, TooFewUnits, "strata"},
		{"too many", make([]Stratum, MaxStrata+1), InvalidOption, "strata"},
		{"quantiles", []Stratum{{q, q}, {q, q}}, InvalidOption, "control.strata"},
		{"kinds that differ", []Stratum{{m, m}, {a, a}}, KindsDiffer, ""},
		{"arms that differ", []Stratum{{m, a}, {m, a}}, KindsDiffer, "treatment"},
		{"nobody", []Stratum{{Mean{}, Mean{}}, {Mean{}, Mean{}}}, TooFewUnits, "control"},
		{"one unit an arm", []Stratum{{Mean{N: 1, Sum: 1, SumSquares: 1}, Mean{}}, {Mean{}, Mean{N: 1, Sum: 1, SumSquares: 1}}}, TooFewUnits, "control"},
		{"no variance", []Stratum{{Proportion{N: 5}, Proportion{N: 5}}, {Proportion{N: 5}, Proportion{N: 5}}}, ZeroVariance, "control"},
	} {
		got, err := PostStratify(c.strata, AbsoluteScale, Options{})
		refused(t, c.name, err, c.want, c.subject)
		if got != (Stratified{}) {
			t.Errorf("%s: a refusal carries figures: %+v", c.name, got)
		}
	}
	// Ten strata of one unit each are one analysis of ten units.
	var tiny []Stratum
	for i := range 10 {
		y := float64(i % 3)
		tiny = append(tiny, Stratum{Mean{N: 1, Sum: y, SumSquares: y * y}, Mean{N: 1, Sum: y + 1, SumSquares: (y + 1) * (y + 1)}})
	}
	got, err := PostStratify(tiny, AbsoluteScale, Options{})
	if err != nil || got.Strata != 1 || got.Merged != 9 || !near(got.Estimate, 1, 1e-12) || got.N != 20 {
		t.Errorf("strata of one unit: %+v, %v", got, err)
	}
}

func TestOtherRefusals(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	good := Estimate{N: 100, Mean: 2, Variance: 1}
	effect := Effect{Estimate: 1, StandardError: 1, DegreesOfFreedom: 10, N: 20}
	lift := effect
	lift.Relative = true
	mean := Mean{N: 100, Sum: 50, SumSquares: 90}
	cell := [2][2]Sample{{mean, mean}, {mean, Mean{N: 1, Sum: 1, SumSquares: 1}}}
	_, err := Interaction(cell, Options{})
	refused(t, "interaction with a cell of one", err, TooFewUnits, "cells[1][1]")
	_, err = EffectsInteract([][]Sample{{mean, mean}, {mean}}, Options{})
	refused(t, "cells of a missing arm", err, InvalidOption, "cells")
	_, err = EffectsInteract([][]Sample{{mean, mean}}, Options{})
	refused(t, "one row of cells", err, InvalidOption, "cells")
	_, err = AssignmentsIndependent([][]int64{{5, 5}, {5, -1}})
	refused(t, "negative cell", err, ImpossibleSums, "units[1][1]")
	_, err = AssignmentsIndependent([][]int64{{5, 0}, {5, 0}})
	refused(t, "one column with units", err, TooFewUnits, "units")
	_, err = AssignmentsIndependent([][]int64{{3, 3}, {3, 3}})
	refused(t, "small cells", err, TooFewUnits, "units[0][0]")
	_, err = Fieller(Estimate{N: 100, Mean: 0.1, Variance: 1}, good, Options{})
	refused(t, "Fieller over a mean near zero", err, BaselineUncertain, "control")
	_, err = Fieller(Estimate{N: 100, Variance: 1}, good, Options{})
	refused(t, "Fieller over zero", err, ZeroBaseline, "control")
	_, err = Topline(lift, Reach{Treated: 1, Days: 1, Allocation: 1, Share: 1})
	refused(t, "topline of a lift", err, InvalidOption, "effect")
	for name, r := range map[string]Reach{
		"reach.treated":    {Days: 1, Allocation: 1, Share: 1},
		"reach.days":       {Treated: 1, Allocation: 1, Share: 1},
		"reach.allocation": {Treated: 1, Days: 1, Allocation: 1.5, Share: 1},
		"reach.share":      {Treated: 1, Days: 1, Allocation: 1, Share: nan},
	} {
		if _, err := Topline(effect, r); AsProblem(err) == nil || AsProblem(err).Subject != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = Differential(effect, lift, Options{})
	refused(t, "segments on two scales", err, KindsDiffer, "rest")
	_, err = Differential(Effect{Estimate: nan, StandardError: 1, DegreesOfFreedom: 1}, effect, Options{})
	refused(t, "segment NaN", err, NotFinite, "segment")
	_, err = Differential(effect, Effect{Estimate: 1}, Options{})
	refused(t, "rest without error", err, NotFinite, "rest")
	_, err = effect.Times(0)
	refused(t, "no factor", err, InvalidOption, "factor")
	_, err = effect.Posterior(Prior{Proper: true}, BayesOptions{})
	refused(t, "prior without variance", err, InvalidOption, "prior")
	_, err = effect.Posterior(Prior{Proper: true, Variance: 1}, BayesOptions{})
	refused(t, "relative prior over zero", err, ZeroBaseline, "control")
	_, err = Effect{Estimate: nan, StandardError: 1}.Posterior(Prior{}, BayesOptions{})
	refused(t, "posterior of NaN", err, NotFinite, "effect")
	_, err = effect.Posterior(Prior{}, BayesOptions{Alpha: 2})
	refused(t, "level of 2", err, InvalidOption, "alpha")
	_, err = BestArm([]Estimate{good}, BestArmOptions{})
	refused(t, "one arm", err, TooFewUnits, "arms")
	_, err = BestArm([]Estimate{good, {N: 99, Mean: 1, Variance: 1}}, BestArmOptions{MinimumUnits: MinimumPerArm})
	refused(t, "a small arm", err, TooFewUnits, "arms[1]")
	_, err = BestArm([]Estimate{good, {N: 99, Mean: nan, Variance: 1}}, BestArmOptions{})
	refused(t, "an arm NaN", err, NotFinite, "arms[1]")
	_, err = BestArm([]Estimate{good, good}, BestArmOptions{Floor: 0.5})
	refused(t, "a floor of all", err, InvalidOption, "floor")
	_, err = BestArm([]Estimate{good, good}, BestArmOptions{Prior: Prior{Mean: 3}})
	refused(t, "an improper prior", err, InvalidOption, "prior")
	_, err = ProbabilityBest([]float64{1, 2}, []float64{1, 0}, false, 0)
	refused(t, "no deviation", err, NotFinite, "means[1]")
	_, err = Cap{Upper: 99}.Of([]float64{1})
	refused(t, "a level of 99", err, InvalidOption, "cap")
	_, err = Cap{Upper: 0.99, IgnoreZeros: true}.Of([]float64{0, 0})
	refused(t, "only zeros", err, TooFewUnits, "")
	_, err = Cap{Upper: 0.99}.Of([]float64{1, nan})
	refused(t, "a NaN to cap", err, NotFinite, "")
	_, err = Adequate(Shape{N: 2, Sum: 3, SumSquares: 5, SumCubes: 9}, Shape{})
	refused(t, "skewness of two", err, TooFewUnits, "")
	_, err = Adequate(Shape{N: 9, Sum: 9, SumSquares: 9, SumCubes: 9}, Shape{N: 9, Sum: 9, SumSquares: 9, SumCubes: 9})
	refused(t, "skewness of a constant", err, ZeroVariance, "")
	_, err = AdequateProportion(Proportion{N: 9}, Proportion{N: 9})
	refused(t, "no success", err, ZeroVariance, "")
	_, err = QuantileOf([]float64{1, 2, 3}, 0.5)
	refused(t, "median of three", err, TooFewUnits, "")
	_, err = ClusteredQuantileOf(nil, 0.5)
	refused(t, "median of nothing", err, TooFewUnits, "")
}

func TestAdequateProportions(t *testing.T) {
	t.Parallel()
	got, err := AdequateProportion(Proportion{N: 500, Successes: 5}, Proportion{N: 500, Successes: 5})
	if err != nil || got.Needed != 1000 || got.Units != 500 || got.Enough() {
		t.Errorf("1 %% of 500: %+v, %v", got, err)
	}
	got, err = AdequateProportion(Proportion{N: 50, Successes: 25}, Proportion{N: 70, Successes: 35})
	if err != nil || got.Needed != LeastUnits || got.Units != 50 || !got.Enough() || got.Skewness != 0 {
		t.Errorf("half of 50: %+v, %v", got, err)
	}
	// The shape of a proportion has Bernoulli's skewness.
	skew, err := ShapeOf(Proportion{N: 100, Successes: 10}).Skewness()
	if err != nil || !near(skew, 0.8/0.3, 1e-12) {
		t.Errorf("skewness of 10 %%: %g, %v", skew, err)
	}
}

// Arms without data are judged by the prior, and the weights keep the floor.
func TestBestArmWeights(t *testing.T) {
	t.Parallel()
	got, err := BestArm([]Estimate{{N: 1000, Mean: 1, Variance: 4}, {N: 1000, Mean: 1.5, Variance: 4}, {N: 1000, Mean: 1, Variance: 4}}, BestArmOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for i, w := range got.Weight {
		sum += w
		if !near(w, 0.01+0.97*got.Probability[i], 1e-15) {
			t.Errorf("weight %d is %g for probability %g", i, w, got.Probability[i])
		}
	}
	if !near(sum, 1, 1e-12) || got.Weight[1] < 0.97 || !near(got.Probability[0], got.Probability[2], 1e-12) {
		t.Errorf("%+v", got)
	}
	empty, err := BestArm([]Estimate{{}, {}, {N: 50, Mean: 3, Variance: 0}}, BestArmOptions{NoFloor: true})
	if err != nil || !near(empty.Weight[0], 1./3, 1e-12) || !near(empty.Weight[2], 1./3, 1e-12) {
		t.Errorf("arms without data: %+v, %v", empty, err)
	}
}

// Whatever the sums of any kind, the answer is a problem or finite figures that
// agree with one another; nothing panics.
func TestAnySumsOfAnyKind(t *testing.T) {
	t.Parallel()
	number := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-100, 100),
		rapid.SampledFrom([]float64{0, 1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64}))
	draw := func(t *rapid.T, n int) []float64 { return rapid.SliceOfN(number, n, n).Draw(t, "numbers") }
	arm := func(t *rapid.T, kind int) Sample {
		n := rapid.Int64Range(-2, 1000).Draw(t, "n")
		v := draw(t, 14)
		switch kind {
		case 0:
			return Adjusted{n, v[0], v[1], v[2], v[3], v[4], rapid.Bool().Draw(t, "binary")}
		case 1:
			return AdjustedRatio{n, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], rapid.Bool().Draw(t, "binary"), false}
		case 2:
			k := rapid.IntRange(0, 3).Draw(t, "covariates")
			return Covariates{N: n, Sum: v[0], CovariateSums: v[1 : 1+k], Products: v[4 : 4+rapid.SampledFrom([]int{triangle(k + 1), 5}).Draw(t, "products")], Ridge: rapid.SampledFrom([]float64{0, v[0]}).Draw(t, "ridge")}
		default:
			return Quantile{N: n, Level: v[0], Value: v[1], Lower: v[2], Upper: v[3], Grid: rapid.Int64Range(-1, 2000).Draw(t, "grid"),
				Clusters: rapid.SampledFrom([]*Clusters{nil, {N: n, Below: v[4], BelowSquares: v[5], Events: v[6], EventSquares: v[7], Products: v[8]}}).Draw(t, "clusters")}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		a, b := arm(t, kind), arm(t, kind)
		o := Options{Unchecked: rapid.Bool().Draw(t, "unchecked")}
		s := rapid.SampledFrom([]Scale{AbsoluteScale, RelativeScale}).Draw(t, "scale")
		check := func(what string, e Effect, err error) {
			if err != nil {
				if AsProblem(err) == nil {
					t.Fatalf("%s: %v is not a problem", what, err)
				}
				return
			}
			if !finite(e.Estimate, e.StandardError, e.Lower, e.Upper, e.PValue, e.DegreesOfFreedom, e.Baseline) ||
				e.Lower > e.Estimate || e.Estimate > e.Upper || e.PValue < 0 || e.PValue > 1 || e.StandardError <= 0 {
				t.Fatalf("%s: %+v from %+v and %+v", what, e, a, b)
			}
			if p, err := e.Posterior(Prior{Proper: true, Mean: draw(t, 1)[0], Variance: 0.1}, BayesOptions{}); err == nil &&
				(!finite(p.Mean, p.StandardError, p.Lower, p.Upper, p.RiskControl, p.RiskTreatment) || !(p.ChanceToWin >= 0 && p.ChanceToWin <= 1)) {
				t.Fatalf("posterior %+v of %+v", p, e)
			}
		}
		e, err := Compare(a, b, s, o)
		check("compare", e, err)
		st, err := PostStratify([]Stratum{{a, b}, {arm(t, kind), arm(t, kind)}}, s, o)
		check("stratify", st.Effect, err)
	})
}
