package campaigns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/decide/outbound"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Definitions *definitions.Store
	Postgres    *pgxpool.Pool
	People      outbound.People
	Segments    Segments
	Decider     outbound.Decider
	Outbox      *outbound.Outbox
	// HasSegment and HasPurpose know what a campaign may name.
	HasSegment, HasPurpose func(key string) bool
	// Page is how many people are decided in one transaction; 200 unless set.
	Page int
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Service runs campaigns.
type Service struct {
	log       *slog.Logger
	pool      *pgxpool.Pool
	people    outbound.People
	segments  Segments
	decider   outbound.Decider
	judge     *outbound.Judge
	outbox    *outbound.Outbox
	campaigns *definitions.Collection[Campaign]
	refs      References
	page      int
	now       func() time.Time
	wake      chan struct{}
}

// defaultPage is how many people are decided in one transaction: what is decided
// again after a kill.
const defaultPage = 200

// Open loads the campaigns; [Service.Run] works on them.
func Open(d Deps) (*Service, error) {
	s := &Service{
		log: d.Logger, pool: d.Postgres, people: d.People, segments: d.Segments, decider: d.Decider, outbox: d.Outbox,
		refs: References{HasPoint: d.Decider.HasPoint, Class: d.Decider.Class, HasSegment: d.HasSegment, HasPurpose: d.HasPurpose},
		page: d.Page, now: d.Now, wake: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.page <= 0 {
		s.page = defaultPage
	}
	s.judge = outbound.NewJudge(d.People, d.Decider, s.now)
	var err error
	s.campaigns, err = definitions.NewCollection(d.Definitions, "campaigns", func(_ context.Context, _ string, c *Campaign) error { return c.Validate(s.refs) })
	if err != nil {
		return nil, fmt.Errorf("loading campaigns: %w", err)
	}
	return s, nil
}

// Definitions are the campaigns by key.
func (s *Service) Definitions() *definitions.Collection[Campaign] { return s.campaigns }

// Status says whether a campaign acts.
type Status string

// The states of a campaign.
const (
	Draft   Status = "draft"   // never started
	Running Status = "running" // due by its schedule
	Paused  Status = "paused"  // stands still, and goes on where it was
	Stopped Status = "stopped" // ended; what waited is not sent
	Done    Status = "done"    // its schedule has ended
)

// State is whether a campaign acts, and when next.
type State struct {
	Status    Status     `json:"status" enum:"draft,running,paused,stopped,done"`
	StartedAt *time.Time `json:"startedAt,omitempty"`
	NextAt    *time.Time `json:"nextAt,omitempty" doc:"When it is due next"`
	ChangedAt *time.Time `json:"changedAt,omitempty"`
	ChangedBy string     `json:"changedBy,omitempty"`
}

// State is that of a campaign.
func (s *Service) State(ctx context.Context, key string) (State, error) {
	if _, ok := s.campaigns.Get(key); !ok {
		return State{}, problem.NotFound("campaign", key)
	}
	st := State{Status: Draft}
	err := s.pool.QueryRow(ctx, `SELECT status, started_at, next_at, changed_at, changed_by FROM campaign_states WHERE campaign = $1`, key).
		Scan(&st.Status, &st.StartedAt, &st.NextAt, &st.ChangedAt, &st.ChangedBy)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return State{}, fmt.Errorf("reading the state of campaign %s: %w", key, err)
	}
	return st, nil
}

// Start has a campaign act by its schedule, or go on after a pause.
func (s *Service) Start(ctx context.Context, key, by string) (State, error) {
	return s.move(ctx, key, by, func(was State, c *Campaign, now time.Time) (State, error) {
		if was.Status == Running {
			return was, nil
		}
		if err := c.Validate(s.refs); err != nil { // what it names may be gone since it was saved
			return was, err
		}
		next := State{Status: Running, StartedAt: &now, NextAt: was.NextAt}
		if was.Status == Paused {
			next.StartedAt = was.StartedAt
		} else {
			next.NextAt = nil
		}
		if next.NextAt == nil && (was.Status != Paused || c.Schedule.Kind != Once) {
			at, ok := c.Schedule.Next(now)
			if c.Schedule.Kind == Once && !ok { // its moment has passed: it is due now
				at, ok = now, true
			}
			if !ok {
				return was, problem.Conflict(fmt.Sprintf("The schedule of campaign %s has ended.", key))
			}
			next.NextAt = &at
		}
		return next, nil
	})
}

// Pause has a campaign stand still: nothing more is decided from the next page on.
// Messages that are stored already go their way.
func (s *Service) Pause(ctx context.Context, key, by string) (State, error) {
	return s.move(ctx, key, by, func(was State, _ *Campaign, _ time.Time) (State, error) {
		if was.Status != Running && was.Status != Paused {
			return was, problem.Conflict(fmt.Sprintf("Campaign %s is %s; only a running one is paused.", key, was.Status))
		}
		was.Status = Paused
		return was, nil
	})
}

// Stop ends a campaign: who was not decided about is not, and messages that delivery
// does not have yet are withdrawn.
func (s *Service) Stop(ctx context.Context, key, by string) (State, error) {
	return s.move(ctx, key, by, func(was State, _ *Campaign, _ time.Time) (State, error) {
		if was.Status == Draft {
			return was, problem.Conflict(fmt.Sprintf("Campaign %s was never started.", key))
		}
		was.Status, was.NextAt = Stopped, nil
		return was, nil
	})
}

func (s *Service) move(ctx context.Context, key, by string, change func(was State, c *Campaign, now time.Time) (State, error)) (State, error) {
	def, ok := s.campaigns.Get(key)
	if !ok {
		return State{}, problem.NotFound("campaign", key)
	}
	var next State
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := s.now().UTC().Truncate(time.Millisecond)
		if _, err := tx.Exec(ctx, `INSERT INTO campaign_states (campaign, status, changed_at, changed_by) VALUES ($1, 'draft', $2, $3) ON CONFLICT DO NOTHING`, key, now, by); err != nil {
			return err
		}
		var was State
		if err := tx.QueryRow(ctx, `SELECT status, started_at, next_at, changed_at, changed_by FROM campaign_states WHERE campaign = $1 FOR UPDATE`, key).
			Scan(&was.Status, &was.StartedAt, &was.NextAt, &was.ChangedAt, &was.ChangedBy); err != nil {
			return err
		}
		var err error
		if next, err = change(was, &def.Value, now); err != nil {
			return err
		}
		if next.Status == was.Status {
			return nil
		}
		next.ChangedAt, next.ChangedBy = &now, by
		if next.Status == Stopped {
			if _, err := tx.Exec(ctx, `UPDATE campaign_runs SET status = 'stopped', finished_at = $2 WHERE campaign = $1 AND finished_at IS NULL`, key, now); err != nil {
				return err
			}
			if _, err := s.outbox.Withdraw(ctx, tx, outbound.OriginCampaign, key); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `UPDATE campaign_states SET status = $2, started_at = $3, next_at = $4, changed_at = $5, changed_by = $6 WHERE campaign = $1`,
			key, next.Status, next.StartedAt, next.NextAt, now, by)
		return err
	})
	var known *problem.Error
	var bad problem.Invalid
	if errors.As(err, &known) || errors.As(err, &bad) {
		return State{}, err
	}
	if err != nil {
		return State{}, fmt.Errorf("changing the state of campaign %s: %w", key, err)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return next, nil
}
