package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/problem"
)

// Pin is a version that a decision point went back to: its decisions use it, while
// learning goes on, until it is let go.
type Pin struct {
	DecisionPoint string    `json:"decisionPoint"`
	Version       int64     `json:"version"`
	Reason        string    `json:"reason"`
	Actor         string    `json:"actor" doc:"Who went back; quintet where it did so by itself"`
	PinnedAt      time.Time `json:"pinnedAt"`
}

// SchemaName implements the interface of the API for names of schemas.
func (Pin) SchemaName() string { return "ModelPin" }

func (s *store) pins(ctx context.Context) ([]Pin, error) {
	rows, err := s.pool.Query(ctx, `SELECT decision_point, version, reason, actor, pinned_at FROM model_pins ORDER BY decision_point`)
	if err != nil {
		return nil, fmt.Errorf("listing what decision points went back to: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Pin])
	if err != nil {
		return nil, fmt.Errorf("listing what decision points went back to: %w", err)
	}
	return out, nil
}

// PinOf is the version that a decision point went back to; ok is false where it uses
// the newest.
func (s *Service) PinOf(ctx context.Context, decisionPoint string) (pin Pin, ok bool, err error) {
	pins, err := s.store.pins(ctx)
	for _, p := range pins {
		if p.DecisionPoint == decisionPoint {
			return p, true, err
		}
	}
	return Pin{}, false, err
}

// Pin has the decisions of a decision point use a certain version of its model, in
// every process within a moment. It returns a problem where there is none.
func (s *Service) Pin(ctx context.Context, decisionPoint string, version int64, reason, actor string) error {
	// Not from memory, which may hold what the store does not any more.
	snap, err := s.store.load(ctx, decisionPoint, version, nil)
	if errors.Is(err, errNoVersion) || errors.Is(err, errPruned) {
		return problem.NotFound("model", fmt.Sprintf("%s, version %d", problem.Clip(decisionPoint), version))
	}
	if err != nil {
		return err
	}
	if now := s.Latest(decisionPoint, ""); now != nil && now.Model.Fingerprint != snap.Model.Fingerprint {
		return problem.Conflict(fmt.Sprintf("Version %d was learned from other features than the decision point has now; bring back its version of then first.", version))
	}
	return s.changePin(ctx, decisionPoint, `INSERT INTO model_pins (decision_point, version, reason, actor) VALUES ($1, $2, $3, $4)
		ON CONFLICT (decision_point) DO UPDATE SET version = $2, reason = $3, actor = $4, pinned_at = now()`, decisionPoint, version, reason, actor)
}

// Unpin has a decision point use its newest version again. Where it does, nothing
// happens.
func (s *Service) Unpin(ctx context.Context, decisionPoint string) error {
	return s.changePin(ctx, decisionPoint, `DELETE FROM model_pins WHERE decision_point = $1`, decisionPoint)
}

func (s *Service) changePin(ctx context.Context, decisionPoint, sql string, arguments ...any) error {
	err := pgx.BeginFunc(ctx, s.store.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, arguments...)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, decisionPoint)
		return err
	})
	if err != nil {
		return fmt.Errorf("changing which version of the model %s uses: %w", decisionPoint, err)
	}
	if err := s.refreshPins(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
