package growthbook

import (
	"strconv"

	"quintet/experiments/assignment"
)

// noLeaf is the leaf of those whom no context of a bandit describes.
const noLeaf = -1

// withLeaf is an experiment with the weights of the context's leaf. A bandit that is
// not in the payload leaves it as it is.
func (f *Features) withLeaf(t *trial, ref string, c *Context) *trial {
	if ref == "" {
		return t
	}
	b, ok := f.bandits[ref]
	if !ok {
		return t
	}
	e := *t.Experiment
	drawn := &LeafWeights{LeafID: noLeaf, VariationWeights: e.Weights, BanditVersion: b.version}
	for i := range b.leaves {
		if l := &b.leaves[i]; l.when.met(c.Attributes, f.groups) {
			drawn.LeafID, drawn.VariationWeights = l.id, l.weights
			e.Weights = l.weights
			break
		}
	}
	if drawn.VariationWeights == nil {
		drawn.VariationWeights = assignment.EqualWeights(len(e.Variations))
	}
	e.ContextualBandit = drawn
	return &trial{Experiment: &e, when: t.when, parents: t.parents}
}

// Run puts a context into an experiment that is not a feature's.
func (f *Features) Run(e *Experiment, c *Context) *ExperimentResult {
	return f.run(compileTrial(e), "", c, nil)
}

// run follows the steps of the SDKs in their order.
func (f *Features) run(t *trial, featureID string, c *Context, waiting *stack) *ExperimentResult {
	out := func() *ExperimentResult { return c.result(t.Experiment, -1, false, featureID, nil, false) }
	at := func(variation int) *ExperimentResult {
		return c.result(t.Experiment, variation, false, featureID, nil, false)
	}
	n := len(t.Variations)
	if n < 2 || c.Disabled || len(t.URLPatterns) > 0 && !targetsURL(c.URL, t.URLPatterns) {
		return out()
	}
	if v, ok := QueryStringOverride(t.Key, c.URL, n); ok {
		return at(v)
	}
	if v, ok := c.ForcedVariations[t.Key]; ok {
		return at(v)
	}
	if t.Status == "draft" || t.Active != nil && !*t.Active {
		return out()
	}
	_, value := c.hashAttribute(t.HashAttribute, c.fallback(t.Experiment))
	if value == "" {
		return out()
	}
	assigned, sticky, blocked := -1, false, false
	if c.sticks(t.Experiment) {
		assigned, blocked = c.kept(t.Experiment)
		sticky = assigned >= 0
	}
	if !sticky && !f.eligible(t, value, c, waiting) {
		return out()
	}
	seed, version := t.Seed, t.HashVersion
	if seed == "" {
		seed = t.Key
	}
	if version == 0 {
		version = 1
	}
	bucket, ok := c.hash(seed, value, version)
	if !ok {
		return out()
	}
	if !sticky {
		assigned = t.draw(bucket)
	}
	switch {
	case blocked:
		return c.result(t.Experiment, -1, false, featureID, nil, true)
	case assigned < 0:
		return out()
	case t.Force != nil:
		return at(*t.Force)
	case c.QA || t.Status == "stopped":
		return out()
	}
	r := c.result(t.Experiment, assigned, true, featureID, &bucket, sticky)
	if c.sticks(t.Experiment) {
		c.keep(t.Experiment, r)
	}
	return r
}

// eligible says whether a context that has no variation yet may get one.
func (f *Features) eligible(t *trial, value any, c *Context, waiting *stack) bool {
	switch {
	case t.Filters != nil:
		if c.filteredOut(t.Filters) {
			return false
		}
	case t.Namespace != nil:
		bucket, _ := c.hash("__"+t.Namespace.Name, value, 1)
		if !t.Namespace.Range.Holds(bucket) {
			return false
		}
	}
	return t.when.met(c.Attributes, f.groups) && f.parents(t.parents, c, waiting) == parentsMet && len(t.Groups) == 0
}

// draw is the variation of a bucket, −1 for none.
func (t *trial) draw(bucket float64) int {
	if t.Ranges != nil {
		return choose(bucket, t.Ranges)
	}
	coverage := 1.0
	if t.Coverage != nil {
		coverage = *t.Coverage
	}
	return assignment.Choose(bucket, assignment.BucketRanges(len(t.Variations), coverage, t.Weights))
}

// result describes a variation; one that there is not is the first, out of the
// experiment.
func (c *Context) result(e *Experiment, variation int, hashed bool, featureID string, bucket *float64, sticky bool) *ExperimentResult {
	in := variation >= 0 && variation < len(e.Variations)
	if !in {
		variation = 0
	}
	name, value := c.hashAttribute(e.HashAttribute, c.fallback(e))
	r := &ExperimentResult{
		InExperiment: in, HashUsed: hashed, VariationID: variation, HashAttribute: name, HashValue: value,
		StickyBucketUsed: sticky, Bucket: bucket, Key: strconv.Itoa(variation),
	}
	if featureID != "" {
		r.FeatureID = &featureID
	}
	if variation < len(e.Variations) {
		r.Value = e.Variations[variation]
	}
	if variation < len(e.Meta) {
		if m := &e.Meta[variation]; m.Key != "" {
			r.Key = m.Key
		}
		r.Name, r.Passthrough = e.Meta[variation].Name, e.Meta[variation].Passthrough
	}
	if b := e.ContextualBandit; b != nil && hashed && in {
		r.LeafID, r.VariationWeights, r.BanditVersion = &b.LeafID, b.VariationWeights, b.BanditVersion
	}
	return r
}
