package bandits

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// learner is the whole loop on real parts: encode, score, distribution, floor,
// uniform number from the decision's id, draw, tile, build.
type learner struct {
	t       testing.TB
	encoder *Encoder
	options Options
	alpha   float64
	floor   float64
	every   int // decisions between builds

	name    string
	actions []string
	tiles   map[string]*Tile
	model   *Model
	w       Workspace
	n       int
}

func newLearner(t testing.TB, name, declaration string, actions []string, o Options, alpha, floor float64, every int) *learner {
	t.Helper()
	d, err := ParseDeclaration([]byte(declaration))
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEncoder(d)
	if err != nil {
		t.Fatal(err)
	}
	o.Dimension = e.Dimension()
	l := &learner{t: t, encoder: e, options: o, alpha: alpha, floor: floor, every: every, name: name, tiles: map[string]*Tile{}}
	l.actions = actions
	l.rebuild()
	return l
}

func (l *learner) rebuild() {
	b, err := NewBuilder(l.options, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, a := range l.actions {
		if t := l.tiles[a]; t != nil {
			if err := b.Add(*t); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	if l.model, err = b.Build(); err != nil {
		l.t.Fatal(err)
	}
}

// decide chooses an action for the context and learns from the reward.
func (l *learner) decide(context AttributeMap, reward func(action int) float64) {
	var x Vector
	if err := l.encoder.EncodeShared(nil, context, &x); err != nil {
		l.t.Fatal(err)
	}
	d, err := Thompson{Model: l.model, Alpha: l.alpha, Floor: l.floor}.Distribution(Candidates{Actions: l.actions, Features: x}, &l.w)
	if err != nil || d.Degenerate {
		l.t.Fatalf("degenerate %v, error %v", d.Degenerate, err)
	}
	k, _ := d.Draw(Uniform(fmt.Sprint("d", l.n), l.name, "action"))
	action := l.actions[k]
	tile := l.tiles[action]
	if tile == nil {
		fresh := NewTile(action, 0, l.encoder.Dimension())
		tile = &fresh
		l.tiles[action] = tile
	}
	tile.Observe(x, reward(k))
	if l.n++; l.n%l.every == 0 {
		l.rebuild()
	}
}

// news is the simulation of the news personalisation tutorial of Vowpal Wabbit:
// two users, two times of day, seven articles, reward 1 on a match.
func news(t testing.TB, seed uint64, floor, alpha float64, o Options, rounds int) (clickRate float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	l := newLearner(t, fmt.Sprint("news", seed), `{"fields":[
		{"name":"user","source":"context","kind":"categorical","values":["Tom","Anna"]},
		{"name":"time","source":"context","kind":"categorical","values":["morning","afternoon"]}],
		"crosses":[["user","time"]]}`,
		[]string{"politics", "sports", "music", "food", "finance", "health", "camping"}, o, alpha, floor, 5)
	likes := map[string]int{"Tom/morning": 0, "Tom/afternoon": 2, "Anna/morning": 1, "Anna/afternoon": 0}
	var clicks float64
	for range rounds {
		user := []string{"Tom", "Anna"}[rng.IntN(2)]
		time := []string{"morning", "afternoon"}[rng.IntN(2)]
		l.decide(AttributeMap{"user": user, "time": time}, func(a int) float64 {
			if likes[user+"/"+time] == a {
				clicks++
				return 1
			}
			return 0
		})
	}
	return clicks / float64(rounds)
}

// noisy is a world of low and overlapping response rates: eight actions, three
// categorical features of four levels, base rates of 3 to 5 %. It returns the
// share of the gap between uniform choice and an oracle that was captured.
func noisy(t testing.TB, seed uint64, alpha float64, o Options, rounds int) (captured float64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	const arms, features, levels = 8, 3, 4
	var base [arms]float64
	var effect [arms][features][levels]float64
	for a := range arms {
		base[a] = -3.5 + .3*rng.NormFloat64()
		for f := range features {
			for v := range levels {
				effect[a][f][v] = .5 * rng.NormFloat64()
			}
		}
	}
	names := make([]string, arms)
	for a := range names {
		names[a] = fmt.Sprint("arm", a)
	}
	fields := ""
	for f := range features {
		if f > 0 {
			fields += ","
		}
		fields += fmt.Sprintf(`{"name":"f%d","source":"context","kind":"categorical","values":["v0","v1","v2","v3"]}`, f)
	}
	l := newLearner(t, fmt.Sprint("noisy", seed), `{"fields":[`+fields+`]}`, names, o, alpha, .02, 200)
	var got, oracle, random float64
	for range rounds {
		context := AttributeMap{}
		var p [arms]float64
		for a := range arms {
			p[a] = base[a]
		}
		for f := range features {
			v := rng.IntN(levels)
			context[fmt.Sprint("f", f)] = fmt.Sprint("v", v)
			for a := range arms {
				p[a] += effect[a][f][v]
			}
		}
		best := 0.0
		for a := range arms {
			p[a] = 1 / (1 + math.Exp(-p[a]))
			best = max(best, p[a])
			random += p[a] / arms
		}
		oracle += best
		luck := rng.Float64()
		l.decide(context, func(a int) float64 {
			got += p[a] // the expected reward: less noise in the comparison
			if luck < p[a] {
				return 1
			}
			return 0
		})
	}
	return (got - random) / (oracle - random)
}

func TestNewsSimulation(t *testing.T) {
	t.Parallel()
	// The first of the tutorial's scenarios, full cross, floor .02: the ceiling is
	// .9829, the best of Vowpal Wabbit's maps reaches .9915 without a floor, plain
	// Thompson sampling with it .9787.
	seeds := uint64(5)
	if testing.Short() {
		seeds = 1
	}
	var mean float64
	for seed := range seeds {
		rate := news(t, seed, .02, DefaultAlpha, Options{}, 5000)
		t.Logf("seed %d: %.4f", seed, rate)
		mean += rate / float64(seeds)
	}
	t.Logf("mean of %d seeds %.4f", seeds, mean)
	if mean < .965 || mean > .9829+.01 {
		t.Errorf("click rate %.4f, want from .965 to the ceiling of .9829", mean)
	}
}

func TestNoisyWorldSimulation(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("three worlds of 30,000 rounds take a while under the race detector")
	}
	for _, alpha := range []float64{.25, .5} {
		const worlds = 3
		var mean float64
		for seed := range uint64(worlds) {
			mean += noisy(t, seed, alpha, Options{}, 30000) / worlds
		}
		t.Logf("alpha %g: captured %.3f of the gap between uniform and oracle, mean of %d worlds", alpha, mean, worlds)
		if mean < .8 {
			t.Errorf("alpha %g: captured %.3f, want at least .8", alpha, mean)
		}
	}
}
