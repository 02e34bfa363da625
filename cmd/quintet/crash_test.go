package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// engine serves an engine of the house in a process of its own and returns its
// address, and a function that ends it.
func (h *house) engine(args ...string) (address string, end func(syscall.Signal)) {
	h.t.Helper()
	c := h.command(context.WithoutCancel(h.t.Context()), append([]string{"engine"}, args...)...)
	stdout, err := c.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	var once sync.Once
	end = func(signal syscall.Signal) {
		once.Do(func() {
			_ = c.Process.Signal(signal) // it may be gone
			if err := c.Wait(); err != nil && signal == syscall.SIGTERM {
				h.t.Errorf("quintet engine %s ended with: %v", args[0], err)
			}
		})
	}
	h.t.Cleanup(func() { end(syscall.SIGTERM) })
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		h.t.Fatalf("quintet engine %s said nothing: %v", args[0], lines.Err())
	}
	return lines.Text(), end
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
	if len(l.doubtfulMessages) == 0 {
		t.Error("no message was under way when the process was killed")
	}
	if err := l.resend(t.Context(), s.client); err != nil { // some of it was stored
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
	address, _ := h.engine("postgres")
	l.check(t, log{rows: func(q string) []string { return rows[q] }, profiles: func() map[string]int { return profileEvents(t, address) }})
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
	l.check(t, log{rows: again.rows, profiles: func() map[string]int { return profileEvents(t, h.env("QUINTET_POSTGRES_URL")) }})
	if err := again.client.Get(t.Context(), "/v1/decision-points/hero", nil); err != nil {
		t.Errorf("the definitions are gone: %v", err)
	}
	if err := again.end(syscall.SIGTERM); err != nil {
		t.Errorf("the second process ended with: %v", err)
	}
}

// The engines' own processes are killed under load: Postgres, which the service
// starts again, and a ClickHouse that is outside and comes back by and by. The
// service takes everything meanwhile and stores it once.
func TestEnginesKilled(t *testing.T) {
	t.Parallel()
	h := newFullHouse(t)
	engine := &house{t: t, dir: filepath.Join(t.TempDir(), "engine")}
	engine.vars = append(slices.Clone(h.vars), "QUINTET_DATA_DIR="+engine.dir)
	clickHouse, end := engine.engine("clickhouse")
	line, through := newCable(t, clickHouse)

	cfg := residentConfig(t)
	cfg.DataDir, cfg.EnginesDir, cfg.PostgresURL, cfg.ClickHouseURL = h.dir, enginetest.EnginesDir(), "", through
	r := openResident(t, cfg)
	create(t, r.client, hero())
	l := new(ledger)
	for range 2 {
		before := l.acknowledged()
		under := make(chan error, 1)
		go func() { under <- l.calls(t.Context(), r.client, 3000) }()
		eventually(t, time.Minute, "calls are answered", func() bool { return l.acknowledged() >= before+1000 })
		end(syscall.SIGKILL)
		h.killPostgres()
		if err := <-under; err != nil {
			t.Fatal(err)
		}
		var again string
		again, end = engine.engine("clickhouse")
		if userOf(t, again) != userOf(t, clickHouse) {
			t.Fatal("the ClickHouse engine has another user or password than before")
		}
		line.to(hostOf(t, again))
		eventually(t, time.Minute, "catching up", func() bool {
			return r.gauge("quintet_lag_messages", "events") == 0 && r.gauge("quintet_lag_messages", "profiles") == 0 && r.gauge("quintet_lag_messages", "decisions") == 0
		})
	}
	reading := r.reading()
	reading.profiles = func() map[string]int {
		rows, err := r.app.engines.Postgres.Query(t.Context(), "SELECT profile_id, events FROM profiles")
		if err != nil {
			t.Fatal(err)
		}
		return scanProfiles(t, rows)
	}
	l.check(t, reading)
	r.end() // before its ClickHouse
}

// killPostgres kills the server of the embedded Postgres.
func (h *house) killPostgres() {
	h.t.Helper()
	file := filepath.Join(h.dir, "postgres", "data", "postmaster.pid")
	content, err := os.ReadFile(file)
	if err != nil {
		h.t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		h.t.Fatalf("%s: %v", file, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
}

func userOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.User.String()
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
