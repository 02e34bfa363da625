package stats

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/mat"
)

// Stratum holds the sums of both arms within one stratum: units with the same
// value of a property that was known before the experiment.
type Stratum struct {
	Control, Treatment Sample
}

// MaxStrata is how many strata one analysis may have.
const MaxStrata = 10_000

// Stratified is a post-stratified effect.
type Stratified struct {
	Effect
	// Strata is how many strata the effect was computed from, and Merged how
	// many more were too small to stand alone and went into the largest. With
	// one stratum the effect is the plain one.
	Strata, Merged int
}

// PostStratify compares two arms within every stratum and weighs the strata by
// their units in both arms together (Alg. 1 to 4 of GrowthBook's
// post-stratification; the ratio of the weighted sums for a [Ratio]). It takes
// out the part of the variance that lies between strata. [Adjusted],
// [AdjustedRatio] and [Covariates] are regressed on treatment and covariates
// within every stratum. The weights count as random, as do a stratum's pooled
// covariates.
//
// A stratum in which one arm has fewer than two units or no variance is merged
// with the largest stratum. Degrees of freedom are those of the comparison
// without strata.
//
// Problems: those of [Compare] on all units together, KindsDiffer for strata of
// different kinds, and InvalidOption for kinds that do not add up (quantiles)
// and for more than MaxStrata.
func PostStratify(strata []Stratum, s Scale, o Options) (Stratified, error) {
	if len(strata) == 0 {
		return Stratified{}, problem(TooFewUnits, "strata", "there is no stratum")
	}
	if len(strata) > MaxStrata {
		return Stratified{}, problem(InvalidOption, "strata", "%d strata; at most %d are allowed", len(strata), MaxStrata)
	}
	whole := strata[0]
	for _, next := range strata[1:] {
		var err error
		if whole, err = whole.plus(next); err != nil {
			return Stratified{}, err
		}
	}
	plain, err := compare(whole.Control, whole.Treatment, s, o)
	if err != nil {
		return Stratified{}, err
	}
	if !whole.covariatesVary() {
		strata = withoutCovariates(strata)
	}
	cells, err := mergeStrata(strata, o)
	if err != nil {
		return Stratified{}, err
	}
	d, n := plain, len(cells)
	if n > 1 {
		if d, err = stratify(cells, plain, s, o); err != nil {
			// A covariate that cannot be regressed on within a stratum.
			if AsProblem(err) == nil || AsProblem(err).Reason != PrecisionLost {
				return Stratified{}, err
			}
			d, n = plain, 1
		}
	}
	e, err := d.infer(o)
	if err != nil {
		return Stratified{}, err
	}
	return Stratified{Effect: e, Strata: n, Merged: len(strata) - n}, nil
}

// plus puts two strata together. Proportions become means: the sum of strata is
// a sample of values 0 and 1 like any other.
func (s Stratum) plus(other Stratum) (Stratum, error) {
	control, err := plus(s.Control, other.Control)
	if err != nil {
		return Stratum{}, about(err, "control")
	}
	treatment, err := plus(s.Treatment, other.Treatment)
	if err != nil {
		return Stratum{}, about(err, "treatment")
	}
	return Stratum{control, treatment}, nil
}

func plus(a, b Sample) (Sample, error) {
	switch x := a.(type) {
	case Adjusted:
		if y, ok := b.(Adjusted); ok {
			sum := x.Plus(y)
			sum.SumSquares, sum.CovariateSquares, sum.Binary = squares(x.SumSquares, x.Sum, x.Binary)+squares(y.SumSquares, y.Sum, y.Binary),
				squares(x.CovariateSquares, x.CovariateSum, x.Binary)+squares(y.CovariateSquares, y.CovariateSum, y.Binary), false
			return sum, nil
		}
	case AdjustedRatio:
		if y, ok := b.(AdjustedRatio); ok {
			return x.spread().Plus(y.spread()), nil
		}
	case Ratio:
		if y, ok := b.(Ratio); ok {
			return x.spread().Plus(y.spread()), nil
		}
	case Covariates:
		if y, ok := b.(Covariates); ok {
			return x.Plus(y)
		}
	default:
		x1, ok1 := asMean(a)
		y1, ok2 := asMean(b)
		if ok1 && ok2 {
			return x1.Plus(y1), nil
		}
		if !ok1 {
			return nil, problem(InvalidOption, "strata", "samples of kind %T do not add up", a)
		}
	}
	return nil, kindsDiffer(a, b)
}

