package definitions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/postgres"
)

const (
	channel      = "quintet_definitions"
	pollInterval = 5 * time.Second
	callTimeout  = 10 * time.Second
	writeTimeout = 25 * time.Second // for many at once; below the pool's limit of a statement
	maxBody      = 256 << 10        // bytes of one definition's JSON
)

// Store is the table of all definitions and the news of its changes.
type Store struct {
	pool *pgxpool.Pool
	log  *slog.Logger

	mu          sync.Mutex
	collections map[string]follower
	references  []reference

	// writing holds a token while a writer of this process decides and writes, so that
	// only writers of other processes make it decide anew.
	writing chan struct{}

	now func() time.Time
}

// follower is a collection as the store sees it.
type follower interface {
	// through is the number of the newest change that the collection has.
	through() int64
	// refresh reads what is newer.
	refresh(ctx context.Context) error
	// each shows every current definition, as JSON reads it.
	each(f func(key string, value any)) error
}

// Option changes how a store works.
type Option func(*Store)

// Clock has versions dated by a clock other than time.Now; nil leaves that.
func Clock(now func() time.Time) Option {
	return func(s *Store) {
		if now != nil {
			s.now = now
		}
	}
}

// Open returns the store of a database that has [Migrations].
func Open(_ context.Context, pool *pgxpool.Pool, log *slog.Logger, options ...Option) (*Store, error) {
	if log == nil {
		log = slog.Default()
	}
	s := &Store{pool: pool, log: log, collections: make(map[string]follower), writing: make(chan struct{}, 1), now: time.Now}
	for _, o := range options {
		o(s)
	}
	return s, nil
}

// Run follows what other processes change until the context ends.
func (s *Store) Run(ctx context.Context) error {
	return postgres.Watch(ctx, s.pool, channel, pollInterval, s.log, s.catchUp)
}

// catchUp refreshes the collections that are behind the table.
func (s *Store) catchUp(ctx context.Context) error {
	_, err := s.settled(ctx)
	return err
}

// settled refreshes the collections that are behind the table and returns the newest
// change of all that they hold now.
func (s *Store) settled(ctx context.Context) (through int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	newest, err := s.newest(ctx, s.pool)
	if err != nil {
		return 0, err
	}
	for kind, change := range newest {
		through = max(through, change)
		s.mu.Lock()
		c := s.collections[kind]
		s.mu.Unlock()
		if change <= c.through() {
			continue
		}
		if err := c.refresh(ctx); err != nil {
			return 0, err
		}
	}
	return through, nil
}

