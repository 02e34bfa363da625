package flags

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/experiments/growthbook"
)

// IDAttribute is what GrowthBook's SDKs call the user's id.
const IDAttribute = "id"

// Local is the flags that SDKs can evaluate by themselves to what the server comes to,
// and for each of the others why they cannot. A flag that is off is in neither.
func (st *State) Local() (*growthbook.Payload, map[string][]string) {
	l := localiser{state: st, why: make(map[string][]string), features: make(map[string]*growthbook.Feature), bandits: make(map[string]growthbook.ContextualBandit)}
	for _, key := range st.keys {
		if f := st.flags[key]; !f.off && !f.circular {
			if feature := l.feature(f, 0); feature != nil {
				l.features[key] = feature
			}
		}
	}
	return &growthbook.Payload{Features: l.features, ContextualBandits: l.bandits, DateUpdated: st.at.UTC().Format(time.RFC3339)}, l.why
}

type localiser struct {
	state    *State
	why      map[string][]string
	features map[string]*growthbook.Feature
	bandits  map[string]growthbook.ContextualBandit
}

// feature is a flag as SDKs know it, nil when they cannot evaluate it.
func (l *localiser) feature(f *flag, depth int) *growthbook.Feature {
	var why []string
	out := &growthbook.Feature{DefaultValue: f.def.raw}
	if len(f.holdouts) > 0 {
		why = append(why, "it respects holdouts, which hold people and not users")
	}
	var parents []growthbook.ParentCondition
	for _, p := range f.parents {
		parent := l.state.flags[p.flag]
		if parent == nil || parent.off || parent.circular || depth > maxDepth || l.feature(parent, depth+1) == nil {
			why = append(why, "it depends on the flag "+p.flag+", which a client does not have")
			continue
		}
		parents = append(parents, growthbook.ParentCondition{ID: p.flag, Condition: p.condition.Source()})
	}
	for i := range f.rules {
		rules, problem := l.rules(&f.rules[i])
		if problem != "" {
			why = append(why, "rule "+f.rules[i].key+" "+problem)
		}
		for j := range rules {
			rules[j].ParentConditions = parents
		}
		out.Rules = append(out.Rules, rules...)
	}
	if len(why) > 0 {
		l.why[f.key] = why
		return nil
	}
	return out
}

// rules are what SDKs need for one rule, or what keeps them from it.
func (l *localiser) rules(r *rule) ([]growthbook.Rule, string) {
	if slices.Contains(r.condition.Names(), "segments") {
		return nil, "is for segments, which a client does not know"
	}
	conditions := []any{rewrite(r.source)}
	if r.point != "" {
		return l.chosen(r, conditions)
	}
	if r.experiment == "" {
		out := growthbook.Rule{ID: r.key, Force: r.value.raw, Condition: join(conditions)}
		if r.shared {
			if r.unit == assignment.Person {
				return nil, "takes a share of people, and a client knows users"
			}
			out.Seed, out.HashVersion, out.HashAttribute = r.salt, 2, Attribute(r.unit)
			out.Range = &growthbook.Range{To: r.share}
		}
		return []growthbook.Rule{out}, ""
	}
	t := r.trial
	if t == nil || !t.Running || !within(l.state.at, timeOrNil(t.Start), timeOrNil(t.End)) {
		return nil, ""
	}
	if problem := unreachable(t); problem != "" {
		return nil, "runs the experiment " + r.experiment + ", which " + problem
	}
	out := growthbook.Rule{
		ID: r.key, Key: r.experiment, Seed: t.Salt, HashVersion: 2, HashAttribute: Attribute(t.Unit), DisableStickyBucketing: !t.Sticky,
	}
	for _, one := range t.Ranges(l.state.at) {
		out.Ranges = append(out.Ranges, growthbook.Range(one))
	}
	for i, v := range t.Variants {
		out.Variations = append(out.Variations, r.values[i].raw)
		out.Meta = append(out.Meta, growthbook.VariationMeta{Key: v.Key, Name: v.Name})
		out.Weights = append(out.Weights, t.Weights[i])
	}
	if t.Sticky {
		out.BucketVersion, out.MinBucketVersion = &t.BucketVersion, &t.MinimumVersion
	}
	conditions = append(conditions, rewrite(t.Audience.Source()))
	if blocked, _ := byValue(t.Blocked, t.Unit); len(blocked) > 0 {
		conditions = append(conditions, map[string]any{out.HashAttribute: map[string]any{"$nin": slices.Sorted(maps.Keys(blocked))}})
	}
	out.Condition = join(conditions)
	for _, p := range t.Places {
		out.Filters = append(out.Filters, filters(p, out.HashAttribute)...)
	}
	return append(forced(r, t, out.HashAttribute), out), ""
}

// chosen is a rule whose bandit an SDK runs.
func (l *localiser) chosen(r *rule, conditions []any) ([]growthbook.Rule, string) {
	b := r.bandit
	switch {
	case b == nil:
		return nil, ""
	case r.unit == assignment.Person:
		return nil, "chooses for people, and a client knows users"
	}
	out := growthbook.Rule{
		ID: r.key, Key: b.key, Seed: r.salt, HashVersion: 2, HashAttribute: Attribute(r.unit), Weights: b.weights,
		ContextualBanditRef: b.key, DisableStickyBucketing: true, Condition: join(conditions),
	}
	for i, action := range b.actions {
		out.ContextualVariations = append(out.ContextualVariations, r.values[i].raw)
		out.Meta = append(out.Meta, growthbook.VariationMeta{Key: action})
	}
	l.bandits[b.key] = b.payload()
	return []growthbook.Rule{out}, ""
}

