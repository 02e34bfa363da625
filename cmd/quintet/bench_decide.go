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

	"quintet/decide"
	"quintet/internal/client"
	"quintet/internal/load"
)

const benchPoint = "bench"

// benchPeople is how many profiles the measured decisions are spread over.
const benchPeople = 2000

func newBenchDecideCommand(profile *string) *cobra.Command {
	var actions, features, connections, rounds int
	var duration time.Duration
	var lean, everything bool
	var trace string
	cmd := &cobra.Command{
		Use:   "decide",
		Short: "Measure POST /v1/decide beside a bare handler that reads and writes the same JSON",
		Args:  cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			if actions < 2 || actions > 1000 || features < 8 || features > 1000 || connections < 1 || rounds < 1 {
				return errors.New("want 2 to 1000 actions, 8 to 1000 features, at least 1 connection and 1 round")
			}
			b, err := startBench(cmd.Context(), cmd.Context().Value(settingsKey{}).(settings).cfg)
			if err != nil {
				return err
			}
			defer closing(b.stop, &err)
			fmt.Printf("Preparing %d actions x %d features, %d people and a trained model …\n", actions, features, benchPeople)
			if err := prepareDecide(cmd.Context(), b, actions, features); err != nil {
				return err
			}
			if everything {
				if err := constrain(cmd.Context(), b); err != nil {
					return err
				}
			}
			return measureDecide(cmd.Context(), b, decideRun{actions, features, connections, rounds, duration, lean, *profile, trace})
		}),
	}
	cmd.Flags().IntVar(&actions, "actions", 50, "number of actions")
	cmd.Flags().BoolVar(&everything, "everything", false, "decide under an audience of ten conditions, three caps, quiet hours, a paced budget and an experiment as well")
	cmd.Flags().IntVar(&features, "features", 64, "number of features")
	cmd.Flags().BoolVar(&lean, "lean", false, "send prepared bytes instead of using Go's HTTP client, which leaves the whole machine to the server")
	cmd.Flags().StringVar(&trace, "trace", "", "write a trace for \"go tool trace\" of what led to the first answer at half of the rate that took over 10 ms to this file, and list such answers")
	cmd.Flags().IntVar(&connections, "connections", 32, "connections that ask at the same time")
	cmd.Flags().IntVar(&rounds, "rounds", 5, "rounds of baseline and service in turn")
	cmd.Flags().DurationVar(&duration, "duration", 3*time.Second, "length of one measurement")
	return cmd
}

type decideRun struct {
	actions, features, connections, rounds int
	duration                               time.Duration
	lean                                   bool
	profile, trace                         string
}

func measureDecide(ctx context.Context, b *benchService, run decideRun) error {
	requests := decideRequests(b.address, b.key, "/v1/decide")
	// One answer of the service is what the bare handler gives.
	var sample decide.Response
	if err := b.client.Post(ctx, "/v1/decide", decideBody(7), &sample); err != nil {
		return fmt.Errorf("asking for a sample: %w", err)
	}
	if sample.Policy.Model == 0 || sample.Fallback {
		return fmt.Errorf("the sample was not decided by a model: %+v", sample)
	}
	bare, err := startBare(ctx, &sample)
	if err != nil {
		return err
	}
	defer bare.Close()
	bareAddress := bare.Addr().String()
	bareRequests := decideRequests(bareAddress, b.key, "/v1/decide")
	var used time.Duration // of the processors, by the last measurement
	var took func(time.Time, time.Duration)
	measure := func(address string, prepared []load.Request, duration time.Duration, rate float64) (*load.Result, error) {
		before := processorTime()
		defer func() { used = processorTime() - before }()
		r, err := load.Run(ctx, load.Options{
			Address: address, Connections: run.connections, Duration: duration, Rate: rate, Lean: run.lean,
			Request: func(c, n int) load.Request { return prepared[(c*7919+n)%len(prepared)] },
			Took:    took,
		})
		if err == nil && r.Failed > 0 {
			err = fmt.Errorf("%d of %d requests failed", r.Failed, r.Requests)
		}
		return r, err
	}
	for _, warm := range []struct {
		address  string
		requests []load.Request
	}{{bareAddress, bareRequests}, {b.address, requests}} {
		if _, err := measure(warm.address, warm.requests, time.Second, 0); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
	}
	heading(fmt.Sprintf("decide: %d actions x %d features, %d connections, %d processors", run.actions, run.features, run.connections, runtime.GOMAXPROCS(0)))
	fmt.Printf("%-8s %14s %10s %10s %14s %10s %10s %8s\n", "", "bare handler", "p50", "p99", "quintet", "p50", "p99", "ratio")
	var ratios, rates, bareCost, ownCost []float64
	profiled := 0
	for i := range run.rounds {
		base, err := measure(bareAddress, bareRequests, run.duration, 0)
		if err != nil {
			return fmt.Errorf("measuring the bare handler: %w", err)
		}
		bareCost = append(bareCost, perRequest(used, base))
		profile := ""
		if i == run.rounds-1 {
			profile = run.profile
		}
		stop, err := startProfile(profile)
		if err != nil {
			return err
		}
		before := processorTime()
		own, err := measure(b.address, requests, run.duration, 0)
		if err != nil {
			return fmt.Errorf("measuring the service: %w", err)
		}
		// What is left to store is a cost of these decisions, and must not slow the
		// bare handler.
		if err := b.app.decide.Flush(ctx); err != nil {
			return fmt.Errorf("storing what was decided: %w", err)
		}
		ownCost = append(ownCost, perRequest(processorTime()-before, own))
		if err := stop(); err != nil {
			return fmt.Errorf("writing the profile: %w", err)
		}
		profiled = own.Requests
		ratios, rates = append(ratios, own.PerSecond()/base.PerSecond()), append(rates, own.PerSecond())
		fmt.Printf("round %-2d %12.0f/s %10s %10s %12.0f/s %10s %10s %8.3f\n", i+1,
			base.PerSecond(), milliseconds(base.Percentile(0.5)), milliseconds(base.Percentile(0.99)),
			own.PerSecond(), milliseconds(own.Percentile(0.5)), milliseconds(own.Percentile(0.99)), ratios[i])
	}
	half := median(rates) / 2
	stalls, err := watchStalls(run.trace)
	if err != nil {
		return err
	}
	took = stalls.took
	paced, err := measure(b.address, requests, 2*run.duration, half)
	if err := stalls.report(); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("measuring at half of the rate: %w", err)
	}
	fmt.Printf("\nratio to the bare handler (median)      %.3f\nrequests/s (median)                     %.0f\n", median(ratios), median(rates))
	fmt.Printf("processor time per request (median)     %.0f µs, bare handler %.0f µs, the load's own included\n", median(ownCost), median(bareCost))
	if run.profile != "" {
		fmt.Printf("requests in the profile                 %d\n", profiled)
	}
	fmt.Printf("at half of that rate, %8.0f/s        p50 %s, p99 %s\n", half, milliseconds(paced.Percentile(0.5)), milliseconds(paced.Percentile(0.99)))
	return b.app.decide.Flush(ctx)
}

