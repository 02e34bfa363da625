package ranking

import (
	"fmt"
	"math"
	"slices"

	"quintet/internal/learners"
)

// placeColumn is behind the columns of the rows.
const placeColumn = "place"

// The methods.
const (
	MethodLogistic = "logistic"
	MethodTrees    = "boosted trees"
)

// Ranker gives the probability that a candidate is taken. Many may use it at once.
type Ranker struct {
	names  []string
	linear *learners.Linear
	forest *learners.Forest

	bias    float64   // with the place held at the first
	weights []float32 // of columns as they are
	trees   *learners.RowScorer
}

func newRanker(names []string, model learners.Model) (*Ranker, error) {
	r := &Ranker{names: names}
	switch m := model.(type) {
	case *learners.Linear:
		r.linear = m
	case *learners.Forest:
		r.forest = m
	default:
		return nil, fmt.Errorf("a ranker cannot be made of %T", model)
	}
	return r, r.prepare()
}

func (r *Ranker) prepare() error {
	columns := len(r.names) + 1
	if r.forest != nil {
		if err := r.forest.Check(columns); err != nil {
			return err
		}
		r.trees = r.forest.Rows()
		return nil
	}
	l := r.linear
	if l == nil || len(l.Weights) != columns || len(l.Means) != columns || len(l.Scales) != columns {
		return fmt.Errorf("%w: the weights do not fit %d columns", learners.ErrArtefact, columns)
	}
	r.bias, r.weights = l.Intercept, make([]float32, len(r.names))
	for j := range l.Weights {
		if !(l.Scales[j] > 0) {
			return fmt.Errorf("%w: a scale of %v", learners.ErrArtefact, l.Scales[j])
		}
		w := l.Weights[j] / l.Scales[j]
		r.bias -= w * l.Means[j]
		if j < len(r.names) { // the place is 0 when a list is ranked
			r.weights[j] = float32(w)
		}
	}
	for _, w := range r.weights {
		if w != w || math.IsInf(float64(w), 0) {
			return fmt.Errorf("%w: a weight of %v", learners.ErrArtefact, w)
		}
	}
	if math.IsNaN(r.bias) || math.IsInf(r.bias, 0) {
		return fmt.Errorf("%w: an intercept of %v", learners.ErrArtefact, r.bias)
	}
	return nil
}

// Method is how it was learned.
func (r *Ranker) Method() string {
	if r.forest != nil {
		return MethodTrees
	}
	return MethodLogistic
}

// Fits says whether it was learned from rows of these columns.
func (r *Ranker) Fits(names []string) bool { return slices.Equal(r.names, names) }

// Columns are how many values a row has.
func (r *Ranker) Columns() int { return len(r.names) }

// Probability is that of a row being taken where it stands first. x has one place more
// than there are columns, which is written to.
func (r *Ranker) Probability(x []float32) float64 {
	if r.trees != nil {
		x[len(r.names)] = 0
		return r.trees.Score(x)
	}
	var a, b, c, d float32
	w := r.weights
	x = x[:len(w)]
	j := 0
	for ; j+4 <= len(w); j += 4 {
		a += w[j] * x[j]
		b += w[j+1] * x[j+1]
		c += w[j+2] * x[j+2]
		d += w[j+3] * x[j+3]
	}
	for ; j < len(w); j++ {
		a += w[j] * x[j]
	}
	return learners.Sigmoid(r.bias + float64(a+b+c+d))
}

// Influence is a column and what it does.
type Influence struct {
	Column string `json:"column"`
	// Weight is, of a logistic ranker, the change of log-odds by one standard deviation of
	// the column; of trees, the share of the cuts that are in it.
	Weight float64 `json:"weight"`
}

// Influences are those of all columns, strongest first, with the place.
func (r *Ranker) Influences() []Influence {
	names := append(slices.Clone(r.names), placeColumn)
	out := make([]Influence, 0, len(names))
	if r.linear != nil {
		for j, name := range names {
			out = append(out, Influence{name, r.linear.Weights[j]})
		}
	} else {
		cuts, total := make([]float64, len(names)), 0.0
		for _, t := range r.forest.Trees {
			for _, c := range t.Columns {
				if c >= 0 {
					cuts[c]++
					total++
				}
			}
		}
		for j, name := range names {
			out = append(out, Influence{name, cuts[j] / math.Max(total, 1)})
		}
	}
	slices.SortStableFunc(out, func(a, b Influence) int {
		switch x, y := math.Abs(a.Weight), math.Abs(b.Weight); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return out
}

type sealed struct {
	Kind   string           `json:"kind"`
	Names  []string         `json:"names"`
	Linear *learners.Linear `json:"linear,omitempty"`
	Forest *learners.Forest `json:"forest,omitempty"`
}

const sealedKind = "ranker"

// Encode gives the ranker as bytes.
func (r *Ranker) Encode() ([]byte, error) {
	data, err := learners.Seal(sealed{sealedKind, r.names, r.linear, r.forest})
	if err != nil {
		return nil, fmt.Errorf("encoding a ranker: %w", err)
	}
	return data, nil
}

// Decode makes a ranker of what Encode gave; what is damaged is an error.
func Decode(data []byte) (*Ranker, error) {
	var s sealed
	if err := learners.Unseal(data, &s); err != nil {
		return nil, fmt.Errorf("reading a ranker: %w", err)
	}
	if s.Kind != sealedKind || (s.Linear == nil) == (s.Forest == nil) {
		return nil, fmt.Errorf("reading a ranker: %w: it is a model of kind %q", learners.ErrArtefact, s.Kind)
	}
	r := &Ranker{names: s.Names, linear: s.Linear, forest: s.Forest}
	if err := r.prepare(); err != nil {
		return nil, fmt.Errorf("reading a ranker: %w", err)
	}
	return r, nil
}
