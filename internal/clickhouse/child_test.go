package clickhouse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

// A test that needs a process of its own starts this binary again with a role.
const (
	childRole = "QUINTET_CLICKHOUSE_CHILD"
	childDir  = "QUINTET_CLICKHOUSE_CHILD_DIR"
)

const (
	recoveryRows     = 5000 // of a batch
	recoveryDatabase = "recovery"
)

// runChild is the main function of such a process.
func runChild(role string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := child(ctx, role, os.Getenv(childDir)); err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

func child(ctx context.Context, role, dir string) error {
	library, err := installedLibrary()
	if err != nil {
		return err
	}
	e, err := OpenEmbedded(ctx, EmbeddedOptions{LibraryPath: library, DataDir: dir})
	if err != nil {
		return err
	}
	switch role {
	case "insert":
		return insertForEver(ctx, e)
	case "recover":
		return recoverAndCount(ctx, e)
	case "reopen":
		return reopen(ctx, e, library, dir)
	case "stop":
		return stop(ctx, e)
	}
	return errors.Join(fmt.Errorf("no role %q", role), e.Close())
}

func insertRange(ctx context.Context, d *Database, from uint64) error {
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"insert_deduplication_token": fmt.Sprintf("range-%d", from)}))
	batch, err := d.Write.PrepareBatch(ctx, "INSERT INTO log")
	if err != nil {
		return err
	}
	for n := from; n < from+recoveryRows; n++ {
		if err := batch.Append(n, fmt.Sprintf("event %d", n)); err != nil {
			return err
		}
	}
	return batch.Send()
}

// insertForEver inserts one range after the other and tells which are
// acknowledged, until it is killed.
func insertForEver(ctx context.Context, e *Engine) error {
	d, err := e.Database(ctx, recoveryDatabase)
	if err != nil {
		return err
	}
	for _, s := range []string{
		`CREATE TABLE log (n UInt64, s String) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000`,
		`CREATE TABLE daily (bucket UInt64, rows UInt64, total UInt64) ENGINE = SummingMergeTree ORDER BY bucket SETTINGS non_replicated_deduplication_window = 1000`,
		`CREATE MATERIALIZED VIEW to_daily TO daily AS SELECT n % 10 AS bucket, count() AS rows, sum(n) AS total FROM log GROUP BY bucket`,
	} {
		if err := d.Read.Exec(ctx, s); err != nil {
			return err
		}
	}
	for from := uint64(0); ; from += recoveryRows {
		if err := insertRange(ctx, d, from); err != nil {
			return err
		}
		fmt.Println("acknowledged", from)
	}
}

// recoverAndCount does what a sink does after a crash: it inserts again the
// last ranges, of which it cannot know whether they went in.
func recoverAndCount(ctx context.Context, e *Engine) error {
	d, err := e.Database(ctx, recoveryDatabase)
	if err != nil {
		return err
	}
	var last uint64
	if _, err := fmt.Scan(&last); err != nil {
		return err
	}
	for from := last - min(last, 2*recoveryRows); from <= last+recoveryRows; from += recoveryRows {
		if err := insertRange(ctx, d, from); err != nil {
			return err
		}
	}
	var rows, distinct, sum, viewRows, viewSum uint64
	if err := d.Read.QueryRow(ctx, "SELECT count(), uniqExact(n), sum(n) FROM log").Scan(&rows, &distinct, &sum); err != nil {
		return err
	}
	if err := d.Read.QueryRow(ctx, "SELECT sum(rows), sum(total) FROM daily").Scan(&viewRows, &viewSum); err != nil {
		return err
	}
	fmt.Println("counts", rows, distinct, sum, viewRows, viewSum)
	return e.Close()
}

// reopen closes the engine and opens it again, in another directory too.
func reopen(ctx context.Context, e *Engine, library, dir string) error {
	other := filepath.Join(dir, "other")
	if _, err := OpenEmbedded(ctx, EmbeddedOptions{LibraryPath: library, DataDir: other}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		return fmt.Errorf("a second engine in the process gave %v", err)
	}
	d, err := e.Database(ctx, "kept")
	if err != nil {
		return err
	}
	if err := d.Read.Exec(ctx, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
		return err
	}
	if err := d.Write.Exec(ctx, "INSERT INTO t VALUES (42)"); err != nil {
		return err
	}
	for range 2 {
		if err := e.Close(); err != nil {
			return err
		}
	}
	if err := d.Read.Exec(ctx, "SELECT 1"); err == nil {
		return errors.New("a query ran on a closed engine")
	}
	if _, err := e.Database(ctx, "kept"); !errors.Is(err, ErrClosed) {
		return fmt.Errorf("a database of a closed engine gave %v", err)
	}
	for _, at := range []string{other, dir} {
		if e, err = OpenEmbedded(ctx, EmbeddedOptions{LibraryPath: library, DataDir: at}); err != nil {
			return err
		}
		var kept uint64
		if err := e.admin.Read.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = 'kept'").Scan(&kept); err != nil {
			return err
		}
		if want := map[string]uint64{other: 0, dir: 1}[at]; kept != want {
			return fmt.Errorf("%d kept tables in %s, want %d", kept, at, want)
		}
		if err := e.Close(); err != nil {
			return err
		}
	}
	fmt.Println("reopened")
	return nil
}

