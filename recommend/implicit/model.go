package implicit

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"quintet/recommend/index"
	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/scoring"
	"quintet/recommend/vector"
)

// Kind names the method.
const Kind = "ials"

// Model is the items' side of a factorisation. It does not change.
type Model struct {
	settings Settings
	scan     *index.Scan
	gram     []float32 // times the weight of the unobserved, in full
	diagonal bool      // nothing of gram is beside its diagonal
	pool     sync.Pool
}

var (
	_ scoring.Model       = (*Model)(nil)
	_ scoring.Recommender = (*Model)(nil)
	_ scoring.Similar     = (*Model)(nil)
	_ scoring.Explainer   = (*Model)(nil)
)

func newModel(settings Settings, scan *index.Scan, gram []float32) *Model {
	m := &Model{settings: settings, scan: scan, gram: gram, diagonal: true}
	for i, v := range gram {
		if v != 0 && i%(scan.Width()+1) != 0 {
			m.diagonal = false
		}
	}
	m.pool.New = func() any {
		return &folding{solver: newSolver(scan.Width(), 0), person: make([]float32, scan.Width())}
	}
	return m
}

// folding is the memory to fold somebody in.
type folding struct {
	solver  *solver
	entries []interactions.Event
	columns []int32 // places in the scan
	weights []float32
	person  []float32
}

// Kind is "ials".
func (m *Model) Kind() string { return Kind }

// Settings are those it was trained with.
func (m *Model) Settings() Settings { return m.settings }

// Items is how many items there are.
func (m *Model) Items() int { return m.scan.Len() }

// Width is the length of a person's vector: factors padded to a multiple of
// vector.Lane.
func (m *Model) Width() int { return m.scan.Width() }

// Factors are the items' vectors, factors numbers each, by item.
func (m *Model) Factors() []float32 { return m.scan.Factors(m.settings.Factors) }

// Item is the vector of an item, padded with zeros; nil when nothing is known of it.
// It must not be changed.
func (m *Model) Item(item int32) []float32 {
	if !m.scan.Known(item) {
		return nil
	}
	return m.scan.Row(item)
}

// FoldIn writes to person, of length Width, the vector of somebody with this history.
// It reports whether there is one: a history without any item that the model knows has
// none.
func (m *Model) FoldIn(history []interactions.Event, person []float32) bool {
	f := m.pool.Get().(*folding)
	defer m.pool.Put(f)
	return m.foldIn(f, history, person)
}

func (m *Model) foldIn(f *folding, history []interactions.Event, person []float32) bool {
	if !m.gather(f, history) {
		clear(person)
		return false
	}
	f.solver.solve(m.scan.Rows(), m.gram, m.diagonal, f.columns, f.weights, m.settings.hold(f.weights, m.Items()), person)
	return true
}

// gather makes the entries of a person's row out of their latest events.
func (m *Model) gather(f *folding, history []interactions.Event) bool {
	w := m.settings.Weighting
	f.entries, f.columns, f.weights = f.entries[:0], f.columns[:0], f.weights[:0]
	for i := len(history) - 1; i >= 0 && len(f.entries) < m.settings.MaxHistory; i-- {
		if e := history[i]; m.scan.Known(e.Item) {
			w.Now = max(w.Now, e.At)
			f.entries = append(f.entries, e)
		}
	}
	slices.SortFunc(f.entries, func(a, b interactions.Event) int { return cmp.Compare(a.Item, b.Item) })
	for i := 0; i < len(f.entries); {
		item, sum := f.entries[i].Item, 0.0
		for ; i < len(f.entries) && f.entries[i].Item == item; i++ {
			sum += w.Of(f.entries[i])
		}
		if weight := float32(w.Total(sum)); weight > 0 && weight <= math.MaxFloat32 {
			f.columns, f.weights = append(f.columns, m.scan.Place(item)), append(f.weights, weight)
		}
	}
	return len(f.columns) > 0
}

// Score writes how well every item goes with a history; minus infinity for items of
// which nothing is known, and for all when nothing is known of the history.
func (m *Model) Score(history []interactions.Event, scores []float32) {
	f := m.pool.Get().(*folding)
	defer m.pool.Put(f)
	m.foldIn(f, history, f.person)
	m.scan.Scores(f.person, scores)
}

// Recommend appends the best k items of allowed.
func (m *Model) Recommend(history []interactions.Event, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	f := m.pool.Get().(*folding)
	defer m.pool.Put(f)
	if !m.foldIn(f, history, f.person) {
		return dst
	}
	return m.scan.Search(f.person, allowed, k, dst)
}

