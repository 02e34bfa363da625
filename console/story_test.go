package console_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quintet/console"
)

// TestStory runs the service with its generated shop and lets a real browser
// read the console's story in it: e2e/story.mjs. QUINTET_TEST_BROWSER names the
// browser; with QUINTET_E2E_SCREENSHOTS pictures are kept in that directory.
func TestStory(t *testing.T) {
	t.Parallel()
	browser := os.Getenv("QUINTET_TEST_BROWSER")
	if browser == "" {
		t.Skip("QUINTET_TEST_BROWSER names no browser")
	}
	if _, err := fs.Stat(console.FS(), "index.html"); err != nil {
		missing(t, "the console has not been built: make console")
	}
	if _, err := os.Stat(filepath.Join("node_modules", "playwright-core")); err != nil {
		missing(t, "the console's packages are not installed: make console")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	s := serve(ctx, t)
	other := s.login(ctx, t)
	var parts sync.WaitGroup
	parts.Go(func() { s.tell(ctx, t, "decisions", s.link, 21) })
	parts.Go(func() { s.tell(ctx, t, "people", other, 22) })
	parts.Wait()
	if !t.Failed() { // pages show what the parts left
		s.tell(ctx, t, "pages", s.login(ctx, t), 3)
	}
}

// tell runs a part of the story, which has so many chapters.
func (s *service) tell(ctx context.Context, t *testing.T, part, link string, chapters int) {
	story := exec.CommandContext(ctx, "node", "e2e/story.mjs")
	story.Env = append(os.Environ(), "QUINTET_E2E_URL="+s.base, "QUINTET_E2E_PART="+part, "QUINTET_E2E_LOGIN="+link)
	out, err := story.CombinedOutput()
	t.Logf("%s\n%s", part, out)
	if err != nil {
		t.Errorf("the part about %s did not end well: %v", part, err)
	}
	if n := bytes.Count(append([]byte("\n"), out...), []byte("\nok ")); n < chapters {
		t.Errorf("the part about %s has %d chapters, want %d", part, n, chapters)
	}
}

// service is a running service.
type service struct {
	binary, dataDir string
	base            string // its address
	link            string // what it printed to sign in
}

// login asks the service for another link.
func (s *service) login(ctx context.Context, t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(ctx, s.binary, "login", "--data-dir", s.dataDir).Output()
	if err != nil {
		t.Fatalf("asking for a login link: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// missing skips the test, or fails it where everything is to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// serve builds and starts the service on a free port and an empty data
// directory.
func serve(ctx context.Context, t *testing.T) *service {
	t.Helper()
	dir := t.TempDir()
	s := &service{binary: filepath.Join(dir, "quintet"), dataDir: filepath.Join(dir, "data")}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "quintet/cmd/quintet").CombinedOutput(); err != nil {
		t.Fatalf("building the service: %v\n%s", err, out)
	}
	service := exec.CommandContext(ctx, s.binary, "serve", "--shop", "--listen", "127.0.0.1:0", "--clickhouse-listen", "",
		"--data-dir", s.dataDir, "--engines-dir", filepath.Join("..", "engines"))
	service.Cancel = func() error { return service.Process.Signal(syscall.SIGTERM) }
	service.WaitDelay = 30 * time.Second
	log, logWriter := io.Pipe()
	service.Stdout, service.Stderr = logWriter, logWriter
	if err := service.Start(); err != nil {
		t.Fatalf("starting the service: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = service.Wait() // how it ended shows in its log
		_ = logWriter.Close()
		close(ended)
	}()
	read := make(chan struct{})
	t.Cleanup(func() {
		if err := service.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("stopping the service: %v", err)
		}
		<-ended
		<-read
	})

	links := make(chan string, 1)
	go func() {
		defer close(read)
		lines := bufio.NewScanner(log)
		for lines.Scan() { // to the end, so that the service never waits for a reader
			t.Log(lines.Text())
			if words := strings.Fields(lines.Text()); len(words) > 2 && words[0] == "Sign" && words[1] == "in" {
				links <- words[2]
			}
		}
	}()
	select {
	case s.link = <-links:
	case <-ended:
		t.Fatal("the service ended before it was ready")
	case <-ctx.Done():
		t.Fatal("the service was not ready in time")
	}
	var found bool
	if s.base, _, found = strings.Cut(s.link, "/auth/"); !found {
		t.Fatalf("the service printed %q as its login link", s.link)
	}
	return s
}
