package decide

import (
	"embed"
	"io/fs"

	"quintet/internal/clickhouse"
	"quintet/internal/postgres"
)

//go:embed migrations/postgres/*.sql
var postgresFiles embed.FS

// PostgresMigrations is the schema history of what sticky experiments keep.
func PostgresMigrations() postgres.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(postgresFiles, "migrations/postgres")
	return postgres.MigrationSet{Name: "decide", Files: files}
}

//go:embed migrations/clickhouse/*.sql
var clickhouseFiles embed.FS

// ClickHouseMigrations are the tables of this package. They need the exposures
// table of package experiments.
func ClickHouseMigrations() clickhouse.MigrationSet {
	files, err := fs.Sub(clickhouseFiles, "migrations/clickhouse")
	if err != nil {
		panic(err) // the path is a constant of this file
	}
	return clickhouse.MigrationSet{Name: "decide", Files: files}
}
