package models

import (
	"fmt"
	"math"
	"testing"
	"time"

	"quintet/models/bandits"
)

// With rewards that come two days later on average, and at most seven, what was learned
// of ten days is right where the rewards on their way are allowed for, and about a fifth
// too low where they are not.
func TestDelayedRewards(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	const perHour, days = 20, 10
	now := time.Now().UTC()
	encoder, err := bandits.NewEncoder(bandits.Declaration{})
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{DecisionPoint: "hero", HalfLifeDays: 3650, Objective: Objective{Terms: []Term{{Event: "Order"}}, WindowHours: 7 * 24}}
	var decisions []decision
	var events []event
	// Delays are the quantiles of an exponential distribution, in an order that fills
	// every stretch of time evenly: there is no chance in it.
	golden, converted := (math.Sqrt(5)-1)/2, 0
	for i := range days * 24 * perHour {
		at := now.Add(-time.Duration(days*24*3600-i*3600/perHour) * time.Second).Truncate(time.Millisecond)
		d := decision{id: fmt.Sprintf("d%05d", i), point: "hero", profile: fmt.Sprint("p", i), action: "a", at: at, index: []uint32{0}, value: []float64{1}}
		decisions = append(decisions, d)
		if i%5 >= 2 { // two of five order
			continue
		}
		converted++
		share := math.Mod(float64(converted)*golden, 1) * (1 - math.Exp(-3.5)) // within the window
		delay := time.Duration(-2 * 24 * float64(time.Hour) * math.Log(1-share))
		if due := at.Add(delay); due.Before(now) {
			events = append(events, event{id: "e" + d.id, name: "Order", decision: d.id, profile: d.profile, at: due})
		}
	}
	insertDecisions(t, db, decisions...)
	insertEvents(t, db, events...)
	truth := float64(converted) / float64(len(decisions))
	estimate := func(correct bool) float64 {
		t.Helper()
		spec := spec
		spec.CorrectDelays = correct
		snap, err := NewTrainer(db, discard).build(t.Context(), spec, now, everything, true)
		if err != nil {
			t.Fatal(err)
		}
		mean, _ := snap.Model.Score("a", bandits.Vector{Indices: []uint32{0}, Values: []float64{1}})
		return mean/truth - 1
	}
	if dimension := encoder.Dimension(); dimension != 1 {
		t.Fatalf("dimension %d", dimension)
	}
	naive, corrected := estimate(false), estimate(true)
	if naive > -.15 || naive < -.25 {
		t.Errorf("uncorrected it is %.1f %% off", 100*naive)
	}
	if math.Abs(corrected) > .01 {
		t.Errorf("corrected it is %.2f %% off", 100*corrected)
	}
	t.Logf("of a reward of %.4f the uncorrected estimate is %+.1f %%, the corrected one %+.2f %%", truth, 100*naive, 100*corrected)
}

func TestCurveOfDelays(t *testing.T) {
	t.Parallel()
	// By hand: at risk 10, of whom 2 answer in the first hour; one leaves in the second;
	// of 7 (and a half of the one who leaves in that hour) 1 answers in the third.
	a := arrivals{windowHours: 3, came: []float64{20, 0, 10}, left: []float64{0, 10, 60}}
	got := a.curve()
	alive := []float64{.8, .8, .8 * (1 - 10.0/(70-30))}
	for h, want := range alive {
		if math.Abs(got[h]-(1-want)/(1-alive[2])) > 1e-12 {
			t.Errorf("hour %d: %g, want %g", h, got[h], (1-want)/(1-alive[2]))
		}
	}
	few := arrivals{windowHours: 1, came: []float64{29}, left: []float64{1000}}
	if few.curve() != nil {
		t.Error("a curve of 29 answers")
	}
	if maturity(nil, time.Now()) != nil {
		t.Error("a maturity without delays")
	}
	// Half have answered after an hour, all after two: a day that is over is all but ripe.
	at := bandits.Day(20000).Time().Add(2 * time.Hour)
	ripe := maturity([]float64{.5, 1}, at)
	if f := ripe(0); math.Abs(f-.5) > 1e-12 { // the mean of 1/4 and 3/4
		t.Errorf("today %g, want a half", f)
	}
	if f := ripe(1); math.Abs(f-1) > 1e-12 {
		t.Errorf("yesterday %g, want 1", f)
	}
}

