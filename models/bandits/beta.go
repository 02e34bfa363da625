package bandits

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Beta is Thompson sampling for rewards from 0 to 1, such as yes or no: the belief about
// the expected reward of an action is a beta distribution, which is never below 0 or above
// 1, and is skewed where rewards are rare. An action is chosen with the probability that
// its draw is the largest (Thompson, On the Likelihood that One Unknown Probability Exceeds
// Another, 1933; Chapelle and Li, 2011).
//
// The belief comes of the linear model: with mean m and as many decisions' worth n as the
// posterior's variance says, n = σ²/s² = 1/(φᵀΛ⁻¹φ), it is
//
//	Beta(½ + n m/α², ½ + n (1-m)/α²)
//
// Without features, where φ is the intercept alone, n m is the weighted sum of rewards and n
// the weighted number of decisions, with what the other actions taught: the conjugate
// posterior with Jeffreys' prior.
type Beta struct {
	// Model scores the candidates; required.
	Model *Model
	// Alpha scales the posterior's standard deviation, as in [Thompson].
	Alpha float64
	// Floor is the share of uniform exploration.
	Floor float64
}

// Distribution implements [Policy]. A mean outside of 0 to 1 counts as the nearer end.
// Charges are taken off the draws.
func (b Beta) Distribution(candidates Candidates, w *Workspace) (Distribution, error) {
	if len(candidates.Actions) == 0 {
		return Distribution{}, ErrNoCandidates
	}
	if b.Model == nil {
		return Distribution{}, errors.New("beta sampling: no model")
	}
	if !(b.Alpha > 0) || !finite(b.Alpha) {
		return Distribution{}, fmt.Errorf("beta sampling: alpha must be a positive number, not %g", b.Alpha)
	}
	d, err := w.scoreAll(b.Model, candidates, b.Floor)
	if err != nil {
		return Distribution{}, err
	}
	at, _ := w.find(b.Model, candidates.Actions)
	k := len(at)
	w.beliefs = slices.Grow(w.beliefs[:0], k)[:k]
	ok := true
	for i, lane := range at {
		charge := 0.0
		if len(candidates.Charges) > 0 {
			charge = candidates.Charges[i]
		}
		noise := b.Model.octets[lane/laneCount].noise[lane%laneCount]
		mean := min(max(w.mean[i]+charge, 0), 1)
		n := maxBelief
		if square := float64(w.sd[i] * w.sd[i]); square > 0 {
			n = min(noise/square/float64(b.Alpha*b.Alpha), maxBelief)
		}
		ok = ok && finite(w.mean[i]) && finite(charge) && n >= 0
		w.beliefs[i] = belief{a: 0.5 + float64(n*mean), b: 0.5 + float64(n*(1-mean)), charge: charge}
	}
	if !ok {
		d.Degenerate = true
		uniform(d.P)
	} else {
		w.betas.best(w.beliefs, d.P)
	}
	if err := Floor(d.P, b.Floor, d.Q); err != nil {
		return Distribution{}, fmt.Errorf("beta sampling: %w", err)
	}
	return d, nil
}

// maxBelief bounds how many decisions a belief rests on: beyond it the width of the
// distribution is a millionth and nothing is left to explore.
const maxBelief = 1e12

// belief is Beta(a, b) of a reward from which a charge is taken.
type belief struct{ a, b, charge float64 }

const (
	betaCells = 96   // pieces of a distribution function
	betaDepth = 14.0 // how far ln of the density falls from its top to where the table ends
)

// curve is the distribution function of a belief in betaCells pieces, each a cubic with
// its values and slopes at both ends (Hermite's).
type curve struct {
	at, cdf, slope [betaCells + 1]float64
}

// value is the distribution function at t, which lies in the piece of the cursor or behind
// it; the cursor follows.
func (c *curve) value(t float64, cursor *int) float64 {
	for *cursor < betaCells && c.at[*cursor+1] <= t {
		*cursor++
	}
	i := *cursor
	switch {
	case i == betaCells:
		return 1
	case t <= c.at[0]:
		return 0
	}
	width, rise := c.at[i+1]-c.at[i], c.cdf[i+1]-c.cdf[i]
	s := (t - c.at[i]) / width
	first, last := float64(c.slope[i]*width), float64(c.slope[i+1]*width)
	bend := float64(s * (float64(3*rise) - float64(2*first) - last + float64(s*(first+last-float64(2*rise)))))
	return min(max(c.cdf[i]+float64(s*(first+bend)), c.cdf[i]), c.cdf[i+1])
}

// betaQuadrature computes who is the best of beta distributions. It remembers the last
// question, since without features and charges all decisions between two versions of a
// model ask the same.
type betaQuadrature struct {
	asked  []belief
	answer []float64

	curves        []curve
	cursors       []int
	nodes         []float64
	low, high     []float64 // distribution functions at the ends of a piece
	middle, above []float64 // means of the ends, and products over those behind
}

