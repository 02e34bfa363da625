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
	base, link := serve(ctx, t)

	story := exec.CommandContext(ctx, "node", "e2e/story.mjs")
	story.Env = append(os.Environ(), "QUINTET_E2E_URL="+base, "QUINTET_E2E_LOGIN="+link)
	out, err := story.CombinedOutput()
	t.Logf("\n%s", out)
	if err != nil {
		t.Fatalf("the story did not end well: %v", err)
	}
	if chapters := bytes.Count(out, []byte("\nok ")); chapters < 33 {
		t.Errorf("the story has %d chapters behind its first, want 33", chapters)
	}
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
// directory. It gives the address and the login link that the service prints.
func serve(ctx context.Context, t *testing.T) (base, link string) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "quintet")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "quintet/cmd/quintet").CombinedOutput(); err != nil {
		t.Fatalf("building the service: %v\n%s", err, out)
	}
	service := exec.CommandContext(ctx, binary, "serve", "--shop", "--listen", "127.0.0.1:0", "--clickhouse-listen", "",
		"--data-dir", filepath.Join(dir, "data"), "--engines-dir", filepath.Join("..", "engines"))
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
	case link = <-links:
	case <-ended:
		t.Fatal("the service ended before it was ready")
	case <-ctx.Done():
		t.Fatal("the service was not ready in time")
	}
	base, _, found := strings.Cut(link, "/auth/")
	if !found {
		t.Fatalf("the service printed %q as its login link", link)
	}
	return base, link
}
