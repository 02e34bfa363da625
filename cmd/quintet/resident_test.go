package main

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/client"
	"quintet/internal/config"
	"quintet/internal/enginetest"
)

// resident is the service inside the test's own process, on databases of the
// test's own. ClickHouse is reached over HTTP, as one that is outside would be: an
// embedded one can be opened once in a process, and all tests share it.
type resident struct {
	t      testing.TB
	cfg    config.Config
	app    *app
	client *client.Client
	base   string
	key    string // may do everything
	end    func()
}

// residentConfig is a configuration for [openResident] to change.
func residentConfig(t testing.TB) config.Config {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.BindFlags(flags)
	cfg, err := config.LoadFrom(flags, func() []string { return nil })
	if err != nil {
		t.Fatal(err)
	}
	cfg.ClickHouseURL = clickHouseURL(t)
	cfg.PostgresURL = enginetest.PostgresURL(t)
	cfg.ClickHouseDatabase = "test_" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := enginetest.ClickHouseEngine(t).DropDatabase(ctx, cfg.ClickHouseDatabase); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	cfg.DataDir, cfg.ClickHouseListen = filepath.Join(t.TempDir(), "data"), ""
	cfg.DecideTimeout = 10 * time.Second // a busy machine is not what is tested
	return cfg
}

// clickHouseURL is the server that the tests were given, or the embedded engine
// behind its HTTP interface.
func clickHouseURL(t testing.TB) string {
	t.Helper()
	engine := enginetest.ClickHouseEngine(t) // skips where there is none
	if outside := os.Getenv("QUINTET_TEST_CLICKHOUSE_URL"); outside != "" {
		return outside
	}
	user := clickhouse.User{Name: "service", Password: rand.Text(), Databases: []string{"default"}}
	handler, err := engine.Handler([]clickhouse.User{user})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	u := url.URL{Scheme: "http", User: url.UserPassword(user.Name, user.Password), Host: listener.Addr().String(), Path: "/default"}
	return u.String()
}

// openResident starts the service; it is stopped when the test ends.
func openResident(t testing.TB, cfg config.Config) *resident {
	t.Helper()
	r := &resident{t: t, cfg: cfg}
	r.start()
	t.Cleanup(func() { r.end() })
	return r
}

func (r *resident) start() {
	r.t.Helper()
	ctx := context.Background()
	a, err := openApp(ctx, r.cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		r.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	running, err := a.announce(ctx, "http://"+listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.run(serving, listener) }()
	r.app, r.base, r.key = a, running.Address, running.Key
	if r.client, err = client.New(client.Options{BaseURL: r.base, Key: r.key}); err != nil {
		r.t.Fatal(err)
	}
	r.end = sync.OnceFunc(func() {
		r.client.Close()
		stop()
		if err := <-done; err != nil {
			r.t.Errorf("the service ended with: %v", err)
		}
	})
}

// restart stops the service as SIGTERM would and starts it on the same data.
func (r *resident) restart() {
	r.t.Helper()
	r.end()
	r.start()
}

// create puts definitions and fails the test when one is refused.
func create(t testing.TB, c *client.Client, definitions map[string]any) {
	t.Helper()
	// In the order in which one may refer to another.
	for _, kind := range []string{"channels", "offers", "metrics", "holdouts", "decision-points", "experiments"} {
		for path, body := range definitions {
			if strings.HasPrefix(path, kind+"/") {
				if err := c.Put(t.Context(), "/v1/"+path, body, nil); err != nil {
					t.Fatalf("creating %s: %v", path, err)
				}
			}
		}
	}
}

// hero is a decision point with what it refers to.
func hero() map[string]any {
	return map[string]any{
		"channels/onsite": map[string]any{"kind": "onsite", "active": true},
		"channels/email":  map[string]any{"kind": "email", "active": true, "requires": "email", "contactCost": 0.02},
		"offers/spring":   map[string]any{"kind": "discount", "active": true},
		"offers/summer":   map[string]any{"kind": "message", "active": true},
		"decision-points/hero": map[string]any{
			"class": "advertising", "offers": []string{"spring", "summer"}, "channels": []string{"onsite", "email"},
			"creatives": []map[string]any{{"key": "a"}, {"key": "b"}},
			"features": []map[string]any{
				{"name": "device", "source": "context", "kind": "categorical", "values": []string{"mobile", "desktop"}},
				{"name": "plan", "source": "profile", "kind": "categorical", "values": []string{"free", "paid"}},
			},
			"policy":        map[string]any{"type": "bandit", "exploration": 0.1},
			"objective":     map[string]any{"terms": []map[string]any{{"event": "Order Completed", "property": "margin", "weight": 1}}, "windowHours": 1},
			"defaultAction": "none",
		},
	}
}

// number asks ClickHouse for one number.
func (r *resident) number(query string) (n uint64) {
	r.t.Helper()
	if err := r.app.engines.ClickHouse.Read.QueryRow(r.t.Context(), query).Scan(&n); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// flush waits until the stores have all that was acknowledged.
func (r *resident) flush() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	if err := r.app.profiles.Flush(ctx); err != nil {
		r.t.Fatalf("waiting for events: %v", err)
	}
	if err := r.app.decide.Flush(ctx); err != nil {
		r.t.Fatalf("waiting for decisions: %v", err)
	}
	if err := r.app.lists.Flush(ctx); err != nil {
		r.t.Fatalf("waiting for lists: %v", err)
	}
}

// gauge reads a metric of the app by its labels' values.
func (r *resident) gauge(name, label string) float64 {
	r.t.Helper()
	return gathered(r.t, r.app.registry, name, label)
}

func gathered(t testing.TB, registry *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == label {
					return m.GetGauge().GetValue()
				}
			}
		}
	}
	t.Fatalf("there is no metric %s for %s", name, label)
	return 0
}

// newKey makes a key of the scopes.
func (r *resident) newKey(scopes ...api.Scope) (secret, id string) {
	r.t.Helper()
	secret, key, err := r.app.auth.CreateKey(r.t.Context(), "test", scopes, "test")
	if err != nil {
		r.t.Fatal(err)
	}
	return secret, key.ID
}

// eventually waits for something that happens by itself.
func eventually(t testing.TB, within time.Duration, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

// metric reads a metric from the text of /metrics, -1 where it is not there.
func metric(text, name, label string) float64 {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); strings.HasPrefix(line, name+"{") && strings.Contains(line, `"`+label+`"`) {
			if v, err := strconv.ParseFloat(fields[len(fields)-1], 64); err == nil {
				return v
			}
		}
	}
	return -1
}
