package predict

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/problem"
)

// store is the registry in Postgres.
type store struct{ pool *pgxpool.Pool }

const columns = `model, version, family, state, learner, trained_at, as_of, window_from, window_to, definition_version, code_version, rows, seconds, verdict, length(artefact), promoted_at`

func scan(row pgx.Row, v *Version, more ...any) error {
	return row.Scan(append([]any{&v.Model, &v.Version, &v.Family, &v.State, &v.Learner, &v.TrainedAt, &v.AsOf, &v.From, &v.To,
		&v.DefinitionVersion, &v.CodeVersion, &v.Rows, &v.Seconds, &v.Verdict, &v.Bytes, &v.PromotedAt}, more...)...)
}

// insert stores a version as a challenger under the next number.
func (s *store) insert(ctx context.Context, v *Version) error {
	metrics, err := v.Metrics.encode()
	if err != nil {
		return fmt.Errorf("encoding the figures of %s: %w", v.Model, err)
	}
	v.State, v.Bytes = Challenger, int64(len(v.artefact))
	err = s.pool.QueryRow(ctx, `INSERT INTO prediction_versions (model, version, family, state, learner, trained_at, as_of, window_from, window_to, definition_version, code_version, rows, seconds, verdict, metrics, artefact)
SELECT $1, coalesce(max(version), 0) + 1, $2, 'challenger', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM prediction_versions WHERE model = $1 RETURNING version`,
		v.Model, v.Family, v.Learner, v.TrainedAt, v.AsOf, v.From, v.To, v.DefinitionVersion, v.CodeVersion, v.Rows, v.Seconds, v.Verdict, metrics, v.artefact).Scan(&v.Version)
	if err != nil {
		return fmt.Errorf("storing a version of %s: %w", v.Model, err)
	}
	return nil
}

// promote makes a version the champion in one transaction.
func (s *store) promote(ctx context.Context, model string, version int64) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// One promotion of a model at a time, whoever asks.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('prediction ' || $1, 0))", model); err != nil {
			return fmt.Errorf("locking %s: %w", model, err)
		}
		if _, err := tx.Exec(ctx, "UPDATE prediction_versions SET state = 'retired' WHERE model = $1 AND state = 'champion' AND version <> $2", model, version); err != nil {
			return fmt.Errorf("retiring the champion of %s: %w", model, err)
		}
		tag, err := tx.Exec(ctx, "UPDATE prediction_versions SET state = 'champion', promoted_at = now() WHERE model = $1 AND version = $2", model, version)
		if err != nil {
			return fmt.Errorf("promoting version %d of %s: %w", version, model, err)
		}
		if tag.RowsAffected() == 0 {
			return noVersion(model, version)
		}
		return nil
	})
}

func noVersion(model string, version int64) error {
	return &problem.Error{Status: http.StatusNotFound, Detail: fmt.Sprintf("The model %s has no version %d.", problem.Clip(model), version)}
}

// get reads one version; 0 is the champion. It is nil where there is none.
func (s *store) get(ctx context.Context, model string, version int64, artefact bool) (*Version, error) {
	what := "metrics, ''::bytea"
	if artefact {
		what = "metrics, artefact"
	}
	var v Version
	var metrics []byte
	err := scan(s.pool.QueryRow(ctx, "SELECT "+columns+", "+what+" FROM prediction_versions WHERE model = $1 AND (version = $2 OR ($2 = 0 AND state = 'champion'))", model, version), &v, &metrics, &v.artefact)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a version of %s: %w", model, err)
	}
	v.Metrics = &Metrics{}
	if err := json.Unmarshal(metrics, v.Metrics); err != nil {
		return nil, fmt.Errorf("reading the figures of version %d of %s: %w", v.Version, model, err)
	}
	return &v, nil
}

