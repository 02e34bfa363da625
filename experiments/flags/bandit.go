package flags

import (
	"encoding/json"
	"maps"
	"slices"

	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/experiments/growthbook"
)

// Bandits write out what the policy of a decision point would choose, for those who
// cannot ask for a decision.
type Bandits interface {
	// Weights are the probabilities of some actions of a decision point; false when
	// there is no such point, or an action is not its own.
	Weights(decisionPoint string, actions []string) (BanditWeights, bool)
	// Stamp changes with the weights.
	Stamp(decisionPoint string) string
}

// BanditWeights are the probabilities of actions by context.
type BanditWeights struct {
	Version   int64 // of the model, 0 without one
	Leaves    []BanditLeaf
	Otherwise []float64 // of those whom no leaf describes
}

// BanditLeaf is a context: values of attributes, and the probabilities in it.
type BanditLeaf struct {
	Values  map[string]any
	Weights []float64
}

// bandit is the policy of a decision point over the actions that a rule has values of.
type bandit struct {
	point   string
	key     string // under which it is exposed
	actions []string
	version int64
	leaves  []leaf
	weights []float64 // without a leaf
}

type leaf struct {
	condition *condition.Condition
	weights   []float64
}

// noLeaf is the leaf of those whom no context describes, as in GrowthBook's SDKs.
const noLeaf = -1

// compileBandit makes the policy of a rule, nil when the decision point has none for it.
func compileBandit(flag string, r *Rule, source Bandits) *bandit {
	if source == nil {
		return nil
	}
	b := &bandit{point: r.Bandit, key: flag + "/" + r.Key, actions: slices.Sorted(maps.Keys(r.Values))}
	w, ok := source.Weights(r.Bandit, b.actions)
	if !ok {
		return nil
	}
	b.version, b.weights = w.Version, w.Otherwise
	for _, one := range w.Leaves {
		text, err := json.Marshal(one.Values)
		if err != nil {
			return nil
		}
		c, err := condition.Parse(text)
		if err != nil {
			return nil
		}
		b.leaves = append(b.leaves, leaf{c, one.Weights})
	}
	return b
}

// draw is the action of a subject: its index, the probability that it had, and the
// leaf. It is -1 for a subject without a unit.
func (b *bandit) draw(s assignment.Subject, unit, salt string) (action int, probability float64, leaf int) {
	value := s.Unit(unit)
	if value == "" {
		return -1, 0, noLeaf
	}
	weights, leaf := b.weights, noLeaf
	for i := range b.leaves {
		if b.leaves[i].condition.Matches(s, nil) {
			weights, leaf = b.leaves[i].weights, i
			break
		}
	}
	action = assignment.Choose(assignment.GrowthBook.Bucket(salt, value), assignment.BucketRanges(len(weights), 1, weights))
	if action < 0 {
		// The weights sum to a little less than one.
		action = len(weights) - 1
	}
	return action, weights[action], leaf
}

// payload is the bandit as SDKs know it.
func (b *bandit) payload() growthbook.ContextualBandit {
	out := growthbook.ContextualBandit{BanditVersion: &b.version, Contexts: []growthbook.BanditContext{}}
	for i, l := range b.leaves {
		out.Contexts = append(out.Contexts, growthbook.BanditContext{LeafID: i, Condition: l.condition.Source(), Weights: l.weights})
	}
	return out
}