// unreachable is what of an experiment a client cannot evaluate.
func unreachable(t *experiments.Trial) string {
	switch {
	case t.Hash == assignment.XXH64:
		return "does not assign by the hash of GrowthBook"
	case t.Unit == assignment.Person:
		return "assigns people, and a client knows users"
	case len(t.Holdouts) > 0:
		return "respects holdouts, which hold people and not users"
	case len(t.Requirements) > 0:
		return "has prerequisites"
	case slices.Contains(t.Audience.Names(), "segments"):
		return "is for segments, which a client does not know"
	}
	for _, units := range []assignment.Units{t.Forced, t.Blocked} {
		if _, ok := byValue(units, t.Unit); !ok {
			return "forces or blocks by identifiers that a client does not know"
		}
	}
	for _, p := range t.Places {
		for layer := p.Layer; layer != nil; layer = layer.Parent {
			if layer.Hash == assignment.XXH64 {
				return "is in the layer " + layer.Key + ", which does not divide by the hash of GrowthBook"
			}
		}
	}
	return ""
}

// filters are the parts of a layer, and of those that it is nested in.
func filters(p assignment.Place, attribute string) []growthbook.Filter {
	own := growthbook.Filter{Attribute: attribute, Seed: p.Layer.Salt, HashVersion: 2}
	for _, r := range p.Ranges {
		own.Ranges = append(own.Ranges, growthbook.Range(r))
	}
	list := []growthbook.Filter{own}
	for layer := p.Layer; layer.Parent != nil; layer = layer.Parent {
		list = append(list, growthbook.Filter{
			Attribute: attribute, Seed: layer.Parent.Salt, HashVersion: 2, Ranges: []growthbook.Range{growthbook.Range(layer.Part)},
		})
	}
	return list
}

// forced are rules for the units that get a variant by hand. A rule that forces is no
// experiment to a client, and these units count in no report.
func forced(r *rule, t *experiments.Trial, attribute string) []growthbook.Rule {
	byVariant := make(map[int][]string)
	units, _ := byValue(t.Forced, t.Unit)
	for unit, v := range units {
		byVariant[v] = append(byVariant[v], unit)
	}
	var rules []growthbook.Rule
	for _, v := range slices.Sorted(maps.Keys(byVariant)) {
		slices.Sort(byVariant[v])
		rules = append(rules, growthbook.Rule{
			ID: r.key, Force: r.values[v].raw,
			Condition: join([]any{rewrite(r.source), map[string]any{attribute: map[string]any{"$in": byVariant[v]}}}),
		})
	}
	return rules
}

// byValue are units by the value of the unit alone, also those that are named by an
// identifier of that name; false when there are others.
func byValue(u assignment.Units, unit string) (map[string]int, bool) {
	all := maps.Clone(u.ByValue)
	for id, v := range u.ByIdentifier {
		if id.Namespace != unit {
			return all, false
		}
		all[id.Value] = v
	}
	return all, true
}

// Attribute is the name under which an SDK has a unit.
func Attribute(unit string) string {
	if unit == UserUnit {
		return IDAttribute
	}
	return assignment.UnitNames(unit)[0]
}

// rewrite gives a condition the names that an SDK has: what the client sends has none
// before it.
func rewrite(source json.RawMessage) any {
	if len(source) == 0 {
		return nil
	}
	var object map[string]any
	// It was parsed as a condition before.
	_ = json.Unmarshal(source, &object)
	return renamed(object)
}

func renamed(object map[string]any) map[string]any {
	out := make(map[string]any, len(object))
	for name, v := range object {
		switch inner := v.(type) {
		case map[string]any:
			if name == "$not" {
				v = renamed(inner)
			}
		case []any:
			if name == "$and" || name == "$or" || name == "$nor" {
				list := make([]any, len(inner))
				for i, one := range inner {
					list[i] = one
					if c, ok := one.(map[string]any); ok {
						list[i] = renamed(c)
					}
				}
				v = list
			}
		}
		name = strings.TrimPrefix(name, "context.")
		if name == UserUnit || name == "targetingKey" {
			name = IDAttribute
		}
		if _, taken := out[name]; taken {
			// "x" and "context.x" side by side.
			out = map[string]any{"$and": []any{out, map[string]any{name: v}}}
			continue
		}
		out[name] = v
	}
	return out
}

// join is a condition that asks for all of some; nil ones ask for nothing.
func join(conditions []any) json.RawMessage {
	conditions = slices.DeleteFunc(conditions, func(c any) bool {
		m, ok := c.(map[string]any)
		return c == nil || ok && len(m) == 0
	})
	var whole any
	switch len(conditions) {
	case 0:
		return nil
	case 1:
		whole = conditions[0]
	default:
		whole = map[string]any{"$and": conditions}
	}
	data, err := json.Marshal(whole)
	if err != nil {
		return json.RawMessage(`{"$or":[{"id":{"$in":[]}}]}`) // nobody; it was JSON before, so that this does not happen
	}
	return data
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
