package stats

import "math"

// joint holds the sums of several values of the same units: Σv and Σvw for
// every pair. It is what every estimator with more than one value per unit is
// computed from.
type joint struct {
	n        int64
	names    []string
	sums     []float64 // Σv
	products []float64 // Σvw, upper triangle by rows: 00 01 .. 0k 11 ..
	binary   []bool    // the value is 0 or 1, so that its variance is p(1−p); nil: none
}

// triangle is the length of the upper triangle of a k×k matrix, diagonal
// included.
func triangle(k int) int { return k * (k + 1) / 2 }

func (j joint) at(a, b int) float64 {
	if a > b {
		a, b = b, a
	}
	k := len(j.sums)
	return j.products[a*k-a*(a-1)/2+b-a]
}

func (j joint) mean(a int) float64 { return j.sums[a] / float64(j.n) }

// centred is Σ(v−v̄)(w−w̄).
func (j joint) centred(a, b int) float64 {
	return centredProduct(j.n, j.sums[a], j.sums[b], j.at(a, b))
}

// covariance has divisor n where both values are 0 or 1 and n−1 elsewhere.
func (j joint) covariance(a, b int) float64 {
	divisor := float64(j.n - 1)
	if j.binary != nil && j.binary[a] && j.binary[b] {
		divisor = float64(j.n)
	}
	return j.centred(a, b) / divisor
}

// form is the variance of one unit's Σ cᵥ·v. What cannot be told from zero is
// zero; what is made of rounding errors is refused.
func (j joint) form(c []float64) (float64, error) {
	var sum, scale float64
	for a := range c {
		if c[a] == 0 {
			continue
		}
		scale += c[a] * c[a] * j.at(a, a)
		sum += c[a] * c[a] * j.covariance(a, a)
		for b := a + 1; b < len(c); b++ {
			sum += 2 * c[a] * c[b] * j.covariance(a, b)
		}
	}
	v, err := resolved(sum*float64(j.n-1), math.Abs(scale), "")
	return v / float64(j.n-1), err
}

// plus adds the units of other, whose values must be of the same kind.
func (j joint) plus(other joint) joint {
	out := joint{n: j.n + other.n, names: j.names, sums: make([]float64, len(j.sums)), products: make([]float64, len(j.products))}
	for i := range out.sums {
		out.sums[i] = j.sums[i] + other.sums[i]
	}
	for i := range out.products {
		out.products[i] = j.products[i] + other.products[i]
	}
	if j.binary != nil && other.binary != nil {
		out.binary = make([]bool, len(j.binary))
		for i := range out.binary {
			out.binary[i] = j.binary[i] && other.binary[i]
		}
	}
	return out
}

// check refuses sums that are not finite and, unless unchecked, sums that no
// values can have: squares below (Σ)²/n, and correlations above one.
func (j joint) check(unchecked bool) error {
	if j.n < 1 {
		return problem(TooFewUnits, "", "the arm has no unit")
	}
	if !finite(j.sums...) || !finite(j.products...) {
		return problem(NotFinite, "", "a sum is NaN or infinite")
	}
	if unchecked {
		return nil
	}
	for a := range j.sums {
		if _, err := resolved(j.centred(a, a), j.at(a, a), j.names[a]); err != nil && AsProblem(err).Reason == ImpossibleSums {
			return err
		}
	}
	for a := range j.sums {
		for b := a + 1; b < len(j.sums); b++ {
			// Cauchy-Schwarz, with room for the rounding of the three sums.
			room := resolvable * math.Sqrt(j.at(a, a)*j.at(b, b))
			most := math.Sqrt(math.Max(0, j.centred(a, a)) * math.Max(0, j.centred(b, b)))
			if math.Abs(j.centred(a, b)) > most*(1+resolvable)+room {
				return problem(ImpossibleSums, j.names[a]+" and "+j.names[b],
					"no values have these sums: they would correlate by more than one")
			}
		}
	}
	return nil
}
