package experiments

import (
	"math"

	"quintet/experiments/stats"
)

// Effect compares one arm with the control. Its absolute and relative intervals are
// those of a fixed horizon at 95 %, as if there had been this one look; what the
// experiment concludes rests on Decisive.
type Effect struct {
	Variant          string    `json:"variant"`
	Absolute         *Interval `json:"absolute,omitempty" doc:"Arm minus control, with the 95 % interval of a single look"`
	Relative         *Interval `json:"relative,omitempty" doc:"The same as a share of the control"`
	PValue           *float64  `json:"pValue,omitempty" doc:"Two-sided, of the absolute difference (Welch)"`
	DegreesOfFreedom *float64  `json:"degreesOfFreedom,omitempty"`
	Problem          string    `json:"problem,omitempty" doc:"Why there is no effect"`
	RelativeProblem  string    `json:"relativeProblem,omitempty" doc:"Why there is no relative effect"`

	Sequential      *Figures       `json:"sequential,omitempty" doc:"Always-valid: holds however often somebody looks"`
	Adjusted        *Adjustment    `json:"adjusted,omitempty" doc:"With what was known of people before (CUPED, post-stratification)"`
	Uncapped        *Figures       `json:"uncapped,omitempty" doc:"Without the metric's cap, for a single look"`
	Bayesian        *Belief        `json:"bayesian,omitempty" doc:"With the experiment's prior"`
	GroupSequential *GroupFigures  `json:"groupSequential,omitempty" doc:"At the last planned look that was reached"`
	Decisive        *Decisive      `json:"decisive,omitempty" doc:"The figures of the experiment's own method, on which its conclusion rests"`
	Enough          *Enough        `json:"enough,omitempty" doc:"Whether there are people enough for the intervals to hold"`
	Projection      *Projection    `json:"projection,omitempty" doc:"What the effect comes to in a year, if everybody had the variant"`
	Progress        *Progress      `json:"progress,omitempty" doc:"How far the experiment is for this effect"`
	sample          sampledEffects // what the figures were made of
	comparison      *comparison    // within a value of a dimension
}

// Interval is an estimate with its interval, 95 % unless the report's alpha says
// otherwise.
type Interval struct {
	Estimate      float64 `json:"estimate"`
	Lower         float64 `json:"lower"`
	Upper         float64 `json:"upper"`
	StandardError float64 `json:"standardError"`
}

// Figures is an effect by one method.
type Figures struct {
	Absolute        *Interval `json:"absolute,omitempty"`
	Relative        *Interval `json:"relative,omitempty"`
	PValue          *float64  `json:"pValue,omitempty"`
	Problem         string    `json:"problem,omitempty"`
	RelativeProblem string    `json:"relativeProblem,omitempty"`
}

// Adjustment is an effect with what was known of people before the experiment.
type Adjustment struct {
	Figures
	Sequential        *Figures `json:"sequential,omitempty" doc:"The same, always-valid"`
	By                string   `json:"by" doc:"What it is adjusted by"`
	VarianceReduction *float64 `json:"varianceReduction,omitempty" doc:"Share of the variance that the adjustment takes away: at 0.5, half the people give the same interval"`
}

// Belief is a posterior about a relative effect.
type Belief struct {
	Relative    *Interval `json:"relative,omitempty" doc:"Posterior mean and credible interval of the relative effect"`
	ChanceToWin float64   `json:"chanceToWin" doc:"Probability that the arm is better than the control"`
	// RiskOfShipping is in the unit of the relative effect.
	RiskOfShipping float64 `json:"riskOfShipping" doc:"Relative loss to be expected from shipping the arm, over all it may turn out to be"`
	RiskOfKeeping  float64 `json:"riskOfKeeping" doc:"Relative loss to be expected from keeping the control"`
}

// GroupFigures is an effect at a planned look.
type GroupFigures struct {
	Figures
	Look     int      `json:"look" doc:"Number of the last planned look that was reached; 0 before the first"`
	Looks    int      `json:"looks"`
	Boundary *float64 `json:"boundary,omitempty" doc:"Number of standard errors that the look demands"`
	NextAt   *int64   `json:"nextAt,omitempty" doc:"People over all arms at which the next look is made"`
}

