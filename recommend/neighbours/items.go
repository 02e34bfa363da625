package neighbours

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/scoring"
)

// Kind names the method.
const Kind = "item-item"

// Measure is how likeness of items is measured. With n_a the people with item a, n_ab
// those with both, N all people, w the entries and s the shrinkage:
type Measure string

// The measures.
const (
	// Cosine is Σ w_a w_b / (|a| |b| + s): for entries of 1, n_ab / (√(n_a n_b) + s).
	Cosine Measure = "cosine"
	// BM25 is the product of the entries after each was saturated, w (k+1)/(k l + w)
	// with l = 1 - b + b × the item's sum over the average, and multiplied by the
	// person's rarity, ln N_items - ln(1 + items of the person). Shrinkage is not used.
	BM25 Measure = "bm25"
	// Lift is ln((n_ab + s) / (n_a n_b / N + s)), where above 0: by how much more
	// often than by chance the same people have both, drawn to 1 where little is known.
	Lift Measure = "lift"
)

// Settings of item-item likeness.
type Settings struct {
	Measure Measure `json:"measure"`
	// Shrinkage is s (10).
	Shrinkage float64 `json:"shrinkage"`
	// Neighbours is how many are kept of each item (50).
	Neighbours int `json:"neighbours"`
	// Together is how many people must have both (2).
	Together int `json:"together"`
	// K1 and B are those of BM25 (1.2, 0.75).
	K1 float64 `json:"k1,omitempty"`
	B  float64 `json:"b,omitempty"`
	// Weighting makes the entries of the matrix, and those of a history. Its Latest
	// bounds the pairs; 100 when it is 0.
	Weighting interactions.Weighting `json:"weighting"`
	// Workers is on how many cores it runs (all).
	Workers int `json:"-"`
}

// WithDefaults fills in what is zero.
func (s Settings) WithDefaults() Settings {
	if s.Measure == "" {
		s.Measure = Cosine
	}
	if s.Shrinkage == 0 {
		s.Shrinkage = 10
	}
	if s.Neighbours == 0 {
		s.Neighbours = 50
	}
	if s.Together == 0 {
		s.Together = 2
	}
	if s.K1 == 0 {
		s.K1 = 1.2
	}
	if s.B == 0 {
		s.B = 0.75
	}
	if s.Weighting.Latest == 0 {
		s.Weighting.Latest = 100
	}
	return s
}

// Validate says what is wrong with settings.
func (s Settings) Validate() error {
	s = s.WithDefaults()
	if s.Measure != Cosine && s.Measure != BM25 && s.Measure != Lift {
		return fmt.Errorf("measure must be cosine, bm25 or lift, got %q", s.Measure)
	}
	if !(s.Shrinkage >= 0) || math.IsInf(s.Shrinkage, 0) {
		return fmt.Errorf("shrinkage must be at least 0, got %v", s.Shrinkage)
	}
	if s.Neighbours < 1 || s.Neighbours > 1000 || s.Together < 1 {
		return fmt.Errorf("neighbours must be 1 to 1000 and together at least 1, got %d and %d", s.Neighbours, s.Together)
	}
	if !(s.K1 >= 0) || !(s.B >= 0 && s.B <= 1) || math.IsInf(s.K1, 0) {
		return fmt.Errorf("k1 must be at least 0 and b within 0 and 1, got %v and %v", s.K1, s.B)
	}
	return s.Weighting.Validate()
}

// Model recommends what goes with the items of a history. It does not change.
type Model struct {
	*Table
	settings Settings
}

var (
	_ scoring.Model     = (*Model)(nil)
	_ scoring.Similar   = (*Model)(nil)
	_ scoring.Explainer = (*Model)(nil)
)

