package scoring

import (
	"cmp"
	"slices"

	"quintet/recommend/interactions"
)

// Scored is an item with its score. Higher is better; scores of different models
// cannot be compared.
type Scored struct {
	Item  int32
	Score float32
}

// Scorer gives every item a score for a history. Many may call it at once.
type Scorer interface {
	// Items is how many items there are: their numbers are below it.
	Items() int
	// Score writes the score of every item for somebody with this history, oldest
	// first, to scores, whose length is Items. Events of items that the model does
	// not know (a number below 0 or not below Items) are passed over. An item of which
	// nothing is known has minus infinity, and so have all when the model can say
	// nothing to this history; TopK leaves them out. What the person has done already
	// is scored like the rest: leaving it out is for the caller.
	Score(history []interactions.Event, scores []float32)
}

// Recommender finds the best items without scoring all of them one by one, where a
// model knows a faster way than TopK over Score. Many may call it at once.
type Recommender interface {
	Scorer
	// Recommend appends to dst the at most k best items of allowed (all items when
	// nil), best first, ties by number. Items without any score are left out.
	Recommend(history []interactions.Event, allowed Set, k int, dst []Scored) []Scored
}

// Similar finds items like an item.
type Similar interface {
	// Similar appends to dst the at most k items of allowed (all items when nil) that
	// are most like item, best first, without item itself. An unknown item has none.
	Similar(item int32, allowed Set, k int, dst []Scored) []Scored
}

// Reason is an event's item of a history and what it added to a score.
type Reason struct {
	Item         int32
	Contribution float32
}

// ListExplainer is an [Explainer] that looks at a history once for all items of a list.
type ListExplainer interface {
	// Explaining is [Explainer.Explain] for one history; what it returns is for one
	// goroutine.
	Explaining(history []interactions.Event) func(item int32, n int) []Reason
}

// Explainer says which of a person's events speak for an item.
type Explainer interface {
	// Explain gives the at most n items of the history that add most to the score of
	// item, largest first, only those that add something.
	Explain(history []interactions.Event, item int32, n int) []Reason
}

// Model is a trained recommender that can be kept.
type Model interface {
	Scorer
	// Kind names the method, for example "ials".
	Kind() string
	// Encode gives the model as bytes from which trained.Decode makes the same again.
	Encode() []byte
}

// Recommend is the best by a Scorer: by its own way where it is a Recommender.
// scratch, when not nil, has a length of Items and saves an allocation.
func Recommend(s Scorer, history []interactions.Event, allowed Set, k int, dst []Scored, scratch []float32) []Scored {
	if r, ok := s.(Recommender); ok {
		return r.Recommend(history, allowed, k, dst)
	}
	if len(scratch) != s.Items() {
		scratch = make([]float32, s.Items())
	}
	s.Score(history, scratch)
	return TopK(scratch, allowed, k, dst)
}

// Reasons are the at most n entries of a history with the largest contributions above
// zero, largest first.
func Reasons(entries []interactions.Entry, n int, contribution func(interactions.Entry) float32) []Reason {
	if n <= 0 {
		return nil
	}
	var out []Reason
	for _, e := range entries {
		if c := contribution(e); c > 0 {
			out = append(out, Reason{Item: e.Item, Contribution: c})
		}
	}
	slices.SortFunc(out, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Contribution, a.Contribution), cmp.Compare(a.Item, b.Item))
	})
	return out[:min(n, len(out))]
}