// sampledEffects are the two-sided effects before any method widens them; nil where
// there is none.
type sampledEffects struct {
	absolute, relative *stats.Effect // adjusted where there is an adjustment
}

// comparison is what an effect is made from.
type comparison struct {
	control, arm measured
	analysis     Analysis
	direction    Direction
	people       int64           // over all arms
	tuning       float64         // N* of the two arms
	strata       []stats.Stratum // where the analysis weighs strata together
	looked       *lookedAt       // nil where the present is looked at
}

// measured is one metric in one arm, ready for the statistics. A nil sample is not
// there.
type measured struct {
	main     stats.Sample // as the metric defines it
	uncapped stats.Sample // nil without a cap
	adjusted stats.Sample // nil without covariates
	shape    *stats.Shape // nil where it is not known
	outcomes float64      // people whose value is not zero
}

// compare fills the effect. Notes are for the reader.
func (c *comparison) compare(e *Effect) (notes []string) {
	control, err := c.control.main.Estimate()
	if err != nil {
		e.Problem = "control: " + sentence(err)
		return nil
	}
	arm, err := c.arm.main.Estimate()
	if err != nil {
		e.Problem = sentence(err)
		return nil
	}
	absolute, err := stats.Absolute(control, arm, stats.Options{})
	if err != nil {
		e.Problem = sentence(err)
		return nil
	}
	e.Absolute, e.PValue, e.DegreesOfFreedom = interval(absolute), &absolute.PValue, &absolute.DegreesOfFreedom
	notes = e.compareRelative(control, arm)
	main := c.figures(c.control.main, c.arm.main, c.analysis.Alpha)
	e.sample = main.sample
	e.Sequential = c.sequential(main.sample)
	if c.arm.uncapped != nil {
		e.Uncapped = &c.figures(c.control.uncapped, c.arm.uncapped, 0).Figures
	}
	if c.adjusts() {
		c.adjust(e, main)
	}
	e.Bayesian = c.belief(e.sample)
	if c.analysis.Method == GroupSequentialMethod {
		e.GroupSequential = c.group(e.sample)
	}
	e.Enough = c.enough()
	return notes
}

// compareRelative fills the relative effect of a single look.
func (e *Effect) compareRelative(control, arm stats.Estimate) (notes []string) {
	g, err := stats.BaselineUncertainty(control, stats.Options{})
	switch {
	case err != nil:
		e.RelativeProblem = sentence(err)
		return nil
	case g >= meaninglessBaseline:
		e.RelativeProblem = "control: the mean cannot be told from zero, so that there is nothing to be relative to."
		return nil
	}
	relative, err := stats.Relative(control, arm, stats.Options{})
	if err != nil {
		e.RelativeProblem = sentence(err)
		return nil
	}
	e.Relative = interval(relative)
	if g >= uncertainBaseline {
		return []string{"The control's mean is uncertain; intervals of relative effects are rough."}
	}
	return nil
}

// sampledFigures are the figures of a single look with what they were made of.
type sampledFigures struct {
	Figures
	sample sampledEffects
}

// figures compares two samples as a single look does.
func (c *comparison) figures(control, arm stats.Sample, alpha float64) *sampledFigures {
	return figuresOf(control, func(scale stats.Scale) (stats.Effect, error) {
		return stats.Compare(control, arm, scale, stats.Options{Alpha: alpha})
	})
}

// figuresOf are the absolute and, where the control's mean is certain enough, the
// relative effect of a comparison.
func figuresOf(control stats.Sample, compare func(stats.Scale) (stats.Effect, error)) *sampledFigures {
	f := &sampledFigures{}
	absolute, err := compare(stats.AbsoluteScale)
	if err != nil {
		f.Problem = sentence(err)
		return f
	}
	f.Absolute, f.PValue, f.sample.absolute = interval(absolute), known(absolute.PValue), &absolute
	if err = certainBaseline(control); err == nil {
		var relative stats.Effect
		if relative, err = compare(stats.RelativeScale); err == nil {
			f.Relative, f.sample.relative = interval(relative), &relative
		}
	}
	if err != nil {
		f.RelativeProblem = sentence(err)
	}
	return f
}

