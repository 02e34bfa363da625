package bandits

import (
	"math"
	"slices"
)

const (
	gridNodes   = 112
	minSpread   = 1e-9 // smallest standard deviation, relative to the mean's size if that is above 1
	lowerSpread = 4.5  // the largest draw lies above max(m-4.5s) …
	upperSpread = 5    // … and below max(m+5s), but for 4e-6 and K·3e-7
	nodeSpacing = 0.2  // quantile nodes nearer than this many s to another node are dropped

	smoothStep  = 0.55 // step of the trapezoidal rule, in the smallest standard deviation
	smoothNodes = 80   // most nodes for which it is quicker than the grid
)

// quantiles are where a narrow arm gets nodes of its own, in standard deviations.
var quantiles = [...]float64{-4, -3, -2.5, -2, -1.5, -1.2, -0.9, -0.6, -0.3, 0, 0.3, 0.6, 0.9, 1.2, 1.5, 2, 2.5, 3, 4}

// Quadrature computes the probability of each of K independent Gaussian scores to
// be the largest. It owns the scratch memory, so that repeated use does not
// allocate; it is for one goroutine at a time.
type Quadrature struct {
	table *cdfTable
	bell  *bellTable
	live  []arm // those that can be the largest
	nodes []node
	suf   []float64
}

// arm is one score with what the sweep over the nodes needs of it.
type arm struct {
	mean, spread     float64
	inverse          float64 // 1/spread
	previous, middle float64 // Φ at the last node, and its mean over the last cell
	step             float64 // Φ's growth over the last cell
	mass             float64
	index            int
}

type node struct{ at, spread float64 }

// NewQuadrature returns a Quadrature with room for k arms (it grows on demand).
func NewQuadrature(k int) *Quadrature {
	q := &Quadrature{table: normalTable(), bell: bell()}
	q.grow(k)
	return q
}

func (q *Quadrature) grow(k int) {
	q.live = slices.Grow(q.live[:0], k)
	q.nodes = slices.Grow(q.nodes[:0], gridNodes+len(quantiles)*k)
	q.suf = slices.Grow(q.suf[:0], k+1)
}

// Best writes into out the probability that a draw from N(mean[k], sd[k]²) is the
// largest of all:
//
//	p_k = ∫ dΦ((t-m_k)/s_k) Π_{j≠k} Φ((t-m_j)/s_j)
//
// Where no arm is much narrower than the others, the trapezoidal rule on the
// densities: for smooth functions that vanish at both ends its error falls faster
// than any power of the step (Trefethen and Weideman, The Exponentially Convergent
// Trapezoidal Rule, 2014), so that some thirty nodes do. Elsewhere
// a sum over a uniform grid of 112 nodes and, for arms narrower than two cells,
// nodes at their own quantiles; products over the other arms come from prefix
// and suffix products, so the cost is K times the number of nodes. The result
// sums to 1, equal arms get equal probabilities to the last bit, and permuting
// the arms permutes the result.
//
// It returns false, and the uniform distribution, if a mean or a deviation is not
// finite or a deviation is negative. The three slices must have one length.
func (q *Quadrature) Best(mean, sd, out []float64) bool {
	k := len(out)
	if k == 0 {
		return true
	}
	if len(mean) != k || len(sd) != k {
		uniform(out)
		return false
	}
	lo, hi := math.Inf(-1), math.Inf(-1)
	for i, m := range mean {
		// The bound keeps every difference of two nodes finite.
		if !(math.Abs(m) <= 1e300) || !(sd[i] >= 0 && sd[i] <= 1e300) {
			uniform(out)
			return false
		}
		s := spread(m, sd[i])
		lo = max(lo, m-lowerSpread*s)
		hi = max(hi, m+upperSpread*s)
	}
	if k == 1 {
		out[0] = 1
		return true
	}
	q.grow(k)
	clear(out)
	least := q.gather(mean, sd, lo)
	if n := math.Ceil((hi - lo) / float64(smoothStep*least)); n <= smoothNodes {
		q.smooth(lo, hi, int(n))
	} else {
		q.place(lo, hi)
		q.sweep(lo)
	}
	if !q.share(out) {
		uniform(out)
		return false
	}
	return true
}

func spread(mean, sd float64) float64 {
	return max(sd, minSpread*max(1, math.Abs(mean)))
}

