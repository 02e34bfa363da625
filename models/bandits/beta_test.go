package bandits

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// bestOf is an independent computation: the integral of the density of each times the
// distribution functions of the others, piece by piece with gonum.
func bestOf(beliefs []belief) []float64 {
	out := make([]float64, len(beliefs))
	for i, b := range beliefs {
		own := distuv.Beta{Alpha: b.a, Beta: b.b}
		// By the quantiles of its own, so that the density never has to be looked for.
		const pieces = 400
		for n := range pieces {
			lo, hi := float64(n)/pieces, float64(n+1)/pieces
			out[i] += quad.Fixed(func(p float64) float64 {
				x, product := own.Quantile(p)-b.charge, 1.0
				for j, other := range beliefs {
					if t := x + other.charge; j != i {
						product *= distuv.Beta{Alpha: other.a, Beta: other.b}.CDF(min(max(t, 0), 1))
					}
				}
				return product
			}, lo, hi, 3, nil, 0)
		}
	}
	return out
}

func TestBestOfBetas(t *testing.T) {
	t.Parallel()
	for name, beliefs := range map[string][]belief{
		"two":                     {{a: 12, b: 90}, {a: 20, b: 85}},
		"equal":                   {{a: 3, b: 7}, {a: 3, b: 7}, {a: 3, b: 7}},
		"nothing known":           {{a: .5, b: .5}, {a: .5, b: .5}, {a: 40, b: 60}},
		"never a success":         {{a: .5, b: 300.5}, {a: 2.5, b: 400.5}, {a: .5, b: 20.5}},
		"narrow beside wide":      {{a: 50_000, b: 950_000}, {a: 50_300, b: 949_700}, {a: 1.5, b: 9.5}},
		"with charges":            {{a: 12, b: 90, charge: .02}, {a: 20, b: 85, charge: .1}, {a: 5, b: 80}},
		"a charge that rules out": {{a: 12, b: 90}, {a: 20, b: 85, charge: 2}},
		"many":                    {{a: 3, b: 40}, {a: 5, b: 50}, {a: 2, b: 10}, {a: 30, b: 300}, {a: 7, b: 60}, {a: 1, b: 4}, {a: 9, b: 100}},
	} {
		var q betaQuadrature
		got, want := make([]float64, len(beliefs)), bestOf(beliefs)
		q.best(beliefs, got)
		worst := 0.0
		for i := range got {
			worst = max(worst, math.Abs(got[i]-want[i]))
		}
		t.Logf("%s: off by %.1e at the most", name, worst)
		if worst > 2e-4 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		again := make([]float64, len(beliefs))
		q.best(beliefs, again)
		var fresh betaQuadrature
		fresh.best(beliefs, got)
		for i := range got {
			if math.Float64bits(again[i]) != math.Float64bits(got[i]) {
				t.Errorf("%s: remembered %v, computed %v", name, again, got)
			}
		}
	}
}

// Without features the belief is the conjugate one: successes and failures, and a half of
// each.
func TestBetaIsConjugate(t *testing.T) {
	t.Parallel()
	b, err := NewBuilder(Options{Dimension: 1, PseudoDecisions: -1, Ridge: 1e-6}, 0)
	if err != nil {
		t.Fatal(err)
	}
	x := Vector{Indices: []uint32{0}, Values: []float64{1}}
	counts := map[string][2]int{"a": {12, 100}, "b": {30, 180}, "c": {0, 40}}
	actions := []string{"a", "b", "c"}
	var beliefs []belief
	for _, action := range actions {
		tile := NewTile(action, 0, 1)
		successes, n := counts[action][0], counts[action][1]
		for i := range n {
			reward := 0.0
			if i < successes {
				reward = 1
			}
			tile.Observe(x, reward)
		}
		if err := b.Add(tile); err != nil {
			t.Fatal(err)
		}
		beliefs = append(beliefs, belief{a: .5 + float64(successes), b: .5 + float64(n-successes)})
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	var w Workspace
	d, err := Beta{Model: m, Alpha: 1, Floor: .03}.Distribution(Candidates{Actions: actions, Features: x}, &w)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range bestOf(beliefs) {
		if math.Abs(d.P[i]-want) > 1e-3 || math.Abs(d.Q[i]-(.01+.97*d.P[i])) > 1e-15 {
			t.Errorf("%s: %g, want %g (%g with the floor)", actions[i], d.P[i], want, d.Q[i])
		}
	}
}

func TestBetaDoesNotAllocate(t *testing.T) {
	m := modelOf(t, .1, map[string]float64{"a": .1, "b": .2})
	candidates := Candidates{Actions: []string{"a", "b"}, Features: Vector{Indices: []uint32{0}, Values: []float64{1}}, Charges: []float64{0, 0}}
	var w Workspace
	if n := testing.AllocsPerRun(100, func() {
		candidates.Charges[0] += 1e-6 // not what was asked before
		if _, err := (Beta{Model: m, Alpha: 1, Floor: .03}).Distribution(candidates, &w); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// Whatever the posterior, it is a distribution, and no worse action is likelier where both
// rest on as much.
func TestBetaIsADistribution(t *testing.T) {
	t.Parallel()
	x := Vector{Indices: []uint32{0}, Values: []float64{1}}
	rapid.Check(t, func(r *rapid.T) {
		means := rapid.SliceOfN(rapid.Float64Range(-2, 3), 1, 12).Draw(r, "means")
		named, actions := map[string]float64{}, make([]string, len(means))
		for i, mean := range means {
			actions[i] = string(rune('A' + i))
			named[actions[i]] = mean
		}
		m := modelOf(t, rapid.Float64Range(0, 1e6).Draw(r, "noise"), named)
		alpha := rapid.Float64Range(1e-6, 100).Draw(r, "alpha")
		d, err := Beta{Model: m, Alpha: alpha, Floor: .02}.Distribution(Candidates{Actions: actions, Features: x}, new(Workspace))
		if err != nil {
			r.Fatal(err)
		}
		if err := CheckDistribution(d.Q, .02/float64(len(means))); err != nil {
			r.Fatal(err)
		}
		for i := range means {
			for j := range means {
				if means[i] > means[j] && d.Q[i] < d.Q[j]-1e-3 {
					r.Fatalf("%g is less likely than %g: %v", means[i], means[j], d.Q)
				}
			}
		}
	})
	if _, err := (Beta{}).Distribution(Candidates{Actions: []string{"a"}}, new(Workspace)); err == nil {
		t.Error("chose without a model")
	}
	m := modelOf(t, 1, map[string]float64{"a": .1})
	if _, err := (Beta{Model: m, Alpha: math.NaN()}).Distribution(Candidates{Actions: []string{"a"}, Features: x}, new(Workspace)); err == nil {
		t.Error("took an alpha that is no number")
	}
	if _, err := (Beta{Model: m, Alpha: 1}).Distribution(Candidates{}, new(Workspace)); err == nil {
		t.Error("chose among nothing")
	}
}
