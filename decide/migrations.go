package decide

import (
	"embed"
	"io/fs"

	"quintet/internal/clickhouse"
)

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
