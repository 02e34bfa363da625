package stats

import "math"

// Adjusted holds the sums of a metric together with one covariate known before
// the experiment (usually the same metric in the weeks before), for the
// variance reduction of Deng, Xu, Kohavi and Walker (WSDM 2013), CUPED. Sums
// add over groups of units: see Plus.
//
// Its Estimate is the plain, unadjusted one, which is what a report shows; the
// covariate enters where two arms are compared, by [Compare].
type Adjusted struct {
	N                int64   // units
	Sum              float64 // Σy
	SumSquares       float64 // Σy²
	CovariateSum     float64 // Σx
	CovariateSquares float64 // Σx²
	Products         float64 // Σxy
	// Binary: y and x are 0 or 1 in every unit, so that p(1−p) is their
	// variance; the squares are then not read.
	Binary bool
}

// Plus adds the units of other.
func (a Adjusted) Plus(other Adjusted) Adjusted {
	return Adjusted{
		N: a.N + other.N, Sum: a.Sum + other.Sum, SumSquares: squares(a.SumSquares, a.Sum, a.Binary) + squares(other.SumSquares, other.Sum, other.Binary),
		CovariateSum: a.CovariateSum + other.CovariateSum, CovariateSquares: squares(a.CovariateSquares, a.CovariateSum, a.Binary) + squares(other.CovariateSquares, other.CovariateSum, other.Binary),
		Products: a.Products + other.Products, Binary: a.Binary && other.Binary,
	}
}

// squares is Σv², which is Σv where every value is 0 or 1.
func squares(sumSquares, sum float64, binary bool) float64 {
	if binary {
		return sum
	}
	return sumSquares
}

// Estimate gives the unadjusted mean of y.
func (a Adjusted) Estimate() (Estimate, error) { return a.plain().Estimate() }

func (a Adjusted) plain() Sample {
	if a.Binary {
		return bernoulli{a.N, a.Sum}
	}
	return Mean{N: a.N, Sum: a.Sum, SumSquares: a.SumSquares}
}

func (a Adjusted) joint() joint {
	return joint{
		n: a.N, names: []string{"metric", "covariate"},
		sums:     []float64{a.Sum, a.CovariateSum},
		products: []float64{squares(a.SumSquares, a.Sum, a.Binary), a.Products, squares(a.CovariateSquares, a.CovariateSum, a.Binary)},
		binary:   []bool{a.Binary, a.Binary},
	}
}

// AdjustedRatio holds the sums of a ratio metric together with the same ratio
// before the experiment, for CUPED of a ratio: the covariate is the linearised
// ratio of the time before. Sums add over groups of units: see Plus.
type AdjustedRatio struct {
	N int64 // units
	// Σm, Σd, Σm², Σd², Σmd of the experiment.
	Numerator, Denominator, NumeratorSquares, DenominatorSquares, Products float64
	// The same five sums of the time before.
	PreNumerator, PreDenominator, PreNumeratorSquares, PreDenominatorSquares, PreProducts float64
	// Products of the experiment's values with those of before: Σm·m′, Σm·d′,
	// Σd·m′, Σd·d′.
	NumeratorPreNumerator, NumeratorPreDenominator, DenominatorPreNumerator, DenominatorPreDenominator float64
	// The numerators (of now and before) or the denominators are 0 or 1 in
	// every unit.
	BinaryNumerator, BinaryDenominator bool
}

