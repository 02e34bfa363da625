package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"quintet/internal/client"
	"quintet/internal/load"
	"quintet/recommend/generated"
	"quintet/recommend/interactions"
)

// The shop whose lists are served: people, items and interactions as many as MovieLens
// 100K has.
const (
	servedPeople       = 943
	servedItems        = 1682
	servedInteractions = 100_000
	servedPlacement    = "bench-home"
)

// recommendList is as much of an answer as is looked at.
type recommendList struct {
	Personal bool `json:"personal"`
	Items    []struct {
		Reason string `json:"reason"`
	} `json:"items"`
}

// learned says whether the list comes from a personal recommender.
func (l *recommendList) learned() bool {
	for _, item := range l.Items {
		if item.Reason == "for-you" {
			return true
		}
	}
	return false
}

// servedShop is what is imported before lists are measured.
type servedShop struct {
	name   string
	people []string
	items  []string
	events []servedEvent
}

type servedEvent struct {
	person, item int32
	at           time.Time
	bought       bool
}

// generatedShop has the skew of real interactions.
func generatedShop() (*servedShop, error) {
	m, err := generated.Matrix(generated.Settings{People: servedPeople, Items: servedItems, Interactions: servedInteractions, Seed: 1})
	if err != nil {
		return nil, err
	}
	s := &servedShop{name: "generated"}
	for i := range servedPeople {
		s.people = append(s.people, fmt.Sprintf("person-%d", i))
	}
	for i := range servedItems {
		s.items = append(s.items, fmt.Sprintf("item-%d", i))
	}
	begin := time.Now().Add(-60 * 24 * time.Hour)
	for person := range m.Rows() {
		items, _ := m.Row(person)
		for n, item := range items {
			// Spread over the time, so that what came last can judge the rest.
			at := begin.Add(time.Duration((uint64(person)*7919+uint64(n)*104729+uint64(item)*31)%(59*24*3600)) * time.Second)
			s.events = append(s.events, servedEvent{int32(person), item, at, n%10 == 9})
		}
	}
	return s, nil
}

// movielensShop is the ratings of a file of MovieLens (u.data), moved in time so that the
// last of them is now.
func movielensShop(file string) (*servedShop, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("opening the ratings: %w", err)
	}
	defer in.Close()
	var b interactions.Builder
	if _, err := interactions.Read(in, interactions.MovieLens(), &b, nil); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	l := b.Build()
	s := &servedShop{name: file}
	for _, id := range l.People().IDs() {
		s.people = append(s.people, "person-"+id)
	}
	for _, id := range l.Items().IDs() {
		s.items = append(s.items, "item-"+id)
	}
	_, last := l.Span()
	now := time.Now()
	for p := range l.People().Len() {
		for n, e := range l.Events(p) {
			s.events = append(s.events, servedEvent{int32(p), e.Item, now.Add(time.Duration(e.At-last) * time.Second), n%10 == 9})
		}
	}
	if len(s.people) < 8 {
		return nil, fmt.Errorf("%s has %d people, too few to measure with", file, len(s.people))
	}
	return s, nil
}