func asMean(s Sample) (Mean, bool) {
	switch x := s.(type) {
	case Mean:
		return x, true
	case Proportion:
		return x.Mean(), true
	case bernoulli:
		return Mean{N: x.n, Sum: x.successes, SumSquares: x.successes}, true
	}
	return Mean{}, false
}

// spread gives the ratio as values that are not known to be 0 or 1.
func (r Ratio) spread() Ratio {
	r.NumeratorSquares = squares(r.NumeratorSquares, r.Numerator, r.BinaryNumerator)
	r.DenominatorSquares = squares(r.DenominatorSquares, r.Denominator, r.BinaryDenominator)
	r.BinaryNumerator, r.BinaryDenominator = false, false
	return r
}

func (a AdjustedRatio) spread() AdjustedRatio {
	a.NumeratorSquares = squares(a.NumeratorSquares, a.Numerator, a.BinaryNumerator)
	a.DenominatorSquares = squares(a.DenominatorSquares, a.Denominator, a.BinaryDenominator)
	a.PreNumeratorSquares = squares(a.PreNumeratorSquares, a.PreNumerator, a.BinaryNumerator)
	a.PreDenominatorSquares = squares(a.PreDenominatorSquares, a.PreDenominator, a.BinaryDenominator)
	a.BinaryNumerator, a.BinaryDenominator = false, false
	return a
}

// covariatesVary is false where a covariate is the same for all units of an arm.
func (s Stratum) covariatesVary() bool {
	a, b, outcomes, err := s.joints()
	return err == nil && covariatesVary(a, outcomes) && covariatesVary(b, outcomes)
}

// withoutCovariates gives the metric alone where the covariates say nothing.
func withoutCovariates(strata []Stratum) []Stratum {
	plain := func(s Sample) Sample {
		switch x := s.(type) {
		case Adjusted:
			return x.plain()
		case AdjustedRatio:
			return x.plain()
		case Covariates:
			return x.plain()
		}
		return s
	}
	out := make([]Stratum, len(strata))
	for i, s := range strata {
		out[i] = Stratum{plain(s.Control), plain(s.Treatment)}
	}
	return out
}

// mergeStrata puts the strata that cannot stand alone into the largest.
func mergeStrata(strata []Stratum, o Options) ([]Stratum, error) {
	sorted := make([]Stratum, len(strata))
	copy(sorted, strata)
	sort.SliceStable(sorted, func(i, k int) bool { return sorted[i].units() > sorted[k].units() })
	cells := sorted[:1:1]
	for _, next := range sorted[1:] {
		if next.viable(o) {
			cells = append(cells, next)
			continue
		}
		sum, err := cells[0].plus(next)
		if err != nil {
			return nil, err
		}
		cells[0] = sum
	}
	if len(cells) > 1 && !cells[0].viable(o) {
		// The largest, having taken in what it could, still cannot.
		sum, err := cells[0].plus(cells[1])
		if err != nil {
			return nil, err
		}
		return append([]Stratum{sum}, cells[2:]...), nil
	}
	return cells, nil
}

func (s Stratum) units() int64 { return unitsOf(s.Control) + unitsOf(s.Treatment) }

func unitsOf(s Sample) int64 {
	switch x := s.(type) {
	case Mean:
		return x.N
	case Proportion:
		return x.N
	case bernoulli:
		return x.n
	case Ratio:
		return x.N
	case Adjusted:
		return x.N
	case AdjustedRatio:
		return x.N
	case Covariates:
		return x.N
	}
	return 0
}

