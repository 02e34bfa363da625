package engines_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"quintet/internal/clickhouse"
	"quintet/internal/config"
	"quintet/internal/engines"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
)

// childVariable makes the test binary a process that runs engines and gets killed. Its
// value is the data directory.
const childVariable = "QUINTET_TEST_ENGINES_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		if err := writeUntilKilled(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes numbers to all three engines and prints each once all of them
// have acknowledged it.
func writeUntilKilled(ctx context.Context, dir string) error {
	cfg, err := settings(dir)
	if err != nil {
		return err
	}
	e, err := engines.Start(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if _, err := e.Postgres.Exec(ctx, `CREATE TABLE IF NOT EXISTS written (n bigint PRIMARY KEY)`); err != nil {
		return err
	}
	if err := e.ClickHouse.Write.Exec(ctx, `CREATE TABLE IF NOT EXISTS written (n Int64) ENGINE = MergeTree ORDER BY n`); err != nil {
		return err
	}
	topic, err := e.Stream.Topic(ctx, "WRITTEN")
	if err != nil {
		return err
	}
	var n int64
	if err := e.Postgres.QueryRow(ctx, `SELECT coalesce(max(n), 0) FROM written`).Scan(&n); err != nil {
		return err
	}
	for {
		n++
		if _, err := topic.Publish(ctx, []byte(strconv.FormatInt(n, 10))); err != nil {
			return err
		}
		if err := e.ClickHouse.Write.Exec(ctx, fmt.Sprintf(`INSERT INTO written VALUES (%d)`, n)); err != nil {
			return err
		}
		if _, err := e.Postgres.Exec(ctx, `INSERT INTO written VALUES ($1)`, n); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// settings are the defaults on a data directory, changed by arguments.
func settings(dir string, arguments ...string) (config.Config, error) {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.BindFlags(flags)
	arguments = append([]string{"--data-dir", dir, "--engines-dir", enginetest.EnginesDir()}, arguments...)
	if err := flags.Parse(arguments); err != nil {
		return config.Config{}, err
	}
	return config.LoadFrom(flags, func() []string { return nil })
}

// start starts the engines for a test that closes them itself. libchdb opens one
// directory per process, so the tests of this package do not run side by side.
func start(t *testing.T, dir string, arguments ...string) *engines.Engines {
	t.Helper()
	e, err := tryStart(t, dir, arguments...)
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

func tryStart(t *testing.T, dir string, arguments ...string) (*engines.Engines, error) {
	t.Helper()
	cfg, err := settings(dir, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := engines.Start(ctx, cfg, enginetest.Logger(t))
	if errors.Is(err, postgres.ErrNotInstalled) || errors.Is(err, clickhouse.ErrNoEmbeddedEngine) {
		if os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") == "" && !strings.Contains(err.Error(), dir) {
			t.Skip("embedded engines are not installed: run make engines")
		}
	}
	return e, err
}

// child is a running process of writeUntilKilled.
type child struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func startChild(t *testing.T, dir string) child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := child{Cmd: exec.Command(program)}
	c.Env = append(os.Environ(), childVariable+"="+dir)
	c.Stderr = t.Output()
	output, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewScanner(output)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	return c
}

// next returns the next number that the child has had acknowledged.
func (c child) next(t *testing.T) (n int64, ok bool) {
	t.Helper()
	if !c.lines.Scan() {
		return 0, false
	}
	n, err := strconv.ParseInt(c.lines.Text(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n, true
}
