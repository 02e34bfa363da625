package models

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

// PostgresMigrations is the schema history of the stored models.
func PostgresMigrations() postgres.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(postgresFiles, "migrations/postgres")
	return postgres.MigrationSet{Name: "models", Files: files}
}

// ClickHouseMigrations is the schema history of the tiles. The log itself belongs to
// others.
func ClickHouseMigrations() clickhouse.MigrationSet {
	files, _ := fs.Sub(clickhouseFiles, "migrations/clickhouse")
	return clickhouse.MigrationSet{Name: "models", Files: files}
}
