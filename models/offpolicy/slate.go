package offpolicy

import "fmt"

// Position is one place of a slate.
type Position struct {
	Reward float64
	// Propensity and Target are the probabilities of what stood there given what stood before it.
	Propensity, Target float64
	// MarginalPropensity and MarginalTarget are those whatever stood elsewhere.
	MarginalPropensity, MarginalTarget float64
	// Expected is what the model expects of this place and those behind it, given what stands up to here; Value is
	// the same with this place filled by the target policy.
	Expected, Value float64
}

// Slate is one decision about several places.
type Slate struct {
	Positions []Position
	Person    uint64
}

// SlateMethod says which rewards depend on which places.
type SlateMethod int

// The methods, from the one that assumes least to the one that assumes most.
const (
	// WholeSlate lets every reward depend on all places: the product of all weights (SIPS).
	WholeSlate SlateMethod = iota
	// Cascade lets a reward depend on its place and those before it (RIPS; McInerney et al., KDD 2020).
	Cascade
	// CascadeDR is the cascade with a model, doubly robust (Kiyohara et al., WSDM 2022).
	CascadeDR
	// Independent lets a reward depend on its own place only (IIPS; Li et al., KDD 2018).
	Independent
)

var slateNames = map[SlateMethod]string{WholeSlate: "slate-ips", Cascade: "cascade-ips", CascadeDR: "cascade-dr", Independent: "independent-ips"}

// EvaluateSlates estimates the mean, over slates, of the sum of the rewards of their places under the target policy.
func EvaluateSlates(slates []Slate, method SlateMethod) (Estimate, error) {
	name, ok := slateNames[method]
	if !ok {
		return Estimate{}, fmt.Errorf("unknown method %d", method)
	}
	l := make(Log, len(slates))
	for i := range slates {
		value, err := slates[i].value(method)
		if err != nil {
			return Estimate{}, fmt.Errorf("slate %d: %w", i, err)
		}
		l[i] = Decision{Value: value, Propensity: 1, Person: slates[i].Person}
	}
	if err := l.Check(); err != nil {
		return Estimate{}, err
	}
	e := DM(l)
	e.Estimator = name
	return e, nil
}

func (s *Slate) value(method SlateMethod) (float64, error) {
	total, rewards, weight := 0.0, 0.0, 1.0
	for k := range s.Positions {
		p := &s.Positions[k]
		if !(p.Propensity > 0 && p.Propensity <= 1) || method == Independent && !(p.MarginalPropensity > 0 && p.MarginalPropensity <= 1) {
			return 0, fmt.Errorf("position %d: the propensity must be above 0 and at most 1", k+1)
		}
		before := weight
		weight *= p.Target / p.Propensity
		rewards += p.Reward
		switch method {
		case Cascade:
			total += weight * p.Reward
		case CascadeDR:
			total += before*p.Value + weight*(p.Reward-p.Expected)
		case Independent:
			total += p.MarginalTarget / p.MarginalPropensity * p.Reward
		}
	}
	if method == WholeSlate {
		return weight * rewards, nil
	}
	return total, nil
}

// Marginal sums the probabilities of all actions that share the chosen one's group, as its offer or its category:
// where the reward depends on the action through the group only, weights of groups are right and far smaller than
// those of actions. groups names the group of each action; the result goes into [Decision].
func Marginal(chosen int, groups []int, propensities, targets []float64) (propensity, target float64, err error) {
	if len(groups) != len(propensities) || len(groups) != len(targets) {
		return 0, 0, fmt.Errorf("%d groups, %d propensities and %d targets are not of the same actions", len(groups), len(propensities), len(targets))
	}
	if chosen < 0 || chosen >= len(groups) {
		return 0, 0, fmt.Errorf("the chosen action %d is none of %d", chosen, len(groups))
	}
	for a, g := range groups {
		if g == groups[chosen] {
			propensity, target = propensity+propensities[a], target+targets[a]
		}
	}
	return min(1, propensity), min(1, target), nil
}
