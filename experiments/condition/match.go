package condition

import (
	"math"
	"strconv"
	"strings"
)

// subject is what a condition is about: the attributes of a unit, or a value within
// them.
type subject struct {
	attributes Attributes
	value      any
}

// get follows a path; null where it leads nowhere.
func (s subject) get(path []string) any {
	current := s.value
	if s.attributes != nil {
		current, _ = s.attributes.Attribute(path[0])
		path = path[1:]
	}
	for _, name := range path {
		switch v := current.(type) {
		case map[string]any:
			current = v[name]
		case []any, []string:
			n, _ := size(v)
			if name == "length" {
				current = float64(n)
				continue
			}
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= n {
				return nil
			}
			current = element(v, i)
		default:
			return nil
		}
	}
	return current
}

// all says whether a subject meets all of the terms.
func all(terms []term, s subject, g Groups) bool {
	for i := range terms {
		if !terms[i].matches(s, g) {
			return false
		}
	}
	return true
}

func (t *term) matches(s subject, g Groups) bool {
	switch t.kind {
	case termAnd:
		for _, c := range t.conditions {
			if !all(c, s, g) {
				return false
			}
		}
		return true
	case termOr:
		return anyOf(t.conditions, s, g)
	case termNor:
		return !anyOf(t.conditions, s, g)
	case termNot:
		return !all(t.conditions[0], s, g)
	}
	return t.test.passes(s.get(t.path), g)
}

func anyOf(conditions [][]term, s subject, g Groups) bool {
	if len(conditions) == 0 {
		return true
	}
	for _, c := range conditions {
		if all(c, s, g) {
			return true
		}
	}
	return false
}

// passes says whether a value is what the test wants.
func (t *test) passes(v any, g Groups) bool {
	switch t.kind {
	case testText:
		if s, ok := v.(string); ok {
			return s == t.text
		}
		return Text(v) == t.text
	case testFolded:
		return strings.ToLower(Text(v)) == t.text
	case testNumber:
		return number(v) == t.number
	case testTrue:
		return truthy(v)
	case testFalse:
		return v != nil && !truthy(v)
	case testNull:
		return v == nil
	case testEqual:
		return equal(v, t.value)
	case testOperators:
		for i := range t.operators {
			if !t.operators[i].passes(v, g) {
				return false
			}
		}
		return true
	}
	return false
}

func (o *operator) passes(v any, g Groups) bool {
	switch o.kind {
	case opEq:
		return same(v, o.value)
	case opNe:
		return !same(v, o.value)
	case opLt, opLte, opGt, opGte:
		return o.ordered(v)
	case opIn:
		return o.set.Has(v)
	case opNin:
		return !o.set.Has(v)
	case opInGroup:
		return g[o.text].Has(v)
	case opNotInGroup:
		return !g[o.text].Has(v)
	case opExists:
		return v != nil
	case opMissing:
		return v == nil
	case opType:
		return kind(v) == o.text
	case opNot:
		return !o.tests[0].passes(v, g)
	case opSize:
		n, ok := size(v)
		return ok && o.tests[0].passesNumber(float64(n), g)
	case opRegex:
		if s, ok := v.(string); ok {
			return o.pattern.MatchString(s)
		}
		return o.pattern.MatchString(Text(v))
	case opAll:
		return o.hasAll(v, g)
	case opElemMatch:
		return o.hasElement(v, g)
	case opVeq:
		return compareVersion(v, o.version) == 0
	case opVne:
		return compareVersion(v, o.version) != 0
	case opVlt:
		return compareVersion(v, o.version) < 0
	case opVlte:
		return compareVersion(v, o.version) <= 0
	case opVgt:
		return compareVersion(v, o.version) > 0
	case opVgte:
		return compareVersion(v, o.version) >= 0
	}
	return false // opNever
}

// passesNumber is [test.passes] of a number, without making an interface of it for
// what is usual.
func (t *test) passesNumber(n float64, g Groups) bool {
	if t.kind == testNumber {
		return n == t.number
	}
	return t.passes(n, g)
}

// ordered compares as JavaScript does: two texts as texts, all else as numbers.
func (o *operator) ordered(v any) bool {
	s, isText := v.(string)
	switch v.(type) {
	case []any, []string, map[string]any:
		s, isText = Text(v), true
	}
	var order int
	if isText && o.isText {
		order = strings.Compare(s, o.text)
	} else {
		n := 0.0
		if isText {
			n = parseNumber(s)
		} else {
			n = number(v)
		}
		switch {
		case math.IsNaN(n) || math.IsNaN(o.number):
			return false
		case n < o.number:
			order = -1
		case n > o.number:
			order = 1
		}
	}
	switch o.kind {
	case opLt:
		return order < 0
	case opLte:
		return order <= 0
	case opGt:
		return order > 0
	}
	return order >= 0
}

// hasAll says whether each test is passed by some element.
func (o *operator) hasAll(v any, g Groups) bool {
	n, ok := size(v)
	if !ok {
		return false
	}
	for i := range o.tests {
		found := false
		for j := 0; j < n && !found; j++ {
			found = o.tests[i].passes(element(v, j), g)
		}
		if !found {
			return false
		}
	}
	return true
}

// hasElement says whether some element that is not null is as the operator wants.
func (o *operator) hasElement(v any, g Groups) bool {
	n, ok := size(v)
	if !ok {
		return false
	}
	for i := range n {
		e := element(v, i)
		if e == nil {
			continue
		}
		if len(o.tests) > 0 && o.tests[0].passes(e, g) || len(o.tests) == 0 && all(o.terms, subject{value: e}, g) {
			return true
		}
	}
	return false
}
