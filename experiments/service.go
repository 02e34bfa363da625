package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Definitions *definitions.Store
	// ClickHouse answers the report's query.
	ClickHouse *clickhouse.Database
	// DecisionPointExists refuses to start an experiment at a decision point
	// that is not there. Nil does not ask.
	DecisionPointExists func(key string) bool
	// CheckPolicy says what is wrong with a variant's policy at a decision point, as a
	// [problem.Invalid] of a field policy; nil where it is right or the decision point
	// is not there yet. Nil checks nothing.
	CheckPolicy func(decisionPoint string, policy json.RawMessage) error
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Service keeps the definitions of experiments, metrics and holdouts, and
// reports on them.
type Service struct {
	log         *slog.Logger
	experiments *definitions.Collection[Experiment]
	metrics     *definitions.Collection[Metric]
	holdouts    *definitions.Collection[Holdout]
	db          *clickhouse.Database
	pointExists func(string) bool
	checkPolicy func(string, json.RawMessage) error
	now         func() time.Time
}

// Open loads the definitions. A new installation gets the universal holdout at
// 5 %, so that there is a control group from the first decision on.
func Open(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{log: d.Logger, db: d.ClickHouse, pointExists: d.DecisionPointExists, checkPolicy: d.CheckPolicy, now: d.Now}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.metrics, err = definitions.NewCollection(d.Definitions, "metrics", s.checkMetric); err != nil {
		return nil, fmt.Errorf("loading metrics: %w", err)
	}
	if s.holdouts, err = definitions.NewCollection(d.Definitions, "holdouts", s.checkHoldout); err != nil {
		return nil, fmt.Errorf("loading holdouts: %w", err)
	}
	if s.experiments, err = definitions.NewCollection(d.Definitions, "experiments", s.checkExperiment); err != nil {
		return nil, fmt.Errorf("loading experiments: %w", err)
	}
	if _, ok := s.holdouts.Get(UniversalHoldout); !ok {
		_, err := s.holdouts.Put(ctx, UniversalHoldout, Holdout{Share: defaultHoldoutShare}, "system", -1)
		var conflict *problem.Error
		if err != nil && !errors.As(err, &conflict) { // another process was first
			return nil, fmt.Errorf("creating the universal holdout: %w", err)
		}
	}
	return s, nil
}

// Definitions are the experiments by key.
func (s *Service) Definitions() *definitions.Collection[Experiment] { return s.experiments }

// Metrics are the metrics by key.
func (s *Service) Metrics() *definitions.Collection[Metric] { return s.metrics }

// Holdouts are the holdouts by key.
func (s *Service) Holdouts() *definitions.Collection[Holdout] { return s.holdouts }

func (s *Service) checkMetric(_ context.Context, _ string, m *Metric) error {
	m.normalise()
	return m.validate().Err()
}

func (s *Service) checkHoldout(_ context.Context, key string, h *Holdout) error {
	h.normalise()
	bad := h.validate()
	if key != UniversalHoldout {
		bad.Add("path.key", "must be "+UniversalHoldout+", the one holdout there is", key)
	}
	return bad.Err()
}

// transition marks the context of a change that start and stop make.
type transition struct{}

// checkExperiment fills in what the definition leaves out, keeps what start and
// stop own, and refuses changes that would re-assign people.
func (s *Service) checkExperiment(ctx context.Context, key string, e *Experiment) error {
	var bad problem.Invalid
	was, exists := s.experiments.Get(key)
	if ctx.Value(transition{}) == nil {
		before := &Experiment{Status: Draft}
		if exists {
			before = &was.Value
		}
		if e.Status == "" {
			e.Status = before.Status
		}
		if e.Status != before.Status {
			bad.Add("status", fmt.Sprintf("is %s and changes by start and stop only", before.Status), e.Status)
		}
		e.StartedAt, e.StoppedAt = before.StartedAt, before.StoppedAt
	}
	e.normalise(key)
	bad = append(bad, e.validate()...)
	if key == UniversalExperiment {
		bad.Add("path.key", "is the name under which the universal holdout is reported", key)
	}
	for i, m := range e.Metrics {
		if _, ok := s.metrics.Get(m); !ok {
			bad.Add(fmt.Sprintf("metrics[%d]", i), "must be the key of a metric", m)
		}
	}
	if s.checkPolicy != nil && e.DecisionPoint != "" {
		for i, v := range e.Variants {
			if len(v.Policy) > 0 && json.Valid(v.Policy) {
				bad.Nest(fmt.Sprintf("variants[%d]", i), s.checkPolicy(e.DecisionPoint, v.Policy))
			}
		}
	}
	if exists {
		e.keepStarted(&was.Value, &bad)
	}
	return bad.Err()
}

// Start begins an experiment: from now on its variants apply. Starting a running
// experiment changes nothing. An experiment that was stopped, or whose decision
// point another one holds, is refused with a conflict that says so.
func (s *Service) Start(ctx context.Context, key, by string) (definitions.Versioned[Experiment], error) {
	v, ok := s.experiments.Get(key)
	if !ok {
		return v, problem.NotFound("experiment", problem.Clip(key))
	}
	e := v.Value
	switch e.Status {
	case Running:
		return v, nil
	case Stopped:
		return v, problem.Conflict(fmt.Sprintf("Experiment %s was stopped; copy it to a new key, so that one report covers one period.", key))
	}
	if e.DecisionPoint != "" {
		if s.pointExists != nil && !s.pointExists(e.DecisionPoint) {
			var bad problem.Invalid
			bad.Add("decisionPoint", "must be the key of a decision point", e.DecisionPoint)
			return v, bad.Err()
		}
		for other, o := range s.experiments.Snapshot() {
			if other != key && o.Value.Status == Running && o.Value.DecisionPoint == e.DecisionPoint {
				return v, problem.Conflict(fmt.Sprintf("Experiment %s is running at decision point %s; stop it first.", other, e.DecisionPoint))
			}
		}
	}
	now := s.now().UTC().Truncate(time.Millisecond)
	e.Status, e.StartedAt = Running, &now
	return s.change(ctx, key, e, by, v.Version)
}

// Stop ends an experiment: its variants no longer apply, its report goes on as
// outcomes come in. Stopping a stopped experiment changes nothing; a draft
// cannot be stopped.
func (s *Service) Stop(ctx context.Context, key, by string) (definitions.Versioned[Experiment], error) {
	v, ok := s.experiments.Get(key)
	if !ok {
		return v, problem.NotFound("experiment", problem.Clip(key))
	}
	e := v.Value
	switch e.Status {
	case Stopped:
		return v, nil
	case Draft:
		return v, problem.Conflict(fmt.Sprintf("Experiment %s has not started.", key))
	}
	now := s.now().UTC().Truncate(time.Millisecond)
	e.Status, e.StoppedAt = Stopped, &now
	return s.change(ctx, key, e, by, v.Version)
}

func (s *Service) change(ctx context.Context, key string, e Experiment, by string, version int64) (definitions.Versioned[Experiment], error) {
	v, err := s.experiments.Put(context.WithValue(ctx, transition{}, true), key, e, by, version)
	if err != nil {
		return v, fmt.Errorf("making experiment %s %s: %w", key, e.Status, err)
	}
	s.log.Info("experiment "+string(e.Status), "experiment", key, "by", by)
	return v, nil
}
