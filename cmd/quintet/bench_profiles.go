package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"quintet/internal/client"
	"quintet/internal/load"
)

func newBenchProfilesCommand(profile *string) *cobra.Command {
	var people, events, reads int
	cmd := &cobra.Command{
		Use:   "profiles",
		Short: "Measure reads, memory and segments with many people and events",
		Args:  cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			if people < 1000 || events < people || reads < 100 {
				return errors.New("want at least 1000 people, an event for each and 100 reads")
			}
			ctx := cmd.Context()
			b, err := startBench(ctx, ctx.Value(settingsKey{}).(settings).cfg)
			if err != nil {
				return err
			}
			defer closing(b.stop, &err)
			before := heapInUse()
			if err := fillProfiles(ctx, b, people, events); err != nil {
				return err
			}
			after := heapInUse()
			stop, err := startProfile(*profile)
			if err != nil {
				return err
			}
			defer closing(stop, &err)
			fmt.Printf("heap after collection, per profile      %.0f bytes (of the whole service, beyond an empty one)\n", (float64(after)-float64(before))/float64(people))
			return measureProfiles(ctx, b, people, reads)
		}),
	}
	cmd.Flags().IntVar(&people, "people", 100_000, "people")
	cmd.Flags().IntVar(&events, "events", 2_000_000, "events of all people together")
	cmd.Flags().IntVar(&reads, "reads", 1000, "measured reads of each kind")
	return cmd
}

// heapInUse is the memory of the heap that is reachable, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func benchPerson(i int) string { return fmt.Sprintf("person-%07d", i) }

// fillProfiles sends one identify of each person and then events, spread evenly,
// in batches of 100 through the API.
func fillProfiles(ctx context.Context, b *benchService, people, events int) error {
	heading(fmt.Sprintf("profiles: %d people, %d events, %d processors", people, events, runtime.GOMAXPROCS(0)))
	const size = 100
	calls := (people + events + size - 1) / size
	started := time.Now()
	now := started.UTC()
	var next atomic.Int64
	errs := make(chan error, 16)
	for range cap(errs) {
		go func() {
			for {
				call := int(next.Add(1)) - 1
				if call >= calls {
					errs <- nil
					return
				}
				if err := b.client.Post(ctx, "/v1/batch", map[string]any{"batch": fillBatch(now, call*size, min(size, people+events-call*size), people)}, nil); err != nil {
					errs <- fmt.Errorf("sending batch %d: %w", call, err)
					return
				}
			}
		}()
	}
	var err error
	for range cap(errs) {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	if err := b.app.profiles.Flush(ctx); err != nil {
		return fmt.Errorf("waiting for the stores: %w", err)
	}
	took := time.Since(started)
	fmt.Printf("loaded and stored in                    %.1f s (%.0f messages/s)\n", took.Seconds(), float64(people+events)/took.Seconds())
	return nil
}

func fillBatch(now time.Time, first, count, people int) []client.Message {
	messages := make([]client.Message, count)
	for i := range messages {
		n := first + i
		person := n % people
		m := client.Message{MessageID: fmt.Sprintf("fill-%d", n), UserID: benchPerson(person)}
		// Spread over 60 days, the same for each run but for its beginning.
		at := now.Add(-time.Duration(n*7919%(60*24*3600)) * time.Second)
		m.Timestamp = &at
		if n < people {
			m.Type = "identify"
			m.Traits = map[string]any{"name": fmt.Sprintf("Person %d", person), "age": 18 + person%60, "city": []string{"London", "Berlin", "Paris", "Oslo"}[person%4], "plan": []string{"free", "silver", "gold"}[person%3]}
		} else {
			m.Type, m.Event = "track", []string{"Product Viewed", "Product Viewed", "Product Added", "Order Completed"}[n/people%4]
			m.Properties = map[string]any{"product_id": fmt.Sprintf("sku-%04d", n%2000), "price": 19.9, "revenue": float64(n % 200)}
		}
		messages[i] = m
	}
	return messages
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
		return get("/v1/profiles/" + url.PathEscape("userId:"+benchPerson(i*7919%people)))
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
	return measureReaction(ctx, b, row)
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
