package bandits

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// observation is one decision of the log, for computing without tiles.
type observation struct {
	action string
	day    Day
	x      Vector
	reward float64
}

func randomLog(seed uint64, n, dimension int, actions ...string) []observation {
	rng := rand.New(rand.NewPCG(seed, 9))
	log := make([]observation, n)
	for i := range log {
		x := Vector{Indices: []uint32{0}, Values: []float64{1}}
		for j := 1; j < dimension; j++ {
			if rng.IntN(3) == 0 {
				x.append(uint32(j), rng.NormFloat64())
			}
		}
		a := rng.IntN(len(actions))
		r := .3*float64(a) + .2*x.Values[x.Len()-1] + .1*rng.NormFloat64()
		log[i] = observation{actions[a], Day(100 - rng.IntN(40)), x, r}
	}
	return log
}

func tilesOf(log []observation, dimension int) []Tile {
	type key struct {
		action string
		day    Day
	}
	at := map[key]int{}
	var tiles []Tile
	for _, o := range log {
		k := key{o.action, o.day}
		i, ok := at[k]
		if !ok {
			i = len(tiles)
			at[k] = i
			tiles = append(tiles, NewTile(o.action, o.day, dimension))
		}
		tiles[i].Observe(o.x, o.reward)
	}
	return tiles
}

