package scoring

import (
	"math"
	"slices"
)

// Best keeps the best of what it is offered. Of equal scores the lower number is the
// better, so that the same scores give the same list always. Its zero value keeps
// nothing; Reset makes it ready.
type Best struct {
	k    int
	heap []Scored // the worst is first
}

// Reset empties it and lets it keep k items.
func (b *Best) Reset(k int) {
	b.k = max(0, k)
	b.heap = b.heap[:0]
}

// Floor is the score that something must exceed to be taken for certain: minus
// infinity while there is room. What equals it may be taken when its number is lower.
func (b *Best) Floor() float32 {
	if len(b.heap) < b.k {
		return float32(math.Inf(-1))
	}
	if b.k == 0 {
		return float32(math.Inf(1))
	}
	return b.heap[0].Score
}

// worse says whether a comes behind b in a list.
func worse(a, b Scored) bool { return a.Score < b.Score || a.Score == b.Score && a.Item > b.Item }

// Offer takes an item if it is among the best so far. A score of NaN or minus infinity is none, and is
// never taken.
func (b *Best) Offer(item int32, score float32) {
	s := Scored{item, score}
	switch {
	case !(score > float32(math.Inf(-1))):
	case len(b.heap) < b.k:
		b.heap = append(b.heap, s)
		for i := len(b.heap) - 1; i > 0; {
			parent := (i - 1) / 2
			if !worse(b.heap[i], b.heap[parent]) {
				break
			}
			b.heap[i], b.heap[parent] = b.heap[parent], b.heap[i]
			i = parent
		}
	case b.k > 0 && worse(b.heap[0], s):
		b.heap[0] = s
		for i := 0; ; {
			least := i
			for child := 2*i + 1; child <= 2*i+2 && child < len(b.heap); child++ {
				if worse(b.heap[child], b.heap[least]) {
					least = child
				}
			}
			if least == i {
				break
			}
			b.heap[i], b.heap[least] = b.heap[least], b.heap[i]
			i = least
		}
	}
}

// Append puts what was kept behind dst, best first, and empties it.
func (b *Best) Append(dst []Scored) []Scored {
	from := len(dst)
	dst = append(dst, b.heap...)
	b.heap = b.heap[:0]
	slices.SortFunc(dst[from:], func(x, y Scored) int {
		if worse(x, y) {
			return 1
		}
		return -1
	})
	return dst
}

// TopK appends to dst the at most k best of scores, best first, of the items in
// allowed (all when nil).
func TopK(scores []float32, allowed Set, k int, dst []Scored) []Scored {
	var b Best
	b.heap = make([]Scored, 0, max(0, min(k, len(scores))))
	b.Reset(k)
	floor := b.Floor()
	for item, score := range scores {
		// Written so that one comparison passes over nearly everything.
		if score >= floor && (allowed == nil || allowed.Has(int32(item))) {
			b.Offer(int32(item), score)
			floor = b.Floor()
		}
	}
	return b.Append(dst)
}