// Train compares all items that anybody had both. It takes Σ over people of the square
// of their items, which the weighting bounds by its Latest.
func Train(ctx context.Context, l *interactions.Log, settings Settings) (*Model, error) {
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("settings of item-item: %w", err)
	}
	settings = settings.WithDefaults()
	m, err := l.Matrix(settings.Weighting)
	if err != nil {
		return nil, fmt.Errorf("comparing items: %w", err)
	}
	t := newComparison(m, settings)
	rows := make([][]scoring.Scored, m.Columns)
	if settings.Workers <= 0 {
		settings.Workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range settings.Workers {
		wg.Go(func() {
			sums, counts := make([]float64, m.Columns), make([]int32, m.Columns)
			var touched []int32
			var best scoring.Best
			for ctx.Err() == nil {
				item := int(next.Add(1)) - 1
				if item >= m.Columns {
					return
				}
				rows[item], touched = t.row(int32(item), sums, counts, touched[:0], &best)
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("comparing items: %w", err)
	}
	return &Model{NewTable(rows, settings.Neighbours), settings}, nil
}

// comparison is what comparing items needs.
type comparison struct {
	settings         Settings
	byPerson, byItem *interactions.Matrix
	length           []float64 // of an item's column
}

func newComparison(m *interactions.Matrix, settings Settings) *comparison {
	if settings.Measure == BM25 {
		m = saturated(m, settings)
	}
	t := &comparison{settings: settings, byPerson: m, byItem: m.Transpose(), length: make([]float64, m.Columns)}
	for i, w := range m.Value {
		t.length[m.Index[i]] += float64(w) * float64(w)
	}
	for i := range t.length {
		t.length[i] = math.Sqrt(t.length[i])
	}
	return t
}

// saturated is the matrix as BM25 weighs its entries.
func saturated(m *interactions.Matrix, s Settings) *interactions.Matrix {
	sums, all, items := make([]float64, m.Columns), 0.0, 0
	for i, w := range m.Value {
		sums[m.Index[i]] += float64(w)
		all += float64(w)
	}
	for _, sum := range sums {
		if sum > 0 {
			items++
		}
	}
	average := all / float64(max(1, items))
	out := &interactions.Matrix{Columns: m.Columns, Start: m.Start, Index: m.Index, Value: make([]float32, len(m.Value))}
	for p := range m.Rows() {
		from, to := m.Start[p], m.Start[p+1]
		rarity := math.Log(float64(m.Columns)) - math.Log1p(float64(to-from))
		for e := from; e < to; e++ {
			w, norm := float64(m.Value[e]), 1-s.B+s.B*sums[m.Index[e]]/average
			out.Value[e] = float32(max(0, w*(s.K1+1)/(s.K1*norm+w)*rarity))
		}
	}
	return out
}

// row compares one item with all.
func (t *comparison) row(item int32, sums []float64, counts, touched []int32, best *scoring.Best) ([]scoring.Scored, []int32) {
	people, weights := t.byItem.Row(int(item))
	for i, p := range people {
		others, values := t.byPerson.Row(int(p))
		w := float64(weights[i])
		for j, other := range others {
			if counts[other] == 0 {
				touched = append(touched, other)
			}
			counts[other]++
			sums[other] += w * float64(values[j])
		}
	}
	best.Reset(t.settings.Neighbours)
	own := float64(len(people))
	for _, other := range touched {
		together := float64(counts[other])
		if other != item && int(counts[other]) >= t.settings.Together {
			value := 0.0
			switch t.settings.Measure {
			case Cosine:
				value = sums[other] / (t.length[item]*t.length[other] + t.settings.Shrinkage)
			case BM25:
				value = sums[other]
			case Lift:
				theirs := float64(t.byItem.Start[other+1] - t.byItem.Start[other])
				value = LogLift(together, own, theirs, float64(t.byPerson.Rows()), t.settings.Shrinkage)
			}
			if value > 0 {
				best.Offer(other, float32(value))
			}
		}
		sums[other], counts[other] = 0, 0
	}
	return best.Append(nil), touched
}

// LogLift is ln((together + s) / (a b / all + s)): 0 when two things coincide as often
// as by chance, drawn to it by s.
func LogLift(together, a, b, all, s float64) float64 {
	if !(all > 0) || !(a*b/all+s > 0) || !(together+s > 0) {
		return 0
	}
	return math.Log((together + s) / (a*b/all + s))
}

// Kind is "item-item".
func (m *Model) Kind() string { return Kind }

// Settings are those it was made with.
func (m *Model) Settings() Settings { return m.settings }

// Score adds up what goes with the items of a history.
func (m *Model) Score(history []interactions.Event, scores []float32) {
	m.Add(m.settings.Weighting.Entries(history, m.Items()), scores)
}

// Explain gives the items of the history that an item goes with most.
func (m *Model) Explain(history []interactions.Event, item int32, n int) []scoring.Reason {
	return m.Explaining(history)(item, n)
}

// Explaining implements [scoring.ListExplainer].
func (m *Model) Explaining(history []interactions.Event) func(item int32, n int) []scoring.Reason {
	entries := m.settings.Weighting.Entries(history, m.Items())
	return func(item int32, n int) []scoring.Reason { return m.Reasons(entries, item, n) }
}

// Encode gives the model as bytes.
func (m *Model) Encode() []byte {
	w := modelfile.NewWriter(Kind, m.settings)
	m.Write(w)
	return w.Finish()
}

// Decode makes a model from what Encode gave.
func Decode(r *modelfile.Reader) (*Model, error) {
	m := new(Model)
	r.Settings(&m.settings)
	table, err := ReadTable(r)
	if err != nil {
		return nil, fmt.Errorf("reading item-item: %w", err)
	}
	m.Table = table
	return m, nil
}