// stop closes the engine while a query runs that does not end by itself.
func stop(ctx context.Context, e *Engine) error {
	ended := make(chan error, 1)
	go func() { ended <- e.admin.Read.Exec(ctx, endless) }()
	time.Sleep(100 * time.Millisecond)
	e.local.patience = 300 * time.Millisecond
	start := time.Now()
	if err := e.Close(); err != nil {
		return err
	}
	var cancelled *chgo.Exception
	if err := <-ended; !errors.As(err, &cancelled) || cancelled.Code != codeCancelled {
		return fmt.Errorf("the query ended with %v", err)
	}
	if took := time.Since(start); took < 300*time.Millisecond || took > 5*time.Second {
		return fmt.Errorf("closing took %v", took)
	}
	fmt.Println("stopped")
	return nil
}

// startChild runs this binary in a role and returns its output line by line.
func startChild(t *testing.T, role, dir, input string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	requireEngine(t)
	command := exec.CommandContext(testContext(t), os.Args[0])
	command.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir)
	command.Stdin = strings.NewReader(input)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	return command, bufio.NewScanner(out)
}

// After kill -9 in the middle of inserting, every acknowledged row is there,
// and inserting the last ranges again doubles none, in the view neither.
func TestKilledWhileInserting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round, after := range []int{1, 7, 40} {
		dir := filepath.Join(dir, strconv.Itoa(round))
		command, lines := startChild(t, "insert", dir, "")
		last := -1
		for acknowledged := 0; acknowledged < after && lines.Scan(); acknowledged++ {
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d", &last); err != nil {
				t.Fatalf("the child said %q", lines.Text())
			}
		}
		time.Sleep(time.Duration(round) * 3 * time.Millisecond)
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			fmt.Sscanf(lines.Text(), "acknowledged %d", &last)
		}
		command.Wait()
		if last < 0 {
			t.Fatal("nothing was acknowledged")
		}
		_, lines = startChild(t, "recover", dir, fmt.Sprintln(last))
		var rows, distinct, sum, viewRows, viewSum uint64
		if !lines.Scan() {
			t.Fatal("the child said nothing")
		}
		if _, err := fmt.Sscanf(lines.Text(), "counts %d %d %d %d %d", &rows, &distinct, &sum, &viewRows, &viewSum); err != nil {
			t.Fatalf("the child said %q", lines.Text())
		}
		want := uint64(last) + 2*recoveryRows
		if wantSum := want * (want - 1) / 2; rows != want || distinct != want || sum != wantSum || viewRows != want || viewSum != wantSum {
			t.Errorf("last acknowledged range %d: %d rows, %d distinct, sum %d; view %d rows, sum %d; want %d rows, sum %d", last, rows, distinct, sum, viewRows, viewSum, want, wantSum)
		}
	}
}

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, lines := startChild(t, "insert", dir, "")
	if !lines.Scan() {
		t.Fatal("the first process said nothing")
	}
	_, second := startChild(t, "recover", dir, "0\n")
	if !second.Scan() || !strings.Contains(second.Text(), "in use by another process (PID: "+strconv.Itoa(first.Process.Pid)+")") {
		t.Errorf("the second process said %q", second.Text())
	}
}

func TestOpenAndClose(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{"reopen": "reopened", "stop": "stopped"} {
		_, lines := startChild(t, role, filepath.Join(t.TempDir(), "data"), "")
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("the child in role %s said %q", role, lines.Text())
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	requireEngine(t)
	for _, readers := range []int{-1, maxReaders + 1} {
		_, err := OpenEmbedded(testContext(t), EmbeddedOptions{DataDir: t.TempDir(), Readers: readers})
		wantError(t, err, "readers", strconv.Itoa(readers))
	}
	_, err := OpenEmbedded(testContext(t), EmbeddedOptions{DataDir: t.TempDir()})
	if !errors.Is(err, ErrInUse) {
		t.Errorf("a second engine in the process gave %v", err)
	}
}