// What no model can bear is left out or cut, by tiles and between builds alike.
func TestBadLog(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	l := stored(t, db, 300, now.Add(-2*time.Hour), false)
	s, _ := service(t, db)
	position := l.end()
	s.stored = storedAt(&position)
	spec := liveSpec
	spec.PriorWeight, spec.LargestWeight = -1, 0
	if err := s.Update(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	before := s.Latest("hero", "")
	at := now.Add(-time.Hour)
	sound := func(id string) decision {
		return decision{id: id, point: "hero", profile: id, action: "push", at: at, index: []uint32{0, 1}, value: []float64{1, 1}, sequence: position.Decisions + 1}
	}
	with := func(id string, change func(*decision)) decision { d := sound(id); change(&d); return d }
	insertDecisions(t, db, sound("sound"), sound("removed since"),
		with("NaN", func(d *decision) { d.value = []float64{1, math.NaN()} }),
		with("infinite", func(d *decision) { d.value = []float64{math.Inf(1), 1} }),
		with("outside", func(d *decision) { d.index = []uint32{0, 1000} }),
		with("uneven", func(d *decision) { d.value = []float64{1} }),
		with("nobody", func(d *decision) { d.action, d.ineligible = "", true }),
		with("skewed", func(d *decision) { d.at = now.Add(30 * time.Minute) }))
	order := func(id, decision string, at time.Time, value float64) event {
		return event{id: id, name: "Order", profile: decision, decision: decision, at: at, numbers: map[string]float64{"value": value}, sequence: position.Events + 1}
	}
	insertEvents(t, db,
		order("huge", "sound", at.Add(time.Minute), 1e300), order("tiny", "sound", at.Add(time.Minute), -1e300),
		order("infinite", "removed since", at.Add(time.Minute), math.Inf(1)), order("none", "removed since", at.Add(time.Minute), math.NaN()),
		order("before", "removed since", at.Add(-30*time.Minute), 2), order("long before", "removed since", at.Add(-2*time.Hour), 4),
		order("of nobody", "nobody", at.Add(time.Minute), 8), order("twice", "removed since", at.Add(time.Minute), 16), order("twice", "removed since", at.Add(time.Minute), 16))
	position.Decisions++
	position.Events++
	if _, err := s.Advance(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	live := s.Latest("hero", "")
	built, err := s.trainer.build(t.Context(), spec, now.Add(time.Hour), position, true)
	if err != nil {
		t.Fatal(err)
	}
	if live.Decisions != before.Decisions+3 || built.Decisions != live.Decisions {
		t.Errorf("%d decisions, a build has %d, before there were %d", live.Decisions, built.Decisions, before.Decisions)
	}
	// 1e300 and -1e300 are 0 together; what is no number is nothing, and an outcome half
	// an hour before its decision is taken for the clock's fault.
	want := .5*2 + 2 + 16 + .5*4
	if got := live.Reward - before.Reward; math.Abs(got-want) > 1e-6 || math.Abs(built.Reward-live.Reward) > 1e-6 {
		t.Errorf("reward %g, want %g; a build has %g, live %g", got, want, built.Reward, live.Reward)
	}
	for _, snap := range []*Snapshot{live, built} {
		for _, a := range snap.Actions {
			if math.IsNaN(a.Mean) || math.IsNaN(a.SD) || math.Abs(a.Mean) > 1e3 {
				t.Errorf("%+v", a)
			}
		}
	}
}
