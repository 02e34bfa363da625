package decide

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/experiments"
	"quintet/experiments/assignment"
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
		DecisionID: rec.DecisionID, ProfileID: rec.ProfileID, Class: p.def.Class, Candidates: rec.Candidates,
		Context: rec.Context, Traits: rec.Traits, Group: GroupTreated, Eligible: true,
	}
	// The id of a decision holds the time at which it was made.
	if id, err := ulid.ParseStrict(rec.DecisionID); err == nil {
		again.DecidedAt = ulid.Time(id.Time()).UTC()
	}
	again.Values = rec.Values
	again.SendAt, again.Charges, again.Slots, again.SlotProbabilities = again.DecidedAt, rec.Charges, rec.Slots, rec.SlotProbabilities
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
	if rec.Group != GroupHoldout && !slices.Contains(rec.Reasons, reasonAudience) && !p.coveredBy(rec, policy) {
		differences = append(differences, "candidates: together with the removed actions they are not the actions of the decision point")
	}
	return ReplayResult{Possible: true, Agrees: len(differences) == 0, Differences: differences}, nil
}

// regroup assigns the person again, by the versions that the record names.
func (s *Service) regroup(ctx context.Context, p *point, rec, again *Record) (Policy, error) {
	plan, err := s.planOf(ctx, p, rec)
	if err != nil {
		return Policy{}, err
	}
	p.holdouts = p.respects(plan)
	for _, t := range plan.At(p.key) {
		s.compileOverrides(p, t.Key, t.Variants)
	}
	again.Audience = rec.Audience
	person := pastOf(plan, rec)
	if !p.admits(person, again) {
		again.Candidates = nil
		return p.def.Policy, nil
	}
	policy, ok := enrol(plan, p, person, again)
	if !ok {
		again.Candidates = nil
		policy = p.def.Policy
	}
	// What was made before exclusions were recorded has none.
	if len(rec.Excluded) == 0 {
		again.Excluded = nil
	}
	return policy, nil
}

// planOf makes a plan of the definitions that a record names. What experiments refer
// to is as it was then: layers do not change while somebody uses them, holdouts are in
// the record, and experiments that others require are those of the moment.
func (s *Service) planOf(ctx context.Context, p *point, rec *Record) (*experiments.Plan, error) {
	src := experiments.Sources{
		Experiments: make(map[string]definitions.Versioned[experiments.Experiment]),
		Holdouts:    make(map[string]definitions.Versioned[experiments.Holdout]),
		Layers:      s.trials.Layers().Snapshot(),
		Flags:       recordedFlags{rec},
	}
	load := func(key string, version int64) error {
		v, err := s.trials.Definitions().AtVersion(ctx, key, version)
		if err != nil {
			return fmt.Errorf("loading experiment %s version %d: %w", key, version, err)
		}
		src.Experiments[key] = v
		return nil
	}
	for _, e := range rec.Experiments {
		holdout, comparison, ok := experiments.HoldoutOf(e.Key)
		switch {
		case comparison || p.groups != nil && e.Key == p.groups.Salt:
		case !ok:
			if err := load(e.Key, e.Version); err != nil {
				return nil, err
			}
		case e.Version > 0:
			v, err := s.trials.Holdouts().AtVersion(ctx, holdout, e.Version)
			if err != nil {
				return nil, fmt.Errorf("loading version %d of holdout %s: %w", e.Version, holdout, err)
			}
			src.Holdouts[holdout] = v
		}
	}
	for _, x := range rec.Excluded {
		if err := load(x.Key, x.Version); err != nil {
			return nil, err
		}
	}
	if err := s.loadRequired(ctx, &src, rec.DecidedAt); err != nil {
		return nil, err
	}
	return experiments.Compile(src), nil
}

