package experiments

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"quintet/experiments/assignment"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Layer divides units between experiments that must not share any: each of them has a
// part of it. A layer with a parent is a nested domain, which lives in a part of that
// and divides its units anew.
type Layer struct {
	Name        string      `json:"name,omitempty" maxLength:"200" doc:"Name shown in the console"`
	Description string      `json:"description,omitempty" maxLength:"2000"`
	Salt        string      `json:"salt,omitempty" maxLength:"256" doc:"Seed of the division; layer: and the key unless given. Fixed once something is in the layer"`
	Hash        string      `json:"hash,omitempty" enum:"xxh64,growthbook,growthbook-utf16" doc:"xxh64 unless given. Fixed once something is in the layer"`
	Unit        string      `json:"unit,omitempty" maxLength:"64" doc:"What is divided: person unless given. All that is in the layer has the same unit"`
	Parent      *LayerRange `json:"parent,omitempty" doc:"Part of another layer whose units this one has; all units unless given"`
}

// maxLayerDepth bounds layers in layers, as each costs a hash.
const maxLayerDepth = 8

// maxLayers bounds how many there are.
const maxLayers = 1000

func (l *Layer) unit() string { return cmp.Or(l.Unit, PersonUnit) }

func (l *Layer) normalise(key string) {
	if l.Salt == "" {
		l.Salt = "layer:" + key
	}
}

// validate checks a layer on its own.
func (l *Layer) validate() problem.Invalid {
	var bad problem.Invalid
	checkText(&bad, "name", l.Name, maxNameRunes)
	checkText(&bad, "description", l.Description, maxTextRunes)
	checkSalt(&bad, "salt", l.Salt)
	checkHash(&bad, "hash", l.Hash)
	checkUnitName(&bad, "unit", l.Unit)
	if l.Parent != nil {
		if l.Parent.Layer == "" {
			bad.Add("parent.layer", "must be the key of a layer", "")
		}
		checkRange(&bad, "parent", l.Parent.From, l.Parent.To)
	}
	return bad
}

// checkLayer is the validator of layers.
func (s *Service) checkLayer(_ context.Context, key string, l *Layer) error {
	l.normalise(key)
	bad := l.validate()
	all := s.layers.Snapshot()
	was, exists := all[key]
	if !exists && len(all) >= maxLayers {
		bad.Add("path.key", fmt.Sprintf("must not be new: there are %d layers, the most there may be", len(all)), nil)
	}
	if p := l.Parent; p != nil && p.Layer != "" {
		s.checkParent(key, l, &bad)
	}
	if exists {
		l.keepUsed(&was.Value, s.inLayer(key, ""), &bad)
	}
	return bad.Err()
}

func (s *Service) checkParent(key string, l *Layer, bad *problem.Invalid) {
	parent, ok := s.layers.Get(l.Parent.Layer)
	switch {
	case l.Parent.Layer == key:
		bad.Add("parent.layer", "must be another layer", key)
		return
	case !ok:
		bad.Add("parent.layer", "must be the key of a layer", l.Parent.Layer)
		return
	case parent.Value.unit() != l.unit():
		bad.Add("unit", "must be that of the parent, "+parent.Value.unit(), l.unit())
	}
	depth := 1
	for at := parent; at.Value.Parent != nil; depth++ {
		if at.Value.Parent.Layer == key {
			bad.Add("parent.layer", fmt.Sprintf("must not come back to %s", key), l.Parent.Layer)
			return
		}
		if depth >= maxLayerDepth {
			bad.Add("parent.layer", fmt.Sprintf("must not be more than %d layers deep", maxLayerDepth), l.Parent.Layer)
			return
		}
		if at, ok = s.layers.Get(at.Value.Parent.Layer); !ok {
			break
		}
	}
	s.checkRoom(bad, "parent", tenant{kind: "layer", key: key}, []LayerRange{*l.Parent})
}

