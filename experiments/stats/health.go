package stats

import (
	"fmt"
	"math"
)

func subscript(name string, i int) string { return fmt.Sprintf("%s[%d]", name, i) }

// Thresholds of the checks of an experiment's health, those of GrowthBook.
const (
	// MinimumExpectedBandit is the number of units per arm from which the
	// split of a bandit is checked; its weights move, so it is checked earlier.
	MinimumExpectedBandit = 5
	// MixedShare and MixedMinimum: units seen in several arms raise an alarm
	// from this share of all units and this number on.
	MixedShare   = 0.01
	MixedMinimum = 10
	// ImbalanceAlarm is the level of the check of pre-period values, shared
	// out over its tests.
	ImbalanceAlarm = 0.001
)

// SplitPhase is a stretch of time in which the weights did not change, with the
// units that were first seen in it. All phases have the same arms in the same
// order; an arm that was not yet there or had been dropped has weight zero.
type SplitPhase struct {
	Observed []int64
	Weights  []float64 // sum to 1
}

// SplitOptions of a sample-ratio check. The zero value is the check of an
// experiment of fixed weights.
type SplitOptions struct {
	Minimum float64 // expected units per arm below which nothing is said; 0 means MinimumExpected
	Alarm   float64 // p-value below which a split is broken; 0 means SplitAlarm
}

func (o SplitOptions) resolve() (SplitOptions, error) {
	if o.Minimum == 0 {
		o.Minimum = MinimumExpected
	}
	if o.Alarm == 0 {
		o.Alarm = SplitAlarm
	}
	switch {
	case !finite(o.Minimum) || o.Minimum < 0:
		return o, problem(InvalidOption, "minimum", "the expected units must be finite and 0 or more, not %g", o.Minimum)
	case !(o.Alarm > 0 && o.Alarm < 1):
		return o, problem(InvalidOption, "alarm", "the level must be above 0 and below 1, not %g", o.Alarm)
	}
	return o, nil
}

// CheckPhases is the sample-ratio check of an experiment whose weights changed:
// the expected counts are summed over the phases, each by its own weights, and
// a unit in an arm that had weight zero in its phase counts as leaked even if
// the arm had weight before or after.
func CheckPhases(phases []SplitPhase, o SplitOptions) (SplitCheck, error) {
	o, err := o.resolve()
	if err != nil {
		return SplitCheck{}, err
	}
	if len(phases) == 0 {
		return SplitCheck{}, problem(InvalidOption, "phases", "a check needs a phase")
	}
	arms := len(phases[0].Weights)
	expected, observed := make([]float64, arms), make([]int64, arms)
	var total, leaked int64
	for i, phase := range phases {
		if len(phase.Weights) != arms {
			return SplitCheck{}, problem(InvalidOption, subscript("phases", i), "%d weights, the first phase has %d", len(phase.Weights), arms)
		}
		counts, err := phaseExpectation(phase)
		if err != nil {
			p := AsProblem(err)
			return SplitCheck{}, problem(p.Reason, subscript("phases", i)+"."+p.Subject, "%s", p.Detail)
		}
		for a, n := range phase.Observed {
			total += n
			expected[a] += counts[a]
			if phase.Weights[a] > 0 {
				observed[a] += n
			} else {
				leaked += n
			}
		}
	}
	check, err := checkExpected(observed, expected, o)
	check.Leaked = leaked
	check.Leak = leaks(leaked, total)
	return check, err
}

// SplitValue is one value of a dimension ("ios") with the phases of its units.
type SplitValue struct {
	Value  string
	Phases []SplitPhase
}

// ValueCheck is the sample-ratio check of one value of a dimension. Problem is
// set where the value has too few units for it.
type ValueCheck struct {
	Value   string
	Check   SplitCheck
	Problem *Problem
}

// CheckDimension checks the split within each value of a dimension, which finds
// a loss that a check of all units hides (one browser that drops a variant).
// The alarm level is shared over the values that have enough units, so that the
// dimension as a whole raises a false alarm as rarely as one check.
func CheckDimension(values []SplitValue, o SplitOptions) ([]ValueCheck, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	out := make([]ValueCheck, len(values))
	made := 0
	for i, v := range values {
		check, err := CheckPhases(v.Phases, o)
		out[i] = ValueCheck{Value: v.Value, Check: check, Problem: AsProblem(err)}
		switch {
		case err == nil:
			made++
		case out[i].Problem.Reason != TooFewUnits:
			return nil, fmt.Errorf("check the split of %q: %w", v.Value, err)
		}
	}
	for i := range out {
		if out[i].Problem == nil {
			out[i].Check.Mismatch = out[i].Check.PValue < o.Alarm/float64(made)
		}
	}
	return out, nil
}

// ExposureCheck says how many units were seen in several arms.
type ExposureCheck struct {
	Mixed, Total int64
	Share        float64 // Mixed/Total; 0 without units
	Alarm        bool    // MixedShare or more, and MixedMinimum or more
}

// CheckExposure judges the units that were seen in several arms: they are left
// out of every figure, and many of them mean that assignment is broken. Total
// counts all units, the mixed ones among them.
func CheckExposure(mixed, total int64) (ExposureCheck, error) {
	if mixed < 0 || total < mixed {
		return ExposureCheck{}, problem(ImpossibleSums, "mixed", "%d units of %d are in several arms", mixed, total)
	}
	c := ExposureCheck{Mixed: mixed, Total: total}
	if total > 0 {
		c.Share = float64(mixed) / float64(total)
	}
	c.Alarm = mixed >= MixedMinimum && c.Share >= MixedShare
	return c, nil
}

// PrePeriod holds what the arms of one comparison looked like before the
// experiment: the metric over the days before each unit's first exposure.
type PrePeriod struct {
	Metric, Treatment string // names, for the caller
	Control, Treated  Estimate
}

// Imbalance is the test of one pre-period comparison.
type Imbalance struct {
	Metric, Treatment string
	Effect            Effect // absolute difference before the experiment
	Alarm             bool
	Problem           *Problem // why there is no test
}

// CheckPrePeriod tests whether the arms differed before they were treated, which
// random assignment rules out but for chance: a difference means that the
// assignment depends on the units, or that the salt was used before. Each test
// is made at level (0 means ImbalanceAlarm) over the number of tests. The bool
// is true when any alarm is raised.
func CheckPrePeriod(values []PrePeriod, level float64) ([]Imbalance, bool, error) {
	if level == 0 {
		level = ImbalanceAlarm
	}
	if !(level > 0 && level < 1) {
		return nil, false, problem(InvalidOption, "level", "the level must be above 0 and below 1, not %g", level)
	}
	out := make([]Imbalance, len(values))
	made, any := 0, false
	for i, v := range values {
		out[i] = Imbalance{Metric: v.Metric, Treatment: v.Treatment}
		effect, err := Absolute(v.Control, v.Treated, Options{})
		if err != nil {
			out[i].Problem = AsProblem(err)
			continue
		}
		out[i].Effect = effect
		made++
	}
	for i := range out {
		out[i].Alarm = out[i].Problem == nil && out[i].Effect.PValue < level/float64(made)
		any = any || out[i].Alarm
	}
	return out, any, nil
}

// leaks is the rule for units in arms that nobody should be in: more than
// max(5, 0.01 %) of all (Bucketeer).
func leaks(leaked, total int64) bool {
	return float64(leaked) > math.Max(5, 1e-4*float64(total))
}
