package attributes

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/profiles/identity"
)

// BenchmarkCompute measures a run over generated events of the last two years,
// 20 for each person. QUINTET_BENCH_EVENTS says how many there are.
//
//	QUINTET_BENCH_EVENTS=2000000 go test ./profiles/attributes -run '^$' -bench Compute -benchtime 1x
func BenchmarkCompute(b *testing.B) {
	events := 100_000
	if text := os.Getenv("QUINTET_BENCH_EVENTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 20 {
			b.Fatalf("QUINTET_BENCH_EVENTS is %q, not a number of 20 or more", text)
		}
		events = n
	}
	people := events / 20
	bed := newBed(b, now)
	bed.Stop()
	generate(b, bed, people, events)
	bed.Open()
	profiles := heap()
	for b.Loop() {
		if err := bed.service.Compute(b.Context()); err != nil {
			b.Fatal(err)
		}
		first := bed.service.Status().Seconds
		b.ReportMetric(first, "s/first-run")
		if err := bed.service.Compute(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(bed.service.Status().Seconds, "s/next-run")
		b.ReportMetric(float64(events)/first, "events/s")
	}
	b.ReportMetric(float64(heap()-profiles)/float64(people), "B/person")
	started := time.Now()
	bed.Open()
	b.ReportMetric(time.Since(started).Seconds(), "s/restart")
	started = time.Now()
	if _, err := bed.service.Matrix(b.Context(), "segment", now.AddDate(0, -2, 0), now); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(started).Seconds()/3, "s/matrix-month")
	if s := bed.service.board.Load(); s != nil && s.People != uint64(people) {
		b.Errorf("%d people, want %d", s.People, people)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// generate fills both databases: what comes through the API would take longer.
func generate(b *testing.B, bed *bed, people, events int) {
	b.Helper()
	ctx := b.Context()
	ids := make([]string, people)
	rows := make([][]any, people)
	for i := range ids {
		ids[i] = identity.NewID(identity.Identifier{Namespace: identity.UserID, Value: fmt.Sprint("u", i)}).String()
		rows[i] = []any{ids[i], now, now, now, 20, map[string]any{}}
	}
	if _, err := bed.Postgres.CopyFrom(ctx, pgx.Identifier{"profiles"}, []string{"profile_id", "created_at", "updated_at", "last_seen_at", "events", "traits"}, pgx.CopyFromRows(rows)); err != nil {
		b.Fatal(err)
	}
	if err := bed.ClickHouse.Write.Exec(ctx, "CREATE TABLE ids (n UInt64, id String) ENGINE = MergeTree ORDER BY n"); err != nil {
		b.Fatal(err)
	}
	batch, err := bed.ClickHouse.Write.PrepareBatch(ctx, "INSERT INTO ids (n, id)")
	if err != nil {
		b.Fatal(err)
	}
	for i, id := range ids {
		if err := batch.Append(uint64(i), id); err != nil {
			b.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		b.Fatal(err)
	}
	const chunk = 2_000_000
	for from := 0; from < events; from += chunk {
		if err := bed.ClickHouse.Read.Exec(heavy(ctx), fmt.Sprintf(`INSERT INTO events (message_id, type, event, profile_id, user_id, timestamp, received_at, numbers, properties, context, sequence)
SELECT toString(number), 'track', arrayElement(['Page Seen', 'Page Seen', 'Page Seen', 'Page Seen', 'Product Viewed', 'Product Viewed', 'Product Added', 'Email Delivered', 'Email Opened', 'Order Completed'], 1 + cityHash64(number, 1) %% 10) AS name,
  i.id, concat('u', toString(i.n)), toDateTime64('2026-06-15 00:00:00', 3, 'UTC') - cityHash64(number, 2) %% 63072000 AS at, at,
  if(name = 'Order Completed', map('revenue', toFloat64(10 + cityHash64(number, 3) %% 200)), CAST(map(), 'Map(LowCardinality(String), Float64)')),
  if(name = 'Order Completed', concat('{"revenue":', toString(10 + cityHash64(number, 3) %% 200), ',"products":[{"category":"c', toString(cityHash64(number, 4) %% 20), '","price":20,"quantity":1,"cost":9}]}'),
    concat('{"category":"c', toString(cityHash64(number, 4) %% 20), '"}')),
  '{"userAgent":"Mozilla/5.0 (iPhone)"}', 1
FROM (SELECT number, cityHash64(number, 5) %% %d AS person FROM numbers(%d, %d)) AS g INNER JOIN ids AS i ON g.person = i.n`, people, from, min(chunk, events-from))); err != nil {
			b.Fatal(err)
		}
	}
}
