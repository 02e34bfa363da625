package models

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/internal/clickhouse"
	"quintet/models/bandits"
)

// liveSpec has several kinds of outcomes and importance weights.
var liveSpec = Spec{DecisionPoint: "hero", Encoder: encoder3, LargestWeight: 5, Objective: Objective{
	Terms:       []Term{{Event: "Order", Property: "value"}, {Event: "Order", Weight: .5}, {Event: "Unsubscribed", Weight: -2}},
	WindowHours: 24, SubtractContactCost: true,
}}

// liveLog is what a stream brings: decisions and events in the order of their sequences.
type liveLog struct {
	decisions []decision
	events    []event
}

// makeLiveLog makes n decisions, one a minute up to now, whose outcomes come soon after.
// Half of these name no decision, and some people have two profiles.
// With wild, some are out of all proportion.
func makeLiveLog(n int, now time.Time, wild bool) (liveLog, error) {
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	encoder, err := bandits.NewEncoder(encoder3)
	if err != nil {
		return liveLog{}, err
	}
	var l liveLog
	actions := []string{"none", "push", "email"}
	for i := range n {
		if i == n/2 {
			actions = append(actions, "sms") // an action without a past
		}
		var v bandits.Vector
		context := bandits.AttributeMap{"device": []string{"mobile", "desktop"}[rng.IntN(2)], "hour": 24 * rng.Float64()}
		if err := encoder.EncodeShared(nil, context, &v); err != nil {
			return liveLog{}, err
		}
		d := decision{id: fmt.Sprintf("d%06d", i), point: "hero", profile: fmt.Sprint("p", rng.IntN(n/3)), action: actions[rng.IntN(len(actions))],
			at: now.Add(-time.Duration(n-i) * time.Minute).Truncate(time.Millisecond), sequence: uint64(i/2 + 1), cost: .1 * float64(rng.IntN(2)), index: v.Indices, value: v.Values}
		if i%10 == 0 {
			d.point = "cart" // takes part in who was last spoken to
		}
		l.decisions = append(l.decisions, d)
		for k := range rng.IntN(3) {
			e := event{id: fmt.Sprint("e", i, ".", k), name: []string{"Order", "Unsubscribed"}[rng.IntN(2)], profile: d.profile,
				at: d.at.Add(time.Duration(1+rng.IntN(50)) * time.Second), numbers: map[string]float64{"value": 5 * rng.Float64()}}
			if rng.IntN(2) == 0 {
				e.decision = d.id
			} else if rng.IntN(4) == 0 {
				e.profile = d.profile + " as another"
			}
			if wild && rng.IntN(100) == 0 {
				e.numbers["value"] = 1e300
			}
			e.sequence = uint64(len(l.events)/3 + 1)
			l.events = append(l.events, e)
		}
	}
	return l, nil
}

