package predict

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
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

var now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// bed is a service on databases of its own.
type bed struct {
	*Service
	t     testing.TB
	clock time.Time
	rows  int
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{t: t, clock: now}
	db := enginetest.ClickHouse(t)
	var sets []clickhouse.MigrationSet
	for _, owner := range []string{"experiments", "profiles"} { // read as files: this package must not import them
		sets = append(sets, clickhouse.MigrationSet{Name: owner, Files: os.DirFS("../../" + owner + "/migrations/clickhouse")})
	}
	if err := db.Migrate(t.Context(), append(sets, ClickHouseMigrations())...); err != nil {
		t.Fatal(err)
	}
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations(), PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	b.Service, err = Open(Deps{Logger: enginetest.Logger(t), Definitions: store, Postgres: pool, ClickHouse: db, Version: "test", Now: func() time.Time { return b.clock },
		Reserved: func(a string) bool { return a == "orders" }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bed) define(key string, spec Spec) {
	b.t.Helper()
	if _, err := b.specs.Put(b.t.Context(), key, spec, "test", -1); err != nil {
		b.t.Fatal(err)
	}
}

// event is a row of the log.
type event struct {
	name, person string
	at           time.Time
	value        float64
	properties   string
	chance       float64
	device       string
	user         string
}

func (b *bed) log(events []event) {
	b.t.Helper()
	batch, err := b.clickhouse.Write.PrepareBatch(b.t.Context(), "INSERT INTO events (message_id, type, event, profile_id, user_id, timestamp, received_at, numbers, properties, context, source, sequence)")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range events {
		b.rows++
		if e.properties == "" {
			e.properties = "{}"
		}
		numbers := map[string]float64{}
		if e.value != 0 {
			numbers["revenue"] = e.value
		}
		if e.chance != 0 {
			numbers["slotPropensity"] = e.chance
		}
		context := fmt.Sprintf(`{"device":{"type":%q}}`, e.device)
		if err := batch.Append(fmt.Sprintf("%s-%s-%d", e.name, e.person, b.rows), "track", e.name, e.person, e.user, e.at, now, numbers, e.properties, context, "test", uint64(b.rows)); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		b.t.Fatal(err)
	}
}

// customers order at rates of their own and leave at rates of their own; who is about to
// leave looks at less, and later nothing.
func customers(n int, seed uint64) []event {
	r := rand.New(rand.NewPCG(seed, 6))
	var out []event
	for p := range n {
		person := fmt.Sprintf("p%05d", p)
		start := now.Add(-time.Duration(60+r.IntN(240)) * 24 * time.Hour)
		gap := math.Exp(r.NormFloat64()*.6) * 12 // days between orders
		stays := r.ExpFloat64() * (60 + r.Float64()*300)
		spend := math.Exp(3 + r.NormFloat64()*.5)
		device := []string{"mobile", "desktop"}[r.IntN(2)]
		for at := 0.0; at < stays; at += r.ExpFloat64() * gap {
			t := start.Add(time.Duration(at * 24 * float64(time.Hour)))
			if !t.Before(now) {
				break
			}
			out = append(out, event{name: "Order Completed", person: person, at: t, value: spend * math.Exp(r.NormFloat64()*.3), device: device})
			for range 1 + r.IntN(3) {
				out = append(out, event{name: "Product Viewed", person: person, at: t.Add(-time.Duration(r.IntN(3600)) * time.Second), device: device})
			}
		}
	}
	return out
}
