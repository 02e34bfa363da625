package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quintet/internal/client"
	"quintet/internal/enginetest"
)

// asCommand makes the test binary behave as quintet itself, so that tests can
// start, kill and restart real processes.
const asCommand = "QUINTET_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(enginetest.Main(m))
}

// house is a data directory with what commands need to use it.
type house struct {
	t    *testing.T
	dir  string
	vars []string
}

// newHouse has a Postgres of the test's own; ClickHouse and the stream are
// embedded in whatever process runs the service.
func newHouse(t *testing.T) *house {
	t.Helper()
	enginetest.ClickHouseEngine(t) // skips where there is none
	h := &house{t: t, dir: t.TempDir()}
	h.vars = append(os.Environ(), asCommand+"=1", "QUINTET_DATA_DIR="+h.dir, "QUINTET_POSTGRES_URL="+enginetest.PostgresURL(t),
		"QUINTET_ENGINES_DIR="+enginetest.EnginesDir(), "QUINTET_CLICKHOUSE_LISTEN=127.0.0.1:0", "QUINTET_LISTEN=127.0.0.1:0")
	return h
}

// env is a variable of the house's commands.
func (h *house) env(name string) string {
	for _, v := range slices.Backward(h.vars) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

func (h *house) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = h.vars
	return c
}

// run runs a command to its end and returns its standard output and error.
func (h *house) run(args ...string) (stdout, stderr string, err error) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	c := h.command(ctx, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}

func (h *house) mustRun(args ...string) (stdout, stderr string) {
	h.t.Helper()
	stdout, stderr, err := h.run(args...)
	if err != nil {
		h.t.Fatalf("quintet %s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout, stderr
}

// served is a running server.
type served struct {
	t       *testing.T
	process *exec.Cmd
	client  *client.Client
	errs    *bytes.Buffer // standard error, to be read after the end
	key     string        // may do everything
	sql     string        // address of ClickHouse's HTTP interface, with user and password
	done    chan error
	once    sync.Once
}

var sqlLine = regexp.MustCompile(`http://(127\.0\.0\.1:\d+) +\(ClickHouse`)

// serve starts a server and returns when it is ready.
func (h *house) serve(args ...string) *served {
	h.t.Helper()
	c := h.command(context.WithoutCancel(h.t.Context()), append([]string{"serve"}, args...)...)
	stdout, err := c.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	errs := new(bytes.Buffer)
	c.Stderr = errs
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	s := &served{t: h.t, process: c, errs: errs, done: make(chan error, 1)}
	h.t.Cleanup(func() { s.end(syscall.SIGKILL) })
	addresses := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if m := sqlLine.FindStringSubmatch(lines.Text()); m != nil {
				addresses <- m[1]
			}
		}
		_, _ = io.Copy(io.Discard, stdout) // Wait needs the pipe to be read to its end
		s.done <- c.Wait()
	}()
	select {
	case address := <-addresses:
		s.sql = h.sqlURL(address)
	case err := <-s.done:
		h.t.Fatalf("the server ended: %v\n%s", err, errs.String())
	case <-time.After(time.Minute):
		h.t.Fatalf("the server was not ready within a minute\n%s", errs.String())
	}
	body, err := os.ReadFile(filepath.Join(h.dir, "server.json"))
	if err != nil {
		h.t.Fatal(err)
	}
	var running runningServer
	if err := json.Unmarshal(body, &running); err != nil {
		h.t.Fatal(err)
	}
	s.key = running.Key
	if s.client, err = client.New(client.Options{BaseURL: running.Address, Key: running.Key}); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// sqlURL adds the reading user to the address.
func (h *house) sqlURL(address string) string {
	h.t.Helper()
	body, err := os.ReadFile(filepath.Join(h.dir, "clickhouse-reader.env"))
	if err != nil {
		h.t.Fatal(err)
	}
	query := url.Values{"database": {"quintet"}}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "export ")), "=")
		value = strings.Trim(value, `'"`)
		switch {
		case strings.HasSuffix(name, "USER"):
			query.Set("user", value)
		case strings.HasSuffix(name, "PASSWORD"):
			query.Set("password", value)
		}
	}
	return "http://" + address + "/?" + query.Encode()
}

// count asks ClickHouse for one number.
func (s *served) count(query string) (n int) {
	s.t.Helper()
	body, err := s.query(query)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Sscan(body, &n); err != nil {
		s.t.Fatalf("%s: %s", query, body)
	}
	return n
}

// query asks ClickHouse and returns the text of its answer.
func (s *served) query(query string) (string, error) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.sql, strings.NewReader(query))
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", query, body)
	}
	return string(body), err
}

// end sends a signal and waits until the process is gone.
func (s *served) end(signal syscall.Signal) (err error) {
	s.once.Do(func() {
		_ = s.process.Process.Signal(signal) // it may be gone already
		select {
		case err = <-s.done:
		case <-time.After(time.Minute):
			_ = s.process.Process.Kill()
			err = fmt.Errorf("still running a minute after %s", signal)
		}
	})
	return err
}
