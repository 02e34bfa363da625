//go:build unix

package postgres

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"quintet/internal/engines/dirlock"
)

func TestEmbeddedKeepsItsDataAndItsSecrets(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "postgres")
	e := start(t, EmbeddedOptions{DataDir: dir})
	url := e.URL(DefaultDatabase)
	for statement, want := range map[string]string{
		`SELECT current_setting('server_version_num')::int / 10000 || ''`:                                       "18",
		`SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()`:              "UTF8",
		`SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = current_database()`:   "b C.UTF-8",
		`SELECT current_setting('unix_socket_directories')`:                                                     "",
		`SELECT current_setting('listen_addresses')`:                                                            "127.0.0.1",
		`SELECT current_setting('password_encryption')`:                                                         "scram-sha-256",
		`SELECT current_setting('fsync') || current_setting('synchronous_commit')`:                              "onon",
		`SELECT rolsuper || ' ' || rolcreatedb FROM pg_roles WHERE rolname = current_user`:                      "false true",
		`SELECT string_agg(upper(x), '' ORDER BY x) FROM (VALUES ('é'), ('z'), ('a')) v(x)`:                     "AZÉ",
		`SELECT count(*)::text FROM pg_database WHERE datname = 'quintet' AND datdba = 'quintet'::regrole::oid`: "1",
	} {
		address := url
		if strings.Contains(statement, "current_setting") { // some are for superusers only
			address = e.address(superuser, e.cluster.superuserPassword, DefaultDatabase, e.port)
		}
		if got := query[string](t, address, statement); got != want {
			t.Errorf("%s = %q, want %q", statement, got, want)
		}
	}
	execute(t, url, `CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)`)
	for _, name := range []string{"password", "superuser-password"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, info.Mode().Perm())
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if members, _, err := clusterProcesses(e.cluster.dataDir(), e.id); err != nil || len(members) > 0 {
		t.Errorf("after Close: processes %v, error %v; want none", members, err)
	}

	began := time.Now()
	e = start(t, EmbeddedOptions{DataDir: dir})
	t.Logf("start on an existing cluster: %s", time.Since(began).Round(time.Millisecond))
	if got := query[int](t, e.URL(DefaultDatabase), `SELECT n FROM kept`); got != 42 {
		t.Errorf("kept row is %d, want 42", got)
	}
}

func TestEmbeddedRefusesASecondProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, EmbeddedOptions{DataDir: dir, Ephemeral: true})
	_, err := StartEmbedded(t.Context(), EmbeddedOptions{EnginesDir: enginesDir(), DataDir: dir})
	var held *dirlock.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("second start: got %v, want a HeldError", err)
	}
	if want := "in use by process " + strconv.Itoa(os.Getpid()); !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%q does not hold %q and %q", err, want, dir)
	}
	if got := query[int](t, e.URL(DefaultDatabase), `SELECT 1`); got != 1 {
		t.Error("the first server no longer answers")
	}
}

func TestEmbeddedWrongPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, EmbeddedOptions{DataDir: dir, Ephemeral: true})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	// The service's password is set anew from its file; the superuser's cannot be.
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("it's another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e = start(t, EmbeddedOptions{DataDir: dir, Ephemeral: true})
	if got := query[int](t, e.URL(DefaultDatabase), `SELECT 1`); got != 1 {
		t.Error("the new password does not work")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "superuser-password")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := StartEmbedded(t.Context(), EmbeddedOptions{EnginesDir: enginesDir(), DataDir: dir, Ephemeral: true})
	if err == nil || !strings.Contains(err.Error(), "password file") {
		t.Errorf("got %v, want an error that names the password file", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s to say so", took)
	}
}

func TestEmbeddedRefusesAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("16\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := StartEmbedded(t.Context(), EmbeddedOptions{EnginesDir: enginesDir(), DataDir: dir})
	skipIfNotInstalled(t, err)
	if err == nil || !strings.Contains(err.Error(), "made by Postgres 16") {
		t.Errorf("got %v, want an error that names the version", err)
	}
}

// What was left of a killed initdb must not be taken for a cluster.
func TestEmbeddedStartsOverAfterAnUnfinishedInitdb(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, "init", "data")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "PG_VERSION"), []byte("18\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := start(t, EmbeddedOptions{DataDir: dir, Ephemeral: true})
	if got := query[int](t, e.URL(DefaultDatabase), `SELECT 1`); got != 1 {
		t.Error("the server does not answer")
	}
	if _, err := os.Stat(filepath.Join(dir, "init")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished directory is still there: %v", err)
	}
}

