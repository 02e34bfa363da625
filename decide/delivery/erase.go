package delivery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"quintet/decide/outbound"
	"quintet/profiles"
)

var owned = []outbound.Owned{{Table: "deliveries"}, {Table: "delivery_notes"}, {Table: "delivery_dead"}, {Table: "delivery_chats"}}

// Erase is part of [profiles.ErasurePart].
func (s *Service) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	// They go with the messages, and are counted for the proof.
	steps, err := s.pool.Exec(ctx, `DELETE FROM delivery_steps WHERE delivery IN (SELECT id FROM deliveries WHERE person = ANY($1) OR profile_id = ANY($1))`, sub.Texts())
	if err != nil {
		return nil, fmt.Errorf("erasing a person from delivery_steps: %w", err)
	}
	removed, err := outbound.EraseFrom(ctx, s.pool, sub, owned...)
	if err != nil {
		return nil, err
	}
	removed["postgres delivery_steps"] = steps.RowsAffected()
	return removed, nil
}

// Check is part of [profiles.ErasurePart].
func (s *Service) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	return outbound.CheckFor(ctx, s.pool, sub, owned...)
}

// EachDelivery calls f with every message to the profiles, oldest first, as the API shows it.
func (s *Service) EachDelivery(ctx context.Context, profiles []string, f func(delivery any) error) error {
	after := ""
	for {
		rows, err := s.pool.Query(ctx, selectShown+`WHERE (d.person = ANY($1) OR d.profile_id = ANY($1)) AND d.id > $2 ORDER BY d.id LIMIT 500`, profiles, after)
		if err != nil {
			return fmt.Errorf("reading deliveries: %w", err)
		}
		list, err := pgx.CollectRows(rows, scanShown)
		if err != nil {
			return fmt.Errorf("reading deliveries: %w", err)
		}
		for i := range list {
			after = list[i].ID
			if err := f(&list[i]); err != nil {
				return err
			}
		}
		if len(list) < 500 {
			return nil
		}
	}
}
