package offline

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/stat/distuv"

	"quintet/recommend/scoring"
)

// The measures, by name. All but coverage are means over people.
const (
	HitRate   = "hit rate"  // share of people with at least one of the truth in the list
	Precision = "precision" // share of the k places that have one
	Recall    = "recall"    // found / min(k, truth)
	NDCG      = "NDCG"      // Σ 1/log2(place+1) of what was found, over the largest possible
	MAP       = "MAP"       // mean of the precision at each place that has one, over min(k, truth)
	MRR       = "MRR"       // 1/place of the first
	Coverage  = "coverage"  // share of all items that anybody was shown
	Novelty   = "novelty"   // mean over the list of -log2 of the share of people who had the item in training
	Diversity = "diversity" // mean over pairs of the list of 1 - similarity
	Profit    = "profit"    // margin of what was found
)

// Options of an evaluation.
type Options struct {
	// K are the lengths of lists; 10 when empty.
	K []int
	// Confidence of the intervals; 0.95 when 0.
	Confidence float64
	// Similarity of two items, 0 to 1, for diversity, which is left out without it.
	Similarity func(a, b int32) float64
	// Margin of an item, for profit, which is left out without it.
	Margin func(item int32) float64
	// Workers is on how many cores it runs; all when 0.
	Workers int
}

// Figure is a measure with its interval. Lower and Upper equal Value for coverage,
// which has none.
type Figure struct {
	Measure string  `json:"measure"`
	K       int     `json:"k"`
	Value   float64 `json:"value"`
	Lower   float64 `json:"lower"`
	Upper   float64 `json:"upper"`
}

// Report of one recommender on one split.
type Report struct {
	Protocol string   `json:"protocol"`
	People   int      `json:"people"`
	Items    int      `json:"items"`
	Figures  []Figure `json:"figures"`

	confidence float64
	perCase    map[key][]float64
}

type key struct {
	measure string
	k       int
}

// Value is a measure, NaN when it was not taken.
func (r *Report) Value(measure string, k int) float64 {
	for _, f := range r.Figures {
		if f.Measure == measure && f.K == k {
			return f.Value
		}
	}
	return math.NaN()
}

