package content_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"quintet/recommend/content"
	"quintet/recommend/interactions"
)

var catalogue = []content.Item{
	0: {Attributes: []string{"category=boots", "brand=acme"}, Text: "Warm winter boots, LEATHER"},
	1: {Attributes: []string{"category=boots", "brand=other"}, Text: "Leather boots for winter"},
	2: {Attributes: []string{"category=toasters", "brand=acme"}, Text: "Toaster with two slots"},
	3: {Attributes: []string{"category=toasters"}, Text: "A toaster of steel, two slots"},
	4: {}, // nothing is known
	5: {Text: "unique"},
}

func TestLikeness(t *testing.T) {
	t.Parallel()
	m, err := content.New(catalogue, content.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	for item, want := range map[int32]int32{0: 1, 1: 0, 2: 3, 3: 2} {
		if got := m.Similar(item, nil, 9, nil); len(got) == 0 || got[0].Item != want {
			t.Errorf("like %d are %v, want %d first", item, got, want)
		}
		for other := range int32(4) {
			if c := m.Cosine(item, other); c < -1e-6 || c > 1+1e-6 || item == other && math.Abs(c-1) > 1e-6 || math.Abs(c-m.Cosine(other, item)) > 1e-9 {
				t.Errorf("cosine of %d and %d is %v", item, other, c)
			}
		}
	}
	scores := make([]float32, m.Items())
	m.Score([]interactions.Event{{Item: 0, Weight: 1}, {Item: 4, Weight: 1}}, scores)
	if math.Abs(float64(scores[1])-m.Cosine(0, 1)) > 1e-6 || !math.IsInf(float64(scores[4]), -1) {
		t.Errorf("after item 0 the scores are %v", scores)
	}
	m.Score([]interactions.Event{{Item: 4, Weight: 1}}, scores)
	if !math.IsInf(float64(scores[1]), -1) {
		t.Errorf("after an item of which nothing is known the scores are %v", scores)
	}
	if got := m.Explain([]interactions.Event{{Item: 2, Weight: 1}, {Item: 0, Weight: 1}}, 1, 1); len(got) != 1 || got[0].Item != 0 {
		t.Errorf("item 1 is explained by %v", got)
	}
}

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	items := []content.Item{{Embedding: []float32{1, 0, 0}}, {Embedding: []float32{2, 0.1, 0}}, {Embedding: []float32{0, 0, 5}}, {Text: "none"}, {Embedding: []float32{0, 0, 0}}}
	m, err := content.New(items, content.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Similar(0, nil, 1, nil); len(got) != 1 || got[0].Item != 1 || math.Abs(float64(got[0].Score)-2/math.Hypot(2, .1)) > 1e-6 {
		t.Errorf("like the first are %v", got)
	}
	if got := m.Similar(4, nil, 1, nil); len(got) != 0 {
		t.Errorf("like nothing are %v", got)
	}
	for _, bad := range [][]float32{{1, 2}, {float32(math.NaN()), 0, 0}, {float32(math.Inf(1)), 0, 0}} {
		if _, err := content.New(append(items[:3:3], content.Item{Embedding: bad}), content.Settings{}); err == nil {
			t.Errorf("the embedding %v is taken", bad)
		}
	}
	if m, err := content.New(nil, content.Settings{}); err != nil || m.Items() != 0 {
		t.Errorf("an empty catalogue: %v", err)
	}
	if _, err := content.New(items, content.Settings{Text: math.NaN()}); err == nil {
		t.Error("a weight of NaN is taken")
	}
}

// The vectors of items follow from their kind; a new item of a kind is placed there.
func TestTowerPlacesNewItems(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	const kinds, factors = 5, 8
	var truth [kinds][factors]float32
	for k := range truth {
		for f := range factors {
			truth[k][f] = float32(rng.NormFloat64())
		}
	}
	var items []content.Item
	for i := range 200 {
		items = append(items, content.Item{Attributes: []string{fmt.Sprintf("kind=%d", i%kinds)}, Text: fmt.Sprintf("word%d word%d", rng.IntN(20), rng.IntN(20))})
	}
	m, err := content.New(items, content.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	vectorOf := func(item int32) []float32 {
		if item >= 150 {
			return nil // new
		}
		v := make([]float32, factors)
		for f := range v {
			v[f] = truth[item%kinds][f] + float32(rng.NormFloat64()/20)
		}
		return v
	}
	tower, err := m.Fit(factors, vectorOf, func(int32) float64 { return 30 }, content.TowerSettings{Ridge: .1})
	if err != nil {
		t.Fatal(err)
	}
	for item := int32(150); item < 200; item++ {
		got := tower.Vector(item)
		var apart, size float64
		for f := range factors {
			apart += math.Pow(float64(got[f]-truth[item%kinds][f]), 2)
			size += math.Pow(float64(truth[item%kinds][f]), 2)
		}
		if apart > .1*size {
			t.Errorf("new item %d is placed %.2f away from its kind, whose length is %.2f", item, math.Sqrt(apart), math.Sqrt(size))
		}
	}
	if _, err := m.Fit(factors, func(int32) []float32 { return nil }, func(int32) float64 { return 1 }, content.TowerSettings{}); err == nil {
		t.Error("a tower is fitted to nothing")
	}
}

func FuzzWords(f *testing.F) {
	f.Add("Größe 42, müde Füße\xff")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0.0
		for word, count := range content.Words(text, 100) {
			if len(word) == 0 || count < 1 {
				t.Fatalf("%q counts %v", word, count)
			}
			n += count
		}
		if n > 100 {
			t.Fatalf("%v words of at most 100", n)
		}
	})
}
