// Package popular ranks items without regard to who asks: by what most people chose,
// by what more people choose than before, and by what is new. It is the fall-back of
// every recommender and the yardstick that each has to beat.
package popular

import (
	"fmt"
	"math"

	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/scoring"
)

// Kind names the method.
const Kind = "popular"

// Model is one score per item. It does not change.
type Model struct {
	// Method is "popular", "trending" or "latest".
	Method string
	scores []float32
}

var _ scoring.Model = (*Model)(nil)

// Kind is "popular".
func (m *Model) Kind() string { return Kind }

// Items is how many items there are.
func (m *Model) Items() int { return len(m.scores) }

// Score writes the same to everybody.
func (m *Model) Score(_ []interactions.Event, scores []float32) { copy(scores, m.scores) }

// Recommend appends the best k items of allowed.
func (m *Model) Recommend(_ []interactions.Event, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	return scoring.TopK(m.scores, allowed, k, dst)
}

// Count ranks items by the people who chose them: each counts an item once at most, as
// its weighted events come to. With a weighting that is Binary and has no half-life it
// is the number of people. For a segment, filter the log; for a category, allow its
// items only.
func Count(l *interactions.Log, w interactions.Weighting) (*Model, error) {
	m, err := l.Matrix(w)
	if err != nil {
		return nil, fmt.Errorf("counting what is popular: %w", err)
	}
	return CountMatrix(m), nil
}

// CountMatrix ranks items by the sums of their columns.
func CountMatrix(m *interactions.Matrix) *Model {
	sums := make([]float64, m.Columns)
	for e, item := range m.Index {
		sums[item] += float64(m.Value[e])
	}
	return &Model{Method: "popular", scores: known(sums)}
}

// known takes items without anything for unknown.
func known(sums []float64) []float32 {
	out := make([]float32, len(sums))
	for i, s := range sums {
		if out[i] = float32(s); !(s > 0) {
			out[i] = float32(math.Inf(-1))
		}
	}
	return out
}

// Trending settings, all in seconds.
type Trending struct {
	// Now is the moment as of which something trends.
	Now int64
	// Recent is the half-life of what counts as now, Usual that of what is usual.
	Recent, Usual float64
	// Prior is how many events an item is taken to have had besides, at the usual
	// rate of an average item, so that three events of a new item do not outrun a
	// thousand more than usual (10).
	Prior float64
}

// Trend ranks items by how much more happens with them than usual: with r the decayed
// count of now and u what the usual rate lets expect in the same time, the score is the
// signed root of the deviance of a Poisson count, sign(r-u) √(2 (r ln(r/u) - (r-u))),
// so that both a multiple and its certainty count.
func Trend(l *interactions.Log, t Trending) (*Model, error) {
	if !(t.Recent > 0) || !(t.Usual > t.Recent) || math.IsInf(t.Usual, 0) || !(t.Prior >= 0) {
		return nil, fmt.Errorf("the half-life of what is usual (%v s) must be longer than that of now (%v s), and the prior at least 0, got %v", t.Usual, t.Recent, t.Prior)
	}
	if t.Prior == 0 {
		t.Prior = 10
	}
	recent, usual := make([]float64, l.Items().Len()), make([]float64, l.Items().Len())
	var allRecent, allUsual float64
	for p := range l.People().Len() {
		for _, e := range l.Events(p) {
			age := float64(max(0, t.Now-e.At))
			r, u := float64(e.Weight)*math.Exp2(-age/t.Recent), float64(e.Weight)*math.Exp2(-age/t.Usual)
			recent[e.Item] += r
			usual[e.Item] += u
			allRecent += r
			allUsual += u
		}
	}
	// The usual share of an item, in the volume of now: a busier hour is no trend.
	scale := 0.0
	if allUsual > 0 {
		scale = allRecent / allUsual
	}
	scores := make([]float32, len(recent))
	for i := range scores {
		scores[i] = float32(math.Inf(-1))
		if usual[i] > 0 {
			prior := t.Prior * scale
			scores[i] = float32(deviance(recent[i]+prior, usual[i]*scale+prior))
		}
	}
	return &Model{Method: "trending", scores: scores}, nil
}

func deviance(seen, expected float64) float64 {
	if !(expected > 0) {
		return 0
	}
	d := expected - seen
	if seen > 0 {
		d += seen * math.Log(seen/expected)
	}
	return math.Copysign(math.Sqrt(max(0, 2*d)), seen-expected)
}

// Latest ranks items by when they came, in seconds since 1970; those of which it is not
// known (0) are unknown.
func Latest(since []int64) *Model {
	// From the first on, as float32 has only 24 bits for a number of seconds.
	first := int64(math.MaxInt64)
	for _, s := range since {
		if s != 0 {
			first = min(first, s)
		}
	}
	sums := make([]float64, len(since))
	for i, s := range since {
		if s != 0 {
			sums[i] = float64(s-first) + 1
		}
	}
	return &Model{Method: "latest", scores: known(sums)}
}

// Encode gives the model as bytes.
func (m *Model) Encode() []byte {
	w := modelfile.NewWriter(Kind, m.Method)
	w.Float32s("scores", m.scores)
	return w.Finish()
}

// Decode makes a model from what Encode gave.
func Decode(r *modelfile.Reader) (*Model, error) {
	m := &Model{scores: r.Float32s("scores", -1)}
	r.Settings(&m.Method)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("reading what is popular: %w", err)
	}
	return m, nil
}
