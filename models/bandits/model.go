package bandits

import (
	"fmt"
	"math"
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

	names []string // ascending
	arms  map[string]*Arm
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

// Arm returns the posterior of an action; known is false for an action without
// data, whose arm is the prior.
func (m *Model) Arm(action string) (arm *Arm, known bool) {
	if arm, known = m.arms[action]; known {
		return arm, true
	}
	return &m.Prior, false
}

// Score is the mean and the standard deviation of the expected reward for
// features x: φᵀμ and σ√(φᵀΛ⁻¹φ). Its cost is s²/2 for s active features,
// whatever the dimension. x must be valid for the arm's dimension.
func (a *Arm) Score(x Vector) (mean, sd float64) {
	var quad float64
	for i, ix := range x.Indices {
		v := x.Values[i]
		mean += float64(v * a.Mean[ix])
		start := PackedLen(int(ix))
		row := a.Covariance[start : start+int(ix)+1]
		var dot float64
		if int(ix) == i {
			// Indices ascend, so all before are 0..i-1: the row is contiguous.
			dot = dense(row[:i], x.Values[:i])
		} else {
			dot = gathered(row, x.Indices[:i], x.Values[:i])
		}
		quad += float64(v * (2*dot + float64(v*row[ix])))
	}
	// Rounding may leave a tiny negative number where the variance is zero.
	return mean, math.Sqrt(float64(a.Noise * max(quad, 0)))
}

// dense is the inner product of two slices of one length. Four sums run side by
// side, as one would wait for the latency of each addition.
func dense(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	n := len(a) &^ 3
	for j := 0; j < n; j += 4 {
		s0 += float64(a[j] * b[j])
		s1 += float64(a[j+1] * b[j+1])
		s2 += float64(a[j+2] * b[j+2])
		s3 += float64(a[j+3] * b[j+3])
	}
	for j := n; j < len(a); j++ {
		s0 += float64(a[j] * b[j])
	}
	return (s0 + s1) + (s2 + s3)
}

// gathered is the inner product of row at the given indices with values, with
// the same order of additions as dense.
func gathered(row []float64, indices []uint32, values []float64) float64 {
	var s0, s1, s2, s3 float64
	values = values[:len(indices)]
	n := len(indices) &^ 3
	for j := 0; j < n; j += 4 {
		s0 += float64(row[indices[j]] * values[j])
		s1 += float64(row[indices[j+1]] * values[j+1])
		s2 += float64(row[indices[j+2]] * values[j+2])
		s3 += float64(row[indices[j+3]] * values[j+3])
	}
	for j := n; j < len(indices); j++ {
		s0 += float64(row[indices[j]] * values[j])
	}
	return (s0 + s1) + (s2 + s3)
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

// newModel checks the parts and sorts the actions.
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
	return &Model{Fingerprint: fingerprint, Dimension: dimension, AsOf: asOf, Prior: prior, names: names, arms: arms}, nil
}
