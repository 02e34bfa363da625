package experiments

import (
	"fmt"
	"strings"

	"quintet/experiments/assignment"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// UniversalHoldout is the key of the holdout definition that every advertising
// decision obeys. All others are named: experiments, flags and decision points say
// that they respect them.
const UniversalHoldout = "universal"

// Holdout is a control group over everything that respects it: a fixed share of
// people who get none of it, and a comparison arm of the same size who get what has
// shipped and are in no experiment. Its salt is its own, so that it is independent of
// every experiment and every other holdout; raising the share only adds people.
type Holdout struct {
	Name  string  `json:"name,omitempty" maxLength:"200" doc:"Name shown in the console"`
	Share float64 `json:"share" minimum:"0" exclusiveMaximum:"1" doc:"Share of all people who are held out; with a comparison arm at most 0.5, as that has the same size"`
	Salt  string  `json:"salt,omitempty" maxLength:"256" doc:"Seed of who is held out; universal-holdout, or holdout: and the key of a named one, unless given. A change picks other people"`
	// Comparison is a pointer to tell whether it was given.
	Comparison *bool `json:"comparison,omitempty" doc:"Whether there is a comparison arm. True for a new holdout unless given; a holdout that exists keeps what it has"`
	// Ranges are worked out, so that anybody can compute who is where.
	Ranges *HoldoutRanges `json:"ranges,omitempty" readOnly:"true" doc:"Who is where: a unit is in an arm when bitShiftRight(xxHash64(salt || zero byte || unit), 11) / 2^53 is in its range. Worked out of the share"`
}

// HoldoutRanges are the ranges of bucket numbers of a holdout's arms.
type HoldoutRanges struct {
	Held       assignment.Range  `json:"held" doc:"Begins at 0 and grows upwards"`
	Comparison *assignment.Range `json:"comparison,omitempty" doc:"Ends at 1 and grows downwards"`
}

// Holds says whether the unit is held out.
func (h Holdout) Holds(unit string) bool {
	return h.Share > 0 && Bucket(h.Salt, unit) < h.Share
}

// defaultHoldoutShare is what a new installation holds out.
const defaultHoldoutShare = 0.05

// maxHoldoutDefinitions bounds how many holdouts there are: each decision may look at
// several.
const maxHoldoutDefinitions = 100

func (h *Holdout) normalise(key string) {
	if h.Salt == "" {
		h.Salt = HoldoutExperiment(key)
	}
	if h.Comparison == nil {
		h.Comparison = new(true)
	}
	h.Ranges = &HoldoutRanges{Held: assignment.Range{To: h.Share}}
	if *h.Comparison {
		h.Ranges.Comparison = &assignment.Range{From: 1 - h.Share, To: 1}
	}
}

func (h *Holdout) validate() problem.Invalid {
	var bad problem.Invalid
	checkText(&bad, "name", h.Name, maxNameRunes)
	compared := h.Comparison != nil && *h.Comparison
	switch {
	case !(h.Share >= 0 && h.Share < 1):
		bad.Add("share", "must be at least 0 and below 1", number(h.Share))
	case compared && h.Share > 0.5:
		bad.Add("share", "must be at most 0.5, as the comparison arm has the same size; or set comparison to false", number(h.Share))
	}
	checkSalt(&bad, "salt", h.Salt)
	return bad
}

// Holdouts are reported as experiments. The universal one has names of its own.
const (
	// UniversalExperiment is the key under which the universal holdout is exposed and
	// reported, as an experiment of its own with the variants HoldoutVariant (the
	// control) and TreatedVariant.
	UniversalExperiment = "universal-holdout"
	// UniversalComparison compares the universal holdout with its comparison arm: the
	// variants are HoldoutVariant and ComparisonVariant.
	UniversalComparison = "universal-comparison"

	HoldoutVariant    = "holdout"
	TreatedVariant    = "treated"
	ComparisonVariant = "all-treated"

	holdoutPrefix    = "holdout:"
	comparisonPrefix = "comparison:"
)

// HoldoutExperiment is the key of the experiment as which a holdout is reported
// against everybody else.
func HoldoutExperiment(holdout string) string {
	if holdout == UniversalHoldout {
		return UniversalExperiment
	}
	return holdoutPrefix + holdout
}

// ComparisonExperiment is the key of the experiment as which a holdout is reported
// against its comparison arm.
func ComparisonExperiment(holdout string) string {
	if holdout == UniversalHoldout {
		return UniversalComparison
	}
	return comparisonPrefix + holdout
}

// HoldoutOf is the holdout that an experiment's key stands for, and whether it is the one that compares
// it with its comparison arm.
func HoldoutOf(experiment string) (holdout string, comparison, ok bool) {
	switch experiment {
	case UniversalExperiment:
		return UniversalHoldout, false, true
	case UniversalComparison:
		return UniversalHoldout, true, true
	}
	if key, ok := strings.CutPrefix(experiment, holdoutPrefix); ok {
		return key, false, true
	}
	if key, ok := strings.CutPrefix(experiment, comparisonPrefix); ok {
		return key, true, true
	}
	return "", false, false
}

// CompileHoldout makes what assigns of a definition. A version from before there were
// comparison arms has none.
func CompileHoldout(v definitions.Versioned[Holdout]) *assignment.Holdout {
	h := assignment.Holdout{
		Key: v.Key, Version: v.Version, Salt: v.Value.Salt, Held: assignment.Range{To: v.Value.Share},
		Exposure: HoldoutExperiment(v.Key), ComparisonExposure: ComparisonExperiment(v.Key),
	}
	if r := v.Value.Ranges; r != nil && r.Comparison != nil {
		h.Comparison = *r.Comparison
	}
	return assignment.NewHoldout(h)
}

// holdoutExperiment is a holdout seen as an experiment.
func holdoutExperiment(key string, h Holdout, comparison bool, metrics []string) Experiment {
	name := "Universal holdout"
	if key != UniversalHoldout {
		name = "Holdout " + key
	}
	if h.Name != "" {
		name = h.Name
	}
	e := Experiment{Name: name, Salt: h.Salt, Status: Running, Coverage: 1, Metrics: metrics}
	if comparison {
		e.Name += ": holdout against all-treated"
		e.Coverage = 2 * h.Share
		e.Variants = []Variant{{Key: HoldoutVariant, Weight: 0.5, Control: true}, {Key: ComparisonVariant, Weight: 0.5}}
		return e
	}
	e.Variants = []Variant{{Key: HoldoutVariant, Weight: h.Share, Control: true}, {Key: TreatedVariant, Weight: 1 - h.Share}}
	return e
}

// fillHoldout completes a holdout that is to be stored: one that exists keeps whether
// it has a comparison arm, as people would leave their experiments for it.
func (s *Service) fillHoldout(key string, h *Holdout) (exists bool) {
	was, exists := s.holdouts.Get(key)
	if exists {
		if h.Comparison == nil {
			h.Comparison = new(was.Value.Ranges != nil && was.Value.Ranges.Comparison != nil)
		}
		if h.Salt == "" {
			h.Salt = was.Value.Salt
		}
	}
	h.normalise(key)
	return exists
}

// checkHoldoutCount bounds the number of holdouts.
func (s *Service) checkHoldoutCount(exists bool, bad *problem.Invalid) {
	if n := len(s.holdouts.Snapshot()); !exists && n >= maxHoldoutDefinitions {
		bad.Add("path.key", fmt.Sprintf("must not be new: there are %d holdouts, the most there may be", n), nil)
	}
}
