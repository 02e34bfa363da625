package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"quintet/internal/client"
	"quintet/internal/enginetest"
)

// newFullHouse has all engines embedded in the process that runs the service.
func newFullHouse(t *testing.T) *house {
	t.Helper()
	enginetest.ClickHouseEngine(t) // skips where there is none
	enginetest.PostgresURL(t)
	h := &house{t: t, dir: filepath.Join(t.TempDir(), "data")}
	// Postgres runs as another account under root, who has to pass.
	for dir := filepath.Dir(h.dir); dir != filepath.Clean(os.TempDir()) && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.vars = append(os.Environ(), asCommand+"=1", "QUINTET_DATA_DIR="+h.dir, "QUINTET_ENGINES_DIR="+enginetest.EnginesDir(),
		"QUINTET_CLICKHOUSE_LISTEN=127.0.0.1:0", "QUINTET_LISTEN=127.0.0.1:0", "QUINTET_DECIDE_TIMEOUT=10s")
	return h
}

// postgres serves the embedded Postgres of a house whose service has stopped.
func (h *house) postgres() (address string) {
	h.t.Helper()
	c := h.command(context.WithoutCancel(h.t.Context()), "engine", "postgres")
	stdout, err := c.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // it may be gone
		if err := c.Wait(); err != nil {
			h.t.Errorf("the Postgres engine ended with: %v", err)
		}
	})
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		h.t.Fatalf("the Postgres engine said nothing: %v", lines.Err())
	}
	return lines.Text()
}

// caughtUp waits until the stores have everything.
func (s *served) caughtUp() {
	s.t.Helper()
	eventually(s.t, time.Minute, "the stores have everything", func() bool {
		for _, store := range []string{"events", "profiles", "decisions"} {
			if s.lag(store) != 0 {
				return false
			}
		}
		return true
	})
}

// lag is what /metrics says, without a key.
func (s *served) lag(store string) float64 {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.client.BaseURL()+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("/metrics: %s, %v", response.Status, err)
	}
	return metric(string(text), "quintet_lag_messages", store)
}

// rows asks ClickHouse for a column.
func (s *served) rows(query string) []string {
	s.t.Helper()
	body, err := s.query(query)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(body, "\n"), "\n")
}

// Killed in the middle of the load, again and again, the service has everything
// that it acknowledged exactly once.
func TestKilled(t *testing.T) {
	t.Parallel()
	calls := 10_000
	if testing.Short() {
		calls = 2000
	}
	h := newFullHouse(t)
	l := new(ledger)
	// Shortly after each other as well: in the middle of catching up.
	for kill, at := range []int{calls / 5, calls * 45 / 100, calls/2 + 20, calls * 3 / 4} {
		s := h.serve()
		if kill == 0 {
			create(t, s.client, hero())
		}
		under := make(chan error, 1)
		go func() { under <- l.calls(t.Context(), s.client, calls) }() // ends by the kill
		eventually(t, time.Minute, "calls are answered", func() bool { return int(l.next.Load()) >= at })
		_ = s.end(syscall.SIGKILL)
		if err := <-under; err == nil || client.StatusOf(err) != 0 {
			t.Fatalf("calls to a killed process end with %v", err)
		}
	}
	s := h.serve()
	if err := l.calls(t.Context(), s.client, max(0, calls-int(l.next.Load()))); err != nil {
		t.Fatal(err)
	}
	s.caughtUp()
	for _, table := range []string{"events", "decisions"} {
		id := map[string]string{"events": "message_id", "decisions": "decision_id"}[table]
		if rows, distinct := s.count("SELECT count() FROM "+table), s.count("SELECT uniqExact("+id+") FROM "+table); rows != distinct || rows == 0 {
			t.Errorf("%s: %d rows, %d distinct", table, rows, distinct)
		}
	}
	rows := map[string][]string{}
	for _, q := range ledgerQueries {
		rows[q] = s.rows(q)
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Errorf("the last process ended with: %v", err)
	}
	address := h.postgres()
	l.check(t, log{rows: func(q string) []string { return rows[q] }, profiles: func() map[string]int { return profileEvents(t, address) }}, false)
	if l.fallbacks > 0 {
		t.Errorf("%d decisions fell back", l.fallbacks)
	}
}

// SIGTERM under load ends well: what was acknowledged is stored before the process
// ends, and there at the next start. Meanwhile no other process gets at the data.
func TestTerminated(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.serve()
	create(t, s.client, hero())

	stdout, stderr, err := h.run("serve")
	if err == nil || !strings.Contains(stderr, "is in use by process") || !strings.Contains(stderr, "QUINTET_DATA_DIR") || !strings.Contains(stderr, h.dir) {
		t.Errorf("a second process on the data directory: %v\n%s%s", err, stdout, stderr)
	}

	l := new(ledger)
	var ended atomic.Bool
	under := make(chan error, 1)
	go func() {
		for {
			if err := l.calls(t.Context(), s.client, 100_000); err != nil || ended.Load() {
				under <- err
				return
			}
		}
	}()
	eventually(t, time.Minute, "calls are answered", func() bool { return l.acknowledged() >= 1500 })
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Errorf("the process ended with %v\n%s", err, s.errs.String())
	}
	ended.Store(true)
	if err := <-under; err == nil {
		t.Error("calls go on after the end")
	}
	if said := s.errs.String(); strings.Contains(said, "before everything was stored") || strings.Contains(said, "level=ERROR") || strings.Contains(said, "panic") {
		t.Errorf("the process said:\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "server.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the process left its address and key behind: %v", err)
	}

	again := h.serve()
	// Before anything can have been moved by the new process it would have to be
	// behind: it never is, as the first one stored everything.
	for _, store := range []string{"events", "profiles", "decisions"} {
		if lag := again.lag(store); lag != 0 {
			t.Errorf("after a graceful stop %s is %g messages behind", store, lag)
		}
	}
	l.check(t, log{rows: again.rows, profiles: func() map[string]int { return profileEvents(t, h.env("QUINTET_POSTGRES_URL")) }}, false)
	if err := again.client.Get(t.Context(), "/v1/decision-points/hero", nil); err != nil {
		t.Errorf("the definitions are gone: %v", err)
	}
	if err := again.end(syscall.SIGTERM); err != nil {
		t.Errorf("the second process ended with: %v", err)
	}
}
