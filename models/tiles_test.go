package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"quintet/models/bandits"
)

var encoder3 = bandits.Declaration{Fields: []bandits.Field{
	{Name: "device", Source: bandits.SourceContext, Kind: bandits.KindCategorical, Values: []string{"mobile", "desktop"}},
	{Name: "hour", Source: bandits.SourceContext, Kind: bandits.KindCyclic},
}}

// dimension3 is the dimension of encoder3: intercept, 4 of device, 3 of hour.
const dimension3 = 8

func readAll(t *testing.T, spec Spec, at time.Time, read func(*Spec, func(bandits.Tile) error) (learned, error)) (map[string]bandits.Tile, learned) {
	t.Helper()
	if _, err := spec.compile(); err != nil {
		t.Fatal(err)
	}
	got := map[string]bandits.Tile{} // by action
	sum, err := read(&spec, func(tile bandits.Tile) error {
		tile.SumRX, tile.SumXX = slices.Clone(tile.SumRX), slices.Clone(tile.SumXX)
		if _, twice := got[tile.Action]; twice {
			t.Errorf("the tile of %s came twice", tile.Action)
		}
		got[tile.Action] = tile
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, sum
}

func near(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*(1+math.Abs(y)) })
}

func addWeighted(to *bandits.Tile, one bandits.Tile, c, g float64) {
	to.N += c * one.N
	to.SumR += g * one.SumR
	to.SumR2 += g * one.SumR2
	for i, x := range one.SumRX {
		to.SumRX[i] += g * x
	}
	for i, x := range one.SumXX {
		to.SumXX[i] += c * x
	}
}

// Sums in ClickHouse against the same sums made in Go, decision by decision.
func TestTilesAgainstGo(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	rng := rand.New(rand.NewPCG(1, 1))
	encoder, err := bandits.NewEncoder(encoder3)
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{DecisionPoint: "hero", Encoder: encoder3, HalfLifeDays: 30, Objective: Objective{
		Terms:       []Term{{Event: "Order Completed", Property: "margin", Weight: 1}, {Event: "Order Completed", Weight: .5}, {Event: "Unsubscribed", Weight: -3}},
		WindowHours: 10, SubtractContactCost: true,
	}}
	// Weights that differ for decisions and rewards, and from day to day.
	today := bandits.DayOf(now.Add(time.Second))
	weigh := func(day bandits.Day) (c, g float64) {
		age := float64(today - day)
		return math.Pow(.9, age) * (1 - .5/(1+age)), math.Pow(.9, age)
	}
	want, earned := map[string]*bandits.Tile{}, 0.0
	var decisions []decision
	var events []event
	for i := range 600 {
		var v bandits.Vector
		context := bandits.AttributeMap{"device": []any{"mobile", "desktop", "tv", nil}[rng.IntN(4)], "hour": 24 * rng.Float64()}
		if err := encoder.EncodeShared(nil, context, &v); err != nil {
			t.Fatal(err)
		}
		d := decision{
			id: fmt.Sprint("d", i), point: "hero", profile: fmt.Sprint("p", i), action: []string{"none", "a/email/x", "b/sms/y"}[rng.IntN(3)],
			at: now.Add(-time.Duration(rng.Int64N(int64(96 * time.Hour)))), sequence: uint64(1000 + i), cost: .01 * float64(rng.IntN(3)),
			index: v.Indices, value: v.Values,
		}
		decisions = append(decisions, d)
		reward := -d.cost
		for k := range rng.IntN(4) {
			age := time.Duration(rng.Float64() * 14 * float64(time.Hour))
			e := event{id: fmt.Sprint(d.id, "e", k), name: "Order Completed", profile: d.profile, at: d.at.Add(age).Truncate(time.Millisecond)}
			if rng.IntN(2) == 0 {
				e.decision = d.id // else the person's last decision, which is this one
			}
			worth := .5
			switch rng.IntN(3) {
			case 0:
				e.numbers = map[string]float64{"margin": 10 * rng.NormFloat64(), "other": 99}
				worth += e.numbers["margin"]
			case 1:
				e.name, worth = "Unsubscribed", -3
			}
			if e.at.Sub(d.at) < 10*time.Hour {
				reward += worth
			}
			events = append(events, e)
		}
		if want[d.action] == nil {
			tile := bandits.NewTile(d.action, 0, dimension3)
			want[d.action] = &tile
		}
		one := bandits.NewTile(d.action, 0, dimension3)
		one.Observe(v, reward)
		c, g := weigh(bandits.DayOf(d.at))
		addWeighted(want[d.action], one, c, g)
		earned += reward
	}
	insertDecisions(t, db, decisions...)
	insertEvents(t, db, events...)
	// Sent again, as after a crash: nothing may count twice.
	insertDecisions(t, db, decisions[:300]...)
	insertEvents(t, db, events[:len(events)/2]...)

	got, sum := readAll(t, spec, now.Add(time.Second), func(s *Spec, add func(bandits.Tile) error) (learned, error) {
		return readTiles(t.Context(), db, s, "", part{from: now.AddDate(0, 0, -300), to: now.Add(time.Second), through: everything, dimension: dimension3}, weigh, add)
	})
	if len(got) != len(want) {
		t.Errorf("%d tiles, want %d", len(got), len(want))
	}
	for key, w := range want {
		g := got[key]
		if !near([]float64{g.N, g.SumR, g.SumR2}, []float64{w.N, w.SumR, w.SumR2}) || !near(g.SumRX, w.SumRX) || !near(g.SumXX, w.SumXX) {
			t.Errorf("tile %s:\n got %+v\nwant %+v", key, g, *w)
		}
	}
	if sum.decisions != 600 || sum.through != 1599 || sum.clamped != 0 || math.Abs(sum.average[0]-1) > 1e-12 || math.Abs(sum.reward-earned) > 1e-6 {
		t.Errorf("totals %+v, want 600 decisions through 1599 with reward %g", sum, earned)
	}
}

