package decide

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/internal/problem"
)

// Reasons why somebody is not eligible, beside those of fall-backs and holdouts.
const (
	reasonAudience = "audience" // the audience of the decision point does not match
	reasonShadow   = "shadow"   // the decision point only watches
)

// parseCondition is nil for no condition.
func parseCondition(source json.RawMessage) (*condition.Condition, error) {
	if len(source) == 0 || string(source) == "null" {
		return nil, nil
	}
	return condition.Parse(source)
}

func checkCondition(bad *problem.Invalid, field string, source json.RawMessage) {
	if len(source) > condition.MaxBytes {
		bad.Add(field, "is too long", len(source))
		return
	}
	if _, err := parseCondition(source); err != nil {
		bad.Add(field, "must be a condition: "+err.Error(), nil)
	}
}

// reads are the attributes that audiences at the point read: those of experiments, its
// own, and those of rules.
func (p *point) reads(plan *experiments.Plan) []string {
	names := slices.Concat(plan.Reads(p.key), p.def.Policy.names())
	if p.who != nil {
		names = append(names, p.who.Names()...)
	}
	for _, policy := range p.overrides {
		names = append(names, policy.names()...)
	}
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	delete(all, attributeContext)
	return slices.Sorted(maps.Keys(all))
}

// admits says whether the audience of the point has the person; if not, the record says so.
func (p *point) admits(s assignment.Subject, rec *Record) bool {
	if p.who == nil || p.who.Matches(s, nil) {
		return true
	}
	rec.Group, rec.Eligible, rec.Policy, rec.Reasons = GroupTreated, false, "none", []string{reasonAudience}
	return false
}

// overshadow keeps the decision of a point that only watches from being acted on.
func (p *point) overshadow(rec *Record) {
	if p.def.Shadow {
		rec.Eligible, rec.Reasons = false, []string{reasonShadow}
	}
}

// picky says whether it has to be asked whom and when the offer suits.
func (a *action) picky() bool {
	return a.suits != nil || a.offer != nil && (a.offer.Stocked || a.offer.Codes != "")
}

// suitable says whether the offer is for the person and can be had, and if not, by which rule.
func (s *Service) suitable(a *action, subject *subject, at time.Time) (rule string, ok bool) {
	if a.suits != nil && !a.suits.Matches(subject, nil) {
		return ruleNotApplicable, false
	}
	if a.offer.Stocked && !slices.ContainsFunc(a.offer.Items, s.inStock) {
		return ruleOutOfStock, false
	}
	if a.offer.Codes != "" {
		if rule := s.withoutCodes(a.offer, at); rule != "" {
			return rule, false
		}
	}
	return "", true
}
