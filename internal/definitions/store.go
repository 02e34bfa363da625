package definitions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	channel      = "quintet_definitions"
	pollInterval = 5 * time.Second
	callTimeout  = 10 * time.Second
	maxBody      = 256 << 10 // bytes of one definition's JSON
)

// Store is the table of all definitions and the news of its changes.
type Store struct {
	pool     *pgxpool.Pool
	log      *slog.Logger
	instance string // marks this process's own notifications

	mu          sync.Mutex
	collections map[string]follower
}

// follower is a collection as the store sees it.
type follower interface {
	// state is the sum of all version numbers that the collection knows, which
	// grows by one with every change.
	state() int64
	reload(ctx context.Context) error
}

// Open returns the store of a database that has [Migrations].
func Open(_ context.Context, pool *pgxpool.Pool, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.Default()
	}
	return &Store{pool: pool, log: log, instance: uuid.NewString(), collections: make(map[string]follower)}, nil
}

// Run follows what other processes change until the context ends.
func (s *Store) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.follow(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("following changes of definitions; trying again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return ctx.Err()
}

// follow listens on one connection, and compares now and then in case a
// notification was lost.
func (s *Store) follow(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("taking a connection to listen on: %w", err)
	}
	defer func() {
		// The connection listens, so it does not go back to the pool.
		_ = conn.Hijack().Close(context.WithoutCancel(ctx))
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	for {
		if err := s.catchUp(ctx); err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, pollInterval)
		n, err := conn.Conn().WaitForNotification(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			if conn.Conn().IsClosed() {
				return errors.New("the connection was lost")
			}
		case err != nil:
			return fmt.Errorf("waiting for a notification: %w", err)
		case strings.HasPrefix(n.Payload, s.instance):
			continue
		}
	}
}

// catchUp reloads the collections that are behind the table.
func (s *Store) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.pool.Query(ctx, "SELECT kind, sum(version)::bigint FROM definitions GROUP BY kind")
	if err != nil {
		return fmt.Errorf("looking for changes: %w", err)
	}
	behind := make(map[string]int64)
	var kind string
	var sum int64
	if _, err := pgx.ForEachRow(rows, []any{&kind, &sum}, func() error { behind[kind] = sum; return nil }); err != nil {
		return fmt.Errorf("looking for changes: %w", err)
	}
	s.mu.Lock()
	var stale []follower
	for kind, c := range s.collections {
		if behind[kind] != c.state() {
			stale = append(stale, c)
		}
	}
	s.mu.Unlock()
	for _, c := range stale {
		if err := c.reload(ctx); err != nil {
			return err
		}
	}
	return nil
}

// row is a definition as the table has it.
type row struct {
	key                  string
	version              int64
	body                 json.RawMessage
	deleted              bool
	createdAt, updatedAt time.Time
	updatedBy            string
}

const columns = "key, version, body, deleted, created_at, updated_at, updated_by"

func (r *row) targets() []any {
	return []any{&r.key, &r.version, &r.body, &r.deleted, &r.createdAt, &r.updatedAt, &r.updatedBy}
}

// all reads the newest version of every definition of a kind, deleted ones too.
func (s *Store) all(ctx context.Context, kind string) ([]row, error) {
	rows, err := s.pool.Query(ctx, "SELECT "+columns+" FROM definitions WHERE kind = $1", kind)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", kind, err)
	}
	var out []row
	var r row
	if _, err := pgx.ForEachRow(rows, r.targets(), func() error {
		next := r
		next.body = append(json.RawMessage(nil), r.body...)
		out = append(out, next)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading %s: %w", kind, err)
	}
	return out, nil
}

// version reads one version of a definition; nil when there is none.
func (s *Store) version(ctx context.Context, kind, key string, version int64) (*row, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var r row
	err := s.pool.QueryRow(ctx, "SELECT "+columns+" FROM definition_versions WHERE kind = $1 AND key = $2 AND version = $3", kind, key, version).
		Scan(r.targets()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading version %d of %s %s: %w", version, kind, key, err)
	}
	return &r, nil
}

// change is one write of a transaction.
type change struct {
	key       string
	body      json.RawMessage // nil deletes
	ifVersion int64           // as in [Collection.Put]
}

// errStale is what write returns when a definition has another version than the
// writer expects; it holds the current one, 0 when there is none.
type errStale struct {
	key     string
	current int64
}

func (e *errStale) Error() string {
	return fmt.Sprintf("%s has version %d", e.key, e.current)
}

// write applies all changes or none and returns the new rows in the same order.
func (s *Store) write(ctx context.Context, kind, by string, changes []change) ([]row, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out := make([]row, len(changes))
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// One writer of a kind at a time: also two that create the same key.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext($1))", channel+kind); err != nil {
			return err
		}
		for i, c := range changes {
			r, err := writeOne(ctx, tx, kind, by, c)
			if err != nil {
				return err
			}
			out[i] = *r
		}
		_, err := tx.Exec(ctx, "SELECT pg_notify($1, $2)", channel, s.instance+" "+kind)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", kind, err)
	}
	return out, nil
}

func writeOne(ctx context.Context, tx pgx.Tx, kind, by string, c change) (*row, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	next := row{key: c.key, version: 1, body: c.body, createdAt: now, updatedAt: now, updatedBy: by}
	var old row
	err := tx.QueryRow(ctx, "SELECT "+columns+" FROM definitions WHERE kind = $1 AND key = $2", kind, c.key).Scan(old.targets()...)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return nil, err
	default:
		next.version = old.version + 1
		if !old.deleted {
			next.createdAt = old.createdAt
		}
	}
	exists := old.version > 0 && !old.deleted
	current := old.version
	if !exists {
		current = 0
	}
	if c.ifVersion > 0 && current != c.ifVersion || c.ifVersion < 0 && exists || c.body == nil && !exists {
		return nil, &errStale{key: c.key, current: current}
	}
	if c.body == nil {
		next.deleted, next.body = true, old.body
	}
	if _, err := tx.Exec(ctx, `INSERT INTO definitions (kind, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, body = excluded.body, deleted = excluded.deleted,
		created_at = excluded.created_at, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		kind, next.key, next.version, next.body, next.deleted, next.createdAt, next.updatedAt, next.updatedBy); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO definition_versions (kind, "+columns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		kind, next.key, next.version, next.body, next.deleted, next.createdAt, next.updatedAt, next.updatedBy); err != nil {
		return nil, err
	}
	return &next, nil
}
