package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Definitions *definitions.Store
	// Postgres elects the process that watches schedules and guardrails. Nil watches
	// nothing.
	Postgres *pgxpool.Pool
	// ClickHouse answers the report's query.
	ClickHouse *clickhouse.Database
	// DecisionPointExists refuses to start an experiment at a decision point
	// that is not there. Nil does not ask.
	DecisionPointExists func(key string) bool
	// CheckPolicy says what is wrong with a variant's policy at a decision point, as a
	// [problem.Invalid] of a field policy; nil where it is right or the decision point
	// is not there yet. Nil checks nothing.
	CheckPolicy func(decisionPoint string, policy json.RawMessage) error
	// PointGroups are the groups of a decision point that has some. Nil means none have.
	PointGroups func(decisionPoint string) (PointGroups, bool)
	// Person finds a person by profile id or namespace:value; of one that nobody knows
	// yet it gives the profile that they would get. Nil knows nobody.
	Person func(unit string) (PersonFacts, bool)
	// PointAt is what came before experiments at a decision point at a moment; false
	// when there was no such point. Nil says nothing.
	PointAt func(ctx context.Context, decisionPoint string, at time.Time) (PointStanding, bool, error)
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
	layers      *definitions.Collection[Layer]
	flags       atomic.Pointer[FlagSource]
	plan        atomic.Pointer[Plan]
	compiling   sync.Mutex
	planned     []func() // called when there is a new plan
	pool        *pgxpool.Pool
	db          *clickhouse.Database
	irregular   sync.Map // keys of experiments with units of which first_exposures does not say all
	pointExists func(string) bool
	checkPolicy func(string, json.RawMessage) error
	pointGroups func(string) (PointGroups, bool)
	person      func(string) (PersonFacts, bool)
	pointAt     func(context.Context, string, time.Time) (PointStanding, bool, error)
	now         func() time.Time
}

// Open loads the definitions. A new installation gets the universal holdout at
// 5 %, so that there is a control group from the first decision on.
func Open(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{log: d.Logger, pool: d.Postgres, db: d.ClickHouse, pointExists: d.DecisionPointExists, checkPolicy: d.CheckPolicy, pointGroups: d.PointGroups, person: d.Person, pointAt: d.PointAt, now: d.Now}
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
	if s.layers, err = definitions.NewCollection(d.Definitions, "layers", s.checkLayer); err != nil {
		return nil, fmt.Errorf("loading layers: %w", err)
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
	s.watch()
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
	exists := s.fillHoldout(key, h)
	bad := h.validate()
	s.checkHoldoutCount(exists, &bad)
	return bad.Err()
}

// checkExperiment fills in what the definition leaves out, keeps what start and
// stop own, and refuses changes that would re-assign people.
func (s *Service) checkExperiment(ctx context.Context, key string, e *Experiment) error {
	var bad problem.Invalid
	was, exists := s.experiments.Get(key)
	before := &Experiment{Status: Draft}
	if exists {
		before = &was.Value
	}
	if e.Status == "" {
		e.Status = before.Status
	}
	e.normalise(key)
	if ctx.Value(transition{}) == nil {
		e.keepOwn(ctx, before, exists, &bad)
	}
	bad = append(bad, e.validate()...)
	if _, _, taken := HoldoutOf(key); taken {
		bad.Add("path.key", "is the name under which a holdout is reported", key)
	}
	s.checkReferences(key, e, before, &bad)
	s.checkMetricsExist(e, &bad)
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

// checkMetricsExist checks every metric that an experiment names.
func (s *Service) checkMetricsExist(e *Experiment, bad *problem.Invalid) {
	check := func(field, key string) {
		if _, ok := s.metrics.Get(key); !ok {
			bad.Add(field, "must be the key of a metric", key)
		}
	}
	for i, m := range e.Metrics {
		check(fmt.Sprintf("metrics[%d]", i), m)
	}
	for i, m := range e.Secondary {
		check(fmt.Sprintf("secondary[%d]", i), m)
	}
	for i, g := range e.Guardrails {
		check(fmt.Sprintf("guardrails[%d].metric", i), g.Metric)
	}
	if e.Analysis != nil && e.Analysis.Cuped != nil && e.Analysis.Cuped.Metric != "" {
		check("analysis.cuped.metric", e.Analysis.Cuped.Metric)
	}
}
