package models

import (
	"embed"
	"io/fs"

	"quintet/internal/postgres"
)

//go:embed migrations/postgres/*.sql
var postgresFiles embed.FS

// PostgresMigrations is the schema history of the stored models. In ClickHouse
// this package only reads what others own.
func PostgresMigrations() postgres.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(postgresFiles, "migrations/postgres")
	return postgres.MigrationSet{Name: "models", Files: files}
}