func (s Stratum) viable(o Options) bool {
	for _, arm := range []Sample{s.Control, s.Treatment} {
		if a, ok := arm.(AdjustedRatio); ok {
			arm = a.plain()
		}
		e, err := estimateOf(arm, o)
		if err != nil || testableArm(e, "") != nil {
			return false
		}
	}
	return s.units() > int64(s.regressionLoss())
}

// regressionLoss is the number of degrees of freedom that the regression within
// a stratum uses up: GrowthBook's 3 for a mean with one covariate, one more for
// every further one, and 6 for a ratio.
func (s Stratum) regressionLoss() int {
	switch x := s.Control.(type) {
	case Adjusted:
		return 3
	case AdjustedRatio:
		return 6
	case Covariates:
		return 2 + len(x.CovariateSums)
	}
	return 0
}

// stratify weighs the strata's moments, α̂ = Σνα, with covariance
// α(diag ν − νν′)α′/n + Σν²·Cov(α̂_k).
func stratify(cells []Stratum, plain difference, s Scale, o Options) (difference, error) {
	moments := make([]stratumMoments, len(cells))
	var n float64
	for i, cell := range cells {
		m, err := cell.moments()
		if err != nil {
			return difference{}, err
		}
		moments[i] = m
		n += m.units
	}
	size := len(moments[0].alpha)
	alpha := make([]float64, size)
	covariance := mat.NewSymDense(size, nil)
	for _, m := range moments {
		if len(m.alpha) != size {
			return difference{}, problem(KindsDiffer, "strata", "the strata are not of one kind")
		}
		for i := range alpha {
			alpha[i] += m.units / n * m.alpha[i]
		}
	}
	for _, m := range moments {
		nu := m.units / n
		for i := range alpha {
			for k := i; k < size; k++ {
				// Σν(α_k−ᾱ)(α_k−ᾱ)′ is α(diag ν − νν′)α′ without its cancellation.
				between := nu * (m.alpha[i] - alpha[i]) * (m.alpha[k] - alpha[k]) / n
				covariance.SetSym(i, k, covariance.At(i, k)+between+nu*nu*m.covariance.At(i, k))
			}
		}
	}
	d := plain
	gradient := make([]float64, size)
	base := 1.0
	if size == 2 {
		d.estimate = alpha[1]
		gradient[1] = 1
		if s == RelativeScale {
			if alpha[0] == 0 {
				return difference{}, zeroBaseline()
			}
			base = math.Abs(alpha[0])
			gradient[0] = -alpha[1] / alpha[0]
		}
	} else {
		dA, dB := alpha[2], alpha[2]+alpha[3]
		if !o.Unchecked && (dA <= 0 || dB <= 0) || dA == 0 || dB == 0 {
			return difference{}, problem(DenominatorNotPositive, "strata", "the weighted denominators are %g and %g; a ratio needs more than zero", dA, dB)
		}
		rA, rB := alpha[0]/dA, (alpha[0]+alpha[1])/dB
		d.estimate = rB - rA
		weight := 1.0
		if s == RelativeScale {
			if rA == 0 {
				return difference{}, zeroBaseline()
			}
			base = math.Abs(rA)
			weight = rB / rA
		}
		gradient[0], gradient[1] = 1/dB-weight/dA, 1/dB
		gradient[2], gradient[3] = -rB/dB+weight*rA/dA, -rB/dB
	}
	v := mat.NewVecDense(size, gradient)
	d.estimate /= base
	d.variance = mat.Inner(v, covariance, v) / base / base
	if !finite(d.variance) {
		return difference{}, problem(NotFinite, "strata", "the effect is outside the range of floating point")
	}
	if d.variance <= 0 {
		return difference{}, problem(ZeroVariance, "strata", "nothing varies within the strata")
	}
	return d, nil
}