func build(t interface{ Fatal(...any) }, o Options, asOf Day, tiles []Tile) *Model {
	b, err := NewBuilder(o, asOf)
	if err != nil {
		t.Fatal(err)
	}
	for _, tile := range tiles {
		if err := b.Add(tile); err != nil {
			t.Fatal(err)
		}
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// bruteForce solves for one action's posterior from the log, decision by
// decision, with an LU decomposition.
func bruteForce(log []observation, action string, o Options, asOf Day) (mean []float64, covariance *mat.Dense, noise float64) {
	d := o.Dimension
	weights := func(day Day) (c, g float64) {
		age := int(asOf - day)
		g = math.Pow(.5, float64(age)/o.HalfLife)
		return g * o.Maturity(age), g
	}
	sum := func(include func(string) bool) (n float64, xx *mat.Dense, rx *mat.VecDense) {
		xx, rx = mat.NewDense(d, d, nil), mat.NewVecDense(d, nil)
		for _, l := range log {
			if !include(l.action) {
				continue
			}
			c, g := weights(l.day)
			phi := make([]float64, d)
			l.x.Dense(phi)
			v := mat.NewVecDense(d, phi)
			var outer mat.Dense
			outer.Outer(c, v, v)
			xx.Add(xx, &outer)
			rx.AddScaledVec(rx, g*l.reward, v)
			n += c
		}
		return n, xx, rx
	}
	solve := func(a *mat.Dense, b *mat.VecDense) *mat.VecDense {
		var x mat.VecDense
		if err := x.SolveVec(a, b); err != nil {
			panic(err)
		}
		return &x
	}
	identity := mat.NewDense(d, d, nil)
	for i := range d {
		identity.Set(i, i, o.Ridge)
	}
	residual := func(include func(string) bool, theta *mat.VecDense) (ssr, n float64) {
		// The weighted sum of squares, with c for φφᵀ and g for rewards; it is
		// negative where Maturity says that more rewards are to come.
		for _, l := range log {
			if !include(l.action) {
				continue
			}
			c, g := weights(l.day)
			phi := make([]float64, d)
			l.x.Dense(phi)
			fit := mat.Dot(mat.NewVecDense(d, phi), theta)
			ssr += g*l.reward*l.reward - 2*g*l.reward*fit + c*fit*fit
			n += c
		}
		return math.Max(ssr, 0), n
	}
	others := func(a string) bool { return a != action }
	own := func(a string) bool { return a == action }
	all := func(string) bool { return true }

	n, xx, rx := sum(others)
	var precision mat.Dense
	precision.Add(identity, xx)
	mu0 := solve(&precision, rx)
	var prior mat.Dense
	prior.Scale(math.Min(1, o.PseudoDecisions/n), xx)
	prior.Add(&prior, identity)
	var h mat.VecDense
	h.MulVec(&prior, mu0)
	_, ownXX, ownRX := sum(own)
	var posterior mat.Dense
	posterior.Add(&prior, ownXX)
	h.AddVec(&h, ownRX)
	mu := solve(&posterior, &h)
	covariance = &mat.Dense{}
	if err := covariance.Inverse(&posterior); err != nil {
		panic(err)
	}
	// Noise: own residual shrunk to the pooled one, that to the option.
	_, totalXX, totalRX := sum(all)
	var total mat.Dense
	total.Add(identity, totalXX)
	ssr, count := residual(all, solve(&total, totalRX))
	pooled := (o.NoiseDecisions*o.Noise + ssr) / (o.NoiseDecisions + count)
	ssr, count = residual(own, mu)
	return mu.RawVector().Data, covariance, (o.NoiseDecisions*pooled + ssr) / (o.NoiseDecisions + count)
}

func TestPosteriorAgainstBruteForce(t *testing.T) {
	t.Parallel()
	o := Options{Dimension: 7, Ridge: 1.5, PseudoDecisions: 20, HalfLife: 10, Noise: .4, NoiseDecisions: 5,
		Maturity: func(age int) float64 { return 1 - math.Exp(-float64(age+1)/3) }}
	log := randomLog(1, 400, o.Dimension, "a", "b", "c")
	m := build(t, o, 101, tilesOf(log, o.Dimension))
	for _, action := range []string{"a", "b", "c"} {
		arm, known := m.Arm(action)
		if !known {
			t.Fatalf("no posterior for %q", action)
		}
		mean, covariance, noise := bruteForce(log, action, o, 101)
		for i, want := range mean {
			if math.Abs(arm.Mean[i]-want) > 1e-10 {
				t.Errorf("%s: mean[%d] = %.15g, want %.15g", action, i, arm.Mean[i], want)
			}
			for j := range i + 1 {
				if got, want := arm.Covariance[PackedLen(i)+j], covariance.At(i, j); math.Abs(got-want) > 1e-10 {
					t.Errorf("%s: covariance (%d,%d) = %.15g, want %.15g", action, i, j, got, want)
				}
			}
		}
		if math.Abs(arm.Noise-noise) > 1e-10 {
			t.Errorf("%s: noise %.15g, want %.15g", action, arm.Noise, noise)
		}
		// The score of a vector against matrix arithmetic.
		for _, l := range log[:20] {
			phi := make([]float64, o.Dimension)
			l.x.Dense(phi)
			v := mat.NewVecDense(o.Dimension, phi)
			wantMean := mat.Dot(v, mat.NewVecDense(o.Dimension, mean))
			wantSD := math.Sqrt(noise * mat.Inner(v, covariance, v))
			if gotMean, gotSD := arm.Score(l.x); math.Abs(gotMean-wantMean) > 1e-10 || math.Abs(gotSD-wantSD) > 1e-10 {
				t.Errorf("%s: score %g ± %g, want %g ± %g", action, gotMean, gotSD, wantMean, wantSD)
			}
		}
	}
	// An unknown action starts from all of them.
	arm, known := m.Arm("new")
	if known {
		t.Error("an action without data counts as known")
	}
	mean, covariance, _ := bruteForce(log, "new", o, 101)
	for i, want := range mean {
		if math.Abs(arm.Mean[i]-want) > 1e-10 || math.Abs(arm.Covariance[PackedLen(i)+i]-covariance.At(i, i)) > 1e-10 {
			t.Errorf("prior: mean[%d] = %g, want %g", i, arm.Mean[i], want)
		}
	}
}

// A decision scores eight actions at a time, an explanation one; they must give
// the same bits, whichever actions stand beside each other and in whatever order.
func TestScorePathsAgree(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	var w Workspace
	for _, k := range []int{0, 1, 7, 8, 9, 21} {
		var names []string
		for i := range k {
			names = append(names, fmt.Sprint("a", i))
		}
		var tiles []Tile
		if k > 0 {
			tiles = tilesOf(randomLog(uint64(k), 500, 12, names...), 12)
		}
		m := build(t, Options{Dimension: 12}, 1, tiles)
		for range 20 {
			var x Vector
			for i := range 12 {
				if rng.IntN(2) == 0 {
					x.append(uint32(i), rng.NormFloat64())
				}
			}
			actions := append([]string{"new"}, names...)
			rng.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
			actions = actions[:1+rng.IntN(len(actions))]
			d, err := Thompson{Model: m, Alpha: 1, Floor: .1}.Distribution(Candidates{Actions: actions, Features: x}, &w)
			if err != nil {
				t.Fatal(err)
			}
			own := make([]Vector, len(actions))
			cold := 0
			for i, action := range actions {
				own[i] = x
				arm, known := m.Arm(action)
				if !known {
					cold++
				}
				mean, sd := arm.Score(x)
				if d.Mean[i] != mean || d.SD[i] != sd {
					t.Fatalf("%d actions: %s scores %g ± %g beside others, %g ± %g alone", k, action, d.Mean[i], d.SD[i], mean, sd)
				}
				if m2, sd2 := m.Score(action, x); m2 != mean || sd2 != sd {
					t.Fatalf("%d actions: Model.Score of %s is %g ± %g, of its arm %g ± %g", k, action, m2, sd2, mean, sd)
				}
			}
			if d.Cold != cold {
				t.Fatalf("%d actions without data, want %d", d.Cold, cold)
			}
			q := slices.Clone(d.Q)
			d, err = Thompson{Model: m, Alpha: 1, Floor: .1}.Distribution(Candidates{Actions: actions, Own: own}, &w)
			if err != nil || !slices.Equal(d.Q, q) {
				t.Fatalf("features given for each action: %v, want %v (%v)", d.Q, q, err)
			}
		}
	}
}

func TestTilesAdd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Dimension: 5, HalfLife: 20}
		log := randomLog(rapid.Uint64().Draw(t, "seed"), 60, o.Dimension, "a", "b")
		want := build(t, o, 100, tilesOf(log, o.Dimension))
		// One tile for every decision, in another order, rewards afterwards.
		var parts []Tile
		for _, i := range rapid.Permutation(indices(len(log))).Draw(t, "order") {
			decided := NewTile(log[i].action, log[i].day, o.Dimension)
			decided.Observe(log[i].x, 0)
			rewarded := NewTile(log[i].action, log[i].day, o.Dimension)
			rewarded.Reward(log[i].x, 0, 7)
			rewarded.Reward(log[i].x, 7, log[i].reward)
			parts = append(parts, rewarded, decided)
		}
		got := build(t, o, 100, parts)
		for _, name := range want.Actions() {
			a, _ := want.Arm(name)
			b, known := got.Arm(name)
			if !known || math.Abs(a.Decisions-b.Decisions) > 1e-9 || math.Abs(a.Noise-b.Noise) > 1e-9 {
				t.Fatalf("action %q: %v decisions, noise %v; want %v, %v", name, b.Decisions, b.Noise, a.Decisions, a.Noise)
			}
			for i := range a.Mean {
				if math.Abs(a.Mean[i]-b.Mean[i]) > 1e-9 {
					t.Fatalf("action %q: mean[%d] = %g, want %g", name, i, b.Mean[i], a.Mean[i])
				}
			}
		}
	})
}

