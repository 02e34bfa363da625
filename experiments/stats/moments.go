package stats

import "math"

// Moments gathers mean and spread of values one at a time (Welford) or in
// pieces (Chan, Golub and LeVeque 1983). It never forms a sum of raw squares,
// so it stays exact where values are large beside their spread. The zero value
// is empty and ready to use.
type Moments struct {
	n       int64
	mean    float64
	centred float64 // Σ(y−mean)²
}

// Add takes in one value. NaN and infinities are kept and make the estimate a
// NotFinite problem.
func (m *Moments) Add(y float64) {
	m.n++
	delta := y - m.mean
	m.mean += delta / float64(m.n)
	m.centred += delta * (y - m.mean)
}

// Merge takes in all values of other, as if they had been added here.
func (m *Moments) Merge(other Moments) {
	if other.n == 0 {
		return
	}
	if m.n == 0 {
		*m = other
		return
	}
	n := m.n + other.n
	delta := other.mean - m.mean
	share := float64(other.n) / float64(n)
	m.centred += other.centred + delta*delta*float64(m.n)*share
	m.mean += delta * share
	m.n = n
}

// N is the number of values taken in.
func (m *Moments) N() int64 { return m.n }

// Estimate gives mean and sample variance (divisor n−1).
func (m *Moments) Estimate() (Estimate, error) {
	if m.n < 1 {
		return Estimate{}, problem(TooFewUnits, "", "the arm has no unit")
	}
	e := Estimate{N: m.n, Mean: m.mean, Variance: math.NaN()}
	if !finite(m.mean, m.centred) {
		return Estimate{}, problem(NotFinite, "", "a value is NaN, infinite or too large for a variance")
	}
	if m.n > 1 {
		e.Variance = m.centred / float64(m.n-1)
	}
	return e, nil
}
