package bandits

import (
	"fmt"
	"slices"
)

// Model holds, for every action, the distribution of the coefficients of a
// linear reward model given the log. It is immutable once built and safe for
// concurrent use.
type Model struct {
	// Fingerprint of the encoder whose vectors it scores; empty if unknown.
	Fingerprint string
	// Dimension of those vectors.
	Dimension int
	// AsOf is the day from which ages were counted.
	AsOf Day
	// Prior is what all actions together taught: the belief about an action that
	// has no data of its own.
	Prior Arm

	names    []string // ascending
	register *register
	octets   []octet // of the actions in the order of names, and the prior after them
}

// Arm is the posterior of one action: coefficients are Gaussian with mean Mean
// and covariance Noise·Covariance.
type Arm struct {
	Mean       []float64 // μ, length d
	Covariance []float64 // Λ⁻¹, packed lower triangle, length d(d+1)/2
	Noise      float64   // σ², the variance of a reward about its mean
	Decisions  float64   // weighted number of decisions that it rests on
}

// Actions lists the actions with data of their own, in ascending order. The
// caller must not change it.
func (m *Model) Actions() []string { return m.names }

// Arm returns a copy of the posterior of an action; known is false for an action
// without data, whose arm is the prior.
func (m *Model) Arm(action string) (arm *Arm, known bool) {
	lane, known := m.register.lane[action]
	if !known {
		return &m.Prior, false
	}
	arm = m.newArm()
	m.octets[lane/laneCount].get(int(lane%laneCount), arm)
	return arm, true
}

func (m *Model) newArm() *Arm {
	return &Arm{Mean: make([]float64, m.Dimension), Covariance: make([]float64, PackedLen(m.Dimension))}
}

// Score is the mean and the standard deviation of an action's expected reward for
// features x: φᵀμ and σ√(φᵀΛ⁻¹φ). Its cost is s²/2 for s active features, whatever
// the dimension. x must be valid for the model's dimension.
func (m *Model) Score(action string, x Vector) (mean, sd float64) {
	var means, sds lanes
	lane, known := m.register.lane[action]
	if !known {
		lane = m.register.prior
	}
	m.octets[lane/laneCount].score(x, &means, &sds)
	return means[lane%laneCount], sds[lane%laneCount]
}

// Score is [Model.Score] for one arm, to the same bits.
func (a *Arm) Score(x Vector) (mean, sd float64) {
	var pairs, squares float64
	for i, ix := range x.Indices {
		v := x.Values[i]
		row := a.Covariance[PackedLen(int(ix)):]
		for j, jx := range x.Indices[:i] {
			pairs += float64(float64(v*x.Values[j]) * row[jx])
		}
		squares += float64(float64(v*v) * row[ix])
		mean += float64(v * a.Mean[ix])
	}
	return mean, deviation(a.Noise, squares+float64(2*pairs))
}

func (a *Arm) validate(dimension int) error {
	switch {
	case len(a.Mean) != dimension:
		return fmt.Errorf("mean has %d numbers, must have %d", len(a.Mean), dimension)
	case len(a.Covariance) != PackedLen(dimension):
		return fmt.Errorf("covariance has %d numbers, must have %d", len(a.Covariance), PackedLen(dimension))
	case !finite(a.Noise) || a.Noise < 0:
		return fmt.Errorf("noise must be finite and not negative")
	case !finite(a.Decisions) || a.Decisions < 0:
		return fmt.Errorf("decisions must be finite and not negative")
	}
	for i, x := range a.Mean {
		if !finite(x) {
			return fmt.Errorf("mean[%d] must be finite", i)
		}
	}
	for i, x := range a.Covariance {
		if !finite(x) {
			return fmt.Errorf("covariance[%d] must be finite", i)
		}
	}
	return nil
}

// newModel checks the parts, sorts the actions and lays them out in lanes.
func newModel(fingerprint string, dimension int, asOf Day, prior Arm, arms map[string]*Arm) (*Model, error) {
	if err := prior.validate(dimension); err != nil {
		return nil, fmt.Errorf("prior: %w", err)
	}
	names := make([]string, 0, len(arms))
	for name, arm := range arms {
		if err := arm.validate(dimension); err != nil {
			return nil, fmt.Errorf("posterior of action %q: %w", name, err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	m := &Model{Fingerprint: fingerprint, Dimension: dimension, AsOf: asOf, Prior: prior, names: names}
	m.register = &register{lane: make(map[string]int32, len(names)), prior: int32(len(names))}
	for i := range len(names) + 1 {
		if i%laneCount == 0 {
			m.octets = append(m.octets, newOctet(dimension))
		}
		arm := &prior
		if i < len(names) {
			arm = arms[names[i]]
			m.register.lane[names[i]] = int32(i)
		}
		m.octets[i/laneCount].set(i%laneCount, arm)
	}
	return m, nil
}
