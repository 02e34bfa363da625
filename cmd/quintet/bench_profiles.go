package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"quintet/internal/client"
	"quintet/internal/load"
)

func newBenchProfilesCommand(profile *string) *cobra.Command {
	var people, events, decisions, reads int
	cmd := &cobra.Command{
		Use:   "profiles",
		Short: "Measure reads, memory and segments with many people and events",
		Args:  cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			if people < 1000 || events < people || decisions < 0 || reads < 100 {
				return errors.New("want at least 1000 people, an event for each and 100 reads")
			}
			ctx := cmd.Context()
			b, err := startBench(ctx, ctx.Value(settingsKey{}).(settings).cfg)
			if err != nil {
				return err
			}
			defer closing(b.stop, &err)
			empty := heapInUse()
			if err := fillProfiles(ctx, b, people, events); err != nil {
				return err
			}
			if err := fillDecisions(ctx, b, people, decisions); err != nil {
				return err
			}
			tellMemory("after loading", empty, people)
			took, err := b.restart(ctx)
			if err != nil {
				return err
			}
			fmt.Printf("restart until it is ready               %.1f s\n", took.Seconds())
			tellMemory("after a restart", empty, people)
			if err := errors.Join(awaitAttributes(ctx, b), awaitMerges(ctx, b)); err != nil {
				return err
			}
			stop, err := startProfile(*profile)
			if err != nil {
				return err
			}
			defer closing(stop, &err)
			return measureProfiles(ctx, b, people, reads)
		}),
	}
	cmd.Flags().IntVar(&people, "people", 100_000, "people")
	cmd.Flags().IntVar(&events, "events", 2_000_000, "events of all people together")
	cmd.Flags().IntVar(&decisions, "decisions", 100_000, "decisions of all people together")
	cmd.Flags().IntVar(&reads, "reads", 1000, "measured reads of each kind")
	return cmd
}

// awaitAttributes waits until everybody's attributes were computed once since the
// start. Later runs take a tenth of the time at most.
func awaitAttributes(ctx context.Context, b *benchService) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	started := time.Now()
	for b.app.attributes.Status() == nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for attributes to be computed: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	fmt.Printf("until attributes were computed          %.1f s\n", time.Since(started).Seconds())
	return nil
}

// awaitMerges waits until the parts that loading left were put together: by ClickHouse, and
// as the service itself does every few minutes.
func awaitMerges(ctx context.Context, b *benchService) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	started := time.Now()
	const needed = 8
	for idle := 0; idle < needed; {
		var merges uint64
		if err := b.app.engines.ClickHouse.Read.QueryRow(ctx, "SELECT count() FROM system.merges").Scan(&merges); err != nil {
			return fmt.Errorf("counting merges: %w", err)
		}
		idle++
		if merges > 0 {
			idle = 0
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for merges: %w", ctx.Err())
		case <-time.After(250 * time.Millisecond):
		}
	}
	if err := b.app.compactOnce(ctx); err != nil {
		return err
	}
	fmt.Printf("until parts were merged                 %.1f s\n", (time.Since(started) - needed*250*time.Millisecond).Seconds())
	return nil
}

