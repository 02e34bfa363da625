package bandits

import (
	"math"
	"sync"
)

// panelNodes is the number of Gauss-Legendre nodes of a panel.
const panelNodes = 8

// panelAt and panelWeight are the nodes and weights on [0, 1]. (Abramowitz and
// Stegun, Handbook of Mathematical Functions, table 25.4, has them on [-1, 1].)
var (
	panelAt = [panelNodes]float64{
		(1 - 0.96028985649753623168) / 2, (1 - 0.79666647741362673959) / 2,
		(1 - 0.52553240991632898582) / 2, (1 - 0.18343464249564980494) / 2,
		(1 + 0.18343464249564980494) / 2, (1 + 0.52553240991632898582) / 2,
		(1 + 0.79666647741362673959) / 2, (1 + 0.96028985649753623168) / 2,
	}
	panelWeight = [panelNodes]float64{
		0.10122853629037625915 / 2, 0.22238103445337447054 / 2, 0.31370664587788728734 / 2, 0.36268378337836198297 / 2,
		0.36268378337836198297 / 2, 0.31370664587788728734 / 2, 0.22238103445337447054 / 2, 0.10122853629037625915 / 2,
	}
)

const (
	// The table reaches beyond tableTo, with zeros, to where arms may get within a
	// panel; the power of two spares the check of bounds.
	tableFrom, tableTo = -5, 6
	cellsPerUnit       = 32
	tableCells         = 1024
	filledCells        = (tableTo - tableFrom) * cellsPerUnit

	bitUnit    = 1 << 40 // of fixed-point logarithms
	powerSteps = 64
)

// logTable holds -log₂Φ on [-5, 6], in units of 2^-40, as a cubic for each 32nd:
// Hermite's, with the function's values and derivatives at both ends. The error of
// log₂Φ is below 1e-9, that of its derivative below 1e-7. From 6 to 27 it is 0.
type logTable [tableCells]cubic

// cubic is a polynomial in the place within a cell, from -1/2 to 1/2.
type cubic [4]float64

// normalTable computes the table once. See the package comment for why it does
// not use math.Erfc, math.Log or math.Exp.
var normalTable = sync.OnceValue(func() *logTable {
	var t logTable
	var value, slope [filledCells + 1]float64
	for i := range value {
		x := tableFrom + float64(float64(i)/cellsPerUnit)
		cdf := upperTail(math.Abs(x))
		if x > 0 {
			cdf = 1 - cdf
		}
		value[i] = float64(minusLog(cdf)*(1/math.Ln2)) * bitUnit
		slope[i] = -float64(normalDensity(x)/cdf*(1/(math.Ln2*cellsPerUnit))) * bitUnit
	}
	for i := range filledCells {
		rise, bend := value[i+1]-value[i], slope[i+1]-slope[i]
		mean := float64((slope[i] + slope[i+1]) * 0.5)
		t[i] = cubic{
			float64((value[i]+value[i+1])*0.5) - float64(bend*0.125),
			float64(1.5*rise) - float64(mean*0.5),
			float64(bend * 0.5),
			float64(2*mean) - float64(2*rise),
		}
	}
	return &t
})

// position of x in the table, in cells, with what [logTable.at] needs: its sum with
// rounder has the number of its cell as its last bits.
func position(x float64) float64 { return float64((x-tableFrom)*cellsPerUnit) - 0.5 }

// rounder makes float64 additions round to integers.
const rounder = 3 << 51

// at is the cell of a position from 0 to 1024 and the place within it.
func (t *logTable) at(position float64) (c *cubic, place float64) {
	rounded := position + rounder
	return &t[math.Float64bits(rounded)&(tableCells-1)], position - (rounded - rounder)
}

// value is -log₂Φ in units of 2^-40, cut off.
func (c *cubic) value(d float64) int64 {
	return int64(c[0] + float64(d*(c[1]+float64(d*(c[2]+float64(d*c[3]))))))
}

// slope is the derivative of value by d.
func (c *cubic) slope(d float64) float64 {
	last := float64(d * c[3])
	inner := c[2] + last
	return c[1] + float64(d*inner) + float64(d*(inner+last))
}

// add gives bits with the value at a position added, and the slope there, by the
// same operations as value and slope, those that both need done once.
func (t *logTable) add(bits int64, position float64) (sum int64, slope float64) {
	c, d := t.at(position)
	last := float64(d * c[3])
	inner := c[2] + last
	outer := c[1] + float64(d*inner)
	return bits + int64(c[0]+float64(d*outer)), outer + float64(d*(inner+last))
}

// powers are 2^(-i/64).
var powers = sync.OnceValue(func() *[powerSteps]float64 {
	var t [powerSteps]float64
	for i := range t {
		t[i] = expMinus(float64(i) / powerSteps * math.Ln2)
	}
	return &t
})

// power is 2^-(bits/2^40), for bits of at least 0.
func power(powers *[powerSteps]float64, bits int64) float64 {
	const (
		shift = 40 - 6 // powerSteps is 2^6
		c1    = math.Ln2 / powerSteps
	)
	whole := bits >> 40
	if whole > 1000 {
		return 0
	}
	y := float64(float64(bits&(1<<shift-1)) * (c1 / (1 << shift)))
	// e^-y for y < 0.011; the first term left out is below 1e-13.
	e := 1 - float64(y*(1-float64(y*(1.0/2-float64(y*(1.0/6-float64(y*(1.0/24-float64(y*(1.0/120))))))))))
	return float64(powers[bits>>shift&(powerSteps-1)]*e) * math.Float64frombits(uint64(1023-whole)<<52)
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

// minusLog is -ln x for x in (0, 1]: x = f·2^k with f from 1/√2 to √2, and
// ln f = 2 artanh s for s = (f-1)/(f+1), by its series.
func minusLog(x float64) float64 {
	f, k := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f, k = 2*f, k-1
	}
	s := (f - 1) / (f + 1)
	square := float64(s * s)
	sum := 0.0
	for n := 41.0; n >= 1; n -= 2 {
		sum = 1/n + float64(sum*square)
	}
	return -float64(float64(k)*math.Ln2) - float64(2*s*sum)
}
