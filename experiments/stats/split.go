package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// MinimumExpected is the number of units that each arm must be expected to
	// have before χ² is used.
	MinimumExpected = 8
	// SplitAlarm is the p-value below which a split counts as broken. It is
	// strict because the check runs on every report of every experiment.
	SplitAlarm = 0.001
)

// WeightTolerance is how far weights may be from summing to one.
const WeightTolerance = 1e-6

// SplitCheck says whether the arms have the sizes that the weights promised.
type SplitCheck struct {
	// Expected units per arm; zero for arms of weight zero.
	Expected []float64
	// ChiSquared, DegreesOfFreedom and PValue of the goodness-of-fit test over
	// the arms of positive weight.
	ChiSquared       float64
	DegreesOfFreedom int
	PValue           float64
	// Leaked is the number of units in arms of weight zero.
	Leaked int64
	// Mismatch: PValue is below SplitAlarm. Leak: more than max(5, 0.01 %) of
	// all units are in arms that nobody should be in.
	Mismatch, Leak bool
}

// Passed is true when neither alarm is raised.
func (c SplitCheck) Passed() bool { return !c.Mismatch && !c.Leak }

// CheckSplit is the sample-ratio check of observed unit counts against the
// weights of a split that never changed. Arms of weight zero do not count
// towards the degrees of freedom; units in them are judged by the leak rule.
//
// Problems: InvalidOption for lengths or weights that make no split,
// ImpossibleSums for negative counts, and TooFewUnits, together with the
// filled SplitCheck, when an arm is expected to have fewer than MinimumExpected
// units: χ² is then a rough approximation, and no mismatch is claimed from it.
func CheckSplit(observed []int64, weights []float64) (SplitCheck, error) {
	expected, err := phaseExpectation(SplitPhase{Observed: observed, Weights: weights})
	if err != nil {
		return SplitCheck{}, err
	}
	return CheckExpected(observed, expected)
}

// phaseExpectation shares the units of a phase's split out by its weights.
func phaseExpectation(phase SplitPhase) ([]float64, error) {
	observed, weights := phase.Observed, phase.Weights
	if len(observed) != len(weights) {
		return nil, problem(InvalidOption, "weights", "%d weights for %d arms", len(weights), len(observed))
	}
	var sum float64
	for _, w := range weights {
		if !finite(w) || w < 0 {
			return nil, problem(InvalidOption, "weights", "a weight must be a finite number of 0 or more, not %g", w)
		}
		sum += w
	}
	if math.Abs(sum-1) > WeightTolerance {
		return nil, problem(InvalidOption, "weights", "the weights must sum to 1, not %g", sum)
	}
	var inSplit int64
	for i, n := range observed {
		if n < 0 {
			return nil, problem(ImpossibleSums, "observed", "arm %d has %d units", i, n)
		}
		if weights[i] > 0 {
			inSplit += n
		}
	}
	expected := make([]float64, len(weights))
	for i, w := range weights {
		expected[i] = float64(inSplit) * w / sum
	}
	return expected, nil
}

// CheckExpected is the sample-ratio check against expected counts, which is
// what a split with changing weights needs: sum the expected counts of its
// phases. The expected counts must add up to the observed ones of the same arms.
func CheckExpected(observed []int64, expected []float64) (SplitCheck, error) {
	return checkExpected(observed, expected, SplitOptions{Minimum: MinimumExpected, Alarm: SplitAlarm})
}

func checkExpected(observed []int64, expected []float64, o SplitOptions) (SplitCheck, error) {
	if len(observed) != len(expected) {
		return SplitCheck{}, problem(InvalidOption, "expected", "%d expected counts for %d arms", len(expected), len(observed))
	}
	check := SplitCheck{Expected: expected, PValue: 1}
	var total, inSplit int64
	var expectedTotal float64
	smallest := math.Inf(1)
	for i, n := range observed {
		e := expected[i]
		if n < 0 {
			return SplitCheck{}, problem(ImpossibleSums, "observed", "arm %d has %d units", i, n)
		}
		if !finite(e) || e < 0 {
			return SplitCheck{}, problem(InvalidOption, "expected", "arm %d expects %g units", i, e)
		}
		total += n
		if e == 0 {
			check.Leaked += n
			continue
		}
		inSplit += n
		expectedTotal += e
		smallest = math.Min(smallest, e)
		check.DegreesOfFreedom++
		deviation := float64(n) - e
		check.ChiSquared += deviation * deviation / e
	}
	check.DegreesOfFreedom = max(0, check.DegreesOfFreedom-1)
	check.Leak = leaks(check.Leaked, total)
	switch {
	case math.Abs(expectedTotal-float64(inSplit)) > 1e-6*math.Max(1, float64(inSplit)):
		return SplitCheck{}, problem(InvalidOption, "expected", "%g units expected, %d observed", expectedTotal, inSplit)
	case inSplit == 0:
		return check, problem(TooFewUnits, "", "no unit was seen in any arm that expects units")
	case check.DegreesOfFreedom < 1:
		return check, problem(TooFewUnits, "", "a split check needs two arms that expect units")
	}
	check.PValue = distuv.ChiSquared{K: float64(check.DegreesOfFreedom)}.Survival(check.ChiSquared)
	if smallest < o.Minimum {
		return check, problem(TooFewUnits, "", "an arm expects %.1f units, the check needs %g", smallest, o.Minimum)
	}
	check.Mismatch = check.PValue < o.Alarm
	return check, nil
}
