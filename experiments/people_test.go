package experiments

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"quintet/internal/clickhouse"
)

const (
	knownExposures = "exposures (experiment, variant, unit, exposed_at, received_at)"
	knownEvents    = "events (message_id, type, event, profile_id, timestamp, received_at, numbers)"
	knownDecisions = "decisions (decision_id, decided_at, received_at, decision_point, profile_id, contact_cost, experiments, variants)"
	knownPeople    = "person_map (profile_id, person_id, valid_from, stamp)"
)

func reportText(t *testing.T, s *Service, o ReportOptions) (string, *Report) {
	t.Helper()
	r, err := s.ReportAt(t.Context(), "people", o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text), r
}

// A report as of a past moment is the same to the last byte after merges,
// un-merges, late events, late decisions, copies of messages, and whatever the
// engine does with its parts.
func TestReportOfThePastDoesNotChange(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Buy", WindowHours: 24})
	put(t, s.metrics, "spend", Metric{Kind: MeanKind, Event: "Buy", Property: "amount", WindowHours: 24, SubtractContactCost: true})
	put(t, s.metrics, "per-decision", Metric{Kind: RatioKind, Event: "Buy", Property: "amount", WindowHours: 24})
	e := halves()
	e.Metrics = []string{"buyers", "spend", "per-decision"}
	put(t, s.experiments, "people", e)

	random := rand.New(rand.NewPCG(3, 5))
	at := func(hours float64) time.Time { return testEpoch.Add(time.Duration(hours * float64(time.Hour))) }
	arm := func(i int) string { return []string{"a", "b"}[i%2] }
	const people = 2000
	insert(t, db, knownExposures, people, func(i int) []any {
		return []any{"people", arm(i), fmt.Sprint("p", i), at(0), at(0)}
	})
	events := func(prefix string, n int, happened, received time.Time) {
		insert(t, db, knownEvents, n, func(i int) []any {
			return []any{fmt.Sprint(prefix, i), "track", "Buy", fmt.Sprint("p", random.IntN(people)), happened, received,
				map[string]float64{"amount": math.Exp(random.NormFloat64())}}
		})
	}
	decisions := func(prefix string, n int, decided, received time.Time) {
		insert(t, db, knownDecisions, n, func(i int) []any {
			return []any{fmt.Sprint(prefix, i), decided, received, "home-hero", fmt.Sprint("p", i), .1, []string{}, []string{}}
		})
	}
	merge := func(stamp uint64, profile, person int, from time.Time) {
		insert(t, db, knownPeople, 1, func(int) []any {
			return []any{fmt.Sprint("p", profile), fmt.Sprint("p", person), from, stamp}
		})
	}
	for i := range 5 { // several parts, so that rows are read in different orders
		events(fmt.Sprint("e", i, "-"), 400, at(1), at(1))
	}
	decisions("d", people, at(.5), at(.5))
	merge(1, 1, 0, at(1.5)) // people of both arms
	merge(2, 2, 4, at(1.6)) // people of one arm
	merge(3, 6, 8, at(1.7))
	merge(4, 6, 6, at(1.8)) // told apart again

	past := ReportOptions{AsOf: at(2)}
	before, r := reportText(t, s, past)
	if r.GeneratedAt != nil || !r.At.Equal(at(2)) {
		t.Errorf("the report says %v and %v", r.GeneratedAt, r.At)
	}
	if a, b := r.Arms[0], r.Arms[1]; a.Units+a.Mixed+b.Units+b.Mixed != people-2 || a.Mixed+b.Mixed != 1 {
		t.Errorf("arms: %+v", r.Arms)
	}
	earlier, _ := reportText(t, s, ReportOptions{AsOf: at(1.55)})

	merge(5, 3, 0, at(3))
	merge(6, 1, 1, at(4)) // told apart
	merge(7, 10, 13, at(5))
	insert(t, db, knownExposures, 20, func(i int) []any { return []any{"people", arm(i + 1), fmt.Sprint("p", i), at(1), at(6)} })
	events("late", 500, at(1), at(6))
	decisions("late", 500, at(1), at(6))
	events("e0-", 400, at(1), at(7)) // copies of messages, with other contents
	if now, _ := reportText(t, s, past); now != before {
		t.Errorf("the report of the past changed:\n%s\nwas\n%s", now, before)
	}
	if err := db.Write.Exec(t.Context(), "OPTIMIZE TABLE exposures FINAL"); err != nil {
		t.Fatal(err)
	}
	if err := db.Write.Exec(t.Context(), "OPTIMIZE TABLE person_map FINAL"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if now, _ := reportText(t, s, past); now != before {
			t.Fatalf("the report of the past changed:\n%s\nwas\n%s", now, before)
		}
	}
	if now, _ := reportText(t, s, ReportOptions{AsOf: at(1.55)}); now != earlier {
		t.Error("the report of an earlier past changed")
	}
	if _, err := s.ReportAt(t.Context(), "people", ReportOptions{AsOf: time.Now().Add(time.Hour)}); err == nil || !strings.Contains(err.Error(), "future") {
		t.Errorf("a report as of the future: %v", err)
	}
	if _, r := reportText(t, s, ReportOptions{AsOf: at(8)}); r.Arms[0].Mixed+r.Arms[1].Mixed < 15 {
		t.Errorf("what came in later does not count later: %+v", r.Arms)
	}
}

