package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Defaults of a plan.
const (
	// DefaultPower is the power that a plan aims at.
	DefaultPower = 0.8
	// DefaultEffect is the relative effect that a plan wants to see.
	DefaultEffect = 0.1
	// MostUnits bounds what a search for a sample size tries; a plan that needs
	// more is refused.
	MostUnits = 1e12
)

// NormalPrior is a normal belief about the relative effect.
type NormalPrior struct {
	Mean              float64
	StandardDeviation float64 // above 0
}

// Plan is an experiment before it starts, judged on one metric: arms of equal
// size, of which one is the control. Formulas are GrowthBook's (its power
// calculator), so that figures agree.
type Plan struct {
	// Mean and Variance of one unit's value without treatment. Relative effects
	// need a Mean other than zero, absolute ones a Mean only for the treated
	// arm of a proportion.
	Mean, Variance float64
	// Effect that the plan wants to see, as a share of |Mean| ("a lift of
	// 0.05"), also where Absolute is set.
	Effect float64
	// Absolute plans for a test of the difference instead of the lift.
	Absolute bool
	Arms     int     // with the control; 0 means 2
	Alpha    float64 // 0 means 0.05
	Power    float64 // to aim at; 0 means DefaultPower
	OneSided bool    // tests in the direction of Effect only; power and size of fixed samples
	// Tuning above zero plans for the always-valid analysis with this N*.
	Tuning float64
	// Prior plans for the Bayesian analysis with this proper prior: powered
	// when its 1−Alpha credible interval leaves zero out. Without a proper prior
	// the Bayesian plan is that of a fixed test.
	Prior *NormalPrior
	// Group plans for a group-sequential analysis whose looks are shares of the
	// units that are asked about. Its Alpha is the plan's.
	Group *GroupDesign
}

// resolve fills in defaults and checks every field.
func (p Plan) resolve() (Plan, error) {
	alpha, err := Options{Alpha: p.Alpha}.alpha()
	if err != nil {
		return p, err
	}
	p.Alpha = alpha
	if p.Arms == 0 {
		p.Arms = 2
	}
	if p.Power == 0 {
		p.Power = DefaultPower
	}
	switch {
	case !finite(p.Mean):
		return p, problem(NotFinite, "mean", "the mean is NaN or infinite")
	case p.Mean == 0:
		return p, problem(ZeroBaseline, "mean", "the mean is zero, so that there is nothing to be relative to")
	case !finite(p.Variance):
		return p, problem(NotFinite, "variance", "the variance is NaN or infinite")
	case p.Variance < 0:
		return p, problem(ImpossibleSums, "variance", "the variance is negative")
	case p.Variance == 0:
		return p, problem(ZeroVariance, "variance", "the variance is zero: nothing needs to be tested")
	case !finite(p.Effect):
		return p, problem(NotFinite, "effect", "the effect is NaN or infinite")
	case p.Arms < 2:
		return p, problem(InvalidOption, "arms", "a plan needs two arms or more, not %d", p.Arms)
	case !(p.Power > 0 && p.Power < 1):
		return p, problem(InvalidOption, "power", "the power must be above 0 and below 1, not %g", p.Power)
	case !finite(p.Tuning) || p.Tuning < 0:
		return p, problem(InvalidOption, "tuning", "the number of units must be finite and 0 or more, not %g", p.Tuning)
	case p.Tuning > 0 && p.Prior != nil:
		return p, problem(InvalidOption, "tuning", "a plan is either always valid or Bayesian")
	case p.Group != nil && (p.Tuning > 0 || p.Prior != nil):
		return p, problem(InvalidOption, "group", "a group-sequential plan is neither always valid nor Bayesian")
	case p.OneSided && (p.Tuning > 0 || p.Prior != nil || p.Group != nil):
		return p, problem(InvalidOption, "oneSided", "one-sided plans are for tests of fixed size")
	case p.Prior != nil && !finite(p.Prior.Mean, p.Prior.StandardDeviation):
		return p, problem(NotFinite, "prior", "mean or standard deviation is NaN or infinite")
	case p.Prior != nil && p.Prior.StandardDeviation <= 0:
		return p, problem(InvalidOption, "prior", "the standard deviation must be above 0, not %g", p.Prior.StandardDeviation)
	}
	if p.Group != nil {
		// The design is checked here, so that later uses cannot fail.
		design := *p.Group
		design.Alpha = p.Alpha
		if _, err := design.Boundaries(); err != nil {
			return p, err
		}
		p.Group = &design
	}
	return p, nil
}

// variance of the estimated effect, with perArm units in either arm and the
// treated arm at Mean·(1+effect).
func (p Plan) variance(effect, perArm float64) float64 {
	if p.Absolute {
		return 2 * p.Variance / perArm
	}
	relative := p.Variance / perArm / (p.Mean * p.Mean)
	return relative * (1 + (1+effect)*(1+effect))
}

