package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"quintet/internal/client"
	"quintet/internal/load"
)

func newBenchIngestCommand(profile *string) *cobra.Command {
	var batch, connections, single, rounds int
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "ingest",
		Short: "Measure POST /v1/batch, durable, beside appends of the same bytes to the stream alone",
		Args:  cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			if batch < 1 || batch > 1000 || connections < 1 || single < 1 || rounds < 1 {
				return errors.New("want 1 to 1000 events in a batch, at least 1 connection and 1 round")
			}
			b, err := startBench(cmd.Context(), cmd.Context().Value(settingsKey{}).(settings).cfg)
			if err != nil {
				return err
			}
			defer closing(b.stop, &err)
			stop, err := startProfile(*profile)
			if err != nil {
				return err
			}
			defer closing(stop, &err)
			next := new(atomic.Uint64)
			if err := measureIngest(cmd.Context(), b, next, batch, connections, rounds, duration); err != nil {
				return err
			}
			fmt.Println()
			if err := measureSingles(cmd.Context(), b, next, single, rounds, duration); err != nil {
				return err
			}
			return checkStored(cmd.Context(), b)
		}),
	}
	cmd.Flags().IntVar(&batch, "batch", 100, "events in one call")
	cmd.Flags().IntVar(&connections, "connections", 16, "connections that send at the same time")
	cmd.Flags().IntVar(&single, "single-connections", 256, "connections that send single events at the same time")
	cmd.Flags().IntVar(&rounds, "rounds", 3, "rounds of baseline and service in turn")
	cmd.Flags().DurationVar(&duration, "duration", 5*time.Second, "length of one measurement")
	return cmd
}

func measureIngest(ctx context.Context, b *benchService, next *atomic.Uint64, size, connections, rounds int, duration time.Duration) error {
	topic, err := b.app.engines.Stream.Topic(ctx, "BENCH")
	if err != nil {
		return err
	}
	heading(fmt.Sprintf("ingest: batches of %d events, %d connections, %d processors", size, connections, runtime.GOMAXPROCS(0)))
	fmt.Printf("%-8s %18s %18s %10s %10s %18s %8s\n", "", "stream alone", "acknowledged", "p50", "p99", "stored as well", "ratio")
	var ratios, acknowledged []float64
	for i := range rounds {
		alone, err := streamAlone(ctx, size, connections, duration, next, func(ctx context.Context, data []byte) error {
			_, err := topic.Publish(ctx, data)
			return err
		})
		if err != nil {
			return fmt.Errorf("measuring the stream alone: %w", err)
		}
		if _, last, _, err := topic.State(ctx); err == nil {
			if err := topic.TrimTo(ctx, last+1); err != nil {
				return fmt.Errorf("emptying the baseline's topic: %w", err)
			}
		}
		started := time.Now()
		r, err := load.Run(ctx, load.Options{
			Address: b.address, Connections: connections, Duration: duration, Lean: true,
			Request: func(int, int) load.Request {
				return load.Post(b.address, "/v1/batch", b.key, ingestBody(size, next.Add(1)))
			},
		})
		if err != nil {
			return fmt.Errorf("measuring the service: %w", err)
		}
		if r.Failed > 0 {
			return fmt.Errorf("%d of %d batches were refused", r.Failed, r.Requests)
		}
		if err := b.app.profiles.Flush(ctx); err != nil {
			return fmt.Errorf("waiting for the stores: %w", err)
		}
		stored := float64(r.Requests*size) / time.Since(started).Seconds()
		events := r.PerSecond() * float64(size)
		ratios, acknowledged = append(ratios, events/alone), append(acknowledged, events)
		fmt.Printf("round %-2d %9.0f events/s %9.0f events/s %10s %10s %9.0f events/s %8.3f\n", i+1,
			alone, events, milliseconds(r.Percentile(0.5)), milliseconds(r.Percentile(0.99)), stored, ratios[i])
	}
	fmt.Printf("\nacknowledged events/s (median)          %.0f\nratio to the stream alone (median)      %.3f\n", median(acknowledged), median(ratios))
	return nil
}

