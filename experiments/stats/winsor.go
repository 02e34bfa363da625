package stats

import (
	"math"
	"slices"
	"sort"
)

// Cap says where the values of a metric are cut off, as levels of their pooled
// quantiles. Values are totals per unit: cap after adding up a unit's events.
type Cap struct {
	Upper       float64 // level above which values are cut, in (0, 1]; 0 means no cut
	Lower       float64 // level below which values are cut, in [0, 1); 0 means no cut
	IgnoreZeros bool    // the levels are those of the values that are not zero
}

// Limits are bounds between which values are kept. The same limits go for every
// arm: limits of an arm's own would cut away what the treatment did.
type Limits struct {
	Lower, Upper float64 // −Inf and +Inf where nothing is cut
}

// Of gives the limits of a cap from the values of all arms together.
//
// Problems: InvalidOption for levels outside their range, TooFewUnits where
// there is no value (or none but zeros, with IgnoreZeros), NotFinite.
func (c Cap) Of(arms ...[]float64) (Limits, error) {
	if !(c.Upper >= 0 && c.Upper <= 1) || !(c.Lower >= 0 && c.Lower < 1) || c.Upper != 0 && c.Lower >= c.Upper {
		return Limits{}, problem(InvalidOption, "cap", "the levels must be 0 ≤ lower < upper ≤ 1, not %g and %g", c.Lower, c.Upper)
	}
	var pooled []float64
	for _, values := range arms {
		if !finite(values...) {
			return Limits{}, problem(NotFinite, "", "a value is NaN or infinite")
		}
		pooled = append(pooled, values...)
	}
	if c.IgnoreZeros {
		pooled = slices.DeleteFunc(pooled, func(y float64) bool { return y == 0 })
	}
	if len(pooled) == 0 {
		return Limits{}, problem(TooFewUnits, "", "there is no value to take a quantile of")
	}
	sort.Float64s(pooled)
	limits := Limits{Lower: math.Inf(-1), Upper: math.Inf(1)}
	if c.Upper > 0 {
		limits.Upper = interpolated(pooled, c.Upper)
	}
	if c.Lower > 0 {
		limits.Lower = interpolated(pooled, c.Lower)
	}
	return limits, nil
}

// Apply gives y cut to the limits.
func (l Limits) Apply(y float64) float64 { return math.Min(math.Max(y, l.Lower), l.Upper) }
