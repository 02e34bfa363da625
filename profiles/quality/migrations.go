package quality

import (
	"embed"
	"io/fs"

	"quintet/internal/clickhouse"
	"quintet/internal/postgres"
)

//go:embed migrations/postgres/*.sql migrations/clickhouse/*.sql
var migrationFiles embed.FS

// PostgresMigrations is the schema history of the quarantine. It comes after that
// of package profiles, whose rejected records it shows.
func PostgresMigrations() postgres.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(migrationFiles, "migrations/postgres")
	return postgres.MigrationSet{Name: "quality", Files: files}
}

// ClickHouseMigrations is the schema history of what is counted.
func ClickHouseMigrations() clickhouse.MigrationSet {
	files, _ := fs.Sub(migrationFiles, "migrations/clickhouse")
	return clickhouse.MigrationSet{Name: "quality", Files: files}
}
