package enginetest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"quintet/internal/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// Two tests that use the same names at the same time see only their own.
func TestDatabasesAreFresh(t *testing.T) {
	t.Parallel()
	for n := range 3 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			pool := enginetest.Postgres(t)
			if _, err := pool.Exec(ctx, `CREATE TABLE same (n int)`); err != nil {
				t.Fatal(err)
			}
			if _, err := pool.Exec(ctx, `INSERT INTO same VALUES ($1)`, n); err != nil {
				t.Fatal(err)
			}
			var got int
			if err := pool.QueryRow(ctx, `SELECT sum(n) FROM same`).Scan(&got); err != nil || got != n {
				t.Errorf("postgres: %d, %v; want %d", got, err, n)
			}

			db := enginetest.ClickHouse(t)
			if err := db.Write.Exec(ctx, `CREATE TABLE same (n Int64) ENGINE = MergeTree ORDER BY n`); err != nil {
				t.Fatal(err)
			}
			if err := db.Write.Exec(ctx, fmt.Sprintf(`INSERT INTO same VALUES (%d)`, n)); err != nil {
				t.Fatal(err)
			}
			var sum int64
			if err := db.Read.QueryRow(ctx, `SELECT sum(n) FROM same`).Scan(&sum); err != nil || sum != int64(n) {
				t.Errorf("clickhouse: %d, %v; want %d", sum, err, n)
			}

			topic, err := enginetest.Stream(t).Topic(ctx, "SAME")
			if err != nil {
				t.Fatal(err)
			}
			if seq, err := topic.Publish(ctx, []byte("one")); err != nil || seq != 1 {
				t.Errorf("stream: message %d, %v; want the first", seq, err)
			}
		})
	}
}

// helperVariable turns TestUseEnginesUntilKilled into the binary that gets killed.
const helperVariable = "QUINTET_TEST_KILLED"

func TestUseEnginesUntilKilled(t *testing.T) {
	if os.Getenv(helperVariable) == "" {
		t.Skip("runs only as the child of TestAKilledBinaryLeavesNothing")
	}
	enginetest.Postgres(t)
	enginetest.ClickHouse(t)
	enginetest.Stream(t)
	fmt.Println("ready")
	time.Sleep(time.Minute)
}

func TestAKilledBinaryLeavesNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no embedded engines")
	}
	if os.Getenv("QUINTET_TEST_POSTGRES_URL") != "" {
		t.Skip("the engines are external: there is nothing to leave")
	}
	enginetest.Postgres(t) // skips here without engines
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	temporary := t.TempDir()
	if err := os.Chmod(filepath.Dir(temporary), 0o755); err != nil { // Postgres runs as another account under root
		t.Fatal(err)
	}
	child := exec.Command(program, "-test.run", "^TestUseEnginesUntilKilled$")
	child.Env = append(os.Environ(), helperVariable+"=1", "TMPDIR="+temporary)
	child.Stderr = t.Output()
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := []string{}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		said = append(said, lines.Text())
		if lines.Text() == "ready" {
			break
		}
	}
	if len(said) == 0 || said[len(said)-1] != "ready" {
		t.Fatalf("the child did not get ready: %q", said)
	}
	pidFiles, err := filepath.Glob(filepath.Join(temporary, "quintet-test-*", "postgres", "data", "postmaster.pid"))
	if err != nil || len(pidFiles) != 1 {
		t.Fatalf("process id files %q, %v; want one", pidFiles, err)
	}
	text, err := os.ReadFile(pidFiles[0])
	if err != nil {
		t.Fatal(err)
	}
	pid, _, _ := strings.Cut(string(text), "\n")
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed

	deadline := time.Now().Add(20 * time.Second)
	for {
		left, err := filepath.Glob(filepath.Join(temporary, "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 && !alive(pid) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: files %q, Postgres running: %v", left, alive(pid))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// alive reports whether the process runs; one that ended but was not reaped does not.
func alive(pid string) bool {
	if runtime.GOOS != "linux" {
		return exec.Command("kill", "-0", pid).Run() == nil
	}
	line, err := os.ReadFile("/proc/" + pid + "/cmdline")
	return err == nil && len(line) > 0 && !errors.Is(err, fs.ErrNotExist)
}

func TestSharedFile(t *testing.T) {
	t.Parallel()
	t.Run("absent", func(t *testing.T) {
		defer func() {
			if !t.Skipped() {
				t.Error("the test was not skipped")
			}
		}()
		enginetest.SharedFile(t, "no", "such.csv")
	})
	if path := enginetest.SharedFile(t, "hillstrom.csv"); !strings.HasSuffix(path, "hillstrom.csv") {
		t.Errorf("got %s", path)
	}
}
