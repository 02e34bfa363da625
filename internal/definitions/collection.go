package definitions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quintet/internal/problem"
)

const (
	// cachedVersions is how many old versions a collection keeps decoded.
	cachedVersions = 512
	// MaxBatch is the most definitions that one call writes.
	MaxBatch = 10_000
	// maxDefinitions is the most that a collection holds: all of them are in memory.
	maxDefinitions = 1_000_000
)

// Validator checks a value before it is written and may fill in what it leaves
// out. It returns a [problem.Invalid] that names each broken field.
type Validator[T any] func(ctx context.Context, key string, v *T) error

// Versioned is a definition with its history's facts.
type Versioned[T any] struct {
	Key       string
	Version   int64 // counts from 1, also across a deletion
	Value     T     // shared: not to be modified
	CreatedAt time.Time
	UpdatedAt time.Time
	UpdatedBy string // who wrote this version
}

// Collection is all definitions of one kind.
type Collection[T any] struct {
	store    *Store
	kind     string
	validate Validator[T]

	current atomic.Pointer[snapshot[T]]

	refreshing sync.Mutex // one refresh at a time, so that snapshots follow one another
	watchMu    sync.Mutex
	watchers   []func()

	oldMu sync.Mutex
	old   map[oldKey]Versioned[T]
}

// snapshot is the definitions at one moment.
type snapshot[T any] struct {
	values  map[string]Versioned[T]
	keys    func() []string // in order; sorted when first asked for
	through int64           // the newest change that is in it
}

func newSnapshot[T any](values map[string]Versioned[T], through int64) *snapshot[T] {
	return &snapshot[T]{values, sync.OnceValue(func() []string { return slices.Sorted(maps.Keys(values)) }), through}
}

type oldKey struct {
	key     string
	version int64
}

