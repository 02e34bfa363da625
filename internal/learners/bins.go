package learners

import (
	"math"
	"slices"
)

// Bins of a column: bin 0 is missing, bin b in 1..len(edges)+1 holds values with
// edges[b-2] < v <= edges[b-1].
const maxBins = 255

// Binned is a matrix whose values are numbers of bins, by column.
type Binned struct {
	Codes [][]uint8
	edges [][]float32
}

// Bins is the number of bins of a column, without that of what is missing.
func (b *Binned) Bins(column int) int { return len(b.edges[column]) + 1 }

// Threshold is the largest value of a bin; the largest there is for the last.
func (b *Binned) Threshold(column, bin int) float32 {
	if bin-1 < len(b.edges[column]) {
		return b.edges[column][bin-1]
	}
	return math.MaxFloat32
}

// sampledForBins bounds the values that are sorted to find the edges of a column.
const sampledForBins = 100_000

// Bin cuts every column at quantiles of a sample into at most most bins (255 is the
// largest), or between all of its values when they are fewer.
func Bin(m *Matrix, most int) *Binned {
	n, p := m.Rows(), len(m.Columns)
	b := &Binned{Codes: make([][]uint8, p), edges: make([][]float32, p)}
	each(p, func(j int) {
		b.edges[j] = edgesOf(m.Columns[j], most)
		b.Codes[j] = make([]uint8, n)
		encode(m.Columns[j], b.edges[j], b.Codes[j])
	})
	return b
}

// each calls f with 0..n-1, several at a time.
func each(n int, f func(i int)) {
	parallelTasks(n, func(_, i int) { f(i) })
}

func edgesOf(c []float32, most int) []float32 {
	step := max(1, len(c)/sampledForBins)
	values := make([]float32, 0, len(c)/step+1)
	for i := 0; i < len(c); i += step {
		if v := c[i]; v == v {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	distinct := slices.Compact(slices.Clone(values))
	var edges []float32
	if len(distinct) < most {
		for i := 1; i < len(distinct); i++ {
			edges = append(edges, between(distinct[i-1], distinct[i]))
		}
		return edges
	}
	for k := 1; k < most-1; k++ {
		v := values[k*len(values)/(most-1)]
		if len(edges) == 0 || v > edges[len(edges)-1] {
			edges = append(edges, v)
		}
	}
	return edges
}

// between is a number with a <= it < b.
func between(a, b float32) float32 {
	mid := float32((float64(a) + float64(b)) / 2)
	if mid >= b {
		return a
	}
	return mid
}

func encode(c, edges []float32, codes []uint8) {
	if len(edges) == 1 { // indicators are most columns of most tables
		for i, v := range c {
			switch {
			case v != v:
			case v <= edges[0]:
				codes[i] = 1
			default:
				codes[i] = 2
			}
		}
		return
	}
	for i, v := range c {
		if v != v {
			continue
		}
		lo, hi := 0, len(edges)
		for lo < hi {
			mid := (lo + hi) / 2
			if v <= edges[mid] {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		codes[i] = uint8(lo + 1)
	}
}

// cell sums the rows of a bin.
type cell struct{ g, h float64 }

type histogram [][]cell // by column, then bin

func newHistogram(b *Binned) histogram {
	total := 0
	for _, e := range b.edges {
		total += len(e) + 2
	}
	cells := make([]cell, total)
	h := make(histogram, len(b.edges))
	for j, e := range b.edges {
		h[j], cells = cells[:len(e)+2:len(e)+2], cells[len(e)+2:]
	}
	return h
}

// split is the best cut of a node.
type split struct {
	gain        float64
	column, bin int // values of bins up to and with bin go left
	missingLeft bool
	left        cell
}

// best finds the cut with the largest gain of one column. Cells with less than minH on
// either side are not cut off; lambda is added to the denominators.
func (h histogram) best(column int, total cell, lambda, minH float64) split {
	out := split{gain: 0, column: -1}
	cells := h[column]
	missing := cells[0]
	base := total.g * total.g / (total.h + lambda)
	try := func(left cell, bin int, missingLeft bool) {
		right := cell{total.g - left.g, total.h - left.h}
		if left.h < minH || right.h < minH {
			return
		}
		gain := left.g*left.g/(left.h+lambda) + right.g*right.g/(right.h+lambda) - base
		if gain > out.gain {
			out = split{gain: gain, column: column, bin: bin, missingLeft: missingLeft, left: left}
		}
	}
	var left cell
	for b := 1; b < len(cells); b++ {
		left.g += cells[b].g
		left.h += cells[b].h
		if b < len(cells)-1 || missing.h > 0 { // the last cuts off what is missing
			try(left, b, false)
		}
		if missing.h > 0 {
			try(cell{left.g + missing.g, left.h + missing.h}, b, true)
		}
	}
	if out.column >= 0 && missing.h == 0 {
		// Nothing was missing in training: at serving it goes where most rows went.
		out.missingLeft = out.left.h >= total.h/2
	}
	return out
}
