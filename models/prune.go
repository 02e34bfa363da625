package models

import (
	"context"
	"fmt"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/jackc/pgx/v5"
)

const (
	// pruneEvery is how often what nobody needs is removed.
	pruneEvery = time.Hour
	// pruneAfter is how long every version is kept, so that each decision that names one
	// is in the log before it is asked whether there is any.
	pruneAfter = 24 * time.Hour
	// keptBuilds is how many builds of a track are kept in any case.
	keptBuilds = 50
	pruneBatch = 5000
)

// prune removes, now and then, the numbers of versions that no stored decision names.
func (s *Service) prune(ctx context.Context) error {
	for ctx.Err() == nil {
		wait(ctx, pruneEvery)
		if ctx.Err() != nil {
			break
		}
		for point := range s.points() {
			if _, err := s.store.exclusively(ctx, lockSpace, point, func() error { return s.Prune(ctx, point, s.trainer.now().Add(-pruneAfter)) }); err != nil && ctx.Err() == nil {
				s.log.Warn("removing old versions of a model", "decisionPoint", point, "error", err)
			}
		}
	}
	return ctx.Err()
}

// points are the decision points that have a model.
func (s *Service) points() map[string]bool {
	out := map[string]bool{}
	for t := range s.current.Load().latest {
		out[t.point] = true
	}
	return out
}

// Prune removes what replays cannot ask for any more of the versions of a decision point
// from before a moment. Every decision of the log can be computed again afterwards:
//
//   - A live version goes, unless a stored decision names it or a later one that
//     continues it.
//   - The numbers of a build go, unless a stored decision names it or a live version
//     continues it, or it is among the newest fifty or what the point went back to. That
//     there was such a version, when and of how many decisions, stays.
func (s *Service) Prune(ctx context.Context, point string, before time.Time) error {
	fail := func(err error) error { return fmt.Errorf("removing old versions of the model of %s: %w", point, err) }
	rows, err := s.store.pool.Query(ctx, `
		SELECT version, base FROM models m
		WHERE decision_point = $1 AND coalesce(updated_at, built_at) < $2 AND pruned_at IS NULL
			AND version != (SELECT max(version) FROM models n WHERE n.decision_point = $1 AND n.track = m.track)
			AND version NOT IN (SELECT version FROM model_pins WHERE decision_point = $1)
			AND (base IS NOT NULL OR version NOT IN (SELECT version FROM models k WHERE k.decision_point = $1 AND k.track = m.track AND k.base IS NULL ORDER BY version DESC LIMIT $3))
		ORDER BY version LIMIT $4`, point, before, keptBuilds, pruneBatch)
	if err != nil {
		return fail(err)
	}
	var live, builds []int64
	bases := map[int64]int64{}
	var version int64
	var base *int64
	if _, err := pgx.ForEachRow(rows, []any{&version, &base}, func() error {
		if base == nil {
			builds = append(builds, version)
		} else {
			live, bases[version] = append(live, version), *base
		}
		return nil
	}); err != nil {
		return fail(err)
	}
	if len(live)+len(builds) == 0 {
		return nil
	}
	named, err := s.namedVersions(ctx, point)
	if err != nil {
		return fail(err)
	}
	// needed is the last version of each chain that something still asks for.
	needed := map[int64]int64{}
	keep := func(base, version int64) { needed[base] = max(needed[base], version) }
	for v, b := range bases {
		if named[v] {
			keep(b, v)
		}
	}
	// Those that are not asked about now: younger ones, the newest, what was gone back to.
	rows, err = s.store.pool.Query(ctx, `SELECT coalesce(base, version), version FROM models WHERE decision_point = $1 AND pruned_at IS NULL AND NOT (version = ANY($2))`,
		point, append(append([]int64{}, live...), builds...))
	if err != nil {
		return fail(err)
	}
	var of int64
	if _, err := pgx.ForEachRow(rows, []any{&of, &version}, func() error { keep(of, version); return nil }); err != nil {
		return fail(err)
	}
	var dropLive, dropBuilds []int64
	for _, v := range live {
		if v > needed[bases[v]] {
			dropLive = append(dropLive, v)
		}
	}
	for _, v := range builds {
		if _, asked := needed[v]; !asked && !named[v] {
			dropBuilds = append(dropBuilds, v)
		}
	}
	return pgx.BeginFunc(ctx, s.store.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM models WHERE decision_point = $1 AND version = ANY($2) AND base IS NOT NULL`, point, dropLive); err != nil {
			return fail(err)
		}
		if _, err := tx.Exec(ctx, `UPDATE models SET artefact = NULL, pruned_at = now() WHERE decision_point = $1 AND version = ANY($2) AND base IS NULL`, point, dropBuilds); err != nil {
			return fail(err)
		}
		return nil
	})
}

// namedVersions are the versions that stored decisions name.
func (s *Service) namedVersions(ctx context.Context, point string) (map[int64]bool, error) {
	rows, err := s.trainer.db.Read.Query(chgo.Context(ctx, chgo.WithSettings(tileSettings)), `SELECT DISTINCT model_version FROM decisions WHERE decision_point = @point AND model_version > 0`,
		chgo.Named("point", point))
	if err != nil {
		return nil, err
	}
	named := map[int64]bool{}
	for rows.Next() {
		var v uint64
		if err := rows.Scan(&v); err != nil {
			return nil, closing(rows, err)
		}
		named[int64(v)] = true
	}
	return named, closing(rows, nil)
}
