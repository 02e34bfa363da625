package bandits

import (
	"math"
	"sync"
)

const (
	cdfLimit = 8.0 // beyond ±8 the distribution function is 0 or 1 (1.2e-15)
	cdfCells = 4096
	cdfScale = cdfCells / (2 * cdfLimit)
)

// cdfTable holds Φ at cdfCells+1 points on [-8, 8], for linear interpolation
// with an error below 5e-7.
type cdfTable [cdfCells + 1]float64

// normalTable computes the table once. See the package comment for why it does
// not use math.Erfc or math.Exp.
var normalTable = sync.OnceValue(func() *cdfTable {
	var t cdfTable
	for i := range cdfCells/2 + 1 {
		tail := upperTail(float64(i) / cdfScale)
		t[cdfCells/2-i] = tail
		t[cdfCells/2+i] = 1 - tail
	}
	return &t
})

// at interpolates Φ(x). NaN gives 0.
func (t *cdfTable) at(x float64) float64 {
	if !(x > -cdfLimit) {
		return 0
	}
	if x >= cdfLimit {
		return 1
	}
	position := float64((x + cdfLimit) * cdfScale)
	cell := int(position)
	// position < cdfCells, as x < cdfLimit and the scale is a power of two; the
	// mask shows the compiler so.
	lo, hi := t[cell&(cdfCells-1)], t[cell&(cdfCells-1)+1]
	return lo + float64((hi-lo)*(position-float64(cell)))
}

const (
	bellCells = 2048
	bellScale = bellCells / (2 * cdfLimit)
)

// bellTable holds Φ and its density φ at bellCells+1 points on [-8, 8], for
// linear interpolation with an error below 3e-6.
type bellTable [bellCells + 1]struct{ cdf, density float64 }

// bell computes the table once.
var bell = sync.OnceValue(func() *bellTable {
	var t bellTable
	for i := range bellCells/2 + 1 {
		x := float64(i) / bellScale
		tail, density := upperTail(x), normalDensity(x)
		t[bellCells/2-i].cdf, t[bellCells/2-i].density = tail, density
		t[bellCells/2+i].cdf, t[bellCells/2+i].density = 1-tail, density
	}
	return &t
})

// at interpolates Φ(x) and φ(x).
func (t *bellTable) at(x float64) (cdf, density float64) {
	if !(x > -cdfLimit) {
		return 0, 0
	}
	if x >= cdfLimit {
		return 1, 0
	}
	position := float64((x + cdfLimit) * bellScale)
	cell := int(position)
	lo, hi := &t[cell&(bellCells-1)], &t[cell&(bellCells-1)+1]
	part := position - float64(cell)
	return lo.cdf + float64((hi.cdf-lo.cdf)*part), lo.density + float64((hi.density-lo.density)*part)
}

const sqrt2Pi = 2.50662827463100050242

func normalDensity(x float64) float64 { return expMinus(float64(x*x)/2) / sqrt2Pi }

// upperTail is 1-Φ(x) for x in [0, 8], to about 1e-15 relative.
func upperTail(x float64) float64 {
	density := normalDensity(x)
	if x < 2.5 {
		// Φ(x) - 1/2 = φ(x) Σ x^(2n+1) / (1·3·5…(2n+1)): all terms positive.
		term, sum := x, x
		for n := 3.0; term > sum*1e-18; n += 2 {
			term = float64(term*float64(x*x)) / n
			sum += term
		}
		return 0.5 - float64(density*sum)
	}
	// Laplace's continued fraction φ(x) / (x + 1/(x + 2/(x + 3/…))).
	f := x
	for n := 300.0; n >= 1; n-- {
		f = x + n/f
	}
	return density / f
}

// expMinus is e^-y for y in [0, 40]: y = k ln 2 + r, then Taylor's series in r.
func expMinus(y float64) float64 {
	const (
		ln2Hi = 6.93147180369123816490e-01 // its last bits are zero: k·ln2Hi is exact
		ln2Lo = 1.90821492927058770002e-10
	)
	k := math.Floor(y/math.Ln2 + 0.5)
	r := (y - float64(k*ln2Hi)) - float64(k*ln2Lo)
	sum := 1.0
	for n := 20.0; n >= 1; n-- {
		sum = 1 - float64(sum*r)/n
	}
	return math.Ldexp(sum, -int(k))
}
