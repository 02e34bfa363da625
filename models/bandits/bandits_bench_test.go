package bandits

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchModel is a model with data for k actions and vectors with the given number
// of active features out of dimension, the intercept included.
func benchModel(b testing.TB, k, dimension, active int) (*Model, Candidates) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	builder, err := NewBuilder(Options{Dimension: dimension}, 0)
	if err != nil {
		b.Fatal(err)
	}
	vector := func() Vector {
		v := Vector{Indices: []uint32{0}, Values: []float64{1}}
		// One feature from each of active-1 blocks, as one-hot encoding gives.
		block := (dimension - 1) / max(1, active-1)
		for i := range active - 1 {
			v.append(uint32(1+i*block+rng.IntN(block)), 1)
		}
		return v
	}
	candidates := Candidates{Actions: make([]string, k), Features: vector()}
	for i := range k {
		action := fmt.Sprintf("offer-%02d/email/creative", i)
		t := NewTile(action, 0, dimension)
		for range 500 {
			r := 0.0
			if rng.Float64() < .03+.002*float64(i%7) {
				r = 1
			}
			t.Observe(vector(), r)
		}
		if err := builder.Add(t); err != nil {
			b.Fatal(err)
		}
		candidates.Actions[i] = action
	}
	m, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	return m, candidates
}

// BenchmarkDecision is one decision: scores, distribution, floor, uniform number
// and draw.
func BenchmarkDecision(b *testing.B) {
	for _, c := range []struct{ actions, dimension, active int }{
		{3, 64, 20}, {10, 64, 20}, {10, 256, 20}, {50, 64, 10}, {50, 64, 20}, {50, 64, 64},
	} {
		b.Run(fmt.Sprintf("actions=%d/features=%d/active=%d", c.actions, c.dimension, c.active), func(b *testing.B) {
			m, candidates := benchModel(b, c.actions, c.dimension, c.active)
			policy := Policy(Thompson{Model: m, Alpha: .5, Floor: .05})
			var w Workspace
			b.ReportAllocs()
			for b.Loop() {
				d, err := policy.Distribution(candidates, &w)
				if err != nil {
					b.Fatal(err)
				}
				if k, _ := d.Draw(Uniform("01JABCDEFGHJKMNPQRSTVWXYZ0", "salt", "action")); k < 0 {
					b.Fatal("no draw")
				}
			}
		})
	}
}

// BenchmarkScore is the scores of 50 actions: s²/2 multiply-adds for each.
func BenchmarkScore(b *testing.B) {
	for _, c := range []struct{ dimension, active int }{{64, 10}, {64, 20}, {64, 64}, {256, 20}, {1024, 20}} {
		b.Run(fmt.Sprintf("features=%d/active=%d", c.dimension, c.active), func(b *testing.B) {
			m, candidates := benchModel(b, 50, c.dimension, c.active)
			var w Workspace
			w.resize(50)
			b.ReportAllocs()
			for b.Loop() {
				at, _ := w.find(m, candidates.Actions)
				w.score(m, at, candidates.Features)
			}
		})
	}
}

func BenchmarkQuadrature(b *testing.B) {
	for _, k := range []int{3, 10, 50, 200} {
		for _, narrow := range []bool{false, true} {
			b.Run(fmt.Sprintf("actions=%d/narrow=%v", k, narrow), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(3, 4))
				mean, sd, out := make([]float64, k), make([]float64, k), make([]float64, k)
				for i := range mean {
					mean[i], sd[i] = .04+.005*rng.NormFloat64(), .005
					if narrow && i%2 == 1 {
						sd[i] = 1e-5
					}
				}
				q := NewQuadrature(k)
				b.ReportAllocs()
				for b.Loop() {
					q.Best(mean, sd, out)
				}
			})
		}
	}
}

func BenchmarkUniform(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Uniform("01JABCDEFGHJKMNPQRSTVWXYZ0", "salt", "action")
	}
}

func BenchmarkBuild(b *testing.B) {
	m, _ := benchModel(b, 50, 64, 20)
	builder, err := NewBuilder(Options{Dimension: 64}, 0)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, action := range m.Actions() {
		t := NewTile(action, 0, 64)
		for range 300 {
			v := Vector{Indices: []uint32{0}, Values: []float64{1}}
			v.append(uint32(1+rng.IntN(63)), 1)
			t.Observe(v, rng.Float64())
		}
		if err := builder.Add(t); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := builder.Build(); err != nil {
			b.Fatal(err)
		}
	}
}
