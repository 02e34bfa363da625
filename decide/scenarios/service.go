package scenarios

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"quintet/decide/outbound"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Segments knows who is in which segment.
type Segments interface {
	OfProfile(profile string) []string
}

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Definitions *definitions.Store
	Postgres    *pgxpool.Pool
	Events      Events
	People      outbound.People
	Segments    Segments
	Decider     outbound.Decider
	Outbox      *outbound.Outbox
	// HasSegment and HasPurpose know what a scenario may name.
	HasSegment, HasPurpose func(key string) bool
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Service leads people through scenarios.
type Service struct {
	log       *slog.Logger
	pool      *pgxpool.Pool
	events    Events
	people    outbound.People
	segments  Segments
	decider   outbound.Decider
	judge     *outbound.Judge
	outbox    *outbound.Outbox
	scenarios *definitions.Collection[Scenario]
	templates []Template
	refs      References
	now       func() time.Time
	wake      chan struct{} // timers
	heard     chan struct{} // triggers
	interest  atomic.Pointer[map[string]bool]
	parsed    sync.Map // conditions by their JSON
	hearing   hearing
}

// Open loads the scenarios; [Service.Run] works on them.
func Open(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		log: d.Logger, pool: d.Postgres, events: d.Events, people: d.People, segments: d.Segments, decider: d.Decider, outbox: d.Outbox,
		refs: References{HasPoint: d.Decider.HasPoint, Class: d.Decider.Class, HasSegment: d.HasSegment, HasPurpose: d.HasPurpose},
		now:  d.Now, wake: make(chan struct{}, 1), heard: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.judge = outbound.NewJudge(d.People, d.Decider, s.now)
	var err error
	if s.templates, err = loadTemplates(); err != nil {
		return nil, err
	}
	s.scenarios, err = definitions.NewCollection(d.Definitions, "scenarios", func(_ context.Context, _ string, c *Scenario) error { return c.Validate(s.refs) })
	if err != nil {
		return nil, fmt.Errorf("loading scenarios: %w", err)
	}
	// What happened before anything was there to listen begins nothing.
	if _, err := s.pool.Exec(ctx, `INSERT INTO scenario_cursor (sequence) VALUES ($1) ON CONFLICT DO NOTHING`, int64(d.Events.Stored())); err != nil {
		return nil, fmt.Errorf("reading how far triggers were looked for: %w", err)
	}
	s.listen()
	s.scenarios.OnChange(s.listen)
	return s, nil
}

// Definitions are the scenarios by key.
func (s *Service) Definitions() *definitions.Collection[Scenario] { return s.scenarios }

// Run works on scenarios until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.runTimers(ctx) })
	group.Go(func() error { return s.runTriggers(ctx) })
	return group.Wait()
}

// Status says whether people come into a scenario.
type Status string

// The states of a scenario.
const (
	Draft   Status = "draft"   // never started
	Running Status = "running" // people come in and go on
	Paused  Status = "paused"  // nobody comes in, and everybody stands still
	Stopped Status = "stopped" // ended; runs that were under way have ended too
)

// State is whether a scenario acts.
type State struct {
	Status    Status     `json:"status" enum:"draft,running,paused,stopped"`
	StartedAt *time.Time `json:"startedAt,omitempty" doc:"What happened before brings nobody in"`
	ChangedAt *time.Time `json:"changedAt,omitempty"`
	ChangedBy string     `json:"changedBy,omitempty"`
}

// State is that of a scenario.
func (s *Service) State(ctx context.Context, key string) (State, error) {
	if _, ok := s.scenarios.Get(key); !ok {
		return State{}, problem.NotFound("scenario", key)
	}
	st := State{Status: Draft}
	err := s.pool.QueryRow(ctx, `SELECT status, started_at, changed_at, changed_by FROM scenario_states WHERE scenario = $1`, key).
		Scan(&st.Status, &st.StartedAt, &st.ChangedAt, &st.ChangedBy)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return State{}, fmt.Errorf("reading the state of scenario %s: %w", key, err)
	}
	return st, nil
}

// Start has people come in, or go on after a pause.
func (s *Service) Start(ctx context.Context, key, by string) (State, error) {
	return s.move(ctx, key, by, Running, func(was Status, c *Scenario) error {
		return c.Validate(s.refs) // what it names may be gone since it was saved
	})
}

// Pause has everybody stand still. What comes about meanwhile brings nobody in; waits
// that end meanwhile go on after the pause.
func (s *Service) Pause(ctx context.Context, key, by string) (State, error) {
	return s.move(ctx, key, by, Paused, func(was Status, _ *Scenario) error {
		if was != Running && was != Paused {
			return problem.Conflict(fmt.Sprintf("Scenario %s is %s; only a running one is paused.", key, was))
		}
		return nil
	})
}

// Stop ends a scenario and the runs that are under way, and withdraws messages that
// delivery does not have yet.
func (s *Service) Stop(ctx context.Context, key, by string) (State, error) {
	return s.move(ctx, key, by, Stopped, func(was Status, _ *Scenario) error {
		if was == Draft {
			return problem.Conflict(fmt.Sprintf("Scenario %s was never started.", key))
		}
		return nil
	})
}

func (s *Service) move(ctx context.Context, key, by string, to Status, allowed func(was Status, c *Scenario) error) (State, error) {
	def, ok := s.scenarios.Get(key)
	if !ok {
		return State{}, problem.NotFound("scenario", key)
	}
	var refused error
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := s.now().UTC().Truncate(time.Millisecond)
		if _, err := tx.Exec(ctx, `INSERT INTO scenario_states (scenario, status, changed_at, changed_by) VALUES ($1, 'draft', $2, $3) ON CONFLICT DO NOTHING`, key, now, by); err != nil {
			return err
		}
		var was Status
		if err := tx.QueryRow(ctx, `SELECT status FROM scenario_states WHERE scenario = $1 FOR UPDATE`, key).Scan(&was); err != nil {
			return err
		}
		if refused = allowed(was, &def.Value); refused != nil {
			return refused
		}
		if was == to {
			return nil
		}
		// Waiting for the rows locks out a step that is under way, so that nothing is
		// stored after a stop.
		if to == Stopped {
			if _, err := tx.Exec(ctx, `UPDATE scenario_runs SET status = 'stopped', ended_at = $2, due_at = NULL WHERE scenario = $1 AND status = 'active'`, key, now); err != nil {
				return err
			}
			if _, err := s.outbox.Withdraw(ctx, tx, outbound.OriginScenario, key); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE scenario_states SET status = $2, changed_at = $3, changed_by = $4,
			started_at = CASE WHEN $2 = 'running' THEN $3 ELSE started_at END, dated_day = CASE WHEN $2 = 'running' AND $5 THEN NULL ELSE dated_day END WHERE scenario = $1`,
			key, to, now, by, was != Paused)
		return err
	})
	if refused != nil {
		return State{}, refused
	}
	if err != nil {
		return State{}, fmt.Errorf("changing the state of scenario %s: %w", key, err)
	}
	s.listen()
	nudge(s.wake)
	return s.State(ctx, key)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
