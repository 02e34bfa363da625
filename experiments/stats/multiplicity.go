package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Correction names how the p-values of a family of tests are adjusted.
type Correction string

// The corrections.
const (
	// NoCorrection leaves p-values as they are.
	NoCorrection Correction = "none"
	// HolmCorrection bounds the chance of any false discovery in the family
	// (Holm 1979); it needs no assumption about the tests.
	HolmCorrection Correction = "holm"
	// BHCorrection bounds the expected share of false discoveries (Benjamini
	// and Hochberg 1995); for independent or positively dependent tests.
	BHCorrection Correction = "bh"
)

// Adjust returns the adjusted p-values of a family in the order of the input.
// The family of an experiment is every goal metric of every treatment (and of
// every value of a dimension where one is shown); guardrails and secondary
// metrics are not part of it.
//
// Problems: InvalidOption for an unknown correction, NotFinite or ImpossibleSums
// for a p-value that is NaN or outside 0 to 1.
func Adjust(c Correction, p []float64) ([]float64, error) {
	for i, v := range p {
		if math.IsNaN(v) {
			return nil, problem(NotFinite, subscript("p", i), "the p-value is NaN")
		}
		if v < 0 || v > 1 {
			return nil, problem(ImpossibleSums, subscript("p", i), "a p-value is 0 to 1, not %g", v)
		}
	}
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(p))
	m := len(p)
	switch c {
	case NoCorrection, "":
		copy(out, p)
	case HolmCorrection:
		running := 0.0
		for rank, i := range order {
			running = math.Max(running, math.Min(1, p[i]*float64(m-rank)))
			out[i] = running
		}
	case BHCorrection:
		running := 1.0
		for rank := m - 1; rank >= 0; rank-- {
			i := order[rank]
			// The quotient first: it is 1 or more, so that rounding never takes
			// an adjusted value below its own p-value.
			running = math.Min(running, p[i]*(float64(m)/float64(rank+1)))
			out[i] = running
		}
	default:
		return nil, problem(InvalidOption, "correction", "unknown correction %q; known are none, holm and bh", c)
	}
	return out, nil
}

// Above this an adjusted p-value says nothing, and its interval has no bounds.
const uninformative = 0.999999

// AdjustedInterval is the 1−alpha interval that goes with an adjusted two-sided
// p-value: the standard error is taken back out of that p-value, so that the
// interval leaves zero out exactly when the adjusted p-value is below alpha
// (GrowthBook's rule). It is never narrower than the effect's own interval, and
// unbounded when the adjusted p-value is 1.
func AdjustedInterval(e Effect, adjusted, alpha float64) (lower, upper float64, err error) {
	alpha, err = Options{Alpha: alpha}.alpha()
	if err != nil {
		return 0, 0, err
	}
	switch {
	case !finite(e.Estimate):
		return 0, 0, problem(NotFinite, "estimate", "the estimate is NaN or infinite")
	case math.IsNaN(adjusted) || adjusted < 0 || adjusted > 1:
		return 0, 0, problem(InvalidOption, "adjusted", "a p-value is 0 to 1, not %g", adjusted)
	case adjusted > uninformative || e.Estimate == 0:
		return math.Inf(-1), math.Inf(1), nil
	}
	half := 0.0
	if z := distuv.UnitNormal.Quantile(1 - adjusted/2); !math.IsInf(z, 1) {
		half = math.Abs(e.Estimate) / z * distuv.UnitNormal.Quantile(1-alpha/2)
	}
	lower, upper = e.Estimate-half, e.Estimate+half
	return math.Min(lower, e.Lower), math.Max(upper, e.Upper), nil
}

// WeightedLevels shares a level between one primary metric and the others by
// weight, as Eppo does: the primary metric is tested at γα/k in each of k
// treatments, each of the m−1 others at (1−γ)α/(k(m−1)). By Bonferroni the
// chance of any false discovery stays below alpha. With one metric γ is 1.
func WeightedLevels(alpha, gamma float64, treatments, metrics int) (primary, other float64, err error) {
	alpha, err = Options{Alpha: alpha}.alpha()
	if err != nil {
		return 0, 0, err
	}
	switch {
	case !(gamma > 0 && gamma <= 1):
		return 0, 0, problem(InvalidOption, "gamma", "the primary metric's share must be above 0 and at most 1, not %g", gamma)
	case treatments < 1:
		return 0, 0, problem(InvalidOption, "treatments", "there must be a treatment, not %d", treatments)
	case metrics < 1:
		return 0, 0, problem(InvalidOption, "metrics", "there must be a metric, not %d", metrics)
	case metrics == 1:
		return alpha / float64(treatments), 0, nil
	}
	return gamma * alpha / float64(treatments), (1 - gamma) * alpha / float64(treatments*(metrics-1)), nil
}
