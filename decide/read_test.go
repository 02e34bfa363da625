package decide

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/experiments"
	"quintet/internal/problem"
	"quintet/internal/stream"
)

// What the sink writes is what the record says, field by field.
func TestRowsInClickHouseAreTheRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	gen := rapid.Custom(func(t *rapid.T) *Record {
		// As text in ClickHouse's columns is any bytes, but a key must not be empty.
		return drawRecord(t, time.UnixMilli(rapid.Int64Range(1.6e12, 1.8e12).Draw(t, "at")).UTC())
	})
	want := make(map[string]*Record)
	batch := stream.Batch{Topic: Topic, From: 1, To: 2000}
	for i := range 300 {
		rec := gen.Example(i)
		want[rec.DecisionID] = rec
		data, err := encodeRecord(rec)
		if err != nil {
			t.Fatal(err)
		}
		batch.Messages = append(batch.Messages, stream.Message{Sequence: uint64(i + 1), Data: data})
		if i%50 == 0 { // what a foreign writer left
			batch.Messages = append(batch.Messages, stream.Message{Sequence: uint64(1000 + i), Data: []byte("{}")})
		}
	}
	for range 2 { // the second time changes nothing
		if err := w.store(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	var rows, exposures, enrolments uint64
	if err := w.logged.Read.QueryRow(t.Context(), "SELECT (SELECT count() FROM decisions), (SELECT count() FROM exposures)").Scan(&rows, &exposures); err != nil {
		t.Fatal(err)
	}
	found, err := w.query(t.Context(), "ORDER BY decision_id")
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range found {
		rec := want[got.DecisionID]
		for _, e := range rec.Experiments {
			if e.How != "forced" { // was not drawn, and counts nowhere
				enrolments++
			}
		}
		for _, list := range []any{got.Reasons, got.Items, got.Candidates, got.Removed, got.Experiments, got.Excluded, got.FeatureIndex, got.Context, got.Traits} {
			if reflect.ValueOf(list).IsNil() {
				t.Errorf("%s: a list is null in JSON", got.DecisionID)
			}
		}
		// As written to the stream: there an empty list and none are the same.
		a, errA := encodeRecord(got)
		b, errB := encodeRecord(rec)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("got  %+v\nwant %+v", got, rec)
		}
	}
	if rows != 300 || len(found) != 300 || exposures != enrolments {
		t.Errorf("%d rows, %d read, %d exposures of %d", rows, len(found), exposures, enrolments)
	}
}

func ids(list []*Record) (out []string) {
	for _, r := range list {
		out = append(out, r.DecisionID)
	}
	return out
}

func TestListsJoinMemoryAndLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "hero", hero())
	w.put(t, "other", hero())
	w.recent = newRecent(40, time.Now()) // most is in the log only, some in both, the last in memory only
	want := make(map[string][]string)    // newest first
	note := func(point string, id string) {
		for _, list := range []string{"", point} {
			want[list] = append([]string{id}, want[list]...)
		}
	}
	external := func(at time.Time) External {
		return External{DecisionID: newDecisionID(at), Decision: "hero", User: w.person(2), DecidedAt: at,
			Action: "x", Candidates: []string{"x"}, Probabilities: []float64{1}}
	}
	// An import of the past comes in between.
	old := []External{external(time.Now().Add(-2000 * time.Hour)), external(time.Now().Add(-3000 * time.Hour))}
	for i := range 150 {
		if i == 140 {
			w.flush(t)
			if _, err := w.LogExternal(t.Context(), old, ""); err != nil {
				t.Fatal(err)
			}
		}
		point := []string{"hero", "hero", "other"}[i%3]
		resp, rec := w.ask(t, Request{Decision: point, User: w.person(i % 10)})
		note(point, resp.DecisionID)
		_ = rec
	}
	for _, list := range []string{"", "hero"} {
		want[list] = append(want[list], old[0].DecisionID, old[1].DecisionID)
	}
	for _, list := range want {
		slices.SortFunc(list, func(a, b string) int { return strings.Compare(b, a) }) // of one millisecond
	}
	for _, point := range []string{"", "hero", "other"} {
		for _, limit := range []int{1, 7, 25, 500} {
			var got []string
			for before := ""; ; before = got[len(got)-1] {
				page, err := w.List(t.Context(), Filter{Decision: point, Before: before, Limit: limit})
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, ids(page)...); len(page) < limit {
					break
				}
			}
			if !slices.Equal(got, want[point]) {
				t.Errorf("%q by %d: %d decisions, want %d\n%v\n%v", point, limit, len(got), len(want[point]), got, want[point])
			}
		}
	}
	person := w.person(4)
	resp, _ := w.ask(t, Request{Decision: "hero", User: person})
	list, err := w.List(t.Context(), Filter{ProfileID: resp.Who.ProfileID, Limit: 100})
	if err != nil || len(list) != 16 {
		t.Errorf("%d decisions of one person (%v), want 16", len(list), err)
	}
	for _, r := range list {
		if r.ProfileID != resp.Who.ProfileID {
			t.Errorf("%s is about somebody else", r.DecisionID)
		}
	}
	w.flush(t)
	for _, id := range []string{resp.DecisionID, want[""][149], old[0].DecisionID} {
		if rec, err := w.Find(t.Context(), id); err != nil || rec.DecisionID != id {
			t.Errorf("finding %s: %v", id, err)
		}
	}
	for _, id := range []string{"", "x", newDecisionID(time.Now()), strings.Repeat("x", 10000)} {
		if _, err := w.Find(t.Context(), id); problem.From(err).GetStatus() != 404 {
			t.Errorf("finding %.30q: %v, want a 404", id, err)
		}
	}
	// The log, oldest first, holds each decision once.
	var log []string
	for after := ""; ; after = log[len(log)-1] {
		page, err := w.Log(t.Context(), "hero", after, 9)
		if err != nil {
			t.Fatal(err)
		}
		if log = append(log, ids(page)...); len(page) < 9 {
			break
		}
	}
	slices.Reverse(log)
	if wantLog := append([]string{resp.DecisionID}, want["hero"]...); !slices.Equal(log, wantLog) {
		t.Errorf("log of %d decisions, want %d", len(log), len(wantLog))
	}
}

func TestRecentIsBoundedAndInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := time.UnixMilli(1e12)
		size := rapid.IntRange(1, 8).Draw(t, "size")
		r := newRecent(size, start)
		added := []string{}
		for range rapid.IntRange(0, 30).Draw(t, "adds") {
			id := newDecisionID(start.Add(time.Duration(rapid.IntRange(-20, 20).Draw(t, "ms")) * time.Millisecond))
			if len(added) > 0 && rapid.IntRange(0, 4).Draw(t, "again") == 0 {
				id = rapid.SampledFrom(added).Draw(t, "which")
			}
			if _, ok := r.get(id); !ok {
				added = append(added, id)
			}
			data, err := encodeRecord(&Record{DecisionID: id})
			if err != nil {
				t.Fatal(err)
			}
			r.add(&Record{DecisionID: id}, data)
		}
		held := slices.Clone(added[max(0, len(added)-size):])
		slices.Sort(held)
		slices.Reverse(held)
		if len(r.byID) != len(held) {
			t.Fatalf("%d held, want %d", len(r.byID), len(held))
		}
		limit := rapid.IntRange(1, 10).Draw(t, "limit")
		got, complete := r.list(&Filter{Limit: limit})
		if want := held[:min(limit, len(held))]; !slices.Equal(ids(got), want) && len(want) > 0 {
			t.Fatalf("list %v, want %v", ids(got), want)
		}
		if complete {
			// Everything that was ever added and is as young is in the list.
			for _, id := range added {
				if id > got[len(got)-1].DecisionID && !slices.Contains(ids(got), id) {
					t.Errorf("said to be complete, but lacks %s", id)
				}
			}
		}
	})
}

func TestActivityAndOverview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "hero", hero())
	w.put(t, "quiet", hero())
	if a, err := w.Activity(t.Context(), "quiet", time.Hour); err != nil || len(a.Series) != 0 || a.Series == nil || a.BucketSeconds != 60 {
		t.Errorf("activity of nothing: %+v (%v)", a, err)
	}
	start := time.Now().Truncate(time.Minute).Add(-30 * time.Minute)
	counts := make(map[string]uint64)
	var list []External
	for i := range 300 {
		at := start.Add(time.Duration(i) * 5 * time.Second)
		e := External{DecisionID: newDecisionID(at), Decision: "hero", User: w.person(i), DecidedAt: at, Action: []string{"x", "y", "x"}[i%3],
			Candidates: []string{"x", "y"}, Probabilities: []float64{0.75, 0.25}, Group: []Group{GroupTreated, GroupControl}[i%2]}
		counts[e.Action]++
		list = append(list, e)
	}
	for range 2 { // logged again, nothing changes
		if _, err := w.LogExternal(t.Context(), list, ""); err != nil {
			t.Fatal(err)
		}
		w.flush(t)
	}
	a, err := w.Activity(t.Context(), "hero", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	perBucket := make(map[time.Time]float64)
	for _, s := range a.Series {
		var n uint64
		for _, p := range s.Points {
			n += p.Decisions
			perBucket[p.At] += p.Share
			if want := map[string]float64{"x": 0.75, "y": 0.25}[s.Action]; math.Abs(p.MeanPropensity-want) > 1e-12 {
				t.Errorf("mean propensity %g of %s", p.MeanPropensity, s.Action)
			}
		}
		if n != counts[s.Action] {
			t.Errorf("%d decisions of %s, want %d", n, s.Action, counts[s.Action])
		}
	}
	if len(a.Series) != 2 || len(perBucket) > activityBuckets+1 || len(perBucket) < 20 {
		t.Errorf("%d actions in %d buckets", len(a.Series), len(perBucket))
	}
	for at, share := range perBucket {
		if math.Abs(share-1) > 1e-9 {
			t.Errorf("the shares at %s sum to %g", at, share)
		}
	}
	o, err := w.overview(t.Context(), OverviewSources{
		Profiles: func() int { return 42 },
		Lags:     map[string]func(context.Context) (uint64, time.Duration, error){"decisions": w.Lag},
		Metric:   func() string { return "" },
		Engines:  map[string]string{"postgres": "embedded"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var minutes, treated uint64
	for _, m := range o.DecisionsPerMinute {
		minutes += m.Total
		treated += m.Treated
		if m.Total != m.Treated+m.Control+m.Holdout {
			t.Errorf("minute %+v", m)
		}
	}
	if minutes != 300 || treated != 150 || o.Totals.Profiles != 42 || o.Totals.Decisions != 300 || o.Lag["decisions"].Messages != 0 || o.Holdout.Report != nil {
		t.Errorf("overview %+v: %d decisions, %d treated", o, minutes, treated)
	}
	if _, err := json.Marshal(o); err != nil {
		t.Error(err)
	}
	failing := OverviewSources{Profiles: func() int { return 0 }, Metric: func() string { return "m" },
		Report: func(context.Context, string, string) (*experiments.Report, error) {
			return nil, fmt.Errorf("no report")
		}}
	if _, err := w.overview(t.Context(), failing); err == nil || !strings.Contains(err.Error(), "no report") {
		t.Errorf("a report that fails: %v", err)
	}
}
