package experience

import (
	"embed"
	"io/fs"

	"quintet/internal/clickhouse"
)

//go:embed migrations/clickhouse/*.sql
var migrationFiles embed.FS

// ClickHouseMigrations is the schema history of marketing spend.
func ClickHouseMigrations() clickhouse.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(migrationFiles, "migrations/clickhouse")
	return clickhouse.MigrationSet{Name: "experience", Files: files}
}
