package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Size asks for the sample size of a fixed test of an absolute difference, with
// arms of any shares.
type Size struct {
	Difference float64 // absolute effect to be seen, other than 0
	// Variance of a unit's value in each arm. For a proportion p it is p(1−p),
	// in the treated arm with p+Difference.
	ControlVariance, TreatmentVariance float64
	// Shares of all units in each of the two arms; both zero means one half each.
	ControlShare, TreatmentShare float64
	Alpha                        float64 // 0 means 0.05
	Power                        float64 // 0 means DefaultPower
	OneSided                     bool
}

// ProportionSize is the Size for a rate that moves from baseline by difference.
func ProportionSize(baseline, difference float64) (Size, error) {
	moved := baseline + difference
	switch {
	case !(baseline > 0 && baseline < 1):
		return Size{}, problem(InvalidOption, "baseline", "the rate must be above 0 and below 1, not %g", baseline)
	case !(moved > 0 && moved < 1):
		return Size{}, problem(InvalidOption, "difference", "the treated rate would be %g", moved)
	}
	return Size{Difference: difference, ControlVariance: baseline * (1 - baseline), TreatmentVariance: moved * (1 - moved)}, nil
}

// Units is the number of units over all arms: (z_{1−α/2}+z_{power})²·(s_A²/w_A +
// s_B²/w_B)/δ², rounded up. With halves and equal variances that is
// 4(z_{α/2}+z_β)²σ²/δ². It leaves out the rejections on the wrong side and the
// t distribution: 39,904 where G*Power has 39,906.
func (s Size) Units() (int64, error) {
	alpha, err := Options{Alpha: s.Alpha}.alpha()
	if err != nil {
		return 0, err
	}
	if s.Power == 0 {
		s.Power = DefaultPower
	}
	if s.ControlShare == 0 && s.TreatmentShare == 0 {
		s.ControlShare, s.TreatmentShare = 0.5, 0.5
	}
	switch {
	case !finite(s.Difference) || s.Difference == 0:
		return 0, problem(InvalidOption, "difference", "the difference must be finite and other than 0, not %g", s.Difference)
	case !finite(s.ControlVariance) || s.ControlVariance <= 0:
		return 0, problem(InvalidOption, "controlVariance", "the variance must be finite and above 0, not %g", s.ControlVariance)
	case !finite(s.TreatmentVariance) || s.TreatmentVariance <= 0:
		return 0, problem(InvalidOption, "treatmentVariance", "the variance must be finite and above 0, not %g", s.TreatmentVariance)
	case !(s.ControlShare > 0 && s.TreatmentShare > 0) || s.ControlShare+s.TreatmentShare > 1+WeightTolerance:
		return 0, problem(InvalidOption, "shares", "both shares must be above 0 and sum to 1 at most, not %g and %g", s.ControlShare, s.TreatmentShare)
	case !(s.Power > 0 && s.Power < 1):
		return 0, problem(InvalidOption, "power", "the power must be above 0 and below 1, not %g", s.Power)
	case s.Power <= alpha:
		return 0, problem(InvalidOption, "power", "the power %g must be above the level %g", s.Power, alpha)
	}
	tail := alpha / 2
	if s.OneSided {
		tail = alpha
	}
	z := distuv.UnitNormal.Quantile(1-tail) + distuv.UnitNormal.Quantile(s.Power)
	units := z * z * (s.ControlVariance/s.ControlShare + s.TreatmentVariance/s.TreatmentShare) / (s.Difference * s.Difference)
	if !finite(units) || units > MostUnits {
		return 0, problem(TooFewUnits, "difference", "more than %g units would be needed", MostUnits)
	}
	return int64(math.Ceil(units)), nil
}

// WeekPower is the outlook of a plan after some weeks.
type WeekPower struct {
	Week  int
	Units float64 // over all arms, since the start
	Power float64 // of the plan's effect
	// MinimumEffect seen with the plan's power, where Detectable says that there
	// is one; otherwise zero.
	MinimumEffect float64
	Detectable    bool
}

// Weeks follows a plan over weeks of equal traffic. Target is the first week
// whose power, to the nearest percent, reaches the plan's; 0 when none does.
func (p Plan) Weeks(unitsPerWeek float64, weeks int) (outlook []WeekPower, target int, err error) {
	p, err = p.resolve()
	if err != nil {
		return nil, 0, err
	}
	const most = 520
	if weeks < 1 || weeks > most {
		return nil, 0, problem(InvalidOption, "weeks", "the number of weeks must be 1 to %d, not %d", most, weeks)
	}
	if !finite(unitsPerWeek) || unitsPerWeek <= 0 {
		return nil, 0, problem(InvalidOption, "unitsPerWeek", "the number of units must be finite and above 0, not %g", unitsPerWeek)
	}
	for week := 1; week <= weeks; week++ {
		w := WeekPower{Week: week, Units: unitsPerWeek * float64(week)}
		w.Power = p.power(p.Effect, w.Units)
		switch w.MinimumEffect, err = p.MinimumEffect(w.Units); {
		case err == nil:
			w.Detectable = true
		case AsProblem(err).Reason != TooFewUnits:
			return nil, 0, err
		}
		if target == 0 && math.Round(w.Power*100)/100 >= p.Power {
			target = week
		}
		outlook = append(outlook, w)
	}
	return outlook, target, nil
}