// What the profiles of one person did counts as one person's, against sums made
// by hand.
func TestReportCountsPeopleNotProfiles(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	put(t, s.metrics, "buys", Metric{Kind: MeanKind, Event: "Buy", WindowHours: 24})
	e := halves()
	e.Metrics = []string{"buys"}
	put(t, s.experiments, "people", e)
	at := func(hours float64) time.Time { return testEpoch.Add(time.Duration(hours * float64(time.Hour))) }
	rows := func(into string, values ...[]any) {
		insert(t, db, into, len(values), func(i int) []any { return values[i] })
	}
	buy := func(id, profile string, hours float64) []any {
		return []any{id, "track", "Buy", profile, at(hours), at(hours), map[string]float64{}}
	}
	rows(knownExposures, []any{"people", "a", "browser", at(0), at(0)}, []any{"people", "a", "stranger", at(0), at(0)},
		[]any{"people", "b", "other", at(0), at(0)}, []any{"people", "b", "two", at(0), at(0)}, []any{"people", "a", "one", at(1), at(1)},
		[]any{"people", "b", "", at(0), at(0)})
	// The browser's person was never exposed under the userId, and bought under it.
	rows(knownEvents, buy("1", "user", 1), buy("2", "browser", 2), buy("3", "stranger", 1), buy("4", "other", 1), buy("5", "one", 2), buy("6", "two", 2), buy("7", "", 1))
	rows(knownPeople, []any{"user", "browser", at(3), uint64(1)}, []any{"two", "one", at(4), uint64(2)})
	for _, tc := range []struct {
		asOf  float64
		units [2]int64
		mixed int64
		sums  [2]float64
	}{
		{2.5, [2]int64{3, 2}, 0, [2]float64{3, 2}},
		{3.5, [2]int64{3, 2}, 0, [2]float64{4, 2}}, // the user's order counts
		{4.5, [2]int64{2, 1}, 1, [2]float64{3, 1}}, // one and two are one person, seen in both
	} {
		_, r := reportText(t, s, ReportOptions{AsOf: at(tc.asOf)})
		for i := range r.Arms {
			if r.Arms[i].Units != tc.units[i] || *r.Metrics[0].Arms[i].Sum != tc.sums[i] {
				t.Errorf("as of %gh, arm %d has %d people and the sum %g, want %d and %g", tc.asOf, i, r.Arms[i].Units, *r.Metrics[0].Arms[i].Sum, tc.units[i], tc.sums[i])
			}
		}
		if mixed := r.Arms[0].Mixed + r.Arms[1].Mixed; mixed != tc.mixed {
			t.Errorf("as of %gh, %d people were seen in both arms, want %d", tc.asOf, mixed, tc.mixed)
		}
	}
}

// Sums do not depend on the order of rows, and are right.
func TestSumsAreExact(t *testing.T) {
	t.Parallel()
	_, db := open(t)
	for _, tc := range []struct {
		values string
		want   float64
	}{
		{"arrayJoin([0.1, 0.2, 0.3, -0.6])", 2.7755575615628914e-17}, // what the four numbers add up to exactly
		{"arrayJoin([1e16, 1., -1e16])", 1},
		{"arrayJoin([1e300, 1., 1.])", 1e300},
		{"arrayJoin([1e30, 1e30, -1e30])", 1e30},
		{"arrayJoin(CAST([], 'Array(Float64)'))", 0},
	} {
		for _, order := range []string{"ASC", "DESC"} {
			if got := sumOf(t, db, tc.values, order); got != tc.want {
				t.Errorf("the sum of %s %s is %g, want %g", tc.values, order, got, tc.want)
			}
		}
	}
}

func sumOf(t *testing.T, db *clickhouse.Database, values, order string) (sum float64) {
	t.Helper()
	err := db.Read.QueryRow(t.Context(), "SELECT "+exactSum("v", "v != 7")+" FROM (SELECT "+values+" AS v ORDER BY v "+order+")").Scan(&sum)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
