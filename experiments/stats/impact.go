package stats

import "math"

// Times multiplies an effect by a factor that is known without error, such as
// the number of units it applies to.
func (e Effect) Times(factor float64) (Effect, error) {
	if !finite(factor) || factor == 0 {
		return Effect{}, problem(InvalidOption, "factor", "an effect can be multiplied by a finite number other than zero, not %g", factor)
	}
	e.Estimate *= factor
	e.StandardError *= math.Abs(factor)
	e.Lower *= factor
	e.Upper *= factor
	e.Baseline *= factor
	if factor < 0 {
		e.Lower, e.Upper = e.Upper, e.Lower
	}
	if !finite(e.Estimate, e.StandardError) || e.StandardError == 0 {
		return Effect{}, problem(NotFinite, "", "the effect is outside the range of floating point")
	}
	return e, nil
}

// Reach says to how many units an experiment's treatment went.
type Reach struct {
	Treated    int64   // units in the treatment arm
	Days       float64 // for how long units came in, above 0
	Allocation float64 // share of the eligible units that were in the experiment, (0, 1]
	Share      float64 // share of the experiment's units that got the treatment, (0, 1]
}

// Impact is what a treatment does to the metric's total, per day.
type Impact struct {
	// Measured is what it did while the experiment ran: the effect times the
	// treated units over the days.
	Measured Effect
	// Projected is what it would do if every eligible unit had it.
	Projected Effect
}

// Topline turns an absolute effect per unit into its effect on the metric's
// total per day, as measured and as projected to everybody (Statsig). The
// projection assumes that the units outside the experiment are like those in it
// and that days to come are like those measured.
//
// Problems: InvalidOption for a relative effect or a reach outside its range.
func Topline(e Effect, r Reach) (Impact, error) {
	switch {
	case e.Relative:
		return Impact{}, problem(InvalidOption, "effect", "a total needs the absolute effect per unit, not the relative one")
	case r.Treated < 1:
		return Impact{}, problem(TooFewUnits, "reach.treated", "nobody was treated")
	case !finite(r.Days) || r.Days <= 0:
		return Impact{}, problem(InvalidOption, "reach.days", "the number of days must be finite and above 0, not %g", r.Days)
	case !(r.Allocation > 0 && r.Allocation <= 1):
		return Impact{}, problem(InvalidOption, "reach.allocation", "the allocation must be above 0 and at most 1, not %g", r.Allocation)
	case !(r.Share > 0 && r.Share <= 1):
		return Impact{}, problem(InvalidOption, "reach.share", "the treatment's share must be above 0 and at most 1, not %g", r.Share)
	}
	measured, err := e.Times(float64(r.Treated) / r.Days)
	if err != nil {
		return Impact{}, err
	}
	projected, err := measured.Times(1 / (r.Allocation * r.Share))
	if err != nil {
		return Impact{}, err
	}
	return Impact{Measured: measured, Projected: projected}, nil
}

// Differential asks whether an effect differs between a segment and the rest:
// Welch's test on the two effects, which must be of the same metric, the same
// scale and disjoint units. The result's estimate is segment − rest.
func Differential(segment, rest Effect, o Options) (Effect, error) {
	if segment.Relative != rest.Relative {
		return Effect{}, problem(KindsDiffer, "rest", "one effect is relative and the other absolute")
	}
	for _, e := range []struct {
		name   string
		effect Effect
	}{{"segment", segment}, {"rest", rest}} {
		if !finite(e.effect.Estimate, e.effect.StandardError) || e.effect.StandardError <= 0 {
			return Effect{}, problem(NotFinite, e.name, "the effect is not finite or has no standard error")
		}
		if !(e.effect.DegreesOfFreedom > 0) {
			return Effect{}, problem(InvalidOption, e.name, "the effect has no degrees of freedom")
		}
	}
	larger := math.Max(segment.StandardError, rest.StandardError)
	vs, vr := math.Pow(segment.StandardError/larger, 2), math.Pow(rest.StandardError/larger, 2)
	d := difference{
		estimate: segment.Estimate - rest.Estimate,
		variance: larger * larger * (vs + vr),
		degrees:  (vs + vr) * (vs + vr) / (vs*vs/segment.DegreesOfFreedom + vr*vr/rest.DegreesOfFreedom),
		units:    segment.N + rest.N,
		baseline: rest.Baseline,
		relative: segment.Relative,
	}
	return d.infer(o)
}
