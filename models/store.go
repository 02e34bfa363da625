package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/zstd"

	"quintet/models/bandits"
)

const (
	// channel is where a new version is announced; the payload is the decision
	// point.
	channel = "quintet_models"
	// maxArtefact bounds a model in memory, uncompressed.
	maxArtefact = 1 << 30
	// lockSpace keeps the advisory locks of builds apart from others.
	lockSpace = 0x6d6f6465 // "mode"
)

// errNoVersion is returned for a version that is not stored.
var errNoVersion = errors.New("there is no such version")

// store keeps snapshots in Postgres.
type store struct {
	pool    *pgxpool.Pool
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newStore(pool *pgxpool.Pool) (*store, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("preparing compression: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxArtefact))
	if err != nil {
		return nil, fmt.Errorf("preparing decompression: %w", err)
	}
	return &store{pool: pool, encoder: encoder, decoder: decoder}, nil
}

// save stores a snapshot under the next version of its decision point, which it
// writes into the snapshot, and announces it.
func (s *store) save(ctx context.Context, snap *Snapshot) error {
	artefact, err := snap.Model.MarshalBinary()
	if err != nil {
		return fmt.Errorf("storing the model of %s: %w", snap.DecisionPoint, err)
	}
	actions, err := json.Marshal(snap.Actions)
	if err != nil {
		return fmt.Errorf("storing the model of %s: %w", snap.DecisionPoint, err)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `
			INSERT INTO models (decision_point, version, built_at, through, decisions, reward, spec, volume_decisions, volume_outcomes, actions, artefact)
			SELECT $1::text, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM models WHERE decision_point = $1
			RETURNING version`,
			snap.DecisionPoint, snap.BuiltAt, fmt.Sprint(snap.Through), int64(snap.Decisions), snap.Reward, snap.spec,
			int64(snap.volume.decisions), int64(snap.volume.outcomes), actions, s.encoder.EncodeAll(artefact, nil),
		).Scan(&snap.Version); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, snap.DecisionPoint)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing the model of %s: %w", snap.DecisionPoint, err)
	}
	return nil
}

// load reads one version. It returns an error wrapping errNoVersion if it is not
// there.
func (s *store) load(ctx context.Context, point string, version int64) (*Snapshot, error) {
	snap := &Snapshot{DecisionPoint: point, Version: version}
	var actions, artefact []byte
	var through string
	var decisions, volumeDecisions, volumeOutcomes int64
	err := s.pool.QueryRow(ctx, `
		SELECT built_at, through::text, decisions, reward, spec, volume_decisions, volume_outcomes, actions, artefact
		FROM models WHERE decision_point = $1 AND version = $2`, point, version,
	).Scan(&snap.BuiltAt, &through, &decisions, &snap.Reward, &snap.spec, &volumeDecisions, &volumeOutcomes, &actions, &artefact)
	fail := func(err error) (*Snapshot, error) {
		return nil, fmt.Errorf("loading model %d of %s: %w", version, point, err)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fail(errNoVersion)
	}
	if err != nil {
		return fail(err)
	}
	snap.BuiltAt = snap.BuiltAt.UTC()
	snap.Decisions = uint64(decisions)
	snap.volume = volume{decisions: uint64(volumeDecisions), outcomes: uint64(volumeOutcomes)}
	if _, err := fmt.Sscan(through, &snap.Through); err != nil {
		return fail(fmt.Errorf("reading the sequence %q: %w", through, err))
	}
	if err := json.Unmarshal(actions, &snap.Actions); err != nil {
		return fail(fmt.Errorf("reading the actions: %w", err))
	}
	data, err := s.decoder.DecodeAll(artefact, nil)
	if err != nil {
		return fail(fmt.Errorf("decompressing: %w", err))
	}
	if snap.Model, err = bandits.ParseModel(data); err != nil {
		return fail(err)
	}
	return snap, nil
}

// newest lists the newest version of every decision point that has one.
func (s *store) newest(ctx context.Context) (map[string]int64, error) {
	rows, err := s.pool.Query(ctx, `SELECT decision_point, max(version) FROM models GROUP BY decision_point`)
	if err != nil {
		return nil, fmt.Errorf("listing models: %w", err)
	}
	out := map[string]int64{}
	var point string
	var version int64
	if _, err := pgx.ForEachRow(rows, []any{&point, &version}, func() error {
		out[point] = version
		return nil
	}); err != nil {
		return nil, fmt.Errorf("listing models: %w", err)
	}
	return out, nil
}

// list gives up to limit versions older than before, newest first.
func (s *store) list(ctx context.Context, point string, before int64, limit int) ([]VersionInfo, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT version, built_at, decisions, reward, through::float8::bigint FROM models
		WHERE decision_point = $1 AND ($2::bigint = 0 OR version < $2) ORDER BY version DESC LIMIT $3`, point, before, limit)
	if err != nil {
		return nil, fmt.Errorf("listing the models of %s: %w", point, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v VersionInfo, err error) {
		err = row.Scan(&v.Version, &v.BuiltAt, &v.Decisions, &v.Reward, &v.Through)
		v.BuiltAt = v.BuiltAt.UTC()
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the models of %s: %w", point, err)
	}
	return out, nil
}

// exclusively runs build unless another process is building for the same decision
// point; it then returns false.
func (s *store) exclusively(ctx context.Context, point string, build func() error) (ran bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("locking the model of %s: %w", point, err)
	}
	defer conn.Release()
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, hashtext($2))`, lockSpace, point).Scan(&ran); err != nil {
		return false, fmt.Errorf("locking the model of %s: %w", point, err)
	}
	if !ran {
		return false, nil
	}
	defer func() {
		// The lock belongs to the session, which goes back to the pool: where it
		// cannot be given back the session must end.
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(unlock, `SELECT pg_advisory_unlock($1, hashtext($2))`, lockSpace, point); err != nil {
			_ = conn.Conn().Close(unlock)
		}
	}()
	return true, build()
}
