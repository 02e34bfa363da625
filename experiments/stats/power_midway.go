package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Midway is an experiment that runs: what it has measured so far says how much
// longer it must run.
type Midway struct {
	StandardError float64 // of the effect so far, in the unit of Target
	Units         int64   // in the two arms compared, so far
	Target        float64 // effect that must be seen, in the effect's unit; its sign does not matter
	Alpha         float64 // 0 means 0.05
	Power         float64 // chance that all goals are seen together; 0 means DefaultPower
	Goals         int     // goal metrics; each is given the power Power^(1/Goals); 0 means 1
	Tests         int     // tests that Alpha is shared over (goals × treatments); 0 means 1
	Tuning        float64 // above zero: the always-valid analysis with this N*
	Prior         *NormalPrior
}

// Needed is how far a running experiment still has to go.
type Needed struct {
	// Scale is how many times its present size the experiment needs on top of
	// it: 0 when it has enough, 1 when it must double.
	Scale float64
	Units float64 // more units in the two arms, Scale·Units
	Power float64 // power of each goal that far on
}

// Search limits of [Midway.Needed], which are GrowthBook's: the power is met to
// 1e-5, and no more than 2^27 times the present size is tried.
const (
	midwayTolerance = 1e-5
	midwayDoublings = 27
)

// Needed solves power(se²/(1+s)) = Power^(1/Goals) for s, with the level
// Alpha/Tests. The effect's standard error is taken to shrink with the root of
// the number of units, as it does while traffic stays what it was.
func (m Midway) Needed() (Needed, error) {
	m, err := m.resolve()
	if err != nil {
		return Needed{}, err
	}
	target := math.Pow(m.Power, 1/float64(m.Goals))
	if m.power(0) > target {
		return Needed{Power: m.power(0)}, nil
	}
	scale := 1.0
	at := m.power(scale)
	for range midwayDoublings {
		if at >= target {
			break
		}
		scale *= 2
		at = m.power(scale)
	}
	if at < target {
		return Needed{}, problem(TooFewUnits, "target", "an effect of %g is not seen with power %g in any size of the experiment that can be reached", m.Target, m.Power)
	}
	low, high := 0.0, scale
	for range 100 {
		if at > target {
			high = scale
		} else {
			low = scale
		}
		scale = (low + high) / 2
		at = m.power(scale)
		if math.Abs(at-target) < midwayTolerance {
			break
		}
	}
	return Needed{Scale: scale, Units: scale * float64(m.Units), Power: at}, nil
}

// PowerAt is the power of one goal when the experiment has grown by scale times
// its present size.
func (m Midway) PowerAt(scale float64) (float64, error) {
	m, err := m.resolve()
	if err != nil {
		return 0, err
	}
	if !finite(scale) || scale < 0 {
		return 0, problem(InvalidOption, "scale", "the growth must be finite and 0 or more, not %g", scale)
	}
	return m.power(scale), nil
}

func (m Midway) resolve() (Midway, error) {
	alpha, err := Options{Alpha: m.Alpha}.alpha()
	if err != nil {
		return m, err
	}
	m.Alpha = alpha
	if m.Power == 0 {
		m.Power = DefaultPower
	}
	if m.Goals == 0 {
		m.Goals = 1
	}
	if m.Tests == 0 {
		m.Tests = 1
	}
	m.Target = math.Abs(m.Target)
	switch {
	case !finite(m.StandardError):
		return m, problem(NotFinite, "standardError", "the standard error is NaN or infinite")
	case m.StandardError <= 0:
		return m, problem(ZeroVariance, "standardError", "the standard error must be above 0, not %g", m.StandardError)
	case m.Units < 2:
		return m, problem(TooFewUnits, "units", "two units or more are needed, not %d", m.Units)
	case !finite(m.Target) || m.Target == 0:
		return m, problem(InvalidOption, "target", "the effect must be finite and other than 0, not %g", m.Target)
	case !(m.Power > 0 && m.Power < 1):
		return m, problem(InvalidOption, "power", "the power must be above 0 and below 1, not %g", m.Power)
	case m.Goals < 1:
		return m, problem(InvalidOption, "goals", "there must be a goal, not %d", m.Goals)
	case m.Tests < 1:
		return m, problem(InvalidOption, "tests", "there must be a test, not %d", m.Tests)
	case !finite(m.Tuning) || m.Tuning < 0:
		return m, problem(InvalidOption, "tuning", "the number of units must be finite and 0 or more, not %g", m.Tuning)
	case m.Prior != nil && m.Tuning > 0:
		return m, problem(InvalidOption, "tuning", "an analysis is either always valid or Bayesian")
	case m.Prior != nil && (!finite(m.Prior.Mean, m.Prior.StandardDeviation) || m.Prior.StandardDeviation <= 0):
		return m, problem(InvalidOption, "prior", "mean and standard deviation must be finite, the latter above 0")
	}
	return m, nil
}

func (m Midway) power(scale float64) float64 {
	v := m.StandardError * m.StandardError / (1 + scale)
	level := m.Alpha / float64(m.Tests)
	if m.Prior != nil {
		b := normalBelief{mean: m.Prior.Mean, variance: m.Prior.StandardDeviation * m.Prior.StandardDeviation}
		return b.power(m.Target, v, distuv.UnitNormal.Quantile(1-level/2))
	}
	se := math.Sqrt(v)
	critical := distuv.UnitNormal.Quantile(1 - level/2)
	if m.Tuning > 0 {
		s := Sequence{Alpha: level, Tuning: m.Tuning}
		critical = s.halfWidth(1, float64(m.Units)*(1+scale), s.rho(), level)
	}
	return twoSidedPower(m.Target/se, critical)
}

// DaysLeft is the number of whole days in which so many more units arrive. The
// units per day are those of the arms that units counts, best as the mean of
// the last full days ([RecentPerDay]).
func DaysLeft(units, perDay float64) (int, error) {
	switch {
	case !finite(units) || units < 0:
		return 0, problem(InvalidOption, "units", "the number of units must be finite and 0 or more, not %g", units)
	case !finite(perDay) || perDay < 0:
		return 0, problem(InvalidOption, "perDay", "the units per day must be finite and 0 or more, not %g", perDay)
	case units == 0:
		return 0, nil
	case perDay == 0:
		return 0, problem(TooFewUnits, "perDay", "no unit arrives, so that there is no end")
	}
	const most = 36_500
	if days := math.Ceil(units / perDay); days <= most {
		return int(days), nil
	}
	return 0, problem(TooFewUnits, "perDay", "more than a hundred years at %g units a day", perDay)
}

// RecentPerDay is the mean of the last days of a series of daily counts, of
// which the last one is the day before today (a day that is not over counts too
// little). Days before the series count as none.
func RecentPerDay(counts []int64, days int) (float64, error) {
	if days < 1 {
		return 0, problem(InvalidOption, "days", "there must be a day, not %d", days)
	}
	var sum int64
	for i, n := range counts[max(0, len(counts)-days):] {
		if n < 0 {
			return 0, problem(ImpossibleSums, subscript("counts", i), "a day has %d units", n)
		}
		sum += n
	}
	return float64(sum) / float64(days), nil
}
