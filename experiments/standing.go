package experiments

import (
	"maps"
	"slices"
	"strings"

	"quintet/experiments/assignment"
	"quintet/internal/problem"
)

// Beside what people define there are experiments that always run: each holdout, and
// the groups of each decision point that learns.

// The groups of a decision point as variants of the experiment GroupsExperiment.
const (
	BanditVariant   = "bandit"
	RandomVariant   = "random"
	BusinessVariant = "business-as-usual"

	groupsPrefix = "groups:"
)

// GroupsExperiment is the key of the experiment as which the groups of a decision
// point are exposed and reported.
func GroupsExperiment(decisionPoint string) string { return groupsPrefix + decisionPoint }

// PointGroups are the groups of a decision point. The random group is [0, Random) of
// the bucket numbers under the salt GroupsExperiment, business as usual
// [1−BusinessAsUsual, 1), so that raising a share only takes people from the bandit.
type PointGroups struct {
	Random          float64 // share
	BusinessAsUsual float64 // share
	Advertising     bool    // whether the universal holdout is the fourth group
	Yield           bool    // whether experiments come first
}

// Compile gives the ranges.
func (g PointGroups) Compile(decisionPoint string) *assignment.Split {
	return &assignment.Split{Salt: GroupsExperiment(decisionPoint),
		First: assignment.Range{To: g.Random}, Last: assignment.Range{From: 1 - g.BusinessAsUsual, To: 1}}
}

// standing is the experiment that always runs under a key; false when the key is not
// of one.
func (s *Service) standing(key string) (*Experiment, bool, error) {
	metrics := slices.Sorted(maps.Keys(s.metrics.Snapshot()))
	if holdout, comparison, ok := HoldoutOf(key); ok {
		h, exists := s.holdouts.Get(holdout)
		if !exists || comparison && h.Value.comparison() == 0 {
			return nil, true, problem.NotFound("holdout", problem.Clip(holdout))
		}
		e := holdoutExperiment(holdout, h.Value, comparison, metrics)
		return &e, true, nil
	}
	point, ok := strings.CutPrefix(key, groupsPrefix)
	if !ok {
		return nil, false, nil
	}
	var g PointGroups
	if ok = s.pointGroups != nil; ok {
		g, ok = s.pointGroups(point)
	}
	if !ok {
		return nil, true, problem.NotFound("decision point with groups", problem.Clip(point))
	}
	e := s.groupsExperiment(point, g, metrics)
	return &e, true, nil
}

// groupsExperiment is the groups of a decision point seen as an experiment. The shares
// are of the people who are exposed: everybody but the universal holdout's comparison
// arm, which always gets the policy and would be too many for the bandit's group.
func (s *Service) groupsExperiment(point string, g PointGroups, metrics []string) Experiment {
	e := Experiment{Name: "Groups of " + point, DecisionPoint: point, Salt: GroupsExperiment(point), Status: Running, Coverage: 1, Metrics: metrics}
	rest := 1.0
	var held float64
	if h, ok := s.holdouts.Get(UniversalHoldout); ok && g.Advertising {
		held = h.Value.Share / (1 - h.Value.comparison())
		rest = 1 - held
	}
	e.Variants = []Variant{
		{Key: BusinessVariant, Weight: rest * g.BusinessAsUsual, Control: true},
		{Key: RandomVariant, Weight: rest * g.Random},
		{Key: BanditVariant, Weight: rest * (1 - g.Random - g.BusinessAsUsual)},
	}
	if g.Advertising {
		e.Variants = append(e.Variants, Variant{Key: HoldoutVariant, Weight: held})
	}
	return e
}

// comparison is the share of the comparison arm.
func (h *Holdout) comparison() float64 {
	if h.Ranges == nil || h.Ranges.Comparison == nil {
		return 0
	}
	return h.Ranges.Comparison.To - h.Ranges.Comparison.From
}