func TestForgettingGoesTowardsThePrior(t *testing.T) {
	t.Parallel()
	o := Options{Dimension: 3, HalfLife: 10, PseudoDecisions: -1}
	tiles := tilesOf(randomLog(2, 300, 3, "a"), 3)
	x := Vector{Indices: []uint32{0}, Values: []float64{1}}
	previous := 0.0
	for _, asOf := range []Day{100, 110, 150, 400} {
		m := build(t, o, asOf, tiles)
		arm, _ := m.Arm("a")
		_, sd := arm.Score(x)
		if sd/math.Sqrt(arm.Noise) <= previous {
			t.Errorf("day %d: relative deviation %g does not grow", asOf, sd/math.Sqrt(arm.Noise))
		}
		previous = sd / math.Sqrt(arm.Noise)
	}
	if math.Abs(previous-1) > 1e-3 {
		t.Errorf("after 30 half-lives the relative deviation is %g, want the prior's 1", previous)
	}
}

// Unmatured days are left out and a corrected mean is unbiased where the naive
// one is not.
func TestMaturity(t *testing.T) {
	t.Parallel()
	arrived := func(age int) float64 { return 1 - math.Exp(-float64(age)/2) }
	var tiles []Tile
	x := Vector{Indices: []uint32{0}, Values: []float64{1}}
	for day := range Day(8) {
		tile := NewTile("a", day, 1)
		for range 1000 {
			tile.Observe(x, 0)
		}
		// Of 100 rewards of 1, only those that had time to arrive are there.
		f := arrived(7 - int(day))
		tile.SumR, tile.SumR2, tile.SumRX[0] = 100*f, 100*f, 100*f
		tiles = append(tiles, tile)
	}
	naive, _ := build(t, Options{Dimension: 1, Ridge: 1e-6}, 7, tiles).Arm("a")
	corrected, _ := build(t, Options{Dimension: 1, Ridge: 1e-6, Maturity: arrived}, 7, tiles).Arm("a")
	if math.Abs(corrected.Mean[0]-.1) > 1e-6 || naive.Mean[0] > .08 {
		t.Errorf("rate %g corrected, %g naive; want .1 and less than .08", corrected.Mean[0], naive.Mean[0])
	}
}