// sequential widens effects to be always valid.
func (c *comparison) sequential(s sampledEffects) *Figures {
	if s.absolute == nil {
		return nil
	}
	q := stats.Sequence{Alpha: c.analysis.Alpha, Tuning: c.tuning}
	f := &Figures{}
	absolute, err := stats.AlwaysValid(*s.absolute, q)
	if err != nil {
		return &Figures{Problem: sentence(err)}
	}
	f.Absolute, f.PValue = interval(absolute), known(absolute.PValue)
	if s.relative != nil {
		if relative, err := stats.AlwaysValid(*s.relative, q); err == nil {
			f.Relative = interval(relative)
		} else {
			f.RelativeProblem = sentence(err)
		}
	}
	return f
}

// adjusts says whether something was known of people before.
func (c *comparison) adjusts() bool {
	return c.arm.adjusted != nil && c.control.adjusted != nil || len(c.strata) > 0
}

// adjustedFigures compares the arms with what was known of people before.
func (c *comparison) adjustedFigures() *sampledFigures {
	if len(c.strata) == 0 {
		return c.figures(c.control.adjusted, c.arm.adjusted, c.analysis.Alpha)
	}
	return figuresOf(c.control.main, func(scale stats.Scale) (stats.Effect, error) {
		s, err := stats.PostStratify(c.strata, scale, stats.Options{Alpha: c.analysis.Alpha})
		return s.Effect, err
	})
}

// adjust fills the adjusted effect; what the experiment concludes then rests on it.
func (c *comparison) adjust(e *Effect, main *sampledFigures) {
	f := c.adjustedFigures()
	e.Adjusted = &Adjustment{Figures: f.Figures, Sequential: c.sequential(f.sample), By: c.analysis.adjustedBy()}
	if f.sample.absolute == nil {
		return
	}
	if main.sample.absolute != nil {
		ratio := f.sample.absolute.StandardError / main.sample.absolute.StandardError
		e.Adjusted.VarianceReduction = known(1 - ratio*ratio)
	}
	e.sample = f.sample
}

// belief is the posterior of the relative effect, with the experiment's prior.
func (c *comparison) belief(s sampledEffects) *Belief {
	if s.relative == nil {
		return nil
	}
	prior := stats.Prior{Proper: true, Mean: c.analysis.Prior.Mean, Variance: c.analysis.Prior.SD * c.analysis.Prior.SD, Scale: stats.RelativePrior}
	p, err := s.relative.Posterior(prior, stats.BayesOptions{Alpha: c.analysis.Alpha, Inverse: c.direction == Decrease})
	if err != nil {
		return nil
	}
	return &Belief{Relative: &Interval{Estimate: p.Mean, Lower: p.Lower, Upper: p.Upper, StandardError: p.StandardError},
		ChanceToWin: p.ChanceToWin, RiskOfShipping: p.RiskTreatment, RiskOfKeeping: p.RiskControl}
}

// Enough says whether there are people enough for the intervals to hold.
type Enough struct {
	Enough   bool     `json:"enough"`
	Units    int64    `json:"units" doc:"People in the smaller arm"`
	Needed   int64    `json:"needed" doc:"What the skewness of the metric demands"`
	Skewness *float64 `json:"skewness,omitempty"`
}

// enough judges the smaller of the two arms by the skewness of both.
func (c *comparison) enough() *Enough {
	var a stats.Adequacy
	var err error
	control, isProportion := c.control.main.(stats.Proportion)
	arm, both := c.arm.main.(stats.Proportion)
	switch {
	case isProportion && both:
		a, err = stats.AdequateProportion(control, arm)
	case c.control.shape != nil && c.arm.shape != nil:
		a, err = stats.Adequate(*c.control.shape, *c.arm.shape)
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	return &Enough{Enough: a.Enough(), Units: a.Units, Needed: a.Needed, Skewness: known(a.Skewness)}
}

func interval(e stats.Effect) *Interval {
	return &Interval{Estimate: e.Estimate, Lower: e.Lower, Upper: e.Upper, StandardError: e.StandardError}
}

// known leaves out what is no number, which JSON could not carry either.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// sentence makes a problem fit to be shown.
func sentence(err error) string { return err.Error() + "." }
