package models

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/models/bandits"
)

// killedDirVariable makes the test binary run killedChild in the directory that it
// names, on the Postgres of killedURLVariable.
const (
	killedDirVariable = "QUINTET_MODELS_KILLED_DIR"
	killedURLVariable = "QUINTET_MODELS_KILLED_URL"
	killedDecisions   = 300
)

// killedResult is what the last child, which nobody kills, found.
type killedResult struct {
	Versions     int64
	Decisions    [2]uint64 // live, and by a build of the same log
	Reward       [2]float64
	Observations int // in all versions, as stored
	Expected     int // decisions behind the build
	Worst        float64
}

// killedChild learns a log in very many small steps, from wherever the child before was
// killed, and compares the end with a build.
func killedChild(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("FAIL", err)
			os.Exit(1)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	library, err := clickhouse.LibraryPath(enginetest.EnginesDir())
	fail(err)
	log := slog.New(slog.DiscardHandler)
	engine, err := clickhouse.OpenEmbedded(ctx, clickhouse.EmbeddedOptions{LibraryPath: library, DataDir: filepath.Join(dir, "clickhouse"), Logger: log})
	fail(err)
	db, err := engine.Database(ctx, "log")
	fail(err)
	pool, err := postgres.OpenPool(ctx, os.Getenv(killedURLVariable), 4)
	fail(err)
	s, err := Open(ctx, Deps{Postgres: pool, ClickHouse: db, Logger: log})
	fail(err)
	data, err := os.ReadFile(filepath.Join(dir, "end.json"))
	fail(err)
	var plan struct {
		Start, End Position
		Now        time.Time
	}
	fail(json.Unmarshal(data, &plan))
	s.trainer.now = func() time.Time { return plan.Now }
	position := plan.Start
	s.stored = func(context.Context) (Position, error) { return position, nil }
	spec := liveSpec
	spec.PriorWeight = -1
	l, err := makeLiveLog(killedDecisions, plan.Now, false)
	fail(err)
	if s.Latest("hero", "") == nil { // the first child writes the log as well
		fail(migrateLog(ctx, db))
		fail(l.store(ctx, db))
		fail(s.Update(ctx, spec))
	}
	position = s.Latest("hero", "").position
	fmt.Println("READY", position)
	for i := 0; i <= len(l.decisions); i += 4 {
		next := plan.End
		if i+4 <= len(l.decisions) {
			next = l.upTo(i)
		}
		if next.Decisions <= position.Decisions && next.Events <= position.Events {
			continue
		}
		position = next
		_, err := s.Advance(ctx, spec)
		fail(err)
		fmt.Println("AT", position)
	}
	live := s.Latest("hero", "")
	built, err := s.trainer.build(ctx, spec, plan.Now, plan.End, true)
	fail(err)
	r := killedResult{Versions: live.Version, Decisions: [2]uint64{live.Decisions, built.Decisions}, Reward: [2]float64{live.Reward, built.Reward}}
	for _, action := range built.Model.Actions() {
		g, _ := live.Model.Arm(action)
		w, _ := built.Model.Arm(action)
		for i := range w.Mean {
			r.Worst = max(r.Worst, math.Abs(g.Mean[i]-w.Mean[i]), math.Abs(g.Covariance[bandits.PackedLen(i)+i]-w.Covariance[bandits.PackedLen(i)+i]))
		}
	}
	rows, err := pool.Query(ctx, `SELECT updates FROM models WHERE base IS NOT NULL ORDER BY version`)
	fail(err)
	for rows.Next() {
		var compressed []byte
		fail(rows.Scan(&compressed))
		raw, err := s.store.decoder.DecodeAll(compressed, nil)
		fail(err)
		updates, err := bandits.ParseUpdates(raw)
		fail(err)
		r.Observations += len(updates)
	}
	fail(rows.Err())
	found, err := readNews(ctx, db, &spec, dimension3, plan.Start, plan.End, plan.Now)
	fail(err)
	for i := range found.observations {
		if o := &found.observations[i]; o.isDecision {
			r.Expected++
		}
	}
	out, err := json.Marshal(r)
	fail(err)
	fmt.Println("RESULT", string(out))
}

// A process is killed several times while it learns from the stream. The model at the
// end is that of the log: no observation is lost and none is there twice.
func TestKilledLearnerLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts several processes")
	}
	if os.Getenv("QUINTET_TEST_CLICKHOUSE_URL") != "" {
		t.Skip("each process has a ClickHouse of its own")
	}
	url := enginetest.PostgresURL(t)
	pool, err := postgres.OpenPool(t.Context(), url, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := postgres.Migrate(t.Context(), pool, PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	now := time.Now().UTC()
	l, err := makeLiveLog(killedDecisions, now, false)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := json.Marshal(map[string]any{"Start": l.at(.4), "End": l.end(), "Now": now})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "end.json"), plan, 0o600); err != nil {
		t.Fatal(err)
	}
	var result string
	kills := 0
	for range 2 {
		if result = runLearner(t, dir, url, 3+rand.IntN(12)); result != "" {
			break
		}
		kills++
	}
	if result == "" {
		result = runLearner(t, dir, url, -1)
	}
	var r killedResult
	if err := json.Unmarshal([]byte(result), &r); err != nil {
		t.Fatalf("%q: %v", result, err)
	}
	if r.Decisions[0] != r.Decisions[1] || math.Abs(r.Reward[0]-r.Reward[1]) > 1e-6 || r.Worst > 1e-9 || r.Observations < r.Expected || r.Versions < 15 {
		t.Errorf("after %d kills: %+v", kills, r)
	}
	if kills < 2 {
		t.Errorf("%d kills", kills)
	}
	t.Logf("%d kills, %+v", kills, r)
}

// runLearner runs a child and kills it in the middle of a step, after so many; with a
// negative number it may end, and its result is returned.
func runLearner(t *testing.T, dir, url string, steps int) (result string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), killedDirVariable+"="+dir, killedURLVariable+"="+url)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<20)
	at := 0
	for scanner.Scan() {
		line := scanner.Text()
		switch {
		case strings.HasPrefix(line, "FAIL"):
			t.Error(line)
		case strings.HasPrefix(line, "RESULT "):
			result = strings.TrimPrefix(line, "RESULT ")
		case strings.HasPrefix(line, "AT"):
			if at++; at == steps {
				time.Sleep(rand.N(15 * time.Millisecond)) // into the middle of the next
				_ = child.Process.Kill()
			}
		}
	}
	_ = child.Wait()
	return result
}