func measureProfiles(ctx context.Context, b *benchService, people, reads int) error {
	row := func(what string, times []time.Duration, goal string) {
		slices.Sort(times)
		fmt.Printf("%-39s p50 %s, p99 %s%s\n", what, milliseconds(times[len(times)/2]), milliseconds(times[len(times)*99/100]), goal)
	}
	timed := func(n int, do func(i int) error) ([]time.Duration, error) {
		times := make([]time.Duration, n)
		for i := range times {
			started := time.Now()
			if err := do(i); err != nil {
				return nil, err
			}
			times[i] = time.Since(started)
		}
		return times, nil
	}
	get := func(path string) error { var out json.RawMessage; return b.client.Get(ctx, path, &out) }
	profile := func(i int) string { return "/v1/profiles/" + url.PathEscape("userId:"+benchPerson(i*7919%people)) }

	// A little ingest beside the reads, as a service has it in the day.
	var number atomic.Uint64
	ingesting := make(chan error, 1)
	const ingestRate = 10 // calls of 100 a second
	until, stopIngest := context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(time.Second / ingestRate)
		defer tick.Stop()
		for {
			select {
			case <-until.Done():
				ingesting <- nil
				return
			case <-tick.C:
			}
			request := load.Post(b.address, "/v1/batch", b.key, ingestBody(100, number.Add(1)))
			if _, err := load.Run(ctx, load.Options{Address: b.address, Connections: 1, Duration: time.Millisecond, Rate: 1, Lean: true, Request: func(int, int) load.Request { return request }}); err != nil {
				ingesting <- err
				return
			}
		}
	}()
	times, err := timed(reads, func(i int) error {
		return get(profile(i))
	})
	stopIngest()
	if err = errors.Join(err, <-ingesting); err != nil {
		return fmt.Errorf("reading profiles: %w", err)
	}
	row("a profile, beside 1000 events/s", times, " (goal: p99 under 10 ms)")
	for _, list := range []struct{ what, path string }{
		{"the latest 50 profiles", "/v1/profiles"},
		{"search by the beginning of an identifier", "/v1/profiles?query=person-00001"},
	} {
		if times, err = timed(20, func(int) error { return get(list.path) }); err != nil {
			return fmt.Errorf("listing profiles: %w", err)
		}
		row(list.what, times, "")
	}
	rule := json.RawMessage(`{"all":[{"trait":"age","op":"between","value":[25,34]},{"trait":"plan","op":"in","value":["gold","silver"]}]}`)
	if times, err = timed(20, func(int) error {
		var out json.RawMessage
		return b.client.Post(ctx, "/v1/segments/estimate", map[string]any{"rule": rule}, &out)
	}); err != nil {
		return fmt.Errorf("estimating a segment: %w", err)
	}
	row("estimate of a segment", times, " (goal: under a second)")
	if err := measureReaction(ctx, b, row); err != nil {
		return err
	}

	// Alone, in turn with an answer that reads no table of ClickHouse.
	bare, alone := make([]time.Duration, reads), make([]time.Duration, reads)
	var used time.Duration
	for i := range alone {
		started := time.Now()
		if err := get("/readyz"); err != nil {
			return fmt.Errorf("asking whether the service is ready: %w", err)
		}
		bare[i] = time.Since(started)
		started, before := time.Now(), processorTime()
		if err := get(profile(i)); err != nil {
			return fmt.Errorf("reading profiles: %w", err)
		}
		alone[i], used = time.Since(started), used+processorTime()-before
	}
	row("whether the service is ready", bare, "")
	row("a profile, alone", alone, "")
	fmt.Printf("%-39s %.2f ms\n", "processor time while one is read", used.Seconds()*1000/float64(reads))
	return nil
}

// measureReaction is the time from sending an event to the person being in a
// dynamic segment, as the API tells it.
func measureReaction(ctx context.Context, b *benchService, row func(string, []time.Duration, string)) error {
	if err := b.client.Do(ctx, http.MethodPut, "/v1/segments/bench-signalled", map[string]any{"rule": map[string]any{"event": "Bench Signal"}}, nil); err != nil {
		return fmt.Errorf("defining a segment: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var count struct {
		Members int  `json:"members"`
		Ready   bool `json:"ready"`
	}
	wait := func(done func() bool) error {
		for {
			if err := b.client.Get(ctx, "/v1/segments/bench-signalled/count", &count); err != nil {
				return fmt.Errorf("counting the segment: %w", err)
			}
			if done() {
				return nil
			}
			time.Sleep(time.Millisecond)
		}
	}
	if err := wait(func() bool { return count.Ready }); err != nil {
		return err
	}
	times := make([]time.Duration, 30)
	for i := range times {
		started := time.Now()
		message := client.Message{Type: "track", MessageID: fmt.Sprintf("signal-%d", i), UserID: benchPerson(i), Event: "Bench Signal"}
		if err := b.client.Post(ctx, "/v1/batch", map[string]any{"batch": []client.Message{message}}, nil); err != nil {
			return fmt.Errorf("sending an event: %w", err)
		}
		if err := wait(func() bool { return count.Members > i }); err != nil {
			return err
		}
		times[i] = time.Since(started)
	}
	row("event until the person is in a segment", times, " (goal: under a second)")
	return nil
}
