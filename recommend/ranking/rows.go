package ranking

import (
	"fmt"
	"math"

	"quintet/internal/learners"
)

// NotShown is the place of a row that nobody was shown: a candidate that is learned from
// because of what its person did anyway.
const NotShown = -1

// Rows are candidates of lists, list after list.
type Rows struct {
	names  []string
	values []float32
	lists  []int
	taken  []float64
	places []float32
	weight []float64
}

// NewRows is empty, for rows of these columns.
func NewRows(names []string) *Rows { return &Rows{names: names} }

// Row is one candidate of a list.
type Row struct {
	List   int       // rows of a list stand together, lists in ascending order
	Values []float32 // one per column; they are copied
	Taken  bool
	Place  int     // in the list that was shown, from 0; [NotShown] otherwise
	Weight float64 // as how many rows it counts, above 0
}

// Add takes a row. Values that are not numbers and a weight that is not positive are
// errors.
func (r *Rows) Add(row Row) error {
	if len(row.Values) != len(r.names) {
		return fmt.Errorf("a row of list %d has %d values for %d columns", row.List, len(row.Values), len(r.names))
	}
	for j, v := range row.Values {
		if v != v || math.IsInf(float64(v), 0) {
			return fmt.Errorf("a row of list %d has %v as %s", row.List, v, r.names[j])
		}
	}
	if !(row.Weight > 0) || math.IsInf(row.Weight, 0) {
		return fmt.Errorf("the weight of a row of list %d must be a positive number, got %v", row.List, row.Weight)
	}
	if n := len(r.lists); n > 0 && r.lists[n-1] > row.List {
		return fmt.Errorf("list %d comes after list %d", row.List, r.lists[n-1])
	}
	r.values = append(r.values, row.Values...)
	r.lists = append(r.lists, row.List)
	r.weight = append(r.weight, row.Weight)
	label, place := 0.0, float32(math.NaN())
	if row.Taken {
		label = 1
	}
	if row.Place >= 0 {
		place = placeValue(row.Place)
	}
	r.taken, r.places = append(r.taken, label), append(r.places, place)
	return nil
}

// placeValue is how a place stands in its column: 0 for the first.
func placeValue(place int) float32 { return float32(math.Log1p(float64(place))) }

// Len is how many rows there are.
func (r *Rows) Len() int { return len(r.lists) }

// Taken is how many of them were taken.
func (r *Rows) Taken() int {
	n := 0
	for _, v := range r.taken {
		n += int(v)
	}
	return n
}

// matrix is the rows as columns, the place behind the others.
func (r *Rows) matrix() *learners.Matrix {
	p := len(r.names)
	m := &learners.Matrix{Names: append(append([]string(nil), r.names...), placeColumn), Columns: make([][]float32, p+1)}
	for j := range p {
		m.Columns[j] = make([]float32, r.Len())
		for i := range m.Columns[j] {
			m.Columns[j][i] = r.values[i*p+j]
		}
	}
	m.Columns[p] = r.places
	return m
}

// Weight is that of a row which was drawn with a probability: its inverse, clip at most.
func Weight(propensity, clip float64) float64 {
	if !(propensity > 0) {
		return clip
	}
	return math.Min(1/propensity, clip)
}
