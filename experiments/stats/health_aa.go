package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Uniformity is the outcome of comparing p-values with the uniform distribution
// that they have when nothing differs between the arms.
type Uniformity struct {
	Replays int
	// Distance is Kolmogorov's: the largest gap between the p-values' empirical
	// distribution and the diagonal.
	Distance float64
	// PValue of the Kolmogorov-Smirnov test. Small values say that the test, or
	// the assignment behind it, does not keep its level.
	PValue float64
	// Level the false alarms are counted at, their share, and the 95 % interval
	// (Wilson) that this many replays give it.
	Level                     float64
	Rejected                  float64
	RejectedLow, RejectedHigh float64
	// Deciles counts the p-values in each tenth of 0 to 1.
	Deciles [10]int
}

// MinimumReplays is the number of p-values below which nothing is said about
// their distribution.
const MinimumReplays = 20

// CheckUniform judges the p-values of many A/A comparisons: the same data split
// again and again by different salts. Level is the one that decisions are made
// at (0 means 0.05). The replays should not overlap by more than chance makes
// them, which independent salts give.
func CheckUniform(p []float64, level float64) (Uniformity, error) {
	level, err := Options{Alpha: level}.alpha()
	if err != nil {
		return Uniformity{}, err
	}
	if len(p) < MinimumReplays {
		return Uniformity{}, problem(TooFewUnits, "p", "%d p-values, at least %d are needed", len(p), MinimumReplays)
	}
	u := Uniformity{Replays: len(p), Level: level}
	sorted := slices.Clone(p)
	slices.Sort(sorted)
	n := float64(len(p))
	rejected := 0
	for i, v := range sorted {
		switch {
		case math.IsNaN(v):
			return Uniformity{}, problem(NotFinite, "p", "a p-value is NaN")
		case v < 0 || v > 1:
			return Uniformity{}, problem(ImpossibleSums, "p", "a p-value is 0 to 1, not %g", v)
		}
		u.Distance = math.Max(u.Distance, math.Max(float64(i+1)/n-v, v-float64(i)/n))
		u.Deciles[min(9, int(v*10))]++
		if v < level {
			rejected++
		}
	}
	u.PValue = kolmogorovSurvival(u.Distance, n)
	u.Rejected = float64(rejected) / n
	z := distuv.UnitNormal.Quantile(0.975)
	centre := (u.Rejected + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(u.Rejected*(1-u.Rejected)/n+z*z/(4*n*n))
	u.RejectedLow, u.RejectedHigh = math.Max(0, centre-half), math.Min(1, centre+half)
	return u, nil
}

// kolmogorovSurvival is P(D ≥ d) for n uniform values by Kolmogorov's limit with
// Stephens's correction for finite n (JRSS B 1970), good to about 0.001 from
// twenty values on.
func kolmogorovSurvival(d, n float64) float64 {
	root := math.Sqrt(n)
	x := (root + 0.12 + 0.11/root) * d
	if x < 1 {
		// 1 − √(2π)/x·Σ exp(−(2k−1)²π²/(8x²)): the other series hardly converges here.
		var sum float64
		for k := 1.0; k <= 5; k++ {
			odd := 2*k - 1
			sum += math.Exp(-odd * odd * math.Pi * math.Pi / (8 * x * x))
		}
		if x == 0 {
			return 1
		}
		return 1 - math.Sqrt(2*math.Pi)/x*sum
	}
	var sum float64
	sign := 1.0
	for k := 1.0; k <= 10; k++ {
		sum += sign * math.Exp(-2*k*k*x*x)
		sign = -sign
	}
	return math.Min(1, 2*sum)
}
