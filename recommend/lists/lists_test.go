package lists

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
	"quintet/internal/stream"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

var now = time.Date(2026, 11, 20, 9, 0, 0, 123e6, time.UTC)

func sets() []clickhouse.MigrationSet {
	var out []clickhouse.MigrationSet
	for _, owner := range []string{"experiments", "profiles"} { // read as files: this package must not import them
		out = append(out, clickhouse.MigrationSet{Name: owner, Files: os.DirFS("../../" + owner + "/migrations/clickhouse")})
	}
	return append(out, ClickHouseMigrations())
}

func open(t *testing.T) *Log {
	t.Helper()
	db := enginetest.ClickHouse(t)
	if err := db.Migrate(t.Context(), sets()...); err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), Deps{Logger: enginetest.Logger(t), Stream: enginetest.StreamWith(t, stream.Options{}), ClickHouse: db, StoreWait: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Run(run); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	return l
}

func list(who string, n int) *List {
	return &List{ID: ulid.Make().String(), At: now.Add(time.Duration(n) * time.Minute), ProfileID: who, Placement: "home", Version: 3, Ranker: 2, Personal: who != "", Asked: 5,
		Named: []string{"page"}, Source: "key", Items: []Item{{ID: "a", Propensity: 1, Probability: .25, Score: 1.5, Reason: "for-you"}, {ID: fmt.Sprint("b", n), Propensity: .1 / 3, Reason: "new"}}}
}

// What was given is in the log, to the last bit, once.
func TestListsAreKept(t *testing.T) {
	t.Parallel()
	l, ctx := open(t), t.Context()
	var given []*List
	for i := range 20 {
		v := list([]string{"anna", "boris", ""}[i%3], i)
		given = append(given, v)
		if err := l.Add(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Add(ctx, &List{ID: ulid.Make().String(), At: now, ProfileID: "clara", Placement: "home", Asked: 5}); err != nil { // nothing was found
		t.Fatal(err)
	}
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range given {
		got, err := l.Find(ctx, want.ID)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, given was %+v: %v", got, want, err)
		}
	}
	if _, err := l.Find(ctx, ulid.Make().String()); err == nil {
		t.Error("a list that was never given is found")
	}
	sample, err := l.Sample(ctx, now.Add(90*time.Second), 100)
	if err != nil || len(sample) != 12 { // of 20, six have nobody and two are older
		t.Errorf("%d lists: %v", len(sample), err)
	}
	if few, err := l.Sample(ctx, now.Add(-time.Hour), 5); err != nil || len(few) != 5 {
		t.Errorf("%d lists of at most 5: %v", len(few), err)
	}
	var about []string
	if err := l.Each(ctx, []string{"anna"}, func(v any) error { about = append(about, v.(*List).ID); return nil }); err != nil || len(about) != 7 || about[0] != given[0].ID {
		t.Errorf("%v: %v", about, err)
	}
	// Somebody is erased: their lists leave the stream; those of others stay in the log.
	if n, err := l.Erase(ctx, []string{"anna"}); err != nil || n == 0 {
		t.Errorf("%d messages: %v", n, err)
	}
	if left, err := l.About(ctx, []string{"anna"}); err != nil || len(left) != 0 {
		t.Errorf("%v: %v", left, err)
	}
	if _, err := l.Find(ctx, given[1].ID); err != nil {
		t.Error(err)
	}
	if n, _, err := l.Lag(ctx); err != nil || n != 0 {
		t.Errorf("behind by %d: %v", n, err)
	}
	// A foreign record stops nobody.
	if _, err := l.topic.Publish(ctx, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	last := list("boris", 30)
	if err := l.Add(ctx, last); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Find(ctx, last.ID); err != nil {
		t.Error(err)
	}
}

func FuzzRecord(f *testing.F) {
	data, err := encode(list("anna", 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{1, '{', '}'})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, record []byte) {
		l, err := decode(record)
		if err != nil {
			return
		}
		again, err := encode(l)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(again)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := json.Marshal(l)
		other, _ := json.Marshal(back)
		if string(one) != string(other) {
			t.Fatalf("%s, read again %s", one, other)
		}
	})
}
