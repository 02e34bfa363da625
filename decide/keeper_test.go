package decide

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/internal/definitions"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// reopen is the service of another process on the same engines.
func (w *world) reopen(t *testing.T) *world {
	t.Helper()
	next := *w
	store, err := definitions.Open(t.Context(), w.pool, w.deps.Logger)
	if err != nil {
		t.Fatal(err)
	}
	if next.tests, err = experiments.Open(t.Context(), experiments.Deps{Logger: w.deps.Logger, Definitions: store, ClickHouse: w.logged}); err != nil {
		t.Fatal(err)
	}
	next.deps.Definitions, next.deps.Trials = store, next.tests
	if next.Service, err = Open(t.Context(), next.deps); err != nil {
		t.Fatal(err)
	}
	return &next
}

func variants(t *testing.T, w *world, n int) []string {
	t.Helper()
	out := make([]string, n)
	for i := range out {
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(i)})
		out[i] = rec.variant("trial")
		w.agrees(t, rec)
	}
	return out
}

func TestStickyVariantsSurviveRestartsAndWeights(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprintf("stored=%t", stored), func(t *testing.T) {
			t.Parallel()
			const n = 120
			w := newWorld(t, worldOptions{noSink: !stored})
			w.put(t, "home", hero())
			e := experiments.Experiment{DecisionPoint: "home", Variants: halves(), Coverage: .5, Targeting: experiments.Targeting{Sticky: true}}
			w.start(t, "trial", e)
			was := variants(t, w, n)

			v, _ := w.tests.Definitions().Get("trial")
			e = v.Value
			e.Variants = append([]experiments.Variant(nil), e.Variants...)
			e.Variants[0].Weight, e.Variants[1].Weight, e.Coverage = .05, .95, 1
			if _, err := w.tests.Definitions().Put(t.Context(), "trial", e, "test", 0); err != nil {
				t.Fatal(err)
			}
			again := variants(t, w, n)
			if stored {
				w.flush(t)
			}
			other := w.reopen(t)
			restarted := variants(t, other, n)
			fresh := 0
			for i := range was {
				if was[i] != "" && (again[i] != was[i] || restarted[i] != was[i]) {
					t.Errorf("person %d had %s, then %s, after a restart %s", i, was[i], again[i], restarted[i])
				}
				if again[i] != restarted[i] {
					t.Errorf("person %d had %s before a restart and %s after", i, again[i], restarted[i])
				}
				if was[i] == "" && again[i] == "b" {
					fresh++
				}
			}
			if fresh < 40 {
				t.Errorf("only %d of those who came later are in the arm that has nearly all now", fresh)
			}

			// A raised bucket version forgets, and assigns by hash.
			e.BucketVersion = 1
			if _, err := w.tests.Definitions().Put(t.Context(), "trial", e, "test", 0); err != nil {
				t.Fatal(err)
			}
			moved := 0
			for i, v := range variants(t, w, n) {
				if v != again[i] {
					moved++
				}
			}
			if moved < 10 {
				t.Errorf("only %d of %d moved with the bucket version", moved, n)
			}
			if _, err := w.tests.Stop(t.Context(), "trial", "test"); err != nil {
				t.Fatal(err)
			}
			if err := w.tidyKept(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			var rows int64
			if err := w.pool.QueryRow(t.Context(), "SELECT count(*) FROM kept_variants").Scan(&rows); err != nil || rows != 0 || w.keeper.size.Load() != 0 {
				t.Errorf("of an experiment that has ended %d rows and %d in memory are kept, %v", rows, w.keeper.size.Load(), err)
			}
		})
	}
}

func TestWhatIsKeptIsErasedWithThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "home", hero())
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "home", Variants: halves(), Targeting: experiments.Targeting{Sticky: true}})
	_, rec := w.ask(t, Request{Decision: "home", User: w.person(1)})
	w.ask(t, Request{Decision: "home", User: w.person(2)})
	w.flush(t)
	id, ok := identity.ParseID(rec.ProfileID)
	if !ok {
		t.Fatalf("%s is no profile id", rec.ProfileID)
	}
	if _, err := w.Erase(t.Context(), &profiles.ErasureSubject{Profiles: []profiles.ErasedProfile{{ID: id, Text: rec.ProfileID}}}); err != nil {
		t.Fatal(err)
	}
	var left string
	var rows int64
	if err := w.pool.QueryRow(t.Context(), "SELECT count(*), min(unit) FROM kept_variants").Scan(&rows, &left); err != nil || rows != 1 || left == rec.ProfileID || w.keeper.size.Load() != 1 {
		t.Errorf("%d rows with %s and %d in memory are left, %v", rows, left, w.keeper.size.Load(), err)
	}
}

func TestKeeperIsBounded(t *testing.T) {
	t.Parallel()
	k := newKeeper(100)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 300 {
				k.add([]string{"a", "b"}[i%2], fmt.Sprint(worker, "-", i), assignment.Kept{Variant: i % 100, Version: 7})
			}
		})
	}
	wg.Wait()
	if n := k.size.Load(); n < 100 || n > 103 { // each worker may have been about to add one
		t.Errorf("%d are kept, at most 100 may be", n)
	}
	if k.room() {
		t.Error("there is room where there is none")
	}
	k.retain(func(experiment string) bool { return experiment == "a" })
	if _, ok := k.get("b", "0-1"); ok || !k.room() {
		t.Error("what has ended is kept")
	}
	for range 200 {
		want := assignment.Kept{Variant: rand.IntN(100), Version: rand.IntN(1_000_001)}
		if got := unpacked(packed(want)); got != want {
			t.Fatalf("%+v became %+v", want, got)
		}
	}
	if _, ok := (*keeper)(nil).get("a", "x"); ok {
		t.Error("no keeper keeps something")
	}
}

// The plan of a record refers to what the decision saw, also when it is asked for much
// later.
func TestReplayOfWhatHasChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "home", hero())
	w.put(t, "cart", hero())
	first := experiments.Experiment{DecisionPoint: "cart", Variants: halves()}
	w.start(t, "first", first)
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "home", Variants: halves(), Coverage: .5, Targeting: experiments.Targeting{
		Prerequisites: []experiments.Prerequisite{{Experiment: "first", Variants: []string{"b"}}}}})
	var records []*Record
	for i := range 40 {
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(i)})
		records = append(records, rec)
	}
	time.Sleep(5 * time.Millisecond) // what changes now is of another moment
	if _, err := w.tests.Stop(t.Context(), "first", "test"); err != nil {
		t.Fatal(err)
	}
	v, _ := w.tests.Definitions().Get("trial")
	e := v.Value
	e.Coverage = 1
	if _, err := w.tests.Definitions().Put(t.Context(), "trial", e, "test", 0); err != nil {
		t.Fatal(err)
	}
	reasons := map[string]int{}
	for _, rec := range records {
		w.agrees(t, rec)
		for _, x := range rec.Excluded {
			reasons[x.Reason]++
		}
	}
	if reasons["coverage"] == 0 || reasons["prerequisite:first"] == 0 {
		t.Errorf("excluded by %v", reasons)
	}
	_, rec := w.ask(t, Request{Decision: "home", User: w.person(0)})
	if len(rec.Excluded) != 1 || !strings.HasPrefix(rec.Excluded[0].Reason, "prerequisite:") {
		t.Errorf("after the end of what is required: %+v", rec.Excluded)
	}
	w.agrees(t, rec)
}