// Which events count for which decision.
func TestAttribution(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	day := now.Add(-50 * time.Hour)
	one, ones := []uint32{0, 1}, []float64{1, 1}
	base := decision{point: "hero", profile: "p", action: "a", at: day, index: one, value: ones, sequence: 1}
	with := func(change func(*decision)) decision { d := base; change(&d); return d }
	order := func(id, profile, decision string, after time.Duration, value float64) event {
		return event{id: id, name: "Order", profile: profile, decision: decision, at: day.Add(after), numbers: map[string]float64{"value": value}}
	}
	insertDecisions(t, db,
		with(func(d *decision) { d.id = "first" }),
		with(func(d *decision) { d.id, d.action, d.at = "second", "b", day.Add(time.Hour) }),
		with(func(d *decision) { d.id, d.point, d.at = "elsewhere", "cart", day.Add(2*time.Hour) }),
		with(func(d *decision) {
			d.id, d.at, d.ineligible, d.action = "nobody", day.Add(150*time.Minute), true, ""
		}),
		with(func(d *decision) { d.id, d.profile, d.action = "named", "q", "c" }),
		with(func(d *decision) { d.id, d.profile, d.action = "huge", "r", "d" }),
		with(func(d *decision) {
			d.id, d.profile, d.action, d.index, d.value = "featureless", "s", "e", []uint32{}, []float64{}
		}),
		with(func(d *decision) { d.id, d.profile, d.action, d.index = "foreign", "s", "f", []uint32{0, 99} }),
		with(func(d *decision) { d.id, d.profile, d.action, d.version = "old layout", "s", "g", 1 }),
		with(func(d *decision) { d.id, d.profile, d.action, d.at = "too old", "s", "h", now.Add(-400*24*time.Hour) }),
	)
	insertEvents(t, db,
		order("before", "p", "", -time.Minute, 1),
		order("after first", "p", "", 30*time.Minute, 10),
		order("after second", "p", "", 90*time.Minute, 100),
		order("after elsewhere", "p", "", 3*time.Hour, 1000),
		order("names first though second is later", "p", "first", 95*time.Minute, 20),
		order("under the userId of the person", "p as user", "", 100*time.Minute, 200),
		order("told apart since", "p no more", "", 100*time.Minute, 400),
		order("too late", "p", "first", 5*time.Hour, 10000),
		order("at the end of the window", "q", "named", 4*time.Hour, 7),
		order("just inside", "q", "named", 4*time.Hour-time.Millisecond, 3),
		order("a little early by another clock", "q", "named", -time.Minute, 5),
		order("names no decision", "q", "unknown", time.Minute, 11),
		order("of another person, by name", "somebody", "named", time.Minute, 13),
		order("out of range", "r", "", time.Minute, 1e300),
		event{id: "other event", name: "Page", profile: "p", at: day.Add(time.Minute), numbers: map[string]float64{"value": 77}},
	)
	err := db.Write.Exec(t.Context(), `INSERT INTO person_map (profile_id, person_id, valid_from, stamp) SELECT r.1, r.2, now64(3) - 60, r.3 FROM (SELECT arrayJoin([
		('p as user', 'p', 1), ('p no more', 'p', 1), ('p no more', 'p no more', 2)]) AS r)`)
	if err != nil {
		t.Fatal(err)
	}
	// Version 1 of the decision point has the layout of before.
	for _, id := range []string{"first", "second", "elsewhere", "nobody", "named", "huge", "featureless", "foreign", "too old"} {
		if err := db.Write.Exec(t.Context(), "ALTER TABLE decisions UPDATE point_version = 2 WHERE decision_id = '"+id+"' SETTINGS mutations_sync = 2"); err != nil {
			t.Fatal(err)
		}
	}
	spec := Spec{DecisionPoint: "hero", Encoder: encoder3, Since: 2, HalfLifeDays: 30,
		Objective: Objective{Terms: []Term{{Event: "Order", Property: "value"}}, WindowHours: 4}}
	got, sum := readAll(t, spec, now, func(s *Spec, add func(bandits.Tile) error) (learned, error) {
		return readTiles(t.Context(), db, s, "", part{from: now.AddDate(0, 0, -300), to: now, through: everything, dimension: dimension3}, func(bandits.Day) (c, g float64) { return 1, 1 }, add)
	})
	rewards := map[string]float64{}
	for _, tile := range got {
		rewards[tile.Action] += tile.SumR
	}
	want := map[string]float64{"a": 10 + 20, "b": 100 + 200, "c": 3 + 5 + 13, "d": maxReward}
	if fmt.Sprint(rewards) != fmt.Sprint(want) {
		t.Errorf("rewards %v, want %v", rewards, want)
	}
	if sum.decisions != 4 || sum.clamped != 1 {
		t.Errorf("%d decisions, %d clamped; want 4 and 1", sum.decisions, sum.clamped)
	}
}

