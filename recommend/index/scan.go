package index

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"quintet/recommend/scoring"
	"quintet/recommend/vector"
)

// block is how many rows are scored before the best of them are taken: their scores
// stay in the first cache.
const block = 256

// Scan finds the best rows exactly, by looking at them. It holds the rows with the
// longest first: once the length of the rest times the length of the query is below
// what was found already, nothing further can be better (Cauchy and Schwarz), and it
// stops. Many may use it at once.
type Scan struct {
	width  int       // of a row, padded
	rows   []float32 // longest first
	items  []int32   // item of each row
	place  []int32   // row of each item
	length []float32 // of the first row of each block
	known  int       // rows that are not zero
}

// NewScan indexes n rows of d numbers that lie one behind the other. Row i is that of
// item i; a row of zeros is that of an item of which nothing is known, which is never
// found. A number that is not finite is an error.
func NewScan(factors []float32, n, d int) (*Scan, error) {
	if n < 0 || d < 1 || len(factors) != n*d {
		return nil, fmt.Errorf("%d numbers are not %d rows of %d", len(factors), n, d)
	}
	lengths := make([]float64, n)
	for i := range n {
		for _, v := range factors[i*d : i*d+d] {
			lengths[i] += float64(v) * float64(v)
		}
		if math.IsNaN(lengths[i]) || lengths[i] > math.MaxFloat32 {
			return nil, fmt.Errorf("row %d has a number that is not finite or too large", i)
		}
		lengths[i] = math.Sqrt(lengths[i])
	}
	s := &Scan{width: vector.Pad(d), items: make([]int32, n), place: make([]int32, n)}
	for i := range s.items {
		s.items[i] = int32(i)
	}
	slices.SortFunc(s.items, func(a, b int32) int {
		return cmp.Or(cmp.Compare(lengths[b], lengths[a]), cmp.Compare(a, b))
	})
	s.rows = make([]float32, n*s.width)
	for row, item := range s.items {
		s.place[item] = int32(row)
		copy(s.rows[row*s.width:], factors[int(item)*d:int(item)*d+d])
		if lengths[item] > 0 {
			s.known = row + 1
		}
		if row%block == 0 {
			// Rounded up, so that what is left out is worse for certain.
			s.length = append(s.length, float32(lengths[item]*(1+1e-6)))
		}
	}
	return s, nil
}

// Len is how many rows there are.
func (s *Scan) Len() int { return len(s.items) }

// Width is the length of a query: that of a row, padded to a multiple of vector.Lane.
func (s *Scan) Width() int { return s.width }

// Known says whether something is known of an item.
func (s *Scan) Known(item int32) bool {
	return item >= 0 && int(item) < len(s.place) && int(s.place[item]) < s.known
}

// Row is that of an item, padded. It must not be changed.
func (s *Scan) Row(item int32) []float32 {
	at := int(s.place[item]) * s.width
	return s.rows[at : at+s.width : at+s.width]
}

// Rows are all rows, of Width numbers each, the longest first: Place says where that of
// an item is. They must not be changed.
func (s *Scan) Rows() []float32 { return s.rows }

// Place is where the row of an item is among Rows.
func (s *Scan) Place(item int32) int32 { return s.place[item] }

// ItemAt is the item whose row is at a place.
func (s *Scan) ItemAt(place int32) int32 { return s.items[place] }

// Factors are all rows by item, of the first d numbers each.
func (s *Scan) Factors(d int) []float32 {
	out := make([]float32, 0, len(s.items)*d)
	for item := range s.items {
		out = append(out, s.Row(int32(item))[:d]...)
	}
	return out
}

// Scores writes the inner product of the query with the row of every item; minus
// infinity for those of which nothing is known. A query of zeros, or one with a number
// that is not finite, says nothing: all are minus infinity.
func (s *Scan) Scores(query, scores []float32) {
	if !s.usable(query) {
		fill(scores, float32(math.Inf(-1)))
		return
	}
	var some [block]float32
	for from := 0; from < s.known; from += block {
		n := min(block, s.known-from)
		vector.DotRows(query, s.rows[from*s.width:], some[:n])
		for i, score := range some[:n] {
			scores[s.items[from+i]] = score
		}
	}
	for _, item := range s.items[s.known:] {
		scores[item] = float32(math.Inf(-1))
	}
}

func fill(values []float32, with float32) {
	for i := range values {
		values[i] = with
	}
}

// usable says whether a query has a length, and a finite one.
func (s *Scan) usable(query []float32) bool {
	square := vector.Dot(query[:s.width], query[:s.width])
	return square > 0 && square <= math.MaxFloat32
}

var searches = sync.Pool{New: func() any { return new(search) }}

type search struct {
	best   scoring.Best
	scores [block]float32
}

// Search appends to dst the at most k items of allowed (all when nil) with the largest
// inner products, best first, ties by number.
func (s *Scan) Search(query []float32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	k = min(k, s.known)
	if k <= 0 || !s.usable(query) {
		return dst
	}
	length := float32(math.Sqrt(float64(vector.Dot(query, query))) * (1 + 1e-5))
	w := searches.Get().(*search)
	defer searches.Put(w)
	w.best.Reset(k)
	for b, from := 0, 0; from < s.known; b, from = b+1, from+block {
		floor := w.best.Floor()
		// A margin for what the sums of a product round away.
		if s.length[b]*length*(1+1e-5) < floor {
			break
		}
		n := min(block, s.known-from)
		vector.DotRows(query, s.rows[from*s.width:], w.scores[:n])
		for i, score := range w.scores[:n] {
			if score >= floor {
				if item := s.items[from+i]; allowed == nil || allowed.Has(item) {
					w.best.Offer(item, score)
					floor = w.best.Floor()
				}
			}
		}
	}
	return w.best.Append(dst)
}
