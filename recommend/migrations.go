package recommend

import (
	"embed"
	"io/fs"

	"quintet/internal/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// PostgresMigrations is the schema history of the stored recommenders.
func PostgresMigrations() postgres.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(migrations, "migrations")
	return postgres.MigrationSet{Name: "recommend", Files: files}
}
