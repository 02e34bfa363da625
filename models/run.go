package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

const (
	// growth is the share of new data that makes a rebuild worth its cost: the
	// number of builds grows with the logarithm of the log.
	growth = 0.05
	// maxAge is how long any new data waits at most.
	maxAge = time.Hour
	// rest is how long a model rests after a build, in durations of that build, so
	// that building takes at most a thirtieth of one processor, and less as soon as
	// the log is long: each build then waits for more new data than the one before.
	rest        = 30
	buildLimit  = 15 * time.Minute
	maxRetry    = 5 * time.Minute
	listenRetry = 2 * time.Second
)

// Run keeps the models of all specs up to date until the context ends, whose
// error it returns. What fails is logged and tried again later: the version in
// use stays in use.
func (s *Service) Run(ctx context.Context, specs func() []Spec) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.follow(ctx) })
	group.Go(func() error { return s.build(ctx, specs) })
	group.Go(func() error { return s.live(ctx, specs) })
	group.Go(func() error { return s.prune(ctx) })
	return group.Wait()
}

// follow loads what other processes build as soon as they announce it.
func (s *Service) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.listen(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("listening for new models", "error", err)
			wait(ctx, listenRetry)
		}
	}
	return ctx.Err()
}

func (s *Service) listen(ctx context.Context) error {
	conn, err := s.store.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	// The session listens, so it must not go back to the pool.
	raw := conn.Hijack()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = raw.Close(closing) // the connection is given up either way
	}()
	if _, err := raw.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	for {
		// Also without an announcement, in case one was lost.
		if err := s.refresh(ctx); err != nil {
			return err
		}
		idle, cancel := context.WithTimeout(ctx, DefaultInterval)
		_, err := raw.WaitForNotification(idle)
		cancel()
		if err != nil && !pgconn.Timeout(err) {
			return fmt.Errorf("waiting: %w", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// attempt is when a model may be looked at again, and why not earlier.
type attempt struct {
	next     time.Time
	failures int
}

func (s *Service) build(ctx context.Context, specs func() []Spec) error {
	attempts := map[track]attempt{}
	for ctx.Err() == nil {
		for _, spec := range specs() {
			t := track{spec.DecisionPoint, spec.Candidate}
			if time.Now().Before(attempts[t].next) {
				continue
			}
			attempts[t] = s.try(ctx, spec, attempts[t])
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		wait(ctx, s.interval)
	}
	return ctx.Err()
}

// try builds the model of a spec if it is due, and says when to look again.
func (s *Service) try(ctx context.Context, spec Spec, last attempt) attempt {
	start := time.Now()
	err := s.Update(ctx, spec)
	took := time.Since(start)
	switch {
	case err == nil:
		return attempt{next: start.Add(max(s.interval, rest*took))}
	case ctx.Err() != nil:
		return last
	case errors.Is(err, errNothingToLearn), errors.Is(err, ErrNoData):
		return attempt{next: start.Add(max(s.interval, rest*took))}
	}
	failures := last.failures + 1
	delay := min(maxRetry, s.interval<<min(failures, 10))
	s.metrics.builds.WithLabelValues(spec.DecisionPoint, "failed").Inc()
	s.log.Error("a model could not be built", "decisionPoint", spec.DecisionPoint, "failures", failures, "retryIn", delay, "error", err)
	return attempt{next: time.Now().Add(delay), failures: failures}
}

// Update builds, stores and swaps in a new version if one is due: there is none
// yet, the spec changed, the data grew by 5 %, or there is any new data and an
// hour passed. It does nothing while another process builds the same model.
func (s *Service) Update(ctx context.Context, spec Spec) error {
	due, err := s.due(ctx, spec)
	if err != nil || !due {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	_, err = s.store.exclusively(ctx, lockSpace, spec.DecisionPoint, func() error {
		// Another process may have built it while this one looked.
		if err := s.refresh(ctx); err != nil {
			return err
		}
		if due, err := s.due(ctx, spec); err != nil || !due {
			return err
		}
		start := time.Now()
		through := everything
		if s.stored != nil {
			if through, err = s.stored(ctx); err != nil {
				return fmt.Errorf("asking how far the log has followed the stream: %w", err)
			}
		}
		snap, err := s.trainer.build(ctx, spec, s.trainer.now().UTC(), through, true)
		if err != nil {
			return err
		}
		if err := s.store.save(ctx, snap); err != nil {
			return err
		}
		s.metrics.seconds.Observe(time.Since(start).Seconds())
		s.metrics.builds.WithLabelValues(spec.DecisionPoint, "built").Inc()
		s.use(snap)
		return nil
	})
	return err
}

func (s *Service) due(ctx context.Context, spec Spec) (bool, error) {
	if _, err := spec.compile(); err != nil {
		return false, fmt.Errorf("model of %s: %w", spec.DecisionPoint, err)
	}
	fingerprint, err := spec.fingerprint()
	if err != nil {
		return false, fmt.Errorf("model of %s: %w", spec.DecisionPoint, err)
	}
	v, err := countVolume(ctx, s.trainer.db, &spec)
	if err != nil {
		return false, err
	}
	snap := s.Latest(spec.DecisionPoint, spec.Candidate)
	switch {
	case v.decisions == 0:
		return false, nil
	case snap == nil || snap.spec != fingerprint:
		return true, nil
	case grew(snap.volume.decisions, v.decisions) || grew(snap.volume.outcomes, v.outcomes):
		return true, nil
	default:
		return v != snap.volume && s.trainer.now().Sub(snap.BuiltAt) >= maxAge, nil
	}
}

func grew(from, to uint64) bool {
	return to > from && float64(to-from) >= growth*float64(from)
}

// wait returns after the time or when the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
