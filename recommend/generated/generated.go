// Package generated makes interactions with the skew of real ones, in any number, for
// measurements: a few items that everybody has and a long tail, many people with little
// and a few with very much, and tastes that can be learned.
package generated

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"quintet/recommend/interactions"
)

// Settings of the generator.
type Settings struct {
	// People, Items and Interactions are how many there are. Of interactions it makes
	// within some percent as many, each of another pair.
	People, Items, Interactions int
	// Tastes is how many kinds of items there are (40); everybody likes three of them.
	Tastes int
	// Own is the share of what people take that is of their tastes (0.7).
	Own float64
	// Skew is the exponent of the popularity of items (1.2): the n-th most popular is
	// taken (n+10)^-skew as often.
	Skew float64
	// Spread is the standard deviation of the logarithm of how much people take (1.1).
	Spread float64
	Seed   uint64
}

// Matrix makes people by items, each entry 1.
func Matrix(s Settings) (*interactions.Matrix, error) {
	if s.Tastes == 0 {
		s.Tastes = 40
	}
	if s.Own == 0 {
		s.Own = 0.7
	}
	if s.Skew == 0 {
		s.Skew = 1.2
	}
	if s.Spread == 0 {
		s.Spread = 1.1
	}
	if s.People < 1 || s.Items < s.Tastes || s.Items > math.MaxInt32 || s.Interactions < s.People || s.Interactions > s.People*s.Items/4 {
		return nil, fmt.Errorf("generating: %d interactions of %d people with %d items are too few or too many", s.Interactions, s.People, s.Items)
	}
	if !(s.Own > 0 && s.Own < 1) || !(s.Skew > 0 && s.Skew < 5) || !(s.Spread > 0 && s.Spread < 5) || s.Tastes < 1 {
		return nil, fmt.Errorf("generating: own must lie within 0 and 1, skew and spread within 0 and 5, and there must be a taste")
	}
	rng := rand.New(rand.NewPCG(s.Seed, 0x9e4))
	all := newDraw(rng, s.Items, s.Skew)
	kinds := make([]*draw, s.Tastes)
	for k := range kinds {
		// Every kind has items of all ranks.
		var of []int32
		for rank, item := range all.items {
			if rank%s.Tastes == k {
				of = append(of, item)
			}
		}
		kinds[k] = weigh(of, s.Skew)
	}
	m := &interactions.Matrix{Columns: s.Items, Start: make([]int, 1, s.People+1), Index: make([]int32, 0, s.Interactions+s.Interactions/20)}
	taken := make([]int32, s.Items)
	mean := math.Log(float64(s.Interactions)/float64(s.People)) - s.Spread*s.Spread/2
	// What is capped is made up for, so that the number comes out.
	scale := 1.0
	for p := range s.People {
		want := int(math.Exp(mean+s.Spread*rng.NormFloat64())*scale + rng.Float64())
		want = min(max(1, want), s.Items/8)
		tastes := [3]int{rng.IntN(s.Tastes), rng.IntN(s.Tastes), rng.IntN(s.Tastes)}
		from := len(m.Index)
		for tries := 0; len(m.Index)-from < want && tries < 4*want; tries++ {
			source := all
			if rng.Float64() < s.Own {
				source = kinds[tastes[rng.IntN(len(tastes))]]
			}
			item := source.one(rng)
			if taken[item] != int32(p+1) {
				taken[item] = int32(p + 1)
				m.Index = append(m.Index, item)
			}
		}
		slices.Sort(m.Index[from:])
		m.Start = append(m.Start, len(m.Index))
		if p%1000 == 999 {
			scale *= math.Sqrt(float64(s.Interactions) / float64(s.People) * float64(p+1) / float64(len(m.Index)))
			scale = min(2, max(.5, scale))
		}
	}
	m.Value = make([]float32, len(m.Index))
	for i := range m.Value {
		m.Value[i] = 1
	}
	return m, nil
}

// draw takes items with probabilities that fall with their rank.
type draw struct {
	items []int32
	upTo  []float64
}

func newDraw(rng *rand.Rand, items int, skew float64) *draw {
	order := make([]int32, items)
	for i, n := range rng.Perm(items) {
		order[i] = int32(n)
	}
	return weigh(order, skew)
}

func weigh(items []int32, skew float64) *draw {
	d := &draw{items: items, upTo: make([]float64, len(items))}
	sum := 0.0
	for rank := range items {
		// The very first are less steep in catalogues than a power law has it.
		sum += math.Pow(float64(rank)+10, -skew)
		d.upTo[rank] = sum
	}
	return d
}

func (d *draw) one(rng *rand.Rand) int32 {
	at := sort.SearchFloat64s(d.upTo, rng.Float64()*d.upTo[len(d.upTo)-1])
	return d.items[min(at, len(d.items)-1)]
}
