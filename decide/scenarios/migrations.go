package scenarios

import (
	"embed"
	"io/fs"

	"quintet/internal/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations is the schema history of scenarios and their runs.
func Migrations() postgres.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	dir, _ := fs.Sub(files, "migrations")
	return postgres.MigrationSet{Name: "scenarios", Files: dir}
}
