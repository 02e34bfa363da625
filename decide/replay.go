package decide

import (
	"context"
	"fmt"
	"math"
	"slices"

	"quintet/experiments"
	"quintet/internal/definitions"
	"quintet/models"
)

// ReplayResult tells whether a stored decision, computed again from the
// definitions and the model of its time, is the same to the last bit.
type ReplayResult struct {
	Possible    bool     `json:"possible" doc:"False for decisions that another system made"`
	Agrees      bool     `json:"agrees" doc:"Whether group, features, every probability, the draw and the action are the same bit for bit"`
	Differences []string `json:"differences" doc:"What differs, or why the replay is not possible" nullable:"false"`
}

// Replay computes a decision again. The candidates are taken from the record:
// which offers and channels were open at that moment is what the record says.
func (s *Service) Replay(ctx context.Context, rec *Record) (ReplayResult, error) {
	if rec.Policy == policyExternal {
		return ReplayResult{Differences: []string{"the decision was made by another system"}}, nil
	}
	v, err := s.points.AtVersion(ctx, rec.Decision, rec.PointVersion)
	if err != nil {
		return ReplayResult{}, fmt.Errorf("loading decision point %s version %d: %w", rec.Decision, rec.PointVersion, err)
	}
	p, err := compilePoint(v, nil, nil)
	if err != nil {
		return ReplayResult{}, err
	}
	again := &Record{
		DecisionID: rec.DecisionID, DecidedAt: rec.DecidedAt, Candidates: rec.Candidates,
		Context: rec.Context, Traits: rec.Traits, Group: GroupTreated, Eligible: true,
	}
	policy, err := s.regroup(ctx, p, rec, again)
	if err != nil {
		return ReplayResult{}, err
	}
	if again.Eligible && len(rec.Candidates) > 0 {
		if err := s.redraw(ctx, p, policy, rec, again); err != nil {
			return ReplayResult{}, err
		}
	} else if again.Eligible {
		again.Eligible, again.Reasons = false, []string{fallbackNoAction}
	}
	differences := compare(rec, again)
	return ReplayResult{Possible: true, Agrees: len(differences) == 0, Differences: differences}, nil
}

// regroup assigns the person again, by the versions that the record names.
func (s *Service) regroup(ctx context.Context, p *point, rec, again *Record) (Policy, error) {
	policy := p.def.Policy
	again.Policy = policy.Type
	for _, e := range rec.Experiments {
		if e.Key == experiments.UniversalExperiment {
			variant, err := s.reholdout(ctx, rec.ProfileID, e)
			if err != nil {
				return Policy{}, err
			}
			again.Experiments = append(again.Experiments, Enrolment{Key: e.Key, Variant: variant, Version: e.Version})
			if variant == experiments.HoldoutVariant {
				again.Group, again.Eligible, again.Policy, again.Reasons = GroupHoldout, false, "none", []string{experiments.UniversalExperiment}
				return policy, nil
			}
			continue
		}
		v, err := s.trials.Definitions().AtVersion(ctx, e.Key, e.Version)
		if err != nil {
			return Policy{}, fmt.Errorf("loading experiment %s version %d: %w", e.Key, e.Version, err)
		}
		s.compileOverrides(p, v)
		var enrolments []Enrolment
		var control bool
		var over Policy
		over, enrolments, control = assign(experiments.Compile(map[string]definitions.Versioned[experiments.Experiment]{e.Key: v}), p, rec.ProfileID)
		again.Experiments = append(again.Experiments, enrolments...)
		if control {
			again.Group = GroupControl
		}
		if len(enrolments) > 0 {
			policy = over
		}
	}
	again.Policy = policy.Type
	return policy, nil
}

func (s *Service) reholdout(ctx context.Context, profileID string, e Enrolment) (string, error) {
	var h experiments.Holdout
	if e.Version > 0 {
		v, err := s.trials.Holdouts().AtVersion(ctx, experiments.UniversalHoldout, e.Version)
		if err != nil {
			return "", fmt.Errorf("loading the universal holdout's version %d: %w", e.Version, err)
		}
		h = v.Value
	}
	if h.Holds(profileID) {
		return experiments.HoldoutVariant, nil
	}
	return experiments.TreatedVariant, nil
}

// redraw encodes, distributes and draws again.
func (s *Service) redraw(ctx context.Context, p *point, policy Policy, rec, again *Record) error {
	sc := s.scratch.Get().(*scratch)
	defer s.scratch.Put(sc)
	sc.actions = sc.actions[:0]
	for _, id := range rec.Candidates {
		i, ok := p.byID[id]
		if !ok {
			return fmt.Errorf("replaying decision %s: %q is not an action of version %d of decision point %s", rec.DecisionID, id, p.version, p.key)
		}
		sc.actions = append(sc.actions, i)
	}
	// An error here is what the decision met as well: it then had no features.
	_ = p.encode(again, sc)
	var snapshot *models.Snapshot
	if rec.ModelVersion > 0 {
		var err error
		if snapshot, err = s.models.AtVersion(ctx, rec.Decision, rec.ModelVersion); err != nil {
			return fmt.Errorf("loading model %d of decision point %s: %w", rec.ModelVersion, rec.Decision, err)
		}
	}
	return choose(p, policy, snapshot, again, sc)
}

// compare lists what differs between a record and its replay.
func compare(rec, again *Record) []string {
	out := []string{}
	differ := func(what string, was, is any) {
		out = append(out, fmt.Sprintf("%s: recorded %v, replayed %v", what, was, is))
	}
	if rec.Group != again.Group {
		differ("group", rec.Group, again.Group)
	}
	if rec.Eligible != again.Eligible {
		differ("eligible", rec.Eligible, again.Eligible)
	}
	if rec.Policy != again.Policy {
		differ("policy", rec.Policy, again.Policy)
	}
	if !slices.Equal(rec.Experiments, again.Experiments) {
		differ("experiments", rec.Experiments, again.Experiments)
	}
	if !slices.Equal(rec.FeatureIndex, again.FeatureIndex) || !sameBits(rec.FeatureValue, again.FeatureValue) {
		differ("features", rec.FeatureIndex, again.FeatureIndex)
	}
	if rec.ModelVersion != again.ModelVersion {
		differ("model version", rec.ModelVersion, again.ModelVersion)
	}
	if !sameBits(rec.Probabilities, again.Probabilities) {
		differ("probabilities", rec.Probabilities, again.Probabilities)
	}
	was := []float64{rec.Draw, rec.Propensity, rec.Propensities.What, rec.Propensities.Where, rec.Propensities.When, rec.Propensities.How}
	is := []float64{again.Draw, again.Propensity, again.Propensities.What, again.Propensities.Where, again.Propensities.When, again.Propensities.How}
	if !sameBits(was, is) {
		differ("draw and propensities", was, is)
	}
	if rec.Action != again.Action {
		differ("action", rec.Action, again.Action)
	}
	return out
}

func sameBits(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
}
