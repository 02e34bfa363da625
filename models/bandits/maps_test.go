package bandits

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// modelOf has one feature, the intercept, and an action for each mean.
func modelOf(t testing.TB, noise float64, means map[string]float64) *Model {
	t.Helper()
	arms := map[string]*Arm{}
	for name, mean := range means {
		arms[name] = &Arm{Mean: []float64{mean}, Covariance: []float64{1}, Noise: noise}
	}
	m, err := newModel("", 1, 0, Arm{Mean: []float64{0}, Covariance: []float64{1}, Noise: noise}, arms)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExplorationMaps(t *testing.T) {
	t.Parallel()
	m := modelOf(t, .04, map[string]float64{"a": .10, "b": .06, "c": .10, "d": .02})
	x := Vector{Indices: []uint32{0}, Values: []float64{1}}
	for name, c := range map[string]struct {
		policy  Policy
		actions []string
		want    []float64
	}{
		// Gaps of .04 and .08 are .2 and .4 deviations: 1/(3+10·.2) and 1/(3+10·.4).
		"squarecb":            {SquareCB{Model: m, Gamma: 10}, []string{"b", "a", "d"}, []float64{1 / 5.0, 1 - 1/5.0 - 1/7.0, 1 / 7.0}},
		"squarecb, gamma 0":   {SquareCB{Model: m}, []string{"b", "a", "d"}, []float64{1 / 3.0, 1 / 3.0, 1 / 3.0}},
		"squarecb with floor": {SquareCB{Model: m, Gamma: 10, Floor: .3}, []string{"b", "a", "d"}, []float64{.1 + .7/5, .1 + .7*(1-1/5.0-1/7.0), .1 + .7/7}},
		"greedy":              {Greedy{Model: m}, []string{"b", "a", "d"}, []float64{0, 1, 0}},
		"greedy with floor":   {Greedy{Model: m, Floor: .3}, []string{"b", "a", "d"}, []float64{.1, .8, .1}},
		"greedy with a tie":   {Greedy{Model: m, Floor: .3}, []string{"a", "c", "d"}, []float64{.45, .45, .1}},
		"one candidate":       {SquareCB{Model: m, Gamma: 10, Floor: .3}, []string{"d"}, []float64{1}},
	} {
		var w Workspace
		d, err := c.policy.Distribution(Candidates{Actions: c.actions, Features: x}, &w)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, want := range c.want {
			if math.Abs(d.Q[i]-want) > 1e-12 {
				t.Errorf("%s: %v, want %v", name, d.Q, c.want)
				break
			}
		}
	}
	for name, p := range map[string]Policy{"squarecb": SquareCB{Model: m, Gamma: math.NaN()}, "squarecb without model": SquareCB{}, "greedy without model": Greedy{}, "floor": Greedy{Model: m, Floor: 2}} {
		if _, err := p.Distribution(Candidates{Actions: []string{"a"}, Features: x}, new(Workspace)); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := p.Distribution(Candidates{}, new(Workspace)); err == nil {
			t.Errorf("%s: chose among nothing", name)
		}
	}
}

// Whatever the means, both are distributions with the floor, and the better an action
// the likelier it is.
func TestExplorationMapsAreDistributions(t *testing.T) {
	t.Parallel()
	x := Vector{Indices: []uint32{0}, Values: []float64{1}}
	rapid.Check(t, func(r *rapid.T) {
		means := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 30).Draw(r, "means")
		floor := rapid.Float64Range(.01, 1).Draw(r, "floor")
		named, actions := map[string]float64{}, make([]string, len(means))
		for i, mean := range means {
			actions[i] = string(rune('A' + i))
			named[actions[i]] = mean
		}
		m := modelOf(t, rapid.Float64Range(0, 1e6).Draw(r, "noise"), named)
		for _, p := range []Policy{SquareCB{Model: m, Gamma: rapid.Float64Range(0, 1e6).Draw(r, "gamma"), Floor: floor}, Greedy{Model: m, Floor: floor}} {
			var w Workspace
			d, err := p.Distribution(Candidates{Actions: actions, Features: x}, &w)
			if err != nil {
				r.Fatal(err)
			}
			if err := CheckDistribution(d.Q, floor/float64(len(means))); err != nil {
				r.Fatal(err)
			}
			for i := range means {
				for j := range means {
					if means[i] > means[j] && d.Q[i] < d.Q[j]-1e-12 {
						r.Fatalf("%g is less likely than %g: %v", means[i], means[j], d.Q)
					}
				}
			}
		}
	})
}