// Plus adds the units of other.
func (a AdjustedRatio) Plus(other AdjustedRatio) AdjustedRatio {
	return AdjustedRatio{
		N:         a.N + other.N,
		Numerator: a.Numerator + other.Numerator, Denominator: a.Denominator + other.Denominator,
		NumeratorSquares: a.NumeratorSquares + other.NumeratorSquares, DenominatorSquares: a.DenominatorSquares + other.DenominatorSquares,
		Products:     a.Products + other.Products,
		PreNumerator: a.PreNumerator + other.PreNumerator, PreDenominator: a.PreDenominator + other.PreDenominator,
		PreNumeratorSquares: a.PreNumeratorSquares + other.PreNumeratorSquares, PreDenominatorSquares: a.PreDenominatorSquares + other.PreDenominatorSquares,
		PreProducts:               a.PreProducts + other.PreProducts,
		NumeratorPreNumerator:     a.NumeratorPreNumerator + other.NumeratorPreNumerator,
		NumeratorPreDenominator:   a.NumeratorPreDenominator + other.NumeratorPreDenominator,
		DenominatorPreNumerator:   a.DenominatorPreNumerator + other.DenominatorPreNumerator,
		DenominatorPreDenominator: a.DenominatorPreDenominator + other.DenominatorPreDenominator,
		BinaryNumerator:           a.BinaryNumerator && other.BinaryNumerator,
		BinaryDenominator:         a.BinaryDenominator && other.BinaryDenominator,
	}
}

// Estimate gives the unadjusted ratio.
func (a AdjustedRatio) Estimate() (Estimate, error) { return a.plain().Estimate() }

func (a AdjustedRatio) plain() Ratio {
	return Ratio{
		N: a.N, Numerator: a.Numerator, Denominator: a.Denominator, NumeratorSquares: a.NumeratorSquares,
		DenominatorSquares: a.DenominatorSquares, Products: a.Products,
		BinaryNumerator: a.BinaryNumerator, BinaryDenominator: a.BinaryDenominator,
	}
}

// The values of an AdjustedRatio in its joint sums.
const (
	postNumerator = iota
	postDenominator
	preNumerator
	preDenominator
)

func (a AdjustedRatio) joint() joint {
	return joint{
		n: a.N, names: []string{"numerator", "denominator", "numerator before", "denominator before"},
		sums: []float64{a.Numerator, a.Denominator, a.PreNumerator, a.PreDenominator},
		products: []float64{
			squares(a.NumeratorSquares, a.Numerator, a.BinaryNumerator), a.Products, a.NumeratorPreNumerator, a.NumeratorPreDenominator,
			squares(a.DenominatorSquares, a.Denominator, a.BinaryDenominator), a.DenominatorPreNumerator, a.DenominatorPreDenominator,
			squares(a.PreNumeratorSquares, a.PreNumerator, a.BinaryNumerator), a.PreProducts,
			squares(a.PreDenominatorSquares, a.PreDenominator, a.BinaryDenominator),
		},
		binary: []bool{a.BinaryNumerator, a.BinaryDenominator, a.BinaryNumerator, a.BinaryDenominator},
	}
}

// adjustable refuses an arm that could not be compared without its covariates
// either: what an adjustment makes of a metric that does not vary is not its
// error.
func adjustable(plain Sample, j joint, name string, o Options) error {
	if r, ok := plain.(Ratio); ok {
		if err := r.usable(); err != nil {
			return about(err, name)
		}
	}
	if err := j.check(o.Unchecked); err != nil {
		return about(err, name)
	}
	if o.Unchecked {
		return nil
	}
	e, err := plain.Estimate()
	if err != nil {
		return about(err, name)
	}
	return testableArm(e, name)
}

// compareAdjusted is CUPED with θ = cov(y, x)/var(x) over both arms together.
func compareAdjusted(control, treatment Adjusted, s Scale, o Options) (difference, error) {
	a, b := control.joint(), treatment.joint()
	if err := adjustable(control.plain(), a, "control", o); err != nil {
		return difference{}, err
	}
	if err := adjustable(treatment.plain(), b, "treatment", o); err != nil {
		return difference{}, err
	}
	theta, err := pooledTheta(a.plus(b))
	if err != nil {
		return difference{}, err
	}
	if theta == 0 {
		return compareEstimates(control.plain(), treatment.plain(), s, o)
	}
	return adjustedContrast(a, b, []float64{theta}).difference(s)
}

// pooledTheta is zero where the covariate cannot reduce variance: it or the
// metric has no spread.
func pooledTheta(pooled joint) (float64, error) {
	yy, err := resolved(pooled.centred(0, 0), pooled.at(0, 0), "metric")
	if err != nil && AsProblem(err).Reason == ImpossibleSums {
		return 0, err
	}
	xx, err := resolved(pooled.centred(1, 1), pooled.at(1, 1), "covariate")
	if err != nil && AsProblem(err).Reason == ImpossibleSums {
		return 0, err
	}
	if xx <= 0 || yy <= 0 {
		return 0, nil
	}
	return pooled.centred(0, 1) / xx, nil
}

