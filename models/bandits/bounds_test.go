package bandits

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func bounded(t testing.TB, p []float64, floor float64, b Bounds) Distribution {
	t.Helper()
	d := Distribution{P: append([]float64(nil), p...), Q: make([]float64, len(p)), Floor: floor}
	if err := new(Workspace).Bound(&d, b); err != nil {
		t.Fatal(err)
	}
	return d
}

// The figures are worked out by hand.
func TestBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p      []float64
		floor  float64
		bounds Bounds
		want   []float64
	}{
		"nothing bound": {p: []float64{.7, .2, .1}, want: []float64{.7, .2, .1}},
		"floor alone":   {p: []float64{1, 0}, floor: .1, want: []float64{.95, .05}},
		"minimum":       {p: []float64{1, 0, 0}, bounds: Bounds{Minimum: []float64{0, .2, 0}}, want: []float64{.8, .2, 0}},
		"minimum and floor": {p: []float64{1, 0}, floor: .1, bounds: Bounds{Minimum: []float64{0, .2}},
			want: []float64{.05 + .7, .25}},
		"minima above what is left": {p: []float64{1, 0}, floor: .2, bounds: Bounds{Minimum: []float64{.9, .3}},
			want: []float64{.1 + .6, .1 + .2}},
		"within": {p: []float64{.5, .3, .2}, bounds: Bounds{Group: []int{0, 0, -1}, Exposures: []Exposure{{.1, .9}}},
			want: []float64{.5, .3, .2}},
		"too little": {p: []float64{.8, .15, .05}, bounds: Bounds{Group: []int{-1, 0, 0}, Exposures: []Exposure{{.4, 1}}},
			want: []float64{.6, .3, .1}},
		"too much": {p: []float64{.6, .3, .1}, bounds: Bounds{Group: []int{0, -1, -1}, Exposures: []Exposure{{0, .2}}},
			want: []float64{.2, .6, .2}},
		"too much with a floor": {p: []float64{1, 0}, floor: .2, bounds: Bounds{Group: []int{0, -1}, Exposures: []Exposure{{0, .5}}},
			want: []float64{.5, .5}},
		"a bound below the floor gives way": {p: []float64{1, 0}, floor: .2, bounds: Bounds{Group: []int{0, -1}, Exposures: []Exposure{{0, .05}}},
			want: []float64{.1, .9}},
		"none of it likely": {p: []float64{1, 0, 0}, bounds: Bounds{Group: []int{-1, 0, 0}, Exposures: []Exposure{{.3, 1}}},
			want: []float64{.7, .15, .15}},
		"three groups": {p: []float64{.9, .06, .04}, bounds: Bounds{Group: []int{0, 1, 2}, Exposures: []Exposure{{0, .5}, {.1, 1}, {0, .15}}},
			want: []float64{.5, .35, .15}},
		"least above one":   {p: []float64{.5, .5}, bounds: Bounds{Group: []int{0, 1}, Exposures: []Exposure{{.9, 1}, {.6, 1}}}, want: []float64{.6, .4}},
		"most below one":    {p: []float64{.5, .5}, bounds: Bounds{Group: []int{0, 1}, Exposures: []Exposure{{0, .1}, {0, .3}}}, want: []float64{.25, .75}},
		"only one eligible": {p: []float64{1}, bounds: Bounds{Group: []int{0}, Exposures: []Exposure{{0, .1}}}, want: []float64{1}},
		"nobody of a group": {p: []float64{.5, .5}, bounds: Bounds{Group: []int{-1, -1}, Exposures: []Exposure{{.3, 1}}}, want: []float64{.5, .5}},
	} {
		d := bounded(t, c.p, c.floor, c.bounds)
		for i, want := range c.want {
			if math.Abs(d.Q[i]-want) > 1e-9 {
				t.Errorf("%s: %v, want %v", name, d.Q, c.want)
				break
			}
		}
	}
	for name, b := range map[string]Bounds{
		"minimum":         {Minimum: []float64{math.NaN(), 0}},
		"too few":         {Minimum: []float64{.1}},
		"group":           {Group: []int{0, 1}, Exposures: []Exposure{{0, 1}}},
		"groups too few":  {Group: []int{0}, Exposures: []Exposure{{0, 1}}},
		"the wrong order": {Group: []int{0, -1}, Exposures: []Exposure{{.5, .4}}},
	} {
		d := Distribution{P: []float64{.5, .5}, Q: make([]float64, 2)}
		if new(Workspace).Bound(&d, b) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if new(Workspace).Bound(&Distribution{}, Bounds{}) == nil {
		t.Error("bounded nothing")
	}
}

// Bounds that can hold do, and no other distribution within them is nearer to the
// policy's: moving a little between any two candidates either leaves the bounds or goes
// away from it.
func TestBoundsAreHeldAndNearest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		k := rapid.IntRange(2, 12).Draw(r, "candidates")
		n := rapid.IntRange(1, 4).Draw(r, "groups")
		p, b := make([]float64, k), Bounds{Group: make([]int, k), Exposures: make([]Exposure, n)}
		sum := 0.0
		for i := range p {
			p[i] = rapid.Float64Range(.001, 1).Draw(r, "p")
			sum += p[i]
			b.Group[i] = rapid.IntRange(-1, n-1).Draw(r, "group")
		}
		for i := range p {
			p[i] /= sum
		}
		for g := range b.Exposures {
			least := rapid.Float64Range(0, 1/float64(n+1)).Draw(r, "least")
			b.Exposures[g] = Exposure{least, rapid.Float64Range(least, 1).Draw(r, "most")}
		}
		free := false // something may take what the groups must not have
		for _, g := range b.Group {
			free = free || g < 0
		}
		if !free {
			b.Exposures[b.Group[0]].Most = 1
		}
		d := bounded(t, p, 0, b)
		shares := func(q []float64) (out []float64) {
			out = make([]float64, n)
			for i, g := range b.Group {
				if g >= 0 {
					out[g] += q[i]
				}
			}
			return out
		}
		holds := func(q []float64, by float64) bool {
			for g, s := range shares(q) {
				present := false
				for _, of := range b.Group {
					present = present || of == g
				}
				if present && (s < b.Exposures[g].Least-by || s > b.Exposures[g].Most+by) {
					return false
				}
			}
			return true
		}
		if !holds(d.Q, 1e-9) {
			r.Fatalf("%v is not within %v of groups %v", d.Q, b.Exposures, b.Group)
		}
		far := stat.KullbackLeibler(d.Q, p)
		const step = 1e-4
		for i := range d.Q {
			for j := range d.Q {
				other := append([]float64(nil), d.Q...)
				other[i] += step
				other[j] -= step
				if i == j || other[j] < 0 || !holds(other, 0) {
					continue
				}
				if stat.KullbackLeibler(other, p) < far-1e-9 {
					r.Fatalf("%v is nearer to %v than %v", other, p, d.Q)
				}
			}
		}
	})
}

func TestBoundDoesNotAllocate(t *testing.T) {
	p := []float64{.7, .2, .1}
	d := Distribution{P: make([]float64, 3), Q: make([]float64, 3), Floor: .05}
	b := Bounds{Minimum: []float64{0, .01, 0}, Group: []int{0, -1, -1}, Exposures: []Exposure{{0, .5}}}
	var w Workspace
	if n := testing.AllocsPerRun(100, func() {
		copy(d.P, p)
		if err := w.Bound(&d, b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
