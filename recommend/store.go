package recommend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/recommend/trained"
)

// keptBuilds is how many builds are kept.
const keptBuilds = 10

// Version is a build as the API tells of it.
type Version struct {
	Version int64     `json:"version"`
	BuiltAt time.Time `json:"builtAt"`
	Report  Report    `json:"report"`
}

// save keeps a build and gives it its version.
func (s *Service) save(ctx context.Context, b *trained.Bundle, r *Report, at time.Time) (int64, error) {
	report, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("encoding the report of a build: %w", err)
	}
	var version int64
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `INSERT INTO recommend_models (built_at, report, artefact) VALUES ($1, $2, $3) RETURNING version`,
			at, report, b.Encode()).Scan(&version); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM recommend_models WHERE version <= $1`, version-keptBuilds)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keeping a build: %w", err)
	}
	return version, nil
}

// newest reads the newest build above a version; nil when there is none.
func (s *Service) newest(ctx context.Context, above int64) (*snapshot, error) {
	var v Version
	var report, artefact []byte
	err := s.pool.QueryRow(ctx, `SELECT version, built_at, report, artefact FROM recommend_models WHERE version > $1 ORDER BY version DESC LIMIT 1`, above).
		Scan(&v.Version, &v.BuiltAt, &report, &artefact)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the newest build: %w", err)
	}
	if err := json.Unmarshal(report, &v.Report); err != nil {
		return nil, fmt.Errorf("reading the report of build %d: %w", v.Version, err)
	}
	b, err := trained.DecodeBundle(artefact)
	if err != nil {
		return nil, fmt.Errorf("reading build %d: %w", v.Version, err)
	}
	return newSnapshot(v, b), nil
}

// versions lists the builds that are kept, newest first.
func (s *Service) versions(ctx context.Context) ([]Version, error) {
	rows, err := s.pool.Query(ctx, `SELECT version, built_at, report FROM recommend_models ORDER BY version DESC LIMIT $1`, keptBuilds)
	if err != nil {
		return nil, fmt.Errorf("listing builds: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Version, err error) {
		var report []byte
		if err = row.Scan(&v.Version, &v.BuiltAt, &report); err == nil {
			err = json.Unmarshal(report, &v.Report)
		}
		return v, err
	})
}
