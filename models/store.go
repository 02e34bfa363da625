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
	// numberSpace is for those who number a version.
	numberSpace = 0x6d6f6e75 // "monu"
	// liveSpace is for those who follow the stream.
	liveSpace = 0x6d6f6c69 // "moli"
)

// errOvertaken says that a version is not the newest any more.
var errOvertaken = errors.New("there is a newer version")

// errPruned says that the numbers of a version were removed.
var errPruned = errors.New("its numbers were removed, as no stored decision names it")

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

// save stores a snapshot that was built under the next version of its decision point,
// which it writes into the snapshot, and announces it.
func (s *store) save(ctx context.Context, snap *Snapshot) error {
	artefact, err := snap.Model.MarshalBinary()
	if err != nil {
		return fmt.Errorf("storing the model of %s: %w", snap.DecisionPoint, err)
	}
	if err := s.insert(ctx, snap, 0, s.encoder.EncodeAll(artefact, nil), nil); err != nil {
		return fmt.Errorf("storing the model of %s: %w", snap.DecisionPoint, err)
	}
	return nil
}

// saveLive stores a snapshot that continues another by some observations. It returns an
// error wrapping errOvertaken, and stores nothing, where the other is not the newest of
// its track any more: the observations then belong to what came in between.
func (s *store) saveLive(ctx context.Context, snap, before *Snapshot, updates []bandits.Update) error {
	data, err := bandits.AppendUpdates(nil, updates)
	if err != nil {
		return fmt.Errorf("storing the model of %s: %w", snap.DecisionPoint, err)
	}
	if err := s.insert(ctx, snap, before.Version, nil, s.encoder.EncodeAll(data, nil)); err != nil {
		return fmt.Errorf("storing the model of %s: %w", snap.DecisionPoint, err)
	}
	return nil
}

