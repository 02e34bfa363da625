package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// PriorScale is the unit of a [Prior].
type PriorScale int

const (
	// RelativePrior is one on the lift as a share of the control's mean. For an
	// effect in the metric's unit mean and standard deviation are multiplied by
	// the absolute value of the control's mean.
	RelativePrior PriorScale = iota
	// AbsolutePrior is one on the difference in the metric's unit. For a relative
	// effect it is divided by the absolute value of the control's mean.
	AbsolutePrior
	// PriorAsGiven is taken as it is, whatever the effect's scale. It is what
	// GrowthBook's statistics do with an absolute prior on a relative effect;
	// it exists to compare with them.
	PriorAsGiven
)

// Prior is a normal belief about an effect before the data. The zero value is
// the flat (improper) prior.
type Prior struct {
	Proper   bool    // false: flat, the other fields are not read
	Mean     float64 // in the unit of Scale
	Variance float64 // above zero
	Scale    PriorScale
}

// BayesOptions of a posterior. The zero value gives a 95 % credible interval of
// a metric of which more is better.
type BayesOptions struct {
	Alpha   float64 // 0.05 gives 95 %; 0 means 0.05
	Inverse bool    // less is better
}

// Posterior is the belief about an effect after the data: normal, by conjugacy
// of a normal prior and a normal likelihood of the estimate.
type Posterior struct {
	Mean, StandardError float64
	Lower, Upper        float64 // credible interval of probability 1−Alpha
	// ChanceToWin is the probability that treatment is better than control.
	ChanceToWin float64
	// RiskControl and RiskTreatment are what one expects to lose, in the
	// effect's unit and averaged over the whole posterior, by staying with
	// control or by shipping the treatment.
	RiskControl, RiskTreatment float64
}

// Posterior updates the prior with this effect. The effect should be two-sided;
// its own interval is not read.
//
// Problems: InvalidOption, ZeroBaseline where the prior has to be scaled by a
// mean of zero, and NotFinite.
func (e Effect) Posterior(prior Prior, o BayesOptions) (Posterior, error) {
	alpha, err := Options{Alpha: o.Alpha}.alpha()
	if err != nil {
		return Posterior{}, err
	}
	if !finite(e.Estimate, e.StandardError) || e.StandardError <= 0 {
		return Posterior{}, problem(NotFinite, "effect", "the estimate is not finite or has no standard error")
	}
	mean, deviation := e.Estimate, e.StandardError
	if prior.Proper {
		m0, s0, err := prior.on(e)
		if err != nil {
			return Posterior{}, err
		}
		// Weights rather than precisions: neither over- nor underflows.
		data := deviation * deviation
		belief := s0 * s0
		mean = e.Estimate*(belief/(data+belief)) + m0*(data/(data+belief))
		deviation *= s0 / math.Hypot(deviation, s0)
	}
	z := distuv.UnitNormal.Quantile(1 - alpha/2)
	p := Posterior{
		Mean: mean, StandardError: deviation,
		Lower: mean - z*deviation, Upper: mean + z*deviation,
		ChanceToWin: normalSurvival(-mean / deviation),
		RiskControl: deviation * expectedExcess(mean/deviation), RiskTreatment: deviation * expectedExcess(-mean/deviation),
	}
	if o.Inverse {
		p.ChanceToWin = normalSurvival(mean / deviation)
		p.RiskControl, p.RiskTreatment = p.RiskTreatment, p.RiskControl
	}
	if !finite(p.Mean, p.StandardError, p.Lower, p.Upper, p.RiskControl, p.RiskTreatment) || p.StandardError == 0 {
		return Posterior{}, problem(NotFinite, "", "the posterior is outside the range of floating point")
	}
	return p, nil
}

// on gives mean and standard deviation of the prior in the effect's unit.
func (p Prior) on(e Effect) (mean, deviation float64, err error) {
	if !finite(p.Mean, p.Variance) || p.Variance <= 0 {
		return 0, 0, problem(InvalidOption, "prior", "a proper prior needs a finite mean and a variance above zero, not %g and %g", p.Mean, p.Variance)
	}
	mean, deviation = p.Mean, math.Sqrt(p.Variance)
	scaled := p.Scale == RelativePrior && !e.Relative || p.Scale == AbsolutePrior && e.Relative
	switch {
	case p.Scale != RelativePrior && p.Scale != AbsolutePrior && p.Scale != PriorAsGiven:
		return 0, 0, problem(InvalidOption, "prior.scale", "unknown scale %d", p.Scale)
	case !scaled:
		return mean, deviation, nil
	case e.Baseline == 0:
		return 0, 0, zeroBaseline()
	case p.Scale == RelativePrior:
		return mean * math.Abs(e.Baseline), deviation * math.Abs(e.Baseline), nil
	}
	return mean / math.Abs(e.Baseline), deviation / math.Abs(e.Baseline), nil
}

// expectedExcess is E[max(0, Z+z)] for a standard normal Z: φ(z) + zΦ(z).
func expectedExcess(z float64) float64 {
	density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	if z > -4 {
		return density + z*normalSurvival(-z)
	}
	// The two terms cancel in the tail. With x = −z, φ(x) − xQ(x) where
	// xQ(x)/φ(x) = x/(x + 1/(x + 2/(x + 3/…))) (Laplace).
	x, tail := -z, -z
	for k := 60; k >= 2; k-- {
		tail = x + float64(k)/tail
	}
	// 1 − x/(x + 1/t) = 1/(xt + 1)
	return density / (x*tail + 1)
}