// Names of events and properties are data, whatever they look like.
func TestNamesThatLookLikeSQL(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	now := time.Now().UTC()
	const name, property = `It's "@point" \' ? -- {x:String} ;`, `va'lue\ @most`
	insertDecisions(t, db, decision{id: "d", point: "hero", profile: "p", action: "a'b", at: now.Add(-time.Hour), index: []uint32{0}, value: []float64{1}})
	insertEvents(t, db, event{id: "e", name: name, profile: "p", at: now.Add(-time.Minute), numbers: map[string]float64{property: 5}})
	spec := Spec{DecisionPoint: "hero", Encoder: encoder3, Objective: Objective{Terms: []Term{{Event: name, Property: property, Weight: -1e-7}}}}
	got, _ := readAll(t, spec, now, func(s *Spec, add func(bandits.Tile) error) (learned, error) {
		return readTiles(t.Context(), db, s, "", part{from: now.AddDate(0, 0, -300), to: now, through: everything, dimension: dimension3}, func(bandits.Day) (c, g float64) { return 1, 1 }, add)
	})
	if r := got["a'b"].SumR; math.Abs(r+5e-7) > 1e-18 {
		t.Errorf("reward %g, want -5e-7: %v", r, got)
	}
	v, err := countVolume(t.Context(), db, &spec)
	if err != nil || v != (volume{1, 1}) {
		t.Errorf("volume %+v (%v)", v, err)
	}
}
