package growthbook

import (
	"encoding/json"

	"quintet/experiments/condition"
)

// maxParents bounds how many features may wait for one another.
const maxParents = 100

// stack is the features that wait for the one that is evaluated.
type stack struct {
	key   string
	depth int
	below *stack
}

func (s *stack) has(key string) bool {
	for ; s != nil; s = s.below {
		if s.key == key {
			return true
		}
	}
	return false
}

// Evaluate gives the value of a feature.
func (f *Features) Evaluate(key string, c *Context) Result { return f.evaluate(key, c, nil) }

func result(value json.RawMessage, source, rule string) Result {
	if len(value) == 0 {
		value = json.RawMessage("null")
	}
	on := truthy(value)
	return Result{Value: value, On: on, Off: !on, Source: source, RuleID: rule}
}

func (f *Features) evaluate(key string, c *Context, below *stack) Result {
	if below.has(key) || below != nil && below.depth >= maxParents {
		return result(nil, SourceRecursion, "")
	}
	waiting := &stack{key: key, below: below}
	if below != nil {
		waiting.depth = below.depth + 1
	}
	if v, ok := c.ForcedFeatures[key]; ok {
		return result(v, SourceOverride, "")
	}
	found, ok := f.byKey[key]
	if !ok {
		return result(nil, SourceUnknown, "")
	}
	for i := range found.rules {
		r := &found.rules[i]
		switch f.parents(r.parents, c, waiting) {
		case parentsCyclic:
			return result(nil, SourceRecursion, "")
		case parentsClosed:
			return result(nil, SourceParent, "")
		case parentsUnmet:
			continue
		}
		if c.filteredOut(r.Filters) {
			continue
		}
		if r.Force != nil {
			if r.when.met(c.Attributes, f.groups) && c.inRollout(key, r.Rule) {
				return result(r.Force, SourceForce, r.ID)
			}
			continue
		}
		if r.trial == nil {
			continue
		}
		t := f.withLeaf(r.trial, r.ContextualBanditRef, c)
		found := f.run(t, key, c, waiting)
		if t.ContextualBandit != nil && !(found.HashUsed && found.InExperiment) {
			plain := *t.Experiment
			plain.ContextualBandit = nil
			t = &trial{Experiment: &plain}
		}
		if found.InExperiment && !found.Passthrough {
			out := result(found.Value, SourceTrial, r.ID)
			out.Experiment, out.ExperimentResult = t.Experiment, found
			return out
		}
	}
	return result(found.defaultValue, SourceDefault, "")
}

type parentsState int

const (
	parentsMet parentsState = iota
	parentsUnmet
	parentsClosed // a gate is not met
	parentsCyclic
)

// parents says whether the flags that something depends on have the right values.
func (f *Features) parents(list []parent, c *Context, waiting *stack) parentsState {
	for i := range list {
		p := &list[i]
		r := f.evaluate(p.id, c, waiting)
		if r.Source == SourceRecursion {
			return parentsCyclic
		}
		var value any
		// What is not JSON, which a payload cannot hold, is null.
		_ = json.Unmarshal(r.Value, &value)
		if !p.when.met(condition.Map{"value": value}, f.groups) {
			if p.gate {
				return parentsClosed
			}
			return parentsUnmet
		}
	}
	return parentsMet
}

// filteredOut says whether a filter keeps the context out.
func (c *Context) filteredOut(filters []Filter) bool {
	for i := range filters {
		_, value := c.hashAttribute(filters[i].Attribute, "")
		if value == "" {
			return true
		}
		version := filters[i].HashVersion
		if version == 0 {
			version = 2
		}
		n, ok := c.hash(filters[i].Seed, value, version)
		if !ok || !holds(filters[i].Ranges, n) {
			return true
		}
	}
	return false
}

func holds(ranges []Range, n float64) bool { return choose(n, ranges) >= 0 }

func choose(n float64, ranges []Range) int {
	for i := range ranges {
		if ranges[i].Holds(n) {
			return i
		}
	}
	return -1
}

// inRollout says whether a context is among those that a value is forced for.
func (c *Context) inRollout(feature string, r *Rule) bool {
	if r.Range == nil && r.Coverage == nil {
		return true
	}
	if r.Range == nil && *r.Coverage == 0 {
		return false
	}
	fallback := ""
	if c.Sticky != nil && !r.DisableStickyBucketing {
		fallback = r.FallbackAttribute
	}
	_, value := c.hashAttribute(r.HashAttribute, fallback)
	if value == "" {
		return false
	}
	seed, version := r.Seed, r.HashVersion
	if seed == "" {
		seed = feature
	}
	if version == 0 {
		version = 1
	}
	n, ok := c.hash(seed, value, version)
	switch {
	case !ok:
		return false
	case r.Range != nil:
		return r.Range.Holds(n)
	}
	return n <= *r.Coverage
}
