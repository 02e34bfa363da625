package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// shared is the engine of all tests but those that start their own process. It
// is nil, and skipReason says why, when the engine is not installed.
var (
	shared     *Engine
	skipReason string
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(runChild(role))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	library, err := installedLibrary()
	if errors.Is(err, ErrNoEmbeddedEngine) {
		skipReason = "embedded ClickHouse is not installed (run `make engines`)"
		return m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "quintet-clickhouse-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if shared, err = OpenEmbedded(ctx, EmbeddedOptions{LibraryPath: library, DataDir: filepath.Join(dir, "data")}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// enginesDir is the folder of the embedded engines, found from the module's root.
func enginesDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "engines"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the tests")
		}
		dir = parent
	}
}

func installedLibrary() (string, error) {
	dir, err := enginesDir()
	if err != nil {
		return "", err
	}
	return LibraryPath(dir)
}

// requireEngine returns the shared engine or skips the test.
func requireEngine(t testing.TB) *Engine {
	t.Helper()
	if shared == nil {
		t.Skip(skipReason)
	}
	return shared
}

var databaseCount atomic.Int64

// newDatabase gives the test a database of its own.
func newDatabase(t testing.TB) *Database {
	t.Helper()
	e := requireEngine(t)
	name := fmt.Sprintf("test_%d", databaseCount.Add(1))
	d, err := e.Database(testContext(t), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := e.DropDatabase(ctx, name); err != nil {
			t.Error(err)
		}
	})
	return d
}

// testContext ends with the test, after a minute at the latest.
func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func mustExec(t testing.TB, d *Database, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := d.Read.Exec(testContext(t), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// count runs a query of one number.
func count(t testing.TB, d *Database, query string, args ...any) uint64 {
	t.Helper()
	var n uint64
	if err := d.Read.QueryRow(testContext(t), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Fatalf("error %q does not say %q", err, part)
		}
	}
}
