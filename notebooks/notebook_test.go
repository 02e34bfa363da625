package notebooks_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"quintet/internal/enginetest"
)

const (
	visits      = 3000
	testTimeout = 4 * time.Minute
	stopTimeout = 30 * time.Second
)

// python finds the interpreter that runs the cells.
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: the notebooks' cells are not run")
	}
	return path
}

// TestFirstLook runs the notebook's cells against a service with the generated
// shop's traffic. The last cell fails unless every figure that the notebook
// computes from the log is the report's.
func TestFirstLook(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	s := startService(ctx, t)
	s.command(ctx, t, "shop", "run", "--visits", strconv.Itoa(visits))
	s.waitStored(ctx, t)

	cells := exec.CommandContext(ctx, interpreter, "run.py", "first-look.ipynb")
	cells.Env = append(s.env, "QUINTET_SECONDS_AGO=0", "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	out, err := cells.CombinedOutput()
	if err != nil {
		t.Fatalf("running the cells: %v\n%s", err, out)
	}
	found := regexp.MustCompile(`(\d+) figures of the report agree with the log`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("the notebook did not come to its end:\n%s", out)
	}
	// The split, and of three metrics two arms and one effect.
	if n, _ := strconv.Atoi(string(found[1])); n < 30 {
		t.Errorf("only %d figures were compared:\n%s", n, out)
	}
	decided := regexp.MustCompile(`(?m)^(?:control|treated|holdout) +\w+ +(\d+) `).FindAllSubmatch(out, -1)
	total := 0
	for _, match := range decided {
		n, _ := strconv.Atoi(string(match[1]))
		total += n
	}
	if total != visits {
		t.Errorf("the notebook counts %d decisions, the shop asked for %d:\n%s", total, visits, out)
	}
}

// TestUplift goes from the rows of the log to the exact figures of the report, which
// the notebook's last cell compares.
func TestUplift(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	s := startService(ctx, t)
	s.command(ctx, t, "shop", "run", "--visits", strconv.Itoa(visits))
	s.waitStored(ctx, t)

	cells := exec.CommandContext(ctx, interpreter, "run.py", "uplift.ipynb")
	cells.Env = append(s.env, "QUINTET_SECONDS_AGO=0", "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	out, err := cells.CombinedOutput()
	if err != nil {
		t.Fatalf("running the cells: %v\n%s", err, out)
	}
	found := regexp.MustCompile(`(\d+) figures of the report agree with the rows`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("the notebook did not come to its end:\n%s", out)
	}
	// Of each of three metrics: two arms, and an effect by five methods.
	if n, _ := strconv.Atoi(string(found[1])); n < 60 {
		t.Errorf("only %d figures were compared:\n%s", n, out)
	}
}

// TestModels trains a model of each family, and compares what it says with the log and
// with the truth of customers that the notebook makes up.
func TestModels(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("trains five models")
	}
	interpreter := python(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	s := startService(ctx, t)
	cells := exec.CommandContext(ctx, interpreter, "run.py", "models.ipynb")
	cells.Env = append(s.env, "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	out, err := cells.CombinedOutput()
	if err != nil {
		t.Fatalf("running the cells: %v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("10 figures of the models agree with the log, 9 with the truth.")) {
		t.Fatalf("the notebook did not come to its end:\n%s", out)
	}
	t.Logf("%s", out)
}

// TestRunnerFailsWithItsCell makes sure that a failing cell fails the run.
func TestRunnerFailsWithItsCell(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	path := filepath.Join(t.TempDir(), "bad.ipynb")
	notebook := `{"cells": [{"cell_type": "markdown", "source": ["1 / 0"]}, {"cell_type": "code", "source": ["x = 1\n", "y = 2"]},
		{"cell_type": "code", "source": ["assert x + y == 4, 'three'"]}]}`
	if err := os.WriteFile(path, []byte(notebook), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), interpreter, "run.py", path).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !bytes.Contains(out, []byte("cell 2 of")) || !bytes.Contains(out, []byte("AssertionError: three")) {
		t.Errorf("the run ended with %v and said:\n%s", err, out)
	}
}

// TestNotebooksHoldNoOutput keeps what a run printed, which may be about people,
// out of the repository.
func TestNotebooksHoldNoOutput(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.ipynb")
	if err != nil || len(files) == 0 {
		t.Fatalf("no notebook found: %v", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var notebook struct {
			Cells []struct {
				ExecutionCount *int              `json:"execution_count"`
				Outputs        []json.RawMessage `json:"outputs"`
			} `json:"cells"`
		}
		if err := json.Unmarshal(body, &notebook); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for i, cell := range notebook.Cells {
			if cell.ExecutionCount != nil || len(cell.Outputs) > 0 {
				t.Errorf("%s: cell %d holds output; clear it before committing", file, i)
			}
		}
	}
}

// service is a running quintet with a data directory of its own.
type service struct {
	binary  string
	dir     string
	env     []string
	address string
}

// startService builds the service, starts it and stops it when the test ends.
func startService(ctx context.Context, t *testing.T) *service {
	t.Helper()
	engines, err := filepath.Abs(enginetest.EnginesDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(engines, "node_modules")); err != nil && os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") == "" {
		t.Skip("the embedded engines are not installed (make engines): the notebooks' cells are not run")
	}
	dir := t.TempDir()
	// Postgres may run as another user, who has to pass through.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &service{binary: filepath.Join(dir, "quintet"), dir: dir}
	build := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "quintet/cmd/quintet")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the service: %v\n%s", err, out)
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "QUINTET_") { // settings of whoever runs the test
			s.env = append(s.env, v)
		}
	}
	s.env = append(s.env, "QUINTET_DATA_DIR="+filepath.Join(dir, "data"), "QUINTET_ENGINES_DIR="+engines,
		"QUINTET_LISTEN=127.0.0.1:0", "QUINTET_CLICKHOUSE_LISTEN=127.0.0.1:0")

	// Not bound to a context: it ends before the clean-up, which stops the service
	// in its own way.
	server := exec.Command(s.binary, "serve", "--decide-timeout", "5s") //nolint:noctx // see above
	server.Dir, server.Env = dir, s.env
	var log bytes.Buffer
	server.Stderr = &log
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(stopTimeout, func() { _ = server.Process.Kill() })
		defer kill.Stop()
		if err := server.Wait(); err != nil {
			t.Errorf("the service ended with %v:\n%s", err, log.Bytes())
		}
	})
	s.address = s.ready(t, stdout)
	if s.address == "" {
		t.Fatal("the service did not say where it listens")
	}
	return s
}

