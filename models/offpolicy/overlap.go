package offpolicy

import (
	"fmt"
	"math"
	"strings"
)

// Overlap says how far a log supports a question about another policy.
type Overlap struct {
	Decisions int
	// EffectiveSize is the number of decisions of the target policy itself that would tell as much: (Σw)²/Σw² (Kish).
	EffectiveSize float64
	// MeanWeight is 1 in expectation where the log has full support; MeanWeightError is its standard error.
	MeanWeight, MeanWeightError float64
	MaxWeight                   float64
	// MaxWeightShare is the share of all weight that one decision has.
	MaxWeightShare float64
	// SmallestPropensity that was logged.
	SmallestPropensity float64
	// Unreached is the mean share of the target's probability on actions that the log could not have chosen.
	Unreached float64
}

// Diagnose measures the overlap of a log with its target policy.
func (l Log) Diagnose() Overlap {
	o := Overlap{Decisions: len(l), SmallestPropensity: 1}
	var sum, squares float64
	for i := range l {
		w := l[i].weight()
		sum, squares = sum+w, squares+w*w
		o.MaxWeight = max(o.MaxWeight, w)
		o.SmallestPropensity = min(o.SmallestPropensity, l[i].Propensity)
		o.Unreached += l[i].Unreached
	}
	n := float64(len(l))
	if n == 0 {
		return o
	}
	o.Unreached /= n
	o.MeanWeight = sum / n
	if squares > 0 {
		o.EffectiveSize, o.MaxWeightShare = sum*sum/squares, o.MaxWeight/sum
	}
	if n > 1 {
		o.MeanWeightError = math.Sqrt(max(0, squares-sum*sum/n)/(n-1)) / math.Sqrt(n)
	}
	return o
}

// Bounds below which a log is refused.
type Bounds struct {
	// EffectiveSize is the least effective size, and EffectiveShare the least share of the decisions that it must be;
	// the larger of both counts.
	EffectiveSize, EffectiveShare float64
	// MaxWeightShare is the largest share of all weight that one decision may have.
	MaxWeightShare float64
	// MeanWeightErrors is how many standard errors the mean weight may be from 1.
	MeanWeightErrors float64
	// Unreached is the largest share of the target's probability that may lie outside of the log's reach.
	Unreached float64
}

// DefaultBounds are those of the promotion gate.
func DefaultBounds() Bounds {
	return Bounds{EffectiveSize: 1000, EffectiveShare: 0.01, MaxWeightShare: 0.01, MeanWeightErrors: 3, Unreached: 1e-6}
}

// NoSupportError says why a log cannot answer the question.
type NoSupportError struct {
	// Reasons are sentences without a full stop, each with the figure and its bound.
	Reasons []string
}

// Error joins the reasons.
func (e *NoSupportError) Error() string {
	return "the log does not support the question: " + strings.Join(e.Reasons, "; ")
}

// Check returns a *[NoSupportError] where the overlap breaks a bound, nil otherwise.
func (o Overlap) Check(b Bounds) error {
	var reasons []string
	refuse := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if least := max(b.EffectiveSize, b.EffectiveShare*float64(o.Decisions)); o.EffectiveSize < least {
		refuse("the %d decisions tell as much as %.0f of the policy itself would, at least %.0f are needed", o.Decisions, o.EffectiveSize, least)
	}
	if o.MaxWeightShare > b.MaxWeightShare {
		refuse("one decision has %.2g %% of all weight, at most %.2g %% is allowed", 100*o.MaxWeightShare, 100*b.MaxWeightShare)
	}
	if off := math.Abs(o.MeanWeight - 1); off > b.MeanWeightErrors*o.MeanWeightError+probabilitySlack {
		refuse("the mean weight is %.4g ± %.2g instead of 1: the log's propensities are wrong, or it lacks actions", o.MeanWeight, o.MeanWeightError)
	}
	if o.Unreached > b.Unreached {
		refuse("%.3g %% of what the policy would choose could never be chosen in the log", 100*o.Unreached)
	}
	if reasons == nil {
		return nil
	}
	return &NoSupportError{Reasons: reasons}
}
