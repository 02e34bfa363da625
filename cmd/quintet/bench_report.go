package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"quintet/experiments"
)

const (
	benchExperiment = "bench"
	// benchChunk is how many rows one insert makes.
	benchChunk = 5_000_000
	// benchGeneration is for how long rows are generated at most.
	benchGeneration = 10 * time.Minute
	// benchStart is when the generated experiment starts; it lasts four weeks.
	benchStart = "toDateTime64('2026-01-05 00:00:00', 3, 'UTC')"
)

func newBenchReportCommand(profile *string) *cobra.Command {
	var rows int64
	var each, rounds int
	var outcomes float64
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Measure the sums behind a report beside a scan of the same columns",
		Long: `Generates exposures with outcomes inside ClickHouse (as many of the rows asked for
as ten minutes make), then measures in turn a scan that does nothing but read the
columns of the log that the figures come from, and the statement that adds them up
for 1, 2, 4 and 8 metrics; at the end the report itself, with its series by day.`,
		Args: cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			if rows < 10_000 || each < 1 || rounds < 1 || !(outcomes >= 0 && outcomes <= 1) {
				return errors.New("want at least 10000 rows, 1 exposure for each person and 1 round, and a share of outcomes of 0 to 1")
			}
			ctx := cmd.Context()
			b, err := startBench(ctx, ctx.Value(settingsKey{}).(settings).cfg)
			if err != nil {
				return err
			}
			defer closing(b.stop, &err)
			made, err := generateExposures(ctx, b, rows, each, outcomes)
			if err != nil {
				return err
			}
			stop, err := startProfile(*profile)
			if err != nil {
				return err
			}
			defer closing(stop, &err)
			return measureReport(ctx, b, made, rounds)
		}),
	}
	cmd.Flags().Int64Var(&rows, "rows", 10_000_000, "rows of exposures")
	cmd.Flags().IntVar(&each, "per-person", 5, "exposures of a person, on average")
	cmd.Flags().Float64Var(&outcomes, "outcomes", 0.1, "outcomes for each exposure")
	cmd.Flags().IntVar(&rounds, "rounds", 5, "rounds of baseline and report in turn")
	return cmd
}

// generateExposures fills the log. Views for other readers of events are taken out
// first: they have no part in a report.
func generateExposures(ctx context.Context, b *benchService, rows int64, each int, outcomes float64) (int64, error) {
	db := b.app.engines.ClickHouse.Write
	for _, view := range []string{"event_exposures", "event_segment_membership", "event_message_ids", "event_timeline"} {
		if err := db.Exec(ctx, "DROP VIEW IF EXISTS "+view); err != nil {
			return 0, fmt.Errorf("preparing the log: %w", err)
		}
	}
	// An id as those of profiles are: 128 bits in base32.
	const unit = "lower(substring(base32Encode(reinterpretAsFixedString(sipHash128(toUInt64(person)))), 1, 26))"
	people := max(1, rows/int64(each))
	started := time.Now()
	var made int64
	for made < rows && time.Since(started) < benchGeneration {
		n := min(benchChunk, rows-made)
		if err := db.Exec(ctx, fmt.Sprintf(`INSERT INTO exposures (experiment, variant, unit, exposed_at, received_at, decision_id, source, sequence)
			SELECT '%s', if(cityHash64(person) %% 2 = 0, 'control', 'treatment'), %s,
				%s + toIntervalMillisecond(cityHash64(n, 1) %% (28 * 86400000)) AS at, at + toIntervalMillisecond(80), '', 'server', n
			FROM (SELECT number + %d AS n, cityHash64(n, 7) %% %d AS person FROM numbers(%d))`, benchExperiment, unit, benchStart, made, people, n)); err != nil {
			return 0, fmt.Errorf("generating exposures: %w", err)
		}
		if err := db.Exec(ctx, fmt.Sprintf(`INSERT INTO events (message_id, type, event, profile_id, timestamp, received_at, numbers, properties, traits, context, source, sequence, item)
			SELECT toString(n), 'track', 'Order Completed', %s,
				%s + toIntervalMillisecond(cityHash64(n, 2) %% (35 * 86400000)) AS at, at + toIntervalMillisecond(80),
				map('revenue', round(exp(3 + (cityHash64(n, 3) %% 1000) / 400), 2), 'margin', round(exp(2 + (cityHash64(n, 4) %% 1000) / 400), 2)), '{}', '{}', '{}', 'server', n, 0
			FROM (SELECT number + %d AS n, cityHash64(n, 9) %% %d AS person FROM numbers(%d))`, unit, benchStart, int64(float64(made)*outcomes), people, int64(float64(n)*outcomes))); err != nil {
			return 0, fmt.Errorf("generating outcomes: %w", err)
		}
		made += n
	}
	fmt.Printf("generated %d exposures of %d people and %d outcomes in %.0f s\n", made, people, int64(float64(made)*outcomes), time.Since(started).Seconds())
	return made, nil
}

// benchMetrics are what the report has: shares, sums, a count and a ratio.
func benchMetrics() []experiments.Metric {
	const hours = 14 * 24
	order := func(kind experiments.Kind, property string) experiments.Metric {
		return experiments.Metric{Kind: kind, Event: "Order Completed", Property: property, WindowHours: hours}
	}
	filtered := order(experiments.MeanKind, "margin")
	filtered.Filter = []experiments.PropertyCondition{{Property: "revenue", Operator: experiments.PropertyAbove, Value: 100.}}
	capped := order(experiments.MeanKind, "revenue")
	capped.Cap = &experiments.Cap{Value: 500}
	ratio := order(experiments.RatioKind, "margin")
	ratio.Denominator = "event:Order Completed"
	return []experiments.Metric{
		order(experiments.MeanKind, "revenue"), order(experiments.ProportionKind, ""), order(experiments.MeanKind, "margin"), order(experiments.CountKind, ""),
		ratio, capped, filtered, {Kind: experiments.RetentionKind, Event: "Order Completed", FromDays: 7, ToDays: 14},
	}
}

