package models

import (
	"fmt"
	"math"

	"quintet/internal/problem"
)

// Limits of an objective.
const (
	MaxTerms           = 16
	MaxWindowHours     = 90 * 24
	DefaultWindowHours = 72
	maxEventName       = 256
	maxWeight          = 1e6
)

// Objective says what a decision is rewarded for. Its reward is the sum, over the
// terms and over the events of that name within the window after the decision,
// of weight times the property's value, less the contact cost if asked for.
//
// An event belongs to the decision that its decisionId names; without one, to the
// last decision about that person before it, at whatever decision point.
type Objective struct {
	// Terms are added up. Without any, nothing is learned.
	Terms []Term `json:"terms" nullable:"false" maxItems:"16" doc:"What is counted; the terms are added up"`
	// WindowHours is how long after a decision an event counts for it.
	WindowHours float64 `json:"windowHours,omitempty" doc:"Hours after the decision in which an event counts; 72 unless set"`
	// SubtractContactCost takes the channel's contact cost off the reward.
	SubtractContactCost bool `json:"subtractContactCost,omitempty" doc:"Whether the cost of the contact is taken off"`
}

// Term is one kind of event that counts.
type Term struct {
	Event    string  `json:"event" doc:"Name of the event" minLength:"1" maxLength:"256"`
	Property string  `json:"property,omitempty" doc:"Numeric property that is summed; without it events are counted" maxLength:"256"`
	Weight   float64 `json:"weight,omitempty" doc:"Factor of this term, may be negative; 1 unless set"`
}

// Validate fills in defaults and returns a [problem.Invalid] naming each broken
// member. An objective without terms is valid: not every policy learns.
func (o *Objective) Validate() error {
	var bad problem.Invalid
	if o.Terms == nil {
		o.Terms = []Term{}
	}
	if len(o.Terms) > MaxTerms {
		bad.Add("terms", fmt.Sprintf("must have at most %d entries", MaxTerms), len(o.Terms))
		return bad
	}
	for i := range o.Terms {
		t, at := &o.Terms[i], fmt.Sprintf("terms[%d].", i)
		if t.Event == "" || len(t.Event) > maxEventName {
			bad.Add(at+"event", fmt.Sprintf("must have 1 to %d bytes", maxEventName), problem.Clip(t.Event))
		}
		if len(t.Property) > maxEventName {
			bad.Add(at+"property", fmt.Sprintf("must have at most %d bytes", maxEventName), problem.Clip(t.Property))
		}
		if t.Weight == 0 {
			t.Weight = 1
		}
		if !(math.Abs(t.Weight) <= maxWeight) {
			bad.Add(at+"weight", fmt.Sprintf("must be from -%g to %g", float64(maxWeight), float64(maxWeight)), nil)
		}
	}
	if o.WindowHours == 0 {
		o.WindowHours = DefaultWindowHours
	}
	if !(o.WindowHours > 0 && o.WindowHours <= MaxWindowHours) {
		bad.Add("windowHours", fmt.Sprintf("must be above 0 and at most %d", MaxWindowHours), nil)
	}
	return bad.Err()
}