// insert writes a version with everything that belongs to it in one transaction: its
// numbers and the position up to which they hold.
func (s *store) insert(ctx context.Context, snap *Snapshot, previous int64, artefact, updates []byte) error {
	actions, err := json.Marshal(snap.Actions)
	if err != nil {
		return err
	}
	var decisionsThrough, eventsThrough *string
	if snap.position != everything {
		decisionsThrough, eventsThrough = new(fmt.Sprint(snap.position.Decisions)), new(fmt.Sprint(snap.position.Events))
	}
	var base, after *int64
	var delays, average []float64
	if previous > 0 {
		base, after = &snap.Base, &previous
	} else {
		delays, average = snap.delays, snap.average
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Builds and live versions number one after the other.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, hashtext($2))`, numberSpace, snap.DecisionPoint); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `
			INSERT INTO models (decision_point, version, track, built_at, updated_at, through, decisions, reward, spec, volume_decisions, volume_outcomes,
				actions, artefact, base, previous, updates, decisions_position, events_position, delays, average)
			SELECT $1::text, coalesce((SELECT max(version) FROM models WHERE decision_point = $1), 0) + 1, $2, $3, $4, $5::numeric, $6, $7, $8, $9, $10,
				$11, $12, $13, $14, $15, $16::numeric, $17::numeric, $18, $19
			WHERE $14::bigint IS NULL OR $14 = (SELECT max(version) FROM models WHERE decision_point = $1 AND track = $2)
			RETURNING version`,
			snap.DecisionPoint, snap.Track, snap.BuiltAt, snap.UpdatedAt, fmt.Sprint(snap.Through), int64(snap.Decisions), snap.Reward, snap.spec,
			int64(snap.volume.decisions), int64(snap.volume.outcomes), actions, artefact, base, after, updates, decisionsThrough, eventsThrough, delays, average,
		).Scan(&snap.Version)
		if errors.Is(err, pgx.ErrNoRows) {
			return errOvertaken
		}
		if err != nil {
			return err
		}
		if previous == 0 {
			snap.Base = snap.Version
		}
		_, err = tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, snap.DecisionPoint)
		return err
	})
}

// load reads one version. It returns an error wrapping errNoVersion if it is not
// there, errPruned if its numbers are not. A live version is made of the one that was
// built and the observations since, or of near where that is on the way.
func (s *store) load(ctx context.Context, point string, version int64, near *Snapshot) (*Snapshot, error) {
	snap, err := s.read(ctx, point, version, near)
	if err != nil {
		return nil, fmt.Errorf("loading model %d of %s: %w", version, point, err)
	}
	return snap, nil
}

func (s *store) read(ctx context.Context, point string, version int64, near *Snapshot) (*Snapshot, error) {
	snap := &Snapshot{DecisionPoint: point, Version: version, position: everything}
	var actions, artefact []byte
	var through string
	var base *int64
	var decisionsThrough, eventsThrough *string
	var decisions, volumeDecisions, volumeOutcomes int64
	var updatedAt, prunedAt *time.Time
	err := s.pool.QueryRow(ctx, `
		SELECT track, built_at, updated_at, through::text, decisions, reward, spec, volume_decisions, volume_outcomes, actions, artefact, base,
			decisions_position::text, events_position::text, delays, average, pruned_at
		FROM models WHERE decision_point = $1 AND version = $2`, point, version,
	).Scan(&snap.Track, &snap.BuiltAt, &updatedAt, &through, &decisions, &snap.Reward, &snap.spec, &volumeDecisions, &volumeOutcomes, &actions, &artefact, &base,
		&decisionsThrough, &eventsThrough, &snap.delays, &snap.average, &prunedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNoVersion
	}
	if err != nil {
		return nil, err
	}
	if prunedAt != nil {
		return nil, errPruned
	}
	snap.BuiltAt = snap.BuiltAt.UTC()
	snap.UpdatedAt = snap.BuiltAt
	if updatedAt != nil {
		snap.UpdatedAt = updatedAt.UTC()
	}
	snap.Decisions = uint64(decisions)
	snap.volume = volume{decisions: uint64(volumeDecisions), outcomes: uint64(volumeOutcomes)}
	if _, err := fmt.Sscan(through, &snap.Through); err != nil {
		return nil, fmt.Errorf("reading the sequence %q: %w", through, err)
	}
	if decisionsThrough != nil && eventsThrough != nil {
		if _, err := fmt.Sscan(*decisionsThrough+" "+*eventsThrough, &snap.position.Decisions, &snap.position.Events); err != nil {
			return nil, fmt.Errorf("reading its position: %w", err)
		}
	}
	if err := json.Unmarshal(actions, &snap.Actions); err != nil {
		return nil, fmt.Errorf("reading the actions: %w", err)
	}
	if base != nil {
		snap.Base = *base
		return snap, s.follow(ctx, snap, near)
	}
	snap.Base = version
	data, err := s.decoder.DecodeAll(artefact, nil)
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	snap.Model, err = bandits.ParseModel(data)
	return snap, err
}

// follow makes the model of a live version out of an earlier one of its chain.
func (s *store) follow(ctx context.Context, snap, near *Snapshot) error {
	if near == nil || near.DecisionPoint != snap.DecisionPoint || near.Base != snap.Base || near.Version > snap.Version {
		var err error
		if near, err = s.read(ctx, snap.DecisionPoint, snap.Base, nil); err != nil {
			return fmt.Errorf("version %d, which it continues: %w", snap.Base, err)
		}
	}
	snap.delays, snap.average = near.delays, near.average
	rows, err := s.pool.Query(ctx, `SELECT version, previous, updates FROM models
		WHERE decision_point = $1 AND base = $2 AND version > $3 AND version <= $4 ORDER BY version`, snap.DecisionPoint, snap.Base, near.Version, snap.Version)
	if err != nil {
		return err
	}
	model, at := near.Model, near.Version
	var version, previous int64
	var compressed []byte
	_, err = pgx.ForEachRow(rows, []any{&version, &previous, &compressed}, func() error {
		if previous != at || compressed == nil {
			return fmt.Errorf("version %d does not follow %d", version, at)
		}
		data, err := s.decoder.DecodeAll(compressed, nil)
		if err != nil {
			return fmt.Errorf("decompressing the observations of version %d: %w", version, err)
		}
		updates, err := bandits.ParseUpdates(data)
		if err != nil {
			return err
		}
		model, err = model.Updated(updates)
		at = version
		return err
	})
	if err != nil {
		return err
	}
	if at != snap.Version {
		return fmt.Errorf("the observations end with version %d", at)
	}
	snap.Model = model
	return nil
}

// track names what is learned: for a decision point, and for which of its policies.
type track struct{ point, candidate string }

// newest lists the newest version of every track that has one.
func (s *store) newest(ctx context.Context) (map[track]int64, error) {
	// From one track to the next by the index: there may be very many versions.
	rows, err := s.pool.Query(ctx, `
		WITH RECURSIVE tracks AS (
			(SELECT decision_point, track FROM models ORDER BY decision_point, track LIMIT 1)
			UNION ALL
			SELECT n.decision_point, n.track FROM tracks t, LATERAL (
				SELECT decision_point, track FROM models WHERE (decision_point, track) > (t.decision_point, t.track) ORDER BY decision_point, track LIMIT 1
			) n
		)
		SELECT decision_point, track, (SELECT version FROM models m WHERE m.decision_point = t.decision_point AND m.track = t.track ORDER BY version DESC LIMIT 1)
		FROM tracks t`)
	if err != nil {
		return nil, fmt.Errorf("listing models: %w", err)
	}
	out := map[track]int64{}
	var t track
	var version int64
	if _, err := pgx.ForEachRow(rows, []any{&t.point, &t.candidate, &version}, func() error {
		out[t] = version
		return nil
	}); err != nil {
		return nil, fmt.Errorf("listing models: %w", err)
	}
	return out, nil
}

// list gives up to limit versions older than before, newest first: of a candidate, ""
// for the policy that decides and "*" for all, with or without the live ones.
func (s *store) list(ctx context.Context, point, candidate string, live bool, before int64, limit int) ([]VersionInfo, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT version, track, base IS NOT NULL, coalesce(base, version), coalesce(updated_at, built_at), decisions, reward, through::float8::bigint, pruned_at IS NOT NULL
		FROM models
		WHERE decision_point = $1 AND ($2::bigint = 0 OR version < $2) AND ($4::text = '*' OR track = $4) AND ($5 OR base IS NULL)
		ORDER BY version DESC LIMIT $3`, point, before, limit, candidate, live)
	if err != nil {
		return nil, fmt.Errorf("listing the models of %s: %w", point, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v VersionInfo, err error) {
		err = row.Scan(&v.Version, &v.Candidate, &v.Live, &v.Base, &v.BuiltAt, &v.Decisions, &v.Reward, &v.Through, &v.Pruned)
		v.BuiltAt = v.BuiltAt.UTC()
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the models of %s: %w", point, err)
	}
	return out, nil
}

// exclusively runs build unless another process does the same kind of work, which space
// says, for the same decision point; it then returns false.
func (s *store) exclusively(ctx context.Context, space int, point string, build func() error) (ran bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("locking the model of %s: %w", point, err)
	}
	defer conn.Release()
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, hashtext($2))`, space, point).Scan(&ran); err != nil {
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
		if _, err := conn.Exec(unlock, `SELECT pg_advisory_unlock($1, hashtext($2))`, space, point); err != nil {
			_ = conn.Conn().Close(unlock)
		}
	}()
	return true, build()
}
