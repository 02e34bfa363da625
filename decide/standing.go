package decide

import (
	"context"
	"slices"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/internal/problem"
)

// Groups sets people aside from a bandit, by a fixed hash, so that what it brings can
// be measured against chance and against what there was before.
type Groups struct {
	Random          float64 `json:"random" minimum:"0" maximum:"0.5" doc:"Share of people for whom every action is as probable as any other"`
	BusinessAsUsual float64 `json:"businessAsUsual" minimum:"0" maximum:"0.5" doc:"Share of people who get the default action"`
	Yield           bool    `json:"yield,omitempty" doc:"Whoever takes part in an experiment here is in no group; otherwise whoever is in the random or the business-as-usual group takes part in no experiment. True for groups that nobody asked for"`
}

// defaultGroupShare is the share of either group at a new decision point that learns.
const defaultGroupShare = 0.05

func (g *Groups) validate(bad *problem.Invalid) {
	if g == nil {
		return
	}
	for _, f := range [...]struct {
		name  string
		value float64
	}{{"groups.random", g.Random}, {"groups.businessAsUsual", g.BusinessAsUsual}} {
		if !(f.value >= 0 && f.value <= 0.5) {
			bad.Add(f.name, "must be between 0 and 0.5", f.value)
		}
	}
}

// Reasons why somebody who is not held out is in no experiment of a point.
const (
	asideRandom   assignment.Reason = "group:" + experiments.RandomVariant
	asideBusiness assignment.Reason = "group:" + experiments.BusinessVariant
)

// standing is where a person is before experiments are asked.
type standing struct {
	held      string            // key of the experiment whose holdout has the person; empty when none has
	universal bool              // whether that is the universal one
	aside     assignment.Reason // why no experiment has them; empty when they may
}

// stand finds out on which side of the holdouts a person is and adds what that enrols
// them in.
func (p *point) stand(profileID string, out []Enrolment) (standing, []Enrolment) {
	var st standing
	for _, h := range p.holdouts {
		side := h.Side(profileID)
		variant := experiments.TreatedVariant
		if side == assignment.Held {
			variant = experiments.HoldoutVariant
		}
		out = append(out, Enrolment{Key: h.Exposure, Variant: variant, Version: h.Version})
		if side == assignment.Outside {
			continue
		}
		if h.Comparison.To > h.Comparison.From {
			if side == assignment.Comparison {
				variant = experiments.ComparisonVariant
			}
			out = append(out, Enrolment{Key: h.ComparisonExposure, Variant: variant, Version: h.Version})
		}
		st.aside = h.Reason(side)
		if side == assignment.Held {
			st.held, st.universal = h.Exposure, h.Key == experiments.UniversalHoldout
			break
		}
	}
	return st, out
}

// group draws the group of a person, enrols them in it and gives its policy, and why
// experiments have nobody of it.
func (p *point) group(rec *Record) (Policy, assignment.Reason) {
	variant, policy, aside := experiments.BanditVariant, p.def.Policy, assignment.ByHash
	switch p.groups.Part(rec.ProfileID) {
	case assignment.First:
		variant, policy, aside = experiments.RandomVariant, Policy{Type: PolicyUniform}, asideRandom
	case assignment.Last:
		variant, policy, aside = experiments.BusinessVariant, Policy{Type: PolicyFixed, Action: p.def.DefaultAction}, asideBusiness
		rec.Group = GroupControl
	}
	rec.Experiments = append(rec.Experiments, Enrolment{Key: p.groups.Salt, Variant: variant, Version: p.version})
	return policy, aside
}

// yields says whether experiments come before the groups.
func (p *point) yields() bool { return p.groups != nil && p.def.Groups.Yield }

// compileGroups makes the groups of a point whose policy learns.
func (p *point) compileGroups() {
	g := p.def.Groups
	if g != nil && p.def.Policy.learning() != nil && (g.Random > 0 || g.BusinessAsUsual > 0) {
		p.groups = p.pointGroups().Compile(p.key)
	}
}

func (p *point) pointGroups() experiments.PointGroups {
	return experiments.PointGroups{Random: p.def.Groups.Random, BusinessAsUsual: p.def.Groups.BusinessAsUsual, Advertising: p.def.Class == ClassAdvertising, Yield: p.def.Groups.Yield}
}

// Groups are the groups of a decision point; false when it has none.
func (s *Service) Groups(decisionPoint string) (experiments.PointGroups, bool) {
	p, ok := s.state.Load().points[decisionPoint]
	if !ok || p.groups == nil {
		return experiments.PointGroups{}, false
	}
	return p.pointGroups(), true
}

// respects are the holdouts that a point of a plan respects, the universal one first.
func (p *point) respects(plan *experiments.Plan) []*assignment.Holdout {
	var out []*assignment.Holdout
	if p.def.Class == ClassAdvertising {
		universal := plan.Holdout(experiments.UniversalHoldout)
		if universal == nil { // deleted: nobody is held out
			universal = assignment.NewHoldout(assignment.Holdout{Key: experiments.UniversalHoldout, Exposure: experiments.UniversalExperiment, ComparisonExposure: experiments.UniversalComparison})
		}
		out = append(out, universal)
		for _, key := range p.def.Holdouts {
			if h := plan.Holdout(key); h != nil {
				out = append(out, h)
			}
		}
	}
	return out
}

// maxHoldouts is the most named holdouts that a point respects.
const maxHoldouts = 10

// checkStanding checks the holdouts of a point and sets groups where it becomes a
// bandit and says nothing of them. Those yield to experiments, so that nobody leaves
// one for a group that nobody asked for.
func (s *Service) checkStanding(key string, p *DecisionPoint, bad *problem.Invalid) {
	for i, h := range p.Holdouts {
		at := "holdouts[" + itoa(i) + "]"
		switch _, ok := s.trials.Holdouts().Get(h); {
		case h == experiments.UniversalHoldout:
			bad.Add(at, "must be a named one: advertising respects the universal holdout anyway", h)
		case !ok:
			bad.Add(at, "must be the key of a holdout", h)
		case slices.Contains(p.Holdouts[:i], h):
			bad.Add(at, "must be unique", h)
		}
	}
	if p.Groups != nil || p.Policy.learning() == nil {
		return
	}
	was, exists := s.points.Get(key)
	switch {
	case exists && was.Value.Policy.learning() != nil:
		p.Groups = was.Value.Groups
	default:
		p.Groups = &Groups{Random: defaultGroupShare, BusinessAsUsual: defaultGroupShare, Yield: true}
	}
}

// PointAt is what came before experiments at a decision point at a moment; false when
// there was no such point.
func (s *Service) PointAt(ctx context.Context, decisionPoint string, at time.Time) (experiments.PointStanding, bool, error) {
	v, ok, err := s.points.AtTime(ctx, decisionPoint, at)
	if err != nil || !ok {
		return experiments.PointStanding{}, false, err
	}
	p := point{key: v.Key, def: v.Value}
	p.compileGroups()
	st := experiments.PointStanding{Advertising: p.def.Class == ClassAdvertising, Holdouts: p.def.Holdouts}
	if p.groups != nil {
		g := p.pointGroups()
		st.Groups = &g
	}
	return st, true, nil
}