// newest is the number of the newest change of each kind that has a collection here.
func (s *Store) newest(ctx context.Context, from querier) (map[string]int64, error) {
	s.mu.Lock()
	kinds := slices.Collect(maps.Keys(s.collections))
	s.mu.Unlock()
	rows, err := from.Query(ctx, `SELECT k, (SELECT max(change) FROM definitions WHERE kind = k) FROM unnest($1::text[]) k`, kinds)
	if err != nil {
		return nil, fmt.Errorf("looking for changes: %w", err)
	}
	newest := make(map[string]int64, len(kinds))
	var kind string
	var change *int64
	if _, err := pgx.ForEachRow(rows, []any{&kind, &change}, func() error {
		if change != nil {
			newest[kind] = *change
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("looking for changes: %w", err)
	}
	return newest, nil
}

// querier is the pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// row is a version of a definition as the tables have it.
type row struct {
	key                  string
	version              int64
	body                 json.RawMessage // of a deleted one: what it was before
	deleted              bool
	createdAt, updatedAt time.Time
	updatedBy            string
	change               int64 // only of the newest version
}

const columns = "key, version, body, deleted, created_at, updated_at, updated_by"

func (r *row) targets() []any {
	return []any{&r.key, &r.version, &r.body, &r.deleted, &r.createdAt, &r.updatedAt, &r.updatedBy}
}

// since calls each for the newest version of every definition of a kind that
// changed after the given number, deleted ones too, in the order of the changes.
func (s *Store) since(ctx context.Context, kind string, change int64, each func(*row) error) error {
	rows, err := s.pool.Query(ctx, "SELECT "+columns+", change FROM definitions WHERE kind = $1 AND change > $2 ORDER BY change", kind, change)
	if err != nil {
		return fmt.Errorf("reading %s: %w", kind, err)
	}
	var r row
	if _, err := pgx.ForEachRow(rows, append(r.targets(), &r.change), func() error { return each(&r) }); err != nil {
		return fmt.Errorf("reading %s: %w", kind, err)
	}
	return nil
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

// versionAt reads the version that was current at a moment; nil when there was none.
func (s *Store) versionAt(ctx context.Context, kind, key string, at time.Time) (*row, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var r row
	err := s.pool.QueryRow(ctx, "SELECT "+columns+` FROM definition_versions
		WHERE kind = $1 AND key = $2 AND updated_at <= $3 ORDER BY version DESC LIMIT 1`, kind, key, at).Scan(r.targets()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s as of %s: %w", kind, key, at.Format(time.RFC3339), err)
	}
	return &r, nil
}

// history reads at most limit versions of a definition, newest first, from the one
// before the given version; 0 is from the newest.
func (s *Store) history(ctx context.Context, kind, key string, before int64, limit int) ([]row, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.pool.Query(ctx, "SELECT "+columns+` FROM definition_versions
		WHERE kind = $1 AND key = $2 AND ($3 = 0 OR version < $3) ORDER BY version DESC LIMIT $4`, kind, key, before, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the versions of %s %s: %w", kind, key, err)
	}
	list, err := pgx.CollectRows(rows, func(cr pgx.CollectableRow) (r row, err error) { err = cr.Scan(r.targets()...); return r, err })
	if err != nil {
		return nil, fmt.Errorf("reading the versions of %s %s: %w", kind, key, err)
	}
	return list, nil
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

// errMoved is what write returns when any definition changed after the writer looked.
var errMoved = errors.New("definitions changed in the meantime")

// write applies all changes or none. The keys must differ. It returns the resulting
// rows in the same order and how many of them are new versions: writing what is
// there already makes none. through is the newest change that the writer knew when it
// found the changes valid.
func (s *Store) write(ctx context.Context, kind, by string, changes []change, through int64) (rows []row, written int, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// One writer at a time, whatever the kind: what is valid depends on others, as
		// the room in a layer does on all experiments in it.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", channel); err != nil {
			return err
		}
		newest, err := s.newest(ctx, tx)
		if err != nil {
			return err
		}
		for _, change := range newest {
			if change > through {
				return errMoved
			}
		}
		var next batch
		if rows, err = plan(ctx, tx, kind, by, s.now().UTC().Truncate(time.Microsecond), changes, &next); err != nil {
			return err
		}
		if written = len(next.keys); written == 0 {
			return nil
		}
		if err := next.store(ctx, tx, kind, by); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "SELECT pg_notify($1, $2)", channel, kind)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("writing %s: %w", kind, err)
	}
	return rows, written, nil
}

// plan compares the changes with what is there and returns the rows that will be;
// those that are new go into next.
func plan(ctx context.Context, tx pgx.Tx, kind, by string, now time.Time, changes []change, next *batch) ([]row, error) {
	keys, bodies := make([]string, len(changes)), make([]*string, len(changes))
	for i, c := range changes {
		keys[i] = c.key
		if c.body != nil {
			body := string(c.body)
			bodies[i] = &body
		}
	}
	// Postgres compares the values: equal JSON may be written in several ways.
	existing, err := tx.Query(ctx, `SELECT n, d.key, d.version, d.body, d.deleted, d.created_at, d.updated_at, d.updated_by, coalesce(d.body = c.body::jsonb, false)
		FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS c (key, body, n) JOIN definitions d ON d.kind = $1 AND d.key = c.key`, kind, keys, bodies)
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(changes))
	same := make([]bool, len(changes))
	var n int64
	var old row
	var equal bool
	if _, err := pgx.ForEachRow(existing, append(append([]any{&n}, old.targets()...), &equal), func() error {
		rows[n-1], same[n-1] = old, equal && !old.deleted
		old.body = nil // or the next row would be read into the same bytes
		return nil
	}); err != nil {
		return nil, err
	}
	for i, c := range changes {
		r := &rows[i]
		exists := r.version > 0 && !r.deleted
		current := r.version
		if !exists {
			current = 0
		}
		if c.ifVersion > 0 && current != c.ifVersion || c.ifVersion < 0 && exists || c.body == nil && !exists {
			return nil, &errStale{key: c.key, current: current}
		}
		if same[i] {
			continue
		}
		if !exists {
			r.createdAt = now
		}
		r.key, r.updatedAt, r.updatedBy, r.deleted = c.key, now, by, c.body == nil
		r.version++
		if c.body != nil {
			r.body = c.body
		}
		next.add(r)
	}
	return rows, nil
}

// batch is rows by column, for one statement that writes them all.
type batch struct {
	keys             []string
	versions         []int64
	bodies           []string
	deleted          []bool
	created, updated []time.Time
}

func (b *batch) add(r *row) {
	b.keys = append(b.keys, r.key)
	b.versions = append(b.versions, r.version)
	b.bodies = append(b.bodies, string(r.body))
	b.deleted = append(b.deleted, r.deleted)
	b.created = append(b.created, r.createdAt)
	b.updated = append(b.updated, r.updatedAt)
}

func (b *batch) store(ctx context.Context, tx pgx.Tx, kind, by string) error {
	const from = ` SELECT $1, key, version, body::jsonb, deleted, created_at, updated_at, $8
		FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bool[], $6::timestamptz[], $7::timestamptz[])
		AS n (key, version, body, deleted, created_at, updated_at)`
	args := []any{kind, b.keys, b.versions, b.bodies, b.deleted, b.created, b.updated, by}
	if _, err := tx.Exec(ctx, `INSERT INTO definitions (kind, `+columns+`)`+from+`
		ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, body = excluded.body, deleted = excluded.deleted,
		created_at = excluded.created_at, updated_at = excluded.updated_at, updated_by = excluded.updated_by, change = excluded.change`, args...); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO definition_versions (kind, `+columns+`)`+from, args...)
	return err
}
