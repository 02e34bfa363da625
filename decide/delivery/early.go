package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide/channels"
)

// A provider may tell of a message before its answer to the sending was written down, by
// which alone the message is known. Such receipts wait for it, as long and as many as:
const (
	earlyFor  = time.Hour
	mostEarly = 100_000
)

// keepEarly keeps a receipt until its message is known. Whoever sends looks for it after
// the id was written down, so that one of the two finds the other.
func (s *Service) keepEarly(ctx context.Context, channel string, r channels.Receipt) error {
	at := r.At
	if at.IsZero() || at.After(s.now()) {
		at = s.now()
	}
	tag, err := s.pool.Exec(ctx, `INSERT INTO delivery_early_receipts (channel, provider_id, kind, at, code, came_at) SELECT $1, $2, $3, $4, $5, $6
		WHERE (SELECT count(*) FROM (SELECT 1 FROM delivery_early_receipts LIMIT $7) AS waiting) < $7 ON CONFLICT DO NOTHING`,
		channel, r.ProviderID, string(r.Kind), at, r.Code, s.now(), mostEarly)
	if err != nil {
		return fmt.Errorf("keeping a receipt: %w", err)
	}
	if tag.RowsAffected() == 0 {
		s.log.Debug("a receipt of an unknown message was dropped", "channel", channel, "kind", r.Kind)
	}
	return s.takeEarly(ctx, channel, r.ProviderID)
}

// takeEarly applies the receipts that waited for a message, once it is known.
func (s *Service) takeEarly(ctx context.Context, channel, providerID string) error {
	if providerID == "" {
		return nil
	}
	delivery, step, err := s.byProvider(ctx, channel, providerID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, `SELECT kind, at, code FROM delivery_early_receipts WHERE channel = $1 AND provider_id = $2 ORDER BY at, kind`, channel, providerID)
	if err != nil {
		return fmt.Errorf("looking for receipts that came early: %w", err)
	}
	early, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r channels.Receipt, err error) {
		r.ProviderID = providerID
		return r, row.Scan(&r.Kind, &r.At, &r.Code)
	})
	if err != nil {
		return fmt.Errorf("reading receipts that came early: %w", err)
	}
	for _, r := range early { // each once, however often this breaks off
		if err := s.receive(ctx, delivery, step, r, nil); err != nil {
			return err
		}
	}
	if _, err := s.pool.Exec(ctx, `DELETE FROM delivery_early_receipts WHERE channel = $1 AND provider_id = $2`, channel, providerID); err != nil {
		return fmt.Errorf("removing receipts that came early: %w", err)
	}
	return nil
}

// sweepEarly applies receipts whose worker died before it looked for them, and drops
// those whose message never came.
func (s *Service) sweepEarly(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT e.channel, e.provider_id FROM delivery_early_receipts e
		JOIN delivery_steps s ON s.channel = e.channel AND s.provider_id = e.provider_id AND s.provider_id <> '' LIMIT $1`, pageSize)
	if err != nil {
		return fmt.Errorf("looking for receipts that came early: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (key [2]string, err error) {
		return key, row.Scan(&key[0], &key[1])
	})
	if err != nil {
		return fmt.Errorf("reading receipts that came early: %w", err)
	}
	for _, key := range found {
		if err := s.takeEarly(ctx, key[0], key[1]); err != nil {
			return err
		}
	}
	if _, err := s.pool.Exec(ctx, `DELETE FROM delivery_early_receipts WHERE came_at < $1`, s.now().Add(-earlyFor)); err != nil {
		return fmt.Errorf("dropping receipts of unknown messages: %w", err)
	}
	return nil
}

// byProvider is the message on a channel that a provider gave an id; pgx.ErrNoRows where
// there is none.
func (s *Service) byProvider(ctx context.Context, channel, providerID string) (delivery string, step int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT delivery, step FROM delivery_steps WHERE channel = $1 AND provider_id = $2 AND provider_id <> '' ORDER BY delivery DESC LIMIT 1`,
		channel, providerID).Scan(&delivery, &step)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("looking for the message of a receipt: %w", err)
	}
	return delivery, step, err
}
