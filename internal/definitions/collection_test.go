package definitions_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/problem"
)

func TestUnchangedValuesMakeNoVersion(t *testing.T) {
	t.Parallel()
	_, c, _ := open(t)
	ctx := t.Context()
	changes := 0
	c.OnChange(func() { changes++ })
	for range 3 {
		if v, err := c.Put(ctx, "x", thing{Name: "a", Size: 1e21}, "me", 0); err != nil || v.Version != 1 || v.Value.Size != 1e21 {
			t.Fatalf("%+v, %v", v, err)
		}
		if err := c.PutMany(ctx, map[string]thing{"x": {Name: "a", Size: 1e21}, "y": {Name: "b"}}, "me"); err != nil {
			t.Fatal(err)
		}
	}
	if y, _ := c.Get("y"); y.Version != 1 || changes != 2 {
		t.Errorf("y has version %d, %d changes", y.Version, changes)
	}
	if v, err := c.Put(ctx, "x", thing{Name: "a", Size: 1e21}, "me", 7); err == nil {
		t.Errorf("an unchanged value with the wrong version: %+v", v)
	}
	if err := c.Delete(ctx, "x", "me"); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Put(ctx, "x", thing{Name: "a", Size: 1e21}, "me", 0); err != nil || v.Version != 3 {
		t.Errorf("the same value after a deletion: %+v, %v", v, err)
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	_, c, _ := open(t)
	for name, tt := range map[string]struct {
		key   string
		value thing
		field string
	}{
		"too large":      {"x", thing{Name: strings.Repeat("n", 300<<10)}, ""},
		"no number":      {"x", thing{Name: "x", Size: math.NaN()}, ""},
		"zero":           {"x", thing{Name: "a\x00b"}, "name"},
		"key with zero":  {"x\x00", thing{Name: "x"}, "path.key"},
		"key no UTF-8":   {"x\xff", thing{Name: "x"}, "path.key"},
		"by a validator": {"x", thing{Size: -1}, "size"},
	} {
		_, err := c.Put(t.Context(), tt.key, tt.value, "me", 0)
		var bad problem.Invalid
		if !errors.As(err, &bad) || bad[0].Field != tt.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A backslash and what looks like an escape is no zero.
	if v, err := c.Put(t.Context(), "x", thing{Name: `\u0000`}, "me", 0); err != nil || v.Value.Name != `\u0000` {
		t.Errorf("%+v, %v", v, err)
	}
	if err := c.PutMany(t.Context(), manyThings(definitions.MaxBatch+1), "me"); err == nil {
		t.Error("too many at a time are accepted")
	}
	if err := c.PutMany(t.Context(), nil, "me"); err != nil {
		t.Errorf("none at all: %v", err)
	}
	if n := len(c.Snapshot()); n != 1 {
		t.Errorf("%d definitions", n)
	}
}

func manyThings(n int) map[string]thing {
	values := make(map[string]thing, n)
	for i := range n {
		values[fmt.Sprintf("k%06d", i)] = thing{Name: fmt.Sprint(i), Size: float64(i)}
	}
	return values
}

func TestOneCreatorWins(t *testing.T) {
	t.Parallel()
	_, c1, another := open(t)
	_, c2 := another()
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			c := c1
			if i%2 == 1 {
				c = c2
			}
			if _, err := c.Put(t.Context(), "x", thing{Name: fmt.Sprint(i)}, "me", -1); err == nil {
				won.Add(1)
			} else if problem.From(err).Status != 412 {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d creators won", won.Load())
	}
}

// What is valid by itself, but not beside what another process writes at the same
// moment, even of another kind, is refused.
func TestValidBesideOthers(t *testing.T) {
	t.Parallel()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	// Two kinds share room for things of size 3 together.
	type process struct {
		left, right *definitions.Collection[thing]
	}
	start := func() process {
		s, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
		if err != nil {
			t.Fatal(err)
		}
		var p process
		validate := func(_ context.Context, key string, v *thing) error {
			room := 3.0
			for _, c := range []*definitions.Collection[thing]{p.left, p.right} {
				for other, o := range c.Snapshot() {
					if other != key {
						room -= o.Value.Size
					}
				}
			}
			time.Sleep(time.Millisecond) // the others look as well
			var bad problem.Invalid
			if v.Size > room {
				bad.Add("size", "must fit", v.Size)
			}
			return bad.Err()
		}
		if p.left, err = definitions.NewCollection(s, "left", validate); err != nil {
			t.Fatal(err)
		}
		if p.right, err = definitions.NewCollection(s, "right", validate); err != nil {
			t.Fatal(err)
		}
		return p
	}
	processes := []process{start(), start(), start()}
	var fitted atomic.Int64
	var all sync.WaitGroup
	for i := range 18 {
		all.Go(func() {
			p := processes[i%3]
			c := p.left
			if i%2 == 1 {
				c = p.right
			}
			_, err := c.Put(t.Context(), fmt.Sprint("k", i), thing{Name: "x", Size: 1}, "me", 0)
			if err == nil {
				fitted.Add(1)
			} else if problem.From(err).Status != 422 {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if fitted.Load() != 3 {
		t.Errorf("%d things fitted where there was room for 3", fitted.Load())
	}
}

// A snapshot stays as it is while others write, and a later one has all of it.
func TestSnapshotsDoNotChange(t *testing.T) {
	t.Parallel()
	_, c, another := open(t)
	ctx := t.Context()
	if err := c.PutMany(ctx, manyThings(1000), "me"); err != nil {
		t.Fatal(err)
	}
	before := c.Snapshot()
	if _, err := c.Put(ctx, "k000000", thing{Name: "new"}, "me", 0); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(ctx, "k000001", "me"); err != nil {
		t.Fatal(err)
	}
	if len(before) != 1000 || before["k000000"].Value.Name != "0" {
		t.Error("a snapshot that was taken has changed")
	}
	if after := c.Snapshot(); len(after) != 999 || after["k000000"].Value.Name != "new" {
		t.Errorf("%d definitions", len(after))
	}
	_, fresh := another()
	if !reflect.DeepEqual(fresh.Snapshot(), c.Snapshot()) {
		t.Error("what a new process loads differs")
	}
	var listed []string
	for after := ""; ; {
		page := c.List(after, 77)
		if len(page) == 0 {
			break
		}
		for _, v := range page {
			listed = append(listed, v.Key)
		}
		after = page[len(page)-1].Key
	}
	if len(listed) != 999 || listed[0] != "k000000" || listed[1] != "k000002" {
		t.Errorf("listed %d: %q…", len(listed), listed[:min(len(listed), 3)])
	}
	if len(c.List("", -1)) != 0 || len(c.List("zzz", 10)) != 0 {
		t.Error("an odd page is not empty")
	}
}

// A value that this program cannot read is left aside and breaks nothing else.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	s, err := definitions.Open(t.Context(), pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := definitions.NewCollection[map[string]any](s, "things", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := definitions.NewCollection[thing](s, "things", nil); err == nil {
		t.Error("a kind has two collections")
	}
	ctx := t.Context()
	for key, value := range map[string]map[string]any{"good": {"name": "x", "future": 1}, "bad": {"name": []any{1}}} {
		if _, err := newer.Put(ctx, key, value, "me", 0); err != nil {
			t.Fatal(err)
		}
	}
	s2, err := definitions.Open(ctx, pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	older, err := definitions.NewCollection[thing](s2, "things", nil)
	if err != nil {
		t.Fatalf("one value that cannot be read stops everything: %v", err)
	}
	if _, ok := older.Get("good"); !ok || len(older.Snapshot()) != 1 {
		t.Errorf("read %v", older.Snapshot())
	}
}

// What is stored comes back as it was, whatever is in it.
func TestValuesComeBack(t *testing.T) {
	t.Parallel()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	s, err := definitions.Open(t.Context(), pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := definitions.NewCollection[thing](s, "things", nil)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		want := thing{Name: rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 })).Draw(rt, "name"), Size: rapid.Float64().Draw(rt, "size")}
		if want.Size == 0 {
			want.Size = 0 // JSON in Postgres has no negative zero
		}
		v, err := c.Put(t.Context(), "x", want, "me", 0)
		if err != nil {
			rt.Fatal(err)
		}
		if got, _ := c.Get("x"); got.Value != want || got.Version != v.Version {
			rt.Fatalf("put %+v, got %+v", want, got)
		}
		if past, err := c.AtVersion(t.Context(), "x", v.Version); err != nil || past.Value != want {
			rt.Fatalf("version %d is %+v, %v", v.Version, past, err)
		}
	})
}

// Others hear of a change within moments, and the time to write many stays small.
func TestChangesAreQuick(t *testing.T) {
	t.Parallel()
	_, c1, another := open(t)
	s2, c2 := another()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s2.Run(ctx) }()
	start := time.Now()
	if err := c1.PutMany(ctx, manyThings(definitions.MaxBatch), "me"); err != nil {
		t.Fatal(err)
	}
	many := time.Since(start)
	for end := time.Now().Add(10 * time.Second); len(c2.Snapshot()) < definitions.MaxBatch; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("another process has %d", len(c2.Snapshot()))
		}
	}
	start = time.Now()
	if _, err := c1.Put(ctx, "k000005", thing{Name: "new"}, "me", 0); err != nil {
		t.Fatal(err)
	}
	one := time.Since(start)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		if v, _ := c2.Get("k000005"); v.Version == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("another process does not hear of a change")
		}
	}
	t.Logf("%d at once took %s, one more %s, another process had it %s after", definitions.MaxBatch, many, one, time.Since(start)-one)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
}
