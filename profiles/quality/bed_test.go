package quality

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/stream"
	"quintet/profiles"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// keys are who may call: by the token, with everything or with personal data hidden.
type keys struct{}

func (keys) Authenticate(r *http.Request) (api.Principal, error) {
	p := api.Principal{ID: "k1", Name: "key", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin, api.ScopeRead, api.ScopeIngest}}
	if r != nil {
		switch r.Header.Get("Authorization") {
		case "Bearer masked":
			p.ID, p.Mask = "k2", api.NewMask([]api.MaskRule{{Field: "personal", Mode: api.MaskHide}})
		case "Bearer browser":
			p.ID, p.Scopes = "k3", []api.Scope{api.ScopeIngest}
		}
	}
	return p, nil
}

func (keys) Lookup(string) (api.Principal, error) { return keys{}.Authenticate(nil) }

func (keys) KeyIDs(string) []string { return nil }

func (keys) KeyName(id string) string { return map[string]string{"k1": "shop", "k3": "browser"}[id] }

type bed struct {
	t          testing.TB
	postgres   *pgxpool.Pool
	clickhouse *clickhouse.Database
	stream     *stream.Stream
	shift      atomic.Int64 // of the clock, nanoseconds
	token      string
	profiles   *profiles.Service
	service    *Service
	server     *httptest.Server
	stop       func()
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{t: t, token: "good", postgres: enginetest.Postgres(t), clickhouse: enginetest.ClickHouse(t), stream: enginetest.StreamWith(t, stream.Options{})}
	if err := postgres.Migrate(t.Context(), b.postgres, definitions.Migrations(), profiles.PostgresMigrations(), PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	// The table of exposures belongs to another package; its migrations are read as files.
	exposures := clickhouse.MigrationSet{Name: "experiments", Files: os.DirFS("../../experiments/migrations/clickhouse")}
	if err := b.clickhouse.Migrate(t.Context(), exposures, profiles.ClickHouseMigrations(), ClickHouseMigrations()); err != nil {
		t.Fatal(err)
	}
	b.open()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *bed) now() time.Time { return time.Now().Add(time.Duration(b.shift.Load())) }

// open starts the services on the bed's engines; calling it again is a restart.
func (b *bed) open() {
	b.t.Helper()
	if b.stop != nil {
		b.stop()
	}
	store, err := definitions.Open(b.t.Context(), b.postgres, enginetest.Logger(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	if b.profiles, err = profiles.Open(b.t.Context(), profiles.Deps{
		Postgres: b.postgres, ClickHouse: b.clickhouse, Stream: b.stream, Logger: enginetest.Logger(b.t), Registry: prometheus.NewRegistry(), Keys: keys{}, Definitions: store,
	}); err != nil {
		b.t.Fatal(err)
	}
	if b.service, err = Open(b.t.Context(), Deps{
		Logger: enginetest.Logger(b.t), Registry: prometheus.NewRegistry(), Definitions: store, Postgres: b.postgres, ClickHouse: b.clickhouse, Profiles: b.profiles,
		Sources: keys{}, Now: b.now,
	}); err != nil {
		b.t.Fatal(err)
	}
	srv := api.New(api.Options{Auth: keys{}, Logger: enginetest.Logger(b.t)})
	b.profiles.Routes(srv)
	b.service.Routes(srv)
	b.server = httptest.NewServer(srv.Router)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	ended := make(chan struct{})
	go func() { done <- b.profiles.Run(ctx) }()
	go func() { _ = b.service.Run(ctx); close(ended) }()
	b.stop = func() {
		b.server.Close()
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("running: %v", err)
		}
		<-ended
		b.stop = func() {}
	}
}

func (b *bed) call(method, path, body string) (int, map[string]any) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, bytes.NewBufferString(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	var out map[string]any
	if len(content) > 0 {
		if err := json.Unmarshal(content, &out); err != nil {
			b.t.Fatalf("%s %s answered %d %q", method, path, response.StatusCode, content)
		}
	}
	return response.StatusCode, out
}

// must calls and expects success.
func (b *bed) must(method, path, body string) map[string]any {
	b.t.Helper()
	status, out := b.call(method, path, body)
	if status >= 300 {
		b.t.Fatalf("%s %s answered %d %v", method, path, status, out)
	}
	return out
}

// track sends messages of a batch, each a JSON object.
func (b *bed) track(messages ...string) map[string]any {
	b.t.Helper()
	return b.must("POST", "/v1/batch", `{"batch":[`+strings.Join(messages, ",")+`]}`)
}

// flush waits until everything is stored.
func (b *bed) flush() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	if err := b.profiles.Flush(ctx); err != nil {
		b.t.Fatal(err)
	}
	if err := b.service.Flush(ctx); err != nil {
		b.t.Fatal(err)
	}
}

// number runs a query that yields one number.
func (b *bed) number(query string, arguments ...any) (n uint64) {
	b.t.Helper()
	if err := b.clickhouse.Read.QueryRow(b.t.Context(), query, arguments...).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// items are the items of a list.
func items(body map[string]any) (out []map[string]any) {
	for _, item := range body["items"].([]any) {
		out = append(out, item.(map[string]any))
	}
	return out
}
