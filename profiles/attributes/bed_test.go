package attributes

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
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
	"quintet/profiles/identity"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// everybody may do everything.
type everybody struct{}

func (everybody) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "k1", Name: "key", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin, api.ScopeRead, api.ScopeIngest}}, nil
}

func (everybody) Lookup(string) (api.Principal, error) { return everybody{}.Authenticate(nil) }

// bed is a service on engines of its own.
type bed struct {
	t          testing.TB
	postgres   *pgxpool.Pool
	clickhouse *clickhouse.Database
	stream     *stream.Stream
	clock      atomic.Int64 // Unix milliseconds
	watch      func(identity.ID)
	store      *definitions.Store
	profiles   *profiles.Service
	service    *Service
	server     *httptest.Server
	stop       func()
}

func newBed(t testing.TB, now time.Time) *bed {
	t.Helper()
	b := &bed{t: t, postgres: enginetest.Postgres(t), clickhouse: enginetest.ClickHouse(t), stream: enginetest.StreamWith(t, stream.Options{})}
	b.set(now)
	if err := postgres.Migrate(t.Context(), b.postgres, definitions.Migrations(), profiles.PostgresMigrations()); err != nil {
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

// set sets the clock.
func (b *bed) set(now time.Time) { b.clock.Store(now.UnixMilli()) }

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
	b.store = store
	b.profiles, err = profiles.Open(b.t.Context(), profiles.Deps{
		Postgres: b.postgres, ClickHouse: b.clickhouse, Stream: b.stream, Logger: enginetest.Logger(b.t), Registry: prometheus.NewRegistry(), Keys: everybody{},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.service, err = Open(b.t.Context(), Deps{
		Logger: b.logger(), Definitions: store, ClickHouse: b.clickhouse, Profiles: b.profiles, Now: func() time.Time { return time.UnixMilli(b.clock.Load()).UTC() },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if b.watch != nil {
		b.service.OnChange(b.watch)
	}
	srv := api.New(api.Options{Auth: everybody{}, Logger: enginetest.Logger(b.t)})
	b.profiles.Routes(srv)
	b.service.Routes(srv)
	// An import asks here whether everything is stored; the tests wait by themselves.
	srv.Router.Get("/v1/overview", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"lag":{"events":{"messages":0,"seconds":0}}}`))
	})
	b.server = httptest.NewServer(srv.Router)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.profiles.Run(ctx) }()
	b.stop = func() {
		b.server.Close()
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("running: %v", err)
		}
		b.stop = func() {}
	}
}

// logger shows how long the parts of a run take, in benchmarks.
func (b *bed) logger() *slog.Logger {
	if _, measured := b.t.(*testing.B); !measured {
		return enginetest.Logger(b.t)
	}
	return slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (b *bed) call(method, path, body string) (int, map[string]any) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, bytes.NewBufferString(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
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
func (b *bed) track(messages ...string) {
	b.t.Helper()
	b.must("POST", "/v1/batch", `{"batch":[`+strings.Join(messages, ",")+`]}`)
}

func (b *bed) flush() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	if err := b.profiles.Flush(ctx); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) compute() {
	b.t.Helper()
	b.flush()
	if err := b.service.Compute(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// attributes are those of a user in memory.
func (b *bed) attributes(user string) map[string]any {
	b.t.Helper()
	view, ok := b.profiles.Store().Lookup([]identity.Identifier{{Namespace: identity.UserID, Value: user}})
	if !ok {
		b.t.Fatalf("%s is not known", user)
	}
	return view.Attributes
}
