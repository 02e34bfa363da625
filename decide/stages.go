package decide

import (
	"slices"

	"quintet/experiments/assignment"
	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/bandits"
)

// validateStages checks the policies of the stages where and how.
func (p *Policy) validateStages(bad *problem.Invalid, field string, point *DecisionPoint) {
	valuing := p.compares()
	for _, stage := range [...]struct {
		name   string
		policy *Policy
	}{{"where", p.Where}, {"how", p.How}} {
		s := stage.policy
		if s == nil {
			continue
		}
		at := field + "." + stage.name
		if s.Where != nil || s.How != nil {
			bad.Add(at, "must not have stages itself", nil)
			continue
		}
		if s.compares() && valuing {
			bad.Add(at+".type", "must not be model or recommender where another stage is", s.Type)
		}
		if len(s.Exposure) > 0 {
			bad.Add(at+".exposure", "must be that of the whole policy", nil)
		}
		valuing = valuing || s.compares()
		s.validate(bad, at, point)
	}
}

// compares says whether the policy compares what actions are worth by values that are
// recorded with the decision.
func (p *Policy) compares() bool { return p.Type == PolicyModel || p.Type == PolicyRecommender }

// valuing is the stage that compares values, nil for none.
func (p *Policy) valuing() *Policy {
	for _, stage := range [...]*Policy{p, p.Where, p.How} {
		if stage != nil && stage.compares() {
			return stage
		}
	}
	return nil
}

// learning is the first stage that learns, nil for none: the model of a point is learned
// by its half-life, window and weights.
func (p *Policy) learning() *Policy {
	for _, stage := range [...]*Policy{p, p.Where, p.How} {
		if stage != nil && stage.Type == PolicyBandit {
			return stage
		}
	}
	return nil
}

// weighs says whether costs and prices have a part in what is chosen.
func (p *Policy) weighs() bool { return p.learning() != nil || p.valuing() != nil }

// fromLog says whether the policy can be applied to decisions of the log: what rules and
// values would have been is known only of decisions that were made by them.
func (p *Policy) fromLog() bool {
	return p.Where == nil && p.How == nil && p.Type != PolicyRules && !p.compares() && !p.exposesSome()
}

// notFromLog is the rule of a policy that is to be applied to decisions of the log.
const notFromLog = "must be fixed, uniform or bandit, without stages or exposure of some people: what rules and values say of a person is known only of decisions that were made by them"

// compilePolicy makes the rules of a policy and of its stages, in a copy.
func (p *point) compilePolicy(policy Policy) (Policy, error) {
	var err error
	if policy.rules, err = p.compileRules(policy.Rules); err != nil {
		return policy, err
	}
	if policy.exposure, err = p.compileExposure(policy.Exposure); err != nil {
		return policy, err
	}
	for _, stage := range [...]**Policy{&policy.Where, &policy.How} {
		if *stage == nil {
			continue
		}
		compiled, err := p.compilePolicy(**stage)
		if err != nil {
			return policy, err
		}
		*stage = &compiled
	}
	return policy, nil
}

// clone is a copy that shares nothing which decoding writes to.
func (p Policy) clone() Policy {
	if p.Exploration != nil {
		p.Exploration = new(*p.Exploration)
	}
	if p.Live != nil {
		p.Live = new(*p.Live)
	}
	p.Rules = slices.Clone(p.Rules)
	for i := range p.Rules {
		p.Rules[i].Actions, p.Rules[i].When = slices.Clone(p.Rules[i].Actions), slices.Clone(p.Rules[i].When)
	}
	p.Exposure = slices.Clone(p.Exposure)
	for i := range p.Exposure {
		e := &p.Exposure[i]
		e.Actions, e.When = slices.Clone(e.Actions), slices.Clone(e.When)
		if e.Most != nil {
			e.Most = new(*e.Most)
		}
	}
	for _, stage := range [...]**Policy{&p.Where, &p.How} {
		if *stage != nil {
			*stage = new((*stage).clone())
		}
	}
	return p
}

// names are the attributes that the rules of the policy read.
func (p *Policy) names() (out []string) {
	for _, stage := range [...]*Policy{p, p.Where, p.How} {
		if stage == nil {
			continue
		}
		for i := range stage.rules {
			if when := stage.rules[i].when; when != nil {
				out = append(out, when.Names()...)
			}
		}
	}
	for i := range p.exposure {
		if when := p.exposure[i].when; when != nil {
			out = append(out, when.Names()...)
		}
	}
	return out
}

// staged is what the policy makes of the candidates of a record, in all its stages and
// within its bounds, with the version of the model that it used.
func staged(p *point, policy Policy, snapshot *models.Snapshot, rec *Record, s assignment.Subject, sc *scratch) (bandits.Distribution, int64, error) {
	d, version, err := composed(p, policy, snapshot, rec, s, sc)
	if err == nil && len(policy.exposure) > 0 {
		err = p.expose(&policy, &d, rec, s, sc)
	}
	return d, version, err
}

// composed is [distribute] with stages that have policies of their own: the offer is drawn
// by the policy, the channel by that of where given the offer, the creative by that of
// how given both. Each computes its whole distribution over the candidates, of which its
// stage takes the conditional one; where it gives an offer or channel nothing, what is
// left of that is even. So the probabilities of the stages are exact, and multiply.
func composed(p *point, policy Policy, snapshot *models.Snapshot, rec *Record, s assignment.Subject, sc *scratch) (bandits.Distribution, int64, error) {
	d, version, err := distribute(p, policy, snapshot, rec, s, sc)
	if err != nil || policy.Where == nil && policy.How == nil {
		return d, version, err
	}
	n := len(rec.Candidates)
	q := &sc.stages
	q[0] = append(q[0][:0], d.Q...)
	for i, stage := range [...]*Policy{policy.Where, policy.How} {
		if stage == nil {
			q[i+1] = append(q[i+1][:0], q[0]...)
			continue
		}
		d, used, err := distribute(p, *stage, snapshot, rec, s, sc)
		if err != nil {
			return d, 0, err
		}
		version = max(version, used)
		q[i+1] = append(q[i+1][:0], d.Q...)
	}
	out := slices.Grow(sc.composed[:0], n)[:n]
	sc.composed = out
	// Candidates are in the order of offers, channels and creatives.
	for from := 0; from < n; {
		offer := p.actions[sc.actions[from]].offerKey
		end, channels := from, 0
		what, within := 0.0, 0.0
		for last := ""; end < n && p.actions[sc.actions[end]].offerKey == offer; end++ {
			if c := p.actions[sc.actions[end]].chanKey; end == from || c != last {
				channels, last = channels+1, c
			}
			what += q[0][end]
			within += q[1][end]
		}
		for at := from; at < end; {
			channel := p.actions[sc.actions[at]].chanKey
			stop, where, how := at, 0.0, 0.0
			for ; stop < end && p.actions[sc.actions[stop]].chanKey == channel; stop++ {
				where += q[1][stop]
				how += q[2][stop]
			}
			share := 1 / float64(channels)
			if within > 0 {
				share = where / within
			}
			for i := at; i < stop; i++ {
				if how > 0 {
					out[i] = what * share * (q[2][i] / how)
				} else {
					out[i] = what * share / float64(stop-at)
				}
			}
			at = stop
		}
		from = end
	}
	sum := 0.0
	for _, x := range out {
		sum += x
	}
	for i := range out {
		out[i] /= sum
	}
	return bandits.Distribution{P: out, Q: out}, version, bandits.CheckDistribution(out, 0)
}