// perRequest is processor time in microseconds.
func perRequest(used time.Duration, r *load.Result) float64 {
	return float64(used) / float64(time.Microsecond) / float64(max(1, r.Requests))
}

// startBare serves the same JSON with nothing behind it: read the request, write
// an answer.
func startBare(ctx context.Context, sample *decide.Response) (net.Listener, error) {
	router := chi.NewRouter()
	router.Post("/v1/decide", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var req decide.Request
		if err := json.Unmarshal(body, &req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer := *sample
		answer.Decision = req.Decision
		out, err := json.Marshal(&answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out) // the load generator counts what it gets
	})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the bare handler: %w", err)
	}
	server := &http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends when the listener is closed
	return listener, nil
}

func decideBody(person int) map[string]any {
	rng := rand.New(rand.NewPCG(5, uint64(person)))
	return map[string]any{
		"decision": benchPoint, "user": map[string]any{"userId": fmt.Sprintf("bench-%05d", person%benchPeople)},
		"context": map[string]any{"device": []string{"mobile", "desktop"}[rng.IntN(2)], "hour": float64(rng.IntN(24)), "page": "home"},
	}
}

func decideRequests(host, key, path string) []load.Request {
	out := make([]load.Request, 512)
	for i := range out {
		body, err := json.Marshal(decideBody(i))
		if err != nil {
			panic(err) // plain maps of strings and numbers
		}
		out[i] = load.Post(host, path, key, body)
	}
	return out
}

// prepareDecide defines a decision point, people and outcomes, and waits until a
// model is learned from them.
func prepareDecide(ctx context.Context, b *benchService, actions, features int) error {
	offers := (actions + 4) / 5
	channels := []string{"onsite", "email", "push", "sms", "app"}
	var offerKeys []string
	for _, c := range channels {
		if err := b.client.Put(ctx, "/v1/channels/"+c, map[string]any{"kind": c, "contactCost": 0.01, "active": true}, nil); err != nil {
			return err
		}
	}
	for i := range offers {
		key := fmt.Sprintf("offer-%03d", i)
		offerKeys = append(offerKeys, key)
		if err := b.client.Put(ctx, "/v1/offers/"+key, map[string]any{"kind": "message", "active": true}, nil); err != nil {
			return err
		}
	}
	var none any // the point's own default: none is one of the actions
	if offers*len(channels) == actions {
		none = false
	}
	if err := b.client.Put(ctx, "/v1/decision-points/"+benchPoint, map[string]any{
		"class": "service", "offers": offerKeys, "channels": channels, "features": benchFeatures(features), "noneAction": none,
		"policy":    map[string]any{"type": "bandit"},
		"objective": map[string]any{"terms": []map[string]any{{"event": "Clicked"}}, "windowHours": 1},
	}, nil); err != nil {
		return err
	}
	var people []client.Message
	for i := range benchPeople {
		rng := rand.New(rand.NewPCG(6, uint64(i)))
		traits := map[string]any{}
		for f := range 7 {
			traits[fmt.Sprintf("segment%d", f)] = fmt.Sprintf("v%d", rng.IntN(6))
		}
		people = append(people, client.Message{Type: "identify", UserID: fmt.Sprintf("bench-%05d", i), Traits: traits})
	}
	for i := 0; i < len(people); i += 1000 {
		if _, err := b.client.Batch(ctx, people[i:min(i+1000, len(people))]); err != nil {
			return err
		}
	}
	if err := b.app.profiles.Flush(ctx); err != nil {
		return err
	}
	return teach(ctx, b)
}