// measureSingles sends one event a call, over many connections and over one. The
// baseline appends the same bytes to the stream, which gathers them as it does for
// the service.
func measureSingles(ctx context.Context, b *benchService, next *atomic.Uint64, connections, rounds int, duration time.Duration) error {
	topic, err := b.app.engines.Stream.Topic(ctx, "BENCH")
	if err != nil {
		return err
	}
	heading(fmt.Sprintf("ingest: single events, %d connections, %d processors", connections, runtime.GOMAXPROCS(0)))
	fmt.Printf("%-8s %18s %18s %10s %10s %18s %8s\n", "", "stream alone", "acknowledged", "p50", "p99", "stored as well", "ratio")
	var ratios, rates, slowest []float64
	for i := range rounds {
		alone, err := streamAlone(ctx, 1, connections, duration, next, func(ctx context.Context, data []byte) error {
			_, err := topic.Append(ctx, data)
			return err
		})
		if err != nil {
			return fmt.Errorf("measuring the stream alone: %w", err)
		}
		if _, last, _, err := topic.State(ctx); err == nil {
			if err := topic.TrimTo(ctx, last+1); err != nil {
				return fmt.Errorf("emptying the baseline's topic: %w", err)
			}
		}
		started := time.Now()
		r, err := singles(ctx, b, next, connections, duration)
		if err != nil {
			return err
		}
		if err := b.app.profiles.Flush(ctx); err != nil {
			return fmt.Errorf("waiting for the stores: %w", err)
		}
		stored := float64(r.Requests) / time.Since(started).Seconds()
		rates, ratios = append(rates, r.PerSecond()), append(ratios, r.PerSecond()/alone)
		slowest = append(slowest, float64(r.Percentile(0.99)))
		fmt.Printf("round %-2d %9.0f events/s %9.0f events/s %10s %10s %9.0f events/s %8.3f\n", i+1,
			alone, rates[i], milliseconds(r.Percentile(0.5)), milliseconds(r.Percentile(0.99)), stored, ratios[i])
	}
	one, err := singles(ctx, b, next, 1, duration)
	if err != nil {
		return err
	}
	fmt.Printf("\nsingle events/s (median)                %.0f (goal: at least 15000)\np99 (median)                            %s (goal: under 30 ms)\nratio to the stream alone (median)      %.3f\n",
		median(rates), milliseconds(time.Duration(median(slowest))), median(ratios))
	fmt.Printf("one connection, p50, p99                %s, %s (goal: p50 under 2 ms)\n", milliseconds(one.Percentile(0.5)), milliseconds(one.Percentile(0.99)))
	return nil
}

func singles(ctx context.Context, b *benchService, next *atomic.Uint64, connections int, duration time.Duration) (*load.Result, error) {
	r, err := load.Run(ctx, load.Options{
		Address: b.address, Connections: connections, Duration: duration, Lean: true,
		Request: func(int, int) load.Request {
			return load.Post(b.address, "/v1/batch", b.key, ingestBody(1, next.Add(1)))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("sending single events: %w", err)
	}
	if r.Failed > 0 {
		return nil, fmt.Errorf("%d of %d single events were refused", r.Failed, r.Requests)
	}
	return r, nil
}

// checkStored fails when ClickHouse holds an event twice.
func checkStored(ctx context.Context, b *benchService) error {
	var rows, distinct uint64
	if err := b.app.engines.ClickHouse.Read.QueryRow(ctx, "SELECT count(), uniqExact(message_id) FROM events").Scan(&rows, &distinct); err != nil {
		return fmt.Errorf("counting events: %w", err)
	}
	fmt.Printf("events in ClickHouse                    %d, distinct %d\n", rows, distinct)
	if rows != distinct {
		return fmt.Errorf("%d of %d events are stored more than once", rows-distinct, rows)
	}
	return nil
}

// streamAlone appends the same bytes with nothing around it.
func streamAlone(ctx context.Context, size, connections int, duration time.Duration, next *atomic.Uint64, publish func(context.Context, []byte) error) (eventsPerSecond float64, err error) {
	var events atomic.Uint64
	errs := make(chan error, connections)
	started := time.Now()
	for range connections {
		go func() {
			for time.Since(started) < duration {
				if err := publish(ctx, ingestBody(size, next.Add(1))); err != nil {
					errs <- err
					return
				}
				events.Add(uint64(size))
			}
			errs <- nil
		}()
	}
	for range connections {
		err = errors.Join(err, <-errs)
	}
	return float64(events.Load()) / time.Since(started).Seconds(), err
}

// ingestBody is a batch of events of ten thousand people, each event once.
func ingestBody(size int, number uint64) []byte {
	messages := make([]client.Message, size)
	now := time.Now().UTC()
	for i := range messages {
		person := (number*uint64(size) + uint64(i)) * 2654435761 % 10_000
		messages[i] = client.Message{
			Type: "track", MessageID: fmt.Sprintf("bench-%d-%d", number, i), UserID: fmt.Sprintf("person-%05d", person),
			Event: "Product Viewed", Timestamp: &now,
			Properties: map[string]any{"product_id": fmt.Sprintf("sku-%04d", person%2000), "price": 19.9, "category": "shoes", "position": i},
			Context:    map[string]any{"page": map[string]any{"path": "/products", "title": "Products"}, "locale": "en"},
		}
	}
	body, err := json.Marshal(map[string]any{"batch": messages})
	if err != nil {
		panic(err) // plain values
	}
	return body
}
