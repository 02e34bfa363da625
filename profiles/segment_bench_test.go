package profiles

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/profiles/identity"
	"quintet/profiles/segments"
	"quintet/profiles/traits"
)

// generated is a store of people with traits, and a service of segments that has
// no engines: what is measured is memory alone.
func generated(t testing.TB, people int) *Segments {
	t.Helper()
	store := newStore()
	cities := []any{"Москва", "London", "Berlin", "Paris", "Oslo"}
	plans := []any{"free", "silver", "gold"}
	for i := range people {
		id := identity.NewID(Identifier{Namespace: identity.UserID, Value: "u" + strconv.Itoa(i)})
		store.put(&state{
			id: id, created: int64(i), updated: int64(i), seen: time.Now().UnixMilli() - int64(i%90)*86_400_000, events: 20,
			record:     traits.Restore(map[string]any{"age": float64(18 + i%60), "city": cities[i%5], "plan": plans[i%3], "name": "Person"}, 0, nil, nil),
			attributes: map[string]any{"orders": float64(i % 10), "spend": float64(i % 1000)},
		})
	}
	s := &Segments{
		log: nil, profiles: &Service{store: store, now: time.Now}, now: time.Now, members: newMemberships(), histories: newHistories(),
		changed: make(chan struct{}, 1),
	}
	s.people = newPeopleWriter(s)
	s.pending.wake = make(chan struct{}, 1)
	s.plan.Store(&segmentPlan{keys: map[string]*liveSegment{}})
	return s
}

// define makes segments live without engines.
func (s *Segments) define(rules map[string]string) {
	all := map[string]definitions.Versioned[Segment]{}
	for key, rule := range rules {
		all[key] = definitions.Versioned[Segment]{Key: key, Version: 1, Value: Segment{Kind: DynamicSegment, Rule: json.RawMessage(rule)}}
	}
	p := s.compile(all, s.plan.Load())
	for _, lp := range p.patterns {
		lp.loaded.Store(true)
	}
	for _, l := range p.dynamic {
		l.state.Store(segmentReady)
	}
	s.plan.Store(p)
}

const (
	youngGold  = `{"all":[{"trait":"age","op":"between","value":[25,34]},{"trait":"plan","op":"in","value":["gold","silver"]},{"attribute":"orders","op":"gte","value":3},{"profile":"lastSeenAt","op":"withinLast","value":"60d"}]}`
	boughtLate = `{"all":[{"trait":"plan","op":"eq","value":"gold"},{"event":"Order Completed","times":{"atLeast":3},"window":{"last":"30d"}}]}`
)

func TestEstimatesOfSamplesHoldTheTruth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ count, sampled, people int }{{0, 100_000, 1_000_000}, {5, 100_000, 1_000_000}, {50_000, 100_000, 1_000_000}, {100_000, 100_000, 1_000_000}, {7, 10, 10}} {
		e := Estimate{People: c.people, Sampled: c.sampled}
		e.extrapolate(c.count)
		if e.Lower > e.Size || e.Size > e.Upper || e.Upper > c.people || e.Lower < c.count || math.Abs(e.Share-float64(c.count)/float64(c.sampled)) > 1e-12 {
			t.Errorf("%d of %d became %+v", c.count, c.sampled, e)
		}
	}
	// Wilson's interval for 50 of 100,000, computed independently: 0.000379 to 0.000659.
	e := Estimate{People: 1_000_000, Sampled: 100_000}
	e.extrapolate(50)
	if e.Lower != 379 || e.Upper != 660 {
		t.Errorf("the interval of 50 of 100,000 is %d to %d", e.Lower, e.Upper)
	}
}

