// Package enginetest gives every test fresh databases on real engines.
//
// A test binary starts an embedded Postgres and an embedded ClickHouse when the
// first test asks for them; every test then gets databases and a stream of its
// own, so that tests run side by side. A package that uses it needs
//
//	func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }
//
// With QUINTET_TEST_POSTGRES_URL, QUINTET_TEST_CLICKHOUSE_URL or
// QUINTET_TEST_NATS_URL the same tests run against servers outside. Where the
// embedded engines are not installed tests are skipped, unless
// QUINTET_TEST_REQUIRE_ENGINES is set.
package enginetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/clickhouse"
	"quintet/internal/postgres"
)

const startTimeout = 90 * time.Second

// shared are the engines of this test binary.
var shared struct {
	dir        string
	postgres   func() (string, error) // administrative URL
	clickhouse func() (*clickhouse.Engine, error)

	mu       sync.Mutex
	closers  []func() error
	prepared bool
}

// Main runs the tests of a package, stops what they started and removes what it
// kept. A test binary that is killed has the same done by a process that outlives
// it for that purpose.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "quintet-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "creating a directory for the engines:", err)
		return 1
	}
	removed := removeWhenGone(dir)
	defer removed()
	// Postgres may run as another user, who has to pass through.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared.dir, shared.prepared = dir, true
	shared.postgres = sync.OnceValues(startPostgres)
	shared.clickhouse = sync.OnceValues(startClickHouse)
	code := m.Run()
	for i := len(shared.closers) - 1; i >= 0; i-- {
		if err := shared.closers[i](); err != nil {
			fmt.Fprintln(os.Stderr, "stopping an engine:", err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "removing what the engines kept:", err)
	}
	return code
}

func atEnd(stop func() error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.closers = append(shared.closers, stop)
}

// EnginesDir is the npm folder of the embedded engines: the repository's, or the one
// that QUINTET_ENGINES_DIR names.
func EnginesDir() string {
	if dir := os.Getenv("QUINTET_ENGINES_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(root(), "engines")
}

// root is the repository's root: the nearest folder above with a go.mod.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Dir(file)
	if !filepath.IsAbs(dir) { // built with -trimpath
		dir, _ = os.Getwd()
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "."
		}
		dir = parent
	}
}

func startPostgres() (string, error) {
	if url := os.Getenv("QUINTET_TEST_POSTGRES_URL"); url != "" {
		return url, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := postgres.StartEmbedded(ctx, postgres.EmbeddedOptions{
		EnginesDir: EnginesDir(), DataDir: filepath.Join(shared.dir, "postgres"), Ephemeral: true, Logger: quiet(),
	})
	if err != nil {
		return "", err
	}
	atEnd(server.Close)
	return server.URL(postgres.DefaultDatabase), nil
}

func startClickHouse() (*clickhouse.Engine, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if url := os.Getenv("QUINTET_TEST_CLICKHOUSE_URL"); url != "" {
		engine, err := clickhouse.OpenExternal(ctx, url)
		if err == nil {
			atEnd(engine.Close)
		}
		return engine, err
	}
	library, err := clickhouse.LibraryPath(EnginesDir())
	if err != nil {
		return nil, err
	}
	engine, err := clickhouse.OpenEmbedded(ctx, clickhouse.EmbeddedOptions{
		LibraryPath: library, DataDir: filepath.Join(shared.dir, "clickhouse"), Logger: quiet(),
	})
	if err != nil {
		return nil, err
	}
	atEnd(engine.Close)
	return engine, nil
}

// Postgres is a pool on a fresh database, dropped when the test ends.
func Postgres(t testing.TB) *pgxpool.Pool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	pool, err := postgres.OpenPool(ctx, PostgresURL(t), 8)
	if err != nil {
		t.Fatalf("connecting to the test's database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// PostgresURL is the URL of a fresh database, dropped when the test ends.
func PostgresURL(t testing.TB) string {
	t.Helper()
	prepared(t)
	admin, err := shared.postgres()
	available(t, err)
	name := fresh()
	execute(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { execute(t, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return databaseURL(t, admin, name)
}

// databaseURL is the server's URL with another database.
func databaseURL(t testing.TB, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("QUINTET_TEST_POSTGRES_URL is not a URL") // the error would show the password
	}
	u.Path = "/" + name
	return u.String()
}

func execute(t testing.TB, address, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatalf("connecting to the test server: %v", err)
	}
	defer c.Close(ctx) //nolint:errcheck // the statement's result counts
	_, err = c.Exec(ctx, statement)
	// A vacuum of the server's own can be in the database, which this user may not end.
	for tries := 0; isDenied(err) && tries < 50; tries++ {
		time.Sleep(100 * time.Millisecond)
		_, err = c.Exec(ctx, statement)
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func isDenied(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "42501"
}

// ClickHouse is a fresh database, dropped when the test ends.
func ClickHouse(t testing.TB) *clickhouse.Database {
	t.Helper()
	engine := ClickHouseEngine(t)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	name := fresh()
	db, err := engine.Database(ctx, name)
	if err != nil {
		t.Fatalf("creating the test's ClickHouse database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if err := engine.DropDatabase(ctx, name); err != nil {
			t.Errorf("dropping the test's ClickHouse database: %v", err)
		}
	})
	return db
}

// ClickHouseEngine is the ClickHouse that all tests of the binary share.
func ClickHouseEngine(t testing.TB) *clickhouse.Engine {
	t.Helper()
	prepared(t)
	engine, err := shared.clickhouse()
	available(t, err)
	return engine
}

// SharedFile is the path of a public data set beside the repository; the test is
// skipped where there is none, as in a user's clone.
func SharedFile(t testing.TB, path ...string) string {
	t.Helper()
	file := filepath.Join(append([]string{root(), "..", "shared", "data"}, path...)...)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the data set %s is not here; it is not part of the repository", filepath.Join(path...))
	}
	return file
}

// Logger writes to the test's output.
func Logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

func prepared(t testing.TB) {
	t.Helper()
	if !shared.prepared {
		t.Fatal("the package's TestMain must call enginetest.Main")
	}
}

// available skips the test where the engines are not installed.
func available(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	missing := errors.Is(err, postgres.ErrNotInstalled) || errors.Is(err, clickhouse.ErrNoEmbeddedEngine)
	if missing && os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") == "" {
		t.Skip("embedded engines are not installed: run make engines")
	}
	t.Fatalf("starting an engine: %v", err)
}

func fresh() string { return "test_" + strings.ToLower(rand.Text()) }
