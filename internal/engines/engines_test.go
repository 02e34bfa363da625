package engines_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quintet/internal/engines/dirlock"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
)

func TestStartKeepsDataAndCloses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", ".quintet")
	ctx := t.Context()
	began := time.Now()
	e := start(t, dir)
	t.Logf("first start: %s", time.Since(began).Round(time.Millisecond))
	for name, err := range e.Health(ctx) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.Postgres.Exec(ctx, `CREATE TABLE kept AS SELECT 1 AS n`); err != nil {
		t.Fatal(err)
	}
	if err := e.ClickHouse.Write.Exec(ctx, `CREATE TABLE kept ENGINE = MergeTree ORDER BY n AS SELECT 2 AS n`); err != nil {
		t.Fatal(err)
	}
	topic, err := e.Stream.Topic(ctx, "KEPT")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topic.Publish(ctx, []byte("three")); err != nil {
		t.Fatal(err)
	}
	reader, file, err := e.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the SQL user's file: %v, %v; want mode 600", info.Mode(), err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o044 != 0 {
		t.Errorf("the data directory: %v, %v; want that others cannot list it", info.Mode(), err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}

	began = time.Now()
	e = start(t, dir)
	took := time.Since(began)
	t.Logf("second start: %s", took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("the second start took %s, more than 5 s", took)
	}
	var one int
	if err := e.Postgres.QueryRow(ctx, `SELECT n FROM kept`).Scan(&one); err != nil || one != 1 {
		t.Errorf("postgres: %d, %v; want 1", one, err)
	}
	var two uint8
	if err := e.ClickHouse.Read.QueryRow(ctx, `SELECT n FROM kept`).Scan(&two); err != nil || two != 2 {
		t.Errorf("clickhouse: %d, %v; want 2", two, err)
	}
	topic, err = e.Stream.Topic(ctx, "KEPT")
	if err != nil {
		t.Fatal(err)
	}
	if _, last, _, err := topic.State(ctx); err != nil || last != 1 {
		t.Errorf("stream: %d messages, %v; want 1", last, err)
	}
	again, _, err := e.Reader()
	if err != nil || again.Password != reader.Password || reader.Password == "" || !again.ReadOnly {
		t.Errorf("the SQL user changed: %v", err)
	}
	began = time.Now()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("close: %s", time.Since(began).Round(time.Millisecond))
}

func TestStartRefusesASecondProcess(t *testing.T) {
	dir := t.TempDir()
	start(t, dir).Close() // skips here without engines
	c := startChild(t, dir)
	if _, ok := c.next(t); !ok {
		t.Fatal("the child did not start")
	}
	_, err := tryStart(t, dir)
	var held *dirlock.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("got %v, want a HeldError", err)
	}
	for _, part := range []string{fmt.Sprintf("process %d", c.Process.Pid), dir, "QUINTET_DATA_DIR"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the message has more than one line: %q", err)
	}
	// The first one is not disturbed.
	for range 10 {
		if _, ok := c.next(t); !ok {
			t.Fatal("the first process ended")
		}
	}
}

func TestStartRecoversAfterKill(t *testing.T) {
	dir := t.TempDir()
	start(t, dir).Close() // skips here without engines
	for round := range 2 {
		c := startChild(t, dir)
		var last int64
		for read := 0; ; read++ {
			n, ok := c.next(t)
			if !ok {
				break
			}
			last = n
			if read == 100 {
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Wait(); err == nil || last == 0 {
			t.Fatalf("the child was not killed while it wrote: %v", err)
		}
		began := time.Now()
		e := start(t, dir)
		t.Logf("round %d: start after the kill: %s", round, time.Since(began).Round(time.Millisecond))
		ctx := t.Context()
		var rows, highest int64
		if err := e.Postgres.QueryRow(ctx, `SELECT count(*), max(n) FROM written`).Scan(&rows, &highest); err != nil {
			t.Fatal(err)
		}
		// What was under way at the kill may be there.
		if rows != highest || highest < last || highest > last+1 {
			t.Errorf("round %d: postgres has %d rows up to %d, acknowledged %d", round, rows, highest, last)
		}
		var distinct uint64
		if err := e.ClickHouse.Read.QueryRow(ctx, `SELECT uniqExact(n) FROM written WHERE n <= ?`, last).Scan(&distinct); err != nil {
			t.Fatal(err)
		}
		if int64(distinct) != last {
			t.Errorf("round %d: clickhouse has %d of %d acknowledged rows", round, distinct, last)
		}
		topic, err := e.Stream.Topic(ctx, "WRITTEN")
		if err != nil {
			t.Fatal(err)
		}
		if _, messages, _, err := topic.State(ctx); err != nil || int64(messages) < last {
			t.Errorf("round %d: the stream has %d messages, acknowledged %d (%v)", round, messages, last, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartFailsCleanly(t *testing.T) {
	dir := t.TempDir()
	start(t, dir).Close() // skips here without engines
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	for _, tt := range []struct {
		name      string
		arguments func(dir string) []string
		says      string
	}{
		{"nothing installed", func(dir string) []string { return []string{"--engines-dir", dir} }, "make engines"},
		{"Postgres away", func(string) []string { return []string{"--postgres-url", "postgres://u:hunter2@" + nobody + "/x"} }, "connecting to postgres"},
		{"ClickHouse away", func(string) []string { return []string{"--clickhouse-url", "clickhouse://u:hunter2@" + nobody} }, "ClickHouse"},
		{"NATS away", func(string) []string { return []string{"--nats-url", "nats://" + nobody} }, "NATS"},
		{"bad ClickHouse database", func(string) []string { return []string{"--clickhouse-database", "system"} }, "ClickHouse's own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tryStart(t, dir, tt.arguments(dir)...)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want an error with %q", err, tt.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
			// Whatever had started was stopped, so the directory is free again.
			start(t, dir).Close()
		})
	}
}

// The same start on servers of their own: no directory is used for what is external.
func TestStartOnExternalServers(t *testing.T) {
	ctx := t.Context()
	server, err := postgres.StartEmbedded(ctx, postgres.EmbeddedOptions{EnginesDir: enginetest.EnginesDir(), DataDir: t.TempDir(), Ephemeral: true, Logger: slog.New(slog.DiscardHandler)})
	if errors.Is(err, postgres.ErrNotInstalled) && os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") == "" {
		t.Skip("embedded engines are not installed: run make engines")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	dir := t.TempDir()
	e := start(t, dir, "--postgres-url", server.URL(postgres.DefaultDatabase))
	for name, err := range e.Health(ctx) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "postgres")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory was made for an external Postgres: %v", err)
	}

	// An engine that goes away is what Health is for, and only that one is reported.
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	health := e.Health(ctx)
	if health["postgres"] == nil || health["clickhouse"] != nil || health["stream"] != nil {
		t.Errorf("health after the end of Postgres: %v", health)
	}
}

// Somebody who never gives a connection back must not keep the process from ending.
func TestCloseIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a deadline of some seconds")
	}
	e, err := tryStart(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	connection, err := e.Postgres.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connection.Release)
	done := make(chan error, 1)
	go func() { done <- e.Close() }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "1 are still in use") {
			t.Errorf("got %v, want that a connection is still in use", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Close does not return")
	}
}
