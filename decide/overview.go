package decide

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/experiments"
	"quintet/internal/api"
)

// Overview is the state of the whole system at a glance.
type Overview struct {
	DecisionsPerMinute []Minute          `json:"decisionsPerMinute" doc:"The last hour" nullable:"false"`
	Totals             Totals            `json:"totals"`
	Lag                map[string]Lag    `json:"lag" doc:"How far each store is behind the stream"`
	Holdout            HoldoutOverview   `json:"holdout"`
	Engines            map[string]string `json:"engines" doc:"embedded or external, by engine"`
}

// Minute counts the decisions of one minute by group.
type Minute struct {
	Minute  time.Time `json:"minute"`
	Total   uint64    `json:"total"`
	Treated uint64    `json:"treated"`
	Control uint64    `json:"control"`
	Holdout uint64    `json:"holdout"`
}

// Totals counts what the system holds.
type Totals struct {
	Profiles  uint64 `json:"profiles"`
	Decisions uint64 `json:"decisions"`
	Events    uint64 `json:"events"`
}

// Lag is the distance between a stream and a store that reads it.
type Lag struct {
	Messages uint64  `json:"messages"`
	Seconds  float64 `json:"seconds" doc:"Age of the oldest message that is not stored yet"`
}

// HoldoutOverview is the lift of all advertising against the universal holdout.
type HoldoutOverview struct {
	Share  float64             `json:"share"`
	Metric string              `json:"metric" doc:"Metric of the report; empty when there is none"`
	Report *experiments.Report `json:"report,omitempty"`
}

// OverviewSources is what an overview is read from, besides decisions.
type OverviewSources struct {
	Profiles func() int
	Lags     map[string]func(context.Context) (uint64, time.Duration, error)
	// Report computes the report of an experiment; the metric is chosen when empty.
	Report  func(ctx context.Context, key, metric string) (*experiments.Report, error)
	Metric  func() string
	Engines map[string]string
}

// OverviewRoute registers GET /v1/overview.
func (s *Service) OverviewRoute(srv *api.Server, from OverviewSources) {
	type output struct{ Body Overview }
	op := huma.Operation{
		OperationID: "overview", Method: http.MethodGet, Path: "/v1/overview", Tags: []string{"Overview"},
		Summary: "Traffic, lag and the holdout's lift", Errors: []int{401, 403},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, _ *struct{}) (*output, error) {
		o, err := s.overview(ctx, from)
		if err != nil {
			return nil, err
		}
		return &output{Body: *o}, nil
	})
}

func (s *Service) overview(ctx context.Context, from OverviewSources) (*Overview, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	o := &Overview{Lag: make(map[string]Lag), Engines: from.Engines, DecisionsPerMinute: []Minute{}}
	o.Totals.Profiles = uint64(from.Profiles())
	if err := s.db.Read.QueryRow(ctx, "SELECT (SELECT count() FROM decisions), (SELECT count() FROM events)").
		Scan(&o.Totals.Decisions, &o.Totals.Events); err != nil {
		return nil, fmt.Errorf("counting decisions and events: %w", err)
	}
	rows, err := s.db.Read.Query(ctx, "SELECT toStartOfMinute(decided_at) AS minute, count(), countIf(`group` = 'treated'), "+
		"countIf(`group` = 'control'), countIf(`group` = 'holdout') FROM decisions WHERE decided_at >= ? GROUP BY minute ORDER BY minute LIMIT 120",
		s.now().UTC().Add(-time.Hour))
	if err != nil {
		return nil, fmt.Errorf("counting decisions by minute: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var m Minute
		if err := rows.Scan(&m.Minute, &m.Total, &m.Treated, &m.Control, &m.Holdout); err != nil {
			return nil, fmt.Errorf("reading decisions by minute: %w", err)
		}
		o.DecisionsPerMinute = append(o.DecisionsPerMinute, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading decisions by minute: %w", err)
	}
	for name, lag := range from.Lags {
		messages, age, err := lag(ctx)
		if err != nil {
			// The rest is worth showing without it.
			s.log.Warn("reading the lag of a store", "store", name, "error", err)
			continue
		}
		o.Lag[name] = Lag{Messages: messages, Seconds: age.Seconds()}
	}
	if h := s.state.Load().plan.Holdout(experiments.UniversalHoldout); h != nil {
		o.Holdout.Share = h.Held.To
	}
	if o.Holdout.Metric = from.Metric(); o.Holdout.Metric != "" {
		if o.Holdout.Report, err = s.lift.report(ctx, from, o.Holdout.Metric); err != nil {
			return nil, fmt.Errorf("reporting on the universal holdout: %w", err)
		}
	}
	return o, nil
}

// liftAge is how old the holdout's report may be: it reads the whole log, and an
// overview is asked for every few seconds by everybody who has it open.
const liftAge = 10 * time.Second

// liftCache keeps the last report on the universal holdout.
type liftCache struct {
	mu     sync.Mutex
	metric string
	at     time.Time
	last   *experiments.Report
}

// report computes the report, or returns one that is young enough. Callers wait
// for one another, so that there is one computation at a time.
func (c *liftCache) report(ctx context.Context, from OverviewSources, metric string) (*experiments.Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && c.metric == metric && time.Since(c.at) < liftAge {
		return c.last, nil
	}
	started := time.Now()
	r, err := from.Report(ctx, experiments.UniversalExperiment, metric)
	if err != nil {
		return nil, err
	}
	c.metric, c.at, c.last = metric, started, r
	return r, nil
}
