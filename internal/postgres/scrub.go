//go:build unix

package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// scrubTimeout bounds Scrub: tables of millions of rows are written anew.
const scrubTimeout = time.Hour

// maxOldSegments bounds how many segments of the log an earlier version may have left for later use.
const maxOldSegments = 1000

// Scrub sees to it that the files of the server do not hold any more what was deleted from the tables: it
// writes the tables, their indexes and the statistics about their columns anew, and moves the write-ahead
// log on so that its old segments are removed. Each table is locked while it is written.
func (e *Embedded) Scrub(ctx context.Context, database string, tables []string) error {
	ctx, cancel := context.WithTimeout(ctx, scrubTimeout)
	defer cancel()
	connection, err := pgx.Connect(ctx, e.address(superuser, e.cluster.superuserPassword, database, e.port))
	if err != nil {
		return fmt.Errorf("connecting to write tables anew: %w", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	for _, table := range tables {
		name := pgx.Identifier{"public", table}.Sanitize()
		if _, err := connection.Exec(ctx, "VACUUM (FULL, ANALYZE) "+name); err != nil {
			return fmt.Errorf("writing the table %s anew: %w", table, err)
		}
	}
	// The statistics quote frequent values.
	if _, err := connection.Exec(ctx, "VACUUM FULL pg_catalog.pg_statistic"); err != nil {
		return fmt.Errorf("writing the statistics anew: %w", err)
	}
	return moveLogOn(ctx, connection)
}

// moveLogOn has every segment of the write-ahead log removed that there is now.
func moveLogOn(ctx context.Context, connection *pgx.Conn) error {
	// A server of an earlier version kept old segments under the names of later ones: they are used up.
	var last string
	if err := connection.QueryRow(ctx, `SELECT max(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'`).Scan(&last); err != nil {
		return fmt.Errorf("listing the write-ahead log: %w", err)
	}
	for range maxOldSegments {
		var current string
		if err := connection.QueryRow(ctx, `SELECT pg_walfile_name(pg_current_wal_insert_lsn())`).Scan(&current); err != nil {
			return fmt.Errorf("asking for the segment of the write-ahead log: %w", err)
		}
		if current > last {
			break
		}
		// Without anything written since the last switch, a switch does nothing.
		if _, err := connection.Exec(ctx, `SELECT pg_logical_emit_message(false, 'quintet', '')`); err != nil {
			return fmt.Errorf("writing to the write-ahead log: %w", err)
		}
		if _, err := connection.Exec(ctx, `SELECT pg_switch_wal()`); err != nil {
			return fmt.Errorf("switching the segment of the write-ahead log: %w", err)
		}
	}
	for range 2 { // a checkpoint keeps what lies behind the one before it
		if _, err := connection.Exec(ctx, `CHECKPOINT`); err != nil {
			return fmt.Errorf("making a checkpoint: %w", err)
		}
	}
	return nil
}
