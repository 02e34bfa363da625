package bandits

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNoCandidates is returned where there is no action to choose from.
var ErrNoCandidates = errors.New("no eligible action to choose from")

// ErrNotEligible is returned by [Fixed] where its action is not a candidate.
var ErrNotEligible = errors.New("the fixed action is not eligible")

// Candidates are the actions that may be chosen, with their features. Policies that
// do not learn ignore the features.
type Candidates struct {
	Actions []string
	// Features of the person and the moment, which all actions share.
	Features Vector
	// Own are the features of each action instead, where they differ; nil else.
	Own []Vector
	// Charges are taken off the expected reward of each action, as costs that the reward
	// does not have; nil for none.
	Charges []float64
}

// Distribution is what a policy makes of its candidates, in their order. Its
// slices belong to the Workspace and hold until that is used again.
type Distribution struct {
	// P is the policy's own distribution, Q is P with the exploration floor:
	// what is drawn from, and so the propensities.
	P, Q []float64
	// Mean and SD are the posterior's mean and standard deviation of the expected
	// reward less its charge (not scaled by Alpha); empty for policies without a model.
	Mean, SD []float64
	// Floor is the least that every element of Q holds, times the number of
	// candidates.
	Floor float64
	// Degenerate says that the scores were not finite, so that P is uniform. It
	// calls for an alarm.
	Degenerate bool
	// Cold counts candidates without data of their own, scored by the prior.
	Cold int
}

// Draw returns the index of the candidate that u in [0, 1) draws, and its
// propensity.
func (d Distribution) Draw(u float64) (index int, propensity float64) {
	k := Draw(d.Q, u)
	if k < 0 {
		return k, 0
	}
	return k, d.Q[k]
}

// Policy turns candidates into a distribution. Implementations are immutable and
// safe for concurrent use; what they scribble on is the caller's Workspace.
type Policy interface {
	// Distribution returns the full distribution over the candidates. It returns
	// ErrNoCandidates if there is none. A policy never draws: the caller does,
	// from Q.
	Distribution(candidates Candidates, w *Workspace) (Distribution, error)
}

// Workspace is scratch memory for policies, for one goroutine at a time; keep it
// in a sync.Pool. The zero value is ready.
type Workspace struct {
	quadrature        *Quadrature
	p, q, mean, sd, s []float64

	// Where the actions of the last decision stand. The next one nearly always has
	// the same, and comparing them is quicker than looking them up.
	register *register
	actions  []string
	lanes    []int32
	cold     int

	scored             []bool // octets whose scores are there
	octetMean, octetSD []lanes

	base   []float64 // what candidates have beforehand, of minima and floor
	groups []group

	beliefs []belief
	betas   betaQuadrature
}

// find says in which lanes of a model the actions stand and how many have none of
// their own.
func (w *Workspace) find(m *Model, actions []string) (lanes []int32, cold int) {
	if w.register == m.register && slices.Equal(w.actions, actions) {
		return w.lanes, w.cold
	}
	w.register, w.cold = m.register, 0
	w.actions = append(w.actions[:0], actions...)
	w.lanes = w.lanes[:0]
	for _, action := range actions {
		lane, known := m.register.lane[action]
		if !known {
			lane = m.register.prior
			w.cold++
		}
		w.lanes = append(w.lanes, lane)
	}
	return w.lanes, w.cold
}

// score writes the posterior's mean and deviation of each candidate, in the lanes
// that find gave.
func (w *Workspace) score(m *Model, at []int32, x Vector) {
	n := len(m.octets)
	w.scored = slices.Grow(w.scored[:0], n)[:n]
	w.octetMean, w.octetSD = slices.Grow(w.octetMean[:0], n)[:n], slices.Grow(w.octetSD[:0], n)[:n]
	clear(w.scored)
	for i, lane := range at {
		b, l := lane/laneCount, lane%laneCount
		if !w.scored[b] {
			w.scored[b] = true
			m.octets[b].score(x, &w.octetMean[b], &w.octetSD[b])
		}
		w.mean[i], w.sd[i] = w.octetMean[b][l], w.octetSD[b][l]
	}
}

func (w *Workspace) resize(k int) {
	if w.quadrature == nil {
		w.quadrature = NewQuadrature(k)
	}
	for _, s := range []*[]float64{&w.p, &w.q, &w.mean, &w.sd, &w.s} {
		*s = slices.Grow((*s)[:0], k)[:k]
	}
}