// stored is such a log in the database.
func stored(t testing.TB, db *clickhouse.Database, n int, now time.Time, wild bool) liveLog {
	t.Helper()
	l, err := makeLiveLog(n, now, wild)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.store(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l liveLog) store(ctx context.Context, db *clickhouse.Database) error {
	if err := writeDecisions(ctx, db, l.decisions); err != nil {
		return err
	}
	if err := writeEvents(ctx, db, l.events); err != nil {
		return err
	}
	return db.Write.Exec(ctx, `INSERT INTO person_map (profile_id, person_id, valid_from, stamp)
		SELECT DISTINCT profile_id, replaceOne(profile_id, ' as another', ''), toDateTime64('2020-01-01', 3), 1 FROM events WHERE profile_id LIKE '% as another'`)
}

func (l liveLog) end() Position {
	return Position{Decisions: l.decisions[len(l.decisions)-1].sequence, Events: l.events[len(l.events)-1].sequence}
}

// at is a position by the share of the decisions that are up to there.
func (l liveLog) at(share float64) Position { return l.upTo(int(share * float64(len(l.decisions)-1))) }

// upTo is the position of a decision, and of the events before it.
func (l liveLog) upTo(i int) Position {
	p := Position{Decisions: l.decisions[i].sequence}
	for _, e := range l.events {
		if e.at.After(l.decisions[i].at) {
			p.Events = min(p.Events, e.sequence-1) // the rest of a message
			break
		}
		p.Events = e.sequence
	}
	return p
}

// followed is a service that has learned a log in steps: a build of the first share of
// it and live versions since. It returns what a build of the same moment would be.
func followed(t *testing.T, spec Spec, db *clickhouse.Database, l liveLog, now time.Time, from float64, steps int) (*Service, Deps, *Snapshot) {
	t.Helper()
	s, deps := service(t, db)
	var position atomic.Pointer[Position]
	deps.Stored = func(context.Context) (Position, error) { return *position.Load(), nil }
	s.stored, s.trainer.now = deps.Stored, func() time.Time { return now }
	position.Store(new(l.at(from)))
	if err := s.Update(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	base := s.Latest("hero", "")
	if base == nil || base.Version != 1 || base.position != *position.Load() || base.Decisions >= uint64(len(l.decisions)) {
		t.Fatalf("the build is %+v", base)
	}
	total := 0
	for i := range steps + 1 {
		p := l.at(from + (1-from)*float64(i)/float64(steps))
		if i == steps {
			p = l.end()
		}
		position.Store(&p)
		for again := range 2 { // with nothing new it does nothing
			n, err := s.Advance(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			if again == 1 && n != 0 {
				t.Fatalf("step %d: %d observations came twice", i, n)
			}
			total += n
		}
	}
	if float64(total) < .8*(1-from)*float64(len(l.decisions)) {
		t.Fatalf("%d observations", total)
	}
	built, err := s.trainer.build(t.Context(), spec, now, l.end(), true)
	if err != nil {
		t.Fatal(err)
	}
	return s, deps, built
}

// What was learned from the stream equals what the log says: exactly where actions do
// not teach one another, and within a tenth of the posterior's deviation where they
// do, after a tenth more than was built from.
func TestLiveEqualsBuild(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(24 * time.Hour).Add(18 * time.Hour)
	for name, c := range map[string]struct {
		spec      Spec
		from      float64 // share of the log that the build has
		tolerance float64 // of a mean, in deviations
	}{
		"without a common prior": {Spec{PriorWeight: -1}, .4, 1e-9},
		"with a common prior":    {Spec{}, .9, 0.1},
		"with delays":            {Spec{PriorWeight: -1, CorrectDelays: true}, .4, 1e-9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := logDatabase(t)
			n := 500
			if testing.Short() {
				n = 300
			}
			l := stored(t, db, n, now, name == "without a common prior")
			spec := liveSpec
			spec.PriorWeight, spec.CorrectDelays = c.spec.PriorWeight, c.spec.CorrectDelays
			s, deps, built := followed(t, spec, db, l, now, c.from, 8)
			live := s.Latest("hero", "")
			if live.Version < 6 || live.Base != 1 || live.Decisions != built.Decisions || live.Through != built.Through || math.Abs(live.Reward-built.Reward) > 1e-6*math.Abs(built.Reward) {
				t.Errorf("live version %d of %d decisions through %d with reward %g; a build has %d through %d with %g",
					live.Version, live.Decisions, live.Through, live.Reward, built.Decisions, built.Through, built.Reward)
			}
			if c.spec.CorrectDelays {
				return // a build knows more of the delays by then, and weighs young decisions by that
			}
			worst := 0.0
			for _, action := range built.Model.Actions() {
				g, known := live.Model.Arm(action)
				w, _ := built.Model.Arm(action)
				if !known || math.Abs(g.Decisions-w.Decisions) > 1e-9*w.Decisions {
					t.Errorf("%s: %g decisions, a build has %g", action, g.Decisions, w.Decisions)
				}
				for i := range w.Mean {
					sd := math.Sqrt(w.Noise * w.Covariance[bandits.PackedLen(i)+i])
					worst = max(worst, math.Abs(g.Mean[i]-w.Mean[i])/sd)
				}
			}
			if worst > c.tolerance {
				t.Errorf("a mean is %g deviations from that of a build, more than %g", worst, c.tolerance)
			}
			t.Logf("a mean is at most %.2g deviations from that of a build", worst)

			// Every version comes back bit for bit, in another process as well.
			other, err := Open(t.Context(), deps)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := live.Model.MarshalBinary()
			got, _ := other.Latest("hero", "").Model.MarshalBinary()
			if !bytes.Equal(got, want) || other.Latest("hero", "").position != l.end() {
				t.Error("another process has other bits, or another position")
			}
			for v := int64(2); v < live.Version; v += 3 {
				a, err := s.store.load(t.Context(), "hero", v, nil)
				if err != nil {
					t.Fatal(err)
				}
				near, err := s.store.load(t.Context(), "hero", v-1, nil)
				if err != nil {
					t.Fatal(err)
				}
				b, err := s.store.load(t.Context(), "hero", v, near)
				if err != nil {
					t.Fatal(err)
				}
				x, _ := a.Model.MarshalBinary()
				y, _ := b.Model.MarshalBinary()
				if !bytes.Equal(x, y) || a.position != b.position {
					t.Errorf("version %d depends on how it is loaded", v)
				}
			}
		})
	}
}

// An outcome that is in the log before the decision that it names waits for it.
func TestOutcomeWaitsForItsDecision(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	now := time.Now().UTC()
	l := stored(t, db, 300, now.Add(-time.Hour), false)
	s, _ := service(t, db)
	position := l.end()
	s.stored = func(context.Context) (Position, error) { return position, nil }
	if err := s.Update(t.Context(), liveSpec); err != nil {
		t.Fatal(err)
	}
	id := ulid.MustNew(ulid.Timestamp(now.Add(-time.Second)), ulid.DefaultEntropy()).String()
	insertEvents(t, db, event{id: "late", name: "Order", profile: "p", decision: id, at: now, numbers: map[string]float64{"value": 3}, sequence: position.Events + 1},
		event{id: "duplicate", name: "Order", profile: "p", decision: id, at: now, numbers: map[string]float64{"value": 4}, sequence: position.Events + 2},
		event{id: "duplicate", name: "Order", profile: "p", decision: id, at: now, numbers: map[string]float64{"value": 4}, sequence: position.Events + 2},
		event{id: "unknown", name: "Order", profile: "q", decision: "nothing", at: now, numbers: map[string]float64{"value": 9}, sequence: position.Events + 3})
	before := s.Latest("hero", "")
	position.Events += 3
	if n, err := s.Advance(t.Context(), liveSpec); err != nil || n != 0 {
		t.Fatalf("%d observations of a decision that is not there (%v)", n, err)
	}
	insertDecisions(t, db, decision{id: id, point: "hero", profile: "p", action: "gone since", at: now.Add(-time.Second), sequence: position.Decisions + 1, index: []uint32{0}, value: []float64{1}})
	position.Decisions++
	if n, err := s.Advance(t.Context(), liveSpec); err != nil || n != 3 {
		t.Fatalf("%d observations, want the decision and its two outcomes (%v)", n, err)
	}
	if n, err := s.Advance(t.Context(), liveSpec); err != nil || n != 0 {
		t.Fatalf("%d observations (%v)", n, err)
	}
	after := s.Latest("hero", "")
	if got, want := after.Reward-before.Reward, 3+.5+4+.5; math.Abs(got-want) > 1e-9 || after.Decisions != before.Decisions+1 {
		t.Errorf("reward %g more of %d decisions more, want %g of one", got, after.Decisions-before.Decisions, want)
	}
	built, err := s.trainer.build(t.Context(), liveSpec, now.Add(time.Second), position, true)
	if err != nil || math.Abs(built.Reward-after.Reward) > 1e-6 {
		t.Errorf("a build has reward %g, not %g (%v)", built.Reward, after.Reward, err)
	}
}

// Pruning leaves what a stored decision names, to the bit, and goes back to it.
func TestPruneKeepsWhatDecisionsName(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	now := time.Now().UTC()
	l := stored(t, db, 200, now, false)
	s, _, _ := followed(t, liveSpec, db, l, now, .4, 8)
	newest := s.Latest("hero", "").Version
	if newest < 8 {
		t.Fatalf("%d versions", newest)
	}
	// Version 4 is named; 5 and later are not, but for the newest.
	if err := db.Write.Exec(t.Context(), `ALTER TABLE decisions UPDATE model_version = 4 WHERE decision_id = 'd000199' SETTINGS mutations_sync = 2`); err != nil {
		t.Fatal(err)
	}
	second := liveSpec
	second.Objective.WindowHours = 23
	if err := s.Update(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	bits := map[int64][]byte{}
	for v := int64(1); v <= newest+1; v++ {
		snap, err := s.store.load(t.Context(), "hero", v, nil)
		if err != nil {
			t.Fatal(err)
		}
		bits[v], _ = snap.Model.MarshalBinary()
	}
	if err := s.Prune(t.Context(), "hero", now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for v := int64(1); v <= newest+1; v++ {
		snap, err := s.store.load(t.Context(), "hero", v, nil)
		if v > 4 && v <= newest {
			if err == nil {
				t.Errorf("version %d is still there", v)
			}
			continue
		}
		if err != nil {
			t.Errorf("version %d: %v", v, err)
			continue
		}
		if got, _ := snap.Model.MarshalBinary(); !bytes.Equal(got, bits[v]) {
			t.Errorf("version %d has other bits", v)
		}
	}
	if err := s.Pin(t.Context(), "hero", 4, "it was better", "somebody"); err != nil {
		t.Fatal(err)
	}
	if got := s.Current("hero").Version; got != 4 || s.Latest("hero", "").Version != newest+1 {
		t.Errorf("decisions use version %d after going back to 4", got)
	}
	if pin, ok, err := s.PinOf(t.Context(), "hero"); err != nil || !ok || pin.Version != 4 || pin.Actor != "somebody" {
		t.Errorf("%+v %v %v", pin, ok, err)
	}
	if err := s.Pin(t.Context(), "hero", 5, "", ""); err == nil {
		t.Error("went back to a version that is gone")
	}
	if err := s.Unpin(t.Context(), "hero"); err != nil || s.Current("hero").Version != newest+1 {
		t.Errorf("decisions use version %d afterwards (%v)", s.Current("hero").Version, err)
	}
}

// Another process has a new version within five seconds of the outcome's being stored.
func TestRunFollowsTheStream(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	now := time.Now().UTC()
	l := stored(t, db, 300, now.Add(-time.Hour), false)
	s, deps := service(t, db)
	var position atomic.Pointer[Position]
	position.Store(new(l.end()))
	deps.Stored = func(context.Context) (Position, error) { return *position.Load(), nil }
	s.stored = deps.Stored
	if err := s.Update(t.Context(), liveSpec); err != nil {
		t.Fatal(err)
	}
	other, err := Open(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- s.Run(ctx, func() []Spec { return []Spec{liveSpec} }) }()
	go func() { done <- other.Run(ctx, func() []Spec { return nil }) }()
	last := l.decisions[len(l.decisions)-1]
	insertEvents(t, db, event{id: "new", name: "Order", profile: last.profile, decision: last.id, at: now, numbers: map[string]float64{"value": 3}, sequence: l.end().Events + 1})
	stored := time.Now()
	position.Store(&Position{l.end().Decisions, l.end().Events + 1})
	for s.Latest("hero", "").Version == 1 || other.Current("hero").Version == 1 {
		if time.Since(stored) > 5*time.Second {
			t.Fatalf("after five seconds the versions are %d and %d", s.Latest("hero", "").Version, other.Current("hero").Version)
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	<-done
	<-done
}