// Search appends the best k items of allowed for a vector from FoldIn, so that one
// folding serves several lists.
func (m *Model) Search(person []float32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	return m.scan.Search(person, allowed, k, dst)
}

// Similar appends the k items whose vectors point in the most similar direction, by
// cosine.
func (m *Model) Similar(item int32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	if !m.scan.Known(item) || k <= 0 {
		return dst
	}
	row := m.scan.Row(item)
	scores := make([]float32, m.Items())
	m.scan.Scores(row, scores)
	own := math.Sqrt(float64(vector.Dot(row, row)))
	for i := range scores {
		if m.scan.Known(int32(i)) {
			other := m.scan.Row(int32(i))
			scores[i] = float32(float64(scores[i]) / (own * math.Sqrt(float64(vector.Dot(other, other)))))
		}
	}
	scores[item] = float32(math.Inf(-1))
	return scoring.TopK(scores, allowed, k, dst)
}

// Explain takes a score apart: with W the system of the person, the score of item j is
// Σ_i w_i y_jᵀ W⁻¹ y_i over the items i of the history (Hu, Koren and Volinsky 2008).
func (m *Model) Explain(history []interactions.Event, item int32, n int) []scoring.Reason {
	return m.Explaining(history)(item, n)
}

// Explaining implements [scoring.ListExplainer]: the person's system is factored once.
func (m *Model) Explaining(history []interactions.Event) func(item int32, n int) []scoring.Reason {
	// It keeps its memory: nobody says when the list is explained.
	f := m.pool.Get().(*folding)
	nothing := func(int32, int) []scoring.Reason { return nil }
	if !m.gather(f, history) {
		return nothing
	}
	failed := f.solver.failed
	f.solver.full(m.scan.Rows(), m.gram, f.columns, f.weights, m.settings.hold(f.weights, m.Items()), f.person)
	if f.solver.failed != failed {
		return nothing
	}
	direction := make([]float32, len(f.person))
	return func(item int32, n int) []scoring.Reason {
		if !m.scan.Known(item) {
			return nil
		}
		// full left the factored system in the solver.
		copy(direction, m.scan.Row(item))
		vector.Solve(f.solver.system, f.solver.factors, direction, f.solver.work)
		entries := make([]interactions.Entry, len(f.columns))
		for e, column := range f.columns {
			entries[e] = interactions.Entry{Item: m.scan.ItemAt(column), Weight: f.weights[e]}
		}
		return scoring.Reasons(entries, n, func(e interactions.Entry) float32 { return e.Weight * vector.Dot(direction, m.scan.Row(e.Item)) })
	}
}

// WithItems is the model with vectors for items of which it knows nothing yet, for
// example from content.Tower, and room for so many items in all. Items that it knows
// stay as they are.
func (m *Model) WithItems(items int, vectorOf func(item int32) []float32) (*Model, error) {
	d := m.settings.Factors
	items = max(items, m.Items())
	factors := make([]float32, items*d)
	for item := range int32(items) {
		to := factors[int(item)*d : int(item+1)*d]
		if m.scan.Known(item) {
			copy(to, m.scan.Row(item))
		} else if v := vectorOf(item); len(v) >= d {
			copy(to, v)
		}
	}
	scan, err := index.NewScan(factors, items, d)
	if err != nil {
		return nil, fmt.Errorf("adding items to a model: %w", err)
	}
	return newModel(m.settings, scan, m.gram), nil
}

// Encode gives the model as bytes.
func (m *Model) Encode() []byte {
	w := modelfile.NewWriter(Kind, struct {
		Settings
		Items int `json:"items"`
	}{m.settings, m.Items()})
	w.Float32s("factors", m.Factors())
	w.Float32s("gram", m.gram)
	return w.Finish()
}

// Decode makes a model from what Encode gave.
func Decode(r *modelfile.Reader) (*Model, error) {
	var stored struct {
		Settings
		Items int `json:"items"`
	}
	r.Settings(&stored)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("reading iALS: %w", err)
	}
	if err := stored.Validate(); err != nil {
		return nil, fmt.Errorf("reading iALS: %w", err)
	}
	if stored.Items < 0 || stored.Items > math.MaxInt32 {
		return nil, fmt.Errorf("reading iALS: %d items", stored.Items)
	}
	width := vector.Pad(stored.Factors)
	factors, gram := r.Float32s("factors", stored.Items*stored.Factors), r.Float32s("gram", width*width)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("reading iALS: %w", err)
	}
	scan, err := index.NewScan(factors, stored.Items, stored.Factors)
	if err != nil {
		return nil, fmt.Errorf("reading iALS: %w", err)
	}
	return newModel(stored.Settings, scan, gram), nil
}
