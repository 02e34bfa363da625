package bandits

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// auditModel is a posterior over k actions that has learned from a few decisions, so
// that some actions stand out and others are hardly known.
func auditModel(t testing.TB, k, dimension int, rng *rand.Rand) (*Model, []string) {
	t.Helper()
	b, err := NewBuilder(Options{Dimension: dimension}, 0)
	if err != nil {
		t.Fatal(err)
	}
	actions := make([]string, k)
	for a := range actions {
		actions[a] = fmt.Sprint("action ", a)
		tile := NewTile(actions[a], 0, dimension)
		for range 1 + rng.IntN(200) {
			tile.Observe(auditFeatures(dimension, rng), .1*float64(a%5)+.3*rng.NormFloat64())
		}
		if err := b.Add(tile); err != nil {
			t.Fatal(err)
		}
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m, actions
}

func auditFeatures(dimension int, rng *rand.Rand) (x Vector) {
	for i := range dimension {
		if rng.IntN(2) == 0 {
			x.append(uint32(i), 1)
		}
	}
	return x
}

// TestPropensityAudit draws decisions as the service does, by the hash of their ids, and
// compares how often each action was chosen with the probabilities that were logged:
// for every policy, over the whole and over tenths of the probability. It fails where
// that is less likely than one in a hundred thousand. QUINTET_TEST_FULL=1 draws a
// million decisions of every policy.
func TestPropensityAudit(t *testing.T) {
	t.Parallel()
	decisions := 20_000
	switch {
	case full():
		decisions = 1_000_000
	case testing.Short():
		decisions = 2000
	}
	rng := rand.New(rand.NewPCG(11, 17))
	model, actions := auditModel(t, 12, 8, rng)
	for _, c := range []struct {
		name   string
		policy Policy
	}{
		{"thompson", Thompson{Model: model, Alpha: DefaultAlpha, Floor: .02}},
		{"thompson without a floor", Thompson{Model: model, Alpha: 1}},
		{"squarecb", SquareCB{Model: model, Gamma: 40, Floor: .01}},
		{"beta", Beta{Model: model, Alpha: 1, Floor: .02}},
		{"greedy", Greedy{Model: model, Floor: .1}},
		{"uniform", Uniformly{}},
		{"fixed", Fixed{Action: actions[3]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, 5))
			audit := newAudit(len(actions))
			var w Workspace
			for n := range decisions {
				// The candidates and the person change from decision to decision.
				from := rng.IntN(4)
				candidates := Candidates{Actions: actions[from:], Features: auditFeatures(model.Dimension, rng)}
				if c.name == "beta" { // for slots without context, and slow where it is asked anew
					from = n / 500 % 4
					candidates = Candidates{Actions: actions[from:], Features: Vector{Indices: []uint32{0}, Values: []float64{1}}}
				}
				if c.name == "fixed" {
					candidates.Actions = actions
					from = 0
				}
				d, err := c.policy.Distribution(candidates, &w)
				if err != nil || d.Degenerate {
					t.Fatal(d.Degenerate, err)
				}
				k, propensity := d.Draw(Uniform(fmt.Sprint(c.name, n), "audit", "action"))
				if propensity != d.Q[k] {
					t.Fatalf("decision %d logs %g, its distribution says %g", n, propensity, d.Q[k])
				}
				audit.add(from, d.Q, k)
			}
			audit.judge(t)
		})
	}
}

// audit compares counts of choices with the sums of their probabilities.
type audit struct {
	actions, tenths []cell
}

type cell struct{ chosen, expected, variance float64 }

func newAudit(actions int) *audit {
	return &audit{actions: make([]cell, actions), tenths: make([]cell, 11)}
}

// add takes one decision: the probabilities of the actions from the given one on, and
// which was chosen.
func (a *audit) add(from int, q []float64, chosen int) {
	for i, p := range q {
		hit := 0.0
		if i == chosen {
			hit = 1
		}
		for _, c := range []*cell{&a.actions[from+i], &a.tenths[int(p*10)]} {
			c.chosen += hit
			c.expected += p
			c.variance += p * (1 - p)
		}
	}
}

// judge fails the test where a count is too far from what was logged. The decisions are
// independent, so that a count is a sum of independent choices of known variance.
func (a *audit) judge(t *testing.T) {
	t.Helper()
	for name, cells := range map[string][]cell{"action": a.actions, "tenth of the probability": a.tenths} {
		var squares, n float64
		for i, c := range cells {
			if c.variance < 25 { // too few for the normal law, and what must not differ at all
				if math.Abs(c.chosen-c.expected) > 6*math.Sqrt(c.variance+1) {
					t.Errorf("%s %d: chosen %g times, %g were logged", name, i, c.chosen, c.expected)
				}
				continue
			}
			z := (c.chosen - c.expected) / math.Sqrt(c.variance)
			squares, n = squares+z*z, n+1
			if math.Abs(z) > 5 {
				t.Errorf("%s %d: chosen %g times, %g were logged, %g deviations off", name, i, c.chosen, c.expected, z)
			}
		}
		if n > 0 {
			p := distuv.ChiSquared{K: n}.Survival(squares)
			t.Logf("%s: chi-squared %.2f for %g cells, p = %.4f", name, squares, n, p)
			if p < 1e-5 {
				t.Errorf("%s: the choices do not follow the probabilities that were logged, p = %g", name, p)
			}
		}
	}
}
