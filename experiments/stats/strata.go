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

// stratumMoments holds for one stratum the estimates (control's mean, effect)
// of one value, or of numerator and denominator one after the other, and their
// covariance.
type stratumMoments struct {
	units      float64
	alpha      []float64
	covariance *mat.SymDense
}

// outcomes is how many of the joint sums' values are the metric; the others are
// covariates.
func (s Stratum) joints() (a, b joint, outcomes int, err error) {
	switch x := s.Control.(type) {
	case Adjusted:
		if y, ok := s.Treatment.(Adjusted); ok {
			return x.joint(), y.joint(), 1, nil
		}
	case AdjustedRatio:
		if y, ok := s.Treatment.(AdjustedRatio); ok {
			return x.joint(), y.joint(), 2, nil
		}
	case Ratio:
		if y, ok := s.Treatment.(Ratio); ok {
			return x.joint(), y.joint(), 2, nil
		}
	case Covariates:
		if y, ok := s.Treatment.(Covariates); ok {
			return x.joint(), y.joint(), 1, nil
		}
	default:
		x1, ok1 := jointOfMean(s.Control)
		y1, ok2 := jointOfMean(s.Treatment)
		if ok1 && ok2 {
			return x1, y1, 1, nil
		}
	}
	return joint{}, joint{}, 0, kindsDiffer(s.Control, s.Treatment)
}

func jointOfMean(s Sample) (joint, bool) {
	m, ok := asMean(s)
	if !ok {
		return joint{}, false
	}
	_, isMean := s.(Mean)
	// Sums about a shift are those of y − shift; the mean is put back by level.
	return joint{n: m.N, names: []string{"metric"}, sums: []float64{m.Sum}, products: []float64{m.SumSquares}, binary: []bool{!isMean}}, true
}

// level is the shift of a mean's sums.
func level(s Sample) float64 {
	if m, ok := s.(Mean); ok {
		return m.Shift
	}
	return 0
}

func (s Stratum) moments() (stratumMoments, error) {
	a, b, outcomes, err := s.joints()
	if err != nil {
		return stratumMoments{}, err
	}
	covariates := len(a.sums) - outcomes
	if covariates > 0 && covariatesVary(a, outcomes) && covariatesVary(b, outcomes) {
		return regressed(a, b, outcomes, s.regressionLoss())
	}
	m := stratumMoments{units: float64(a.n + b.n), alpha: make([]float64, 2*outcomes), covariance: mat.NewSymDense(2*outcomes, nil)}
	if covariates > 0 {
		a.binary, b.binary = nil, nil
	}
	nA, nB := float64(a.n), float64(b.n)
	for i := range outcomes {
		m.alpha[2*i] = a.mean(i) + level(s.Control)
		m.alpha[2*i+1] = b.mean(i) + level(s.Treatment) - m.alpha[2*i]
		for k := i; k < outcomes; k++ {
			va, vb := a.covariance(i, k)/nA, b.covariance(i, k)/nB
			m.covariance.SetSym(2*i, 2*k, va)
			m.covariance.SetSym(2*i, 2*k+1, -va)
			m.covariance.SetSym(2*i+1, 2*k, -va)
			m.covariance.SetSym(2*i+1, 2*k+1, va+vb)
		}
	}
	return m, nil
}

func covariatesVary(j joint, outcomes int) bool {
	for x := outcomes; x < len(j.sums); x++ {
		if v, err := resolved(j.centred(x, x), j.at(x, x), ""); err != nil || v <= 0 {
			return false
		}
	}
	return true
}

// regressed is ordinary least squares of every outcome on (1, treatment, x)
// within a stratum, at the stratum's mean of x, whose own error counts.
func regressed(a, b joint, outcomes, loss int) (stratumMoments, error) {
	p := len(a.sums) - outcomes
	nA, nB := float64(a.n), float64(b.n)
	n := nA + nB
	// Within-arm sums of squares and products of everything.
	within := func(i, k int) float64 { return a.centred(i, k) + b.centred(i, k) }
	pooled := a.plus(b)
	xx := mat.NewSymDense(p, nil)
	difference := mat.NewVecDense(p, nil) // x̄_B − x̄_A
	offset := mat.NewVecDense(p, nil)     // x̄ − x̄_A
	for i := range p {
		d := b.mean(outcomes+i) - a.mean(outcomes+i)
		difference.SetVec(i, d)
		offset.SetVec(i, d*nB/n)
		for k := i; k < p; k++ {
			xx.SetSym(i, k, within(outcomes+i, outcomes+k))
		}
	}
	var factor mat.Cholesky
	if !factor.Factorize(xx) {
		return stratumMoments{}, problem(PrecisionLost, "strata", "the covariates say the same thing within rounding")
	}
	var inverse mat.SymDense
	if err := factor.InverseTo(&inverse); err != nil {
		return stratumMoments{}, problem(PrecisionLost, "strata", "the covariates say the same thing within rounding")
	}
	slopes := make([]*mat.VecDense, outcomes)
	products := make([]*mat.VecDense, outcomes)
	for o := range outcomes {
		products[o] = mat.NewVecDense(p, nil)
		for i := range p {
			products[o].SetVec(i, within(o, outcomes+i))
		}
		slopes[o] = mat.NewVecDense(p, nil)
		slopes[o].MulVec(&inverse, products[o])
	}
	// The quadratic forms in (x′x)⁻¹ of the control's mean at x̄ and the effect.
	controlControl := 1/nA + mat.Inner(offset, &inverse, offset)
	controlEffect := -1/nA - mat.Inner(offset, &inverse, difference)
	effectEffect := 1/nA + 1/nB + mat.Inner(difference, &inverse, difference)
	// Var(x̄) and what it does to the control's mean at x̄.
	var spread float64 // tr((x′x)⁻¹·Var x̄)
	varX := mat.NewSymDense(p, nil)
	for i := range p {
		for k := i; k < p; k++ {
			varX.SetSym(i, k, pooled.centred(outcomes+i, outcomes+k)/(n-1)/n)
		}
	}
	for i := range p {
		for k := range p {
			spread += inverse.At(i, k) * varX.At(i, k)
		}
	}
	m := stratumMoments{units: n, alpha: make([]float64, 2*outcomes), covariance: mat.NewSymDense(2*outcomes, nil)}
	for o := range outcomes {
		m.alpha[2*o] = a.mean(o) + mat.Dot(slopes[o], offset)
		m.alpha[2*o+1] = b.mean(o) - a.mean(o) - mat.Dot(slopes[o], difference)
		for q := o; q < outcomes; q++ {
			sigma := (within(o, q) - mat.Dot(slopes[o], products[q])) / (n - float64(loss))
			m.covariance.SetSym(2*o, 2*q, sigma*(controlControl+spread)+mat.Inner(slopes[o], varX, slopes[q]))
			m.covariance.SetSym(2*o, 2*q+1, sigma*controlEffect)
			m.covariance.SetSym(2*o+1, 2*q, sigma*controlEffect)
			m.covariance.SetSym(2*o+1, 2*q+1, sigma*effectEffect)
		}
	}
	return m, nil
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