// gather puts the arms that can be the largest into a canonical order. An arm
// below lo by 8 deviations has Φ = 1 at every node: it neither gains mass nor
// changes a product.
// It returns the smallest standard deviation among them.
func (q *Quadrature) gather(mean, sd []float64, lo float64) (least float64) {
	least = math.Inf(1)
	for i, m := range mean {
		s := spread(m, sd[i])
		if (lo-m)/s >= cdfLimit {
			continue
		}
		q.live = append(q.live, arm{mean: m, spread: s, inverse: 1 / s, index: i})
		least = min(least, s)
	}
	slices.SortFunc(q.live, func(a, b arm) int {
		switch {
		case a.mean < b.mean:
			return -1
		case a.mean > b.mean:
			return 1
		case a.spread < b.spread:
			return -1
		case a.spread > b.spread:
			return 1
		default:
			return 0
		}
	})
	return least
}

// smooth integrates the densities over n steps between lo and hi.
func (q *Quadrature) smooth(lo, hi float64, n int) {
	live, table := q.live, q.bell
	suf := q.suf[:len(live)+1]
	suf[len(live)] = 1
	h := (hi - lo) / float64(n)
	for g := 0; g <= n; g++ {
		at := lo + float64(h*float64(g))
		product := 1.0
		for i := len(live) - 1; i >= 0; i-- {
			a := &live[i]
			cdf, density := table.at(float64((at - a.mean) * a.inverse))
			a.middle, a.step = cdf, float64(density*a.inverse)
			product = float64(product * cdf)
			suf[i] = product
		}
		product = 1.0
		for i := range live {
			a := &live[i]
			a.mass += float64(float64(a.step*product) * suf[i+1])
			product = float64(product * a.middle)
		}
	}
}

// place lays out the nodes in ascending order.
func (q *Quadrature) place(lo, hi float64) {
	h := (hi - lo) / gridNodes
	narrow := false
	for i := range q.live {
		a := &q.live[i]
		if a.spread >= 2*h || (i > 0 && a.same(&q.live[i-1])) {
			continue
		}
		narrow = true
		for _, z := range quantiles {
			if x := a.mean + float64(z*a.spread); x > lo && x < hi {
				q.nodes = append(q.nodes, node{x, a.spread})
			}
		}
	}
	for g := 1; g <= gridNodes; g++ {
		q.nodes = append(q.nodes, node{lo + float64(h*float64(g)), 0})
	}
	if !narrow {
		return
	}
	slices.SortFunc(q.nodes, func(a, b node) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		default:
			return 0
		}
	})
	// Narrow arms that compete lie on top of each other, so many of their nodes
	// tell nothing new; thinning bounds the cost for any number of them.
	kept, last := q.nodes[:0], math.Inf(-1)
	for _, n := range q.nodes {
		if n.at-last < nodeSpacing*n.spread {
			continue
		}
		kept = append(kept, n)
		last = n.at
	}
	q.nodes = kept
}

func (a *arm) same(b *arm) bool { return a.mean == b.mean && a.spread == b.spread }

// sweep integrates over the cells between the nodes.
func (q *Quadrature) sweep(lo float64) {
	live, table := q.live, q.table
	for i := range live {
		a := &live[i]
		a.previous = table.at(float64((lo - a.mean) * a.inverse))
	}
	suf := q.suf[:len(live)+1]
	suf[len(live)] = 1
	for _, n := range q.nodes {
		product := 1.0
		for i := len(live) - 1; i >= 0; i-- {
			a := &live[i]
			phi := table.at(float64((n.at - a.mean) * a.inverse))
			a.step = phi - a.previous
			a.middle = float64((phi + a.previous) * 0.5)
			a.previous = phi
			product = float64(product * a.middle)
			suf[i] = product
		}
		product = 1.0
		for i := range live {
			a := &live[i]
			a.mass += float64(float64(a.step*product) * suf[i+1])
			product = float64(product * a.middle)
		}
	}
}

// share normalises the masses into out. Equal arms, neighbours in the canonical
// order, share theirs equally, which removes what rounding made of their places.
func (q *Quadrature) share(out []float64) bool {
	var total float64
	for i := range q.live {
		total += q.live[i].mass
	}
	if !(total > 0) || math.IsInf(total, 0) {
		return false
	}
	for i := 0; i < len(q.live); {
		j, mass := i, 0.0
		for ; j < len(q.live) && q.live[j].same(&q.live[i]); j++ {
			mass += q.live[j].mass
		}
		p := mass / total / float64(j-i)
		for ; i < j; i++ {
			out[q.live[i].index] = p
		}
	}
	return true
}

func uniform(out []float64) {
	for i := range out {
		out[i] = 1 / float64(len(out))
	}
}
