package decide

import (
	"maps"
	"slices"
	"strconv"

	"quintet/models/bandits"
)

// maxLeaves bounds the contexts that a policy is written out for.
const maxLeaves = 64

// Leaf is a context with the probabilities of a policy in it.
type Leaf struct {
	// Profile and Context are the values that the context has, by the names of traits
	// and of fields of the context.
	Profile, Context map[string]any
	Probabilities    []float64 // parallel to the actions
}

// Leaves write out the policy of a decision point over some of its actions, for those
// who cannot ask for a decision.
type Leaves struct {
	ModelVersion int64 // 0 without a model
	Leaves       []Leaf
	// Otherwise are the probabilities of a context without any value.
	Otherwise []float64
}

// PolicyStamp changes with everything that [Service.Leaves] depends on; it is empty
// when there is no such decision point.
func (s *Service) PolicyStamp(decisionPoint string) string {
	p, ok := s.state.Load().points[decisionPoint]
	if !ok {
		return ""
	}
	stamp := strconv.FormatInt(p.version, 10)
	if m := s.models.Current(decisionPoint); m != nil {
		stamp += "/" + strconv.FormatInt(m.Version, 10)
	}
	return stamp
}

// Leaves writes out what the policy of a decision point would choose among actions, for
// every combination of the values of its first categorical features, at most 64. Other
// features count as missing, so that within a leaf the probabilities are those of
// somebody of whom no more is known. It is false when there is no such point, or one
// of the actions is not its own.
func (s *Service) Leaves(decisionPoint string, actions []string) (*Leaves, bool) {
	p, ok := s.state.Load().points[decisionPoint]
	if !ok || len(actions) == 0 {
		return nil, false
	}
	for _, a := range actions {
		if _, ok := p.byID[a]; !ok {
			return nil, false
		}
	}
	out := new(Leaves)
	probabilities := func(profile, context map[string]any) ([]float64, bool) {
		sc := new(scratch)
		rec := sc.begin()
		rec.Candidates, rec.Traits, rec.Context = actions, profile, context
		for _, a := range actions {
			sc.actions = append(sc.actions, p.byID[a])
		}
		if p.encode(rec, sc) != nil {
			return nil, false
		}
		d, version, err := staged(p, p.def.Policy, s.models.Current(p.key), rec, &past{rec: rec}, sc)
		if err != nil {
			return nil, false
		}
		out.ModelVersion = version
		return slices.Clone(d.Q), true
	}
	if out.Otherwise, ok = probabilities(map[string]any{}, map[string]any{}); !ok {
		return nil, false
	}
	if p.def.Policy.learning() == nil || out.ModelVersion == 0 {
		return out, true // the same for everybody
	}
	contexts := []Leaf{{Profile: map[string]any{}, Context: map[string]any{}}}
	split := false
	for i := range p.def.Features {
		f := &p.def.Features[i]
		if f.Kind != bandits.KindCategorical || f.Source != bandits.SourceProfile && f.Source != bandits.SourceContext ||
			len(f.Values) == 0 || len(contexts)*len(f.Values) > maxLeaves {
			continue
		}
		contexts, split = crossed(contexts, f), true
	}
	if !split {
		return out, true
	}
	for _, c := range contexts {
		if c.Probabilities, ok = probabilities(c.Profile, c.Context); !ok {
			return nil, false
		}
		out.Leaves = append(out.Leaves, c)
	}
	return out, true
}

// crossed gives every context each value of a field.
func crossed(contexts []Leaf, f *bandits.Field) []Leaf {
	name := f.Attribute
	if name == "" {
		name = f.Name
	}
	out := make([]Leaf, 0, len(contexts)*len(f.Values))
	for _, c := range contexts {
		for _, v := range f.Values {
			next := Leaf{Profile: maps.Clone(c.Profile), Context: maps.Clone(c.Context)}
			if f.Source == bandits.SourceProfile {
				next.Profile[name] = v
			} else {
				next.Context[name] = v
			}
			out = append(out, next)
		}
	}
	return out
}