// adjustedContrast compares ȳ − θ′x̄ of two arms whose first value is y and
// whose others are the covariates. The relative effect is that of Deng et al.
// over the unadjusted control mean, whose own error enters by Ȳ_B/Ȳ_A.
func adjustedContrast(a, b joint, theta []float64) contrast {
	adjust := make([]float64, len(theta)+1)
	relativeControl := make([]float64, len(theta)+1)
	adjust[0] = 1
	estimate := b.mean(0) - a.mean(0)
	for i, t := range theta {
		adjust[i+1], relativeControl[i+1] = -t, -t
		estimate -= t * (b.mean(i+1) - a.mean(i+1))
	}
	relativeControl[0] = b.mean(0) / a.mean(0)
	return contrast{
		control: a, treatment: b, adjustControl: adjust, adjustTreatment: adjust,
		relativeControl: relativeControl, estimate: estimate, baseline: a.mean(0),
	}
}

// compareAdjustedRatio is CUPED of a ratio: both the metric and the covariate
// are linearised by the delta method, and θ is the slope between them, the
// variances and covariances of the arms added.
func compareAdjustedRatio(control, treatment AdjustedRatio, s Scale, o Options) (difference, error) {
	arms := []AdjustedRatio{control, treatment}
	joints := []joint{control.joint(), treatment.joint()}
	var covariance, variance, own float64
	usable := true
	for i, name := range []string{"control", "treatment"} {
		a, j := arms[i], joints[i]
		if err := adjustable(a.plain(), j, name, o); err != nil {
			return difference{}, err
		}
		if a.PreDenominator == 0 || a.PreDenominator < 0 && !o.Unchecked {
			usable = false
			continue
		}
		g, h := ratioGradient(j, postNumerator, postDenominator), ratioGradient(j, preNumerator, preDenominator)
		for p := range 2 {
			for q := range 2 {
				covariance += g[p] * h[q] * j.covariance(p, 2+q)
				variance += h[p] * h[q] * j.covariance(2+p, 2+q)
				own += g[p] * g[q] * j.covariance(p, q)
			}
		}
	}
	// Below 1e-8 of the metric's own spread the covariate changes nothing.
	if !usable || variance <= 0 || math.Abs(covariance) < 1e-8*math.Sqrt(math.Max(0, own)*variance) {
		return compareEstimates(control.plain(), treatment.plain(), s, o)
	}
	return ratioContrast(joints[0], joints[1], covariance/variance).difference(s)
}

// ratioGradient is the gradient of m̄/d̄.
func ratioGradient(j joint, m, d int) [2]float64 {
	return [2]float64{1 / j.mean(d), -j.mean(m) / j.mean(d) / j.mean(d)}
}

func ratioContrast(a, b joint, theta float64) contrast {
	c := contrast{control: a, treatment: b}
	var adjusted, plain [2]float64
	for i, j := range []joint{a, b} {
		g, h := ratioGradient(j, postNumerator, postDenominator), ratioGradient(j, preNumerator, preDenominator)
		adjust := []float64{g[0], g[1], -theta * h[0], -theta * h[1]}
		plain[i] = j.mean(postNumerator) / j.mean(postDenominator)
		adjusted[i] = plain[i] - theta*j.mean(preNumerator)/j.mean(preDenominator)
		if i == 0 {
			c.adjustControl = adjust
		} else {
			c.adjustTreatment = adjust
		}
	}
	c.estimate, c.baseline = adjusted[1]-adjusted[0], plain[0]
	// ∂(Δ/|R|) = (∂Δ − Δ·∂R/R)/|R|: the control's ratio moves both.
	k := 1 + c.estimate/plain[0]
	c.relativeControl = []float64{k * c.adjustControl[0], k * c.adjustControl[1], c.adjustControl[2], c.adjustControl[3]}
	return c
}