// teach makes decisions, answers some of them with a click and waits for a model.
func teach(ctx context.Context, b *benchService) error {
	var clicks []client.Message
	for i := range 3000 {
		var d decide.Response
		if err := b.client.Post(ctx, "/v1/decide", decideBody(i), &d); err != nil {
			return err
		}
		if d.What != nil && (len(d.What.Offer)+i)%7 == 0 {
			clicks = append(clicks, client.Message{
				Type: "track", Event: "Clicked", UserID: fmt.Sprintf("bench-%05d", i%benchPeople), Properties: map[string]any{"decisionId": d.DecisionID},
			})
		}
	}
	if _, err := b.client.Batch(ctx, clicks); err != nil {
		return err
	}
	if err := errors.Join(b.app.profiles.Flush(ctx), b.app.decide.Flush(ctx)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for b.app.models.Current(benchPoint) == nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for a model: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// constrain adds to the measured decision point what decisions can be held to. The caps
// are wide enough to be counted all the time and to leave all actions for most people.
func constrain(ctx context.Context, b *benchService) error {
	now := time.Now().UTC()
	for path, body := range map[string]any{
		"/v1/caps/bench-hours":        map[string]any{"limit": 100, "hours": 24, "class": "all"},
		"/v1/caps/bench-week":         map[string]any{"limit": 300, "calendar": "week", "class": "all"},
		"/v1/caps/bench-messages":     map[string]any{"limit": 50, "hours": 24, "class": "all", "channels": []string{"email", "sms"}},
		"/v1/quiet-hours/bench-night": map[string]any{"from": "21:00", "to": "09:00", "channels": []string{"email", "push", "sms"}, "service": true},
		"/v1/budgets/bench-money":     map[string]any{"unit": "money", "limit": 1e9, "startsAt": now, "endsAt": now.AddDate(0, 1, 0), "paced": true, "channels": []string{"sms"}},
		"/v1/experiments/bench-trial": map[string]any{
			"decisionPoint": benchPoint,
			"variants":      []map[string]any{{"key": "control", "weight": 0.01, "control": true}, {"key": "treatment", "weight": 0.99}},
		},
	} {
		if err := b.client.Put(ctx, path, body, nil); err != nil {
			return fmt.Errorf("defining %s: %w", path, err)
		}
	}
	if err := b.client.Post(ctx, "/v1/experiments/bench-trial/start", nil, nil); err != nil {
		return fmt.Errorf("starting the experiment: %w", err)
	}
	var point map[string]any
	if err := b.client.Get(ctx, "/v1/decision-points/"+benchPoint, &point); err != nil {
		return err
	}
	audience := map[string]any{"context.hour": map[string]any{"$gte": 0, "$lt": 24}, "context.page": "home", "context.device": map[string]any{"$in": []string{"mobile", "desktop"}}}
	for f := range 7 {
		audience[fmt.Sprintf("segment%d", f)] = map[string]any{"$regex": "^v[0-5]$"}
	}
	point["audience"] = audience
	for _, name := range []string{"key", "version", "createdAt", "updatedAt", "updatedBy", "createdBy", "$schema"} {
		delete(point, name)
	}
	return b.client.Put(ctx, "/v1/decision-points/"+benchPoint, point, nil)
}

// benchFeatures declares as many features as asked for: seven traits of six
// values each, the device, and buckets of the hour for the rest.
func benchFeatures(n int) []map[string]any {
	var out []map[string]any
	left := n - 1 // the intercept
	values := []string{"v0", "v1", "v2", "v3", "v4", "v5"}
	for f := 0; f < 7 && left >= len(values)+2+3; f++ {
		out = append(out, map[string]any{"name": fmt.Sprintf("segment%d", f), "source": "profile", "kind": "categorical", "values": values})
		left -= len(values) + 2
	}
	if left > 4+3 {
		out = append(out, map[string]any{"name": "device", "source": "context", "kind": "categorical", "values": []string{"mobile", "desktop"}})
		left -= 4
	}
	edges := make([]float64, left-2)
	for i := range edges {
		edges[i] = 24 * float64(i+1) / float64(len(edges)+1)
	}
	return append(out, map[string]any{"name": "hour", "source": "context", "kind": "numeric", "edges": edges})
}
