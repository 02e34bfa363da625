package experiments

import (
	"fmt"
	"math"
	"time"

	"quintet/internal/problem"
)

// Ramp widens the coverage of a running experiment step by step.
type Ramp struct {
	Steps []RampStep `json:"steps" minItems:"1" maxItems:"20" nullable:"false" doc:"In the order of time; the experiment begins with its coverage"`
	Gated bool       `json:"gated,omitempty" doc:"Take a step only while no guardrail is broken and the checks of the report pass"`
}

// RampStep is one widening.
type RampStep struct {
	AfterHours float64 `json:"afterHours" minimum:"0" maximum:"8784" doc:"Hours after the start"`
	Coverage   float64 `json:"coverage" minimum:"0" maximum:"1" doc:"Share of people who take part from then on"`
}

// due says whether the step's time has come.
func (s RampStep) due(startedAt, now time.Time) bool {
	return !now.Before(startedAt.Add(time.Duration(s.AfterHours * float64(time.Hour))))
}

const (
	maxRampSteps = 20
	maxRampHours = 24 * 366
)

func (e *Experiment) validateSchedule(bad *problem.Invalid) {
	if e.StartAt != nil && e.EndAt != nil && !e.EndAt.After(*e.StartAt) {
		bad.Add("endAt", "must be after startAt", e.EndAt.Format(time.RFC3339))
	}
	if e.Ramp == nil {
		return
	}
	if n := len(e.Ramp.Steps); n < 1 || n > maxRampSteps {
		bad.Add("ramp.steps", fmt.Sprintf("must have 1 to %d steps", maxRampSteps), n)
		return
	}
	before := RampStep{AfterHours: -1}
	for i, step := range e.Ramp.Steps {
		at := func(field string) string { return fmt.Sprintf("ramp.steps[%d].%s", i, field) }
		switch {
		case !(step.AfterHours >= 0 && step.AfterHours <= maxRampHours):
			bad.Add(at("afterHours"), fmt.Sprintf("must be 0 to %d", maxRampHours), number(step.AfterHours))
		case step.AfterHours <= before.AfterHours:
			bad.Add(at("afterHours"), "must be later than the step before", step.AfterHours)
		}
		switch {
		case !(step.Coverage > 0 && step.Coverage <= 1):
			bad.Add(at("coverage"), "must be above 0 and at most 1", number(step.Coverage))
		case i > 0 && step.Coverage <= before.Coverage:
			bad.Add(at("coverage"), "must be above that of the step before: people never leave", step.Coverage)
		case i == 0 && e.StartedAt == nil && step.Coverage <= e.coverage():
			bad.Add(at("coverage"), "must be above the coverage that the experiment begins with", step.Coverage)
		}
		if !math.IsNaN(step.AfterHours) && !math.IsNaN(step.Coverage) {
			before = step
		}
	}
}