// scaled brings a relative figure to the unit of the test.
func (p Plan) scaled(effect float64) float64 {
	if p.Absolute {
		return effect * math.Abs(p.Mean)
	}
	return effect
}

// PowerAt is the chance of seeing the plan's effect with so many units over all
// arms. Two-sided power counts rejections on the wrong side as well, as G*Power
// and GrowthBook do. Always-valid plans follow GrowthBook, which widens the
// standard error instead of the interval and so asks for more units than one
// look at the end needs: see [Plan.PowerWatched] for what such an experiment
// really has.
func (p Plan) PowerAt(units float64) (float64, error) {
	p, err := p.resolve()
	if err != nil {
		return 0, err
	}
	if err := unitsGiven(units); err != nil {
		return 0, err
	}
	return p.power(p.Effect, units), nil
}

func unitsGiven(units float64) error {
	if !finite(units) || units <= 0 {
		return problem(InvalidOption, "units", "the number of units must be finite and above 0, not %g", units)
	}
	return nil
}

func (p Plan) power(effect, units float64) float64 {
	perArm := units / float64(p.Arms)
	v := p.variance(effect, perArm)
	if p.Prior != nil {
		scale := p.scaled(1)
		prior := normalBelief{mean: p.Prior.Mean * scale, variance: p.Prior.StandardDeviation * p.Prior.StandardDeviation * scale * scale}
		return prior.power(p.scaled(effect), v, distuv.UnitNormal.Quantile(1-p.Alpha/2))
	}
	se := math.Sqrt(v)
	if p.OneSided {
		return normalSurvival(distuv.UnitNormal.Quantile(1-p.Alpha) - math.Abs(p.scaled(effect))/se)
	}
	if p.Group != nil {
		power, _ := p.Group.Power(p.scaled(effect) / se) // checked by resolve
		return power
	}
	usual := distuv.UnitNormal.Quantile(1 - p.Alpha/2)
	if p.Tuning > 0 {
		se *= p.critical(2*perArm) / usual
	}
	return twoSidedPower(p.scaled(effect)/se, usual)
}

// critical is the z that the effect over its standard error must exceed, with
// so many units in the two arms that are compared.
func (p Plan) critical(pair float64) float64 {
	if p.Tuning > 0 {
		s := Sequence{Alpha: p.Alpha, Tuning: p.Tuning}
		return s.halfWidth(1, pair, s.rho(), p.Alpha)
	}
	return distuv.UnitNormal.Quantile(1 - p.Alpha/2)
}

func twoSidedPower(noncentrality, critical float64) float64 {
	return normalSurvival(critical-noncentrality) + normalSurvival(critical+noncentrality)
}

// normalBelief is a proper prior in the unit of the test.
type normalBelief struct{ mean, variance float64 }

// power is the chance that the credible interval of z standard deviations leaves
// zero out when the estimate is normal about effect with variance v.
func (b normalBelief) power(effect, v, z float64) float64 {
	reach := v * math.Sqrt(1/v+1/b.variance) * z
	pull := v * b.mean / b.variance
	sd := math.Sqrt(v)
	return normalSurvival((reach-pull-effect)/sd) + normalSurvival((reach+pull+effect)/sd)
}

// MinimumEffect is the smallest relative effect above zero that is seen with the
// plan's power in so many units over all arms; Effect is not used. All but
// Bayesian plans are solved in closed form without the rejections on the
// wrong side; Bayesian plans are searched, up to a lift of five, and rounded up
// to the next 0.00001 (GrowthBook's grid).
//
// TooFewUnits says that no effect of any size reaches the power, which happens
// because the treated arm's share in the error of a lift grows with the lift.
func (p Plan) MinimumEffect(units float64) (float64, error) {
	p, err := p.resolve()
	if err != nil {
		return 0, err
	}
	if err := unitsGiven(units); err != nil {
		return 0, err
	}
	if p.Power <= p.Alpha {
		return 0, problem(InvalidOption, "power", "the power %g must be above the level %g, which no effect at all reaches", p.Power, p.Alpha)
	}
	if p.Prior != nil {
		return p.minimumBayesian(units)
	}
	perArm := units / float64(p.Arms)
	quantile := 1 - p.Alpha/2
	if p.OneSided {
		quantile = 1 - p.Alpha
	}
	usual := distuv.UnitNormal.Quantile(quantile)
	z := usual + distuv.UnitNormal.Quantile(p.Power)
	if p.Group != nil {
		if z, err = p.Group.Drift(p.Power); err != nil {
			return 0, err
		}
	}
	v := p.Variance / perArm
	if p.Tuning > 0 {
		// The sequential error is the usual one times critical/usual.
		inflation := p.critical(2*perArm) / usual
		v *= inflation * inflation
	}
	if p.Absolute {
		return z * math.Sqrt(2*v) / math.Abs(p.Mean), nil
	}
	// δ = z·√(k(1+(1+δ)²)) with k = v/m², solved for δ.
	k := z * z * v / (p.Mean * p.Mean)
	if k >= 1 {
		return 0, problem(TooFewUnits, "units", "no lift is seen with power %g in %g units of %d arms: more units or fewer arms are needed", p.Power, units, p.Arms)
	}
	return (1+math.Sqrt(1-(1-k)*(1-k)))/(1-k) - 1, nil
}

