package decide

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/internal/problem"
	"quintet/internal/stream"
)

// keptPoll is how often what other processes keep is read.
const keptPoll = 5 * time.Second

// keptRow is a variant that a unit keeps, on its way to Postgres.
type keptRow struct {
	experiment, unit, variant string
	version                   int64 // of the experiment's definition
	at                        time.Time
}

// keptIn adds what a record keeps.
func keptIn(rec *Record, out []keptRow) []keptRow {
	for i := range rec.Experiments {
		if e := &rec.Experiments[i]; e.How == howKeep {
			out = append(out, keptRow{e.Key, e.unit(rec), e.Variant, e.Version, rec.DecidedAt})
		}
	}
	return out
}

// bucketVersion is the bucket version that an experiment had in a version, and the
// index of a variant.
func (s *Service) bucketVersion(ctx context.Context, key string, version int64, variant string) (assignment.Kept, error) {
	v, err := s.trials.Definitions().AtVersion(ctx, key, version)
	var missing *problem.Error
	if errors.As(err, &missing) && missing.GetStatus() == http.StatusNotFound {
		return assignment.Kept{}, errNotKept
	}
	if err != nil {
		return assignment.Kept{}, fmt.Errorf("loading experiment %s version %d: %w", key, version, err)
	}
	for i := range v.Value.Variants {
		if v.Value.Variants[i].Key == variant {
			return assignment.Kept{Variant: i, Version: v.Value.BucketVersion}, nil
		}
	}
	return assignment.Kept{}, errNotKept
}

// errNotKept is for a variant that the experiment never had.
var errNotKept = errors.New("there is no such variant")

