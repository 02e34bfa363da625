package index

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"quintet/recommend/scoring"
	"quintet/recommend/vector"
)

// ListsSettings are those of NewLists.
type ListsSettings struct {
	// Lists is how many there are (2 √n).
	Lists int
	// Recall is the share of the best ten that must be found (0.97); queries look into
	// as many lists as that takes.
	Recall float64
	// Queries are vectors like those that will be asked for, padded as rows are, one
	// behind the other: of people, best. Rows of items stand for them when nil.
	Queries []float32
	// Seed of the first centres.
	Seed uint64
}

// Lists is an inverted file (Jégou, Douze and Schmid 2011): rows lie in lists around
// centres, and a query looks into the lists that promise most. How many it looks into
// is measured when it is built, against the exact scan, so that the recall is known
// instead of hoped for. Many may use it at once.
type Lists struct {
	exact   *Scan
	width   int
	centres []float32
	spread  []float32 // root mean square distance of a list's rows from its centre
	start   []int
	rows    []float32
	items   []int32
	probe   int
	recall  float64
	pool    sync.Pool
}

// ErrRecall is what NewLists says when no number of lists below a half reaches the
// recall: the exact scan is as fast then.
var ErrRecall = fmt.Errorf("an approximate index does not pay for these vectors")

const (
	listIterations = 8
	listSample     = 64 // rows for each centre
	listQueries    = 200
	recallAt       = 10
)

// NewLists puts the rows of a scan into lists. It takes about as much memory again.
func NewLists(ctx context.Context, s *Scan, settings ListsSettings) (*Lists, error) {
	if settings.Lists == 0 {
		settings.Lists = int(2 * math.Sqrt(float64(s.known)))
	}
	if settings.Recall == 0 {
		settings.Recall = 0.97
	}
	if settings.Lists < 1 || settings.Lists > s.known || !(settings.Recall > 0 && settings.Recall <= 1) {
		return nil, fmt.Errorf("an index of %d rows needs 1 to as many lists and a recall above 0 and at most 1, got %d and %v", s.known, settings.Lists, settings.Recall)
	}
	if len(settings.Queries)%s.width != 0 {
		return nil, fmt.Errorf("%d numbers are no queries of %d", len(settings.Queries), s.width)
	}
	l := &Lists{exact: s, width: s.width}
	rng := rand.New(rand.NewPCG(settings.Seed, 0x115))
	if err := l.cluster(ctx, settings.Lists, rng); err != nil {
		return nil, err
	}
	if err := l.fill(ctx); err != nil {
		return nil, err
	}
	l.pool.New = func() any {
		return &listSearch{promise: make([]float32, settings.Lists), order: make([]int32, settings.Lists)}
	}
	return l, l.tune(ctx, settings, rng)
}

func (l *Lists) count() int { return len(l.centres) / l.width }

// cluster finds centres by k-means on a sample.
func (l *Lists) cluster(ctx context.Context, lists int, rng *rand.Rand) error {
	s := l.exact
	sample := rng.Perm(s.known)[:min(s.known, lists*listSample)]
	l.centres = make([]float32, lists*l.width)
	for c, row := range sample[:lists] {
		copy(l.centres[c*l.width:(c+1)*l.width], s.rows[row*l.width:])
	}
	nearest := make([]int32, len(sample))
	for range listIterations {
		if err := l.assign(ctx, len(sample), func(i int) []float32 { return s.rows[sample[i]*l.width : (sample[i]+1)*l.width] }, nearest); err != nil {
			return err
		}
		clear(l.centres)
		counts := make([]int, lists)
		for i, c := range nearest {
			counts[c]++
			vector.Axpy(1, s.rows[sample[i]*l.width:(sample[i]+1)*l.width], l.centres[int(c)*l.width:int(c+1)*l.width])
		}
		for c, n := range counts {
			centre := l.centres[c*l.width : (c+1)*l.width]
			if n == 0 {
				// A centre that nothing is near to begins anew somewhere.
				copy(centre, s.rows[sample[rng.IntN(len(sample))]*l.width:])
				continue
			}
			for i := range centre {
				centre[i] /= float32(n)
			}
		}
	}
	return nil
}

