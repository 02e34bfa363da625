package experiments

import (
	"fmt"
	"slices"
	"strings"
)

// Recommended is what to do with an experiment.
type Recommended string

// The recommendations.
const (
	// FixFirst: a check failed; no figure can be believed.
	FixFirst Recommended = "fix"
	// ShipVariant: a variant is better, and no guardrail speaks against it.
	ShipVariant Recommended = "ship"
	// KeepControl: no variant is better.
	KeepControl Recommended = "keep-control"
	// DropVariant: a variant breaks a guardrail.
	DropVariant Recommended = "drop"
	// Wait: the data do not tell yet.
	Wait Recommended = "wait"
	// NoDecision: there is nothing to decide by.
	NoDecision Recommended = "none"
)

// Recommendation is a recommended decision with its reason.
type Recommendation struct {
	Action  Recommended `json:"action" doc:"fix, ship, keep-control, drop, wait or none"`
	Variant string      `json:"variant,omitempty" doc:"Variant to ship or drop"`
	Reason  string      `json:"reason" doc:"In words"`
}

// recommend draws the conclusion of a report. A failed check comes before everything,
// a broken guardrail before any gain.
func (r *Report) recommend(e *Experiment) Recommendation {
	for _, c := range r.Checks {
		if !c.Passed {
			return Recommendation{Action: FixFirst, Reason: fmt.Sprintf("The check %s failed, so that no figure can be believed: find the cause first. %s", c.Name, c.Detail)}
		}
	}
	for _, g := range r.Guardrails {
		if g.State == GuardrailBroken && !e.dropped(g.Variant) {
			return Recommendation{Action: DropVariant, Variant: g.Variant, Reason: fmt.Sprintf("Guardrail %s is broken by %s: %s", g.Metric, g.Variant, g.Detail)}
		}
	}
	goals := r.goals()
	if len(goals) == 0 {
		return Recommendation{Action: NoDecision, Reason: "The experiment has no metric to decide by."}
	}
	return r.weigh(e, goals)
}

// weigh looks for the best variant by the first goal metric that no other goal
// metric, guardrail or shortage of people speaks against.
func (r *Report) weigh(e *Experiment, goals []*MetricReport) Recommendation {
	first := goals[0]
	if first.Problem != "" {
		return Recommendation{Action: NoDecision, Reason: fmt.Sprintf("Metric %s has no figures: %s", first.Key, first.Problem)}
	}
	best, worse, open := (*Effect)(nil), 0, []string{}
	alive := 0
	for i := range first.Effects {
		effect := &first.Effects[i]
		if e.dropped(effect.Variant) {
			continue
		}
		alive++
		switch {
		case effect.Decisive == nil:
			open = append(open, fmt.Sprintf("%s: %s", effect.Variant, lowerFirst(effect.Problem)))
		case effect.Decisive.Verdict == BetterVerdict:
			if against := r.against(effect, goals); against != "" {
				open = append(open, against)
			} else if best == nil || first.better(effect, best) {
				best = effect
			}
		case effect.Decisive.Verdict == WorseVerdict:
			worse++
		default:
			open = append(open, fmt.Sprintf("%s: %s", effect.Variant, lowerFirst(effect.Decisive.Detail)))
		}
	}
	switch {
	case alive == 0:
		return Recommendation{Action: NoDecision, Reason: "No variant is left beside the control."}
	case best != nil:
		return Recommendation{Action: ShipVariant, Variant: best.Variant, Reason: r.shipReason(first, best)}
	case worse == alive:
		return Recommendation{Action: KeepControl, Reason: fmt.Sprintf("On %s every variant is worse than the control.", first.Key)}
	case r.finished(e):
		return Recommendation{Action: KeepControl, Reason: fmt.Sprintf("The experiment has come to its end, and on %s no variant is shown to be better. %s", first.Key, strings.Join(open, " "))}
	}
	reason := fmt.Sprintf("On %s the data do not tell yet. %s", first.Key, strings.Join(open, " "))
	if p := first.progress(); p != nil && p.DaysLeft != nil {
		reason += fmt.Sprintf(" At the present pace an effect of %.3g %% would be seen in %d days.", 100*p.MinimumEffect, *p.DaysLeft)
	}
	return Recommendation{Action: Wait, Reason: reason}
}

// against says what speaks against shipping a variant that is better on the first
// goal metric.
func (r *Report) against(effect *Effect, goals []*MetricReport) string {
	if effect.Enough != nil && !effect.Enough.Enough {
		return fmt.Sprintf("%s looks better, but the smaller arm has %d people and a metric as skewed as this needs %d for its interval to hold.",
			effect.Variant, effect.Enough.Units, effect.Enough.Needed)
	}
	for _, m := range goals[1:] {
		for i := range m.Effects {
			if o := &m.Effects[i]; o.Variant == effect.Variant && o.Decisive != nil && o.Decisive.Verdict == WorseVerdict {
				return fmt.Sprintf("%s is better on %s and worse on %s.", effect.Variant, goals[0].Key, m.Key)
			}
		}
	}
	for _, g := range r.Guardrails {
		if g.Variant == effect.Variant && g.State != GuardrailHolds {
			return fmt.Sprintf("%s is better on %s, but guardrail %s is not shown to hold: %s", effect.Variant, goals[0].Key, g.Metric, g.Detail)
		}
	}
	return ""
}

func (r *Report) shipReason(m *MetricReport, e *Effect) string {
	reason := fmt.Sprintf("On %s, %s is %s", m.Key, e.Variant, lowerFirst(e.Decisive.Detail))
	if i := e.Decisive.Relative; i != nil {
		reason += fmt.Sprintf(" The effect is %+.3g %%, between %+.3g and %+.3g %%.", 100*i.Estimate, 100*i.Lower, 100*i.Upper)
	}
	reason += " All checks passed"
	if slices.ContainsFunc(r.Guardrails, func(g GuardrailReport) bool { return g.Variant == e.Variant }) {
		reason += " and its guardrails hold"
	}
	return reason + "."
}

// finished says whether nothing more is to be expected of an experiment.
func (r *Report) finished(e *Experiment) bool {
	a := e.analysis()
	return e.Status == Stopped || e.Status == Archived || r.people() >= a.NStar && (a.Method == FixedMethod || a.Method == GroupSequentialMethod)
}

// people is the number of people over all arms.
func (r *Report) people() (n int64) {
	for _, a := range r.Arms {
		n += a.Units
	}
	return n
}

// goals are the metrics that decide.
func (r *Report) goals() (out []*MetricReport) {
	for i := range r.Metrics {
		if r.Metrics[i].Role == GoalRole {
			out = append(out, &r.Metrics[i])
		}
	}
	return out
}

// better says whether one effect is a larger gain than another.
func (m *MetricReport) better(a, b *Effect) bool {
	gain := a.sample.absolute.Estimate - b.sample.absolute.Estimate
	if m.Direction == Decrease {
		return gain < 0
	}
	return gain > 0
}

// progress is that of the effect that is furthest from its end.
func (m *MetricReport) progress() (p *Progress) {
	for i := range m.Effects {
		if q := m.Effects[i].Progress; q != nil && (p == nil || q.Power < p.Power) {
			p = q
		}
	}
	return p
}

// dropped says whether a variant was taken out.
func (e *Experiment) dropped(variant string) bool {
	return slices.ContainsFunc(e.Variants, func(v Variant) bool { return v.Key == variant && v.Dropped })
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