func (p Plan) minimumBayesian(units float64) (float64, error) {
	const grid, largest = 1e-5, 5.0
	if p.power(0, units) >= p.Power {
		return 0, nil
	}
	// Power may fall again beyond its peak, so that the first step of a coarse
	// sweep that reaches it brackets the answer.
	const coarse = 1e-3
	for low := 0.0; low < largest; low += coarse {
		high := low + coarse
		if p.power(high, units) < p.Power {
			continue
		}
		for high-low > grid/1e3 {
			if mid := (low + high) / 2; p.power(mid, units) < p.Power {
				low = mid
			} else {
				high = mid
			}
		}
		return math.Ceil(high/grid-1e-3) * grid, nil
	}
	return 0, problem(TooFewUnits, "units", "no lift up to %g is seen with power %g in %g units of %d arms", largest, p.Power, units, p.Arms)
}

// SampleSize is the number of units over all arms, rounded up to whole units per
// arm, with which the plan's effect is seen with its power. TooFewUnits says
// that no number up to MostUnits is enough.
func (p Plan) SampleSize() (int64, error) {
	p, err := p.resolve()
	if err != nil {
		return 0, err
	}
	if p.Effect == 0 {
		return 0, problem(InvalidOption, "effect", "an effect of zero is never seen")
	}
	if p.Power <= p.Alpha {
		return 0, problem(InvalidOption, "power", "the power %g must be above the level %g", p.Power, p.Alpha)
	}
	arms := float64(p.Arms)
	low, high := 0.0, 1.0 // units per arm
	for p.power(p.Effect, high*arms) < p.Power {
		low, high = high, 2*high
		if high*arms > MostUnits {
			return 0, problem(TooFewUnits, "effect", "an effect of %g is not seen with power %g in any number of units up to %g", p.Effect, p.Power, MostUnits)
		}
	}
	for high-low > 0.5 {
		if mid := (low + high) / 2; p.power(p.Effect, mid*arms) < p.Power {
			low = mid
		} else {
			high = mid
		}
	}
	perArm := math.Ceil(low)
	if perArm == 0 || p.power(p.Effect, perArm*arms) < p.Power {
		perArm = math.Ceil(high)
	}
	return int64(perArm) * int64(p.Arms), nil
}

// PowerWatched is the chance that an always-valid plan sees its effect at one of
// so many evenly spaced looks up to units over all arms, on either side. It is
// computed by the recursive integration of group-sequential designs with the
// sequence's own bounds.
func (p Plan) PowerWatched(units float64, looks int) (float64, error) {
	p, err := p.resolve()
	if err != nil {
		return 0, err
	}
	if err := unitsGiven(units); err != nil {
		return 0, err
	}
	if p.Tuning == 0 {
		return 0, problem(InvalidOption, "tuning", "only always-valid plans are watched")
	}
	if looks < 1 || looks > MaximumLooks {
		return 0, problem(InvalidOption, "looks", "the number of looks must be 1 to %d, not %d", MaximumLooks, looks)
	}
	perArm := units / float64(p.Arms)
	at, z := make([]float64, looks), make([]float64, looks)
	for i := range looks {
		at[i] = float64(i+1) / float64(looks)
		z[i] = p.critical(2 * perArm * at[i])
	}
	crossings, err := CrossingProbabilities(at, z, p.scaled(p.Effect)/math.Sqrt(p.variance(p.Effect, perArm)), true)
	if err != nil {
		return 0, err
	}
	var power float64
	for _, c := range crossings {
		power += c.Upper + c.Lower
	}
	return power, nil
}

// SequenceTuning is the N* that suits a plan: the units of the two compared arms
// with which the always-valid analysis that is tightest right there has the
// plan's power. It is fixed when the experiment starts.
func (p Plan) SequenceTuning() (float64, error) {
	p.Prior, p.Group = nil, nil
	// z at n = N* is the same for every N*, so that one sequence with any tuning
	// shows how much wider it is at its best point than a fixed interval. Units
	// grow with the square of z + z_power.
	r, err := p.resolve()
	if err != nil {
		return 0, err
	}
	z := Plan{Alpha: r.Alpha, Tuning: 1}.critical(1)
	usual, reserve := distuv.UnitNormal.Quantile(1-r.Alpha/2), distuv.UnitNormal.Quantile(r.Power)
	p.Tuning, p.OneSided = 0, false
	p.Variance *= (z + reserve) * (z + reserve) / ((usual + reserve) * (usual + reserve))
	units, err := p.SampleSize()
	if err != nil {
		return 0, err
	}
	return 2 * float64(units) / float64(r.Arms), nil
}
