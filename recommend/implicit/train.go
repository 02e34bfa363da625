package implicit

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gonum.org/v1/gonum/mat"

	"quintet/recommend/index"
	"quintet/recommend/interactions"
	"quintet/recommend/vector"
)

// Progress is told of during training.
type Progress struct {
	// Epoch is how many are done, of Epochs.
	Epoch, Epochs int
	// Elapsed is the time since training began.
	Elapsed time.Duration
}

// Options of one training beside its settings.
type Options struct {
	// Warm is a model of before whose items' vectors are the first of the new one,
	// so that two to four epochs are enough. WarmItem gives the number that an item
	// has there, below 0 when it has none; numbers are the same when it is nil.
	Warm     *Model
	WarmItem func(item int32) int32
	// Progress is called after every epoch, when not nil.
	Progress func(Progress)
}

// Train factors a matrix of people by items, as made by Log.Matrix with the settings'
// weighting. A matrix without entries, an entry that is not a positive number and
// settings out of bounds are errors, and so is the end of the context. It uses about
// 4 × (people + items) × factors bytes beside twice the matrix.
func Train(ctx context.Context, m *interactions.Matrix, settings Settings, options Options) (*Model, error) {
	started := time.Now()
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("settings of iALS: %w", err)
	}
	settings = settings.withDefaults()
	if m.Rows() == 0 || m.Columns == 0 || m.Entries() == 0 {
		return nil, fmt.Errorf("training iALS: there are no interactions")
	}
	for e, v := range m.Value {
		if !(v > 0) || v > math.MaxFloat32 {
			return nil, fmt.Errorf("training iALS: the weight of entry %d is %v, not a positive number", e, v)
		}
	}
	t := newTraining(m, settings)
	t.first(options)
	for epoch := range settings.Epochs {
		if err := t.half(ctx, t.people, t.items, t.byPerson); err != nil {
			return nil, err
		}
		if err := t.half(ctx, t.items, t.people, t.byItem); err != nil {
			return nil, err
		}
		if options.Progress != nil {
			options.Progress(Progress{epoch + 1, settings.Epochs, time.Since(started)})
		}
	}
	return t.model()
}

// training is a factorisation under way.
type training struct {
	settings         Settings
	byPerson, byItem *interactions.Matrix
	people, items    *side
	solvers          []*solver
}

func newTraining(m *interactions.Matrix, settings Settings) *training {
	if settings.Workers == 0 {
		settings.Workers = runtime.GOMAXPROCS(0)
	}
	width := vector.Pad(settings.Factors)
	t := &training{settings: settings, byPerson: m, byItem: m.Transpose()}
	t.people, t.items = newSide(m.Rows(), width), newSide(m.Columns, width)
	block := 0
	if settings.Block > 0 {
		block = vector.Pad(settings.Block)
	}
	for range settings.Workers {
		t.solvers = append(t.solvers, newSolver(width, block))
	}
	return t
}

func newSide(count, width int) *side {
	return &side{factors: width, rows: make([]float32, count*width), count: count, gram: make([]float32, width*width)}
}

// first draws the first vectors, or takes those of a model of before.
func (t *training) first(options Options) {
	d := t.settings.Factors
	scale := t.settings.Deviation / math.Sqrt(float64(d))
	for which, side := range []*side{t.people, t.items} {
		rng := rand.New(rand.NewPCG(t.settings.Seed, uint64(which)+1))
		for r := range side.count {
			row := side.row(int32(r))
			for i := range d {
				row[i] = float32(scale * rng.NormFloat64())
			}
		}
	}
	if options.Warm == nil || options.Warm.settings.Factors != d {
		return
	}
	for item := range t.items.count {
		was := int32(item)
		if options.WarmItem != nil {
			was = options.WarmItem(was)
		}
		if options.Warm.scan.Known(was) {
			copy(t.items.row(int32(item)), options.Warm.scan.Row(was))
		}
	}
}

