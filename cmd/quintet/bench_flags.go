package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/spf13/cobra"

	"quintet/internal/load"
)

func newBenchFlagsCommand(profile *string) *cobra.Command {
	run := flagsRun{}
	cmd := &cobra.Command{
		Use:   "flags",
		Short: "Measure the evaluation of one flag, and of all, beside a bare handler that reads and writes the same JSON",
		Long: `Every flag has a rule with a condition and one with an experiment that splits. Each
user is evaluated many times, as pages and servers do, so that the exposures of the
first time are written before the measurement; --strangers measures users who are
evaluated for the first time, each with exposures to be made durable.`,
		Args: cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			if run.flags < 1 || run.flags > 2000 || run.users < 1 || run.connections < 1 || run.rounds < 1 {
				return errors.New("want 1 to 2000 flags, and at least 1 user, 1 connection and 1 round")
			}
			b, err := startBench(cmd.Context(), cmd.Context().Value(settingsKey{}).(settings).cfg)
			if err != nil {
				return err
			}
			defer closing(b.stop, &err)
			run.profile = *profile
			fmt.Printf("Preparing %d flags with an experiment each, and %d users …\n", run.flags, run.users)
			if err := prepareFlags(cmd.Context(), b, run.flags); err != nil {
				return err
			}
			return measureFlags(cmd.Context(), b, run)
		}),
	}
	cmd.Flags().IntVar(&run.flags, "flags", 100, "number of flags")
	cmd.Flags().IntVar(&run.users, "users", 512, "number of users")
	cmd.Flags().IntVar(&run.connections, "connections", 32, "connections that ask at the same time")
	cmd.Flags().IntVar(&run.rounds, "rounds", 5, "rounds of baseline and service in turn")
	cmd.Flags().DurationVar(&run.duration, "duration", 3*time.Second, "length of one measurement")
	cmd.Flags().BoolVar(&run.lean, "lean", true, "send prepared bytes instead of using Go's HTTP client, which leaves the whole machine to the server")
	cmd.Flags().BoolVar(&run.strangers, "strangers", false, "evaluate one flag for users who were never seen")
	return cmd
}

type flagsRun struct {
	flags, users, connections, rounds int
	duration                          time.Duration
	lean, strangers                   bool
	profile                           string
}

const (
	benchFlag = "bench-000"
	ofrepPath = "/ofrep/v1/evaluate/flags"
)

// prepareFlags defines flags with a condition and a split.
func prepareFlags(ctx context.Context, b *benchService, number int) error {
	if err := b.client.Put(ctx, "/v1/experiments/bench", map[string]any{
		"unit": "userId", "hash": "growthbook", "variants": []map[string]any{{"key": "a", "weight": 0.5, "control": true}, {"key": "b", "weight": 0.5}},
	}, nil); err != nil {
		return err
	}
	if err := b.client.Post(ctx, "/v1/experiments/bench/start", nil, nil); err != nil {
		return err
	}
	for i := range number {
		if err := b.client.Put(ctx, fmt.Sprintf("/v1/flags/bench-%03d", i), map[string]any{
			"type": "string", "default": "none", "rules": []map[string]any{
				{"key": "staff", "value": "new", "condition": map[string]any{"email": map[string]any{"$regex": "@example\\.com$"}}},
				{"key": "abroad", "value": "other", "condition": map[string]any{"country": map[string]any{"$in": []string{"fr", "it", "es"}}, "age": map[string]any{"$gte": 90}}},
				{"key": "test", "experiment": "bench", "values": map[string]any{"a": "old", "b": "new"}, "condition": map[string]any{"country": map[string]any{"$in": []string{"at", "de", "ch"}}}},
			},
		}, nil); err != nil {
			return err
		}
	}
	return nil
}

func flagBody(user int) []byte {
	rng := rand.New(rand.NewPCG(8, uint64(user)))
	body, err := json.Marshal(map[string]any{"context": map[string]any{
		"targetingKey": fmt.Sprintf("user-%08d", user), "country": []string{"at", "de", "ch", "fr"}[rng.IntN(4)], "age": float64(18 + rng.IntN(60)),
		"email": fmt.Sprintf("user%d@example.org", user), "plan": "pro",
	}})
	if err != nil {
		panic(err) // a plain map of strings and numbers
	}
	return body
}

func flagRequests(host, key, path string, first, users int) []load.Request {
	out := make([]load.Request, users)
	for i := range out {
		out[i] = load.Post(host, path, key, flagBody(first+i))
	}
	return out
}

