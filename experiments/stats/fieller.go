package stats

import "math"

// Fieller compares treatment with control as a share of the control's mean, as
// [Relative] does, with Fieller's interval in place of the delta method's. It is
// not symmetrical about the estimate and keeps its level where the control's
// mean is uncertain or the arms are small. Zero is inside the interval exactly
// when the absolute test does not reject, whose p-value it carries.
//
// StandardError is the delta method's. A one-sided Alternative gives the
// one-sided bound.
//
// Problems: those of Relative, and BaselineUncertain where the control's mean
// itself cannot be told from zero, so that the lift has no bounded interval.
func Fieller(control, treatment Estimate, o Options) (Effect, error) {
	alpha, err := o.alpha()
	if err != nil {
		return Effect{}, err
	}
	d, err := relative(control, treatment)
	if err != nil {
		return Effect{}, err
	}
	effect, err := d.infer(o)
	if err != nil {
		return Effect{}, err
	}
	test, err := Absolute(control, treatment, o)
	if err != nil {
		return Effect{}, err
	}
	tail := alpha
	if o.Alternative == TwoSided {
		tail /= 2
	}
	t := studentQuantile(1-tail, d.degrees)
	// All in shares of the control's mean.
	base := math.Abs(control.Mean)
	va := control.Variance / float64(control.N) / base / base
	vb := treatment.Variance / float64(treatment.N) / base / base
	ratio := treatment.Mean / control.Mean
	g := t * t * va
	if g >= 1 {
		return Effect{}, problem(BaselineUncertain, "control",
			"the interval of the control's mean covers zero (g = %.2f), so that a share of it has no bounds", g)
	}
	half := t * math.Sqrt(ratio*ratio*va+(1-g)*vb)
	low, high := (ratio-half)/(1-g)-1, (ratio+half)/(1-g)-1
	if control.Mean < 0 {
		low, high = -high, -low
	}
	effect.PValue = test.PValue
	if o.Alternative != Less {
		effect.Lower = low
	}
	if o.Alternative != Greater {
		effect.Upper = high
	}
	if math.IsNaN(effect.Lower) || math.IsNaN(effect.Upper) {
		return Effect{}, problem(NotFinite, "", "the interval is outside the range of floating point")
	}
	return effect, nil
}
