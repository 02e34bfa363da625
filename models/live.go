package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"quintet/models/bandits"
)

// DefaultLiveInterval is the time between two looks for what has come since. With what
// the stores take to follow the stream, an outcome is learned from within five seconds.
const DefaultLiveInterval = time.Second

// maxLiveMessages bounds what is learned in one step, in messages of a stream; the rest
// follows in the next.
const maxLiveMessages = 50_000

// step is what was found up to which position behind a version.
type step struct {
	version  int64
	position Position
}

// live adds what comes to the models of all specs until the context ends.
func (s *Service) live(ctx context.Context, specs func() []Spec) error {
	if s.stored == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	attempts := map[track]attempt{}
	for ctx.Err() == nil {
		to, err := s.stored(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("asking how far the log has followed the stream", "error", err)
			}
			wait(ctx, s.liveInterval)
			continue
		}
		for _, spec := range specs() {
			t := track{spec.DecisionPoint, spec.Candidate}
			if spec.Still || time.Now().Before(attempts[t].next) {
				continue
			}
			_, err := s.advanceTo(ctx, spec, to)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				failures := attempts[t].failures + 1
				delay := min(maxRetry, s.liveInterval<<min(failures, 10))
				attempts[t] = attempt{next: time.Now().Add(delay), failures: failures}
				s.log.Error("a model could not follow the stream", "decisionPoint", spec.DecisionPoint, "candidate", spec.Candidate,
					"failures", failures, "retryIn", delay, "error", err)
			default:
				delete(attempts, t)
			}
		}
		wait(ctx, s.liveInterval)
	}
	return ctx.Err()
}

// Advance adds to the newest model of a spec what the log holds behind it, stores the
// result as the next version together with the position up to which it holds, and swaps
// it in. It returns the number of observations. It does nothing where there is no model
// to go on from, and while another process does the same.
func (s *Service) Advance(ctx context.Context, spec Spec) (int, error) {
	if s.stored == nil {
		return 0, nil
	}
	to, err := s.stored(ctx)
	if err != nil {
		return 0, fmt.Errorf("asking how far the log has followed the stream: %w", err)
	}
	return s.advanceTo(ctx, spec, to)
}

func (s *Service) advanceTo(ctx context.Context, spec Spec, to Position) (int, error) {
	encoder, err := spec.compile()
	if errors.Is(err, errNothingToLearn) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("model of %s: %w", spec.DecisionPoint, err)
	}
	fingerprint, err := spec.fingerprint()
	if err != nil {
		return 0, fmt.Errorf("model of %s: %w", spec.DecisionPoint, err)
	}
	t := track{spec.DecisionPoint, spec.Candidate}
	if _, _, ok := s.behind(t, fingerprint, to); !ok {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	added := 0
	_, err = s.store.exclusively(ctx, liveSpace, t.point+" "+t.candidate, func() error {
		// Another process may have gone on from here.
		if err := s.refresh(ctx); err != nil {
			return err
		}
		snap, from, ok := s.behind(t, fingerprint, to)
		if !ok {
			return nil
		}
		added, err = s.advance(ctx, &spec, encoder, snap, from, to)
		return err
	})
	return added, err
}

// behind says whether the log holds more than the newest model of a track, and from
// where on.
func (s *Service) behind(t track, fingerprint string, to Position) (*Snapshot, Position, bool) {
	snap := s.Latest(t.point, t.candidate)
	if snap == nil || snap.spec != fingerprint || snap.position == everything {
		return nil, Position{}, false
	}
	from := snap.position
	if seen, ok := s.seen.Load(t); ok && seen.(step).version == snap.Version {
		from = seen.(step).position
	}
	return snap, from, to.Decisions > from.Decisions || to.Events > from.Events
}

