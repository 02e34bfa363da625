// Package ease is the closed-form linear autoencoder of Steck ("Embarrassingly shallow
// autoencoders for sparse data", 2019): with G = XᵀX + λI and P = G⁻¹,
//
//	B_ij = -P_ij / P_jj,  B_jj = 0,  score = x B
//
// It is the most exact of the methods here on catalogues of some thousands of items,
// and takes n² numbers and n³ steps for n of them.
package ease

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/scoring"
	"quintet/recommend/vector"
)

// Kind names the method.
const Kind = "ease"

// MaxItems is the largest catalogue: it takes 5 GB and some 10 minutes.
const MaxItems = 20_000

// Settings of training.
type Settings struct {
	// Regularisation is λ (500): 100 to 1000 as a rule, more for more events.
	Regularisation float64 `json:"regularisation"`
	// Weighting makes the entries of the matrix from events, and those of a person's
	// history.
	Weighting interactions.Weighting `json:"weighting"`
}

// Model is the matrix of weights between items.
type Model struct {
	settings Settings
	items    int
	width    int // of a row, padded
	weights  []float32
	known    scoring.Set
}

var (
	_ scoring.Model     = (*Model)(nil)
	_ scoring.Explainer = (*Model)(nil)
	_ scoring.Similar   = (*Model)(nil)
)

// Train solves for the weights. An empty matrix, more than MaxItems items and a
// regularisation that is not positive are errors. The context ends it between its
// steps only, of which the longest is the inverse.
func Train(ctx context.Context, m *interactions.Matrix, settings Settings) (*Model, error) {
	if settings.Regularisation == 0 {
		settings.Regularisation = 500
	}
	if !(settings.Regularisation > 0) || math.IsInf(settings.Regularisation, 0) {
		return nil, fmt.Errorf("regularisation of EASE must be above 0, got %v", settings.Regularisation)
	}
	if err := settings.Weighting.Validate(); err != nil {
		return nil, fmt.Errorf("settings of EASE: %w", err)
	}
	n := m.Columns
	if n == 0 || m.Entries() == 0 {
		return nil, fmt.Errorf("training EASE: there are no interactions")
	}
	if n > MaxItems {
		return nil, fmt.Errorf("training EASE: there are %d items, it takes %d at most", n, MaxItems)
	}
	gram := make([]float64, n*n)
	for r := range m.Rows() {
		if r%1024 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("training EASE: %w", ctx.Err())
		}
		columns, weights := m.Row(r)
		for i, a := range columns {
			if !(weights[i] > 0) || weights[i] > math.MaxFloat32 {
				return nil, fmt.Errorf("training EASE: a weight of item %d is %v, not a positive number", a, weights[i])
			}
			row, w := gram[int(a)*n:int(a+1)*n], float64(weights[i])
			for j := i; j < len(columns); j++ {
				row[columns[j]] += w * float64(weights[j])
			}
		}
	}
	model := &Model{settings: settings, items: n, width: vector.Pad(n), known: scoring.NewSet(n)}
	for i := range n {
		if gram[i*n+i] > 0 {
			model.known.Add(int32(i))
		}
		gram[i*n+i] += settings.Regularisation
	}
	var factored mat.Cholesky
	if !factored.Factorize(mat.NewSymDense(n, gram)) {
		return nil, fmt.Errorf("training EASE: the matrix cannot be inverted with regularisation %v", settings.Regularisation)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("training EASE: %w", err)
	}
	inverse := mat.NewSymDense(n, gram) // its memory is free again
	if err := factored.InverseTo(inverse); err != nil {
		return nil, fmt.Errorf("training EASE: inverting: %w", err)
	}
	model.weights = make([]float32, n*model.width)
	for i := range n {
		row := model.weights[i*model.width:]
		for j := range n {
			if i != j {
				row[j] = float32(-inverse.At(i, j) / inverse.At(j, j))
			}
		}
	}
	return model, nil
}

// Kind is "ease".
func (m *Model) Kind() string { return Kind }

// Settings are those it was trained with.
func (m *Model) Settings() Settings { return m.settings }

// Items is how many items there are.
func (m *Model) Items() int { return m.items }

func (m *Model) row(item int32) []float32 {
	return m.weights[int(item)*m.width : int(item+1)*m.width]
}

// Score adds up what the items of the history say.
func (m *Model) Score(history []interactions.Event, scores []float32) {
	entries := m.settings.Weighting.Entries(history, m.items)
	sums := make([]float32, m.width)
	any := false
	for _, e := range entries {
		if m.known.Has(e.Item) {
			vector.Axpy(e.Weight, m.row(e.Item), sums)
			any = true
		}
	}
	copy(scores, sums)
	for i := range scores {
		if !any || !m.known.Has(int32(i)) {
			scores[i] = float32(math.Inf(-1))
		}
	}
}

// Explain gives the items of the history whose weights for an item are the largest.
func (m *Model) Explain(history []interactions.Event, item int32, n int) []scoring.Reason {
	return m.Explaining(history)(item, n)
}

// Explaining implements [scoring.ListExplainer].
func (m *Model) Explaining(history []interactions.Event) func(item int32, n int) []scoring.Reason {
	entries := m.settings.Weighting.Entries(history, m.items)
	return func(item int32, n int) []scoring.Reason {
		if !m.known.Has(item) {
			return nil
		}
		return scoring.Reasons(entries, n, func(e interactions.Entry) float32 { return e.Weight * m.row(e.Item)[item] })
	}
}

// Similar appends the items for which an item speaks most.
func (m *Model) Similar(item int32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	if !m.known.Has(item) {
		return dst
	}
	scores := slices.Clone(m.row(item)[:m.items])
	for i := range scores {
		if scores[i] <= 0 {
			scores[i] = float32(math.Inf(-1))
		}
	}
	return scoring.TopK(scores, allowed, k, dst)
}

// Encode gives the model as bytes.
func (m *Model) Encode() []byte {
	w := modelfile.NewWriter(Kind, struct {
		Settings
		Items int `json:"items"`
	}{m.settings, m.items})
	known := make([]int, len(m.known))
	for i, word := range m.known {
		known[i] = int(word)
	}
	w.Ints("known", known)
	w.Float32s("weights", m.weights)
	return w.Finish()
}

// Decode makes a model from what Encode gave.
func Decode(r *modelfile.Reader) (*Model, error) {
	var stored struct {
		Settings
		Items int `json:"items"`
	}
	r.Settings(&stored)
	if r.Err() == nil && (stored.Items < 0 || stored.Items > MaxItems) {
		return nil, fmt.Errorf("reading EASE: %d items", stored.Items)
	}
	m := &Model{settings: stored.Settings, items: stored.Items, width: vector.Pad(stored.Items), known: scoring.NewSet(stored.Items)}
	for i, word := range r.Ints("known", len(m.known)) {
		m.known[i] = uint64(word)
	}
	m.weights = r.Float32s("weights", m.items*m.width)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("reading EASE: %w", err)
	}
	return m, nil
}
