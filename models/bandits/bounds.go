package bandits

import (
	"fmt"
	"slices"
)

// Exposure bounds the probability of a group of actions together, in a decision.
type Exposure struct {
	// Least and Most are from 0 to 1, Least not above Most.
	Least, Most float64
}

// Bounds say what candidates get whatever a policy makes of them: a minimum of
// exploration for single ones, and exposure between bounds for groups.
type Bounds struct {
	// Minimum is what each candidate gets at least; nil for none. Where they come to
	// more than what the floor leaves, they are lowered in proportion.
	Minimum []float64
	// Group is, for each candidate, the place of its group in Exposures, or -1. A
	// candidate is in one group at most.
	Group     []int
	Exposures []Exposure
}

// weightless is what a group counts for whose candidates have no probability at all:
// so much less than any other that it grows only where nothing else can.
const weightless = 1e-9

// Bound changes P of a distribution as little as the bounds allow, and makes Q of it: of
// all distributions within the bounds it takes the nearest in the Kullback-Leibler sense,
// in which the candidates of a group keep their proportions. Propensities stay exact, as
// the draw is from Q.
//
// The floor and the minima come first, since a log without them cannot be evaluated.
// Bounds that cannot hold together, because the other candidates are not eligible now, are
// lowered or raised in proportion until they do. Within its bounds P keeps its bits.
//
// The operations are those that give the same bits everywhere, see the package comment.
func (w *Workspace) Bound(d *Distribution, b Bounds) error {
	k := len(d.P)
	if k == 0 {
		return ErrNoCandidates
	}
	if b.Minimum != nil && len(b.Minimum) != k || len(b.Group) != k && len(b.Exposures) > 0 {
		return fmt.Errorf("bounding exposure: bounds of %d and %d candidates for %d", len(b.Minimum), len(b.Group), k)
	}
	w.base = append(w.base[:0], b.Minimum...)
	base, err := w.reserve(k, d.Floor)
	if err != nil {
		return err
	}
	if len(b.Exposures) > 0 && base < 1 {
		if err := w.project(d.P, b, base); err != nil {
			return err
		}
	}
	for i, p := range d.P {
		d.Q[i] = w.base[i] + float64((1-base)*p)
	}
	return CheckDistribution(d.Q, float64(d.Floor/float64(k))*(1-1e-12))
}

// reserve makes w.base what each candidate has beforehand, of its minimum and the floor,
// and returns their sum.
func (w *Workspace) reserve(k int, floor float64) (sum float64, err error) {
	if len(w.base) == 0 {
		w.base = slices.Grow(w.base, k)[:k]
		clear(w.base)
	}
	for i, m := range w.base {
		if !(m >= 0 && m <= 1) {
			return 0, fmt.Errorf("bounding exposure: the minimum of candidate %d must be from 0 to 1, not %g", i, m)
		}
		sum += m
	}
	if sum > 1-floor {
		for i, m := range w.base {
			w.base[i] = float64(m*(1-floor)) / sum
		}
		sum = 1 - floor
	}
	share := floor / float64(k)
	for i := range w.base {
		w.base[i] += share
	}
	return min(sum+floor, 1), nil
}

// group is one group of candidates, while its exposure is being found.
type group struct {
	least, most float64 // bounds of its part of P
	p           float64 // its part of P as the policy has it
	count       int
	to          float64 // its part of P within the bounds
}

// project moves P into the bounds.
func (w *Workspace) project(p []float64, b Bounds, base float64) error {
	n := len(b.Exposures)
	w.groups = slices.Grow(w.groups[:0], n+1)[:n+1]
	clear(w.groups)
	for i, x := range p {
		g := b.Group[i]
		if g < -1 || g >= n {
			return fmt.Errorf("bounding exposure: candidate %d is in group %d of %d", i, g, n)
		}
		if g < 0 {
			g = n // what is in none
		}
		at := &w.groups[g]
		at.p += x
		at.count++
		at.to += w.base[i] // for now what it has beforehand
	}
	within := true
	for g := range w.groups {
		at := &w.groups[g]
		before := at.to
		at.most = 1
		if g < n {
			e := b.Exposures[g]
			if !(e.Least >= 0 && e.Least <= e.Most && e.Most <= 1) {
				return fmt.Errorf("bounding exposure: bounds %d must be from 0 to 1 in order, not %g and %g", g, e.Least, e.Most)
			}
			at.least = min(max((e.Least-before)/(1-base), 0), 1)
			at.most = min(max((e.Most-before)/(1-base), 0), 1)
		}
		if at.count == 0 {
			at.least, at.most = 0, 0
			continue
		}
		// A little room, so that what is within its bounds but for rounding stays.
		within = within && at.p >= at.least-1e-15 && at.p <= at.most+1e-15
	}
	if within {
		return nil
	}
	w.settle()
	for i := range p {
		g := b.Group[i]
		if g < 0 {
			g = n
		}
		at := &w.groups[g]
		if at.p > 0 {
			p[i] = float64(p[i]*at.to) / at.p
		} else {
			p[i] = at.to / float64(at.count)
		}
	}
	return nil
}

// settle finds the parts: all groups times one factor, but for those that a bound holds.
func (w *Workspace) settle() {
	var least, most float64
	for i := range w.groups {
		least += w.groups[i].least
		most += w.groups[i].most
	}
	if least >= 1 || most <= 1 {
		for i := range w.groups {
			at := &w.groups[i]
			if least >= 1 {
				at.to = at.least / least
			} else {
				at.to = at.most / most
			}
		}
		return
	}
	part := func(at *group, factor float64) (to float64, held bool) {
		to = float64(at.weight() * factor)
		switch {
		case to <= at.least:
			return at.least, true
		case to >= at.most:
			return at.most, true
		}
		return to, false
	}
	lo, hi := 0.0, 2/weightless
	for range 120 {
		middle := lo + float64((hi-lo)/2)
		sum := 0.0
		for i := range w.groups {
			to, _ := part(&w.groups[i], middle)
			sum += to
		}
		if sum < 1 {
			lo = middle
		} else {
			hi = middle
		}
	}
	// Which are held is known now; the others share the rest exactly.
	held, free := 0.0, 0.0
	for i := range w.groups {
		if to, is := part(&w.groups[i], hi); is {
			held += to
		} else {
			free += w.groups[i].weight()
		}
	}
	for i := range w.groups {
		at := &w.groups[i]
		to, is := part(at, hi)
		if !is {
			to = float64(at.weight()*(1-held)) / free
		}
		at.to = to
	}
}

// weight is what the group counts for when parts are shared out.
func (g *group) weight() float64 {
	if g.count > 0 && g.p < weightless {
		return weightless
	}
	return g.p
}
