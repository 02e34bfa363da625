package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

// endless is a query that only ends by being cancelled.
const endless = "SELECT count() FROM numbers(10000000000000) WHERE sipHash64(number) = 12345 SETTINGS max_threads = 1"

// Reports on all reading connections, and more of them waiting, do not delay an
// insert.
func TestReportsDoNotDelayInserts(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	mustExec(t, d, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
	reports, stop := context.WithCancel(testContext(t))
	var wg sync.WaitGroup
	for range defaultReaders + 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := d.Read.Exec(reports, endless); !errors.Is(err, context.Canceled) {
				t.Errorf("a report ended with %v", err)
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	for i := range uint64(20) {
		start := time.Now()
		batch, err := d.Write.PrepareBatch(testContext(t), "INSERT INTO t")
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.Append(i); err != nil {
			t.Fatal(err)
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("an insert took %v beside reports", took)
		}
	}
	// A reader who finds no connection free gives up at its own deadline.
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := d.Read.Exec(short, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a connection ended with %v", err)
	}
	stop()
	wg.Wait()
	if n := count(t, d, "SELECT count() FROM t"); n != 20 {
		t.Errorf("%d rows, want 20", n)
	}
}

// Many callers with deadlines that pass at any moment leave a pool that works
// and answers that belong to their questions.
func TestCancelledCallersDoNotDisturbOthers(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 40 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i*w)*100*time.Microsecond)
				var got string
				want := fmt.Sprintf("%d-%d", w, i)
				err := d.Read.QueryRow(ctx, "SELECT {v:String} FROM numbers(100000) ORDER BY number DESC LIMIT 1", chgo.Named("v", want)).Scan(&got)
				cancel()
				if err == nil && got != want {
					t.Errorf("asked for %s, got %s", want, got)
				}
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, chgo.ErrAcquireConnTimeout) {
					t.Errorf("%s: %v", want, err)
				}
			}
		}()
	}
	wg.Wait()
	for range 2 * defaultReaders {
		if n := count(t, d, "SELECT toUInt64(1)"); n != 1 {
			t.Fatal("the pool does not answer")
		}
	}
}

func TestExecutionSeconds(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]int{
		-time.Second: 1, 0: 1, time.Second: 1, time.Second + 1: 2, 9 * time.Second: 10,
		time.Hour: 3600, 48 * time.Hour: 3600,
	} {
		if got := executionSeconds(left); got != want {
			t.Errorf("%v left gives %d s, want %d", left, got, want)
		}
	}
}

// benchmarkTable is like the log: identifiers, low-cardinality names, a time, a
// document, and a materialised view that counts.
func benchmarkTable(b *testing.B) *Database {
	d := newDatabase(b)
	mustExec(b, d, `CREATE TABLE events (
			seq UInt64, id UUID DEFAULT generateUUIDv4(), name LowCardinality(String), profile UInt64,
			at DateTime64(3, 'UTC'), properties String
		) ENGINE = MergeTree ORDER BY (name, profile, at) SETTINGS non_replicated_deduplication_window = 1000`,
		`CREATE TABLE daily (name LowCardinality(String), day Date, n UInt64) ENGINE = SummingMergeTree ORDER BY (name, day)`,
		`CREATE MATERIALIZED VIEW to_daily TO daily AS SELECT name, toDate(at) AS day, count() AS n FROM events GROUP BY name, day`)
	return d
}

func insertEvents(ctx context.Context, d *Database, from, rows uint64) error {
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"insert_deduplication_token": fmt.Sprint(from)}))
	batch, err := d.Write.PrepareBatch(ctx, "INSERT INTO events (seq, name, profile, at, properties)")
	if err != nil {
		return err
	}
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	names := []string{"page", "product_viewed", "cart", "order_completed"}
	for n := from; n < from+rows; n++ {
		if err := batch.Append(n, names[n%4], n%1000, at.Add(time.Duration(n)*time.Millisecond), `{"price":12.5,"currency":"EUR","channel":"email"}`); err != nil {
			return err
		}
	}
	return batch.Send()
}

func BenchmarkInsert(b *testing.B) {
	for _, rows := range []uint64{500, 5000, 50_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			d := benchmarkTable(b)
			ctx, from := context.Background(), uint64(0)
			for b.Loop() {
				if err := insertEvents(ctx, d, from, rows); err != nil {
					b.Fatal(err)
				}
				from += rows
			}
			b.ReportMetric(float64(from)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	d := benchmarkTable(b)
	for from := uint64(0); from < 1_000_000; from += 100_000 {
		if err := insertEvents(context.Background(), d, from, 100_000); err != nil {
			b.Fatal(err)
		}
	}
	for name, query := range map[string]string{
		"one":    "SELECT toUInt64(1)",
		"lookup": "SELECT count() FROM events WHERE name = 'cart' AND profile = 42",
		"report": "SELECT uniqExact(profile) FROM events WHERE at >= '2026-11-22 00:05:00'",
	} {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					var n uint64
					if err := d.Read.QueryRow(context.Background(), query).Scan(&n); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
		})
	}
}
