// Package trained keeps models together with the numbering of their items, as the bytes
// of one build, and reads them back whatever their kind.
package trained

import (
	"fmt"
	"slices"

	"quintet/recommend/baskets"
	"quintet/recommend/content"
	"quintet/recommend/ease"
	"quintet/recommend/implicit"
	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/neighbours"
	"quintet/recommend/popular"
	"quintet/recommend/scoring"
	"quintet/recommend/sequential"
)

// Decode makes a model of any kind from what its Encode gave.
func Decode(data []byte) (scoring.Model, error) {
	r, err := modelfile.Open(data)
	if err != nil {
		return nil, fmt.Errorf("reading a model: %w", err)
	}
	switch r.Kind() {
	case implicit.Kind:
		return implicit.Decode(r)
	case ease.Kind:
		return ease.Decode(r)
	case neighbours.Kind:
		return neighbours.Decode(r)
	case baskets.Kind:
		return baskets.Decode(r)
	case sequential.Kind:
		return sequential.Decode(r)
	case content.Kind:
		return content.Decode(r)
	case popular.Kind:
		return popular.Decode(r)
	}
	return nil, fmt.Errorf("reading a model: kind %q is not known", r.Kind())
}

// Bundle is the models of one build by name, which number items alike.
type Bundle struct {
	Items  *interactions.Vocabulary
	Models map[string]scoring.Model
}

const kind = "bundle"

// Encode gives the bundle as bytes, the same for the same models.
func (b *Bundle) Encode() []byte {
	var names []string
	for name := range b.Models {
		names = append(names, name)
	}
	slices.Sort(names)
	w := modelfile.NewWriter(kind, names)
	w.Strings("items", b.Items.IDs())
	for _, name := range names {
		w.Bytes("model "+name, b.Models[name].Encode())
	}
	return w.Finish()
}

// DecodeBundle makes a bundle from what Encode gave.
func DecodeBundle(data []byte) (*Bundle, error) {
	r, err := modelfile.Open(data)
	if err != nil {
		return nil, fmt.Errorf("reading models: %w", err)
	}
	if r.Kind() != kind {
		return nil, fmt.Errorf("reading models: it is a model of kind %q, not a bundle", r.Kind())
	}
	var names []string
	r.Settings(&names)
	ids := r.Strings("items", -1)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("reading models: %w", err)
	}
	out := &Bundle{Models: make(map[string]scoring.Model, len(names))}
	if out.Items, err = interactions.NewVocabulary(ids); err != nil {
		return nil, fmt.Errorf("reading models: %w", err)
	}
	for _, name := range names {
		encoded := r.Bytes("model " + name)
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("reading models: %w", err)
		}
		model, err := Decode(encoded)
		if err != nil {
			return nil, fmt.Errorf("reading model %q: %w", name, err)
		}
		// Later items may be known to some only, never fewer than a model numbers.
		if model.Items() > len(ids) {
			return nil, fmt.Errorf("reading model %q: it has %d items, the bundle %d", name, model.Items(), len(ids))
		}
		out.Models[name] = model
	}
	return out, nil
}
