package recommend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/recommend/lists"
)

// The history of serving is what plain loops over the same lists and events come to.
func TestServedHistory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := enginetest.ClickHouse(t)
	var sets []clickhouse.MigrationSet
	for _, owner := range []string{"experiments", "profiles"} { // read as files: this package must not import them
		sets = append(sets, clickhouse.MigrationSet{Name: owner, Files: os.DirFS("../" + owner + "/migrations/clickhouse")})
	}
	if err := db.Migrate(ctx, append(sets, lists.ClickHouseMigrations())...); err != nil {
		t.Fatal(err)
	}
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(ctx, pool, definitions.Migrations(), PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(ctx, pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Deps{Definitions: store, Postgres: pool, ClickHouse: db, Logger: enginetest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	// p0 and p1 are one person, whose id is p0.
	if err := db.Write.Exec(ctx, "INSERT INTO person_map (profile_id, person_id, valid_from, stamp) VALUES ('p1', 'p0', now64(3), 1)"); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(4, 4))
	type shown struct {
		who, day, place, id string
		at                  time.Time
		items               []string
	}
	type act struct {
		who, item string
		at        time.Time
		bought    bool
	}
	owner := func(profile string) string {
		if profile == "p1" {
			return "p0"
		}
		return profile
	}
	var given []shown
	insert, err := db.Write.PrepareBatch(ctx, "INSERT INTO recommendation_lists (list_id, sequence, at, placement, profile_id, personal, asked, items, propensities, probabilities, scores, reasons)")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 300 {
		profile := fmt.Sprint("p", r.IntN(12))
		if n%10 == 0 {
			profile = ""
		}
		l := shown{who: owner(profile), place: []string{"home", "cart"}[r.IntN(2)], id: fmt.Sprintf("list-%03d", n), at: start.Add(time.Duration(r.IntN(3*86400)) * time.Second)}
		l.day = l.at.Format(time.DateOnly)
		for _, k := range r.Perm(20)[:r.IntN(6)] {
			l.items = append(l.items, fmt.Sprint("i", k))
		}
		zeros := make([]float64, len(l.items))
		if err := insert.Append(l.id, uint64(n), l.at, l.place, profile, profile != "", uint32(5), l.items, zeros, zeros, zeros, make([]string, len(l.items))); err != nil {
			t.Fatal(err)
		}
		given = append(given, l)
	}
	if err := insert.Send(); err != nil {
		t.Fatal(err)
	}
	var acts []act
	events, err := db.Write.PrepareBatch(ctx, "INSERT INTO events (message_id, type, event, profile_id, timestamp, received_at, properties, source, sequence)")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 600 {
		profile := fmt.Sprint("p", r.IntN(12))
		a := act{who: owner(profile), item: fmt.Sprint("i", r.IntN(20)), at: start.Add(time.Duration(r.IntN(4*86400)) * time.Second)}
		event, properties := "Product Viewed", fmt.Sprintf(`{"product_id":%q}`, a.item)
		switch r.IntN(4) {
		case 0:
			a.bought, event, properties = true, "Order Completed", fmt.Sprintf(`{"products":[{"product_id":"else"},{"sku":%q}]}`, a.item)
		case 1:
			event = "Product Removed" // says nothing for the item
		}
		if err := events.Append(fmt.Sprint("m", n), "track", event, profile, a.at, a.at, properties, "test", uint64(n)); err != nil {
			t.Fatal(err)
		}
		if event != "Product Removed" {
			acts = append(acts, a)
		}
	}
	if err := events.Send(); err != nil {
		t.Fatal(err)
	}
	type key struct{ day, place string }
	type sums struct{ lists, personal, empty, items, places, taken, bought int }
	expect := func(byDay bool) map[key]*sums {
		of := func(l *shown) key {
			if byDay {
				return key{l.day, l.place}
			}
			return key{"", l.place}
		}
		out := map[key]*sums{}
		for i := range given {
			l := &given[i]
			if out[of(l)] == nil {
				out[of(l)] = &sums{}
			}
			v := out[of(l)]
			v.lists++
			v.items += len(l.items)
			if len(l.items) == 0 {
				v.empty++
			}
			if l.who != "" {
				v.personal++
				v.places += len(l.items)
			}
		}
		taken, bought := map[string]key{}, map[string]key{}
		for _, a := range acts {
			var last *shown
			for i := range given {
				l := &given[i]
				for _, item := range l.items {
					if l.who == a.who && item == a.item && !l.at.After(a.at) && (last == nil || l.at.After(last.at)) {
						last = l
					}
				}
			}
			if last == nil || a.at.Sub(last.at) >= 24*time.Hour {
				continue
			}
			taken[last.id+a.item] = of(last)
			if a.bought {
				bought[last.id+a.item] = of(last)
			}
		}
		for _, k := range taken {
			out[k].taken++
		}
		for _, k := range bought {
			out[k].bought++
		}
		return out
	}
	for _, byDay := range []bool{true, false} {
		rows, err := s.history(ctx, start, start.AddDate(0, 0, 3), byDay)
		if err != nil {
			t.Fatal(err)
		}
		want := expect(byDay)
		if len(rows) != len(want) {
			t.Fatalf("%d rows, want %d", len(rows), len(want))
		}
		for _, row := range rows {
			w := want[key{row.Day, row.Placement}]
			if w == nil {
				t.Fatalf("nothing was given at %s on %q", row.Placement, row.Day)
			}
			if got := (sums{row.Lists, row.Personal, row.Empty, row.Items, row.Places, row.Taken.Count, row.Bought.Count}); got != *w {
				t.Errorf("%s on %q: %+v, want %+v", row.Placement, row.Day, got, *w)
			}
			if row.Taken.Low == nil || *row.Taken.Low > row.Taken.Share || *row.Taken.High < row.Taken.Share || w.taken == 0 || math.Abs(row.Taken.Share-float64(w.taken)/float64(w.places)) > 1e-12 {
				t.Errorf("%s on %q: %+v of %+v", row.Placement, row.Day, row.Taken, w)
			}
		}
	}
	if rows, err := s.history(ctx, start.AddDate(-1, 0, 0), start.AddDate(-1, 0, 9), true); err != nil || rows == nil || len(rows) != 0 {
		t.Errorf("before anything was given: %v %v", rows, err)
	}
}

// The interval of a share is that of a ratio of means over people, and holds the truth as
// often as it says.
func TestShareHoldsTheTruth(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	held := 0
	const worlds, people = 2000, 400
	for range worlds {
		var x, n, xx, xn, nn float64
		for range people {
			places := float64(1 + r.IntN(30))
			rate := .02 + .16*r.Float64() // each has one of their own, .1 on average
			took := 0.0
			for range int(places) {
				if r.Float64() < rate {
					took++
				}
			}
			x, n, xx, xn, nn = x+took, n+places, xx+took*took, xn+took*places, nn+places*places
		}
		if v := shareOf(x, n, xx, xn, nn, people); *v.Low <= .1 && .1 <= *v.High {
			held++
		}
	}
	if share := float64(held) / worlds; math.Abs(share-.95) > .015 {
		t.Errorf("%.3f of the intervals hold the truth", share)
	}
	if v := shareOf(1, 4, 1, 4, 16, 1); v.Low != nil || v.Share != .25 {
		t.Errorf("of one person: %+v", v)
	}
	if v := shareOf(0, 0, 0, 0, 0, 0); v.Low != nil || v.Share != 0 {
		t.Errorf("of nobody: %+v", v)
	}
}
