package recommend

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/problem"
)

// keptRuns is how many runs of a feed are kept.
const keptRuns = 50

// FeedRun is one time that a feed was read.
type FeedRun struct {
	StartedAt  time.Time  `json:"startedAt"`
	FinishedAt time.Time  `json:"finishedAt"`
	Succeeded  bool       `json:"succeeded" doc:"It was read to its end, or had not changed"`
	Report     FeedReport `json:"report"`
}

// FeedState is how a feed stands.
type FeedState struct {
	Key         string     `json:"key"`
	Items       int        `json:"items" doc:"Items of the catalogue that it brought"`
	LastRun     *time.Time `json:"lastRun,omitempty"`
	LastSuccess *time.Time `json:"lastSuccess,omitempty"`
	Rejected    int        `json:"rejected" doc:"Rows that the last run did not take"`
	Error       string     `json:"error,omitempty" doc:"Of the last run"`
	Stale       bool       `json:"stale" doc:"Twice its pause has gone by without a run that succeeded"`
	Expired     bool       `json:"expired" doc:"Its items are not recommended, as expireHours say"`
}

// feedPast is what the schedule knows of a feed.
type feedPast struct {
	started, succeeded time.Time // zero when never
	version            int64     // of the definition in the last run
	validator          string    // of the last run that succeeded
	rejected           int
	failed             string
}

// feedPasts reads where the feeds stand.
func (s *Service) feedPasts(ctx context.Context) (map[string]feedPast, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT ON (feed) feed, started_at, validator, report,
		(SELECT max(o.finished_at) FROM recommend_feed_runs o WHERE o.feed = r.feed AND o.succeeded)
		FROM recommend_feed_runs r ORDER BY feed, id DESC LIMIT 10000`)
	if err != nil {
		return nil, fmt.Errorf("reading where feeds stand: %w", err)
	}
	out := map[string]feedPast{}
	var feed, validator string
	var report []byte
	var p feedPast
	var succeeded *time.Time
	_, err = pgx.ForEachRow(rows, []any{&feed, &p.started, &validator, &report, &succeeded}, func() error {
		var r FeedReport
		if err := json.Unmarshal(report, &r); err != nil {
			return err
		}
		version, tag, _ := strings.Cut(validator, " ")
		p.version, _ = strconv.ParseInt(version, 10, 64) // 0 asks for a run
		p.validator, p.rejected, p.failed, p.succeeded = tag, r.Rejected, r.Error, time.Time{}
		if succeeded != nil {
			p.succeeded = *succeeded
		}
		out[feed] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading where feeds stand: %w", err)
	}
	return out, nil
}

// expired says whether the items of a feed are too old to be shown. A feed that never
// succeeded expires nothing: what it brings is not there.
func (f *Feed) expired(p feedPast, now time.Time) bool {
	return f.ExpireHours > 0 && !p.succeeded.IsZero() && now.Sub(p.succeeded) > time.Duration(f.ExpireHours)*time.Hour
}

// stale says whether a feed should have been read and was not.
func (f *Feed) stale(p feedPast, created, now time.Time) bool {
	since := p.succeeded
	if since.IsZero() {
		since = created
	}
	return now.Sub(since) > 2*time.Duration(f.EveryMinutes)*time.Minute
}

// noteExpired has what may be shown worked out anew when a feed expires or comes back.
func (s *Service) noteExpired(pasts map[string]feedPast, now time.Time) {
	next := map[string]bool{}
	for key, v := range s.feeds.Snapshot() {
		if v.Value.expired(pasts[key], now) {
			next[key] = true
		}
	}
	if before := s.expired.Load(); before == nil || !maps.Equal(*before, next) {
		s.expired.Store(&next)
		s.allowed.clear()
	}
}

// RunFeeds reads feeds when they are due, a few side by side, until the context ends,
// whose error it returns. Of several processes one reads a feed.
func (s *Service) RunFeeds(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, feedsAtOnce)
	var mu sync.Mutex
	running := map[string]bool{}
	for {
		pasts, err := s.feedPasts(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("looking for feeds that are due", "error", err)
		}
		if err == nil {
			s.noteExpired(pasts, s.now())
			for key, v := range s.feeds.Snapshot() {
				mu.Lock()
				busy := running[key]
				mu.Unlock()
				if busy || v.Value.Paused || !s.feedDue(&v.Value, v.Version, pasts[key]) {
					continue
				}
				select {
				case places <- struct{}{}:
				default:
					continue // at the next look
				}
				mu.Lock()
				running[key] = true
				mu.Unlock()
				wg.Go(func() {
					defer func() {
						mu.Lock()
						delete(running, key)
						mu.Unlock()
						<-places
					}()
					if _, err := s.runFeed(ctx, key, false); err != nil && ctx.Err() == nil {
						s.log.Error("running a feed", "feed", key, "error", err)
					}
				})
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wakeFeeds:
		case <-time.After(feedPause):
		}
	}
}

func (s *Service) feedDue(f *Feed, version int64, p feedPast) bool {
	return p.started.IsZero() || p.version != version || s.now().Sub(p.started) >= time.Duration(f.EveryMinutes)*time.Minute
}

// runFeed reads a feed, unless another process does or, without force, has just done;
// it returns nothing then.
func (s *Service) runFeed(ctx context.Context, key string, force bool) (*FeedRun, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	raw := conn.Hijack() // the session holds the lock as long as it lives
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		// Closing frees the lock too, but only some time later.
		_, _ = raw.Exec(closing, `SELECT pg_advisory_unlock_all()`)
		_ = raw.Close(closing) // the connection is given up either way
	}()
	var mine bool
	if err := raw.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('feed ' || $1, 0))`, key).Scan(&mine); err != nil {
		return nil, fmt.Errorf("locking the feed: %w", err)
	}
	v, ok := s.feeds.Get(key)
	if !ok {
		return nil, problem.NotFound("feed", key)
	}
	if !mine {
		if force {
			return nil, problem.Conflict("the feed " + key + " is being read")
		}
		return nil, nil
	}
	pasts, err := s.feedPasts(ctx)
	if err != nil {
		return nil, err
	}
	past := pasts[key]
	if !force && !s.feedDue(&v.Value, v.Version, past) {
		return nil, nil
	}
	if force || past.version != v.Version {
		past.validator = ""
	}
	run := &FeedRun{StartedAt: s.now().UTC()}
	report, validator := s.readFeed(ctx, key, &v.Value, past.validator)
	if ctx.Err() != nil {
		return nil, ctx.Err() // cut off: begun anew
	}
	run.FinishedAt, run.Report, run.Succeeded = s.now().UTC(), *report, report.Error == ""
	if err := s.saveRun(ctx, key, run, fmt.Sprint(v.Version, " ", validator)); err != nil {
		return nil, err
	}
	s.log.Info("feed read", "feed", key, "rows", report.Rows, "written", report.Written, "rejected", report.Rejected, "gone", report.Gone, "error", report.Error, "seconds", report.Seconds)
	return run, nil
}