func TestEstimateInMemoryCountsEverybody(t *testing.T) {
	t.Parallel()
	s := generated(t, 30_000)
	s.define(map[string]string{"gold": `{"trait":"plan","op":"eq","value":"gold"}`})
	e := s.newEvaluation(s.plan.Load())
	gold := 0
	s.profiles.store.EachPerson(func(v *View) bool {
		id, _ := identity.ParseID(v.ID)
		s.settle(e, id, scope{touched: touchedAll}, nil)
		if v.Traits["plan"] == "gold" {
			gold++
		}
		return true
	})
	if s.Count("gold") != gold || gold != 10_000 {
		t.Fatalf("%d members, want %d", s.Count("gold"), gold)
	}
	got, err := s.Estimate(t.Context(), json.RawMessage(`{"trait":"city","op":"eq","value":"Oslo"}`), []string{"gold"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Size != 6000 || got.People != 30_000 || got.Method != "memory" || got.Lower != 6000 || got.Overlaps[0].Size != 2000 || got.Overlaps[0].Members != 10_000 {
		t.Errorf("the estimate is %+v", got)
	}
}

// TestAMillionPeople measures; it takes a gigabyte and half a minute, so that it
// has to be asked for: QUINTET_TEST_MILLION=1.
func TestAMillionPeople(t *testing.T) {
	if os.Getenv("QUINTET_TEST_MILLION") == "" {
		t.Skip("set QUINTET_TEST_MILLION to measure")
	}
	const people = 1_000_000
	s := generated(t, people)
	s.define(map[string]string{"young-gold": youngGold, "late": boughtLate, "oslo": `{"trait":"city","op":"eq","value":"Oslo"}`, "both": `{"all":[{"segment":"young-gold"},{"segment":"oslo"}]}`})
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := memory()
	p := s.plan.Load()
	slot := p.patterns[patternKey(p.keys["late"].rule.Patterns()[0])].slot
	var ids []identity.ID
	now := time.Now().UnixMilli()
	for shard := range storeShards {
		ids = s.profiles.store.idsOf(shard, ids[:0])
		for i, id := range ids {
			for n := range i % 11 { // 5 a person
				s.histories.add(id, slot, segments.Occurrence{At: now - int64(11-n)*86_400_000}, 30*24*time.Hour, now)
			}
		}
	}
	after := memory()
	t.Logf("%d occurrences of %d people take %d bytes a person", s.histories.total.Load(), people, (after-before)/people)
	started := time.Now()
	e := s.newEvaluation(p)
	changes := 0
	for shard := range storeShards {
		ids = s.profiles.store.idsOf(shard, ids[:0])
		for _, id := range ids {
			changes += len(s.settle(e, id, scope{touched: touchedAll}, nil))
		}
	}
	took := time.Since(started)
	t.Logf("4 segments worked out for everybody by one goroutine in %s, %s a person; %d members; %d bytes a person for memberships", took, took/people, changes, int64(memory()-after)/people)
	for _, c := range []struct{ name, rule string }{{"traits and attributes", youngGold}, {"with events", boughtLate}} {
		for range 3 {
			started := time.Now()
			got, err := s.Estimate(t.Context(), json.RawMessage(c.rule), []string{"oslo", "both"})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("estimate, %s: %s for %d of %d people: %d (%d to %d), overlap %d", c.name, time.Since(started), got.Sampled, got.People, got.Size, got.Lower, got.Upper, got.Overlaps[0].Size)
			if took := time.Since(started); took > time.Second {
				t.Errorf("the estimate took %s", took)
			}
		}
	}
	id := identity.NewID(Identifier{Namespace: identity.UserID, Value: "u7"}).String()
	started = time.Now()
	for range 1_000_000 {
		s.InSegment(id, "young-gold")
	}
	t.Logf("InSegment: %s", time.Since(started)/1_000_000)
}

func BenchmarkApplied(b *testing.B) {
	s := generated(b, 10_000)
	s.define(map[string]string{"late": boughtLate, "young-gold": youngGold})
	changes := make([]Change, 100)
	for i := range changes {
		id := identity.NewID(Identifier{Namespace: identity.UserID, Value: fmt.Sprintf("u%d", i)})
		changes[i] = Change{Profile: id, Person: id, Sequence: 1, Event: &AppliedEvent{Name: "Order Completed", Time: time.Now().UnixMilli(), Properties: `{"revenue":5}`}}
	}
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		n++
		for i := range changes {
			changes[i].Sequence = n
		}
		s.Applied(changes)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(changes)), "ns/event")
}

func BenchmarkPeople(b *testing.B) {
	s := generated(b, peopleBatch)
	s.clickhouse = enginetest.ClickHouse(b)
	exposures := clickhouse.MigrationSet{Name: "experiments", Files: os.DirFS("../experiments/migrations/clickhouse")}
	if err := s.clickhouse.Migrate(b.Context(), exposures, ClickHouseMigrations()); err != nil {
		b.Fatal(err)
	}
	var ids []identity.ID
	for shard := range storeShards {
		ids = s.profiles.store.idsOf(shard, ids)
	}
	for b.Loop() {
		if err := s.people.write(b.Context(), ids); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(ids)), "µs/person")
}
