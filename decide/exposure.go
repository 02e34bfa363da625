package decide

import (
	"fmt"
	"slices"

	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/internal/problem"
	"quintet/models/bandits"
)

// maxExposures bounds what a policy is bounded by.
const maxExposures = 50

// Exposure bounds how probable actions are, together or each, whatever a policy makes of
// them. An action belongs to the first of a policy's bounds that has the person and it.
type Exposure struct {
	Rule
	Least float64  `json:"least,omitempty" minimum:"0" maximum:"1" doc:"Probability that the actions have together at least, while one of them is eligible; 0 unless set"`
	Most  *float64 `json:"most,omitempty" minimum:"0" maximum:"1" doc:"Probability that they have together at most, while another is eligible; 1 unless set"`
	Each  float64  `json:"each,omitempty" minimum:"0" maximum:"1" doc:"Probability that each of them has at least; 0 unless set"`
}

// compiledExposure is a bound for the actions of a point.
type compiledExposure struct {
	when   *condition.Condition // nil for everybody
	asks   []bool               // by the index of the action
	bounds bandits.Exposure
	each   float64
}

func validateExposure(bad *problem.Invalid, field string, list []Exposure, point *DecisionPoint) {
	if len(list) > maxExposures {
		bad.Add(field, "must have at most "+itoa(maxExposures)+" entries", len(list))
		return
	}
	rules, least := make([]Rule, len(list)), 0.0
	for i := range list {
		at, e := field+"["+itoa(i)+"]", &list[i]
		rules[i] = e.Rule
		most := 1.0
		if e.Most != nil {
			most = *e.Most
		}
		if !(e.Least >= 0 && e.Least <= 1) {
			bad.Add(at+".least", "must be from 0 to 1", nil)
		}
		if !(most >= 0 && most <= 1) {
			bad.Add(at+".most", "must be from 0 to 1", nil)
		}
		if !(e.Each >= 0 && e.Each <= 1) {
			bad.Add(at+".each", "must be from 0 to 1", nil)
		}
		if e.Least > most {
			bad.Add(at+".least", "must not be above most", nil)
		}
		if e.Least == 0 && e.Most == nil && e.Each == 0 {
			bad.Add(at, "must have least, most or each", nil)
		}
		if len(e.When) == 0 {
			least += e.Least
		}
	}
	if least > 1+1e-9 {
		bad.Add(field, "must not ask for more than 1 in all for everybody, but least comes to", least)
	}
	if len(rules) > 0 {
		validateRules(bad, field, rules, point)
	}
}

// compileExposure makes the bounds for the actions of the point.
func (p *point) compileExposure(list []Exposure) ([]compiledExposure, error) {
	out := make([]compiledExposure, len(list))
	for i := range list {
		e := &list[i]
		rules, err := p.compileRules([]Rule{e.Rule})
		if err != nil {
			return nil, fmt.Errorf("compiling bounds %d of exposure: %w", i+1, err)
		}
		out[i] = compiledExposure{when: rules[0].when, asks: rules[0].asks, bounds: bandits.Exposure{Least: e.Least, Most: 1}, each: e.Each}
		if e.Most != nil {
			out[i].bounds.Most = *e.Most
		}
	}
	return out, nil
}

// exposesSome says whether a bound of the policy is not for everybody.
func (p *Policy) exposesSome() bool {
	return slices.ContainsFunc(p.Exposure, func(e Exposure) bool { return len(e.When) > 0 })
}

// bounding is the room in which candidates are put in groups.
type bounding struct {
	holds   []bool // which bounds have the person
	minimum []float64
	group   []int
	limits  []bandits.Exposure
}

// expose moves a distribution of the policy into its bounds.
func (p *point) expose(policy *Policy, d *bandits.Distribution, rec *Record, s assignment.Subject, sc *scratch) error {
	b, n := &sc.bounding, len(rec.Candidates)
	b.holds, b.limits = b.holds[:0], b.limits[:0]
	for i := range policy.exposure {
		e := &policy.exposure[i]
		b.holds = append(b.holds, e.when == nil || s != nil && e.when.Matches(s, nil))
		b.limits = append(b.limits, e.bounds)
	}
	b.minimum = slices.Grow(b.minimum[:0], n)[:n]
	b.group = slices.Grow(b.group[:0], n)[:n]
	for i, id := range rec.Candidates {
		b.minimum[i], b.group[i] = 0, -1
		a, ok := p.byID[id]
		if !ok {
			continue // of an older version, in the log
		}
		for j := range policy.exposure {
			if e := &policy.exposure[j]; b.holds[j] && e.asks[a] {
				b.minimum[i], b.group[i] = e.each, j
				break
			}
		}
	}
	d.Floor = policy.floor()
	if policy.mixes() && d.Floor < 1 {
		// What the floor added is taken off, as it comes on top of what is bounded.
		for i, q := range d.P {
			d.P[i] = max((q-d.Floor/float64(n))/(1-d.Floor), 0)
		}
	}
	return sc.workspace.Bound(d, bandits.Bounds{Minimum: b.minimum, Group: b.group, Exposures: b.limits})
}

// floor is the share of exploration that bounds leave alone. A policy that is even by
// itself explores nothing, and stages have floors of their own.
func (p *Policy) floor() float64 {
	if p.Where != nil || p.How != nil || p.Exploration == nil || p.Type == PolicyFixed || p.Type == PolicyUniform {
		return 0
	}
	return *p.Exploration
}

// mixes says whether the distribution of the policy has the floor in it before its bounds.
func (p *Policy) mixes() bool {
	return p.Where == nil && p.How == nil && (p.Type == PolicyRules || p.compares())
}
