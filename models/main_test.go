package models

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDirVariable); dir != "" {
		killedChild(dir)
		return
	}
	os.Exit(enginetest.Main(m))
}

// logDatabase is a fresh log with the tables of the packages that write it. Their
// migrations are read as files: this package must not import them.
func logDatabase(t testing.TB) *clickhouse.Database {
	t.Helper()
	db := enginetest.ClickHouse(t)
	if err := migrateLog(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

func migrateLog(ctx context.Context, db *clickhouse.Database) error {
	var sets []clickhouse.MigrationSet
	for _, owner := range []string{"experiments", "profiles", "decide"} {
		sets = append(sets, clickhouse.MigrationSet{Name: owner, Files: os.DirFS("../" + owner + "/migrations/clickhouse")})
	}
	return db.Migrate(ctx, append(sets, ClickHouseMigrations())...)
}

var discard = slog.New(slog.DiscardHandler)

// storedAt says that the log has followed the stream up to a position that the test moves.
func storedAt(p *Position) func(context.Context) (Position, error) {
	return func(context.Context) (Position, error) { return *p, nil }
}

// service is a Service on fresh databases.
func service(t testing.TB, db *clickhouse.Database) (*Service, Deps) {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	deps := Deps{Postgres: pool, ClickHouse: db, Logger: slog.New(slog.DiscardHandler), Interval: 20 * time.Millisecond}
	s, err := Open(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	return s, deps
}

// decision and event are the columns of the log that learning reads.
type decision struct {
	id, point, profile, action string
	at                         time.Time
	version, sequence          uint64
	cost                       float64
	index                      []uint32
	value                      []float64
	ineligible                 bool
}

type event struct {
	id, name, profile, decision string
	at                          time.Time
	numbers                     map[string]float64
	sequence                    uint64
}

func insertDecisions(t testing.TB, db *clickhouse.Database, list ...decision) {
	t.Helper()
	if err := writeDecisions(t.Context(), db, list); err != nil {
		t.Fatal(err)
	}
}

func writeDecisions(ctx context.Context, db *clickhouse.Database, list []decision) error {
	batch, err := db.Write.PrepareBatch(ctx, `INSERT INTO decisions (decision_id, decision_point, profile_id, action,
		decided_at, point_version, sequence, contact_cost, feature_index, feature_value, eligible, send_at)`)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.version == 0 {
			d.version = 1
		}
		if err := batch.Append(d.id, d.point, d.profile, d.action, d.at, d.version, d.sequence, d.cost, d.index, d.value, !d.ineligible, d.at); err != nil {
			return err
		}
	}
	return batch.Send()
}

func insertEvents(t testing.TB, db *clickhouse.Database, list ...event) {
	t.Helper()
	if err := writeEvents(t.Context(), db, list); err != nil {
		t.Fatal(err)
	}
}

func writeEvents(ctx context.Context, db *clickhouse.Database, list []event) error {
	batch, err := db.Write.PrepareBatch(ctx, `INSERT INTO events (message_id, type, event, profile_id, decision_id, timestamp, received_at, numbers, sequence)`)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.numbers == nil {
			e.numbers = map[string]float64{}
		}
		if err := batch.Append(e.id, "track", e.name, e.profile, e.decision, e.at, e.at, e.numbers, e.sequence); err != nil {
			return err
		}
	}
	return batch.Send()
}