// NewCollection loads a kind, which is also its segment in routes:
// "decision-points". validate may be nil.
func NewCollection[T any](s *Store, kind string, validate Validator[T]) (*Collection[T], error) {
	c := &Collection[T]{store: s, kind: kind, validate: validate, old: make(map[oldKey]Versioned[T])}
	c.current.Store(newSnapshot(map[string]Versioned[T]{}, 0))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.collections[kind]; taken {
		return nil, fmt.Errorf("the kind %s has two collections", kind)
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := c.refresh(ctx); err != nil {
		return nil, err
	}
	s.collections[kind] = c
	return c, nil
}

// Kind is the name of the collection and its segment in routes.
func (c *Collection[T]) Kind() string { return c.kind }

// Snapshot is all definitions by key at one moment. It must not be modified.
func (c *Collection[T]) Snapshot() map[string]Versioned[T] { return c.current.Load().values }

// Get returns the current definition of a key.
func (c *Collection[T]) Get(key string) (Versioned[T], bool) {
	v, ok := c.Snapshot()[key]
	return v, ok
}

// List returns at most limit definitions in the order of their keys, from the
// first one after the given key.
func (c *Collection[T]) List(after string, limit int) []Versioned[T] {
	s := c.current.Load()
	keys := s.keys()
	i, found := slices.BinarySearch(keys, after)
	if found {
		i++
	}
	keys = keys[i:min(len(keys), i+max(limit, 0))]
	out := make([]Versioned[T], len(keys))
	for i, k := range keys {
		out[i] = s.values[k]
	}
	return out
}

// OnChange has f called after each change, in this process and soon after in
// others. f sees the new snapshot and must not write definitions.
func (c *Collection[T]) OnChange(f func()) {
	c.watchMu.Lock()
	defer c.watchMu.Unlock()
	c.watchers = append(c.watchers, f)
}

// Put creates or replaces a definition; it is in the snapshot when Put returns. With
// ifVersion above 0 the definition must have that version, with -1 it must not
// exist, otherwise the error is a 412 problem. Putting the value that is there
// already makes no new version.
func (c *Collection[T]) Put(ctx context.Context, key string, v T, by string, ifVersion int64) (Versioned[T], error) {
	rows, _, err := c.write(ctx, by, func() ([]change, error) {
		next, err := c.check(ctx, key, v)
		next.ifVersion = ifVersion
		return []change{next}, err
	})
	if err != nil {
		return Versioned[T]{}, err
	}
	return decode[T](&rows[0])
}

// PutMany creates or replaces at most [MaxBatch] definitions in one transaction: all
// or none. The fields of its error begin with the key of the definition.
func (c *Collection[T]) PutMany(ctx context.Context, values map[string]T, by string) error {
	_, err := c.PutChanged(ctx, values, by)
	return err
}

// PutChanged is [Collection.PutMany] that says how many of the definitions were new or
// differ from what was there.
func (c *Collection[T]) PutChanged(ctx context.Context, values map[string]T, by string) (changed int, err error) {
	keys := slices.Sorted(maps.Keys(values))
	ordered := make([]T, len(keys))
	for i, key := range keys {
		ordered[i] = values[key]
	}
	return c.putAll(ctx, keys, ordered, by, func(i int) string { return keys[i] })
}

// putAll writes values under different keys and says how many were new or changed;
// path is where a value is for its problems.
func (c *Collection[T]) putAll(ctx context.Context, keys []string, values []T, by string, path func(i int) string) (written int, err error) {
	if len(keys) > MaxBatch {
		return 0, problem.Invalid{{Field: "", Rule: fmt.Sprintf("must be at most %d definitions at a time", MaxBatch), Value: len(keys)}}
	}
	if len(keys) == 0 {
		return 0, nil
	}
	_, written, err = c.write(ctx, by, func() ([]change, error) {
		changes := make([]change, 0, len(keys))
		var bad problem.Invalid
		for i, key := range keys {
			next, err := c.check(ctx, key, values[i])
			if err != nil {
				bad.Nest(path(i), err)
				continue
			}
			changes = append(changes, next)
		}
		return changes, bad.Err()
	})
	return written, err
}

// Delete removes a definition, unless others name it ([Store.Refer]), which is a 409
// problem; its versions stay readable by [Collection.AtVersion].
func (c *Collection[T]) Delete(ctx context.Context, key, by string) error {
	return c.deleteVersion(ctx, key, by, 0)
}

func (c *Collection[T]) deleteVersion(ctx context.Context, key, by string, ifVersion int64) error {
	_, _, err := c.write(ctx, by, func() ([]change, error) {
		if _, ok := c.Get(key); !ok {
			return nil, problem.NotFound(c.kind, key)
		}
		return []change{{key: key, ifVersion: ifVersion}}, c.store.unused(c.kind, key)
	})
	return err
}

// AtVersion returns a definition as it was at a version, also of a key that has
// been deleted since.
func (c *Collection[T]) AtVersion(ctx context.Context, key string, version int64) (Versioned[T], error) {
	if v, ok := c.Get(key); ok && v.Version == version {
		return v, nil
	}
	at := oldKey{key, version}
	c.oldMu.Lock()
	v, ok := c.old[at]
	c.oldMu.Unlock()
	if ok {
		return v, nil
	}
	if err := checkText("path.key", key); err != nil {
		return v, problem.NotFound(c.kind, key)
	}
	r, err := c.store.version(ctx, c.kind, key, version)
	if err != nil {
		return v, err
	}
	if r == nil || r.deleted {
		return v, problem.NotFound(c.kind, fmt.Sprintf("%s in version %d", problem.Clip(key), version))
	}
	if v, err = decode[T](r); err != nil {
		return v, fmt.Errorf("reading version %d of %s %s: %w", version, c.kind, key, err)
	}
	c.oldMu.Lock()
	defer c.oldMu.Unlock()
	if len(c.old) >= cachedVersions {
		clear(c.old)
	}
	c.old[at] = v
	return v, nil
}

// Past is a version in the history of a definition.
type Past[T any] struct {
	Versioned[T]
	Deleted bool // this version ended the definition; Value is what it was before
}

// History returns at most limit versions of a key, newest first, from the one
// before the given version; 0 is from the newest. A key that never was has none.
func (c *Collection[T]) History(ctx context.Context, key string, before int64, limit int) ([]Past[T], error) {
	if checkText("path.key", key) != nil {
		return nil, nil // no key has such characters
	}
	rows, err := c.store.history(ctx, c.kind, key, before, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Past[T], len(rows))
	for i := range rows {
		v, err := decode[T](&rows[i])
		if err != nil {
			return nil, fmt.Errorf("reading version %d of %s %s: %w", rows[i].version, c.kind, key, err)
		}
		out[i] = Past[T]{Versioned: v, Deleted: rows[i].deleted}
	}
	return out, nil
}

// AtTime returns a definition as it was at a moment; false when there was none.
func (c *Collection[T]) AtTime(ctx context.Context, key string, at time.Time) (Versioned[T], bool, error) {
	if v, ok := c.Get(key); ok && !v.UpdatedAt.After(at) {
		return v, true, nil
	}
	if checkText("path.key", key) != nil {
		return Versioned[T]{}, false, nil // no key has such characters
	}
	r, err := c.store.versionAt(ctx, c.kind, key, at)
	if err != nil || r == nil || r.deleted {
		return Versioned[T]{}, false, err
	}
	v, err := decode[T](r)
	if err != nil {
		return v, false, fmt.Errorf("reading version %d of %s %s: %w", r.version, c.kind, key, err)
	}
	return v, true, nil
}

// check validates a value and encodes it.
func (c *Collection[T]) check(ctx context.Context, key string, v T) (change, error) {
	if err := checkText("path.key", key); err != nil {
		return change{}, err
	}
	if c.validate != nil {
		if err := c.validate(ctx, key, &v); err != nil {
			return change{}, err
		}
	}
	body, err := json.Marshal(v)
	if err != nil {
		// A number that JSON cannot hold is the caller's doing.
		return change{}, problem.Invalid{{Rule: "must be JSON: " + err.Error()}}
	}
	if len(body) > maxBody {
		return change{}, problem.Invalid{{Rule: fmt.Sprintf("must be at most %d bytes of JSON", maxBody), Value: len(body)}}
	}
	if err := checkJSON(body); err != nil {
		return change{}, err
	}
	return change{key: key, body: body}, nil
}

// maxLooks is how often a writer looks again whether its changes are valid, when
// others write at the same time.
const maxLooks = 20

// write stores changes that decide finds valid, and takes them into the snapshot. When
// any definition was changed while it decided, it decides anew.
func (c *Collection[T]) write(ctx context.Context, by string, decide func() ([]change, error)) (rows []row, written int, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	select {
	case c.store.writing <- struct{}{}:
		defer func() { <-c.store.writing }()
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("waiting for another change of definitions: %w", ctx.Err())
	}
	for range maxLooks {
		var through int64
		if through, err = c.store.settled(ctx); err != nil {
			return nil, 0, err
		}
		changes, err := decide()
		if err != nil {
			return nil, 0, err
		}
		if rows, written, err = c.writeOnce(ctx, by, changes, through); !errors.Is(err, errMoved) {
			return rows, written, err
		}
	}
	return nil, 0, problem.Conflict(fmt.Sprintf("Other definitions changed %d times while this one was looked at: try again.", maxLooks))
}

func (c *Collection[T]) writeOnce(ctx context.Context, by string, changes []change, through int64) ([]row, int, error) {
	if have := len(c.Snapshot()); have+len(changes) > maxDefinitions {
		return nil, 0, problem.Conflict(fmt.Sprintf("There are %d %s; at most %d may be.", have, c.kind, maxDefinitions))
	}
	rows, written, err := c.store.write(ctx, c.kind, by, changes, through)
	var stale *errStale
	if errors.As(err, &stale) {
		return nil, 0, staleProblem(stale)
	}
	if err != nil {
		return nil, 0, err
	}
	if written == 0 {
		return rows, 0, nil
	}
	// It is written, whatever becomes of the caller now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := c.refresh(ctx); err != nil {
		c.store.log.Warn("reading back what was written; the next poll does", "kind", c.kind, "error", err)
	}
	return rows, written, nil
}

