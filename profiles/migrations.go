package profiles

import (
	"embed"
	"io/fs"

	"quintet/internal/clickhouse"
	"quintet/internal/postgres"
)

//go:embed migrations/postgres/*.sql migrations/clickhouse/*.sql
var migrationFiles embed.FS

// PostgresMigrations is the schema history of profiles, identifiers and import
// jobs.
func PostgresMigrations() postgres.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(migrationFiles, "migrations/postgres")
	return postgres.MigrationSet{Name: "profiles", Files: files}
}

// ClickHouseMigrations is the schema history of events. It comes after that of
// package experiments, into whose table of exposures a view writes.
func ClickHouseMigrations() clickhouse.MigrationSet {
	files, _ := fs.Sub(migrationFiles, "migrations/clickhouse")
	return clickhouse.MigrationSet{Name: "profiles", Files: files}
}
