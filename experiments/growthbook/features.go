package growthbook

import (
	"bytes"
	"encoding/json"

	"quintet/experiments/condition"
)

// Features is a payload in the form that is evaluated. It is immutable.
type Features struct {
	byKey   map[string]*feature
	groups  condition.Groups
	bandits map[string]*bandit
	sticky  map[string]bool // attributes by which experiments assign
}

// feature is a compiled [Feature].
type feature struct {
	defaultValue json.RawMessage
	rules        []rule
}

type rule struct {
	*Rule
	when    when
	parents []parent
	trial   *trial // nil where the rule forces
}

// when is a condition of an SDK: what cannot be read is met by nobody.
type when struct {
	condition *condition.Condition
	never     bool
}

type parent struct {
	id   string
	when when
	gate bool
}

// trial is a compiled [Experiment].
type trial struct {
	*Experiment
	when    when
	parents []parent
}

type bandit struct {
	version *int64
	leaves  []leaf
}

type leaf struct {
	id      int
	when    when
	weights []float64
}

// Compile prepares a payload. It never fails: an SDK takes what it does not understand
// for something that nobody meets.
func Compile(p *Payload) *Features {
	f := &Features{byKey: make(map[string]*feature, len(p.Features)), groups: make(condition.Groups, len(p.SavedGroups)), bandits: make(map[string]*bandit), sticky: make(map[string]bool)}
	for id, values := range p.SavedGroups {
		f.groups[id] = condition.NewSet(values)
	}
	for ref, b := range p.ContextualBandits {
		compiled := &bandit{version: b.BanditVersion}
		for _, c := range b.Contexts {
			compiled.leaves = append(compiled.leaves, leaf{c.LeafID, compileCondition(c.Condition), c.Weights})
		}
		f.bandits[ref] = compiled
	}
	for key, definition := range p.Features {
		if definition == nil {
			definition = new(Feature)
		}
		compiled := &feature{defaultValue: definition.DefaultValue, rules: make([]rule, len(definition.Rules))}
		for i := range definition.Rules {
			r := &definition.Rules[i]
			compiled.rules[i] = rule{Rule: r, when: compileCondition(r.Condition), parents: compileParents(r.ParentConditions)}
			if r.Force == nil {
				if t := r.trial(key); t != nil {
					compiled.rules[i].trial = t
					f.hashes(t.Experiment)
				}
			}
		}
		f.byKey[key] = compiled
	}
	for i := range p.Experiments {
		f.hashes(&p.Experiments[i])
	}
	return f
}

// hashes notes the attributes that an experiment assigns by.
func (f *Features) hashes(e *Experiment) {
	name := e.HashAttribute
	if name == "" {
		name = "id"
	}
	f.sticky[name] = true
	if e.FallbackAttribute != "" {
		f.sticky[e.FallbackAttribute] = true
	}
}

// Keys are the features that there are, in no order.
func (f *Features) Keys() []string {
	keys := make([]string, 0, len(f.byKey))
	for key := range f.byKey {
		keys = append(keys, key)
	}
	return keys
}

func compileCondition(source json.RawMessage) when {
	c, err := condition.ParseLenient(source)
	return when{c, err != nil}
}

func (w *when) met(a condition.Attributes, g condition.Groups) bool {
	return !w.never && w.condition.Matches(a, g)
}

func compileParents(list []ParentCondition) []parent {
	var parents []parent
	for _, p := range list {
		parents = append(parents, parent{p.ID, compileCondition(p.Condition), p.Gate})
	}
	return parents
}

// trial is the experiment of a rule, nil when it has none.
func (r *Rule) trial(feature string) *trial {
	e := &Experiment{
		Key: r.Key, Variations: r.Variations, Ranges: r.Ranges, Meta: r.Meta, Filters: r.Filters, Seed: r.Seed, Name: r.Name,
		Phase: r.Phase, Weights: r.Weights, Condition: r.Condition, Coverage: r.Coverage, Namespace: r.Namespace,
		HashAttribute: r.HashAttribute, FallbackAttribute: r.FallbackAttribute, HashVersion: r.HashVersion,
		DisableStickyBucketing: r.DisableStickyBucketing, BucketVersion: r.BucketVersion, MinBucketVersion: r.MinBucketVersion,
	}
	if r.ContextualVariations != nil {
		e.Variations = r.ContextualVariations
	}
	if e.Variations == nil {
		return nil
	}
	if e.Key == "" {
		e.Key = feature
	}
	return compileTrial(e)
}

func compileTrial(e *Experiment) *trial {
	return &trial{Experiment: e, when: compileCondition(e.Condition), parents: compileParents(e.ParentConditions)}
}

// truthy says whether JavaScript takes a JSON value for true.
func truthy(value json.RawMessage) bool {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return false
	}
	switch value[0] {
	case '{', '[', 't':
		return true
	case 'n', 'f':
		return false
	case '"':
		return len(value) > 2
	}
	var n float64
	return json.Unmarshal(value, &n) != nil || n != 0
}
