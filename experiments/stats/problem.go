package stats

import (
	"errors"
	"fmt"
	"math"
)

// Reason names why a figure is missing. The values are part of the API of a
// report and do not change.
type Reason string

// The reasons for which this package refuses to give a figure.
const (
	// TooFewUnits: fewer units than the figure needs (two per arm for a test).
	TooFewUnits Reason = "too_few_units"
	// ZeroVariance: all units of an arm have the same value, so that the sample
	// says nothing about its own error.
	ZeroVariance Reason = "zero_variance"
	// NotFinite: an input or the result is NaN or infinite.
	NotFinite Reason = "not_finite"
	// ZeroBaseline: a relative effect over a control mean of exactly zero.
	ZeroBaseline Reason = "zero_baseline"
	// DenominatorNotPositive: a ratio whose denominators do not sum to more
	// than zero.
	DenominatorNotPositive Reason = "denominator_not_positive"
	// ImpossibleSums: no set of values has these sums, so they were lost or
	// mixed up on the way.
	ImpossibleSums Reason = "impossible_sums"
	// PrecisionLost: the values vary by less than the sums can resolve; sums
	// about a shift near the mean would show it.
	PrecisionLost Reason = "precision_lost"
	// BaselineUncertain: zero is a plausible value of the control's mean, so
	// that a relative effect has no bounded interval.
	BaselineUncertain Reason = "baseline_uncertain"
	// KindsDiffer: the arms, strata or cells are not of the same kind of metric.
	KindsDiffer Reason = "kinds_differ"
	// InvalidOption: a level, weight or expected count outside its range.
	InvalidOption Reason = "invalid_option"
)

// Problem is the error of every function here: a figure is missing and this is
// why. Subject names the input at fault ("control", "weights[1]") and may be
// empty; Detail is a sentence for a person.
type Problem struct {
	Reason  Reason `json:"reason"`
	Subject string `json:"subject,omitempty"`
	Detail  string `json:"detail"`
}

// Error gives subject and detail in one line.
func (p *Problem) Error() string {
	if p.Subject == "" {
		return p.Detail
	}
	return p.Subject + ": " + p.Detail
}

// AsProblem returns the Problem in err's chain, or nil when there is none.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return nil
}

func problem(reason Reason, subject, format string, args ...any) error {
	return &Problem{Reason: reason, Subject: subject, Detail: fmt.Sprintf(format, args...)}
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