// cost is what a statement took: time, which depends on what else the machine does,
// and processor time, which hardly does. Merges in the background count in the latter.
type cost struct{ passed, processor time.Duration }

func measureReport(ctx context.Context, b *benchService, rows int64, rounds int) error {
	db := b.app.engines.ClickHouse.Read
	at := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	metrics := benchMetrics()
	timed := func(do func() error) (cost, error) {
		started, used := time.Now(), processorTime()
		err := do()
		return cost{time.Since(started), processorTime() - used}, err
	}
	// Every value is read and looked at by nobody.
	scan := func() error {
		var n uint64
		for _, sql := range []string{
			"SELECT count() FROM exposures WHERE experiment = '" + benchExperiment + "' AND NOT ignore(variant, unit, exposed_at, received_at)",
			"SELECT count() FROM events WHERE event = 'Order Completed' AND NOT ignore(profile_id, type, timestamp, received_at, numbers)",
		} {
			if err := db.QueryRow(ctx, sql).Scan(&n); err != nil {
				return fmt.Errorf("scanning the log: %w", err)
			}
		}
		return nil
	}
	sums := func(n int) func() error {
		return func() error {
			_, err := b.app.experiments.Sums(ctx, experiments.SumsRequest{Experiment: benchExperiment, Metrics: metrics[:n], At: at, AsOf: at})
			return err
		}
	}
	if err := tellParts(ctx, b); err != nil {
		return err
	}
	for _, settled := range []bool{false, true} {
		state := "as the rows came in"
		if settled {
			state = "after merges"
			for _, table := range []string{"first_exposures", "exposures", "events"} {
				if err := db.Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
					return fmt.Errorf("merging the parts of %s: %w", table, err)
				}
			}
		}
		heading(fmt.Sprintf("report: %d exposures, %s, %d processors", rows, state, runtime.GOMAXPROCS(0)))
		fmt.Printf("%-8s %12s %12s %12s %12s %12s %8s\n", "", "scan", "1 metric", "2 metrics", "4 metrics", "8 metrics", "ratio")
		counts := []int{1, 2, 4, 8}
		var ratios, added, work, addedWork []float64
		for i := range rounds {
			base, err := timed(scan)
			if err != nil {
				return err
			}
			line := fmt.Sprintf("round %-2d %10.0fms", i+1, float64(base.passed.Milliseconds()))
			var first, last cost
			for _, n := range counts {
				took, err := timed(sums(n))
				if err != nil {
					return err
				}
				if n == 1 {
					first = took
				}
				last = took
				line += fmt.Sprintf(" %10.0fms", float64(took.passed.Milliseconds()))
			}
			more := float64(counts[len(counts)-1] - 1)
			ratios = append(ratios, float64(first.passed)/float64(base.passed))
			work = append(work, float64(first.processor)/float64(base.processor))
			added = append(added, float64(last.passed-first.passed)/more/float64(base.passed))
			addedWork = append(addedWork, float64(last.processor-first.processor)/more/float64(base.processor))
			fmt.Printf("%s %8.2f\n", line, ratios[i])
		}
		fmt.Printf("\nratio to the scan, 1 metric (median)    %.2f of time (goal: at most 2), %.2f of processor time\neach metric more, in scans (median)     %.2f of time, %.2f of processor time\n\n",
			median(ratios), median(work), median(added), median(addedWork))
	}
	return measureWholeReport(ctx, b, metrics, at)
}

// measureWholeReport asks for the report as the console does.
func measureWholeReport(ctx context.Context, b *benchService, metrics []experiments.Metric, at time.Time) error {
	var keys []string
	for i, m := range metrics[:2] {
		key := fmt.Sprint("bench-", i)
		keys = append(keys, key)
		if err := b.client.Put(ctx, "/v1/metrics/"+key, m, nil); err != nil {
			return fmt.Errorf("defining a metric: %w", err)
		}
	}
	if err := b.client.Put(ctx, "/v1/experiments/"+benchExperiment, map[string]any{"metrics": keys, "variants": []map[string]any{
		{"key": "control", "weight": 0.5, "control": true}, {"key": "treatment", "weight": 0.5},
	}}, nil); err != nil {
		return fmt.Errorf("defining the experiment: %w", err)
	}
	started := time.Now()
	var report experiments.Report
	if err := b.client.Get(ctx, "/v1/experiments/"+benchExperiment+"/report?asOf="+url.QueryEscape(at.Format(time.RFC3339)), &report); err != nil {
		return fmt.Errorf("asking for the report: %w", err)
	}
	fmt.Printf("the whole report, 2 metrics, %2d statements, with the series by day: %.1f s\n", len(report.SQL), time.Since(started).Seconds())
	return nil
}

func tellParts(ctx context.Context, b *benchService) error {
	rows, err := b.app.engines.ClickHouse.Read.Query(ctx, `SELECT table, count(), sum(rows), sum(bytes_on_disk) FROM system.parts
		WHERE active AND database = currentDatabase() AND table IN ('exposures', 'first_exposures', 'events') GROUP BY table ORDER BY table`)
	if err != nil {
		return fmt.Errorf("listing parts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var parts, n, size uint64
		if err := rows.Scan(&table, &parts, &n, &size); err != nil {
			return fmt.Errorf("listing parts: %w", err)
		}
		fmt.Printf("%-16s %3d parts %11d rows %8.1f MB\n", table, parts, n, float64(size)/1e6)
	}
	return rows.Err()
}