// best writes the probability of each to have the largest draw. The distribution functions
// are multiplied on the nodes of all of them together, and the error of a probability is
// below 2e-4; the propensities are exact all the same, as the draw is from
// the result. It needs only operations that give the same bits everywhere.
func (q *betaQuadrature) best(beliefs []belief, out []float64) {
	if slices.Equal(q.asked, beliefs) {
		copy(out, q.answer)
		return
	}
	q.compute(beliefs, out)
	q.asked = append(q.asked[:0], beliefs...)
	q.answer = append(q.answer[:0], out...)
}

func (q *betaQuadrature) compute(beliefs []belief, out []float64) {
	k := len(beliefs)
	if k == 1 {
		out[0] = 1
		return
	}
	q.curves = slices.Grow(q.curves[:0], k)[:k]
	q.cursors = slices.Grow(q.cursors[:0], k)[:k]
	for _, s := range []*[]float64{&q.low, &q.high, &q.middle, &q.above} {
		*s = slices.Grow((*s)[:0], k+1)[:k+1]
	}
	q.nodes = q.nodes[:0]
	from := math.Inf(-1)
	for i, b := range beliefs {
		b.tabulate(&q.curves[i])
		from = max(from, q.curves[i].at[0]) // below it one is certain to be larger
	}
	for i := range q.curves {
		for _, t := range q.curves[i].at {
			if t > from {
				q.nodes = append(q.nodes, t)
			}
		}
	}
	slices.Sort(q.nodes)
	q.nodes = slices.Compact(q.nodes)
	clear(q.cursors)
	clear(out)
	for i := range k {
		q.low[i] = q.curves[i].value(from, &q.cursors[i])
	}
	for _, t := range q.nodes {
		q.above[k] = 1
		for i := k - 1; i >= 0; i-- {
			q.high[i] = q.curves[i].value(t, &q.cursors[i])
			q.middle[i] = float64((q.low[i] + q.high[i]) * 0.5)
			q.above[i] = float64(q.above[i+1] * q.middle[i])
		}
		before := 1.0
		for i := range k {
			out[i] += float64(float64((q.high[i]-q.low[i])*before) * q.above[i+1])
			before = float64(before * q.middle[i])
		}
		q.low, q.high = q.high, q.low
	}
	sum := 0.0
	for _, p := range out {
		sum += p
	}
	if !(sum > 0) {
		uniform(out)
		return
	}
	for i := range out {
		out[i] /= sum
	}
}

// tabulate computes the distribution function on the scale of log-odds, on which the
// density has one top and falls evenly. Its integral is by the trapezoidal rule with the
// first correction of Euler and Maclaurin.
func (b belief) tabulate(c *curve) {
	top := minusLog(b.b) - minusLog(b.a)
	height, _, _ := b.density(top)
	end := func(direction float64) float64 {
		// How wide a normal distribution of the same curvature would be.
		step := math.Sqrt((b.a+b.b)/b.a/b.b) * 4 * direction
		near, far := top, top+step
		for range 60 {
			if at, _, _ := b.density(far); height-at >= betaDepth {
				break
			}
			near, far, step = far, far+step, step*1.5
		}
		for range 20 {
			middle := near + float64((far-near)/2)
			if at, _, _ := b.density(middle); height-at >= betaDepth {
				far = middle
			} else {
				near = middle
			}
		}
		return far
	}
	// Both sides have half of the pieces: where rewards are rare, one falls off much slower.
	from, to := end(-1), end(1)
	sum, f, slope, last := 0.0, 0.0, 0.0, from
	for i := range betaCells + 1 {
		u := from + float64((top-from)*float64(float64(i)/(betaCells/2)))
		if i > betaCells/2 {
			u = top + float64((to-top)*float64(float64(i-betaCells/2)/(betaCells/2)))
		}
		log, x, steepness := b.density(u)
		next := expMinus(max(height-log, 0))
		nextSlope := float64(next * steepness)
		if i > 0 {
			cell := u - last
			sum += max(float64((f+next)*cell)/2-float64(float64(cell*cell)*(nextSlope-slope))/12, 0)
		}
		f, slope, last = next, nextSlope, u
		c.at[i], c.cdf[i], c.slope[i] = x-b.charge, sum, next/float64(x*(1-x))
	}
	for i := range c.cdf {
		c.cdf[i] /= sum
		c.slope[i] /= sum
		if !finite(c.slope[i]) {
			c.slope[i] = 0 // a share that is 0 or 1 to the last bit
		}
	}
}

// density is ln of the density at log-odds u but for a constant, the share x of that
// log-odds, and the derivative of the logarithm.
func (b belief) density(u float64) (log, x, steepness float64) {
	e := expMinus(math.Abs(u))
	lesser := e / (1 + e)
	nearer := -minusLog(1 / (1 + e)) // ln of the share that is above a half
	further := nearer - math.Abs(u)
	if u >= 0 {
		x = 1 / (1 + e)
		log = float64(b.a*nearer) + float64(b.b*further)
	} else {
		x = lesser
		log = float64(b.a*further) + float64(b.b*nearer)
	}
	return log, x, b.a - float64((b.a+b.b)*x)
}
