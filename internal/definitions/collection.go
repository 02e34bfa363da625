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

// cachedVersions is how many old versions a collection keeps decoded.
const cachedVersions = 512

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

	snapshot atomic.Pointer[map[string]Versioned[T]]
	known    atomic.Int64 // see follower.state

	mu       sync.Mutex // writers of the snapshot
	versions map[string]int64
	watchers []func()

	oldMu sync.Mutex
	old   map[oldKey]Versioned[T]
}

type oldKey struct {
	key     string
	version int64
}

// NewCollection loads a kind, which is also its segment in routes:
// "decision-points". validate may be nil.
func NewCollection[T any](s *Store, kind string, validate Validator[T]) (*Collection[T], error) {
	c := &Collection[T]{store: s, kind: kind, validate: validate, versions: make(map[string]int64), old: make(map[oldKey]Versioned[T])}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := c.reload(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.collections[kind]; taken {
		return nil, fmt.Errorf("the kind %s has two collections", kind)
	}
	s.collections[kind] = c
	return c, nil
}

// Kind is the name of the collection and its segment in routes.
func (c *Collection[T]) Kind() string { return c.kind }

// Snapshot is all definitions by key at one moment. It must not be modified.
func (c *Collection[T]) Snapshot() map[string]Versioned[T] { return *c.snapshot.Load() }

// Get returns the current definition of a key.
func (c *Collection[T]) Get(key string) (Versioned[T], bool) {
	v, ok := c.Snapshot()[key]
	return v, ok
}

// List returns at most limit definitions in the order of their keys, from the
// first one after the given key.
func (c *Collection[T]) List(after string, limit int) []Versioned[T] {
	snapshot := c.Snapshot()
	keys := slices.Sorted(maps.Keys(snapshot))
	i, found := slices.BinarySearch(keys, after)
	if found {
		i++
	}
	keys = keys[i:min(len(keys), i+limit)]
	out := make([]Versioned[T], len(keys))
	for i, k := range keys {
		out[i] = snapshot[k]
	}
	return out
}

// OnChange has f called after each change, in this process and soon after in
// others. f sees the new snapshot and must not write definitions.
func (c *Collection[T]) OnChange(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(c.watchers, f)
}

// Put creates or replaces a definition. With ifVersion above 0 it must have that
// version, with -1 it must not exist, otherwise the error is a 412 problem.
func (c *Collection[T]) Put(ctx context.Context, key string, v T, by string, ifVersion int64) (Versioned[T], error) {
	next, err := c.check(ctx, key, v)
	if err != nil {
		return Versioned[T]{}, err
	}
	next.ifVersion = ifVersion
	written, err := c.write(ctx, by, []change{next})
	if err != nil {
		return Versioned[T]{}, err
	}
	return written[0], nil
}

// PutMany creates or replaces many definitions in one transaction: all or none.
func (c *Collection[T]) PutMany(ctx context.Context, values map[string]T, by string) error {
	changes := make([]change, 0, len(values))
	var bad problem.Invalid
	for _, key := range slices.Sorted(maps.Keys(values)) {
		next, err := c.check(ctx, key, values[key])
		if err != nil {
			bad.Nest(key, err)
			continue
		}
		changes = append(changes, next)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	_, err := c.write(ctx, by, changes)
	return err
}

// Delete removes a definition; its versions stay readable by [Collection.AtVersion].
func (c *Collection[T]) Delete(ctx context.Context, key, by string) error {
	return c.deleteVersion(ctx, key, by, 0)
}

func (c *Collection[T]) deleteVersion(ctx context.Context, key, by string, ifVersion int64) error {
	if _, ok := c.Get(key); !ok {
		return problem.NotFound(c.kind, problem.Clip(key))
	}
	_, err := c.write(ctx, by, []change{{key: key, ifVersion: ifVersion}})
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
	r, err := c.store.version(ctx, c.kind, key, version)
	if err != nil {
		return v, err
	}
	if r == nil {
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

// check validates a value and encodes it.
func (c *Collection[T]) check(ctx context.Context, key string, v T) (change, error) {
	if c.validate != nil {
		if err := c.validate(ctx, key, &v); err != nil {
			return change{}, err
		}
	}
	body, err := json.Marshal(v)
	if err != nil {
		// A number that JSON cannot hold is the caller's doing.
		var bad problem.Invalid
		bad.Add("", "must be JSON: "+err.Error(), nil)
		return change{}, bad
	}
	if len(body) > maxBody {
		var bad problem.Invalid
		bad.Add("", fmt.Sprintf("must be at most %d bytes of JSON", maxBody), len(body))
		return change{}, bad
	}
	return change{key: key, body: body}, nil
}

func (c *Collection[T]) write(ctx context.Context, by string, changes []change) ([]Versioned[T], error) {
	rows, err := c.store.write(ctx, c.kind, by, changes)
	var stale *errStale
	if errors.As(err, &stale) {
		return nil, staleProblem(stale)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Versioned[T], len(rows))
	for i := range rows {
		if out[i], err = decode[T](&rows[i]); err != nil {
			return nil, err
		}
	}
	c.apply(rows, out)
	return out, nil
}

func staleProblem(stale *errStale) error {
	detail := "It has version " + fmt.Sprint(stale.current) + " by now: read it again and repeat the change."
	if stale.current == 0 {
		detail = "It does not exist (any more)."
	}
	return &problem.Error{Status: http.StatusPreconditionFailed, Title: "Changed in the meantime", Detail: detail}
}

// apply puts written rows into the snapshot, unless a reload was faster.
func (c *Collection[T]) apply(rows []row, values []Versioned[T]) {
	c.mu.Lock()
	next := maps.Clone(c.Snapshot())
	sum := c.known.Load()
	for i := range rows {
		r := &rows[i]
		if r.version <= c.versions[r.key] {
			continue
		}
		sum += r.version - c.versions[r.key]
		c.versions[r.key] = r.version
		if r.deleted {
			delete(next, r.key)
		} else {
			next[r.key] = values[i]
		}
	}
	c.known.Store(sum)
	c.snapshot.Store(&next)
	watchers := slices.Clone(c.watchers)
	c.mu.Unlock()
	for _, f := range watchers {
		f()
	}
}

func (c *Collection[T]) state() int64 { return c.known.Load() }

// reload reads the whole kind and swaps it in.
func (c *Collection[T]) reload(ctx context.Context) error {
	rows, err := c.store.all(ctx, c.kind)
	if err != nil {
		return err
	}
	next := make(map[string]Versioned[T], len(rows))
	versions := make(map[string]int64, len(rows))
	var sum int64
	for i := range rows {
		r := &rows[i]
		sum += r.version
		versions[r.key] = r.version
		if r.deleted {
			continue
		}
		v, err := decode[T](r)
		if err != nil {
			return fmt.Errorf("reading %s %s: %w", c.kind, r.key, err)
		}
		next[r.key] = v
	}
	c.mu.Lock()
	if c.snapshot.Load() != nil && sum < c.known.Load() {
		c.mu.Unlock()
		return nil // a write overtook this read
	}
	c.versions = versions
	c.known.Store(sum)
	c.snapshot.Store(&next)
	watchers := slices.Clone(c.watchers)
	c.mu.Unlock()
	for _, f := range watchers {
		f()
	}
	return nil
}

func decode[T any](r *row) (Versioned[T], error) {
	v := Versioned[T]{Key: r.key, Version: r.version, CreatedAt: r.createdAt.UTC(), UpdatedAt: r.updatedAt.UTC(), UpdatedBy: r.updatedBy}
	if err := json.Unmarshal(r.body, &v.Value); err != nil {
		return v, err
	}
	return v, nil
}
