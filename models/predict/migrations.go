package predict

import (
	"embed"
	"io/fs"

	"quintet/internal/clickhouse"
	"quintet/internal/postgres"
)

//go:embed migrations/postgres/*.sql
var postgresFiles embed.FS

//go:embed migrations/clickhouse/*.sql
var clickhouseFiles embed.FS

// PostgresMigrations is the schema history of the registry.
func PostgresMigrations() postgres.MigrationSet {
	files, _ := fs.Sub(postgresFiles, "migrations/postgres") // fails on a malformed path only
	return postgres.MigrationSet{Name: "predict", Files: files}
}

// ClickHouseMigrations is the schema history of the scores.
func ClickHouseMigrations() clickhouse.MigrationSet {
	files, _ := fs.Sub(clickhouseFiles, "migrations/clickhouse")
	return clickhouse.MigrationSet{Name: "predict", Files: files}
}
