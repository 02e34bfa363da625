package campaigns

import (
	"cmp"
	"maps"
	"slices"

	"quintet/decide"
	"quintet/experiments"
)

// Arm is a variant of an experiment, with the people of an audience that it has.
type Arm struct {
	Variant string  `json:"variant"`
	People  float64 `json:"people" doc:"Expected number of people in the whole audience"`
	Control bool    `json:"control,omitempty"`
}

// Comparison is an experiment at a decision point, or its groups.
type Comparison struct {
	Experiment string `json:"experiment" doc:"Key of the experiment; groups:POINT for the groups of a decision point that learns"`
	Arms       []Arm  `json:"arms" nullable:"false" doc:"The control first, where there is one, then the largest"`
	Power      *Power `json:"power,omitempty" doc:"What the smallest of the other variants could show beside the first one, whose people count as held; absent where there are not two"`
}

// enrol notes in which experiments a person would be.
func (t *tally) enrol(rec *decide.Record) {
	for _, e := range rec.Experiments {
		if _, _, holdout := experiments.HoldoutOf(e.Key); holdout {
			continue // told of by itself
		}
		arms := t.arms[e.Key]
		if arms == nil {
			arms = make(map[string]*Arm)
			t.arms[e.Key] = arms
		}
		arm := arms[e.Variant]
		if arm == nil {
			arm = &Arm{Variant: e.Variant}
			arms[e.Variant] = arm
		}
		arm.People++
		// Whoever is in one experiment alone says which of its variants is the control.
		arm.Control = arm.Control || rec.Group == decide.GroupControl && len(rec.Experiments) == 1
	}
}

func (t *tally) comparisons(scale, baseline float64) []Comparison {
	out := make([]Comparison, 0, len(t.arms))
	for _, key := range slices.Sorted(maps.Keys(t.arms)) {
		c := Comparison{Experiment: key}
		for _, variant := range slices.Sorted(maps.Keys(t.arms[key])) {
			arm := *t.arms[key][variant]
			arm.People *= scale
			c.Arms = append(c.Arms, arm)
		}
		slices.SortStableFunc(c.Arms, func(a, b Arm) int {
			if a.Control != b.Control {
				if a.Control {
					return -1
				}
				return 1
			}
			return cmp.Compare(b.People, a.People)
		})
		if n := len(c.Arms); n > 1 {
			c.Power = power(c.Arms[n-1].People, c.Arms[0].People, baseline)
		}
		out = append(out, c)
	}
	return out
}
