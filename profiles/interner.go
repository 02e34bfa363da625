package profiles

import (
	"strings"

	"quintet/profiles/consents"
	"quintet/profiles/traits"
)

// interner shares between profiles what many of them have: names, short values,
// the origins of traits. It is used by one goroutine.
type interner struct {
	texts   map[string]string
	values  map[string]any
	numbers map[float64]any
	names   map[string]string // of traits, to the canonical name
	origins map[traits.Origin]*traits.Origin
	keys    map[consents.Key]*consents.Key
}

const (
	maxInterned      = 1 << 16
	maxInternedBytes = 32
)

func newInterner() *interner {
	return &interner{
		texts: map[string]string{}, values: map[string]any{}, numbers: map[float64]any{}, names: map[string]string{},
		origins: map[traits.Origin]*traits.Origin{}, keys: map[consents.Key]*consents.Key{},
	}
}

func (n *interner) text(s string) string {
	if shared, ok := n.texts[s]; ok {
		return shared
	}
	if len(n.texts) < maxInterned && len(s) <= maxInternedBytes {
		n.texts[s] = s
	}
	return s
}

// value shares short texts and numbers, which take memory of their own as values
// of no fixed type.
func (n *interner) value(v any) any {
	switch v := v.(type) {
	case string:
		if len(v) > maxInternedBytes {
			break
		}
		if shared, ok := n.values[v]; ok {
			return shared
		}
		if len(n.values) < maxInterned {
			n.values[v] = v
		}
	case float64:
		if shared, ok := n.numbers[v]; ok {
			return shared
		}
		if len(n.numbers) < maxInterned {
			n.numbers[v] = v
		}
	}
	return v
}

// trait is the canonical name of a trait.
func (n *interner) trait(name string) string {
	if canonical, ok := n.names[name]; ok {
		return canonical
	}
	canonical := traits.Canonical(name)
	if len(n.names) < maxInterned && len(name) <= maxInternedBytes {
		n.names[name] = canonical
	}
	return canonical
}

// origin shares the origin of facts.
func (n *interner) origin(source string, confidence int16) *traits.Origin {
	o := traits.Origin{Source: source, Confidence: confidence}
	if shared, ok := n.origins[o]; ok {
		return shared
	}
	o.Source = strings.Clone(source) // a part of a whole record
	if len(n.origins) < maxInterned {
		n.origins[o] = &o
	}
	return &o
}

// consentKey shares what statements are about.
func (n *interner) consentKey(k consents.Key) *consents.Key {
	if shared, ok := n.keys[k]; ok {
		return shared
	}
	if len(n.keys) < maxInterned {
		n.keys[k] = &k
	}
	return &k
}

// traits brings what a message says to canonical names and shared values. Where
// two spellings of one name come together, the canonical one counts, else the
// first in alphabetical order.
func (n *interner) traits(told map[string]any) map[string]any {
	out := make(map[string]any, len(told))
	var spelled map[string]string // canonical names that came in another spelling
	for name, value := range told {
		canonical := n.trait(name)
		if canonical == name {
			out[canonical] = n.value(value)
			continue
		}
		if spelled == nil {
			spelled = map[string]string{}
		}
		if before, twice := spelled[canonical]; !twice || name < before {
			spelled[canonical] = name
		}
	}
	for canonical, name := range spelled {
		if _, exact := told[canonical]; !exact {
			out[canonical] = n.value(told[name])
		}
	}
	return out
}
