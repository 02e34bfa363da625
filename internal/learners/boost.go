package learners

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Boosted fits gradient-boosted regression trees on histograms, grown leaf by leaf, with
// Newton steps: log-loss for labels 0 and 1 ([Boosted.Logistic]), squared error
// otherwise. It is the method of LightGBM (Ke et al. 2017) with the regularised gain of
// XGBoost (Chen and Guestrin 2016). The number of trees is found on a tenth of the rows
// that is kept aside.
type Boosted struct {
	// Logistic learns a probability.
	Logistic bool
	// Trees bounds the number of trees; 150 unless set.
	Trees int
	// Leaves bounds the leaves of a tree; 15 unless set.
	Leaves int
	// Rate is the share of each Newton step that is taken; 0.1 unless set.
	Rate float64
	// Lambda is the L2 penalty on the value of a leaf; 1 unless set.
	Lambda float64
	// MinWeight is the least sum of second derivatives in a leaf; 5 unless set.
	MinWeight float64
	// Fixed fits all trees on all rows, without a part that is kept aside.
	Fixed bool
	// Seed picks the part that is kept aside.
	Seed uint64
}

// Name implements [Learner].
func (l Boosted) Name() string {
	d := l.defaults()
	return fmt.Sprintf("boosted trees (%d leaves, rate %g)", d.Leaves, d.Rate)
}

func (l Boosted) defaults() Boosted {
	l.Trees = int(orDefault(float64(l.Trees), 150))
	l.Leaves = int(orDefault(float64(l.Leaves), 15))
	l.Rate = orDefault(l.Rate, .1)
	l.Lambda = orDefault(l.Lambda, 1)
	l.MinWeight = orDefault(l.MinWeight, 5)
	return l
}

// Stopping looks this many trees ahead for a better one.
const patience = 15

// Fit implements [Learner].
func (l Boosted) Fit(ctx context.Context, m *Matrix, y, weights []float64) (Model, error) {
	if err := checkShape(m, y, weights); err != nil {
		return nil, err
	}
	check := CheckContinuous
	if l.Logistic {
		check = CheckBinary
	}
	if err := check(y); err != nil {
		return nil, err
	}
	l = l.defaults()
	g := &grower{Boosted: l, data: Bin(m, maxBins), n: len(y)}
	g.histograms.New = func() any { return newHistogram(g.data) }
	var total, sum float64
	for i, v := range y {
		total += weight(weights, i)
		sum += weight(weights, i) * v
	}
	mean := sum / total
	forest := &Forest{Logistic: l.Logistic, Base: mean}
	if l.Logistic {
		forest.Base = math.Log(mean / (1 - mean))
	}
	held := l.heldOut(y)
	var inside []int32
	for i := range y {
		if held == nil || !held[i] {
			inside = append(inside, int32(i))
		}
	}
	g.scores = make([]float64, len(y))
	for i := range g.scores {
		g.scores[i] = forest.Base
	}
	g.gradients = make([]cell32, len(y))
	best, bestLoss := 0, math.Inf(1)
	for t := range l.Trees {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("growing tree %d: %w", t, err)
		}
		g.differentiate(y, weights)
		tree := g.grow(inside)
		if tree == nil {
			break
		}
		forest.Trees = append(forest.Trees, *tree)
		if held == nil {
			best = len(forest.Trees)
			continue
		}
		loss := g.heldLoss(tree, held, y, weights)
		if loss < bestLoss-1e-9 {
			best, bestLoss = len(forest.Trees), loss
		} else if len(forest.Trees)-best >= patience {
			break
		}
	}
	forest.Trees = forest.Trees[:best]
	return forest, nil
}

// heldOut marks a tenth of the rows; nil when there are too few to keep any aside.
func (l Boosted) heldOut(y []float64) []bool {
	if l.Fixed || len(y) < 10*MinRows {
		return nil
	}
	r := rand.New(rand.NewPCG(l.Seed, 0x626f6f7374))
	held := make([]bool, len(y))
	for i := range held {
		held[i] = r.IntN(10) == 0
	}
	return held
}

type cell32 struct{ g, h float32 }

type grower struct {
	Boosted
	data       *Binned
	n          int
	scores     []float64
	gradients  []cell32
	histograms sync.Pool
	rows       []int32
	spare      []int32
	ordered    []cell32
}

func (g *grower) differentiate(y, weights []float64) {
	parallel(g.n, func(_, from, to int) {
		for i := from; i < to; i++ {
			w := weight(weights, i)
			if g.Logistic {
				p := Sigmoid(g.scores[i])
				g.gradients[i] = cell32{float32(w * (y[i] - p)), float32(w * max(p*(1-p), 1e-9))}
			} else {
				g.gradients[i] = cell32{float32(w * (y[i] - g.scores[i])), float32(w)}
			}
		}
	})
}

// heldLoss moves the scores of the rows aside by the tree and gives their mean loss.
func (g *grower) heldLoss(tree *Tree, held []bool, y, weights []float64) float64 {
	sums := make([][2]float64, blocksOf(g.n))
	parallel(g.n, func(block, from, to int) {
		for i := from; i < to; i++ {
			if !held[i] {
				continue
			}
			g.scores[i] += tree.binnedValue(g.data, i)
			w := weight(weights, i)
			sums[block][1] += w
			if s := g.scores[i]; g.Logistic {
				sums[block][0] += w * (math.Max(s, 0) + math.Log1p(math.Exp(-math.Abs(s))) - y[i]*s)
			} else {
				sums[block][0] += w * (y[i] - s) * (y[i] - s)
			}
		}
	})
	var total [2]float64
	for _, s := range sums {
		total[0] += s[0]
		total[1] += s[1]
	}
	return total[0] / total[1]
}

