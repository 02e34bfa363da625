package decide

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/experiments"
	"quintet/internal/definitions"
	"quintet/models"
)

// ReplayResult tells whether a stored decision, computed again from the
// definitions and the model of its time, is the same to the last bit.
type ReplayResult struct {
	Possible    bool     `json:"possible" doc:"False for decisions that another system made, and for those about a person who was erased"`
	Agrees      bool     `json:"agrees" doc:"Whether group, features, every probability, the draw and the action are the same bit for bit"`
	Differences []string `json:"differences" doc:"What differs, or why the replay is not possible" nullable:"false"`
}

// Replay computes a decision again. Which actions were open at that moment is what
// the record says, as offers, channels and the profile have no part in the version
// of the decision point; that its candidates and removed actions are together all
// actions of the point is checked. The contact cost and the items of the answer,
// which depend on the offer, the channel and the stock, are not.
func (s *Service) Replay(ctx context.Context, rec *Record) (ReplayResult, error) {
	if rec.Policy == policyExternal {
		return ReplayResult{Differences: []string{"the decision was made by another system"}}, nil
	}
	if rec.Source == sourceErased {
		return ReplayResult{Differences: []string{"the person was erased, and with them what the decision knew of them"}}, nil
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
		DecisionID: rec.DecisionID, Class: p.def.Class, Candidates: rec.Candidates,
		Context: rec.Context, Traits: rec.Traits, Group: GroupTreated, Eligible: true,
	}
	// The id of a decision holds the time at which it was made.
	if id, err := ulid.ParseStrict(rec.DecisionID); err == nil {
		again.DecidedAt = ulid.Time(id.Time()).UTC()
	}
	again.SendAt = again.DecidedAt
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
	if rec.Group != GroupHoldout && !p.coveredBy(rec, policy) {
		differences = append(differences, "candidates: together with the removed actions they are not the actions of the decision point")
	}
	return ReplayResult{Possible: true, Agrees: len(differences) == 0, Differences: differences}, nil
}

// regroup assigns the person again, by the versions that the record names.
func (s *Service) regroup(ctx context.Context, p *point, rec, again *Record) (Policy, error) {
	policy := p.def.Policy
	again.Policy = policy.Type
	trials := rec.Experiments
	if p.def.Class == ClassAdvertising {
		// Also where the record lacks it: that is a difference.
		universal := Enrolment{Key: experiments.UniversalExperiment}
		if len(trials) > 0 && trials[0].Key == universal.Key {
			universal.Version, trials = trials[0].Version, trials[1:]
		}
		var err error
		if universal.Variant, err = s.reholdout(ctx, rec.ProfileID, universal.Version); err != nil {
			return Policy{}, err
		}
		again.Experiments = append(again.Experiments, universal)
		if universal.Variant == experiments.HoldoutVariant {
			again.Group, again.Eligible, again.Policy, again.Reasons = GroupHoldout, false, "none", []string{experiments.UniversalExperiment}
			again.Candidates = nil
			return policy, nil
		}
	}
	for _, e := range trials {
		if e.Key == experiments.UniversalExperiment {
			continue // misplaced, which is a difference
		}
		v, err := s.trials.Definitions().AtVersion(ctx, e.Key, e.Version)
		if err != nil {
			return Policy{}, fmt.Errorf("loading experiment %s version %d: %w", e.Key, e.Version, err)
		}
		s.compileOverrides(p, v)
		var enrolments []Enrolment
		var control bool
		var over Policy
		over, enrolments, control = assign(experiments.Compile(experiments.Sources{Experiments: map[string]definitions.Versioned[experiments.Experiment]{e.Key: v}}), p, rec.ProfileID, nil)
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

// reholdout is the variant of the universal holdout by its definition of a version,
// 0 for the time before there was one.
func (s *Service) reholdout(ctx context.Context, profileID string, version int64) (string, error) {
	var h experiments.Holdout
	if version > 0 {
		v, err := s.trials.Holdouts().AtVersion(ctx, experiments.UniversalHoldout, version)
		if err != nil {
			return "", fmt.Errorf("loading the universal holdout's version %d: %w", version, err)
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

// coveredBy says whether the candidates and the removed actions of a record are all
// actions of the point, each once and in their order.
func (p *point) coveredBy(rec *Record, policy Policy) bool {
	candidates, removed := rec.Candidates, rec.Removed
	for i := range p.actions {
		id := p.actions[i].id
		switch {
		case id == NoneAction && !p.offersNone(policy):
		case len(candidates) > 0 && candidates[0] == id:
			candidates = candidates[1:]
		case len(removed) > 0 && removed[0].Action == id && id != NoneAction && slices.Contains(removalRules, removed[0].Rule):
			removed = removed[1:]
		default:
			return false
		}
	}
	return len(candidates)+len(removed) == 0
}

// compare lists what differs between a record and its replay.
func compare(rec, again *Record) []string {
	out := []string{}
	differ := func(same bool, what string, was, is any) {
		if !same {
			out = append(out, fmt.Sprintf("%s: recorded %v, replayed %v", what, was, is))
		}
	}
	differ(rec.DecidedAt.Equal(again.DecidedAt), "time", rec.DecidedAt.Format(time.RFC3339Nano), again.DecidedAt.Format(time.RFC3339Nano))
	differ(rec.SendAt.Equal(again.SendAt), "time of sending", rec.SendAt.Format(time.RFC3339Nano), again.SendAt.Format(time.RFC3339Nano))
	differ(rec.Class == again.Class, "class", rec.Class, again.Class)
	differ(rec.Group == again.Group, "group", rec.Group, again.Group)
	differ(rec.Eligible == again.Eligible, "eligible", rec.Eligible, again.Eligible)
	differ(slices.Equal(rec.Reasons, again.Reasons), "reasons", rec.Reasons, again.Reasons)
	differ(rec.Policy == again.Policy, "policy", rec.Policy, again.Policy)
	differ(slices.Equal(rec.Experiments, again.Experiments), "experiments", rec.Experiments, again.Experiments)
	differ(slices.Equal(rec.Candidates, again.Candidates), "candidates", rec.Candidates, again.Candidates)
	differ(slices.Equal(rec.FeatureIndex, again.FeatureIndex), "features", rec.FeatureIndex, again.FeatureIndex)
	differ(sameBits(rec.FeatureValue, again.FeatureValue), "values of features", rec.FeatureValue, again.FeatureValue)
	differ(rec.ModelVersion == again.ModelVersion, "model version", rec.ModelVersion, again.ModelVersion)
	differ(sameBits(rec.Probabilities, again.Probabilities), "probabilities", rec.Probabilities, again.Probabilities)
	differ(sameBits([]float64{rec.Draw}, []float64{again.Draw}), "draw", rec.Draw, again.Draw)
	differ(sameBits([]float64{rec.Propensity}, []float64{again.Propensity}), "propensity", rec.Propensity, again.Propensity)
	differ(sameBits(rec.Propensities.list(), again.Propensities.list()), "propensities", rec.Propensities, again.Propensities)
	was := []string{rec.Action, rec.Offer, rec.Channel, rec.Creative}
	is := []string{again.Action, again.Offer, again.Channel, again.Creative}
	differ(slices.Equal(was, is), "action", was, is)
	return out
}

func (p Propensities) list() []float64 { return []float64{p.What, p.Where, p.When, p.How} }

func sameBits(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
}