// half solves for one side with the other fixed.
func (t *training) half(ctx context.Context, solved, fixed *side, entries *interactions.Matrix) error {
	t.sumGram(fixed)
	// Few rows at a time: some have a thousand times the entries of others.
	const some = 16
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, worker := range t.solvers {
		wg.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(some)) - some
				if from >= solved.count {
					return
				}
				for r := from; r < min(from+some, solved.count); r++ {
					columns, weights := entries.Row(r)
					worker.solve(fixed.rows, fixed.gram, fixed.diagonal, columns, weights, t.settings.hold(weights, fixed.count), solved.row(int32(r)))
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("training iALS: %w", err)
	}
	return nil
}

// hold is the regularisation of a row with such entries.
func (s Settings) hold(weights []float32, others int) float32 {
	mass := 0.0
	for _, w := range weights {
		mass += float64(w)
	}
	return float32(s.Regularisation * math.Pow(mass+s.Unobserved*float64(others), s.Exponent))
}

// sumGram sums the outer products of a side. A thousand rows are summed in float32,
// then in float64, always the same rows together, so that the number of cores does not
// change the result.
func (t *training) sumGram(s *side) {
	const parts, rows = 32, 1024
	d := s.factors
	sums := make([][]float64, parts)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range len(t.solvers) {
		wg.Go(func() {
			some := make([]float32, d*d)
			for {
				part := int(next.Add(1)) - 1
				if part >= parts {
					return
				}
				sum := make([]float64, d*d)
				from, to := part*s.count/parts, (part+1)*s.count/parts
				for ; from < to; from += rows {
					clear(some)
					vector.AddGram(some, d, d, 1, s.rows[from*d:], d, 0, min(rows, to-from))
					for i, v := range some {
						sum[i] += float64(v)
					}
				}
				sums[part] = sum
			}
		})
	}
	wg.Wait()
	total := sums[0]
	for _, sum := range sums[1:] {
		for i, v := range sum {
			total[i] += v
		}
	}
	if s.diagonal = t.settings.Block == 0 && t.settings.Factors <= maxRotated && t.rotate(s, total); s.diagonal {
		return
	}
	for i := range d {
		for j := i; j < d; j++ {
			s.gram[i*d+j] = float32(t.settings.Unobserved * total[i*d+j])
			s.gram[j*d+i] = s.gram[i*d+j]
		}
	}
}

// maxRotated is up to how many factors the axes are turned: the time that it takes grows
// with their third power.
const maxRotated = 256

// rotate turns the axes of a side so that its sum of outer products is diagonal. No
// product with the other side changes, which is solved for next, on the new axes; and
// rows with few entries become cheap (solver.few).
func (t *training) rotate(s *side, sum []float64) bool {
	d, width := t.settings.Factors, s.factors
	symmetric := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			symmetric.SetSym(i, j, sum[i*width+j])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(symmetric, true) {
		return false
	}
	var axes mat.Dense
	eigen.VectorsTo(&axes)
	values := eigen.Values(nil)
	turn := make([]float32, width*width)
	clear(s.gram)
	for f := range d {
		// The longest axis first.
		from := d - 1 - f
		s.gram[f*width+f] = float32(t.settings.Unobserved * max(0, values[from]))
		for i := range d {
			turn[f*width+i] = float32(axes.At(i, from))
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range len(t.solvers) {
		wg.Go(func() {
			turned := make([]float32, width)
			for {
				from := int(next.Add(1024)) - 1024
				if from >= s.count {
					return
				}
				for r := from; r < min(from+1024, s.count); r++ {
					vector.DotRows(s.row(int32(r)), turn, turned)
					copy(s.row(int32(r)), turned)
				}
			}
		})
	}
	wg.Wait()
	return true
}

func (t *training) model() (*Model, error) {
	t.sumGram(t.items)
	d := t.settings.Factors
	factors := make([]float32, 0, t.items.count*d)
	for item := range t.items.count {
		factors = append(factors, t.items.row(int32(item))[:d]...)
	}
	scan, err := index.NewScan(factors, t.items.count, d)
	if err != nil {
		return nil, fmt.Errorf("training iALS: it did not converge: %w", err)
	}
	return newModel(t.settings, scan, t.items.gram), nil
}
