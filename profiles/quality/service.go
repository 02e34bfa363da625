package quality

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles"
	"quintet/profiles/tracking"
)

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Registry    prometheus.Registerer
	Definitions *definitions.Store
	Postgres    *pgxpool.Pool
	ClickHouse  *clickhouse.Database
	Profiles    *profiles.Service
	// Sources names API keys; nil knows them by their ids only.
	Sources profiles.Sources
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Service measures quality and keeps the quarantine.
type Service struct {
	log        *slog.Logger
	postgres   *pgxpool.Pool
	db         *clickhouse.Database
	profiles   *profiles.Service
	sources    profiles.Sources
	now        func() time.Time
	schemas    *schemas
	registry   *registry
	intake     *intake
	lag        *lagWatch
	quarantine *quarantine
}

// Open loads what is known and has the profiles tell what comes in. It is called
// before anything is served.
func Open(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{log: d.Logger, postgres: d.Postgres, db: d.ClickHouse, profiles: d.Profiles, sources: d.Sources, now: d.Now}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.schemas, err = openSchemas(d.Definitions); err != nil {
		return nil, err
	}
	if s.registry, err = loadRegistry(ctx, d.ClickHouse); err != nil {
		return nil, err
	}
	s.intake = &intake{db: d.ClickHouse, now: s.now, counts: map[string]*intakeCounts{}}
	s.lag = newLagWatch(s.now, d.Registry)
	s.quarantine = newQuarantine(s, d.Registry)
	s.profiles.Observe(s.lag)
	s.profiles.UseGate(s)
	s.profiles.UseWatcher(s)
	return s, nil
}

const (
	// writeInterval is how often what was counted at the door is stored.
	writeInterval = 10 * time.Second
	// scoreInterval is how often the scores of today and yesterday are computed.
	scoreInterval = 5 * time.Minute
	// workTimeout bounds one round of each.
	workTimeout = time.Minute
	// cleanInterval is how often what is too old is removed from quarantine.
	cleanInterval = time.Hour
)

// Run stores what is counted and refused, and computes scores, until ctx ends;
// what is at hand then is stored.
func (s *Service) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.quarantine.run(ctx) }()
	write, score, clean := time.NewTicker(writeInterval), time.NewTicker(scoreInterval), time.NewTicker(cleanInterval)
	defer write.Stop()
	defer score.Stop()
	defer clean.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := s.intake.write(last, s.lag.take); err != nil {
				s.log.Warn("what came in during the last seconds is not counted", "error", err)
			}
			return errors.Join(<-done, ctx.Err())
		case <-write.C:
			err = s.timed(ctx, func(ctx context.Context) error { return s.intake.write(ctx, s.lag.take) })
		case <-score.C:
			today := s.now().UTC().Truncate(24 * time.Hour)
			err = s.timed(ctx, func(ctx context.Context) error {
				_, err := s.Score(ctx, today.AddDate(0, 0, -1), today)
				return err
			})
		case <-clean.C:
			err = s.timed(ctx, s.quarantine.clean)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("quality is behind; the same is tried again", "error", err)
		}
	}
}

func (s *Service) timed(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, workTimeout)
	defer cancel()
	return work(ctx)
}

// Flush stores what was counted at the door and refused so far. What was counted of
// stored events is stored with them.
func (s *Service) Flush(ctx context.Context) error {
	if err := s.quarantine.flush(ctx); err != nil {
		return fmt.Errorf("storing what was refused: %w", err)
	}
	return s.intake.write(ctx, s.lag.take)
}

// Broken is part of [profiles.Gate].
func (s *Service) Broken(m *tracking.Message) problem.Invalid {
	set := s.schemas.current.Load()
	if !set.quarantines {
		return nil
	}
	schema := set.byEvent[m.Event]
	if schema == nil || schema.mode != Quarantine {
		return nil
	}
	return schema.check(m.Properties, m.Traits, m.Context, false)
}

// Took is part of [profiles.Gate].
func (s *Service) Took(source string, accepted, repeated, refused int) {
	s.intake.add(source, intakeCounts{accepted: uint64(accepted), repeated: uint64(repeated), refused: uint64(refused)})
}

// Refuse is part of [profiles.Gate].
func (s *Service) Refuse(r *profiles.Refused) { s.quarantine.offer(r) }
