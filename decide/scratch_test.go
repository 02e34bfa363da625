package decide

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadlineIsUsedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		type key struct{}
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
		cancel() // the parent's end is not its own
		for round := range 6 {
			d.begin(parent, 50*time.Millisecond)
			if at, ok := d.Deadline(); !ok || time.Until(at) != 50*time.Millisecond {
				t.Fatalf("round %d: deadline in %s", round, time.Until(at))
			}
			if d.Value(key{}) != "kept" || d.Err() != nil {
				t.Fatalf("round %d: value %v, error %v", round, d.Value(key{}), d.Err())
			}
			switch round % 3 {
			case 0: // nobody waits
			case 1: // somebody waits and gets what they wait for
				select {
				case <-d.Done():
					t.Fatalf("round %d: over at once", round)
				case <-time.After(40 * time.Millisecond):
				}
			case 2: // the time passes
				select {
				case <-d.Done():
				case <-time.After(time.Second):
					t.Fatalf("round %d: not over", round)
				}
				if !errors.Is(d.Err(), context.DeadlineExceeded) {
					t.Fatalf("round %d: error %v", round, d.Err())
				}
			}
			d.end()
		}
	})
}

func TestRecentIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	r := newRecent(100, time.Now())
	r.limit = 10_000
	var last string
	for i := range 300 {
		rec := &Record{DecisionID: newDecisionID(time.Now()), Decision: "hero", Probabilities: make([]float64, 10*(i%7)), Candidates: make([]string, 10*(i%7))}
		data, err := encodeRecord(rec)
		if err != nil {
			t.Fatal(err)
		}
		r.add(rec, data)
		last = rec.DecisionID
		total, held := 0, 0
		for _, k := range r.ring {
			total += cap(k.data)
			if len(k.data) > 0 {
				held++
			}
		}
		if total != r.bytes || total > r.limit || held != len(r.byID) || !r.has(last) {
			t.Fatalf("after %d: %d bytes counted as %d, %d held and %d known, the last %v", i, total, r.bytes, held, len(r.byID), r.has(last))
		}
	}
	if rec, ok := r.get(last); !ok || rec.Decision != "hero" {
		t.Errorf("the last is %+v", rec)
	}
}
