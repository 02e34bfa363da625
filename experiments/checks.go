package experiments

import (
	"fmt"
	"slices"

	"quintet/experiments/stats"
)

// Names of the checks of a report.
const (
	SampleRatioCheck      = "sample-ratio"
	MultipleExposureCheck = "multiple-exposure"
)

// Check is a test of the experiment itself, apart from any metric.
type Check struct {
	Name   string     `json:"name"`
	Passed bool       `json:"passed" doc:"False when the check raised an alarm"`
	Made   bool       `json:"made" doc:"False when there are not enough data yet; the check then passes"`
	PValue *float64   `json:"pValue,omitempty"`
	Detail string     `json:"detail" doc:"The outcome in a sentence"`
	Arms   []CheckArm `json:"arms,omitempty" nullable:"false"`
}

// CheckArm is one arm's part in a check.
type CheckArm struct {
	Variant  string  `json:"variant"`
	Expected float64 `json:"expected"`
	Observed int64   `json:"observed"`
}

// Multiple exposure fails at 1 % of all people when there are ten or more: the
// thresholds that GrowthBook uses.
const (
	mixedShare   = 0.01
	mixedMinimum = 10
)

// check fills the checks of the report.
func (r *Report) check(e *Experiment, rows []armSums) {
	r.Checks = []Check{sampleRatio(e, rows), multipleExposure(rows)}
	r.ChecksPassed = !slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.Passed })
}

// sampleRatio compares the sizes of the arms with their weights. A variant that
// the definition does not know is an arm of weight zero.
func sampleRatio(e *Experiment, rows []armSums) Check {
	names := make([]string, 0, len(e.Variants))
	weights := e.Weights()
	for _, v := range e.Variants {
		names = append(names, v.Key)
	}
	for _, row := range rows {
		if !slices.Contains(names, row.variant) {
			names, weights = append(names, row.variant), append(weights, 0)
		}
	}
	observed := make([]int64, len(names))
	for _, row := range rows {
		observed[slices.Index(names, row.variant)] = int64(row.units)
	}
	split, err := stats.CheckSplit(observed, weights)
	c := Check{Name: SampleRatioCheck, Passed: split.Passed()}
	for i, name := range names {
		if i < len(split.Expected) {
			c.Arms = append(c.Arms, CheckArm{Variant: name, Expected: split.Expected[i], Observed: observed[i]})
		}
	}
	switch p := stats.AsProblem(err); {
	case p != nil && p.Reason == stats.TooFewUnits:
		c.Detail = "Not enough people yet: " + sentence(err)
	case err != nil:
		c.Passed, c.Detail = false, "The split cannot be checked: "+sentence(err)
	default:
		c.Made, c.PValue = true, &split.PValue
		c.Detail = fmt.Sprintf("The arms have the sizes that their weights promise (p = %.3g).", split.PValue)
	}
	if split.Mismatch {
		c.Detail = fmt.Sprintf("The arms do not have the sizes that their weights promise (p = %.2g): people are lost or added in some arm, and no figure below can be believed.", split.PValue)
	}
	if split.Leak {
		c.Made = true
		c.Detail = fmt.Sprintf("%d people were seen in variants that nobody should get. ", split.Leaked) + c.Detail
	}
	return c
}

// multipleExposure counts the people who were seen in more than one arm. They
// are left out of every figure.
func multipleExposure(rows []armSums) Check {
	c := Check{Name: MultipleExposureCheck, Passed: true}
	var mixed, total uint64
	for _, row := range rows {
		mixed += row.mixed
		total += row.units + row.mixed
	}
	if total == 0 {
		c.Detail = "Nobody has been seen in the experiment yet."
		return c
	}
	c.Made = true
	c.Passed = mixed < mixedMinimum || float64(mixed) < mixedShare*float64(total)
	switch {
	case mixed == 0:
		c.Detail = "Everyone was seen in one variant only."
	default:
		c.Detail = fmt.Sprintf("%d of %d people were seen in more than one variant and are left out.", mixed, total)
	}
	return c
}