// measureServing imports a shop through the API, takes the time until a list is
// personal, and measures lists beside a bare handler that writes the same bytes.
func measureServing(ctx context.Context, b *benchService, run recommendRun) error {
	shop, err := generatedShop()
	if run.movielens != "" {
		shop, err = movielensShop(run.movielens)
	}
	if err != nil {
		return err
	}
	heading(fmt.Sprintf("Serving: %d interactions of %d people with %d items (%s)", len(shop.events), len(shop.people), len(shop.items), shop.name))
	if err := putServedItems(ctx, b.client, shop.items); err != nil {
		return err
	}
	started := time.Now()
	if err := sendInteractions(ctx, b.client, shop); err != nil {
		return err
	}
	imported := time.Now()
	var list recommendList
	for !list.learned() {
		if err := b.client.Get(ctx, "/v1/recommendations?user="+shop.people[7], &list); err != nil {
			return err
		}
		if time.Since(imported) > 2*time.Minute {
			return errors.New("no list was personal within two minutes of the import")
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Printf("import %.1f s; first list of the personal recommender %.2f s after it\n", imported.Sub(started).Seconds(), time.Since(imported).Seconds())
	// From here on a build of all that was imported.
	var state struct {
		Version *struct {
			Report struct {
				Events   int     `json:"events"`
				Seconds  float64 `json:"seconds"`
				Personal string  `json:"personal"`
			} `json:"report"`
		} `json:"version"`
	}
	for state.Version == nil || state.Version.Report.Events < len(shop.events) {
		if err := b.client.Get(ctx, "/v1/recommenders", &state); err != nil {
			return err
		}
		if time.Since(imported) > 5*time.Minute {
			return errors.New("what was imported was not learned from within five minutes")
		}
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Printf("build of everything in use %.1f s after the import, built in %.2f s (%s)\n\n", time.Since(imported).Seconds(), state.Version.Report.Seconds, state.Version.Report.Personal)
	return measureLists(ctx, b, run, shop.people)
}

func putServedItems(ctx context.Context, c *client.Client, ids []string) error {
	items := make([]map[string]any, len(ids))
	for i := range items {
		items[i] = map[string]any{"key": ids[i], "name": fmt.Sprintf("Item %d", i), "category": fmt.Sprintf("shop/category-%d", i%30),
			"price": 10 + i%90, "cost": 5 + i%40, "stock": 100, "attributes": map[string]any{"brand": fmt.Sprintf("brand-%d", i%50)}}
	}
	for len(items) > 0 {
		n := min(len(items), 500)
		if err := c.Put(ctx, "/v1/items", map[string]any{"items": items[:n]}, nil); err != nil {
			return err
		}
		items = items[n:]
	}
	return c.Put(ctx, "/v1/placements/"+servedPlacement, map[string]any{
		"kind": "home", "goal": "margin", "except": []string{"shop/category-3"}, "maxPrice": 90, "pin": []string{ids[11%len(ids)]},
		"boost": []map[string]any{{"category": "shop/category-5", "factor": 1.5}}, "diversity": 0.2, "perSupplier": 3, "exploration": 0.05,
	}, nil)
}

// sendInteractions sends every interaction as an event: views, and every tenth a purchase.
func sendInteractions(ctx context.Context, c *client.Client, shop *servedShop) error {
	const size, senders = 1000, 8
	batches := make(chan []client.Message)
	var wg sync.WaitGroup
	errs := make([]error, senders)
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	for i := range senders {
		wg.Go(func() {
			for batch := range batches {
				if _, err := c.Batch(sending, batch); err != nil && errs[i] == nil {
					errs[i] = err
					cancel()
				}
			}
		})
	}
	var batch []client.Message
	for _, e := range shop.events {
		name, properties := "Product Viewed", map[string]any{"product_id": shop.items[e.item]}
		if e.bought {
			name = "Order Completed"
		}
		batch = append(batch, client.Message{Type: "track", UserID: shop.people[e.person], Event: name, Timestamp: &e.at, Properties: properties})
		if len(batch) == size {
			batches <- batch
			batch = nil
		}
	}
	if len(batch) > 0 {
		batches <- batch
	}
	close(batches)
	wg.Wait()
	return errors.Join(errs...)
}

func measureLists(ctx context.Context, b *benchService, run recommendRun, people []string) error {
	path := func(person int) string {
		return fmt.Sprintf("/v1/recommendations?user=%s&placement=%s&limit=10", people[person], servedPlacement)
	}
	var sample json.RawMessage
	if err := b.client.Get(ctx, path(7), &sample); err != nil {
		return err
	}
	bare, err := startBareList(ctx, sample)
	if err != nil {
		return err
	}
	defer bare.Close()
	requests := func(host string) []load.Request {
		out := make([]load.Request, len(people))
		for i := range out {
			out[i] = load.Get(host, path(i), b.key)
		}
		return out
	}
	measure := func(host string, prepared []load.Request) (*load.Result, error) {
		r, err := load.Run(ctx, load.Options{Address: host, Connections: run.connections, Duration: run.duration, Lean: true,
			Request: func(c, n int) load.Request { return prepared[(c*7919+n)%len(prepared)] }})
		if err == nil && r.Failed > 0 {
			err = fmt.Errorf("%d of %d requests failed", r.Failed, r.Requests)
		}
		return r, err
	}
	baseline, own := requests(bare.Addr().String()), requests(b.address)
	if _, err := measure(b.address, own); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	fmt.Printf("lists of 10 for %d people, with key, rules, diversity, margin and exploration; %d connections, %d processors, %d bytes\n", len(people), run.connections, runtime.GOMAXPROCS(0), len(sample))
	fmt.Printf("%-8s %14s %10s %10s %14s %10s %10s %8s\n", "", "bare handler", "p50", "p99", "quintet", "p50", "p99", "ratio")
	var ratios, rates []float64
	const rounds = 3
	for i := range rounds {
		base, err := measure(bare.Addr().String(), baseline)
		if err != nil {
			return fmt.Errorf("measuring the bare handler: %w", err)
		}
		stop, err := startProfile(profileOfLast(run.profile, i, rounds))
		if err != nil {
			return err
		}
		got, err := measure(b.address, own)
		if err := errors.Join(err, stop()); err != nil {
			return fmt.Errorf("measuring the service: %w", err)
		}
		ratios, rates = append(ratios, got.PerSecond()/base.PerSecond()), append(rates, got.PerSecond())
		fmt.Printf("round %-2d %12.0f/s %10s %10s %12.0f/s %10s %10s %8.3f\n", i+1,
			base.PerSecond(), milliseconds(base.Percentile(0.5)), milliseconds(base.Percentile(0.99)),
			got.PerSecond(), milliseconds(got.Percentile(0.5)), milliseconds(got.Percentile(0.99)), ratios[i])
	}
	fmt.Printf("\nratio to the bare handler (median)  %.3f\nlists/s (median)                    %.0f\n\n", median(ratios), median(rates))
	return nil
}

// startBareList serves the same bytes with nothing behind it.
func startBareList(ctx context.Context, sample []byte) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the bare handler: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.URL.Query() // as much as anything that reads its parameters does
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(sample)))
		_, _ = w.Write(sample) // the load generator counts what it gets
	})}
	go func() { _ = server.Serve(listener) }() // ends when the listener is closed
	return listener, nil
}
