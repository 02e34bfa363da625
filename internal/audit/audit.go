// Package audit keeps who changed what and who looked at personal data.
//
// A change is written down before its answer leaves. Looks are gathered for a
// moment, so that reading profiles costs no transaction each; when more come than
// can be stored, readers wait.
package audit

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/api"
	"quintet/internal/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations are the tables of this package.
func Migrations() postgres.MigrationSet {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		sub = files // the path is a constant of this file
	}
	return postgres.MigrationSet{Name: "audit", Files: sub}
}

const (
	writeTimeout  = 5 * time.Second
	maxWaiting    = 10_000
	maxBatch      = 1000
	flushInterval = 500 * time.Millisecond
	maxPath       = 1000
)

// Log is the audit log. It implements [api.Auditor].
type Log struct {
	pool  *pgxpool.Pool
	log   *slog.Logger
	looks chan api.AuditEntry
}

var _ api.Auditor = (*Log)(nil)

// Open makes the log of a database that has [Migrations].
func Open(pool *pgxpool.Pool, log *slog.Logger) *Log {
	return &Log{pool: pool, log: log, looks: make(chan api.AuditEntry, maxWaiting)}
}

// Audit keeps an entry. One that cannot be stored goes to the process's log.
func (l *Log) Audit(ctx context.Context, e api.AuditEntry) {
	if !e.Personal {
		l.store(ctx, []api.AuditEntry{e})
		return
	}
	timer := time.NewTimer(writeTimeout)
	defer timer.Stop()
	select {
	case l.looks <- e:
	case <-timer.C:
		l.lost([]api.AuditEntry{e}, context.DeadlineExceeded)
	}
}

// Run stores looks at personal data until the context ends, then those that wait.
func (l *Log) Run(ctx context.Context) error {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			l.flush(context.WithoutCancel(ctx))
			return ctx.Err()
		case <-ticker.C:
			l.flush(ctx)
		}
	}
}

func (l *Log) flush(ctx context.Context) {
	for {
		var batch []api.AuditEntry
		for len(batch) < maxBatch {
			select {
			case e := <-l.looks:
				batch = append(batch, e)
				continue
			default:
			}
			break
		}
		if len(batch) == 0 {
			return
		}
		l.store(ctx, batch)
	}
}

func (l *Log) store(ctx context.Context, entries []api.AuditEntry) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := l.insert(ctx, entries); err != nil {
		l.lost(entries, err)
	}
}

func (l *Log) insert(ctx context.Context, entries []api.AuditEntry) error {
	_, err := l.pool.CopyFrom(ctx, pgx.Identifier{"audit_log"},
		[]string{"at", "actor", "actor_name", "operation", "method", "path", "status", "personal", "request_id", "address"},
		pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) {
			e := &entries[i]
			actor := "anonymous"
			if e.Principal.Kind != "" {
				actor = e.Principal.String()
			}
			return []any{e.At, actor, e.Principal.Name, e.Operation, e.Method, clean(e.Path), e.Status, e.Personal, e.RequestID, e.Address}, nil
		}))
	if err != nil {
		return fmt.Errorf("storing audit entries: %w", err)
	}
	return nil
}

func (l *Log) lost(entries []api.AuditEntry, err error) {
	for _, e := range entries {
		l.log.Error("an audit entry could not be stored", "error", err, "at", e.At, "by", e.Principal.String(), "operation", e.Operation,
			"path", e.Path, "status", e.Status, "request", e.RequestID)
	}
}

// clean makes a path fit for a text column, which takes no zero characters and
// no broken UTF-8.
func clean(path string) string {
	b := make([]rune, 0, len(path))
	for _, r := range path {
		if r == 0 {
			r = '�'
		}
		b = append(b, r)
		if len(b) == maxPath {
			break
		}
	}
	return string(b)
}