// list gives versions, newest first, without figures.
func (s *store) list(ctx context.Context, model string, before int64, limit int) ([]Version, error) {
	rows, err := s.pool.Query(ctx, "SELECT "+columns+" FROM prediction_versions WHERE model = $1 AND ($2 = 0 OR version < $2) ORDER BY version DESC LIMIT $3", model, before, limit)
	if err != nil {
		return nil, fmt.Errorf("listing versions of %s: %w", model, err)
	}
	defer rows.Close()
	out := []Version{}
	for rows.Next() {
		var v Version
		if err := scan(rows, &v); err != nil {
			return nil, fmt.Errorf("listing versions of %s: %w", model, err)
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// champions are the models that have one.
func (s *store) champions(ctx context.Context) (map[string]bool, error) {
	rows, err := s.pool.Query(ctx, "SELECT model FROM prediction_versions WHERE state = 'champion'")
	if err != nil {
		return nil, fmt.Errorf("listing champions: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing champions: %w", err)
	}
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out, nil
}

// previous is the version that was champion before; 0 when there was none.
func (s *store) previous(ctx context.Context, model string) (int64, error) {
	var version int64
	err := s.pool.QueryRow(ctx, "SELECT version FROM prediction_versions WHERE model = $1 AND state = 'retired' AND promoted_at IS NOT NULL ORDER BY promoted_at DESC LIMIT 1", model).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return version, err
}

func (s *store) begin(ctx context.Context, j *Job) error {
	return s.pool.QueryRow(ctx, "INSERT INTO prediction_jobs (model, kind, started_at) VALUES ($1, $2, $3) RETURNING id", j.Model, j.Kind, j.StartedAt).Scan(&j.ID)
}

func (s *store) end(ctx context.Context, j *Job) error {
	drift, err := json.Marshal(append([]Drift{}, j.Drift...))
	if err != nil {
		return fmt.Errorf("encoding the drift of a scoring: %w", err)
	}
	_, err = s.pool.Exec(ctx, "UPDATE prediction_jobs SET ended_at = $2, version = nullif($3, 0), result = $4, error = $5, drift = $6 WHERE id = $1", j.ID, j.EndedAt, j.Version, j.Result, j.Error, drift)
	return err
}

func (s *store) jobs(ctx context.Context, model string, limit int) ([]Job, error) {
	rows, err := s.pool.Query(ctx, "SELECT "+jobColumns+" FROM prediction_jobs WHERE $1 = '' OR model = $1 ORDER BY id DESC LIMIT $2", model, limit)
	if err != nil {
		return nil, fmt.Errorf("listing jobs: %w", err)
	}
	defer rows.Close()
	out := []Job{}
	for rows.Next() {
		var j Job
		if err := scanJob(rows, &j); err != nil {
			return nil, fmt.Errorf("listing jobs: %w", err)
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

const jobColumns = "id, model, kind, started_at, ended_at, coalesce(version, 0), result, error, drift"

func scanJob(row pgx.Row, j *Job) error {
	var drift []byte
	if err := row.Scan(&j.ID, &j.Model, &j.Kind, &j.StartedAt, &j.EndedAt, &j.Version, &j.Result, &j.Error, &drift); err != nil {
		return err
	}
	if j.EndedAt != nil {
		j.Progress = 1
	}
	return json.Unmarshal(drift, &j.Drift)
}

// scored is the last scoring that ended well; nil when there was none.
func (s *store) scored(ctx context.Context, model string) (*Job, error) {
	var j Job
	err := scanJob(s.pool.QueryRow(ctx, "SELECT "+jobColumns+" FROM prediction_jobs WHERE model = $1 AND kind = 'score' AND error = '' AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1", model), &j)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding the last scoring of %s: %w", model, err)
	}
	return &j, nil
}

// last is when a job of a kind began last and whether it ended well; nil when never.
func (s *store) last(ctx context.Context, model, kind string) (*Job, error) {
	var j Job
	err := s.pool.QueryRow(ctx, "SELECT started_at, error FROM prediction_jobs WHERE model = $1 AND kind = $2 ORDER BY id DESC LIMIT 1", model, kind).Scan(&j.StartedAt, &j.Error)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &j, err
}

// exclusively runs f unless another process works on the model.
func (s *store) exclusively(ctx context.Context, model string, f func() error) (ran bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("connecting: %w", err)
	}
	defer conn.Release()
	var locked bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended('prediction job ' || $1, 0))", model).Scan(&locked); err != nil || !locked {
		return false, err
	}
	defer func() {
		// Given back even when ctx has ended, as the connection goes back to the pool.
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtextextended('prediction job ' || $1, 0))", model)
	}()
	return true, f()
}
