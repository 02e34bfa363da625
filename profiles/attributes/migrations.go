package attributes

import (
	"embed"
	"io/fs"

	"quintet/internal/clickhouse"
)

//go:embed migrations/clickhouse/*.sql
var migrationFiles embed.FS

// ClickHouseMigrations is the schema history of computed attributes. It comes
// after that of package profiles, whose events it reads.
func ClickHouseMigrations() clickhouse.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(migrationFiles, "migrations/clickhouse")
	return clickhouse.MigrationSet{Name: "attributes", Files: files}
}