func staleProblem(stale *errStale) error {
	detail := fmt.Sprintf("%s has version %d by now: read it again and repeat the change.", stale.key, stale.current)
	if stale.current == 0 {
		detail = fmt.Sprintf("%s does not exist (any more).", stale.key)
	}
	return &problem.Error{Status: http.StatusPreconditionFailed, Title: "Changed in the meantime", Detail: detail}
}

func (c *Collection[T]) through() int64 { return c.current.Load().through }

// refresh reads what changed since the snapshot and swaps in the next one. A value
// that does not decode, which a newer program may have written, is logged, and what
// was known of its key stays.
func (c *Collection[T]) refresh(ctx context.Context) error {
	if changed, err := c.swap(ctx); err != nil || !changed {
		return err
	}
	c.watchMu.Lock()
	watchers := slices.Clone(c.watchers)
	c.watchMu.Unlock()
	for _, f := range watchers {
		f()
	}
	return nil
}

func (c *Collection[T]) swap(ctx context.Context) (changed bool, err error) {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	before := c.current.Load()
	through := before.through
	var next map[string]Versioned[T]
	err = c.store.since(ctx, c.kind, before.through, func(r *row) error {
		if next == nil {
			next = maps.Clone(before.values)
		}
		through = r.change
		if r.deleted {
			delete(next, r.key)
			return nil
		}
		v, err := decode[T](r)
		if err != nil {
			c.store.log.Error("reading a definition", "kind", c.kind, "key", r.key, "version", r.version, "error", err)
			return nil
		}
		next[r.key] = v
		return nil
	})
	if err != nil || next == nil {
		return false, err
	}
	c.current.Store(newSnapshot(next, through))
	return true, nil
}

func decode[T any](r *row) (Versioned[T], error) {
	v := Versioned[T]{Key: r.key, Version: r.version, CreatedAt: r.createdAt.UTC(), UpdatedAt: r.updatedAt.UTC(), UpdatedBy: r.updatedBy}
	if err := json.Unmarshal(r.body, &v.Value); err != nil {
		return v, err
	}
	return v, nil
}
