package experiments

import (
	"embed"
	"io/fs"

	"quintet/internal/clickhouse"
)

//go:embed migrations/clickhouse/*.sql
var clickhouseFiles embed.FS

// ClickHouseMigrations is the schema history of the exposures. It comes before
// those of profiles and decide, whose views write into it. Definitions live in
// the definition store, so there are none for Postgres.
func ClickHouseMigrations() clickhouse.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(clickhouseFiles, "migrations/clickhouse")
	return clickhouse.MigrationSet{Name: "experiments", Files: files}
}
