package predict

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestSpeed makes people with about seven events each, trains a model on them and scores
// everybody, from the log to the log, and prints each as a ratio to one scan of the events
// in the same run:
//
//	QUINTET_BENCH_ROWS=1000000 go test ./models/predict -run TestSpeed -v -timeout 60m
func TestSpeed(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("QUINTET_BENCH_ROWS"))
	if err != nil {
		t.Skip("set QUINTET_BENCH_ROWS to measure")
	}
	b := newBed(t)
	ctx := t.Context()
	// How lately people do things differs; three of ten events are orders.
	const part = 2_000_000
	for from := 0; from < 10*n; from += part {
		if err := b.clickhouse.Write.Exec(ctx, fmt.Sprintf(`INSERT INTO events (message_id, type, event, profile_id, timestamp, received_at, numbers, properties, context, source, sequence)
SELECT toString(number), 'track', if(number %% 10 IN (0, 3, 7), 'Order Completed', 'Product Viewed'), 'p' || leftPad(toString(intDiv(number, 10)), 8, '0') AS profile,
  fromUnixTimestamp64Milli(toInt64(%d - 200 * 86400000. * pow((cityHash64(number) %% 1000000 + 1) / 1000001., 0.5 + cityHash64(profile, 2) %% 4 / 2.)), 'UTC'), now64(3),
  map('revenue', toFloat64(10 + cityHash64(number, 1) %% 90)), '{}', '{}', 'test', number
FROM numbers(%d, %d) WHERE cityHash64(number, 5) %% 3 > 0`, now.UnixMilli(), from, min(part, 10*n-from))); err != nil {
			t.Fatal(err)
		}
	}
	scan := func() time.Duration {
		started := time.Now()
		var rows uint64
		var sum float64
		if err := b.clickhouse.Read.QueryRow(ctx, "SELECT count(), sum(numbers['revenue'] + length(profile_id)) FROM events FINAL").Scan(&rows, &sum); err != nil || rows < uint64(6*n) {
			t.Fatalf("%d rows: %v", rows, err)
		}
		return time.Since(started)
	}
	baseline := min(scan(), scan())
	t.Logf("one scan of about %d events takes %v", 20*n/3, baseline)
	spec := Spec{Family: Churn, MaxRows: max(n, 100)}
	spec.fill()
	started := time.Now()
	set, err := b.asOf(ctx, &spec, now, 0, share{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	selected := time.Since(started)
	attributes := make([]map[string]any, len(set.people))
	for i := range attributes {
		attributes[i] = map[string]any{"churnProbability": .1234, "churnProbabilityLow": .1, "churnProbabilityHigh": .2}
	}
	started = time.Now()
	if err := b.write(ctx, &Scoring{Model: "nothing", Version: 1, AsOf: now}, set.people, attributes, nil); err != nil {
		t.Fatal(err)
	}
	written := time.Since(started)
	t.Logf("%d people with their features are selected in %.1f s (%.0f scans), and as many scores written in %.1f s (%.0f scans)", len(set.people), selected.Seconds(), selected.Seconds()/baseline.Seconds(), written.Seconds(), written.Seconds()/baseline.Seconds())
	b.define("churn", Spec{Family: Churn, AutoPromote: true, MaxRows: max(n, 100)})
	b.define("value", Spec{Family: Lifetime, AutoPromote: true, MaxRows: max(n, 100)})
	for _, key := range []string{"churn", "value"} {
		v, err := b.Train(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s on %d people in %.1f s (%.0f scans): %s", key, v.Learner, v.Rows, v.Seconds, v.Seconds/baseline.Seconds(), v.Verdict)
		if v.State != Champion {
			if err := b.store.promote(ctx, key, v.Version); err != nil {
				t.Fatal(err)
			}
		}
		scoring, err := b.Score(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d people scored and written in %.1f s (%.0f scans)", key, scoring.People, scoring.Seconds, scoring.Seconds/baseline.Seconds())
	}
}