func measureFlags(ctx context.Context, b *benchService, run flagsRun) error {
	one, all := ofrepPath+"/"+benchFlag, ofrepPath
	var single, bulk map[string]any
	for path, into := range map[string]*map[string]any{one: &single, all: &bulk} {
		if err := b.client.Post(ctx, path, json.RawMessage(flagBody(1)), into); err != nil {
			return fmt.Errorf("asking for a sample: %w", err)
		}
	}
	bare, err := startBareFlags(ctx, single, bulk)
	if err != nil {
		return err
	}
	defer bare.Close()
	var used time.Duration // of the processors, by the last measurement
	measure := func(address string, prepared []load.Request) (*load.Result, error) {
		before := processorTime()
		defer func() { used = processorTime() - before }()
		r, err := load.Run(ctx, load.Options{
			Address: address, Connections: run.connections, Duration: run.duration, Lean: run.lean,
			Request: func(c, n int) load.Request { return prepared[(c*7919+n)%len(prepared)] },
		})
		if err == nil && r.Failed > 0 {
			err = fmt.Errorf("%d of %d requests failed", r.Failed, r.Requests)
		}
		return r, err
	}
	for _, what := range []struct{ name, path string }{{"one flag", one}, {fmt.Sprintf("all %d flags", run.flags), all}} {
		baseline, own := flagRequests(bare.Addr().String(), b.key, what.path, 0, run.users), flagRequests(b.address, b.key, what.path, 0, run.users)
		// Everybody once, so that exposures are written, and both are warm.
		for _, warm := range []struct {
			address  string
			requests []load.Request
		}{{bare.Addr().String(), baseline}, {b.address, own}, {b.address, own}} {
			if _, err := measure(warm.address, warm.requests); err != nil {
				return fmt.Errorf("warming up: %w", err)
			}
		}
		heading(fmt.Sprintf("flags: %s, %d users, %d connections, %d processors", what.name, run.users, run.connections, runtime.GOMAXPROCS(0)))
		fmt.Printf("%-8s %14s %10s %10s %14s %10s %10s %8s\n", "", "bare handler", "p50", "p99", "quintet", "p50", "p99", "ratio")
		var ratios, rates, bareCost, ownCost []float64
		for i := range run.rounds {
			base, err := measure(bare.Addr().String(), baseline)
			if err != nil {
				return fmt.Errorf("measuring the bare handler: %w", err)
			}
			bareCost = append(bareCost, perRequest(used, base))
			stop, err := startProfile(profileOfLast(run.profile, i, run.rounds))
			if err != nil {
				return err
			}
			got, err := measure(b.address, own)
			if err := errors.Join(err, stop()); err != nil {
				return fmt.Errorf("measuring the service: %w", err)
			}
			ownCost = append(ownCost, perRequest(used, got))
			ratios, rates = append(ratios, got.PerSecond()/base.PerSecond()), append(rates, got.PerSecond())
			fmt.Printf("round %-2d %12.0f/s %10s %10s %12.0f/s %10s %10s %8.3f\n", i+1,
				base.PerSecond(), milliseconds(base.Percentile(0.5)), milliseconds(base.Percentile(0.99)),
				got.PerSecond(), milliseconds(got.Percentile(0.5)), milliseconds(got.Percentile(0.99)), ratios[i])
		}
		fmt.Printf("\nratio to the bare handler (median)      %.3f\nrequests/s (median)                     %.0f\n", median(ratios), median(rates))
		fmt.Printf("processor time per request (median)     %.1f µs, bare handler %.1f µs, the load's own included\n", median(ownCost), median(bareCost))
	}
	if !run.strangers {
		return nil
	}
	const many = 200_000
	r, err := measure(b.address, flagRequests(b.address, b.key, one, 1_000_000, many))
	if err != nil {
		return fmt.Errorf("measuring strangers: %w", err)
	}
	fmt.Printf("\none flag for users who were never seen  %.0f/s, p50 %s, p99 %s (of %d users, each exposure durable before the answer)\n",
		r.PerSecond(), milliseconds(r.Percentile(0.5)), milliseconds(r.Percentile(0.99)), min(r.Requests, many))
	return b.app.profiles.Flush(ctx)
}

// profileOfLast is the name of the profile in the last round, and none before.
func profileOfLast(name string, round, rounds int) string {
	if round < rounds-1 {
		return ""
	}
	return name
}

// startBareFlags serves the same JSON with nothing behind it.
func startBareFlags(ctx context.Context, single, bulk map[string]any) (net.Listener, error) {
	router := chi.NewRouter()
	answer := func(sample map[string]any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			var in struct {
				Context map[string]any `json:"context"`
			}
			if err := json.Unmarshal(body, &in); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			out, err := json.Marshal(sample)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", fmt.Sprint(len(out)))
			_, _ = w.Write(out) // the load generator counts what it gets
		}
	}
	router.Post(ofrepPath+"/{key}", answer(single))
	router.Post(ofrepPath, answer(bulk))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the bare handler: %w", err)
	}
	server := &http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends when the listener is closed
	return listener, nil
}