func TestBuildWithLittleOrBadData(t *testing.T) {
	t.Parallel()
	x := Vector{Indices: []uint32{0, 1, 2}, Values: []float64{1, 1, 1}} // collinear
	for _, c := range []struct {
		name  string
		tiles func() []Tile
	}{
		{"nothing", func() []Tile { return nil }},
		{"an empty tile", func() []Tile { return []Tile{NewTile("a", 0, 3)} }},
		{"one decision", func() []Tile { tile := NewTile("a", 0, 3); tile.Observe(x, 1); return []Tile{tile} }},
		{"collinear features, very many", func() []Tile {
			tile := NewTile("a", 0, 3)
			tile.Observe(x, 1)
			for i := range tile.SumXX {
				tile.SumXX[i] *= 1e15
			}
			tile.N, tile.SumR, tile.SumR2 = 1e15, 1e15, 1e15
			for i := range tile.SumRX {
				tile.SumRX[i] *= 1e15
			}
			return []Tile{tile}
		}},
		{"scales far apart", func() []Tile {
			tile := NewTile("a", 0, 3)
			tile.Observe(Vector{Indices: []uint32{0, 1, 2}, Values: []float64{1, 1e8, 1e-8}}, 1e6)
			tile.Observe(Vector{Indices: []uint32{0, 1}, Values: []float64{1, 2e8}}, -1e6)
			return []Tile{tile}
		}},
		{"a day in the future", func() []Tile { tile := NewTile("a", 900, 3); tile.Observe(x, 1); return []Tile{tile} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := build(t, Options{Dimension: 3, HalfLife: 5}, 1, c.tiles())
			arm, _ := m.Arm("a")
			mean, sd := arm.Score(x)
			if !finite(mean) || !finite(sd) || sd < 0 {
				t.Errorf("score %g ± %g", mean, sd)
			}
		})
	}
	// Sums that no decisions can have made are refused, by name.
	impossible := NewTile("broken", 0, 2)
	impossible.N, impossible.SumXX[1] = 1, 1e6
	b, err := NewBuilder(Options{Dimension: 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add(impossible); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Build(); err == nil {
		arm, _ := m.Arm("broken")
		if mean, sd := arm.Score(Vector{Indices: []uint32{0, 1}, Values: []float64{1, 1}}); !finite(mean) || !finite(sd) {
			t.Errorf("score %g ± %g", mean, sd)
		}
	} else if !strings.Contains(err.Error(), "positive definite") {
		t.Error(err)
	}
}

func TestTileErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		member string
		spoil  func(*Tile)
	}{
		{"action", func(t *Tile) { t.Action = "" }},
		{"sumRX", func(t *Tile) { t.SumRX = t.SumRX[1:] }},
		{"sumXX", func(t *Tile) { t.SumXX = append(t.SumXX, 1) }},
		{"n ", func(t *Tile) { t.N = -1 }},
		{"n ", func(t *Tile) { t.N = math.NaN() }},
		{"sumR ", func(t *Tile) { t.SumR = math.Inf(1) }},
		{"sumR2 ", func(t *Tile) { t.SumR2 = math.NaN() }},
		{"sumRX[1]", func(t *Tile) { t.SumRX[1] = math.NaN() }},
		{"sumXX[2]", func(t *Tile) { t.SumXX[2] = math.Inf(-1) }},
		{"(1,1)", func(t *Tile) { t.SumXX[2] = -1 }},
	} {
		tile := NewTile("a", DayOf(time.Date(2026, 1, 2, 23, 59, 0, 0, time.UTC)), 2)
		c.spoil(&tile)
		b, err := NewBuilder(Options{Dimension: 2}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(tile); err == nil || !strings.Contains(err.Error(), c.member) || !strings.Contains(err.Error(), "2026-01-02") {
			t.Errorf("%s: error %v", c.member, err)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"dimension":       {},
		"ridge":           {Dimension: 1, Ridge: -1},
		"pseudoDecisions": {Dimension: 1, PseudoDecisions: math.NaN()},
		"halfLife":        {Dimension: 1, HalfLife: -1},
		"noise ":          {Dimension: 1, Noise: math.Inf(1)},
		"noiseMin":        {Dimension: 1, NoiseMin: -1},
		"noiseMax":        {Dimension: 1, NoiseMin: 2, NoiseMax: 1},
	} {
		if _, err := NewBuilder(o, 0); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestDayOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at   time.Time
		want Day
	}{
		{time.Unix(0, 0), 0}, {time.Unix(86399, 999), 0}, {time.Unix(86400, 0), 1}, {time.Unix(-1, 0), -1},
		{time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 7200)), 20453},
	} {
		if got := DayOf(c.at); got != c.want {
			t.Errorf("%v: day %d, want %d", c.at, got, c.want)
		}
	}
}