// storeKept writes what units keep, before the range of the stream that says so counts
// as stored. A repetition changes nothing.
func (s *Service) storeKept(ctx context.Context, rows []keptRow) error {
	if s.pool == nil || len(rows) == 0 || !s.keeper.room() {
		return nil
	}
	var experiment, unit, variant []string
	var bucket []int32
	var at []time.Time
	for _, r := range rows {
		kept, err := s.bucketVersion(ctx, r.experiment, r.version, r.variant)
		switch {
		case errors.Is(err, errNotKept):
			continue // a foreign writer made it up
		case err != nil:
			return err
		}
		experiment, unit, variant = append(experiment, r.experiment), append(unit, r.unit), append(variant, r.variant)
		bucket, at = append(bucket, int32(kept.Version)), append(at, r.at)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	// A command cannot change a row twice: of a unit that is there twice the first counts.
	_, err := s.pool.Exec(ctx, `
		INSERT INTO kept_variants (experiment, unit, variant, bucket_version, kept_at)
		SELECT DISTINCT ON (e, u) e, u, v, b, a FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::timestamptz[]) AS t (e, u, v, b, a)
		ORDER BY e, u, b DESC, a
		ON CONFLICT (experiment, unit) DO UPDATE
		SET variant = excluded.variant, bucket_version = excluded.bucket_version, kept_at = excluded.kept_at, change = DEFAULT
		WHERE kept_variants.bucket_version < excluded.bucket_version`, experiment, unit, variant, bucket, at)
	if err != nil {
		return fmt.Errorf("keeping %d variants: %w", len(rows), err)
	}
	return nil
}

// loadKept brings into memory what is kept: from Postgres, then from the part of the
// stream that is not stored yet.
func (s *Service) loadKept(ctx context.Context) error {
	if s.pool == nil {
		return nil
	}
	if err := s.pollKept(ctx); err != nil {
		return err
	}
	some := false
	for key := range s.trials.Definitions().Snapshot() {
		t := s.trials.Plan().Trial(key)
		some = some || t != nil && keeps(t)
	}
	if !some {
		return nil
	}
	end, err := s.topic.Publish(ctx, []byte{markVersion})
	if err != nil {
		return fmt.Errorf("marking the end of the stream of decisions: %w", err)
	}
	var r row
	return s.topic.Scan(ctx, end, func(m stream.Message) error {
		if isMark(m.Data) {
			return nil
		}
		if err := r.decode(unsafe.String(unsafe.SliceData(m.Data), len(m.Data))); err != nil {
			return nil // the sink says so
		}
		for _, k := range keptIn(&r.Record, nil) {
			kept, err := s.bucketVersion(ctx, k.experiment, k.version, k.variant)
			if err == nil {
				s.keeper.add(k.experiment, k.unit, kept)
			}
		}
		return nil
	})
}

// pollKept reads what was kept since the last time. Numbers of changes may become
// visible out of order, so it reads a little back.
func (s *Service) pollKept(ctx context.Context) error {
	const back = 10_000
	plan := s.trials.Plan()
	rows, err := s.pool.Query(ctx, `SELECT experiment, unit, variant, bucket_version, change FROM kept_variants WHERE change > $1 ORDER BY change LIMIT $2`,
		max(s.keptThrough-back, 0), keptUnits)
	if err != nil {
		return fmt.Errorf("reading what is kept: %w", err)
	}
	var experiment, unit, variant string
	var bucket, change int64
	if _, err := pgx.ForEachRow(rows, []any{&experiment, &unit, &variant, &bucket, &change}, func() error {
		s.keptThrough = max(s.keptThrough, change)
		t := plan.Trial(experiment)
		if t == nil || !keeps(t) {
			return nil
		}
		for i := range t.Variants {
			if t.Variants[i].Key == variant {
				s.keeper.add(experiment, unit, assignment.Kept{Variant: i, Version: int(bucket)})
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("reading what is kept: %w", err)
	}
	return nil
}

// keeps says whether an experiment keeps variants: until it has ended.
func keeps(t *experiments.Trial) bool { return t.Sticky && t.Running }

// keepUp follows what other processes keep and forgets what has ended, until the
// context ends.
func (s *Service) keepUp(ctx context.Context) {
	if s.pool == nil {
		return
	}
	ticker := time.NewTicker(keptPoll)
	defer ticker.Stop()
	full := false
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.tidyKept(ctx, n%12 == 0); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Warn("keeping variants", "error", err)
		}
		if now := !s.keeper.room(); now != full {
			if full = now; full {
				s.log.Warn("no more variants are kept: people who come now are assigned by hash each time", "kept", s.keeper.limit)
			}
		}
	}
}

// tidyKept reads what others keep, lets go of what has ended, and on demand removes it
// from Postgres as well.
func (s *Service) tidyKept(ctx context.Context, remove bool) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	plan := s.trials.Plan()
	s.keeper.retain(func(key string) bool { t := plan.Trial(key); return t != nil && keeps(t) })
	if err := s.pollKept(ctx); err != nil {
		return err
	}
	if !remove {
		return nil
	}
	var ended []string
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT experiment FROM kept_variants`)
	if err != nil {
		return fmt.Errorf("listing experiments that keep variants: %w", err)
	}
	var key string
	if _, err := pgx.ForEachRow(rows, []any{&key}, func() error {
		if t := plan.Trial(key); t == nil || !keeps(t) {
			ended = append(ended, key)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("listing experiments that keep variants: %w", err)
	}
	if len(ended) == 0 {
		return nil
	}
	if _, err := s.pool.Exec(ctx, `DELETE FROM kept_variants WHERE experiment = ANY($1)`, ended); err != nil {
		return fmt.Errorf("forgetting the variants of experiments that have ended: %w", err)
	}
	return nil
}

// eraseKept removes what is kept for units.
func (s *Service) eraseKept(ctx context.Context, units []string) (int64, error) {
	n := int64(s.keeper.erase(units))
	if s.pool == nil {
		return n, nil
	}
	tag, err := s.pool.Exec(ctx, `DELETE FROM kept_variants WHERE unit = ANY($1)`, units)
	if err != nil {
		return n, fmt.Errorf("removing variants that are kept for a person: %w", err)
	}
	return max(n, tag.RowsAffected()), nil
}
