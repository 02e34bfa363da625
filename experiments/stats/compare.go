package stats

import "math"

// Scale is the unit in which an effect is stated.
type Scale int

const (
	// AbsoluteScale is the metric's own unit.
	AbsoluteScale Scale = iota
	// RelativeScale is a share of the absolute value of the control's
	// (unadjusted) mean.
	RelativeScale
)

// Compare compares treatment with control on one metric, whatever its kind:
//
//   - [Mean], [Proportion], [Ratio], [Quantile], [*Moments] and any other
//     [Sample]: Welch's test on the two estimates, as [Absolute] and
//     [Relative] do;
//   - [Adjusted]: CUPED with one covariate, θ pooled over both arms;
//   - [Covariates]: the same with several covariates, θ by ridge per arm;
//   - [AdjustedRatio]: CUPED of a ratio.
//
// Adjusted kinds fall back to the unadjusted comparison where the covariate
// says nothing (no spread, or no correlation). Both arms must be of one kind.
//
// Problems are those of the kinds' Estimate, of Absolute and of Relative, and
// KindsDiffer.
func Compare(control, treatment Sample, s Scale, o Options) (Effect, error) {
	d, err := compare(control, treatment, s, o)
	if err != nil {
		return Effect{}, err
	}
	return d.infer(o)
}

func compare(control, treatment Sample, s Scale, o Options) (difference, error) {
	if s != AbsoluteScale && s != RelativeScale {
		return difference{}, problem(InvalidOption, "scale", "unknown scale %d", s)
	}
	switch a := control.(type) {
	case Adjusted:
		b, ok := treatment.(Adjusted)
		if !ok {
			return difference{}, kindsDiffer(control, treatment)
		}
		return compareAdjusted(a, b, s, o)
	case AdjustedRatio:
		b, ok := treatment.(AdjustedRatio)
		if !ok {
			return difference{}, kindsDiffer(control, treatment)
		}
		return compareAdjustedRatio(a, b, s, o)
	case Covariates:
		b, ok := treatment.(Covariates)
		if !ok {
			return difference{}, kindsDiffer(control, treatment)
		}
		return compareCovariates(a, b, s, o)
	}
	switch treatment.(type) {
	case Adjusted, AdjustedRatio, Covariates:
		return difference{}, kindsDiffer(control, treatment)
	}
	return compareEstimates(control, treatment, s, o)
}

func kindsDiffer(a, b any) error {
	return problem(KindsDiffer, "treatment", "the control is a %T and the treatment a %T", a, b)
}

func compareEstimates(control, treatment Sample, s Scale, o Options) (difference, error) {
	a, err := estimateOf(control, o)
	if err != nil {
		return difference{}, about(err, "control")
	}
	b, err := estimateOf(treatment, o)
	if err != nil {
		return difference{}, about(err, "treatment")
	}
	if s == RelativeScale {
		return relative(a, b)
	}
	return absolute(a, b)
}

func estimateOf(s Sample, o Options) (Estimate, error) {
	if s == nil {
		return Estimate{}, problem(TooFewUnits, "", "the arm has no unit")
	}
	switch x := s.(type) {
	case Ratio:
		if o.Unchecked {
			return x.Delta()
		}
	case Quantile:
		return x.estimate(o.Unchecked)
	}
	return s.Estimate()
}

// about names the arm at fault in a problem that came without a subject.
func about(err error, arm string) error {
	p := AsProblem(err)
	if p == nil {
		return err
	}
	named := *p
	if named.Subject == "" {
		named.Subject = arm
	} else {
		named.Subject = arm + "." + named.Subject
	}
	return &named
}

// contrast compares Σcᵥ·v̄ of two arms. For an absolute effect both arms use
// adjust (the metric has coefficient 1, a covariate −θ). For a relative effect
// relativeControl holds the control's coefficients of the effect times
// |baseline|, and estimate is the absolute difference of the adjusted means.
type contrast struct {
	control, treatment             joint
	adjustControl, adjustTreatment []float64
	relativeControl                []float64
	estimate, baseline             float64
}

func (c contrast) difference(s Scale) (difference, error) {
	a, err := c.arm(c.control, c.adjustControl, "control")
	if err != nil {
		return difference{}, err
	}
	b, err := c.arm(c.treatment, c.adjustTreatment, "treatment")
	if err != nil {
		return difference{}, err
	}
	d, err := absolute(a, b)
	if err != nil {
		return difference{}, err
	}
	d.estimate, d.baseline = c.estimate, c.baseline
	if s == AbsoluteScale {
		return d, nil
	}
	base := math.Abs(c.baseline)
	if base == 0 {
		return difference{}, zeroBaseline()
	}
	variance, err := c.control.form(c.relativeControl)
	if err != nil {
		return difference{}, about(err, "control")
	}
	d.estimate /= base
	d.variance = variance/float64(c.control.n)/base/base + b.Variance/float64(b.N)/base/base
	d.relative = true
	return d, nil
}

func (c contrast) arm(j joint, coefficients []float64, name string) (Estimate, error) {
	if j.n < 2 {
		return Estimate{}, problem(TooFewUnits, name, "a test needs two units or more, the arm has %d", j.n)
	}
	v, err := j.form(coefficients)
	if err != nil {
		return Estimate{}, about(err, name)
	}
	return Estimate{N: j.n, Variance: v}, nil
}
