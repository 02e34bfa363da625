package offpolicy

import (
	"errors"
	"fmt"
	"math"
)

// Decision is one decision of the log.
type Decision struct {
	// Reward that came of it: any finite number.
	Reward float64
	// Propensity is the probability with which the logging policy chose what it chose, above 0 and at most 1.
	Propensity float64
	// Target is the probability with which the policy that is asked about would choose the same, 0 to 1.
	Target float64
	// Expected is what the model of the reward expects of what was chosen, and Value what it expects of the target
	// policy: its expectations of all actions, weighted by the target's probabilities. Both should come of a model that
	// was not fitted to this decision. They are read by the estimators with a model only.
	Expected, Value float64
	// Unreached is the share of the target policy's probability, 0 to 1, that lies on actions which the logging policy
	// could not choose here.
	Unreached float64
	// Person groups decisions that are not independent of one another; intervals treat each person as one. A decision
	// with 0 is a person of its own.
	Person uint64
}

// weight is the importance weight.
func (d *Decision) weight() float64 { return d.Target / d.Propensity }

// Log is what is evaluated.
type Log []Decision

// MaxDecisions bounds a log, which is held in memory.
const MaxDecisions = 20_000_000

// ErrEmpty is the error for a log without decisions.
var ErrEmpty = errors.New("the log has no decisions")

// Check says what is wrong with a log: the first decision with a number that is none, or a probability that is
// not one.
func (l Log) Check() error {
	if len(l) == 0 {
		return ErrEmpty
	}
	if len(l) > MaxDecisions {
		return fmt.Errorf("the log has %d decisions, at most %d can be evaluated at once", len(l), MaxDecisions)
	}
	for i := range l {
		d := &l[i]
		for _, f := range [...]struct {
			name  string
			value float64
			low   float64
			high  float64
		}{
			{"reward", d.Reward, -math.MaxFloat64, math.MaxFloat64},
			{"propensity", d.Propensity, math.SmallestNonzeroFloat64, 1},
			{"target", d.Target, 0, 1},
			{"expected reward", d.Expected, -math.MaxFloat64, math.MaxFloat64},
			{"value", d.Value, -math.MaxFloat64, math.MaxFloat64},
			{"unreached share", d.Unreached, 0, 1 + probabilitySlack},
		} {
			if !(f.value >= f.low && f.value <= f.high+probabilitySlack) {
				return fmt.Errorf("decision %d: the %s is %v", i, f.name, f.value)
			}
		}
	}
	return nil
}

// probabilitySlack is how far sums of probabilities may be above 1 by rounding.
const probabilitySlack = 1e-9
