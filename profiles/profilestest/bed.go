// Package profilestest runs profiles on engines of their own, for the tests of the
// packages that are built on them.
package profilestest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
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

// Keys are who may call.
type Keys interface {
	api.Authenticator
	Lookup(secret string) (api.Principal, error)
}

// Options are what the package under test adds.
type Options struct {
	Keys Keys
	// Postgres and ClickHouse are its migrations.
	Postgres   []postgres.MigrationSet
	ClickHouse []clickhouse.MigrationSet
	// Declarations has the profiles follow declarations of traits and consents.
	Declarations bool
	// Open opens its service on the bed's profiles and registers its routes. What it
	// returns runs until ctx ends; it may be nil.
	Open func(b *Bed, srv *api.Server) (run func(ctx context.Context) error, err error)
}

// Bed is profiles, and a service on top of them, on engines of their own.
type Bed struct {
	T           testing.TB
	Postgres    *pgxpool.Pool
	ClickHouse  *clickhouse.Database
	Stream      *stream.Stream
	Definitions *definitions.Store
	Profiles    *profiles.Service
	Server      *httptest.Server
	// Token is the key that calls are made with; "good" at first.
	Token string

	options Options
	close   func()
}

// New makes the engines ready; [Bed.Open] starts the services.
func New(t testing.TB, o Options) *Bed {
	t.Helper()
	b := &Bed{T: t, Token: "good", Postgres: enginetest.Postgres(t), ClickHouse: enginetest.ClickHouse(t), Stream: enginetest.StreamWith(t, stream.Options{}), options: o, close: func() {}}
	if err := postgres.Migrate(t.Context(), b.Postgres, append([]postgres.MigrationSet{definitions.Migrations(), profiles.PostgresMigrations()}, o.Postgres...)...); err != nil {
		t.Fatal(err)
	}
	// The table of exposures belongs to a package that those of profiles must not import;
	// its migrations are read as files, from the directory of a package below profiles.
	exposures := clickhouse.MigrationSet{Name: "experiments", Files: os.DirFS("../../experiments/migrations/clickhouse")}
	if err := b.ClickHouse.Migrate(t.Context(), append([]clickhouse.MigrationSet{exposures, profiles.ClickHouseMigrations()}, o.ClickHouse...)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// Open starts the services on the bed's engines; calling it again is a restart.
func (b *Bed) Open() {
	b.T.Helper()
	b.Stop()
	ctx, log := b.T.Context(), enginetest.Logger(b.T)
	var err error
	if b.Definitions, err = definitions.Open(ctx, b.Postgres, log); err != nil {
		b.T.Fatal(err)
	}
	deps := profiles.Deps{Postgres: b.Postgres, ClickHouse: b.ClickHouse, Stream: b.Stream, Logger: log, Registry: prometheus.NewRegistry(), Keys: b.options.Keys}
	if b.options.Declarations {
		deps.Definitions = b.Definitions
	}
	if b.Profiles, err = profiles.Open(ctx, deps); err != nil {
		b.T.Fatal(err)
	}
	srv := api.New(api.Options{Auth: b.options.Keys, Logger: log})
	b.Profiles.Routes(srv)
	run, err := b.options.Open(b, srv)
	if err != nil {
		b.T.Fatal(err)
	}
	b.Server = httptest.NewServer(srv.Router)
	running, cancel := context.WithCancel(context.Background())
	done, ended := make(chan error, 1), make(chan error, 1)
	go func() { done <- b.Profiles.Run(running) }()
	go func() {
		if run == nil {
			ended <- nil
			return
		}
		ended <- run(running)
	}()
	b.close = func() {
		b.Server.Close()
		cancel()
		if err := <-done; err != nil {
			b.T.Errorf("running profiles: %v", err)
		}
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			b.T.Errorf("running: %v", err)
		}
		b.close = func() {}
	}
}

// Stop ends the services; [Bed.Open] starts them again.
func (b *Bed) Stop() { b.close() }

// Call makes a call and returns its status and its answer.
func (b *Bed) Call(method, path, body string) (int, map[string]any) {
	b.T.Helper()
	r, err := http.NewRequestWithContext(b.T.Context(), method, b.Server.URL+path, bytes.NewBufferString(body))
	if err != nil {
		b.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.Token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.T.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.T.Fatal(err)
	}
	var out map[string]any
	if len(content) > 0 {
		if err := json.Unmarshal(content, &out); err != nil {
			b.T.Fatalf("%s %s answered %d %q", method, path, response.StatusCode, content)
		}
	}
	return response.StatusCode, out
}

// Must makes a call that has to succeed.
func (b *Bed) Must(method, path, body string) map[string]any {
	b.T.Helper()
	status, out := b.Call(method, path, body)
	if status >= 300 {
		b.T.Fatalf("%s %s answered %d %v", method, path, status, out)
	}
	return out
}

// Track sends messages of a batch, each a JSON object.
func (b *Bed) Track(messages ...string) map[string]any {
	b.T.Helper()
	return b.Must("POST", "/v1/batch", `{"batch":[`+strings.Join(messages, ",")+`]}`)
}

// Stored waits until both stores of profiles have everything.
func (b *Bed) Stored() {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.T.Context(), 30*time.Second)
	defer cancel()
	if err := b.Profiles.Flush(ctx); err != nil {
		b.T.Fatal(err)
	}
}

// Number runs a query of ClickHouse that yields one number.
func (b *Bed) Number(query string, arguments ...any) (n uint64) {
	b.T.Helper()
	if err := b.ClickHouse.Read.QueryRow(b.T.Context(), query, arguments...).Scan(&n); err != nil {
		b.T.Fatalf("%s: %v", query, err)
	}
	return n
}
