package clickhouse

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// MigrationSet is the schema of one owner: goose SQL files in the root of
// Files, applied in the order of their numbers. What was applied is kept in the
// table goose_<Name>, so that owners number their files independently.
type MigrationSet struct {
	Name  string
	Files fs.FS
}

var migrationSetName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Migrate brings the database up to date with each set, in the given order.
// ClickHouse has no transactions: a migration that fails half-way is run again
// from its start, so each statement must be repeatable (IF NOT EXISTS).
func (d *Database) Migrate(ctx context.Context, sets ...MigrationSet) error {
	for _, set := range sets {
		if err := d.migrate(ctx, set); err != nil {
			return fmt.Errorf("migrating ClickHouse database %s, set %q: %w", d.Name, set.Name, err)
		}
	}
	return nil
}

func (d *Database) migrate(ctx context.Context, set MigrationSet) error {
	if !migrationSetName.MatchString(set.Name) {
		return fmt.Errorf("the name must be a lower-case letter followed by at most 39 lower-case letters, digits or underscores")
	}
	store, err := database.NewStore(database.DialectClickHouse, "goose_"+set.Name)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", d.SQL(), set.Files, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
