package experiments

import (
	"fmt"

	"quintet/experiments/stats"
)

// GuardrailState is what the data say about a guardrail so far.
type GuardrailState string

// The states of a guardrail.
const (
	// GuardrailHolds: the loss is shown to be smaller than the margin.
	GuardrailHolds GuardrailState = "holds"
	// GuardrailOpen: the data do not tell yet.
	GuardrailOpen GuardrailState = "open"
	// GuardrailBroken: the loss is shown to be larger than the margin.
	GuardrailBroken GuardrailState = "broken"
	// GuardrailUnknown: there are no figures.
	GuardrailUnknown GuardrailState = "unknown"
)

// GuardrailReport is one guardrail in one arm.
type GuardrailReport struct {
	Metric  string          `json:"metric"`
	Variant string          `json:"variant"`
	Margin  float64         `json:"margin" doc:"Relative loss that is borne"`
	Action  GuardrailAction `json:"action"`
	State   GuardrailState  `json:"state" doc:"holds: the loss is shown to be smaller than the margin; broken: larger; open: neither yet; unknown: no figures"`
	// Worst and Best bound the relative change for the better, one-sided each.
	Worst  *float64 `json:"worst,omitempty" doc:"Always-valid lower bound of the relative change for the better; the guardrail holds once it is above minus the margin"`
	Best   *float64 `json:"best,omitempty" doc:"Always-valid upper bound of it; the guardrail is broken once it is below minus the margin"`
	Detail string   `json:"detail" doc:"The state in a sentence"`
}

// Below these an arm is too small for the normal approximation that the sequence
// rests on, and a guardrail stays open.
const (
	guardrailUnits    = 100
	guardrailOutcomes = 10
)

// judge says whether an arm makes the metric worse than the guardrail bears, by
// one-sided confidence sequences, so that it can be asked at any time and any number
// of times. With a margin of zero the difference itself is judged, which needs no
// control mean to be relative to. Outcomes is the number of people with one in the
// smaller arm.
func (g Guardrail) judge(variant string, direction Direction, control, arm stats.Sample, outcomes, tuning float64, a Analysis) GuardrailReport {
	out := GuardrailReport{Metric: g.Metric, Variant: variant, Margin: g.Margin, Action: g.action(), State: GuardrailUnknown}
	scale := stats.RelativeScale
	effect, err := stats.Compare(control, arm, scale, stats.Options{Alpha: a.Alpha})
	if err == nil && g.Margin > 0 {
		err = certainBaseline(control)
	}
	if err != nil && g.Margin == 0 {
		scale = stats.AbsoluteScale
		effect, err = stats.Compare(control, arm, scale, stats.Options{Alpha: a.Alpha})
	}
	if err != nil {
		out.Detail = "Not known: " + sentence(err)
		return out
	}
	bound := func(alternative stats.Alternative) (stats.Effect, error) {
		return stats.AlwaysValid(effect, stats.Sequence{Alpha: a.Alpha, Alternative: alternative, Tuning: tuning})
	}
	above, errA := bound(stats.Greater)
	below, errB := bound(stats.Less)
	if errA != nil || errB != nil {
		out.Detail = "Not known: " + sentence(firstError(errA, errB))
		return out
	}
	worst, best := above.Lower, below.Upper
	if direction == Decrease {
		worst, best = -below.Upper, -above.Lower
	}
	if scale == stats.RelativeScale {
		out.Worst, out.Best = known(worst), known(best)
	}
	margin := fmt.Sprintf("%.3g %%", 100*g.Margin)
	switch {
	case effect.N < 2*guardrailUnits || outcomes < guardrailOutcomes:
		out.State = GuardrailOpen
		out.Detail = fmt.Sprintf("Too few people or outcomes to tell: %d people, %.0f outcomes in the smaller arm.", effect.N, outcomes)
	case best < -g.Margin:
		out.State = GuardrailBroken
		out.Detail = fmt.Sprintf("Worse than the control by more than the %s that is borne.", margin)
		if scale == stats.RelativeScale {
			out.Detail = fmt.Sprintf("Worse than the control by at least %.3g %%, more than the %s that is borne.", -100*best, margin)
		}
	case worst > -g.Margin:
		out.State = GuardrailHolds
		out.Detail = fmt.Sprintf("Not worse than the control by the %s that is borne.", margin)
	default:
		out.State = GuardrailOpen
		out.Detail = fmt.Sprintf("The data do not tell yet whether it is worse by more than %s.", margin)
	}
	return out
}

func (g Guardrail) action() GuardrailAction {
	if g.Action == "" {
		return WarnAction
	}
	return g.Action
}

// certainBaseline refuses relative effects where zero is a plausible control mean.
func certainBaseline(control stats.Sample) error {
	e, err := control.Estimate()
	if err != nil {
		return err
	}
	u, err := stats.BaselineUncertainty(e, stats.Options{})
	if err != nil {
		return err
	}
	if u >= meaninglessBaseline {
		return &stats.Problem{Reason: stats.BaselineUncertain, Subject: "control", Detail: "the mean cannot be told from zero, so that there is nothing to be relative to"}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