// ready reads what the service prints at its start: the address of the API, and
// that of SQL, which goes into the environment of the cells.
func (s *service) ready(t *testing.T, stdout io.Reader) (address string) {
	t.Helper()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "Console":
			address = fields[1]
		case "SQL":
			s.env = append(s.env, "QUINTET_CLICKHOUSE_LISTEN="+strings.TrimPrefix(fields[1], "http://"))
			go io.Copy(io.Discard, stdout) //nolint:errcheck // ends with the process
			return address
		}
	}
	return ""
}

// command runs a command of the service on its data directory.
func (s *service) command(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	c := exec.CommandContext(ctx, s.binary, args...)
	c.Dir, c.Env = s.dir, s.env
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("quintet %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

var lag = regexp.MustCompile(`(?m)^quintet_lag_messages\{store="\w+"\} (\S+)$`)

// waitStored waits until every store has everything.
func (s *service) waitStored(ctx context.Context, t *testing.T) {
	t.Helper()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatalf("reading the lag: %v", err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatalf("reading the lag: %v", err)
		}
		behind := lag.FindAllSubmatch(body, -1)
		if len(behind) == 0 {
			t.Fatalf("the service exports no lag:\n%s", body)
		}
		stored := true
		for _, match := range behind {
			stored = stored && string(match[1]) == "0"
		}
		if stored {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for the stores: %v", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
