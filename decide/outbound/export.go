package outbound

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// EachMessage calls f with the messages to a person, for an export.
func (o *Outbox) EachMessage(ctx context.Context, profiles []string, f func(any) error) error {
	rows, err := o.pool.Query(ctx, `SELECT body || jsonb_build_object('storedAt', stored_at, 'handedAt', handed_at) FROM outbox_messages
		WHERE person = ANY($1) OR profile_id = ANY($1) ORDER BY number`, profiles)
	if err != nil {
		return fmt.Errorf("exporting the messages of a person: %w", err)
	}
	var one map[string]any
	_, err = pgx.ForEachRow(rows, []any{&one}, func() error {
		shown := one
		one = nil
		return f(shown)
	})
	if err != nil {
		return fmt.Errorf("exporting the messages of a person: %w", err)
	}
	return nil
}
