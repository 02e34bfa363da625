// Package auth says who makes a request: a service with an API key, or a person
// with a console session.
//
// Only hashes of secrets are stored. Keys are looked up in memory, because every
// decision and every batch of events asks; a revoked key stops working at once in
// this process and within a few seconds in others. A person signs in by a link
// that works once, or by password, and then has a session in Postgres whose
// cookie scripts cannot read and other sites cannot send.
package auth

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
		panic(err) // the path is a constant of this file
	}
	return postgres.MigrationSet{Name: "auth", Files: sub}
}
