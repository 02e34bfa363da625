package experience

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// confidence is the probability with which an interval is to hold its figure.
const confidence = 0.95

// Interval is a figure with the bounds between which it lies with 95 %
// confidence. A bound that cannot be known is NaN.
type Interval struct{ Value, Lower, Upper float64 }

func nothing() Interval { return Interval{math.NaN(), math.NaN(), math.NaN()} }

var normalQuantile = distuv.UnitNormal.Quantile(1 - (1-confidence)/2)

// Wilson is a share of successes with its score interval (Wilson, 1927), which
// stays between 0 and 1 and holds its level also near them.
func Wilson(successes, n float64) Interval {
	if n <= 0 {
		return nothing()
	}
	z, p := normalQuantile, successes/n
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	i := Interval{p, max(0, centre-half), min(1, centre+half)}
	// The bounds are exact at the ends, where rounding would leave a trace.
	if successes == 0 {
		i.Lower = 0
	}
	if successes == n {
		i.Upper = 1
	}
	return i
}

// Promoters is the net promoter score in points from -100 to 100: the share of
// promoters less that of detractors. Its variance is that of a difference of two
// shares of one multinomial, (p + d - (p-d)²)/n.
func Promoters(promoters, detractors, n float64) Interval {
	if n <= 0 {
		return nothing()
	}
	p, d := promoters/n, detractors/n
	half := normalQuantile * math.Sqrt(max(0, p+d-(p-d)*(p-d))/n)
	score := p - d
	return Interval{100 * score, 100 * max(-1, score-half), 100 * min(1, score+half)}
}

// Mean is the mean of n values with their sum and sum of squares, with Student's
// interval. Of one value the bounds are not known.
func Mean(sum, squares, n float64) Interval {
	if n <= 0 {
		return nothing()
	}
	mean := sum / n
	if n < 2 {
		return Interval{mean, math.NaN(), math.NaN()}
	}
	variance := max(0, (squares-n*mean*mean)/(n-1))
	half := studentQuantile(n-1) * math.Sqrt(variance/n)
	return Interval{mean, mean - half, mean + half}
}

func studentQuantile(degrees float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: degrees}.Quantile(1 - (1-confidence)/2)
}

// RatioSums are the sums of n units that each have an amount y and a count d.
type RatioSums struct{ N, Y, D, YY, DD, YD float64 }

// Ratio is the total of y over the total of d, such as revenue per order, where
// the units are customers: orders of one customer are not independent. The
// variance is the linearised one, n/(n-1) · Σ(y - R·d)²/(Σd)², with Student's
// quantile of n-1 degrees; with one order each it is [Mean].
func Ratio(s RatioSums) Interval {
	if s.N <= 0 || s.D <= 0 {
		return nothing()
	}
	r := s.Y / s.D
	if s.N < 2 {
		return Interval{r, math.NaN(), math.NaN()}
	}
	residual := max(0, s.YY-2*r*s.YD+r*r*s.DD)
	half := studentQuantile(s.N-1) * math.Sqrt(s.N/(s.N-1)*residual) / s.D
	return Interval{r, r - half, r + half}
}

// Poisson is a count with its exact interval (Garwood, 1936).
func Poisson(count float64) Interval {
	tail := (1 - confidence) / 2
	i := Interval{Value: count, Upper: chiSquared(2*(count+1), 1-tail) / 2}
	if count > 0 {
		i.Lower = chiSquared(2*count, tail) / 2
	}
	return i
}

func chiSquared(degrees, probability float64) float64 {
	return distuv.ChiSquared{K: degrees}.Quantile(probability)
}

// Per is an amount, taken as known, per count with the count's interval. Without
// a count the figure does not exist.
func Per(amount, count float64) Interval {
	if count <= 0 {
		return nothing()
	}
	c := Poisson(count)
	return Interval{amount / count, amount / c.Upper, amount / c.Lower}
}
