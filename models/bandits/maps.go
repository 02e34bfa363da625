package bandits

import (
	"errors"
	"fmt"
	"math"
)

// SquareCB turns the means of a model into probabilities that fall with the inverse of
// the gap to the best (Foster and Rakhlin, Beyond UCB: Optimal and Efficient Contextual
// Bandits with Regression Oracles, 2020): with K candidates and best mean m*,
//
//	p_b = 1/(K + γ (m* - m_b)/σ) for all but the best, which has the rest.
//
// σ is the deviation of a reward over all actions, so that γ has no unit.
type SquareCB struct {
	// Model scores the candidates; required.
	Model *Model
	// Gamma is how fast the probability of an action falls with its gap; it should grow
	// with the square root of the decisions learned from.
	Gamma float64
	// Floor is the share of uniform exploration.
	Floor float64
}

// DefaultGamma is what [SquareCB.Gamma] grows by with the square root of the decisions
// learned from, where nothing else is said.
const DefaultGamma = 6

// Distribution implements [Policy].
func (s SquareCB) Distribution(candidates Candidates, w *Workspace) (Distribution, error) {
	if len(candidates.Actions) == 0 {
		return Distribution{}, ErrNoCandidates
	}
	if s.Model == nil {
		return Distribution{}, errors.New("squarecb: no model")
	}
	if !(s.Gamma >= 0) || !finite(s.Gamma) {
		return Distribution{}, fmt.Errorf("squarecb: gamma must be a number of at least 0, not %g", s.Gamma)
	}
	d, err := w.scoreAll(s.Model, candidates, s.Floor)
	if err != nil {
		return Distribution{}, err
	}
	best, ok := argmax(w.mean)
	if !ok {
		d.Degenerate = true
		uniform(w.p)
	} else {
		deviation := math.Sqrt(s.Model.Prior.Noise)
		if !(deviation > 0) {
			deviation = 1
		}
		k, rest := float64(len(w.p)), 1.0
		for i, m := range w.mean {
			if i == best {
				continue
			}
			gap := (w.mean[best] - m) / deviation
			w.p[i] = 1 / (k + float64(s.Gamma*gap))
			rest -= w.p[i]
		}
		w.p[best] = rest
	}
	if err := Floor(d.P, s.Floor, d.Q); err != nil {
		return Distribution{}, fmt.Errorf("squarecb: %w", err)
	}
	return d, nil
}

// Greedy chooses the candidate with the largest mean, but for the floor: with a floor of
// ε it is ε-greedy. Candidates with the same mean share.
type Greedy struct {
	// Model scores the candidates; required.
	Model *Model
	// Floor is the share of uniform exploration.
	Floor float64
}

// Distribution implements [Policy].
func (g Greedy) Distribution(candidates Candidates, w *Workspace) (Distribution, error) {
	if len(candidates.Actions) == 0 {
		return Distribution{}, ErrNoCandidates
	}
	if g.Model == nil {
		return Distribution{}, errors.New("greedy: no model")
	}
	d, err := w.scoreAll(g.Model, candidates, g.Floor)
	if err != nil {
		return Distribution{}, err
	}
	best, ok := argmax(w.mean)
	if !ok {
		d.Degenerate = true
		uniform(w.p)
	} else {
		same := 0.0
		for _, m := range w.mean {
			if m == w.mean[best] {
				same++
			}
		}
		for i, m := range w.mean {
			w.p[i] = 0
			if m == w.mean[best] {
				w.p[i] = 1 / same
			}
		}
	}
	if err := Floor(d.P, g.Floor, d.Q); err != nil {
		return Distribution{}, fmt.Errorf("greedy: %w", err)
	}
	return d, nil
}

// argmax is the first of the largest; ok is false where one is not finite.
func argmax(xs []float64) (best int, ok bool) {
	for i, x := range xs {
		if !finite(x) {
			return 0, false
		}
		if x > xs[best] {
			best = i
		}
	}
	return best, true
}
