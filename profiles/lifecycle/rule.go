package lifecycle

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Operator compares a fact with a value.
type Operator string

// The operators. None holds for an absent fact.
const (
	Equal    Operator = "="
	NotEqual Operator = "!="
	Less     Operator = "<"
	AtMost   Operator = "<="
	More     Operator = ">"
	AtLeast  Operator = ">="
)

var operators = []Operator{Equal, NotEqual, Less, AtMost, More, AtLeast}

// Condition compares one fact.
type Condition struct {
	Fact  Fact     `json:"fact" maxLength:"64" doc:"Name of a base fact, as GET /v1/lifecycle lists them"`
	Is    Operator `json:"is" enum:"=,!=,<,<=,>,>="`
	Value float64  `json:"value"`
}

// Holds says whether the condition is true of a person.
func (c Condition) Holds(f *Facts) bool {
	v := f.Get(c.Fact)
	switch c.Is {
	case Equal:
		return v == c.Value
	case NotEqual:
		return v != c.Value && !math.IsNaN(v)
	case Less:
		return v < c.Value
	case AtMost:
		return v <= c.Value
	case More:
		return v > c.Value
	case AtLeast:
		return v >= c.Value
	}
	return false
}

// Group holds when all of its conditions do.
type Group struct {
	All []Condition `json:"all" minItems:"1" maxItems:"20" nullable:"false" doc:"Conditions that must all hold"`
}

// Rule is one stage, segment or loss.
type Rule struct {
	Key         string  `json:"key" maxLength:"64" doc:"1 to 64 of a-z, 0-9 and -"`
	Name        string  `json:"name,omitempty" maxLength:"200"`
	Description string  `json:"description,omitempty" maxLength:"1000"`
	Any         []Group `json:"any,omitempty" maxItems:"10" doc:"The rule holds when one of these groups does. Without groups it holds for everybody, which the last stage and the last segment must"`
}

// Holds says whether the rule is true of a person.
func (r *Rule) Holds(f *Facts) bool {
	if len(r.Any) == 0 {
		return true
	}
	for _, g := range r.Any {
		if !slices.ContainsFunc(g.All, func(c Condition) bool { return !c.Holds(f) }) {
			return true
		}
	}
	return false
}

// Bounds of a table.
const (
	maxRules      = 40
	maxGroups     = 10
	maxConditions = 20
)

var keyPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

func checkKey(bad *problem.Invalid, field, key string, seen map[string]bool) {
	switch {
	case !keyPattern.MatchString(key):
		bad.Add(field, "must be 1 to 64 of a-z, 0-9 and - and begin with a letter or digit", problem.Clip(key))
	case seen[key]:
		bad.Add(field, "must differ from the other keys", key)
	}
	seen[key] = true
}

func checkName(bad *problem.Invalid, field, name string) {
	if utf8.RuneCountInString(name) > 1000 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		bad.Add(field, "must be UTF-8 text of at most 1000 characters", problem.Clip(name))
	}
}

// checkRules checks a list of rules. In an exclusive one the last must hold for
// everybody, and no other may.
func checkRules(list []Rule, exclusive bool) problem.Invalid {
	var bad problem.Invalid
	if len(list) > maxRules {
		bad.Add("", fmt.Sprintf("must be at most %d", maxRules), len(list))
	}
	keys := map[string]bool{}
	for i := range list {
		r := &list[i]
		at := fmt.Sprintf("[%d]", i)
		checkKey(&bad, at+".key", r.Key, keys)
		checkName(&bad, at+".name", r.Name)
		checkName(&bad, at+".description", r.Description)
		last := exclusive && i == len(list)-1
		switch {
		case last && len(r.Any) > 0:
			bad.Add(at+".any", "must be left out of the last, so that everybody has one", len(r.Any))
		case !last && len(r.Any) == 0:
			bad.Add(at+".any", "must have at least one group: without it the rule holds for everybody", nil)
		case len(r.Any) > maxGroups:
			bad.Add(at+".any", fmt.Sprintf("must be at most %d groups", maxGroups), len(r.Any))
		}
		for j, g := range r.Any {
			checkGroup(&bad, fmt.Sprintf("%s.any[%d].all", at, j), g)
		}
	}
	return bad
}

func checkGroup(bad *problem.Invalid, at string, g Group) {
	if n := len(g.All); n < 1 || n > maxConditions {
		bad.Add(at, fmt.Sprintf("must be 1 to %d conditions", maxConditions), n)
	}
	for k, c := range g.All {
		at := fmt.Sprintf("%s[%d]", at, k)
		if _, ok := places[c.Fact]; !ok {
			bad.Add(at+".fact", "must be one of "+factList(), problem.Clip(string(c.Fact)))
		}
		if !slices.Contains(operators, c.Is) {
			bad.Add(at+".is", "must be one of =, !=, <, <=, >, >=", problem.Clip(string(c.Is)))
		}
		if math.IsNaN(c.Value) || math.IsInf(c.Value, 0) {
			bad.Add(at+".value", "must be a finite number", fmt.Sprint(c.Value))
		}
	}
}

func factList() string {
	names := make([]string, len(described))
	for i, d := range described {
		names[i] = string(d.fact)
	}
	return strings.Join(names, ", ")
}
