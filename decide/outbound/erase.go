package outbound

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/profiles"
)

// Owned is a table with rows about people, by their columns person and, unless
// PersonOnly, profile_id.
type Owned struct {
	Table      string
	PersonOnly bool
}

func (t Owned) where() string {
	if t.PersonOnly {
		return "person = ANY($1)"
	}
	return "person = ANY($1) OR profile_id = ANY($1)"
}

// EraseFrom removes a person from tables, as [profiles.ErasurePart] asks for.
func EraseFrom(ctx context.Context, pool *pgxpool.Pool, sub *profiles.ErasureSubject, tables ...Owned) (map[string]int64, error) {
	removed := make(map[string]int64, len(tables))
	for _, t := range tables {
		tag, err := pool.Exec(ctx, "DELETE FROM "+t.Table+" WHERE "+t.where(), sub.Texts())
		if err != nil {
			return nil, fmt.Errorf("erasing a person from %s: %w", t.Table, err)
		}
		removed["postgres "+t.Table] = tag.RowsAffected()
	}
	return removed, nil
}

// CheckFor counts what tables have of a person.
func CheckFor(ctx context.Context, pool *pgxpool.Pool, sub *profiles.ErasureSubject, tables ...Owned) ([]profiles.ErasureCheck, error) {
	checks := make([]profiles.ErasureCheck, 0, len(tables))
	for _, t := range tables {
		check := profiles.ErasureCheck{Store: "postgres", What: t.Table}
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM "+t.Table+" WHERE "+t.where(), sub.Texts()).Scan(&check.Rows); err != nil {
			return nil, fmt.Errorf("looking for a person in %s: %w", t.Table, err)
		}
		checks = append(checks, check)
	}
	return checks, nil
}

var owned = Owned{Table: "outbox_messages"}

// Erase is part of [profiles.ErasurePart].
func (o *Outbox) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	return EraseFrom(ctx, o.pool, sub, owned)
}

// Check is part of [profiles.ErasurePart].
func (o *Outbox) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	return CheckFor(ctx, o.pool, sub, owned)
}
