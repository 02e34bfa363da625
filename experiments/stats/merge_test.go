package stats

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawUnits draws units of a world that has everything: metric, covariate,
// ratio now and before, and a stratum.
func drawUnits(t *rapid.T, label string) []unit {
	value := rapid.Float64Range(-100, 100)
	count := rapid.IntRange(1, 9)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) unit {
		d, dPre := float64(count.Draw(t, "d")), float64(count.Draw(t, "d before"))
		return unit{y: value.Draw(t, "y"), x: value.Draw(t, "x"), d: d, m: value.Draw(t, "m"), dPre: dPre, mPre: value.Draw(t, "m before"),
			stratum: rapid.IntRange(0, 2).Draw(t, "stratum")}
	}), 4, 30).Draw(t, label)
}

// kinds are the sums of the same units in every kind that adds up.
func kinds(units []unit) map[string]Sample {
	var a Adjusted
	var r AdjustedRatio
	var c Covariates
	shifted := Mean{Shift: 7}
	for _, u := range units {
		a.add(u)
		r.add(u)
		c.Add(u.y, u.x, u.mPre)
		shifted.N++
		shifted.Sum += u.y - 7
		shifted.SumSquares += (u.y - 7) * (u.y - 7)
	}
	return map[string]Sample{"mean": a.plain(), "shifted mean": shifted, "CUPED": a, "ratio": r.plain(), "CUPED ratio": r, "covariates": c}
}

func sameEffect(a, b Effect) bool {
	return same(a.Estimate, b.Estimate) && same(a.StandardError, b.StandardError) && same(a.Lower, b.Lower) && same(a.Upper, b.Upper) &&
		same(a.PValue, b.PValue) && a.N == b.N && same(a.Baseline, b.Baseline)
}

// sound skips inputs whose effects rightly are refused or badly conditioned.
func sound(t *rapid.T, e Effect, err error) Effect {
	if err != nil {
		if AsProblem(err) == nil {
			t.Fatalf("%v is not a problem", err)
		}
		t.Skip(err)
	}
	if math.Abs(e.Baseline) < 1 || e.StandardError < 1e-3 || e.StandardError > 1e6 {
		t.Skip("badly conditioned")
	}
	return e
}

func TestMergedSumsAreSumsOfAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a1, a2, b1, b2 := drawUnits(t, "control 1"), drawUnits(t, "control 2"), drawUnits(t, "treatment 1"), drawUnits(t, "treatment 2")
		pieces := []map[string]Sample{kinds(a1), kinds(a2), kinds(b1), kinds(b2)}
		wholeA, wholeB := kinds(slices.Concat(a1, a2)), kinds(slices.Concat(b1, b2))
		kind := rapid.SampledFrom([]string{"mean", "shifted mean", "CUPED", "ratio", "CUPED ratio", "covariates"}).Draw(t, "kind")
		scale := rapid.SampledFrom([]Scale{AbsoluteScale, RelativeScale}).Draw(t, "scale")
		a, errA := plus(pieces[0][kind], pieces[1][kind])
		b, errB := plus(pieces[2][kind], pieces[3][kind])
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		e, err := Compare(wholeA[kind], wholeB[kind], scale, Options{})
		want := sound(t, e, err)
		got, err := Compare(a, b, scale, Options{})
		if err != nil || !sameEffect(got, want) {
			t.Fatalf("%s: merged %+v (%v), at once %+v", kind, got, err, want)
		}
	})
}

func TestSwappedArmsMirrorEveryKind(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := kinds(drawUnits(t, "control")), kinds(drawUnits(t, "treatment"))
		for kind := range a {
			e, err := Compare(a[kind], b[kind], AbsoluteScale, Options{})
			one := sound(t, e, err)
			other, err := Compare(b[kind], a[kind], AbsoluteScale, Options{})
			if err != nil || !same(one.Estimate, -other.Estimate) || !same(one.Lower, -other.Upper) || !same(one.PValue, other.PValue) {
				t.Fatalf("%s: %+v (%v) against %+v", kind, other, err, one)
			}
		}
	})
}

// Values in cents or in euros give one relative effect, and absolute ones a
// hundred apart, whatever the covariates' unit.
func TestUnitsOfMeasureDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawUnits(t, "control"), drawUnits(t, "treatment")
		k := rapid.Float64Range(0.01, 100).Draw(t, "scale")
		other := rapid.Float64Range(0.01, 100).Draw(t, "scale of before")
		scaled := func(units []unit) []unit {
			out := slices.Clone(units)
			for i := range out {
				out[i].y *= k
				out[i].m *= k
				out[i].x *= other
				out[i].mPre *= other
			}
			return out
		}
		a, b, sa, sb := kinds(x), kinds(y), kinds(scaled(x)), kinds(scaled(y))
		for kind := range a {
			if kind == "shifted mean" {
				continue // the shift is in the metric's unit
			}
			e, err := Compare(a[kind], b[kind], AbsoluteScale, Options{})
			absolute := sound(t, e, err)
			e, err = Compare(a[kind], b[kind], RelativeScale, Options{})
			relative := sound(t, e, err)
			got, err := Compare(sa[kind], sb[kind], AbsoluteScale, Options{})
			if err != nil || !same(got.Estimate/k, absolute.Estimate) || !same(got.StandardError/k, absolute.StandardError) || !same(got.PValue, absolute.PValue) {
				t.Fatalf("%s: %+v (%v) is not %g times %+v", kind, got, err, k, absolute)
			}
			got, err = Compare(sa[kind], sb[kind], RelativeScale, Options{})
			if err != nil || !same(got.Estimate, relative.Estimate) || !same(got.StandardError, relative.StandardError) {
				t.Fatalf("%s: %+v (%v) against %+v", kind, got, err, relative)
			}
		}
	})
}

func TestStrataInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"mean", "CUPED", "ratio", "CUPED ratio", "covariates"}).Draw(t, "kind")
		var a, b [3][]unit
		for _, u := range drawUnits(t, "control") {
			a[u.stratum] = append(a[u.stratum], u)
		}
		for _, u := range drawUnits(t, "treatment") {
			b[u.stratum] = append(b[u.stratum], u)
		}
		var strata []Stratum
		for i := range a {
			if len(a[i]) == 0 || len(b[i]) == 0 {
				t.Skip("an empty stratum")
			}
			strata = append(strata, Stratum{kinds(a[i])[kind], kinds(b[i])[kind]})
		}
		for i := range strata {
			for k := range i {
				if strata[i].units() == strata[k].units() {
					t.Skip("the largest depends on the order")
				}
			}
		}
		first, err := PostStratify(strata, AbsoluteScale, Options{})
		sound(t, first.Effect, err)
		slices.Reverse(strata)
		second, err := PostStratify(strata, AbsoluteScale, Options{})
		if err != nil || first.Strata != second.Strata || first.Merged != second.Merged || !sameEffect(first.Effect, second.Effect) {
			t.Fatalf("%+v (%v) against %+v", second, err, first)
		}
		// One stratum is no stratum.
		whole, err := PostStratify(strata[:1], AbsoluteScale, Options{})
		if err != nil {
			return
		}
		plain, err := Compare(strata[0].Control, strata[0].Treatment, AbsoluteScale, Options{})
		if err != nil || whole.Strata != 1 || whole.Effect != plain {
			t.Fatalf("one stratum: %+v, plain %+v (%v)", whole, plain, err)
		}
	})
}

// A covariate that is the same for everybody, or another that repeats the
// first, changes nothing.
func TestUselessCovariatesDoNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var plain, constant, twice [2]Covariates
		var cuped [2]Adjusted
		for i, label := range []string{"control", "treatment"} {
			for _, u := range drawUnits(t, label) {
				plain[i].Add(u.y, u.x)
				constant[i].Add(u.y, u.x, 3)
				twice[i].Add(u.y, u.x, u.x)
				cuped[i].add(unit{y: u.y, x: 3})
			}
		}
		e, err := Compare(plain[0], plain[1], AbsoluteScale, Options{})
		want := sound(t, e, err)
		got, err := Compare(constant[0], constant[1], AbsoluteScale, Options{})
		if err != nil || !sameEffect(got, want) {
			t.Fatalf("with a constant %+v (%v), without %+v", got, err, want)
		}
		got, err = Compare(twice[0], twice[1], AbsoluteScale, Options{})
		if err != nil || math.Abs(got.Estimate-want.Estimate) > 1e-4*want.StandardError {
			t.Fatalf("with the covariate twice %+v (%v), once %+v", got, err, want)
		}
		none, err := Compare(cuped[0], cuped[1], AbsoluteScale, Options{})
		mean, errMean := Compare(cuped[0].plain(), cuped[1].plain(), AbsoluteScale, Options{})
		if err != nil || errMean != nil || none != mean {
			t.Fatalf("CUPED on a constant %+v (%v), plain %+v (%v)", none, err, mean, errMean)
		}
	})
}

func TestPosteriorProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := Effect{Estimate: rapid.Float64Range(-5, 5).Draw(t, "estimate"), StandardError: rapid.Float64Range(0.01, 3).Draw(t, "error"),
			Baseline: rapid.Float64Range(-9, -1).Draw(t, "baseline"), Relative: rapid.Bool().Draw(t, "relative")}
		prior := Prior{Proper: rapid.Bool().Draw(t, "proper"), Mean: rapid.Float64Range(-1, 1).Draw(t, "prior mean"),
			Variance: rapid.Float64Range(0.01, 4).Draw(t, "prior variance"), Scale: rapid.SampledFrom([]PriorScale{RelativePrior, AbsolutePrior}).Draw(t, "scale")}
		p, err := e.Posterior(prior, BayesOptions{})
		if err != nil {
			t.Fatal(err)
		}
		// What staying loses less what shipping loses is the expected effect.
		if !same(p.RiskControl-p.RiskTreatment, p.Mean) || p.StandardError > e.StandardError*(1+1e-12) || p.RiskControl < 0 || p.RiskTreatment < 0 {
			t.Fatalf("%+v", p)
		}
		inverse, err := e.Posterior(prior, BayesOptions{Inverse: true})
		if err != nil || !same(inverse.ChanceToWin, 1-p.ChanceToWin) || inverse.RiskControl != p.RiskTreatment || inverse.RiskTreatment != p.RiskControl {
			t.Fatalf("inverse %+v (%v), %+v", inverse, err, p)
		}
		// The same belief about the same data on the other scale.
		base := math.Abs(e.Baseline)
		other := e
		if e.Relative {
			other.Estimate, other.StandardError = e.Estimate*base, e.StandardError*base
		} else {
			other.Estimate, other.StandardError = e.Estimate/base, e.StandardError/base
		}
		other.Relative = !e.Relative
		q, err := other.Posterior(prior, BayesOptions{})
		factor := other.StandardError / e.StandardError
		if err != nil || !same(q.Mean, p.Mean*factor) || !same(q.ChanceToWin, p.ChanceToWin) || !same(q.RiskControl, p.RiskControl*factor) {
			t.Fatalf("on the other scale %+v (%v), %+v", q, err, p)
		}
	})
}
