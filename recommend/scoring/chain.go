package scoring

import (
	"math"
	"slices"

	"quintet/recommend/interactions"
)

// Chain asks its recommenders in turn until a list is full: the first has the first
// word, and somebody of whom it knows nothing gets what the last knows of everybody.
// All have the same items.
type Chain []Scorer

var _ Recommender = Chain(nil)

// Items is how many items there are.
func (c Chain) Items() int {
	if len(c) == 0 {
		return 0
	}
	return c[0].Items()
}

// Score is that of the first that knows anything of the history.
func (c Chain) Score(history []interactions.Event, scores []float32) {
	none := float32(math.Inf(-1))
	for i := range scores {
		scores[i] = none
	}
	for _, s := range c {
		s.Score(history, scores)
		if slices.ContainsFunc(scores, func(v float32) bool { return v > none }) {
			return
		}
	}
}

// Recommend appends the best k of the first, and behind them, where there are fewer,
// those of the next that are not there yet. Scores of different recommenders do not
// compare: the order is what counts.
func (c Chain) Recommend(history []interactions.Event, allowed Set, k int, dst []Scored) []Scored {
	from := len(dst)
	var rest Set
	for _, s := range c {
		had := len(dst)
		if had-from >= k {
			break
		}
		set := allowed
		if had > from {
			if rest == nil {
				rest = FullSet(s.Items())
				if allowed != nil {
					rest.Intersect(allowed)
				}
			}
			for _, taken := range dst[from:] {
				rest.Remove(taken.Item)
			}
			set = rest
		}
		dst = Recommend(s, history, set, k-(had-from), dst, nil)
	}
	return dst
}