// loadRequired adds what the experiments of a plan refer to, as it was at a moment.
func (s *Service) loadRequired(ctx context.Context, src *experiments.Sources, at time.Time) error {
	missing := slices.Collect(maps.Keys(src.Experiments))
	for len(missing) > 0 {
		e := src.Experiments[missing[0]].Value
		missing = missing[1:]
		for _, p := range e.Prerequisites {
			if _, ok := src.Experiments[p.Experiment]; ok || p.Experiment == "" {
				continue
			}
			v, ok, err := s.trials.Definitions().AtTime(ctx, p.Experiment, at)
			if err != nil {
				return fmt.Errorf("loading experiment %s as of %s: %w", p.Experiment, at.Format(time.RFC3339), err)
			}
			if ok {
				src.Experiments[p.Experiment] = v
				missing = append(missing, p.Experiment)
			}
		}
		for _, key := range e.Holdouts {
			if _, ok := src.Holdouts[key]; ok {
				continue
			}
			v, ok, err := s.trials.Holdouts().AtTime(ctx, key, at)
			if err != nil {
				return fmt.Errorf("loading holdout %s as of %s: %w", key, at.Format(time.RFC3339), err)
			}
			if ok {
				src.Holdouts[key] = v
			}
		}
	}
	return nil
}

// recordedFlags are the flags that experiments asked for as a record has them: of those
// that kept the person out it names the first.
type recordedFlags struct{ rec *Record }

// Gate implements [experiments.FlagSource].
func (r recordedFlags) Gate(flag string, _ []string) (assignment.Gate, bool) {
	return func(assignment.Subject, time.Time) bool {
		return !slices.ContainsFunc(r.rec.Excluded, func(x Exclusion) bool { return x.Reason == assignment.ReasonPrerequisite+flag })
	}, true
}

// Needs implements [experiments.FlagSource].
func (recordedFlags) Needs(string, string) bool { return false }

// pastOf is the person of a record. That somebody was forced or blocked by an
// identifier, and that a variant was kept, is what the record says, as the values of
// flags: they are not among what it holds otherwise.
func pastOf(plan *experiments.Plan, rec *Record) *past {
	p := &past{rec: rec, kept: make(map[string]assignment.Kept), units: make(map[string]string)}
	for _, e := range rec.Experiments {
		t := plan.Trial(e.Key)
		if t == nil {
			continue
		}
		p.units[t.Unit] = e.Unit
		i := slices.IndexFunc(t.Variants, func(v experiments.Variant) bool { return v.Key == e.Variant })
		switch assignment.Reason(e.How) {
		case assignment.ByForce:
			for id, v := range t.Forced.ByIdentifier {
				if v == i {
					p.ids = append(p.ids, id)
					break
				}
			}
		case assignment.ByKeeper:
			p.kept[e.Key] = assignment.Kept{Variant: i, Version: t.BucketVersion}
		}
	}
	for _, x := range rec.Excluded {
		t := plan.Trial(x.Key)
		if t == nil {
			continue
		}
		if x.Unit != "" {
			p.units[t.Unit] = x.Unit
		}
		switch assignment.Reason(x.Reason) {
		case assignment.Blocked:
			for id := range t.Blocked.ByIdentifier {
				p.ids = append(p.ids, id)
				break
			}
		case assignment.BucketVersion:
			p.kept[x.Key] = assignment.Kept{Version: t.MinimumVersion - 1}
		case assignment.Dropped:
			if i := slices.Index(t.Dropped, true); t.Sticky && i >= 0 {
				p.kept[x.Key] = assignment.Kept{Variant: i, Version: t.BucketVersion}
			}
		}
	}
	return p
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
	if err := choose(p, policy, snapshot, again, &past{rec: again}, sc); err != nil {
		return err
	}
	drawMoment(p, again)
	p.overshadow(again)
	return nil
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
		case len(removed) > 0 && removed[0].Action == id && id != NoneAction && (slices.Contains(removalRules, removed[0].Rule) || limited(removed[0].Rule)):
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
	differ(slices.Equal(rec.Excluded, again.Excluded), "exclusions", rec.Excluded, again.Excluded)
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