// killedParent runs a process that writes to a server of its own and kills it once it
// has written enough. It returns the last number that the process had acknowledged.
func killedParent(t *testing.T, dir string, enough int64) int64 {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), childVariable+"="+dir)
	child.Stderr = t.Output()
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	first, last := int64(0), int64(0)
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if last, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = last
		}
		if last == first+enough {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || first == 0 {
		t.Fatalf("the child was not killed while it wrote: %v", err)
	}
	return last
}

func TestEmbeddedSurvivesKillOfItsParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, EmbeddedOptions{DataDir: dir}).Close() // skips here without engines
	dataDir := filepath.Join(dir, "data")
	for round := range 3 {
		last := killedParent(t, dir, 300)
		id, err := chooseIdentity(dataDir)
		if err != nil {
			t.Fatal(err)
		}
		members, postmasters, err := clusterProcesses(dataDir, id)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: %d processes outlived their parent", round, len(members))
		if round == 1 {
			// The hardest case: nothing of the server is left either, as after a
			// power cut, but for a postmaster.pid whose number is now ours.
			for _, pid := range append(postmasters, members...) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			pidFile := filepath.Join(dataDir, "postmaster.pid")
			if text, err := os.ReadFile(pidFile); err == nil {
				_, rest, _ := strings.Cut(string(text), "\n")
				if err := os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		e := start(t, EmbeddedOptions{DataDir: dir})
		// The row that was being written when the kill came may be there too.
		count := query[int64](t, e.URL(DefaultDatabase), `SELECT count(*) FROM written`)
		highest := query[int64](t, e.URL(DefaultDatabase), `SELECT max(n) FROM written`)
		if count != highest || highest < last || highest > last+1 {
			t.Errorf("round %d: %d rows up to %d, acknowledged %d", round, count, highest, last)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A server whose parent is gone and that got no death signal (as on macOS) is stopped by
// the next one.
func TestEmbeddedStopsAnOrphan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, EmbeddedOptions{DataDir: dir})
	execute(t, e.URL(DefaultDatabase), `CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)`)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	orphan := startWithoutOwner(t, e)
	next := start(t, EmbeddedOptions{DataDir: dir})
	if orphan.running() {
		t.Error("the orphan is still running")
	}
	if got := query[int](t, next.URL(DefaultDatabase), `SELECT n FROM kept`); got != 1 {
		t.Errorf("kept row is %d, want 1", got)
	}
}

// startWithoutOwner runs the server of a closed Embedded with no death signal and no lock.
func startWithoutOwner(t *testing.T, e *Embedded) *process {
	t.Helper()
	p, err := startProcess(e.binaries, e.id, e.binaries.postgres(), e.cluster.serverArguments(e.port, false), 0, newServerLog(e.logger))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.kill(syscall.SIGKILL)
		p.waitFor(killStop)
	})
	if err := e.awaitReady(t.Context(), p, e.port); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEmbeddedIsStartedAgainWhenItDies(t *testing.T) {
	t.Parallel()
	e := start(t, EmbeddedOptions{DataDir: t.TempDir()})
	url := e.URL(DefaultDatabase)
	execute(t, url, `CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)`)
	pool, err := OpenPool(t.Context(), url, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, postmasters, err := clusterProcesses(e.cluster.dataDir(), e.id)
	if err != nil || len(postmasters) != 1 {
		t.Fatalf("postmasters %v, error %v; want one", postmasters, err)
	}
	if err := syscall.Kill(postmasters[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		var got int
		err := pool.QueryRow(t.Context(), `SELECT n FROM kept`).Scan(&got)
		_, now, listErr := clusterProcesses(e.cluster.dataDir(), e.id)
		if err == nil && listErr == nil && len(now) == 1 && now[0] != postmasters[0] {
			if got != 7 {
				t.Errorf("kept row is %d, want 7", got)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not come back: %v, %v", err, listErr)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
