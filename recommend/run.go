package recommend

import (
	"context"
	"fmt"
	"time"

	"quintet/recommend/trained"
)

// buildLock is the advisory lock of the one process that builds.
const buildLock = 0x7265636f6d6d

// Run builds when there is enough new to learn, and takes up what other processes
// built, until the context ends, whose error it returns.
func (s *Service) Run(ctx context.Context) error {
	var next time.Time // before which no build begins, unless much is new
	first := true
	// Whether, and from when on, to build once more: the log had less than was seen, as
	// what came last was still on its way to it.
	again, retry := false, time.Time{}
	for {
		if err := s.follow(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("looking for a build of recommenders", "error", err)
		}
		due := s.due(first, s.seen.Load()-s.learned.Load(), next)
		if due || again && !s.now().Before(retry) {
			began := s.now()
			count, known := s.seen.Load(), s.known()
			again = false
			built, err := s.buildOnce(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				s.log.Error("building recommenders; trying again", "error", err)
				next = s.now().Add(time.Minute)
			default:
				first = false
				took := s.now().Sub(began)
				pause := restShare * took
				if built {
					again = due && s.known()-known < int(count-s.learned.Load())
					retry = s.now().Add(max(settleTime, 2*took))
					s.learned.Store(count)
					pause = max(pause, s.interval)
				}
				next = s.now().Add(pause)
			}
		}
		wait := s.interval
		if fresh := s.seen.Load() - s.learned.Load(); muchNew(s.current.Load(), fresh) {
			wait = min(wait, settleTime)
		} else if fresh > 0 {
			wait = min(wait, max(settleTime, next.Sub(s.now())))
		}
		if again {
			wait = min(wait, max(settleTime, retry.Sub(s.now())))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
			// The first events: give them a moment to be stored.
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(min(s.interval, settleTime)):
			}
		case <-time.After(wait):
		}
	}
}

// known is how many interactions the build in use was learned from.
func (s *Service) known() int {
	if current := s.current.Load(); current != nil {
		return current.version.Report.Events
	}
	return 0
}

// due says whether to build: at the start, so that the histories of people are there;
// when the log has grown by a share; or when anything came in and the build is old.
// While what is new is much beside what was learned, as in an import, no pause is made:
// then the next build is worth its time.
func (s *Service) due(first bool, fresh uint64, next time.Time) bool {
	if first {
		return true
	}
	current := s.current.Load()
	if fresh == 0 || s.now().Before(next) && !muchNew(current, fresh) {
		return false
	}
	if current == nil {
		return true
	}
	return float64(fresh) >= growth*float64(current.version.Report.Events) || s.now().Sub(current.version.BuiltAt) > maxAge
}

// muchNew says whether what came in since the build is at least a tenth of what it knows.
func muchNew(current *snapshot, fresh uint64) bool {
	return current != nil && fresh > 0 && 10*fresh >= uint64(current.version.Report.Events)
}

// follow takes up the newest build.
func (s *Service) follow(ctx context.Context) error {
	var above int64
	if current := s.current.Load(); current != nil {
		above = current.version.Version
	}
	snap, err := s.newest(ctx, above)
	if err != nil {
		return err
	}
	if snap != nil {
		s.use(snap)
	}
	return s.followRanker(ctx)
}

func (s *Service) use(snap *snapshot) {
	s.current.Store(snap)
	s.allowed.clear()
}

// buildOnce reads and builds unless another process does. A process that does not
// build reads the histories all the same.
func (s *Service) buildOnce(ctx context.Context) (built bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("connecting: %w", err)
	}
	// The session holds the lock as long as it lives, so it must not go back.
	raw := conn.Hijack()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = raw.Close(closing) // the connection is given up either way
	}()
	var leading bool
	if err := raw.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(buildLock)).Scan(&leading); err != nil {
		return false, fmt.Errorf("locking: %w", err)
	}
	now := s.now()
	l, err := s.read(ctx, s.signals, now.AddDate(0, 0, -learnedDays))
	if err != nil || !leading || l.Len() == 0 {
		return false, err
	}
	catalogue := make(map[string]*Item)
	for key, v := range s.items.Snapshot() {
		catalogue[key] = &v.Value
	}
	var early func(*trained.Bundle, *Report) error
	if s.current.Load() == nil {
		// The first lists are worth more soon than of everything.
		early = func(b *trained.Bundle, r *Report) error { return s.takeUp(ctx, b, r, now) }
	}
	b, r, held, err := buildSoon(ctx, l, catalogue, now, halfLife, early)
	if err != nil {
		return false, err
	}
	if err := s.takeUp(ctx, b, r, now); err != nil {
		return false, err
	}
	// The build serves already: a ranker that cannot be learned takes nothing from it.
	if err := s.learnRanking(ctx, l, catalogue, b, r, held); err != nil && ctx.Err() == nil {
		s.log.Error("learning to rank", "error", err)
	}
	return true, ctx.Err()
}

// takeUp keeps a build and serves it.
func (s *Service) takeUp(ctx context.Context, b *trained.Bundle, r *Report, now time.Time) error {
	version, err := s.save(ctx, b, r, now)
	if err != nil {
		return err
	}
	s.use(newSnapshot(Version{Version: version, BuiltAt: now, Report: *r}, b))
	s.log.Info("recommenders in use", "version", version, "interactions", r.Events, "items", r.Items, "personal", r.Personal, "refused", r.Refused, "seconds", r.Seconds)
	return nil
}