// advance is [Service.Advance] for one process at a time.
func (s *Service) advance(ctx context.Context, spec *Spec, encoder *bandits.Encoder, snap *Snapshot, from, to Position) (int, error) {
	to.Decisions = min(max(to.Decisions, from.Decisions), from.Decisions+maxLiveMessages)
	to.Events = min(max(to.Events, from.Events), from.Events+maxLiveMessages)
	found, err := readNews(ctx, s.trainer.db, spec, encoder.Dimension(), from, to, s.trainer.now())
	if err != nil {
		return 0, err
	}
	t := track{snap.DecisionPoint, snap.Track}
	if len(found.observations) == 0 {
		s.seen.Store(t, step{snap.Version, found.to})
		return 0, nil
	}
	updates, err := s.weigh(spec, encoder, snap, found.observations)
	if err != nil {
		return 0, err
	}
	next := *snap
	next.position, next.UpdatedAt = found.to, s.trainer.now().UTC()
	next.Through = max(snap.Through, found.through)
	next.Decisions, next.Reward = snap.Decisions+found.decisions, snap.Reward+found.reward(spec.weights())
	if next.Model, err = snap.Model.Updated(updates); err != nil {
		return 0, fmt.Errorf("model of %s: %w", spec.DecisionPoint, err)
	}
	next.Actions = beliefs(next.Model, next.average)
	if err := s.store.saveLive(ctx, &next, snap, updates); errors.Is(err, errOvertaken) {
		return 0, nil // a build, say: it is gone on from at the next look
	} else if err != nil {
		return 0, err
	}
	s.use(&next)
	s.metrics.observations.WithLabelValues(spec.DecisionPoint).Add(float64(len(updates)))
	if !found.received.IsZero() {
		s.metrics.freshness.Observe(s.trainer.now().Sub(found.received).Seconds())
	}
	return len(updates), nil
}

// weigh turns what was found into observations of the model, with the weights that the
// build which it goes on from gave to their days: a build of the same moment would give
// them the same.
func (s *Service) weigh(spec *Spec, encoder *bandits.Encoder, snap *Snapshot, found []observation) ([]bandits.Update, error) {
	options := spec.options(encoder)
	if spec.CorrectDelays {
		options.Maturity = maturity(snap.delays, snap.BuiltAt)
	}
	builder, err := bandits.NewBuilder(options, bandits.DayOf(snap.BuiltAt))
	if err != nil {
		return nil, fmt.Errorf("model of %s: %w", spec.DecisionPoint, err)
	}
	worth := spec.weights()
	updates := make([]bandits.Update, 0, len(found))
	for i := range found {
		o := &found[i]
		c, g := builder.Weights(bandits.DayOf(o.decidedAt))
		u := bandits.Update{Action: o.action, Features: o.features, Reward: g * o.weight * o.value(worth)}
		if o.isDecision {
			u.Weight = c * o.weight
		}
		if u.Weight != 0 || u.Reward != 0 {
			updates = append(updates, u)
		}
	}
	return updates, nil
}

// observation is a decision that is new, or what came of an earlier one.
type observation struct {
	isDecision bool
	action     string
	decidedAt  time.Time
	sequence   uint64
	features   bandits.Vector
	weight     float64   // importance
	totals     []float64 // by term, and the contact cost
}

func (o *observation) value(worth []float64) float64 {
	var sum float64
	for k, t := range o.totals {
		sum += float64(worth[k] * t)
	}
	return sum
}

// news is what the log holds behind a position.
type news struct {
	observations []observation
	to           Position // up to which these are all
	decisions    uint64
	through      uint64
	received     time.Time // of the oldest outcome
}

func (n *news) reward(worth []float64) float64 {
	var sum float64
	for i := range n.observations {
		sum += n.observations[i].value(worth)
	}
	return sum
}

// order puts the observations into the order of the streams: decisions first.
func (n *news) order() {
	slices.SortStableFunc(n.observations, func(a, b observation) int {
		switch {
		case a.isDecision && !b.isDecision:
			return -1
		case b.isDecision && !a.isDecision:
			return 1
		case a.sequence < b.sequence:
			return -1
		case a.sequence > b.sequence:
			return 1
		}
		return 0
	})
}