// Thompson is Gaussian Thompson sampling on a linear posterior: an action is
// chosen with the probability that its draw from N(m, (αs)²) is the largest.
type Thompson struct {
	// Model scores the candidates; required.
	Model *Model
	// Alpha scales the posterior's standard deviation; below 1 explores less than
	// Thompson's rule, which at low response rates explores too much.
	Alpha float64
	// Floor is the share of uniform exploration.
	Floor float64
}

// DefaultAlpha scales the posterior's deviation where nothing else is said
// (Chapelle and Li, An Empirical Evaluation of Thompson Sampling, 2011).
const DefaultAlpha = 0.5

// Distribution implements [Policy].
func (t Thompson) Distribution(candidates Candidates, w *Workspace) (Distribution, error) {
	k := len(candidates.Actions)
	if k == 0 {
		return Distribution{}, ErrNoCandidates
	}
	if t.Model == nil {
		return Distribution{}, errors.New("thompson sampling: no model")
	}
	if !(t.Alpha > 0) || !finite(t.Alpha) {
		return Distribution{}, fmt.Errorf("thompson sampling: alpha must be a positive number, not %g", t.Alpha)
	}
	d, err := w.scoreAll(t.Model, candidates, t.Floor)
	if err != nil {
		return Distribution{}, err
	}
	for i, sd := range w.sd {
		w.s[i] = float64(t.Alpha * sd)
	}
	d.Degenerate = !w.quadrature.Best(w.mean, w.s, w.p)
	if err := Floor(d.P, t.Floor, d.Q); err != nil {
		return Distribution{}, fmt.Errorf("thompson sampling: %w", err)
	}
	return d, nil
}

// scoreAll writes the mean and the deviation of every candidate into the workspace and
// makes a distribution of them that has no probabilities yet.
func (w *Workspace) scoreAll(m *Model, candidates Candidates, floor float64) (Distribution, error) {
	k := len(candidates.Actions)
	w.resize(k)
	d := Distribution{P: w.p, Q: w.q, Mean: w.mean, SD: w.sd, Floor: floor}
	at, cold := w.find(m, candidates.Actions)
	d.Cold = cold
	if candidates.Own == nil {
		if err := candidates.Features.Validate(m.Dimension); err != nil {
			return Distribution{}, fmt.Errorf("scoring: %w", err)
		}
		w.score(m, at, candidates.Features)
	} else if len(candidates.Own) != k {
		return Distribution{}, fmt.Errorf("scoring: features of %d actions for %d", len(candidates.Own), k)
	}
	for i, x := range candidates.Own {
		action := candidates.Actions[i]
		if err := x.Validate(m.Dimension); err != nil {
			return Distribution{}, fmt.Errorf("scoring action %q: %w", action, err)
		}
		w.mean[i], w.sd[i] = m.Score(action, x)
	}
	if n := len(candidates.Charges); n > 0 && n != k {
		return Distribution{}, fmt.Errorf("scoring: charges of %d actions for %d", n, k)
	}
	for i, charge := range candidates.Charges {
		w.mean[i] -= charge
	}
	return d, nil
}

// Uniformly chooses every candidate with the same probability.
type Uniformly struct{}

// Distribution implements [Policy].
func (Uniformly) Distribution(candidates Candidates, w *Workspace) (Distribution, error) {
	if len(candidates.Actions) == 0 {
		return Distribution{}, ErrNoCandidates
	}
	w.resize(len(candidates.Actions))
	uniform(w.p)
	copy(w.q, w.p)
	return Distribution{P: w.p, Q: w.q, Floor: 1}, nil
}

// Fixed always chooses one action, but for the floor. With a floor of 0 its log
// shows nothing about the other actions.
type Fixed struct {
	Action string
	Floor  float64
}

// Distribution implements [Policy]. It returns ErrNotEligible if the action is
// not a candidate.
func (f Fixed) Distribution(candidates Candidates, w *Workspace) (Distribution, error) {
	if len(candidates.Actions) == 0 {
		return Distribution{}, ErrNoCandidates
	}
	w.resize(len(candidates.Actions))
	clear(w.p)
	chosen := slices.Index(candidates.Actions, f.Action)
	if chosen < 0 {
		return Distribution{}, fmt.Errorf("fixed policy: action %q: %w", f.Action, ErrNotEligible)
	}
	w.p[chosen] = 1
	if err := Floor(w.p, f.Floor, w.q); err != nil {
		return Distribution{}, fmt.Errorf("fixed policy: %w", err)
	}
	return Distribution{P: w.p, Q: w.q, Floor: f.Floor}, nil
}
