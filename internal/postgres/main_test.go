//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// childVariable makes the test binary play the parent of a server that a test kills. Its
// value is the data directory.
const childVariable = "QUINTET_TEST_POSTGRES_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writeUntilKilled starts a server and prints each number once its row is committed.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	e, err := StartEmbedded(ctx, EmbeddedOptions{EnginesDir: enginesDir(), DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	connection, err := pgx.Connect(ctx, e.URL(DefaultDatabase))
	if err != nil {
		return err
	}
	if _, err := connection.Exec(ctx, `CREATE TABLE IF NOT EXISTS written (n bigint PRIMARY KEY)`); err != nil {
		return err
	}
	var next int64
	if err := connection.QueryRow(ctx, `SELECT coalesce(max(n), 0) + 1 FROM written`).Scan(&next); err != nil {
		return err
	}
	for ; ; next++ {
		if _, err := connection.Exec(ctx, `INSERT INTO written VALUES ($1)`, next); err != nil {
			return err
		}
		fmt.Println(next)
	}
}

func enginesDir() string {
	if dir := os.Getenv("QUINTET_ENGINES_DIR"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "engines")
}

// start runs a server for a test; Close is called at its end.
func start(t *testing.T, o EmbeddedOptions) *Embedded {
	t.Helper()
	if o.EnginesDir == "" {
		o.EnginesDir = enginesDir()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := StartEmbedded(ctx, o)
	skipIfNotInstalled(t, err)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func skipIfNotInstalled(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrNotInstalled) && os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") == "" {
		t.Skip("embedded engines are not installed: run make engines")
	}
}

// query runs a statement that returns one value.
func query[T any](t *testing.T, url, statement string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(ctx)
	var value T
	if err := connection.QueryRow(ctx, statement).Scan(&value); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

// execute runs statements without a result.
func execute(t *testing.T, url, statements string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(ctx)
	if _, err := connection.Exec(ctx, statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}
