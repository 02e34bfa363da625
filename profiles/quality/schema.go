package quality

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/tracking"
	"quintet/profiles/traits"
)

// SchemaMode says what becomes of an event that breaks its schema.
type SchemaMode string

// The modes.
const (
	// Flag stores the event and counts it.
	Flag SchemaMode = "flag"
	// Quarantine refuses the event, tells its sender and keeps it in quarantine.
	Quarantine SchemaMode = "quarantine"
)

// MaxSchemaFields is how many fields a schema may have.
const MaxSchemaFields = 200

// Schema is what an event has to look like. Fields that it does not name are free.
type Schema struct {
	Title       string                 `json:"title,omitempty" maxLength:"200"`
	Description string                 `json:"description,omitempty" maxLength:"2000"`
	Event       string                 `json:"event" minLength:"1" maxLength:"256" doc:"Name of the event: of a track call, or $identify, $page and the like"`
	Mode        SchemaMode             `json:"mode,omitempty" enum:"flag,quarantine" doc:"flag stores an event that breaks the schema and counts it, quarantine refuses it; flag when absent"`
	Fields      map[string]SchemaField `json:"fields" doc:"By path: properties.total, traits.plan, context.app.name"`
}

// SchemaField is what a field has to look like.
type SchemaField struct {
	Required bool        `json:"required,omitempty" doc:"The field must be there, and neither null nor an empty text"`
	Type     traits.Type `json:"type,omitempty" enum:"text,number,boolean,date,list,object" doc:"Type of the value, exactly; any when absent"`
	Allowed  []any       `json:"allowed,omitempty" maxItems:"500" doc:"Values that are taken; of a list, its members"`
	Min      *float64    `json:"min,omitempty" doc:"Smallest number, fewest characters of a text, fewest members of a list"`
	Max      *float64    `json:"max,omitempty" doc:"Largest number, most characters of a text, most members of a list"`
	Pattern  string      `json:"pattern,omitempty" maxLength:"500" doc:"Regular expression (RE2) that a whole text must match"`
}

// maxSchemaDepth is how many members a path leads through.
const maxSchemaDepth = 8

func (s *schemas) validate(ctx context.Context, key string, v *Schema) error {
	var bad problem.Invalid
	if v.Event == "" || utf8.RuneCountInString(v.Event) > tracking.MaxEventName {
		bad.Add("event", fmt.Sprintf("must have 1 to %d characters", tracking.MaxEventName), nil)
	}
	for other, d := range s.definitions.Snapshot() {
		if other != key && d.Value.Event == v.Event {
			bad.Add("event", "has a schema already: "+other, v.Event)
		}
	}
	switch v.Mode {
	case "":
		v.Mode = Flag
	case Flag, Quarantine:
	default:
		bad.Add("mode", "must be flag or quarantine", string(v.Mode))
	}
	if len(v.Fields) == 0 || len(v.Fields) > MaxSchemaFields {
		bad.Add("fields", fmt.Sprintf("must be 1 to %d", MaxSchemaFields), len(v.Fields))
	}
	for path, f := range v.Fields {
		parts := strings.Split(path, ".")
		root := parts[0] == "properties" || parts[0] == "traits" || parts[0] == "context"
		if !root || len(parts) < 2 || len(parts) > maxSchemaDepth || strings.Contains(path, "..") || strings.HasSuffix(path, ".") {
			bad.Add("fields."+path, "must be a path below properties, traits or context", nil)
		}
		d := f.declaration()
		switch {
		case f.Type != "":
			bad.Nest("fields."+path, traits.ValidateDeclaration(ctx, "field", &d))
		case len(f.Allowed) > 0 || f.Min != nil || f.Max != nil || f.Pattern != "":
			bad.Add("fields."+path+".type", "is required where values are limited", nil)
		case !f.Required:
			bad.Add("fields."+path, "must ask for something: required or a type", nil)
		}
	}
	return bad.Err()
}

func (f *SchemaField) declaration() traits.Declaration {
	return traits.Declaration{Type: f.Type, Allowed: f.Allowed, Min: f.Min, Max: f.Max, Pattern: f.Pattern}
}

