package decide

import (
	"encoding/json"
	"fmt"
	"strings"

	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/internal/problem"
	"quintet/models/bandits"
)

// Limits of the rules of a policy.
const (
	maxRules       = 100
	maxRuleActions = 200
)

// Rule is one line of a policy of rules: for whom it is, and what they get.
type Rule struct {
	Name    string          `json:"name,omitempty" maxLength:"200" doc:"What the rule is for, for people who read it"`
	When    json.RawMessage `json:"when,omitempty" doc:"Condition on the person and the context, as of audiences; everybody unless set"`
	Actions []string        `json:"actions" nullable:"false" doc:"Actions that it asks for, one as good as the other: offer/channel/creative, any part of which may be *, or none"`
}

// compiledRule is a rule for the actions of a point.
type compiledRule struct {
	when *condition.Condition // nil for everybody
	asks []bool               // by the index of the action
}

func validateRules(bad *problem.Invalid, field string, rules []Rule, point *DecisionPoint) {
	if len(rules) == 0 || len(rules) > maxRules {
		bad.Add(field, "must have 1 to "+itoa(maxRules)+" entries", len(rules))
		return
	}
	for i := range rules {
		at, r := field+"["+itoa(i)+"]", &rules[i]
		checkText(bad, at+".name", r.Name, maxName)
		checkCondition(bad, at+".when", r.When)
		if len(r.Actions) == 0 || len(r.Actions) > maxRuleActions {
			bad.Add(at+".actions", "must have 1 to "+itoa(maxRuleActions)+" entries", len(r.Actions))
			continue
		}
		for j, pattern := range r.Actions {
			if !point.hasLike(pattern) {
				bad.Add(at+".actions["+itoa(j)+"]", "must be none or an offer/channel/creative of this decision point, any part of which may be *", problem.Clip(pattern))
			}
		}
	}
}

// hasLike says whether an action of the point is of a pattern.
func (p *DecisionPoint) hasLike(pattern string) bool {
	if pattern == NoneAction {
		return true
	}
	parts := strings.Split(pattern, "/")
	return len(parts) == 3 && (parts[0] == "*" && len(p.Offers) > 0 || contains(p.Offers, parts[0])) &&
		(parts[1] == "*" && len(p.Channels) > 0 || contains(p.Channels, parts[1])) && (parts[2] == "*" || containsCreative(p.Creatives, parts[2]))
}

// compileRules makes them of the definition; it returns an error where a condition
// cannot be read.
func (p *point) compileRules(rules []Rule) ([]compiledRule, error) {
	out := make([]compiledRule, len(rules))
	for i, r := range rules {
		when, err := parseCondition(r.When)
		if err != nil {
			return nil, fmt.Errorf("compiling rule %d: %w", i+1, err)
		}
		out[i] = compiledRule{when: when, asks: make([]bool, len(p.actions))}
		for j := range p.actions {
			for _, pattern := range r.Actions {
				if p.actions[j].like(pattern) {
					out[i].asks[j] = true
					break
				}
			}
		}
	}
	return out, nil
}

// like says whether the action is of a pattern.
func (a *action) like(pattern string) bool {
	if a.id == NoneAction || pattern == NoneAction {
		return a.id == pattern
	}
	offer, rest, _ := strings.Cut(pattern, "/")
	channel, creative, _ := strings.Cut(rest, "/")
	return (offer == "*" || offer == a.offerKey) && (channel == "*" || channel == a.chanKey) && (creative == "*" || creative == a.creative.Key)
}

// follow gives what the first rule asks for that has the person and of whose actions one
// is left, each with the same probability; where there is no such rule it is the default
// action. It writes the distribution without exploration.
func (p *point) follow(policy *Policy, rec *Record, actions []int, s assignment.Subject, out []float64) {
	clear(out)
	for i := range policy.rules {
		r := &policy.rules[i]
		n := 0
		for _, a := range actions {
			if r.asks[a] {
				n++
			}
		}
		if n == 0 || r.when != nil && !r.when.Matches(s, nil) {
			continue
		}
		for j, a := range actions {
			if r.asks[a] {
				out[j] = 1 / float64(n)
			}
		}
		return
	}
	p.settle(policy, rec, out)
}

// settle gives the policy's own action, or the default one, the whole probability.
func (p *point) settle(policy *Policy, rec *Record, out []float64) {
	want := fixedAction(p, *policy, rec.Candidates)
	for j, id := range rec.Candidates {
		if id == want {
			out[j] = 1
			return
		}
	}
}

// explored mixes exploration into a distribution.
func explored(policy *Policy, d []float64) (bandits.Distribution, error) {
	share := 0.0
	if policy.Exploration != nil {
		share = *policy.Exploration
	}
	if err := bandits.Floor(d, share, d); err != nil {
		return bandits.Distribution{}, err
	}
	return bandits.Distribution{P: d, Q: d, Floor: share}, nil
}
