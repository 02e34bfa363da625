// Package definitions keeps what people define (decision points, offers,
// experiments, metrics, items and so on): current values in memory, every version
// in Postgres.
//
// A [Collection] holds the definitions of one kind. Readers take its [Collection.Snapshot],
// an immutable map that is swapped as a whole, so that the hot path neither locks
// nor asks a database. Writers check the value, write a new version in one
// transaction and notify the other processes, which read what changed at once, or
// five seconds later should a notification be lost. No version is ever changed or
// removed, so that a decision of the past can be computed again from the
// definitions of its time.
package definitions

import (
	"embed"
	"io/fs"

	"quintet/internal/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations are the tables of this package.
func Migrations() postgres.MigrationSet {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		sub = files // not reached: the path is a constant of this file
	}
	return postgres.MigrationSet{Name: "definitions", Files: sub}
}