// schemas are those of all events.
type schemas struct {
	definitions *definitions.Collection[Schema]
	current     atomic.Pointer[schemaSet]
}

func openSchemas(store *definitions.Store) (*schemas, error) {
	s := new(schemas)
	s.current.Store(&schemaSet{})
	c, err := definitions.NewCollection(store, "event-schemas", s.validate)
	if err != nil {
		return nil, fmt.Errorf("loading the schemas of events: %w", err)
	}
	s.definitions = c
	s.compile()
	c.OnChange(s.compile)
	return s, nil
}

func (s *schemas) compile() {
	set := &schemaSet{byEvent: map[string]*compiledSchema{}}
	for _, v := range s.definitions.Snapshot() {
		c := compileSchema(&v.Value)
		set.byEvent[v.Value.Event] = c
		set.quarantines = set.quarantines || c.mode == Quarantine
	}
	s.current.Store(set)
}

// schemaSet is the schemas of one moment.
type schemaSet struct {
	byEvent     map[string]*compiledSchema
	quarantines bool
}

func (s *schemaSet) of(event string) *compiledSchema {
	if len(s.byEvent) == 0 {
		return nil
	}
	return s.byEvent[event]
}

// required are the fields that the schema of an event asks for, down to the level to
// which fields are counted.
func (s *schemaSet) required(event string) []string {
	if c := s.of(event); c != nil {
		return c.asked
	}
	return nil
}

// compiledSchema is a schema ready for use. nil asks for nothing.
type compiledSchema struct {
	mode  SchemaMode
	rules map[string]*fieldRule
	asked []string // required fields that are counted
}

type fieldRule struct {
	path     []string
	required bool
	typed    traits.Type
	rules    *traits.Rules
}

func compileSchema(s *Schema) *compiledSchema {
	c := &compiledSchema{mode: s.Mode, rules: make(map[string]*fieldRule, len(s.Fields))}
	for path, f := range s.Fields {
		r := &fieldRule{path: strings.Split(path, "."), required: f.Required, typed: f.Type}
		if f.Type != "" {
			r.rules = traits.Compile(map[string]traits.Declaration{"": f.declaration()}, nil)
		}
		c.rules[path] = r
		if r.required && len(r.path) <= 1+levels {
			c.asked = append(c.asked, path)
		}
	}
	return c
}

// rule is what is asked of the field at a path; nil for nothing.
func (c *compiledSchema) rule(path []byte) *fieldRule {
	if c == nil {
		return nil
	}
	return c.rules[string(path)]
}

// broken is the rule that a value breaks, "" for none. Unlike a trait, which takes
// "7" for a number, a field has to be of its very type.
func (r *fieldRule) broken(value any) string {
	if value == nil || r.typed == "" {
		return ""
	}
	if have := traits.TypeOf(value); have != r.typed && (have != traits.Date || r.typed != traits.Text) {
		return "must be of the type " + string(r.typed)
	}
	return r.rules.Broken("", value)
}

// check lists the rules that an event breaks; with first it stops at the first.
func (c *compiledSchema) check(properties, ofPerson, context string, first bool) problem.Invalid {
	var bad problem.Invalid
	for path, r := range c.rules {
		raw := properties
		switch r.path[0] {
		case "traits":
			raw = ofPerson
		case "context":
			raw = context
		}
		if rule, value := r.judge(raw); rule != "" {
			bad.Add(path, rule, value)
			if first {
				return bad
			}
		}
	}
	slices.SortFunc(bad, func(a, b problem.Field) int { return strings.Compare(a.Field, b.Field) })
	return bad
}

// judge finds the value of the field in the object and returns the rule that it
// breaks.
func (r *fieldRule) judge(raw string) (rule string, value any) {
	for _, name := range r.path[1:] {
		found := ""
		members(raw, func(member, value string) {
			if member == name && found == "" {
				found = value
			}
		})
		if raw = found; raw == "" {
			break
		}
	}
	if raw == "" || raw == "null" || raw == `""` {
		if r.required {
			return "is required by the schema of the event", nil
		}
		return "", nil
	}
	if r.typed == "" {
		return "", nil
	}
	if json.Unmarshal([]byte(raw), &value) != nil {
		return "must be JSON", nil
	}
	return r.broken(value), value
}
