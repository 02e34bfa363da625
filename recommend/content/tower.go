package content

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// TowerSettings are those of Fit.
type TowerSettings struct {
	// Ridge holds the weights (1).
	Ridge float64
	// Terms is how many of the most frequent terms are used beside the embedding
	// (512): the fit takes the third power of it.
	Terms int
	// Trust is the number of events of an item at which its vector counts half (10).
	Trust float64
}

// Tower predicts the vector that a factorisation would give an item, from what the item
// is, so that a new item is found by those who like its kind. It does not change.
type Tower struct {
	model   *Model
	terms   int
	factors int
	weights *mat.Dense // features by factors
}

// Fit regresses, by ridge regression, the vectors of the items that have one (factors
// numbers or more each; nil for none) on attributes, words and embeddings, weighted by
// events/(events + trust).
func (m *Model) Fit(factors int, vectorOf func(item int32) []float32, events func(item int32) float64, s TowerSettings) (*Tower, error) {
	if s.Ridge == 0 {
		s.Ridge = 1
	}
	if s.Terms == 0 {
		s.Terms = 512
	}
	if s.Trust == 0 {
		s.Trust = 10
	}
	if !(s.Ridge > 0) || s.Terms < 0 || s.Terms > 4096 || !(s.Trust > 0) || factors < 1 {
		return nil, fmt.Errorf("ridge and trust must be above 0, terms 0 to 4096 and factors at least 1, got %v, %v, %d and %d", s.Ridge, s.Trust, s.Terms, factors)
	}
	t := &Tower{model: m, terms: min(s.Terms, m.terms.Columns), factors: factors}
	n := t.features()
	system, right := mat.NewSymDense(n, nil), mat.NewDense(n, factors, nil)
	taught := 0
	for item := range int32(m.Items()) {
		v := vectorOf(item)
		trust := events(item) / (events(item) + s.Trust)
		if !m.known.Has(item) || len(v) < factors || !(trust > 0) {
			continue
		}
		taught++
		columns, values := t.of(item)
		for i, a := range columns {
			for j, b := range columns[i:] {
				system.SetSym(a, b, system.At(a, b)+trust*values[i]*values[i+j])
			}
			row := right.RawRowView(a)
			for f := range factors {
				row[f] += trust * values[i] * float64(v[f])
			}
		}
	}
	if taught == 0 {
		return nil, fmt.Errorf("fitting content to vectors: no item has both")
	}
	for i := range n {
		system.SetSym(i, i, system.At(i, i)+s.Ridge)
	}
	var factored mat.Cholesky
	if !factored.Factorize(system) {
		return nil, fmt.Errorf("fitting content to vectors: the system cannot be solved with ridge %v", s.Ridge)
	}
	t.weights = new(mat.Dense)
	if err := factored.SolveTo(t.weights, right); err != nil {
		return nil, fmt.Errorf("fitting content to vectors: %w", err)
	}
	return t, nil
}

// features are a constant, the terms and the embedding.
func (t *Tower) features() int { return 1 + t.terms + t.model.width }

// of gives the features of an item that are not zero, ascending.
func (t *Tower) of(item int32) (columns []int, values []float64) {
	columns, values = append(columns, 0), append(values, 1)
	terms, weights := t.model.terms.Row(int(item))
	for i, term := range terms {
		if int(term) < t.terms {
			columns, values = append(columns, 1+int(term)), append(values, float64(weights[i]))
		}
	}
	for i, v := range t.model.embedding(item) {
		if v != 0 {
			columns, values = append(columns, 1+t.terms+i), append(values, float64(v))
		}
	}
	return columns, values
}

// Vector predicts the vector of an item; nil when nothing is known of it.
func (t *Tower) Vector(item int32) []float32 {
	if !t.model.known.Has(item) {
		return nil
	}
	out := make([]float32, t.factors)
	columns, values := t.of(item)
	for i, c := range columns {
		row := t.weights.RawRowView(c)
		for f := range out {
			out[f] += float32(values[i] * row[f])
		}
	}
	for _, v := range out {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil
		}
	}
	return out
}