// assign finds the nearest centre of each of n rows.
func (l *Lists) assign(ctx context.Context, n int, row func(int) []float32, nearest []int32) error {
	half := make([]float32, l.count())
	for c := range half {
		centre := l.centres[c*l.width : (c+1)*l.width]
		half[c] = vector.Dot(centre, centre) / 2
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			scores := make([]float32, l.count())
			for ctx.Err() == nil {
				from := int(next.Add(block)) - block
				if from >= n {
					return
				}
				for i := from; i < min(from+block, n); i++ {
					vector.DotRows(row(i), l.centres, scores)
					best, at := float32(math.Inf(-1)), 0
					for c, score := range scores {
						if score-half[c] > best {
							best, at = score-half[c], c
						}
					}
					nearest[i] = int32(at)
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("building an index: %w", err)
	}
	return nil
}

// fill puts all rows into their lists.
func (l *Lists) fill(ctx context.Context) error {
	s, lists := l.exact, l.count()
	nearest := make([]int32, s.known)
	if err := l.assign(ctx, s.known, func(i int) []float32 { return s.rows[i*l.width : (i+1)*l.width] }, nearest); err != nil {
		return err
	}
	l.start = make([]int, lists+1)
	for _, c := range nearest {
		l.start[c+1]++
	}
	for c := range lists {
		l.start[c+1] += l.start[c]
	}
	l.rows, l.items, l.spread = make([]float32, s.known*l.width), make([]int32, s.known), make([]float32, lists)
	next := slices.Clone(l.start)
	for row, c := range nearest {
		at := next[c]
		next[c]++
		l.items[at] = s.items[row]
		copy(l.rows[at*l.width:(at+1)*l.width], s.rows[row*l.width:])
		for i, v := range s.rows[row*l.width : (row+1)*l.width] {
			apart := v - l.centres[int(c)*l.width+i]
			l.spread[c] += apart * apart
		}
	}
	for c := range lists {
		// In a direction, of as many as the vectors have.
		l.spread[c] = float32(math.Sqrt(float64(l.spread[c]) / float64(max(1, l.start[c+1]-l.start[c])) / float64(l.width)))
	}
	return nil
}

// tune looks into more lists until the recall is reached.
func (l *Lists) tune(ctx context.Context, settings ListsSettings, rng *rand.Rand) error {
	queries := settings.Queries
	if len(queries) == 0 {
		for range listQueries {
			row := rng.IntN(l.exact.known)
			queries = append(queries, l.exact.rows[row*l.width:(row+1)*l.width]...)
		}
	}
	queries = queries[:min(len(queries), listQueries*l.width)]
	var truth [][]scoring.Scored
	for from := 0; from < len(queries); from += l.width {
		truth = append(truth, l.exact.Search(queries[from:from+l.width], nil, recallAt, nil))
	}
	for l.probe = min(8, l.count()); ; l.probe = min(l.count(), l.probe*5/4+1) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("building an index: %w", err)
		}
		found, all := 0, 0
		for i, want := range truth {
			got := l.Search(queries[i*l.width:(i+1)*l.width], nil, recallAt, nil)
			for _, w := range want {
				all++
				if slices.ContainsFunc(got, func(g scoring.Scored) bool { return g.Item == w.Item }) {
					found++
				}
			}
		}
		l.recall = float64(found) / float64(max(1, all))
		if l.recall >= settings.Recall {
			return nil
		}
		if l.probe > l.count()/2 {
			return fmt.Errorf("%w: recall %.3f with %d of %d lists", ErrRecall, l.recall, l.probe, l.count())
		}
	}
}

// Recall is the share of the best ten that was found when it was built.
func (l *Lists) Recall() float64 { return l.recall }

// Probe is how many lists a query looks into, of how many.
func (l *Lists) Probe() (probed, lists int) { return l.probe, l.count() }

type listSearch struct {
	search
	promise []float32
	order   []int32
}

// Search appends to dst nearly the k items of allowed (all when nil) with the largest
// inner products, best first. Where few items are allowed it looks further, so that a filter costs
// no recall.
func (l *Lists) Search(query []float32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	if k <= 0 || !l.exact.usable(query) {
		return dst
	}
	w := l.pool.Get().(*listSearch)
	defer l.pool.Put(w)
	vector.DotRows(query, l.centres, w.promise)
	length := float32(math.Sqrt(float64(vector.Dot(query, query))))
	for c := range w.promise {
		// The best of a list is about two deviations from its centre.
		w.promise[c] += 2 * length * l.spread[c]
		w.order[c] = int32(c)
	}
	slices.SortFunc(w.order, func(a, b int32) int { return cmp.Compare(w.promise[b], w.promise[a]) })
	w.best.Reset(min(k, len(l.items)))
	// With a filter, as many rows that are allowed are looked at as without: the best
	// of them lie in more lists.
	enough, seen := l.probe*len(l.items)/l.count(), 0
	for n, c := range w.order {
		if n >= l.probe && (allowed == nil || seen >= enough) {
			break
		}
		if allowed != nil {
			for _, item := range l.items[l.start[c]:l.start[c+1]] {
				if allowed.Has(item) {
					seen++
				}
			}
		}
		for from := l.start[c]; from < l.start[c+1]; from += block {
			m := min(block, l.start[c+1]-from)
			vector.DotRows(query, l.rows[from*l.width:], w.scores[:m])
			floor := w.best.Floor()
			for i, score := range w.scores[:m] {
				if score >= floor {
					if item := l.items[from+i]; allowed == nil || allowed.Has(item) {
						w.best.Offer(item, score)
						floor = w.best.Floor()
					}
				}
			}
		}
	}
	return w.best.Append(dst)
}
