package decide

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"quintet/models"
)

// Specs lists what has to be learned: one model for every decision point with
// features that a bandit serves, by its own policy or by a variant's.
func (s *Service) Specs() []models.Spec {
	st := s.state.Load()
	var out []models.Spec
	for _, key := range slices.Sorted(maps.Keys(st.points)) {
		p := st.points[key]
		policy, ok := p.learner()
		if !ok {
			continue
		}
		out = append(out, policy.spec(p, s.featuresSince(p)))
	}
	return out
}

// spec is what has to be learned for the policy at a point, whose features mean since
// a version of it what they mean now.
func (p *Policy) spec(at *point, since int64) models.Spec {
	return models.Spec{
		DecisionPoint: at.key, Encoder: at.def.Declaration(), Since: since, Objective: at.def.Objective,
		HalfLifeDays: p.HalfLifeDays, WindowDays: p.WindowDays, PriorWeight: p.PriorWeight,
		CorrectDelays: p.CorrectDelays, LargestWeight: p.LargestWeight, Still: p.Live != nil && !*p.Live,
	}
}

// learner is the bandit policy that the model of the point serves.
func (p *point) learner() (Policy, bool) {
	if !p.def.encodes() {
		return Policy{}, false
	}
	if learns := p.def.Policy.learning(); learns != nil {
		return *learns, true
	}
	// In a fixed order: a model that changed its half-life from one look to the
	// next would be rebuilt for ever.
	for _, key := range slices.Sorted(maps.Keys(p.overrides)) {
		o := p.overrides[key]
		if learns := o.learning(); learns != nil {
			return *learns, true
		}
	}
	return Policy{}, false
}

// storedWithin is how long [Service.Stored] waits for the log.
const storedWithin = 5 * time.Second

// Stored waits until every decision made before the call is in ClickHouse and returns
// the sequence up to which all are.
func (s *Service) Stored(ctx context.Context) (uint64, error) {
	_, last, _, err := s.topic.State(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the end of the stream of decisions: %w", err)
	}
	if at := s.sink.Position(); at >= last {
		return at, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storedWithin)
	defer cancel()
	if err := s.sink.WaitFor(ctx, last); err != nil {
		return 0, fmt.Errorf("waiting for the log of decisions: %w", err)
	}
	return s.sink.Position(), nil
}
