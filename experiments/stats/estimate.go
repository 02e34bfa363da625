package stats

import "math"

// Estimate is what one arm says about a metric: the point estimate of a unit's
// value and the variance s² of one unit's contribution to it, so that the
// squared standard error is Variance/N.
//
// Variance is NaN when N is 1: the mean is known, its error is not.
type Estimate struct {
	N        int64   // units
	Mean     float64 // in the metric's unit; for a ratio the ratio itself
	Variance float64 // in the metric's unit squared
}

// StandardError is √(Variance/N); NaN when N is below two.
func (e Estimate) StandardError() float64 {
	if e.N < 2 {
		return math.NaN()
	}
	return math.Sqrt(e.Variance / float64(e.N))
}

// Sample is a set of sums over the units of one arm that can be turned into an
// estimate.
type Sample interface {
	// Estimate gives the arm's estimate or a *Problem.
	Estimate() (Estimate, error)
}

// Mean holds the sums of a metric that has one value per unit. Units without
// an outcome count with value zero.
//
// With Shift set, Sum and SumSquares are over y−Shift instead of y. Any Shift
// near the mean keeps the variance exact where the values are large beside
// their spread (timestamps, account balances); zero is right for counts and
// money spent.
type Mean struct {
	N          int64   // units
	Sum        float64 // Σ(y−Shift)
	SumSquares float64 // Σ(y−Shift)²
	Shift      float64
}

// Plus adds the units of other; sums about another Shift are moved to that of m.
func (m Mean) Plus(other Mean) Mean {
	n, d := float64(other.N), other.Shift-m.Shift
	return Mean{
		N:          m.N + other.N,
		Sum:        m.Sum + other.Sum + n*d,
		SumSquares: m.SumSquares + other.SumSquares + d*(2*other.Sum+n*d),
		Shift:      m.Shift,
	}
}

// Estimate gives mean and sample variance (divisor n−1).
func (m Mean) Estimate() (Estimate, error) {
	if m.N < 1 {
		return Estimate{}, problem(TooFewUnits, "", "the arm has no unit")
	}
	if !finite(m.Sum, m.SumSquares, m.Shift) {
		return Estimate{}, problem(NotFinite, "", "a sum is NaN or infinite")
	}
	e := Estimate{N: m.N, Mean: m.Shift + m.Sum/float64(m.N), Variance: math.NaN()}
	if m.N == 1 {
		return e, nil
	}
	centred, err := resolved(centredProduct(m.N, m.Sum, m.Sum, m.SumSquares), m.SumSquares, "")
	if err != nil {
		return Estimate{}, err
	}
	e.Variance = centred / float64(m.N-1)
	if !finite(e.Mean, e.Variance) {
		return Estimate{}, problem(NotFinite, "", "the values are too large for a variance")
	}
	return e, nil
}

// Proportion holds the count of units for which something happened.
type Proportion struct {
	N         int64 // units
	Successes int64 // units with the outcome, 0..N
}

// Plus adds the units of other.
func (p Proportion) Plus(other Proportion) Proportion {
	return Proportion{N: p.N + other.N, Successes: p.Successes + other.Successes}
}

// Mean gives the same units as values 0 and 1.
func (p Proportion) Mean() Mean {
	return Mean{N: p.N, Sum: float64(p.Successes), SumSquares: float64(p.Successes)}
}

// Estimate gives p and p(1−p): the variance of a proportion is known once p is,
// so there is no n−1.
func (p Proportion) Estimate() (Estimate, error) {
	return bernoulli{p.N, float64(p.Successes)}.Estimate()
}

// bernoulli is a Proportion whose count comes as a floating-point sum.
type bernoulli struct {
	n         int64
	successes float64
}

func (b bernoulli) Estimate() (Estimate, error) {
	switch {
	case b.n < 1:
		return Estimate{}, problem(TooFewUnits, "", "the arm has no unit")
	case !finite(b.successes):
		return Estimate{}, problem(NotFinite, "", "a sum is NaN or infinite")
	case b.successes < 0 || b.successes > float64(b.n):
		return Estimate{}, problem(ImpossibleSums, "", "%g units of %d have the outcome", b.successes, b.n)
	}
	n := float64(b.n)
	rate := b.successes / n
	e := Estimate{N: b.n, Mean: rate, Variance: rate * (n - b.successes) / n}
	if b.n == 1 {
		e.Variance = math.NaN()
	}
	return e, nil
}

// centredProduct is Σxy − ΣxΣy/n. The subtraction is done on n·Σxy and Σx·Σy
// with the rounding error of both products kept (Dekker), because the two are
// nearly equal whenever the spread is small beside the mean.
func centredProduct(n int64, sumX, sumY, sumXY float64) float64 {
	count := float64(n)
	a := count * sumXY
	b := sumX * sumY
	errA := math.FMA(count, sumXY, -a)
	errB := math.FMA(sumX, sumY, -b)
	return ((a - b) + (errA - errB)) / count
}

// Bounds on a centred sum of squares as a share of the raw one. Adding up a
// thousand to a hundred million rows leaves a relative error of about 1e-13 to
// 1e-12: below the second bound there may be no variance at all, below the
// first it could be off by more than a thousandth.
const (
	resolvable = 1e-9
	rounding   = 1e-12
)

// resolved returns a centred sum of squares after checking that real values can
// have it and that it is not made of rounding errors. What is indistinguishable
// from zero comes back as zero: it is the caller who knows whether that matters.
func resolved(centred, raw float64, subject string) (float64, error) {
	switch {
	case raw < 0 || centred < -resolvable*raw:
		return 0, problem(ImpossibleSums, subject, "no values have these sums: the sum of squares is below (sum)²/n")
	case math.Abs(centred) <= rounding*raw:
		return 0, nil
	case centred < resolvable*raw:
		return 0, problem(PrecisionLost, subject, "the values vary by less than their sums can show; take sums about a shift near the mean")
	}
	return centred, nil
}
