package clickhouse

import (
	"context"
	"fmt"
	"time"
)

const (
	// scrubPoll is the pause between two looks at the parts that are to go.
	scrubPoll = 200 * time.Millisecond
	// scrubTimeout bounds the wait for parts that nobody needs any more.
	scrubTimeout = 10 * time.Minute
)

// noPartition is the id of a partition that no table has.
const noPartition = "nothing"

// part is a directory of a table.
type part struct{ table, name string }

// DropOldParts waits until no file holds what a mutation or a merge has replaced: parts that are not active
// any more usually stay for minutes. Queries that still read one keep it.
func (d *Database) DropOldParts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, scrubTimeout)
	defer cancel()
	old, err := d.oldParts(ctx)
	if err != nil || len(old) == 0 {
		return err
	}
	tables := map[string]bool{}
	for p := range old {
		tables[p.table] = true
	}
	// They stay because the new ones may not be on the disk yet.
	syncDisks()
	for table := range tables {
		if err := d.Read.Exec(ctx, "ALTER TABLE "+quoteIdentifier(table)+" MODIFY SETTING old_parts_lifetime = 1"); err != nil {
			return fmt.Errorf("shortening the life of old parts of %s: %w", table, err)
		}
	}
	defer func() {
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		for table := range tables {
			_ = d.Read.Exec(back, "ALTER TABLE "+quoteIdentifier(table)+" RESET SETTING old_parts_lifetime") // the next call does
		}
	}()
	for {
		left, waiting := 0, map[string]bool{}
		now, err := d.oldParts(ctx)
		if err != nil {
			return err
		}
		for p := range now {
			if old[p] {
				left++
				waiting[p.table] = true
			}
		}
		for table := range waiting {
			// The engine's own cleaning sleeps for minutes. To drop a partition cleans at once, also one that
			// is not there.
			if err := d.Read.Exec(ctx, "ALTER TABLE "+quoteIdentifier(table)+" DROP PARTITION ID '"+noPartition+"'"); err != nil {
				return fmt.Errorf("cleaning the table %s: %w", table, err)
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(scrubPoll):
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d old parts to be removed: %w", left, ctx.Err())
		}
	}
}

func (d *Database) oldParts(ctx context.Context) (map[part]bool, error) {
	rows, err := d.Read.Query(ctx, "SELECT table, name FROM system.parts WHERE database = currentDatabase() AND NOT active")
	if err != nil {
		return nil, fmt.Errorf("listing old parts: %w", err)
	}
	defer rows.Close()
	parts := map[part]bool{}
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.table, &p.name); err != nil {
			return nil, fmt.Errorf("listing old parts: %w", err)
		}
		parts[p] = true
	}
	return parts, rows.Err()
}
