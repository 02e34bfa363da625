package stats

import "math"

// Alternative is the hypothesis that a test sets against "no difference".
type Alternative int

const (
	// TwoSided looks for a difference either way; the interval is bounded on
	// both sides.
	TwoSided Alternative = iota
	// Greater looks for a treatment above control; the interval has no upper
	// bound (+Inf).
	Greater
	// Less looks for a treatment below control; the interval has no lower bound
	// (−Inf).
	Less
)

// Options of a test. The zero value is a two-sided test at 5 %.
type Options struct {
	Alpha       float64 // level in (0, 1): 0.05 gives 95 % intervals; 0 means 0.05
	Alternative Alternative
	// Unchecked accepts sums that no values can have, such as a sum of squares
	// below (sum)²/n, and does the arithmetic on them. Published comparison
	// cases have such sums; a report never sets it.
	Unchecked bool
}

func (o Options) alpha() (float64, error) {
	switch {
	case o.Alpha == 0:
		return 0.05, nil
	case o.Alpha > 0 && o.Alpha < 1:
		return o.Alpha, nil
	}
	return 0, problem(InvalidOption, "alpha", "the level must be above 0 and below 1, not %g", o.Alpha)
}

// Effect is a difference between two arms with what the data say about it.
// Every field is finite, except the open side of a one-sided interval.
type Effect struct {
	Estimate         float64 // treatment − control; for a relative effect as a share of |control|
	StandardError    float64
	Lower, Upper     float64 // bounds of the 1−Alpha interval
	PValue           float64
	DegreesOfFreedom float64 // Welch-Satterthwaite
	N                int64   // units of both arms together
	// Baseline is the control's mean without any adjustment, in the metric's
	// unit; Relative says that the effect is a share of its absolute value.
	Baseline float64
	Relative bool
}

// Absolute compares treatment with control by Welch's t test on the difference
// of means, in the metric's own unit.
func Absolute(control, treatment Estimate, o Options) (Effect, error) {
	d, err := absolute(control, treatment)
	if err != nil {
		return Effect{}, err
	}
	return d.infer(o)
}

func absolute(control, treatment Estimate) (difference, error) {
	if err := testable(control, treatment); err != nil {
		return difference{}, err
	}
	return difference{
		estimate: treatment.Mean - control.Mean,
		variance: control.Variance/float64(control.N) + treatment.Variance/float64(treatment.N),
		degrees:  welchDegrees(control, treatment),
		units:    control.N + treatment.N,
		baseline: control.Mean,
	}, nil
}

// Relative compares treatment with control as a share of the control's mean,
// (m_B − m_A)/|m_A|, with the delta-method variance. The absolute value keeps
// the sign right where the baseline is negative. The degrees of freedom are
// those of the absolute difference.
//
// The interval takes m_A for nearly known: see [BaselineUncertainty].
func Relative(control, treatment Estimate, o Options) (Effect, error) {
	d, err := relative(control, treatment)
	if err != nil {
		return Effect{}, err
	}
	return d.infer(o)
}

func relative(control, treatment Estimate) (difference, error) {
	if err := testable(control, treatment); err != nil {
		return difference{}, err
	}
	if control.Mean == 0 {
		return difference{}, zeroBaseline()
	}
	base := math.Abs(control.Mean)
	ratio := treatment.Mean / control.Mean
	delta := treatment.Mean/base - control.Mean/base
	// s_B²/(m_A² n_B) + s_A² m_B²/(m_A⁴ n_A), in an order that neither
	// overflows nor underflows for very large or small means.
	variance := treatment.Variance/float64(treatment.N)/base/base +
		control.Variance/float64(control.N)/base/base*ratio*ratio
	return difference{
		estimate: delta, variance: variance, degrees: welchDegrees(control, treatment),
		units: control.N + treatment.N, baseline: control.Mean, relative: true,
	}, nil
}

func zeroBaseline() error {
	return problem(ZeroBaseline, "control", "the mean is zero, so that there is nothing to be relative to")
}

// BaselineUncertainty is Fieller's g for the control arm: the squared half-width
// of the interval of its mean over the squared mean. Delta-method intervals of
// a relative effect are good while g is small (below about 0.1); at 1 or more
// zero is a plausible baseline and no relative effect can be stated.
func BaselineUncertainty(control Estimate, o Options) (float64, error) {
	alpha, err := o.alpha()
	if err != nil {
		return 0, err
	}
	if err := testableArm(control, "control"); err != nil {
		return 0, err
	}
	if control.Mean == 0 {
		return 0, zeroBaseline()
	}
	half := studentQuantile(1-alpha/2, float64(control.N-1)) * control.StandardError() / control.Mean
	return half * half, nil
}

func testable(control, treatment Estimate) error {
	if err := testableArm(control, "control"); err != nil {
		return err
	}
	return testableArm(treatment, "treatment")
}

func testableArm(e Estimate, arm string) error {
	switch {
	case e.N < 2:
		return problem(TooFewUnits, arm, "a test needs two units or more, the arm has %d", e.N)
	case !finite(e.Mean, e.Variance):
		return problem(NotFinite, arm, "mean or variance is NaN or infinite")
	case e.Variance < 0:
		return problem(ImpossibleSums, arm, "the variance is negative")
	case e.Variance == 0:
		return problem(ZeroVariance, arm, "all %d units have the same value, or differ by less than their sums can show", e.N)
	}
	return nil
}

// welchDegrees is the Welch-Satterthwaite ν, from shares so that it does not
// depend on the metric's unit.
func welchDegrees(a, b Estimate) float64 {
	va, vb := a.Variance/float64(a.N), b.Variance/float64(b.N)
	larger := math.Max(va, vb)
	va, vb = va/larger, vb/larger
	sum := va + vb
	return sum * sum / (va*va/float64(a.N-1) + vb*vb/float64(b.N-1))
}

// difference is an effect before anything is inferred from it.
type difference struct {
	estimate, variance, degrees float64
	units                       int64
	baseline                    float64
	relative                    bool
}

// infer makes the statement about a difference with a known standard error.
func (d difference) infer(o Options) (Effect, error) {
	alpha, err := o.alpha()
	if err != nil {
		return Effect{}, err
	}
	delta, df := d.estimate, d.degrees
	se := math.Sqrt(d.variance)
	if !finite(delta, se, df) || se == 0 {
		return Effect{}, problem(NotFinite, "", "the difference or its error is outside the range of floating point")
	}
	e := Effect{Estimate: delta, StandardError: se, DegreesOfFreedom: df, N: d.units, Baseline: d.baseline, Relative: d.relative}
	t := delta / se
	switch o.Alternative {
	case TwoSided:
		half := studentQuantile(1-alpha/2, df) * se
		e.Lower, e.Upper = delta-half, delta+half
		e.PValue = math.Min(1, 2*studentSurvival(math.Abs(t), df))
	case Greater:
		e.Lower, e.Upper = delta-studentQuantile(1-alpha, df)*se, math.Inf(1)
		e.PValue = studentSurvival(t, df)
	case Less:
		e.Lower, e.Upper = math.Inf(-1), delta+studentQuantile(1-alpha, df)*se
		e.PValue = studentSurvival(-t, df)
	default:
		return Effect{}, problem(InvalidOption, "alternative", "unknown alternative %d", o.Alternative)
	}
	return e, nil
}