func (s *Service) saveRun(ctx context.Context, key string, run *FeedRun, validator string) error {
	report, err := json.Marshal(run.Report)
	if err != nil {
		return fmt.Errorf("encoding the report of a feed: %w", err)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO recommend_feed_runs (feed, started_at, finished_at, succeeded, validator, report) VALUES ($1, $2, $3, $4, $5, $6)`,
			key, run.StartedAt, run.FinishedAt, run.Succeeded, validator, report); err != nil {
			return err
		}
		// The last success stays: it says how old the items are.
		_, err := tx.Exec(ctx, `DELETE FROM recommend_feed_runs WHERE feed = $1
			AND id <= (SELECT id FROM recommend_feed_runs WHERE feed = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)
			AND id != coalesce((SELECT max(id) FROM recommend_feed_runs WHERE feed = $1 AND succeeded), 0)`, key, keptRuns)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping what became of the feed %s: %w", key, err)
	}
	return nil
}

// feedRuns lists the runs of a feed, newest first.
func (s *Service) feedRuns(ctx context.Context, key string, limit int) ([]FeedRun, error) {
	rows, err := s.pool.Query(ctx, `SELECT started_at, finished_at, succeeded, report FROM recommend_feed_runs WHERE feed = $1 ORDER BY id DESC LIMIT $2`, key, limit)
	if err != nil {
		return nil, fmt.Errorf("listing the runs of a feed: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r FeedRun, err error) {
		var report []byte
		if err = row.Scan(&r.StartedAt, &r.FinishedAt, &r.Succeeded, &report); err == nil {
			err = json.Unmarshal(report, &r.Report)
		}
		r.StartedAt, r.FinishedAt = r.StartedAt.UTC(), r.FinishedAt.UTC()
		return r, err
	})
}
