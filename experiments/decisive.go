package experiments

import (
	"fmt"

	"quintet/experiments/stats"
)

// Verdict is what a method concludes about one effect.
type Verdict string

// The verdicts.
const (
	BetterVerdict Verdict = "better"
	WorseVerdict  Verdict = "worse"
	OpenVerdict   Verdict = "open" // the data do not tell
)

// Decisive is an effect by the method that the experiment was planned with.
type Decisive struct {
	Method   AnalysisMethod `json:"method"`
	Adjusted bool           `json:"adjusted" doc:"True where the effect is adjusted by what was known before"`
	Absolute *Interval      `json:"absolute,omitempty"`
	Relative *Interval      `json:"relative,omitempty"`
	PValue   *float64       `json:"pValue,omitempty"`
	// CorrectedPValue and Corrected are of goal metrics.
	CorrectedPValue *float64 `json:"correctedPValue,omitempty" doc:"With all goal metrics and variants taken into account"`
	Corrected       *Bounds  `json:"corrected,omitempty" doc:"Interval of the absolute effect that agrees with it"`
	Verdict         Verdict  `json:"verdict" doc:"better or worse than the control, or open"`
	Detail          string   `json:"detail" doc:"The verdict in a sentence"`
}

// Bounds is an interval; an absent bound is infinite.
type Bounds struct {
	Lower *float64 `json:"lower,omitempty"`
	Upper *float64 `json:"upper,omitempty"`
}

// decide fills the decisive figures of an effect, before any correction.
func (c *comparison) decide(e *Effect) {
	if e.sample.absolute == nil {
		return
	}
	d := &Decisive{Method: c.analysis.Method, Adjusted: e.Adjusted != nil && e.Adjusted.Absolute != nil, Verdict: OpenVerdict}
	take := func(f *Figures) {
		if f != nil {
			d.Absolute, d.Relative, d.PValue = f.Absolute, f.Relative, f.PValue
		}
	}
	switch c.analysis.Method {
	case FixedMethod:
		f := Figures{Absolute: interval(*e.sample.absolute), PValue: known(e.sample.absolute.PValue)}
		if e.sample.relative != nil {
			f.Relative = interval(*e.sample.relative)
		}
		take(&f)
	case GroupSequentialMethod:
		take(&e.GroupSequential.Figures)
	case BayesianMethod:
		if e.Bayesian != nil {
			d.Relative = e.Bayesian.Relative
		}
	default:
		take(c.sequential(e.sample))
	}
	e.Decisive = d
}

// conclude gives the verdict of an effect whose p-value is corrected, if at all.
func (c *comparison) conclude(e *Effect) {
	d := e.Decisive
	if d == nil {
		return
	}
	better := e.sample.absolute.Estimate > 0
	if c.direction == Decrease {
		better = e.sample.absolute.Estimate < 0
	}
	verdict := WorseVerdict
	if better {
		verdict = BetterVerdict
	}
	if d.Method == BayesianMethod {
		c.concludeBelief(e)
		return
	}
	p := d.PValue
	if d.CorrectedPValue != nil {
		p = d.CorrectedPValue
	}
	switch {
	case d.Method == FixedMethod && c.people < c.analysis.NStar:
		d.Detail = fmt.Sprintf("A single look is planned at %d people; there are %d.", c.analysis.NStar, c.people)
	case d.Method == GroupSequentialMethod && e.GroupSequential.Look == 0:
		d.Detail = e.GroupSequential.Problem
	case p == nil:
		d.Detail = "There is no p-value to judge by."
	case *p <= c.analysis.Alpha:
		d.Verdict, d.Detail = verdict, fmt.Sprintf("%s than the control (p = %.2g, at a level of %g).", capital(string(verdict)), *p, c.analysis.Alpha)
	default:
		d.Detail = fmt.Sprintf("The data do not tell it from no difference (p = %.2g, at a level of %g).", *p, c.analysis.Alpha)
	}
}

func (c *comparison) concludeBelief(e *Effect) {
	d, b := e.Decisive, e.Bayesian
	switch {
	case b == nil:
		d.Detail = "There is no relative effect for the prior to be about."
	case b.ChanceToWin >= 1-c.analysis.Alpha:
		d.Verdict, d.Detail = BetterVerdict, fmt.Sprintf("Better than the control with a probability of %.3g %%.", 100*b.ChanceToWin)
	case b.ChanceToWin <= c.analysis.Alpha:
		d.Verdict, d.Detail = WorseVerdict, fmt.Sprintf("Worse than the control with a probability of %.3g %%.", 100*(1-b.ChanceToWin))
	default:
		d.Detail = fmt.Sprintf("Better than the control with a probability of %.3g %%, which leaves it open.", 100*b.ChanceToWin)
	}
}

// correct takes the p-values of a family of effects and sets the corrected ones.
func correct(family []*Effect, a *Analysis) error {
	if a.Method == BayesianMethod || a.Correction == NoCorrection {
		return nil
	}
	var tested []*Effect
	var p []float64
	for _, e := range family {
		if e.Decisive != nil && e.Decisive.PValue != nil {
			tested, p = append(tested, e), append(p, *e.Decisive.PValue)
		}
	}
	adjusted, err := stats.Adjust(stats.Correction(a.Correction), p)
	if err != nil {
		return err
	}
	for i, e := range tested {
		e.Decisive.CorrectedPValue = &adjusted[i]
		own := stats.Effect{Estimate: e.Decisive.Absolute.Estimate, Lower: e.Decisive.Absolute.Lower, Upper: e.Decisive.Absolute.Upper, StandardError: e.Decisive.Absolute.StandardError}
		lower, upper, err := stats.AdjustedInterval(own, adjusted[i], a.Alpha)
		if err != nil {
			continue // the p-value stands by itself
		}
		e.Decisive.Corrected = &Bounds{Lower: known(lower), Upper: known(upper)}
	}
	return nil
}
