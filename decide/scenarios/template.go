package scenarios

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"quintet/internal/problem"
)

//go:embed templates/*.json
var templateFiles embed.FS

// Template is a scenario with variables, from a data file, for a manager to adapt.
type Template struct {
	Key         string `json:"key"`
	Stage       string `json:"stage" enum:"acquire,convert,grow,reactivate,service" doc:"Part of a customer's life that it is for"`
	Title       string `json:"title"`
	Description string `json:"description"`
	// Variables stand as ${name} in the texts of the scenario.
	Variables []Variable      `json:"variables" nullable:"false"`
	Scenario  json.RawMessage `json:"scenario" doc:"Scenario with variables as ${name}"`
}

// Kinds of variables.
const (
	VariableText    = "text"
	VariableNumber  = "number"
	VariablePoint   = "decision-point"
	VariablePurpose = "purpose"
	VariableSegment = "segment"
)

// Variable is something that is filled in.
type Variable struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Kind  string `json:"kind" enum:"text,number,decision-point,purpose,segment" doc:"What is filled in: a text, a number, or the key of something"`
	// Default is a text or a number; without one a value is needed.
	Default any `json:"default,omitempty"`
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z][A-Za-z0-9]*)\}`)

// loadTemplates reads the data files, in the order of their keys.
func loadTemplates() ([]Template, error) {
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("reading the templates of scenarios: %w", err)
	}
	var out []Template
	for _, entry := range entries {
		body, err := templateFiles.ReadFile("templates/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the templates of scenarios: %w", err)
		}
		t, err := parseTemplate(body)
		if err != nil {
			return nil, fmt.Errorf("reading the template %s: %w", entry.Name(), err)
		}
		if t.Key+".json" != entry.Name() {
			return nil, fmt.Errorf("the template %s has the key %s", entry.Name(), t.Key)
		}
		out = append(out, *t)
	}
	return out, nil
}

// parseTemplate reads a template and checks that it names no variable that it does not
// have, and has none that it does not name.
func parseTemplate(body []byte) (*Template, error) {
	t := new(Template)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(t); err != nil {
		return nil, err
	}
	var bad problem.Invalid
	used := make(map[string]bool)
	for _, m := range placeholder.FindAllSubmatch(t.Scenario, -1) {
		name := string(m[1])
		used[name] = true
		if !slices.ContainsFunc(t.Variables, func(v Variable) bool { return v.Name == name }) {
			bad.Add("scenario", "must name variables of the template only", name)
		}
	}
	for i, v := range t.Variables {
		if !used[v.Name] {
			bad.Add(fmt.Sprintf("variables[%d].name", i), "must stand in the scenario", v.Name)
		}
	}
	return t, bad.Err()
}

// Templates are all templates, in the order of their keys.
func (s *Service) Templates() []Template { return s.templates }

// Fill makes a scenario of a template with values of its variables. What has a default
// may be left out. The scenario is not checked against what it names.
func (s *Service) Fill(key string, values map[string]any) (*Scenario, error) {
	i := slices.IndexFunc(s.templates, func(t Template) bool { return t.Key == key })
	if i < 0 {
		return nil, problem.NotFound("template", key)
	}
	return s.templates[i].fill(values)
}

func (t *Template) fill(values map[string]any) (*Scenario, error) {
	var bad problem.Invalid
	full := make(map[string]any, len(t.Variables))
	for name := range values {
		if !slices.ContainsFunc(t.Variables, func(v Variable) bool { return v.Name == name }) {
			bad.Add("variables."+problem.Clip(name), "is no variable of this template", nil)
		}
	}
	for _, v := range t.Variables {
		value, given := values[v.Name]
		if !given {
			value = v.Default
		}
		field := "variables." + v.Name
		switch value := value.(type) {
		case nil:
			bad.Add(field, "is required: "+strings.ToLower(v.Title[:1])+v.Title[1:], nil)
		case float64:
			if v.Kind != VariableNumber {
				bad.Add(field, "must be a text", value)
			}
		case string:
			switch {
			case v.Kind == VariableNumber:
				bad.Add(field, "must be a number", problem.Clip(value))
			case value == "":
				bad.Add(field, "must not be empty", nil)
			case len(value) > 200 || strings.Contains(value, "${"):
				bad.Add(field, "must be at most 200 bytes long and without ${", problem.Clip(value))
			}
		default:
			bad.Add(field, "must be a text or a number", nil)
		}
		full[v.Name] = value
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(t.Scenario, &tree); err != nil {
		return nil, fmt.Errorf("reading the template %s: %w", t.Key, err)
	}
	body, err := json.Marshal(substitute(tree, full))
	if err != nil {
		return nil, fmt.Errorf("filling the template %s: %w", t.Key, err)
	}
	out := new(Scenario)
	if err := json.Unmarshal(body, out); err != nil {
		return nil, fmt.Errorf("filling the template %s: %w", t.Key, err)
	}
	return out, nil
}

// substitute puts values into the strings of a JSON value. A string that is one
// variable and nothing else becomes its value, which may be a number.
func substitute(v any, values map[string]any) any {
	switch v := v.(type) {
	case string:
		if m := placeholder.FindStringSubmatch(v); m != nil && m[0] == v {
			return values[m[1]]
		}
		return placeholder.ReplaceAllStringFunc(v, func(text string) string { return fmt.Sprint(values[text[2:len(text)-1]]) })
	case []any:
		for i := range v {
			v[i] = substitute(v[i], values)
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, x := range v {
			name = placeholder.ReplaceAllStringFunc(name, func(text string) string { return fmt.Sprint(values[text[2:len(text)-1]]) })
			out[name] = substitute(x, values)
		}
		return out
	}
	return v
}
