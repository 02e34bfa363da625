package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	// migrationDeadline bounds a whole Migrate, waiting for another process included.
	migrationDeadline = 10 * time.Minute
	// migrationLock is the advisory lock that processes take in turn; any number that
	// nothing else uses in the database.
	migrationLock = 0x7175696e74657401 // "quintet", 1
	lockInterval  = 25 * time.Millisecond
)

// migrationName is what a set may be called; it becomes part of a table's name.
var migrationName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// MigrationSet is the schema history of one package: goose SQL files ("00001_name.sql",
// with "-- +goose Up") at the root of Files.
type MigrationSet struct {
	Name  string // lower-case identifier; what has been applied is kept in goose_<name>
	Files fs.FS  // an embedded directory goes through fs.Sub
}

// Migrate applies what the sets have and the database lacks, in order. Processes that
// start at the same time take turns, so each migration runs once. A set whose newest
// applied migration is missing from its files is refused: the program is older than
// the database.
func Migrate(ctx context.Context, pool *pgxpool.Pool, sets ...MigrationSet) error {
	ctx, cancel := context.WithTimeout(ctx, migrationDeadline)
	defer cancel()
	seen := make(map[string]bool, len(sets))
	for _, set := range sets {
		if !migrationName.MatchString(set.Name) {
			return fmt.Errorf("migrating postgres: the set name %q must match %s", set.Name, migrationName)
		}
		if seen[set.Name] {
			return fmt.Errorf("migrating postgres: the set %q is given twice", set.Name)
		}
		seen[set.Name] = true
	}

	// Connections of its own: a migration may take longer than the pool lets any
	// statement take.
	config := pool.Config().ConnConfig
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }()
	unlock, err := lockMigrations(ctx, db)
	if err != nil {
		return fmt.Errorf("migrating postgres: waiting for another process that migrates: %w", err)
	}
	defer unlock()
	for _, set := range sets {
		if err := migrateSet(ctx, db, set); err != nil {
			return fmt.Errorf("migrating postgres: set %q: %w", set.Name, err)
		}
	}
	return nil
}

func migrateSet(ctx context.Context, db *sql.DB, set MigrationSet) error {
	provider, err := goose.NewProvider(goose.DialectPostgres, db, set.Files,
		goose.WithTableName("goose_"+set.Name), goose.WithDisableGlobalRegistry(true))
	if errors.Is(err, goose.ErrNoMigrations) {
		return errors.New("there is no NNNNN_name.sql at the root of its files (an embedded directory goes through fs.Sub)")
	}
	if err != nil {
		return err
	}
	known := int64(0)
	for _, source := range provider.ListSources() {
		known = max(known, source.Version)
	}
	applied, err := provider.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if applied > known {
		return fmt.Errorf("the database is at version %d and this program knows up to %d: run a newer one", applied, known)
	}
	_, err = provider.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) && partial.Failed != nil {
		return fmt.Errorf("%s: %w", partial.Failed.Source.Path, partial.Err)
	}
	return err
}

// lockMigrations takes the advisory lock on a connection of its own. It asks again and
// again instead of waiting inside Postgres: a waiting statement would hold a snapshot,
// for which a CREATE INDEX CONCURRENTLY of the lock's holder would wait in turn.
func lockMigrations(ctx context.Context, db *sql.DB) (unlock func(), err error) {
	connection, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for {
		var locked bool
		err := connection.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, int64(migrationLock)).Scan(&locked)
		if err != nil {
			return nil, errors.Join(err, connection.Close())
		}
		if locked {
			// Closing the database ends the session, and with it the lock.
			return func() { _ = connection.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), connection.Close())
		case <-time.After(lockInterval):
		}
	}
}