// leaf is a node that may be cut.
type leaf struct {
	node     int
	from, to int // rows[from:to]
	total    cell
	hist     histogram
	cut      split
}

// grow makes one tree and moves the scores of its rows; nil when nothing can be cut.
func (g *grower) grow(inside []int32) *Tree {
	g.rows = append(g.rows[:0], inside...)
	tree := &Tree{}
	root := leaf{node: tree.Add(), to: len(g.rows)}
	for _, i := range g.rows {
		root.total.g += float64(g.gradients[i].g)
		root.total.h += float64(g.gradients[i].h)
	}
	root.hist = g.fill(root.from, root.to)
	g.search(&root)
	leaves := []leaf{root}
	for len(leaves) < g.Leaves {
		at := -1
		for k := range leaves {
			if leaves[k].cut.column >= 0 && (at < 0 || leaves[k].cut.gain > leaves[at].cut.gain) {
				at = k
			}
		}
		if at < 0 {
			break
		}
		left, right := g.cut(tree, &leaves[at])
		leaves[at] = left
		leaves = append(leaves, right)
	}
	for k := range leaves {
		f := &leaves[k]
		value := g.Rate * f.total.g / (f.total.h + g.Lambda)
		tree.Values[f.node] = float32(value)
		if f.hist != nil {
			g.histograms.Put(f.hist) //nolint:staticcheck // one small allocation for each leaf
		}
		for _, i := range g.rows[f.from:f.to] {
			g.scores[i] += float64(tree.Values[f.node])
		}
	}
	if len(leaves) == 1 {
		return nil
	}
	return tree
}

func (g *grower) cut(tree *Tree, parent *leaf) (left, right leaf) {
	c := parent.cut
	middle := g.partition(parent.from, parent.to, c)
	tree.Values[parent.node] = float32(g.Rate * parent.total.g / (parent.total.h + g.Lambda))
	left = leaf{node: tree.Add(), from: parent.from, to: middle, total: c.left}
	right = leaf{node: tree.Add(), from: middle, to: parent.to, total: cell{parent.total.g - c.left.g, parent.total.h - c.left.h}}
	tree.bins[parent.node] = uint8(c.bin)
	tree.Join(parent.node, c.column, g.data.Threshold(c.column, c.bin), c.missingLeft, left.node, right.node)
	// The smaller side is summed; the other is what remains of the parent.
	small, large := &left, &right
	if left.to-left.from > right.to-right.from {
		small, large = &right, &left
	}
	small.hist = g.fill(small.from, small.to)
	large.hist = parent.hist
	for j := range large.hist {
		s := small.hist[j]
		for b := range large.hist[j] {
			large.hist[j][b].g -= s[b].g
			large.hist[j][b].h -= s[b].h
		}
	}
	g.search(&left)
	g.search(&right)
	return left, right
}

// fill sums the gradients of rows by column and bin.
func (g *grower) fill(from, to int) histogram {
	h := g.histograms.Get().(histogram)
	rows := g.rows[from:to]
	if cap(g.ordered) < len(rows) {
		g.ordered = make([]cell32, g.n)
	}
	ordered := g.ordered[:len(rows)]
	parallel(len(rows), func(_, a, b int) {
		for k := a; k < b; k++ {
			ordered[k] = g.gradients[rows[k]]
		}
	})
	sum := func(_, j int) {
		cells := h[j]
		clear(cells)
		codes := g.data.Codes[j]
		for k, i := range rows {
			c := &cells[codes[i]]
			c.g += float64(ordered[k].g)
			c.h += float64(ordered[k].h)
		}
	}
	if len(rows)*len(h) < 1<<16 {
		for j := range h {
			sum(0, j)
		}
		return h
	}
	parallelTasks(len(h), sum)
	return h
}

func (g *grower) search(f *leaf) {
	f.cut = split{column: -1}
	if f.total.h < 2*g.MinWeight {
		return
	}
	for j := range f.hist {
		if c := f.hist.best(j, f.total, g.Lambda, g.MinWeight); c.column >= 0 && c.gain > f.cut.gain {
			f.cut = c
		}
	}
	if f.cut.gain < 1e-7 {
		f.cut.column = -1
	}
}

// partition brings the rows that go left before the others and gives where the latter
// begin; the order within each stays.
func (g *grower) partition(from, to int, c split) int {
	codes := g.data.Codes[c.column]
	g.spare = g.spare[:0]
	at := from
	for _, i := range g.rows[from:to] {
		code := codes[i]
		if (code == 0 && c.missingLeft) || (code != 0 && int(code) <= c.bin) {
			g.rows[at] = i
			at++
		} else {
			g.spare = append(g.spare, i)
		}
	}
	copy(g.rows[at:to], g.spare)
	return at
}

// parallelTasks calls f with 0..n-1 on all cores; worker tells which of them.
func parallelTasks(n int, f func(worker, i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var next atomic.Int64
	var wait sync.WaitGroup
	for w := range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(w, i)
			}
		}()
	}
	wait.Wait()
}
