package bandits

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// A model that was updated, observation by observation, against one that was built of
// the same observations.
func TestUpdatedAgainstBuild(t *testing.T) {
	t.Parallel()
	const d = 12
	rng := rand.New(rand.NewPCG(7, 7))
	// Without a common prior both solve the same equations exactly.
	options := Options{Dimension: d, PseudoDecisions: -1}
	draw := func() Vector {
		v := Vector{Indices: []uint32{0}, Values: []float64{1}}
		for i := uint32(1); i < d; i++ {
			if rng.IntN(3) == 0 {
				v.Indices, v.Values = append(v.Indices, i), append(v.Values, rng.NormFloat64())
			}
		}
		return v
	}
	tiles := map[string]*Tile{}
	observe := func(action string, x Vector, reward float64) {
		if tiles[action] == nil {
			tile := NewTile(action, 0, d)
			tiles[action] = &tile
		}
		tiles[action].Observe(x, reward)
	}
	build := func() *Model {
		b, err := NewBuilder(options, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, tile := range tiles {
			if err := b.Add(*tile); err != nil {
				t.Fatal(err)
			}
		}
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	actions := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for range 200 {
		observe(actions[rng.IntN(9)], draw(), rng.NormFloat64()) // the last action is new later
	}
	base := build()
	before, err := base.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var updates []Update
	for range 400 {
		action, x, reward := actions[rng.IntN(10)], draw(), rng.NormFloat64()
		observe(action, x, reward)
		if rng.IntN(2) == 0 {
			updates = append(updates, Update{Action: action, Features: x, Weight: 1, Reward: reward})
		} else { // the reward comes later
			updates = append(updates, Update{Action: action, Features: x, Weight: 1}, Update{Action: action, Features: x, Reward: reward})
		}
	}
	want := build()
	got, err := base.Updated(updates)
	if err != nil {
		t.Fatal(err)
	}
	// In any parts it comes to the same bits.
	parts := base
	for rest := updates; len(rest) > 0; {
		n := min(len(rest), 1+rng.IntN(50))
		if parts, err = parts.Updated(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	a, _ := got.MarshalBinary()
	b, _ := parts.MarshalBinary()
	if !bytes.Equal(a, b) {
		t.Error("in parts the updates come to other bits")
	}
	if after, _ := base.MarshalBinary(); !bytes.Equal(before, after) {
		t.Error("the model that was updated from has changed")
	}
	for _, action := range actions {
		g, known := got.Arm(action)
		w, _ := want.Arm(action)
		if !known || math.Abs(g.Decisions-w.Decisions) > 1e-9 {
			t.Errorf("%s: %g decisions, want %g", action, g.Decisions, w.Decisions)
		}
		for i := range w.Mean {
			if math.Abs(g.Mean[i]-w.Mean[i]) > 1e-10 {
				t.Errorf("%s: mean[%d] %g, want %g", action, i, g.Mean[i], w.Mean[i])
			}
		}
		for i := range w.Covariance {
			if math.Abs(g.Covariance[i]-w.Covariance[i]) > 1e-10 {
				t.Errorf("%s: covariance[%d] %g, want %g", action, i, g.Covariance[i], w.Covariance[i])
			}
		}
	}
	data, err := AppendUpdates(nil, updates)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ParseUpdates(data); err != nil || !reflect.DeepEqual(back, updates) {
		t.Errorf("stored observations come back differently (%v)", err)
	}
}

func TestUpdatedRefuses(t *testing.T) {
	t.Parallel()
	b, err := NewBuilder(Options{Dimension: 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	x := Vector{Indices: []uint32{0}, Values: []float64{1}}
	for name, u := range map[string]Update{
		"no action":        {Features: x, Weight: 1},
		"NaN reward":       {Action: "a", Features: x, Reward: math.NaN()},
		"infinite reward":  {Action: "a", Features: x, Reward: math.Inf(1)},
		"negative weight":  {Action: "a", Features: x, Weight: -1},
		"NaN weight":       {Action: "a", Features: x, Weight: math.NaN()},
		"NaN feature":      {Action: "a", Features: Vector{Indices: []uint32{0}, Values: []float64{math.NaN()}}, Weight: 1},
		"feature outside":  {Action: "a", Features: Vector{Indices: []uint32{2}, Values: []float64{1}}, Weight: 1},
		"overflowing sums": {Action: "a", Features: x, Reward: math.MaxFloat64, Weight: 0},
	} {
		updates := []Update{u}
		if name == "overflowing sums" {
			updates = []Update{u, u, u}
		}
		if _, err := m.Updated(updates); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzParseUpdates(f *testing.F) {
	seed, _ := AppendUpdates(nil, []Update{{Action: "a", Features: Vector{Indices: []uint32{0, 3}, Values: []float64{1, -2}}, Weight: 1, Reward: .5}, {Action: "b"}})
	f.Add(seed)
	f.Add([]byte(updatesMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		updates, err := ParseUpdates(data)
		if err != nil {
			return
		}
		again, err := AppendUpdates(nil, updates)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x comes back as %x (%v)", data, again, err)
		}
	})
}
