package bandits

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// All slates together have probability 1, and slates are drawn as often as their
// propensities say. QUINTET_TEST_FULL=1 draws a million.
func TestSlates(t *testing.T) {
	t.Parallel()
	n := 20_000
	if full() {
		n = 1_000_000
	}
	d := Distribution{Q: []float64{.4, .3, 0, .2, .1}}
	want, sum := map[[3]int]float64{}, 0.0
	for a := range d.Q {
		for b := range d.Q {
			for c := range d.Q {
				p := d.SlatePropensities([]Place{{Index: a}, {Index: b}, {Index: c}}, nil)
				product := p[0] * p[1] * p[2]
				if product > 0 {
					want[[3]int{a, b, c}] = product
					sum += product
				}
			}
		}
	}
	if len(want) != 24 || math.Abs(sum-1) > 1e-12 {
		t.Fatalf("%d slates of probability %g together", len(want), sum)
	}
	// .4 first, then .3 of the .6 left, then .2 of the .3 left.
	if p := want[[3]int{0, 1, 3}]; math.Abs(p-.4*.5*2/3) > 1e-12 {
		t.Errorf("the slate 0, 1, 3 has %g", p)
	}
	drawn, places := map[[3]int]float64{}, []Place{}
	for i := range n {
		places = d.Slate(3, func(place int) float64 { return Uniform(fmt.Sprint(i), "slate", fmt.Sprint(place)) }, places[:0])
		if len(places) != 3 {
			t.Fatalf("slate %v", places)
		}
		for j, p := range d.SlatePropensities(places, nil) {
			if p != places[j].Propensity {
				t.Fatalf("place %d logs %g, computed again it is %g", j, places[j].Propensity, p)
			}
		}
		drawn[[3]int{places[0].Index, places[1].Index, places[2].Index}]++
	}
	squares := 0.0
	for slate, p := range want {
		e := p * float64(n)
		squares += (drawn[slate] - e) * (drawn[slate] - e) / e
	}
	p := distuv.ChiSquared{K: float64(len(want) - 1)}.Survival(squares)
	t.Logf("chi-squared %.2f for %d slates, p = %.4f", squares, len(want), p)
	if p < 1e-5 {
		t.Errorf("slates are not drawn as their propensities say, p = %g", p)
	}
}

// Each place is drawn as it logs, where the distribution changes with every decision.
func TestSlatePropensityAudit(t *testing.T) {
	t.Parallel()
	n := 5000
	if full() {
		n = 1_000_000
	}
	rng := rand.New(rand.NewPCG(23, 29))
	model, actions := auditModel(t, 8, 6, rng)
	audits := []*audit{newAudit(8), newAudit(8), newAudit(8)}
	var w Workspace
	var places []Place
	for i := range n {
		d, err := Thompson{Model: model, Alpha: 1, Floor: .05}.Distribution(Candidates{Actions: actions, Features: auditFeatures(6, rng)}, &w)
		if err != nil {
			t.Fatal(err)
		}
		places = d.Slate(3, func(place int) float64 { return Uniform(fmt.Sprint(i), "audit", fmt.Sprint("place ", place)) }, places[:0])
		left, q := 1.0, append([]float64(nil), d.Q...)
		for j, place := range places {
			conditional := make([]float64, len(q))
			for a := range q {
				conditional[a] = min(q[a]/left, 1)
			}
			if math.Abs(conditional[place.Index]-place.Propensity) > 1e-9 {
				t.Fatalf("place %d logs %g, it is %g", j, place.Propensity, conditional[place.Index])
			}
			audits[j].add(0, conditional, place.Index)
			left -= q[place.Index]
			q[place.Index] = 0
		}
	}
	for _, a := range audits {
		a.judge(t)
	}
}

func TestSlateEdges(t *testing.T) {
	t.Parallel()
	always := func(u float64) func(int) float64 { return func(int) float64 { return u } }
	d := Distribution{Q: []float64{0, 1, 0}}
	if s := d.Slate(3, always(math.Nextafter(1, 0)), nil); len(s) != 1 || s[0] != (Place{1, 1}) {
		t.Errorf("of one possible candidate: %v", s)
	}
	if s := (Distribution{}).Slate(2, always(0), nil); len(s) != 0 {
		t.Errorf("of nothing: %v", s)
	}
	d = Distribution{Q: []float64{.5, .5}}
	if s := d.Slate(5, always(.999), nil); len(s) != 2 || s[0].Index != 1 || s[1] != (Place{0, 1}) {
		t.Errorf("of fewer candidates than places: %v", s)
	}
	if p := d.SlatePropensities([]Place{{Index: 0}, {Index: 0}}, nil); p[1] != 0 {
		t.Errorf("twice the same: %v", p)
	}
}
