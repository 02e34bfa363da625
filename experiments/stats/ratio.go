package stats

import "math"

// Ratio holds the sums of a metric that is a total over a total, such as margin
// per decision, where the unit of randomisation is coarser than the
// denominator. Both totals are per unit; Products ties them together.
type Ratio struct {
	N                  int64   // units
	Numerator          float64 // Σm
	Denominator        float64 // Σd
	NumeratorSquares   float64 // Σm²
	DenominatorSquares float64 // Σd²
	Products           float64 // Σmd
	// The numerator or the denominator is 0 or 1 in every unit, so that p(1−p)
	// is its variance.
	BinaryNumerator, BinaryDenominator bool
}

// Plus adds the units of other.
func (r Ratio) Plus(other Ratio) Ratio {
	return Ratio{
		N: r.N + other.N, Numerator: r.Numerator + other.Numerator, Denominator: r.Denominator + other.Denominator,
		NumeratorSquares: r.NumeratorSquares + other.NumeratorSquares, DenominatorSquares: r.DenominatorSquares + other.DenominatorSquares,
		Products:        r.Products + other.Products,
		BinaryNumerator: r.BinaryNumerator && other.BinaryNumerator, BinaryDenominator: r.BinaryDenominator && other.BinaryDenominator,
	}
}

func (r Ratio) joint() joint {
	return joint{
		n: r.N, names: []string{"numerator", "denominator"},
		sums:     []float64{r.Numerator, r.Denominator},
		products: []float64{squares(r.NumeratorSquares, r.Numerator, r.BinaryNumerator), r.Products, squares(r.DenominatorSquares, r.Denominator, r.BinaryDenominator)},
		binary:   []bool{r.BinaryNumerator, r.BinaryDenominator},
	}
}

// Estimate gives R = Σm/Σd with the delta-method variance of one unit's
// contribution, s²(m − R·d)/d̄² (Deng, Knoblich and Lu, KDD 2018, eq. 4). Sums
// that no values can have are refused.
func (r Ratio) Estimate() (Estimate, error) {
	if err := r.usable(); err != nil {
		return Estimate{}, err
	}
	mm, dd, md := r.centred()
	for _, sums := range []struct {
		name         string
		centred, raw float64
	}{{"numerator", mm, r.NumeratorSquares}, {"denominator", dd, r.DenominatorSquares}} {
		if _, err := resolved(sums.centred, sums.raw, sums.name); err != nil && AsProblem(err).Reason == ImpossibleSums {
			return Estimate{}, err
		}
	}
	// Cauchy-Schwarz, with room for the rounding of the three sums.
	room := resolvable * math.Sqrt(r.NumeratorSquares*r.DenominatorSquares)
	if math.Abs(md) > math.Sqrt(math.Max(0, mm)*math.Max(0, dd))*(1+resolvable)+room {
		return Estimate{}, problem(ImpossibleSums, "products",
			"no values have these sums: numerator and denominator would correlate by more than one")
	}
	return r.Delta()
}

// Delta is Estimate without the check that some values can have these sums:
// the delta method's arithmetic on whatever it is given, as published
// comparison cases need it. A report uses Estimate.
func (r Ratio) Delta() (Estimate, error) {
	if err := r.usable(); err != nil {
		return Estimate{}, err
	}
	e := Estimate{N: r.N, Mean: r.Numerator / r.Denominator, Variance: math.NaN()}
	if r.N == 1 {
		return e, nil
	}
	perUnit := r.Denominator / float64(r.N)
	if r.BinaryNumerator || r.BinaryDenominator {
		variance, err := r.joint().form([]float64{1 / perUnit, -e.Mean / perUnit})
		if err != nil {
			return Estimate{}, err
		}
		e.Variance = variance
		return e, nil
	}
	mm, dd, md := r.centred()
	// Σ(m − R·d)²: the residuals sum to zero, so this is already centred.
	residual := mm - 2*e.Mean*md + e.Mean*e.Mean*dd
	scale := r.NumeratorSquares + e.Mean*e.Mean*r.DenominatorSquares
	residual, err := resolved(residual, scale, "")
	if err != nil {
		return Estimate{}, err
	}
	e.Variance = residual / float64(r.N-1) / perUnit / perUnit
	if !finite(e.Mean, e.Variance) {
		return Estimate{}, problem(NotFinite, "", "the values are too large for a variance")
	}
	return e, nil
}

// centred gives the centred sums of squares and products: Σ(m−m̄)², Σ(d−d̄)²
// and Σ(m−m̄)(d−d̄).
func (r Ratio) centred() (mm, dd, md float64) {
	mm = centredProduct(r.N, r.Numerator, r.Numerator, r.NumeratorSquares)
	dd = centredProduct(r.N, r.Denominator, r.Denominator, r.DenominatorSquares)
	md = centredProduct(r.N, r.Numerator, r.Denominator, r.Products)
	return mm, dd, md
}

func (r Ratio) usable() error {
	switch {
	case r.N < 1:
		return problem(TooFewUnits, "", "the arm has no unit")
	case !finite(r.Numerator, r.Denominator, r.NumeratorSquares, r.DenominatorSquares, r.Products):
		return problem(NotFinite, "", "a sum is NaN or infinite")
	case r.Denominator <= 0:
		return problem(DenominatorNotPositive, "", "the denominators sum to %g; a ratio needs more than zero", r.Denominator)
	}
	return nil
}