// keepUsed refuses changes that would divide the units of those in the layer anew.
func (l *Layer) keepUsed(was *Layer, used []tenant, bad *problem.Invalid) {
	if len(used) == 0 {
		return
	}
	rule := fmt.Sprintf("cannot change while %s is in the layer: people would be divided anew", used[0])
	if l.Salt != was.Salt {
		bad.Add("salt", rule, l.Salt)
	}
	if cmp.Or(l.Hash, XXHash) != cmp.Or(was.Hash, XXHash) {
		bad.Add("hash", rule, l.Hash)
	}
	if l.unit() != was.unit() {
		bad.Add("unit", rule, l.Unit)
	}
	switch {
	case (l.Parent == nil) != (was.Parent == nil):
		bad.Add("parent", rule, nil)
	case l.Parent != nil && (l.Parent.Layer != was.Parent.Layer || l.Parent.From > was.Parent.From || l.Parent.To < was.Parent.To):
		bad.Add("parent", rule+"; its part can only grow", nil)
	}
}

// tenant is what has a part of a layer.
type tenant struct {
	kind, key string // experiment or layer
	ranges    []LayerRange
}

func (t tenant) String() string { return t.kind + " " + t.key }

// inLayer lists what has a part of a layer, but for one, in order: experiments that
// have not ended, and layers within it.
func (s *Service) inLayer(layer, except string) []tenant {
	var out []tenant
	for key, e := range s.experiments.Snapshot() {
		if e.Value.Status == Stopped || e.Value.Status == Archived || "experiment "+key == except {
			continue
		}
		if r := byLayer(e.Value.Layers)[layer]; len(r) > 0 {
			out = append(out, tenant{"experiment", key, r})
		}
	}
	for key, l := range s.layers.Snapshot() {
		if p := l.Value.Parent; p != nil && p.Layer == layer && "layer "+key != except {
			out = append(out, tenant{"layer", key, []LayerRange{*p}})
		}
	}
	slices.SortFunc(out, func(a, b tenant) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

// checkRoom refuses ranges that another tenant of the layer has, and layers that are
// over full.
func (s *Service) checkRoom(bad *problem.Invalid, field string, who tenant, ranges []LayerRange) {
	asked := make(map[string]float64)
	for i, r := range ranges {
		asked[r.Layer] += r.To - r.From
		at := field
		if field == "layers" {
			at = fmt.Sprintf("layers[%d]", i)
		}
		for _, other := range s.inLayer(r.Layer, who.String()) {
			for _, o := range other.ranges {
				if r.From < o.To && o.From < r.To {
					bad.Add(at, fmt.Sprintf("overlaps %s, which has %g to %g of layer %s: %s and %s must not share people",
						other, o.From, o.To, r.Layer, who, other), fmt.Sprintf("%g to %g", r.From, r.To))
				}
			}
		}
	}
	for layer, sum := range asked {
		names := who.String()
		for _, other := range s.inLayer(layer, who.String()) {
			names += ", " + other.String()
			for _, o := range other.ranges {
				sum += o.To - o.From
			}
		}
		if sum > 1+WeightTolerance {
			bad.Add(field, fmt.Sprintf("layer %s would be over 100 %%: %s together have %.4g %% of it", layer, names, sum*100), nil)
		}
	}
}

// compileLayers makes what assigns of the layers that are named. A layer whose parent
// is missing or comes back to itself is left out: nobody is in it.
type layerCompiler struct {
	all  map[string]definitions.Versioned[Layer]
	done map[string]*assignment.Layer
}

func (c *layerCompiler) layer(key string, depth int) *assignment.Layer {
	if l, ok := c.done[key]; ok {
		return l
	}
	v, ok := c.all[key]
	if !ok || depth > maxLayerDepth+1 {
		return nil
	}
	hash, ok := assignment.ParseHash(v.Value.Hash)
	if !ok {
		return nil
	}
	l := &assignment.Layer{Key: key, Salt: v.Value.Salt, Hash: hash}
	if p := v.Value.Parent; p != nil {
		if l.Parent = c.layer(p.Layer, depth+1); l.Parent == nil {
			return nil
		}
		l.Part = assignment.Range{From: p.From, To: p.To}
	}
	c.done[key] = l
	return l
}

// exclusive says whether two experiments can never share a unit: both have parts of
// the same layer, which do not overlap.
func exclusive(a, b *Experiment) bool {
	other := byLayer(b.Layers)
	for layer, mine := range byLayer(a.Layers) {
		theirs, ok := other[layer]
		if ok && !slices.ContainsFunc(mine, func(r LayerRange) bool {
			return slices.ContainsFunc(theirs, func(o LayerRange) bool { return r.From < o.To && o.From < r.To })
		}) {
			return true
		}
	}
	return false
}
