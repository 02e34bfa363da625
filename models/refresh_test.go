package models

import (
	"fmt"
	"testing"
	"time"

	"quintet/models/bandits"
)

func sameTiles(t *testing.T, what string, got, want map[string]bandits.Tile) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d tiles, want %d", what, len(got), len(want))
	}
	for action, w := range want {
		g, ok := got[action]
		if !ok || !near([]float64{g.N, g.SumR, g.SumR2}, []float64{w.N, w.SumR, w.SumR2}) || !near(g.SumRX, w.SumRX) || !near(g.SumXX, w.SumXX) {
			t.Errorf("%s: tile of %s:\n got %+v\nwant %+v", what, action, g, w)
		}
	}
}

// Stored tiles come to what the log comes to by itself, through replays, late outcomes
// and removals, and only the days that changed are summed again.
func TestStoredTilesFollowTheLog(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	trade(t, db, "hero", 0, 200)
	spec := heroSpec
	spec.LargestWeight = 10
	encoder, err := spec.compile()
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := spec.recipe(encoder)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	all := part{from: bandits.DayOf(now.AddDate(0, 0, -300)).Time(), to: now, through: everything, dimension: dimension3}
	weigh := func(day bandits.Day) (c, g float64) {
		return 1 / (1 + float64(bandits.DayOf(now)-day)), 1 / (2 + float64(bandits.DayOf(now)-day))
	}
	check := func(what string, spec Spec, written int) {
		t.Helper()
		done, err := refreshTiles(t.Context(), db, &spec, recipe, all, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if done.written != written && written >= 0 {
			t.Errorf("%s: %d days of %d were summed, want %d", what, done.written, done.days, written)
		}
		read := func(recipe string) map[string]bandits.Tile {
			got, _ := readAll(t, spec, now, func(s *Spec, add func(bandits.Tile) error) (learned, error) {
				return readTiles(t.Context(), db, s, recipe, all, weigh, add)
			})
			return got
		}
		sameTiles(t, what, read(recipe), read(""))
	}
	done, err := refreshTiles(t.Context(), db, &spec, recipe, all, now)
	if err != nil || done.days < 3 || done.written != done.days {
		t.Fatalf("first run: %+v (%v)", done, err)
	}
	check("again", spec, 0)

	// The same rows again, as after a crash of the sink.
	for _, table := range []string{"decisions", "events"} {
		if err := db.Write.Exec(t.Context(), fmt.Sprintf("INSERT INTO %s SELECT * FROM %s", table, table)); err != nil {
			t.Fatal(err)
		}
	}
	check("after a replay", spec, 0)

	// A late outcome changes the day of its decision, not its own.
	insertEvents(t, db, event{id: "late", name: "Order", decision: "hero5", profile: "p5", at: now})
	check("late, outside of the window", spec, 0)
	var at time.Time
	if err := db.Read.QueryRow(t.Context(), `SELECT decided_at FROM decisions WHERE decision_id = 'hero5' LIMIT 1`).Scan(&at); err != nil {
		t.Fatal(err)
	}
	insertEvents(t, db, event{id: "late2", name: "Order", decision: "hero5", profile: "p5", at: at.Add(23 * time.Hour)})
	check("after a late outcome", spec, 1)

	// Terms weigh differently from now on: nothing is summed again.
	dearer := spec
	dearer.Objective.Terms = []Term{{Event: "Order", Weight: -7}}
	dearer.Objective.SubtractContactCost = true
	check("with other weights", dearer, 0)

	// What is removed is gone from the tiles, also where it was all of a day.
	if err := db.Write.Exec(t.Context(), "ALTER TABLE decisions DELETE WHERE toDate(decided_at) = (SELECT min(toDate(decided_at)) FROM decisions) SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	check("after a removal", spec, 1)

	// A day whose tiles were stored in part, as by a process that was killed, is summed again.
	if err := db.Write.Exec(t.Context(), "ALTER TABLE model_tiles DELETE WHERE action = 'push' AND day = (SELECT max(day) FROM model_tiles) SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	check("after a torn write", spec, 1)
}