// Evaluate asks a recommender every question of a split. Ties of scores are broken by
// the number of the item. A split without cases, and one of other items than those of
// the recommender, are errors, and so is the end of the context.
func Evaluate(ctx context.Context, s scoring.Scorer, split *Split, o Options) (*Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(split.Cases) == 0 {
		return nil, fmt.Errorf("evaluating: nobody has anything to be found by protocol %q", split.Protocol)
	}
	if s.Items() != split.Train.Items().Len() {
		return nil, fmt.Errorf("evaluating: the recommender has %d items, the data %d", s.Items(), split.Train.Items().Len())
	}
	e := newEvaluation(s, split, o)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range o.Workers {
		wg.Go(func() {
			w := e.worker()
			for ctx.Err() == nil {
				c := int(next.Add(1)) - 1
				if c >= len(split.Cases) {
					break
				}
				w.ask(c)
			}
			e.join(w)
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("evaluating: %w", err)
	}
	return e.report(), nil
}

func (o Options) withDefaults() (Options, error) {
	if len(o.K) == 0 {
		o.K = []int{10}
	}
	o.K = slices.Compact(slices.Sorted(slices.Values(o.K)))
	if o.K[0] < 1 || o.K[len(o.K)-1] > 10_000 {
		return o, fmt.Errorf("lengths of lists must be 1 to 10000, got %v", o.K)
	}
	if o.Confidence == 0 {
		o.Confidence = 0.95
	}
	if !(o.Confidence > 0 && o.Confidence < 1) {
		return o, fmt.Errorf("confidence must lie between 0 and 1, got %v", o.Confidence)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return o, nil
}

type evaluation struct {
	scorer   scoring.Scorer
	split    *Split
	options  Options
	rarity   []float64 // -log2 of the share of people with the item
	measures []string
	perCase  map[key][]float64
	mu       sync.Mutex
	shown    map[int]scoring.Set
}

func newEvaluation(s scoring.Scorer, split *Split, o Options) *evaluation {
	e := &evaluation{scorer: s, split: split, options: o, perCase: make(map[key][]float64), shown: make(map[int]scoring.Set)}
	e.measures = []string{HitRate, Precision, Recall, NDCG, MAP, MRR, Novelty}
	if o.Similarity != nil {
		e.measures = append(e.measures, Diversity)
	}
	if o.Margin != nil {
		e.measures = append(e.measures, Profit)
	}
	for _, k := range o.K {
		e.shown[k] = scoring.NewSet(s.Items())
		for _, m := range e.measures {
			e.perCase[key{m, k}] = make([]float64, len(split.Cases))
		}
	}
	e.rarity = rarity(split)
	return e
}

// rarity is that of each item in training; an item that nobody had counts as if half a
// person had.
func rarity(split *Split) []float64 {
	out := make([]float64, split.Train.Items().Len())
	people := 0
	for p := range split.Train.People().Len() {
		had := items(split.Train.Events(p), nil)
		if len(had) > 0 {
			people++
		}
		for _, i := range had {
			out[i]++
		}
	}
	for i, n := range out {
		out[i] = -math.Log2(max(n, 0.5) / float64(max(people, 1)))
	}
	return out
}

type worker struct {
	*evaluation
	scores  []float32
	allowed scoring.Set
	truth   map[int32]bool
	list    []scoring.Scored
	shown   map[int]scoring.Set
}

func (e *evaluation) worker() *worker {
	w := &worker{evaluation: e, scores: make([]float32, e.scorer.Items()), allowed: scoring.NewSet(e.scorer.Items()), shown: make(map[int]scoring.Set)}
	for _, k := range e.options.K {
		w.shown[k] = scoring.NewSet(e.scorer.Items())
	}
	return w
}

func (e *evaluation) join(w *worker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for k, shown := range w.shown {
		for i, word := range shown {
			e.shown[k][i] |= word
		}
	}
}

// ask takes every measure of one case.
func (w *worker) ask(number int) {
	c := &w.split.Cases[number]
	if c.Among != nil {
		clear(w.allowed)
		for _, list := range [][]int32{c.Among, c.Truth} {
			for _, i := range list {
				w.allowed.Add(i)
			}
		}
	} else {
		copy(w.allowed, scoring.FullSet(w.scorer.Items()))
		for _, i := range c.Exclude {
			w.allowed.Remove(i)
		}
	}
	longest := w.options.K[len(w.options.K)-1]
	w.list = scoring.Recommend(w.scorer, c.History, w.allowed, longest, w.list[:0], w.scores)
	w.truth = make(map[int32]bool, len(c.Truth))
	for _, i := range c.Truth {
		w.truth[i] = true
	}
	for _, k := range w.options.K {
		list := w.list[:min(k, len(w.list))]
		for measure, value := range w.take(list, k) {
			w.perCase[key{measure, k}][number] = value
		}
		for _, s := range list {
			w.shown[k].Add(s.Item)
		}
	}
}

// take measures one list of k places.
func (w *worker) take(list []scoring.Scored, k int) map[string]float64 {
	var found, gain, precisions, first, rare, profit float64
	for place, s := range list {
		rare += w.rarity[s.Item]
		if !w.truth[s.Item] {
			continue
		}
		found++
		gain += 1 / math.Log2(float64(place)+2)
		precisions += found / float64(place+1)
		if first == 0 {
			first = 1 / float64(place+1)
		}
		if w.options.Margin != nil {
			profit += w.options.Margin(s.Item)
		}
	}
	possible, ideal := min(k, len(w.truth)), 0.0
	for place := range possible {
		ideal += 1 / math.Log2(float64(place)+2)
	}
	out := map[string]float64{
		HitRate: min(found, 1), Precision: found / float64(k), Recall: found / float64(possible),
		NDCG: gain / ideal, MAP: precisions / float64(possible), MRR: first,
		Novelty: rare / float64(max(1, len(list))),
	}
	if w.options.Margin != nil {
		out[Profit] = profit
	}
	if w.options.Similarity != nil {
		out[Diversity] = w.diversity(list)
	}
	return out
}

func (w *worker) diversity(list []scoring.Scored) float64 {
	sum, pairs := 0.0, 0
	for i, a := range list {
		for _, b := range list[:i] {
			sum += 1 - w.options.Similarity(a.Item, b.Item)
			pairs++
		}
	}
	return sum / float64(max(1, pairs))
}

func (e *evaluation) report() *Report {
	r := &Report{Protocol: e.split.Protocol, People: len(e.split.Cases), Items: e.scorer.Items(), confidence: e.options.Confidence, perCase: e.perCase}
	for _, k := range e.options.K {
		for _, m := range e.measures {
			value, half := MeanInterval(e.perCase[key{m, k}], e.options.Confidence)
			r.Figures = append(r.Figures, Figure{m, k, value, value - half, value + half})
		}
		covered := float64(e.shown[k].Len()) / float64(e.scorer.Items())
		r.Figures = append(r.Figures, Figure{Coverage, k, covered, covered, covered})
	}
	return r
}

// MeanInterval gives a mean and half the width of its interval by Student's t; the width is
// infinite with fewer than two values.
func MeanInterval(values []float64, confidence float64) (mean, half float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v
	}
	mean /= n
	if n < 2 {
		return mean, math.Inf(1)
	}
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	t := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile((1 + confidence) / 2)
	return mean, t * math.Sqrt(squares/(n-1)/n)
}

// Difference is by how much a measure of b is above that of a, both asked the same
// questions: the interval is that of the differences person by person, which is much
// narrower than those of the two reports.
func Difference(a, b *Report, measure string, k int) (Figure, error) {
	x, y := a.perCase[key{measure, k}], b.perCase[key{measure, k}]
	if len(x) == 0 || len(x) != len(y) {
		return Figure{}, fmt.Errorf("comparing: %s at %d was not taken of the same people in both", measure, k)
	}
	differences := make([]float64, len(x))
	for i := range x {
		differences[i] = y[i] - x[i]
	}
	value, half := MeanInterval(differences, a.confidence)
	return Figure{measure, k, value, value - half, value + half}, nil
}
