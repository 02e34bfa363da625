package learners

import (
	"fmt"
	"math"
)

// Tree is a binary tree in flat arrays; node 0 is the root. Values holds what a leaf adds
// and, for an inner node, what it would add as a leaf, from which explanations are made.
type Tree struct {
	Columns     []int32   `json:"c"` // the column that is compared; -1 in a leaf
	Thresholds  []float32 `json:"t"` // a value up to it goes left
	MissingLeft []bool    `json:"m"`
	Lefts       []int32   `json:"l"`
	Rights      []int32   `json:"r"`
	Values      []float32 `json:"v"`

	bins []uint8 // thresholds as bins, in training only
}

// Add appends a leaf and gives its number.
func (t *Tree) Add() int {
	t.Columns = append(t.Columns, -1)
	t.Thresholds = append(t.Thresholds, 0)
	t.MissingLeft = append(t.MissingLeft, false)
	t.Lefts = append(t.Lefts, 0)
	t.Rights = append(t.Rights, 0)
	t.Values = append(t.Values, 0)
	t.bins = append(t.bins, 0)
	return len(t.Columns) - 1
}

// Join makes an inner node of a leaf: values of the column up to threshold go left.
func (t *Tree) Join(node, column int, threshold float32, missingLeft bool, left, right int) {
	if threshold > math.MaxFloat32 {
		threshold = math.MaxFloat32 // JSON has no infinity; values are finite
	}
	t.Columns[node], t.Thresholds[node], t.MissingLeft[node] = int32(column), threshold, missingLeft
	t.Lefts[node], t.Rights[node] = int32(left), int32(right)
}

func (t *Tree) binnedValue(b *Binned, row int) float64 {
	node := int32(0)
	for t.Columns[node] >= 0 {
		code := b.Codes[t.Columns[node]][row]
		if (code == 0 && t.MissingLeft[node]) || (code != 0 && code <= t.bins[node]) {
			node = t.Lefts[node]
		} else {
			node = t.Rights[node]
		}
	}
	return float64(t.Values[node])
}

func (t *Tree) check(columns int) error {
	n := len(t.Columns)
	if n == 0 || len(t.Thresholds) != n || len(t.MissingLeft) != n || len(t.Lefts) != n || len(t.Rights) != n || len(t.Values) != n {
		return fmt.Errorf("%w: a tree has arrays of different lengths", ErrArtefact)
	}
	for i, c := range t.Columns {
		if c < 0 {
			continue
		}
		// Children come behind their parent, so that no walk can go round in circles.
		if int(c) >= columns || int(t.Lefts[i]) <= i || int(t.Rights[i]) <= i || int(t.Lefts[i]) >= n || int(t.Rights[i]) >= n {
			return fmt.Errorf("%w: node %d of a tree points outside of it", ErrArtefact, i)
		}
	}
	return nil
}

// Forest is a sum of trees.
type Forest struct {
	// Logistic says that the sum is the log-odds of a probability.
	Logistic bool    `json:"logistic,omitempty"`
	Base     float64 `json:"base"`
	Trees    []Tree  `json:"trees"`
}

// packed is a node as scoring reads it: 16 bytes, one cache line for four of them.
type packed struct {
	column      int32
	value       float32 // threshold, or what a leaf adds
	left, right int32   // a negative left: what is missing goes right
}

func (f *Forest) pack() ([]packed, []int32) {
	var nodes []packed
	roots := make([]int32, len(f.Trees))
	for k := range f.Trees {
		t := &f.Trees[k]
		base := int32(len(nodes))
		roots[k] = base
		for i, c := range t.Columns {
			if c < 0 {
				nodes = append(nodes, packed{column: -1, value: t.Values[i]})
				continue
			}
			node := packed{column: c, value: t.Thresholds[i], left: base + t.Lefts[i], right: base + t.Rights[i]}
			if !t.MissingLeft[i] {
				node.left = -node.left
			}
			nodes = append(nodes, node)
		}
	}
	return nodes, roots
}

// scoredTogether is the number of rows that are brought into rows of their own at a time,
// so that walking trees stays in the cache.
const scoredTogether = 256

// Predict implements [Model].
func (f *Forest) Predict(m *Matrix, out []float64) {
	nodes, roots := f.pack()
	p := len(m.Columns)
	parallel(m.Rows(), func(_, from, to int) {
		rows := make([]float32, scoredTogether*p)
		for start := from; start < to; start += scoredTogether {
			end := min(start+scoredTogether, to)
			for j, c := range m.Columns {
				for k, v := range c[start:end] {
					rows[k*p+j] = v
				}
			}
			part := out[start:end]
			for k := range part {
				part[k] = f.Base
			}
			for _, root := range roots {
				for k := range part {
					part[k] += walk(nodes, root, rows[k*p:(k+1)*p])
				}
			}
			if f.Logistic {
				for k, z := range part {
					part[k] = Sigmoid(z)
				}
			}
		}
	})
}

func walk(nodes []packed, at int32, x []float32) float64 {
	for {
		n := &nodes[at]
		if n.column < 0 {
			return float64(n.value)
		}
		v := x[n.column]
		left, missingLeft := n.left, true
		if left < 0 {
			left, missingLeft = -left, false
		}
		if v <= n.value || (v != v && missingLeft) {
			at = left
		} else {
			at = n.right
		}
	}
}

// Explain implements [Model] by the change of the expected value along the path of each
// tree (Saabas 2014): each cut gives what it moved the value by to its column.
func (f *Forest) Explain(x []float32, contributions []float64) float64 {
	clear(contributions)
	base := f.Base
	for k := range f.Trees {
		t := &f.Trees[k]
		base += float64(t.Values[0])
		node := int32(0)
		for t.Columns[node] >= 0 {
			v := x[t.Columns[node]]
			next := t.Rights[node]
			if v <= t.Thresholds[node] || (v != v && t.MissingLeft[node]) {
				next = t.Lefts[node]
			}
			contributions[t.Columns[node]] += float64(t.Values[next]) - float64(t.Values[node])
			node = next
		}
	}
	return base
}

// Check gives [ErrArtefact] for trees on which scoring rows of so many columns could go
// where it should not.
func (f *Forest) Check(columns int) error {
	for i := range f.Trees {
		if err := f.Trees[i].check(columns); err != nil {
			return err
		}
	}
	return nil
}

// RowScorer scores one row after the other without allocating. Many may use it at once.
type RowScorer struct {
	nodes    []packed
	roots    []int32
	base     float64
	logistic bool
}

// Rows is the forest as it scores single rows.
func (f *Forest) Rows() *RowScorer {
	nodes, roots := f.pack()
	return &RowScorer{nodes: nodes, roots: roots, base: f.Base, logistic: f.Logistic}
}

// Score is what [Forest.Predict] gives for a row: x has one place per column.
func (s *RowScorer) Score(x []float32) float64 {
	z := s.base
	for _, root := range s.roots {
		z += walk(s.nodes, root, x)
	}
	if s.logistic {
		return Sigmoid(z)
	}
	return z
}
