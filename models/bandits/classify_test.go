package bandits

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// task is a generated classification: a context, and its class.
type task struct {
	name        string
	classes     int
	declaration string
	next        func(rng *rand.Rand) (AttributeMap, int)
}

// clouds are ten normal clouds in eight dimensions.
func clouds() task {
	const classes, dimensions = 10, 8
	rng := rand.New(rand.NewPCG(21, 1))
	var centre [classes][dimensions]float64
	for c := range centre {
		for d := range dimensions {
			centre[c][d] = 1.4 * rng.NormFloat64()
		}
	}
	return task{name: "ten clouds", classes: classes, declaration: numericFields(dimensions), next: func(rng *rand.Rand) (AttributeMap, int) {
		c, x := rng.IntN(classes), AttributeMap{}
		for d := range dimensions {
			x[fmt.Sprint("x", d)] = centre[c][d] + rng.NormFloat64()
		}
		return x, c
	}}
}

// rare has six classes of 60 % down to 2 %, which overlap.
func rare() task {
	const dimensions = 5
	shares := []float64{.6, .18, .1, .06, .04, .02}
	rng := rand.New(rand.NewPCG(22, 1))
	centre := make([][dimensions]float64, len(shares))
	for c := range centre {
		for d := range dimensions {
			centre[c][d] = 1.6 * rng.NormFloat64()
		}
	}
	return task{name: "rare classes", classes: len(shares), declaration: numericFields(dimensions), next: func(rng *rand.Rand) (AttributeMap, int) {
		c, x := Draw(shares, rng.Float64()), AttributeMap{}
		for d := range dimensions {
			x[fmt.Sprint("x", d)] = centre[c][d] + rng.NormFloat64()
		}
		return x, c
	}}
}

// rules gives each pair of the levels of two features a class, which a fifth of the
// labels do not keep to; two more features say nothing.
func rules() task {
	const classes, levels = 5, 5
	rng := rand.New(rand.NewPCG(23, 1))
	var table [levels][levels]int
	for a := range levels {
		for b := range levels {
			table[a][b] = rng.IntN(classes)
		}
	}
	var fields []string
	for f := range 4 {
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","source":"context","kind":"categorical","values":["0","1","2","3","4"]}`, f))
	}
	return task{name: "rules", classes: classes, declaration: `{"fields":[` + strings.Join(fields, ",") + `],"crosses":[["f0","f1"]]}`, next: func(rng *rand.Rand) (AttributeMap, int) {
		var level [4]int
		x := AttributeMap{}
		for f := range level {
			level[f] = rng.IntN(levels)
			x[fmt.Sprint("f", f)] = fmt.Sprint(level[f])
		}
		if rng.IntN(5) == 0 {
			return x, rng.IntN(classes)
		}
		return x, table[level[0]][level[1]]
	}}
}

func numericFields(n int) string {
	var fields []string
	for d := range n {
		fields = append(fields, fmt.Sprintf(`{"name":"x%d","source":"context","kind":"numeric","mean":0,"sd":2}`, d))
	}
	return `{"fields":[` + strings.Join(fields, ",") + `]}`
}

// classify goes through rounds of a task. The bandit learns only whether the class that
// it chose was right; the other learner, on the same features and the same posterior, is
// told the class. It returns the share of right choices of both and that of the most
// frequent class.
func (c task) classify(t *testing.T, seed uint64, rounds int) (bandit, told, constant float64) {
	actions := make([]string, c.classes)
	for a := range actions {
		actions[a] = fmt.Sprint("class ", a)
	}
	setUp := learner{name: fmt.Sprint(c.name, seed), actions: actions, policy: thompson(.25, .005), perDay: 500, live: true}
	chooses, supervised := newLearner(t, setUp, c.declaration), newLearner(t, setUp, c.declaration)
	rng := rand.New(rand.NewPCG(seed, 3))
	counts := make([]float64, c.classes)
	for range rounds {
		x, class := c.next(rng)
		counts[class]++
		chooses.decide(x, func(a int) float64 {
			if a == class {
				bandit += 1 / float64(rounds)
				return 1
			}
			return 0
		})
		if supervised.tell(x, class) {
			told += 1 / float64(rounds)
		}
	}
	for _, n := range counts {
		constant = max(constant, n/float64(rounds))
	}
	return bandit, told, constant
}

// tell chooses the class with the highest mean, and learns from the right one.
func (l *learner) tell(context AttributeMap, class int) (right bool) {
	var x Vector
	if err := l.encoder.EncodeShared(nil, context, &x); err != nil {
		l.t.Fatal(err)
	}
	best, most := -1, 0.0
	for a, action := range l.actions {
		mean, _ := l.model.Score(action, x)
		if best < 0 || mean > most {
			best, most = a, mean
		}
		tile := l.today[action]
		if tile == nil {
			fresh := NewTile(action, l.day, l.encoder.Dimension())
			tile = &fresh
			l.today[action] = tile
		}
		reward := 0.0
		if a == class {
			reward = 1
		}
		tile.Observe(x, reward)
	}
	if l.n++; l.n%l.perDay == 0 {
		l.rebuild()
	}
	return best == class
}

// TestClassificationAsABandit bounds what it costs to learn from choices alone.
// QUINTET_TEST_FULL=1 goes through 50,000 rounds with 5 seeds.
func TestClassificationAsABandit(t *testing.T) {
	t.Parallel()
	seeds, rounds := 1, 10_000
	switch {
	case full():
		seeds, rounds = 5, 50_000
	case testing.Short():
		rounds = 3000
	}
	for _, c := range []task{clouds(), rare(), rules()} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mean := meanOf(seeds, func(seed uint64) []float64 {
				bandit, told, constant := c.classify(t, seed, rounds)
				return []float64{bandit, told, constant}
			})
			share := (mean[0] - mean[2]) / (mean[1] - mean[2])
			t.Logf("right: bandit %.4f, told the class %.4f, most frequent class %.4f; %.3f of the gap, %d seeds of %d rounds", mean[0], mean[1], mean[2], share, seeds, rounds)
			if least := .8; share < least {
				t.Errorf("the bandit captures %.3f of what can be learned, want at least %.2f", share, least)
			}
		})
	}
}
