package stats

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// quantileZ is the normal deviate of the interval from whose width the variance
// of a quantile is read: 95 %.
var quantileZ = distuv.UnitNormal.Quantile(0.975)

// Quantile holds what one arm's sample says about a quantile of a metric: the
// sample quantile and the two sample quantiles around it from whose distance
// its variance is read (Deng, Knoblich and Lu, KDD 2018; Yao, Li and Lu 2024,
// algorithm 1). [QuantileRanks] gives the levels of Lower and Upper.
//
// Unlike sums, quantiles of parts do not add up to that of the whole: take them
// over all values of an arm.
type Quantile struct {
	N     int64   // values: units, or events where Clusters is set
	Level float64 // ν, in (0, 1): 0.9 for the 90th percentile
	Value float64 // the sample quantile at Level
	Lower float64 // the sample quantile at the lower level of QuantileRanks(Level, Grid)
	Upper float64 // and at the upper one
	// Grid is the size n* for which the levels of Lower and Upper were taken,
	// so that a query needs only a few fixed levels; see [QuantileGrid]. Zero
	// means N.
	Grid int64
	// Clusters is set where units were randomised but the quantile is over
	// their events, which are then not independent.
	Clusters *Clusters
	// VarianceFloor is the least variance of one value. It is in the metric's
	// unit squared, so no value of it is right for every metric; zero, the
	// usual choice, sets none. GrowthBook has 1e-5 from 100 values on.
	VarianceFloor float64
}

// Clusters holds the sums over randomised units of S, a unit's number of events
// at or below the quantile, and E, its number of events.
type Clusters struct {
	N            int64   // units
	Below        float64 // ΣS
	BelowSquares float64 // ΣS²
	Events       float64 // ΣE
	EventSquares float64 // ΣE²
	Products     float64 // ΣSE
}

// Plus adds the units of other, counted against the same quantile.
func (c Clusters) Plus(other Clusters) Clusters {
	return Clusters{
		N: c.N + other.N, Below: c.Below + other.Below, BelowSquares: c.BelowSquares + other.BelowSquares,
		Events: c.Events + other.Events, EventSquares: c.EventSquares + other.EventSquares, Products: c.Products + other.Products,
	}
}

// QuantileGrid is the largest 100·2^k that is not above n; n itself below 100.
// Levels that depend on it only are the same for many sample sizes, so that a
// query can name them beforehand.
func QuantileGrid(n int64) int64 {
	if n < 100 {
		return n
	}
	grid := int64(100)
	for grid <= n/2 {
		grid *= 2
	}
	return grid
}

// QuantileRanks gives the levels ν ± z√(ν(1−ν)/n) at which the lower and upper
// sample quantiles are to be taken.
//
// Problems: InvalidOption for a level outside (0, 1), TooFewUnits where a level
// would be outside the sample.
func QuantileRanks(level float64, n int64) (lower, upper float64, err error) {
	if err := quantileLevel(level, n); err != nil {
		return 0, 0, err
	}
	half := quantileZ * math.Sqrt(level*(1-level)/float64(n))
	return level - half, level + half, nil
}

// quantileLevel refuses levels at which n values cannot bound the quantile.
func quantileLevel(level float64, n int64) error {
	if !(level > 0 && level < 1) {
		return problem(InvalidOption, "level", "a quantile's level must be above 0 and below 1, not %g", level)
	}
	z2 := quantileZ * quantileZ
	if least := z2 * math.Max(level/(1-level), (1-level)/level); float64(n) <= least {
		return problem(TooFewUnits, "", "quantile %g needs more than %.0f values, there are %d", level, math.Floor(least), n)
	}
	return nil
}

// Estimate gives the quantile and the variance of one value's contribution,
// σ² = (n*/n)(n−1)((Upper−Lower)/2z)², times the design effect of the clusters.
//
// Problems: TooFewUnits where the sample cannot bound the quantile,
// ZeroVariance where the bounds are equal (a spike of equal values around the
// quantile), NotFinite, ImpossibleSums, InvalidOption.
func (q Quantile) Estimate() (Estimate, error) { return q.estimate(false) }

