package segments

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Filter is a ready condition: a rule with places for values.
type Filter struct {
	Key         string      `json:"key"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Group       string      `json:"group" doc:"Heading under which to show it"`
	Parameters  []Parameter `json:"parameters" nullable:"false"`
	// Rule is a rule in which a text of the form $name stands for the parameter with
	// the name.
	Rule json.RawMessage `json:"rule" doc:"A rule; put the value of a parameter in the place of the text $name, whatever its type"`
}

// Parameter is a value that whoever uses a filter chooses.
type Parameter struct {
	Name    string          `json:"name"`
	Title   string          `json:"title"`
	Type    string          `json:"type" enum:"text,texts,number,span,date" doc:"texts: a list of texts; span: a whole number and a unit, such as 30d"`
	Default json.RawMessage `json:"default" doc:"An example to begin with"`
	Options []string        `json:"options,omitempty" doc:"Values to choose from, when only these make sense"`
}

//go:embed filters.json
var filterSource []byte

var library = sync.OnceValue(func() []Filter {
	d := json.NewDecoder(bytes.NewReader(filterSource))
	d.DisallowUnknownFields()
	var list []Filter
	if err := d.Decode(&list); err != nil {
		return nil // the file is part of the program, and a test reads it
	}
	return list
})

// Filters is the library of ready conditions. They use the event names of the
// Segment specification for e-commerce and the computed attributes of package
// attributes.
func Filters() []Filter { return slices.Clone(library()) }

// Fill makes a rule of the filter. Parameters without a value have their default.
func (f *Filter) Fill(values map[string]any) (json.RawMessage, error) {
	chosen := map[string]any{}
	for _, p := range f.Parameters {
		v, given := values[p.Name]
		if !given {
			if err := json.Unmarshal(p.Default, &v); err != nil {
				return nil, fmt.Errorf("reading the default of %s: %w", p.Name, err)
			}
		}
		chosen["$"+p.Name] = v
	}
	for name := range values {
		if _, known := chosen["$"+name]; !known {
			return nil, fmt.Errorf("the filter %s has no parameter %s", f.Key, name)
		}
	}
	var rule any
	if err := json.Unmarshal(f.Rule, &rule); err != nil {
		return nil, fmt.Errorf("reading the rule of the filter %s: %w", f.Key, err)
	}
	return json.Marshal(fill(rule, chosen))
}

func fill(v any, chosen map[string]any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = fill(inner, chosen)
		}
	case []any:
		for i, inner := range v {
			v[i] = fill(inner, chosen)
		}
	case string:
		if strings.HasPrefix(v, "$") {
			if value, ok := chosen[v]; ok {
				return value
			}
		}
	}
	return v
}
