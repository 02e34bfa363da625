package condition

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"quintet/internal/problem"
)

// Bounds of one condition.
const (
	MaxBytes  = 256 << 10 // of its JSON
	MaxDepth  = 32        // of conditions within conditions
	MaxTerms  = 1000      // attributes, operators and combinations
	MaxValues = 10_000    // elements of all its lists
)

// Attributes are what is known of a unit. A value is what encoding/json makes of
// JSON; integers of Go and []string are understood as well.
type Attributes interface {
	// Attribute is the value of a name without dots.
	Attribute(name string) (value any, known bool)
}

// Map is attributes in a map.
type Map map[string]any

// Attribute is the value under the name.
func (m Map) Attribute(name string) (any, bool) {
	v, ok := m[name]
	return v, ok
}

// Condition is a parsed condition. It is immutable; nil matches everything.
type Condition struct {
	source json.RawMessage
	terms  []term
	names  []string
	groups []string
}

// Parse reads a condition that somebody writes now. Its error is a [problem.Invalid]
// that names the path of everything that is wrong, such as $and[1].age.$gt: operators
// that do not exist, operands that can never match, regular expressions that do not
// compile, and what is beyond the bounds. No condition at all is nil, which matches
// everything.
func Parse(source []byte) (*Condition, error) { return parse(source, true) }

// ParseLenient reads a condition as the SDKs do, which take what they do not
// understand for something that nobody matches. Only what is no JSON object or beyond
// the bounds is refused.
func ParseLenient(source []byte) (*Condition, error) { return parse(source, false) }

func parse(source []byte, strict bool) (*Condition, error) {
	if source = bytes.TrimSpace(source); len(source) == 0 || bytes.Equal(source, []byte("null")) {
		return nil, nil
	}
	if len(source) > MaxBytes {
		return nil, problem.Invalid{{Rule: fmt.Sprintf("must be at most %d bytes of JSON", MaxBytes), Value: len(source)}}
	}
	var value any
	if err := json.Unmarshal(source, &value); err != nil {
		return nil, problem.Invalid{{Rule: "must be a JSON object: " + err.Error(), Value: problem.Clip(string(source))}}
	}
	p := parser{strict: strict, names: make(map[string]bool), groups: make(map[string]bool)}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, problem.Invalid{{Rule: "must be an object of attributes with what they must be", Value: value}}
	}
	c := &Condition{source: bytes.Clone(source), terms: p.condition("", object, 1)}
	if err := p.bad.Err(); err != nil {
		return nil, err
	}
	c.names, c.groups = slices.Sorted(maps.Keys(p.names)), slices.Sorted(maps.Keys(p.groups))
	return c, nil
}

// Matches says whether a unit meets the condition. It allocates nothing unless an
// attribute has to be converted, as a number that is compared with a text.
func (c *Condition) Matches(a Attributes, g Groups) bool {
	if c == nil || len(c.terms) == 0 {
		return true
	}
	return all(c.terms, subject{attributes: a}, g)
}

// MatchesValue is [Condition.Matches] of a single JSON value that is an object.
func (c *Condition) MatchesValue(v any, g Groups) bool {
	return c == nil || all(c.terms, subject{value: v}, g)
}

// Source is the JSON of the condition.
func (c *Condition) Source() json.RawMessage {
	if c == nil {
		return nil
	}
	return c.source
}

// Names are the attributes that the condition reads, without what follows a dot.
func (c *Condition) Names() []string {
	if c == nil {
		return nil
	}
	return c.names
}

// GroupNames are the saved groups that the condition reads.
func (c *Condition) GroupNames() []string {
	if c == nil {
		return nil
	}
	return c.groups
}