func (q Quantile) estimate(unchecked bool) (Estimate, error) {
	if q.N < 2 {
		return Estimate{}, problem(TooFewUnits, "", "a quantile needs two values or more, there are %d", q.N)
	}
	if err := quantileLevel(q.Level, q.N); err != nil {
		return Estimate{}, err
	}
	grid := q.Grid
	if grid == 0 {
		grid = q.N
	}
	switch {
	case !finite(q.Value, q.Lower, q.Upper, q.VarianceFloor):
		return Estimate{}, problem(NotFinite, "", "a quantile is NaN or infinite")
	case grid < 1:
		return Estimate{}, problem(InvalidOption, "grid", "the grid's size must be 1 or more, not %d", grid)
	case q.Lower > q.Upper:
		return Estimate{}, problem(ImpossibleSums, "", "the lower quantile %g is above the upper %g", q.Lower, q.Upper)
	case q.VarianceFloor < 0:
		return Estimate{}, problem(InvalidOption, "varianceFloor", "the variance's floor must be 0 or more, not %g", q.VarianceFloor)
	}
	n := float64(q.N)
	deviation := (q.Upper - q.Lower) / (2 * quantileZ)
	variance := float64(grid) / n * (n - 1) * deviation * deviation
	if q.Clusters != nil {
		cluster, err := q.Clusters.variance(unchecked)
		if err != nil {
			return Estimate{}, err
		}
		variance *= cluster / (q.Level * (1 - q.Level) / n)
	}
	variance = math.Max(variance, q.VarianceFloor)
	if variance <= 0 {
		return Estimate{}, problem(ZeroVariance, "", "the values around quantile %g are all %g", q.Level, q.Value)
	}
	if !finite(variance) {
		return Estimate{}, problem(NotFinite, "", "the values are too large for a variance")
	}
	return Estimate{N: q.N, Mean: q.Value, Variance: variance}, nil
}

// variance is that of the share of events at or below the quantile, by the
// delta method on ΣS/ΣE.
func (c Clusters) variance(unchecked bool) (float64, error) {
	if c.N < 2 {
		return 0, problem(TooFewUnits, "clusters", "a test needs two units or more, the arm has %d", c.N)
	}
	ratio := Ratio{
		N: c.N, Numerator: c.Below, Denominator: c.Events, NumeratorSquares: c.BelowSquares,
		DenominatorSquares: c.EventSquares, Products: c.Products,
	}
	e, err := estimateOf(ratio, Options{Unchecked: unchecked})
	if err != nil {
		return 0, about(err, "clusters")
	}
	return e.Variance / float64(c.N), nil
}

// QuantileOf computes a Quantile from an arm's values, which it leaves as they
// are. Sample quantiles are interpolated linearly between order statistics
// (type 7 of Hyndman and Fan, as ClickHouse's quantileExactInclusive).
func QuantileOf(values []float64, level float64) (Quantile, error) {
	n := int64(len(values))
	grid := QuantileGrid(n)
	lower, upper, err := QuantileRanks(level, grid)
	if err != nil {
		return Quantile{}, err
	}
	sorted := slices.Clone(values)
	sort.Float64s(sorted)
	if !finite(sorted[0], sorted[n-1]) {
		return Quantile{}, problem(NotFinite, "", "a value is NaN or infinite")
	}
	return Quantile{
		N: n, Level: level, Grid: grid,
		Value: interpolated(sorted, level), Lower: interpolated(sorted, lower), Upper: interpolated(sorted, upper),
	}, nil
}

// ClusteredQuantileOf computes a Quantile over all events of an arm, given by
// randomised unit. Units without events count as units.
func ClusteredQuantileOf(units [][]float64, level float64) (Quantile, error) {
	var events []float64
	for _, u := range units {
		events = append(events, u...)
	}
	q, err := QuantileOf(events, level)
	if err != nil {
		return Quantile{}, err
	}
	c := Clusters{N: int64(len(units))}
	for _, u := range units {
		var below float64
		for _, y := range u {
			if y <= q.Value {
				below++
			}
		}
		e := float64(len(u))
		c.Below += below
		c.BelowSquares += below * below
		c.Events += e
		c.EventSquares += e * e
		c.Products += below * e
	}
	q.Clusters = &c
	return q, nil
}

// interpolated is the quantile of sorted values at a level within [0, 1].
func interpolated(sorted []float64, level float64) float64 {
	h := level * float64(len(sorted)-1)
	i := int(math.Floor(h))
	if i >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (h-float64(i))*(sorted[i+1]-sorted[i])
}
