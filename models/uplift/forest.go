package uplift

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"quintet/internal/learners"
)

// ForestLearner grows an uplift forest: each tree takes a part of the rows, cuts by one
// half of it where the effects of the two sides differ most (the sum over treatments of
// rows times squared effect), and estimates effects on the other half.
type ForestLearner struct {
	// Trees is 100 unless set.
	Trees int
	// Depth bounds a tree; 5 unless set.
	Depth int
	// MinArm is the least number of rows of each arm in a leaf, in either half; 25 unless
	// set.
	MinArm int
	// Rows bounds the rows of a tree; 50,000 unless set. A tree takes half of all at most.
	Rows int
	Seed uint64
}

// Name implements [Learner].
func (l ForestLearner) Name() string {
	return fmt.Sprintf("uplift forest (depth %d)", or(l.Depth, 5))
}

func or(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

// EffectForest is a fitted uplift forest: per treatment a mean of trees.
type EffectForest struct {
	Forests []*learners.Forest `json:"forests"`
}

// Effects implements [Model].
func (f *EffectForest) Effects(m *learners.Matrix, out [][]float64) {
	for k := range out {
		f.Forests[k].Predict(m, out[k])
	}
}

// Fit implements [Learner].
func (l ForestLearner) Fit(ctx context.Context, d *Data) (Model, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	g := &effectGrower{l: l, d: d, bins: learners.Bin(d.X, 63), minArm: or(l.MinArm, 25), depth: or(l.Depth, 5)}
	n := len(d.Y)
	size := min(n/2, or(l.Rows, 50_000))
	trees := make([][]learners.Tree, or(l.Trees, 100))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				t := int(next.Add(1)) - 1
				if t >= len(trees) || ctx.Err() != nil {
					return
				}
				trees[t] = g.tree(size, rand.New(rand.NewPCG(l.Seed, uint64(t))))
			}
		}()
	}
	wait.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("growing an uplift forest: %w", ctx.Err())
	}
	out := &EffectForest{}
	for k := range d.Treatments {
		f := &learners.Forest{}
		for _, t := range trees {
			tree := t[k]
			for i := range tree.Values {
				tree.Values[i] /= float32(len(trees))
			}
			f.Trees = append(f.Trees, tree)
		}
		out.Forests = append(out.Forests, f)
	}
	return out, nil
}

type effectGrower struct {
	l      ForestLearner
	d      *Data
	bins   *learners.Binned
	minArm int
	depth  int
}

// armSums holds rows and outcomes by arm.
type armSums []float64 // n0, y0, n1, y1, ...

func (s armSums) add(arm int, y float64) { s[2*arm]++; s[2*arm+1] += y }

func (s armSums) enough(least int) bool {
	for a := 0; a < len(s); a += 2 {
		if s[a] < float64(least) {
			return false
		}
	}
	return true
}

func (s armSums) effect(k int) float64 { return s[2*k+3]/s[2*k+2] - s[1]/s[0] }

// worth is what a cut is chosen by.
func (s armSums) worth() float64 {
	total := 0.0
	n := 0.0
	for a := 0; a < len(s); a += 2 {
		n += s[a]
	}
	for k := range len(s)/2 - 1 {
		e := s.effect(k)
		total += n * e * e
	}
	return total
}

type effectNode struct {
	node             int
	cutRows, estRows []int32
	depth            int
	effects          []float64
}

func (g *effectGrower) tree(size int, r *rand.Rand) []learners.Tree {
	n := len(g.d.Y)
	rows := make([]int32, 2*(size/2))
	if size*4 < n {
		for i := range rows { // from so many rows that drawing one twice is rare
			rows[i] = int32(r.IntN(n))
		}
	} else {
		for i, v := range r.Perm(n)[:len(rows)] {
			rows[i] = int32(v)
		}
	}
	trees := make([]learners.Tree, g.d.Treatments)
	for k := range trees {
		trees[k].Add()
	}
	root := effectNode{cutRows: rows[:len(rows)/2], estRows: rows[len(rows)/2:], effects: make([]float64, g.d.Treatments)}
	sums := g.sum(root.estRows)
	if sums.enough(1) {
		for k := range root.effects {
			root.effects[k] = sums.effect(k)
		}
	}
	queue := []effectNode{root}
	for len(queue) > 0 {
		f := queue[0]
		queue = queue[1:]
		for k := range trees {
			trees[k].Values[f.node] = float32(f.effects[k])
		}
		if f.depth >= g.depth {
			continue
		}
		column, bin, ok := g.best(f.cutRows, r)
		if !ok {
			continue
		}
		left, right := effectNode{depth: f.depth + 1}, effectNode{depth: f.depth + 1}
		left.cutRows, right.cutRows = g.divide(f.cutRows, column, bin)
		left.estRows, right.estRows = g.divide(f.estRows, column, bin)
		a, b := g.sum(left.estRows), g.sum(right.estRows)
		if !a.enough(g.minArm) || !b.enough(g.minArm) {
			continue
		}
		for k := range trees {
			left.effects, right.effects = append(left.effects, a.effect(k)), append(right.effects, b.effect(k))
			left.node, right.node = trees[k].Add(), trees[k].Add()
			trees[k].Join(f.node, column, g.bins.Threshold(column, bin), false, left.node, right.node)
		}
		queue = append(queue, left, right)
	}
	return trees
}

func (g *effectGrower) sum(rows []int32) armSums {
	s := make(armSums, 2*(g.d.Treatments+1))
	for _, i := range rows {
		s.add(g.d.Arms[i], g.d.Y[i])
	}
	return s
}

// divide splits rows; what is missing goes right.
func (g *effectGrower) divide(rows []int32, column, bin int) (left, right []int32) {
	codes := g.bins.Codes[column]
	for _, i := range rows {
		if c := codes[i]; c != 0 && int(c) <= bin {
			left = append(left, i)
		} else {
			right = append(right, i)
		}
	}
	return left, right
}

// best looks at half of the columns, drawn anew for each node.
func (g *effectGrower) best(rows []int32, r *rand.Rand) (column, bin int, ok bool) {
	arms := g.d.Treatments + 1
	total := g.sum(rows)
	if !total.enough(2 * g.minArm) {
		return 0, 0, false
	}
	base := total.worth() * (1 + 1e-9)
	columns := r.Perm(len(g.bins.Codes))
	columns = columns[:max(1, min(len(columns), (len(columns)+1)/2+1))]
	cells := make([]float64, 65*2*arms)
	left, right := make(armSums, 2*arms), make(armSums, 2*arms)
	for _, j := range columns {
		bins := g.bins.Bins(j)
		used := cells[:(bins+1)*2*arms]
		clear(used)
		codes := g.bins.Codes[j]
		for _, i := range rows {
			armSums(used[int(codes[i])*2*arms:]).add(g.d.Arms[i], g.d.Y[i])
		}
		clear(left)
		for b := 1; b < bins; b++ {
			for k := range left {
				left[k] += used[b*2*arms+k]
				right[k] = total[k] - left[k]
			}
			if !left.enough(g.minArm) || !right.enough(g.minArm) {
				continue
			}
			if v := left.worth() + right.worth(); v > base {
				base, column, bin, ok = v, j, b, true
			}
		}
	}
	return column, bin, ok
}
