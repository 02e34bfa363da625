package condition

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"quintet/internal/problem"
)

type termKind uint8

const (
	termTest termKind = iota
	termAnd
	termOr
	termNor
	termNot
)

// term is one member of a condition.
type term struct {
	kind       termKind
	conditions [][]term // of and, or, nor, not
	path       []string
	test       test
}

type testKind uint8

const (
	testNever testKind = iota
	testText
	testFolded // a text in lower case
	testNumber
	testTrue
	testFalse
	testNull
	testEqual
	testOperators
)

// test is what a value has to be.
type test struct {
	kind      testKind
	text      string
	number    float64
	value     any
	operators []operator
}

type operatorKind uint8

const (
	opNever operatorKind = iota
	opEq
	opNe
	opLt
	opLte
	opGt
	opGte
	opIn
	opNin
	opInGroup
	opNotInGroup
	opExists
	opMissing
	opType
	opNot
	opSize
	opRegex
	opAll
	opElemMatch
	opVeq
	opVne
	opVlt
	opVlte
	opVgt
	opVgte
)

// operators are those of a value by name; $exists may become opMissing.
var operators = map[string]operatorKind{
	"$eq": opEq, "$ne": opNe, "$lt": opLt, "$lte": opLte, "$gt": opGt, "$gte": opGte,
	"$in": opIn, "$ini": opIn, "$nin": opNin, "$nini": opNin, "$inGroup": opInGroup, "$notInGroup": opNotInGroup,
	"$exists": opExists, "$type": opType, "$not": opNot, "$size": opSize, "$regex": opRegex, "$regexi": opRegex,
	"$all": opAll, "$alli": opAll, "$elemMatch": opElemMatch,
	"$veq": opVeq, "$vne": opVne, "$vlt": opVlt, "$vlte": opVlte, "$vgt": opVgt, "$vgte": opVgte,
}

// operator is one operator with its operand, in the form that it compares with.
type operator struct {
	kind    operatorKind
	value   any
	isText  bool
	text    string
	number  float64
	set     *Set
	pattern *regexp.Regexp
	version []byte
	tests   []test
	terms   []term // of $elemMatch over objects
}

// parser turns decoded JSON into terms.
type parser struct {
	strict        bool
	bad           problem.Invalid
	names, groups map[string]bool
	terms, values int
}

// broken notes what is wrong when somebody could put it right.
func (p *parser) broken(path, rule string, value any) {
	if p.strict {
		p.bad.Add(path, rule, value)
	}
}

// room counts a term and says whether it is within the bounds.
func (p *parser) room(path string, depth int) bool {
	p.terms++
	switch {
	case p.terms == MaxTerms+1:
		p.bad.Add("", fmt.Sprintf("must have at most %d attributes, operators and combinations", MaxTerms), nil)
	case depth == MaxDepth+1:
		p.bad.Add(path, fmt.Sprintf("must be at most %d conditions deep", MaxDepth), nil)
	}
	return p.terms <= MaxTerms && depth <= MaxDepth
}

func (p *parser) condition(path string, object map[string]any, depth int) []term {
	var terms []term
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at := problem.Join(path, member(name))
		if !p.room(at, depth) {
			return terms
		}
		v := object[name]
		switch name {
		case "$and":
			terms = append(terms, term{kind: termAnd, conditions: p.list(at, v, depth)})
		case "$or":
			terms = append(terms, term{kind: termOr, conditions: p.list(at, v, depth)})
		case "$nor":
			terms = append(terms, term{kind: termNor, conditions: p.list(at, v, depth)})
		case "$not":
			inner, ok := v.(map[string]any)
			if !ok {
				p.broken(at, "must be a condition", v)
			}
			terms = append(terms, term{kind: termNot, conditions: [][]term{p.condition(at, inner, depth+1)}})
		default:
			if _, ok := operators[name]; ok {
				p.broken(at, "must be within an attribute: {\"age\": {\""+name+"\": …}}", nil)
			}
			steps := strings.Split(name, ".")
			if slices.Contains(steps, "") {
				p.broken(at, "must be the name of an attribute, or names with a dot between", name)
			}
			if depth == 1 || !strings.Contains(path, "$elemMatch") {
				p.names[steps[0]] = true
			}
			terms = append(terms, term{path: steps, test: p.test(at, v, depth, false)})
		}
	}
	return terms
}

// list reads the conditions of $and, $or and $nor.
func (p *parser) list(path string, v any, depth int) [][]term {
	list, ok := v.([]any)
	if !ok {
		p.broken(path, "must be an array of conditions", v)
	}
	conditions := make([][]term, 0, len(list))
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		object, ok := v.(map[string]any)
		if !ok {
			p.broken(at, "must be a condition", v)
		}
		if !p.room(at, depth+1) {
			break
		}
		conditions = append(conditions, p.condition(at, object, depth+1))
	}
	return conditions
}

// test reads what a value has to be; folded is without regard to case.
func (p *parser) test(path string, v any, depth int, folded bool) test {
	switch v := v.(type) {
	case nil:
		return test{kind: testNull}
	case bool:
		if v {
			return test{kind: testTrue}
		}
		return test{kind: testFalse}
	case float64:
		return test{kind: testNumber, number: v}
	case string:
		if folded {
			return test{kind: testFolded, text: strings.ToLower(v)}
		}
		return test{kind: testText, text: v}
	case map[string]any:
		if named := countOperators(v); named == 0 || named < len(v) {
			if named > 0 {
				p.broken(path, "must have only operators, or none", nil)
			}
			return test{kind: testEqual, value: v}
		}
		t := test{kind: testOperators}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			at := problem.Join(path, name)
			if !p.room(at, depth+1) {
				break
			}
			t.operators = append(t.operators, p.operator(at, name, v[name], depth+1))
		}
		return t
	}
	return test{kind: testEqual, value: v}
}

func (p *parser) operator(path, name string, v any, depth int) operator {
	kind, ok := operators[name]
	if !ok {
		p.broken(path, "is not an operator", nil)
		return operator{}
	}
	o := operator{kind: kind, value: v}
	switch kind {
	case opEq, opNe:
		switch v.(type) {
		case []any, map[string]any:
			p.broken(path, "must be a text, a number, a boolean or null; an array or object is compared without an operator", v)
		}
	case opLt, opLte, opGt, opGte:
		p.operand(path, v, &o)
	case opIn, opNin:
		list, ok := v.([]any)
		if !ok {
			p.broken(path, "must be an array", v)
			return operator{}
		}
		if !p.countValues(len(list)) {
			return operator{}
		}
		for i, e := range list {
			switch e.(type) {
			case []any, map[string]any:
				p.broken(fmt.Sprintf("%s[%d]", path, i), "must be a text, a number, a boolean or null", e)
			}
		}
		o.set = newSet(list, strings.HasSuffix(name, "ini"))
	case opInGroup, opNotInGroup:
		if o.text, ok = v.(string); !ok || o.text == "" {
			p.broken(path, "must be the id of a saved group", v)
			o.text = Text(v)
		}
		p.groups[o.text] = true
	case opExists:
		if _, ok := v.(bool); !ok {
			p.broken(path, "must be true or false", v)
		}
		if !truthy(v) {
			o.kind = opMissing
		}
	case opType:
		o.text, _ = v.(string)
		if !slices.Contains([]string{"string", "number", "boolean", "array", "object", "null"}, o.text) {
			p.broken(path, "must be string, number, boolean, array, object or null", v)
			return operator{}
		}
	case opNot, opSize:
		if kind == opSize {
			n, isNumber := v.(float64)
			if _, ok := v.(map[string]any); !ok && !(isNumber && n >= 0 && n == math.Trunc(n)) {
				p.broken(path, "must be a whole number or an object of operators", v)
			}
		}
		o.tests = []test{p.test(path, v, depth, false)}
	case opRegex:
		return p.regex(path, v, name == "$regexi")
	case opAll:
		list, ok := v.([]any)
		if !ok {
			p.broken(path, "must be an array", v)
			return operator{}
		}
		if !p.countValues(len(list)) {
			return operator{}
		}
		for i, e := range list {
			o.tests = append(o.tests, p.test(fmt.Sprintf("%s[%d]", path, i), e, depth, name == "$alli"))
		}
	case opElemMatch:
		return p.elemMatch(path, v, depth)
	default: // versions
		switch v.(type) {
		case string, float64:
		default:
			p.broken(path, "must be a version such as \"1.2.3\"", v)
		}
		o.version = padVersion(nil, v)
	}
	return o
}

// operand is what a value is ordered against.
func (p *parser) operand(path string, v any, o *operator) {
	switch v := v.(type) {
	case string:
		o.isText, o.text = true, v
	case float64:
	case []any, map[string]any:
		p.broken(path, "must be a number or a text", v)
		o.isText, o.text = true, Text(v)
	default:
		p.broken(path, "must be a number or a text", v)
	}
	if o.number = number(v); o.isText {
		o.number = parseNumber(o.text)
	}
}

// maxPattern bounds a regular expression, in bytes.
const maxPattern = 2000

func (p *parser) regex(path string, v any, folded bool) operator {
	s, ok := v.(string)
	if !ok || len(s) > maxPattern {
		p.broken(path, fmt.Sprintf("must be a regular expression of at most %d bytes", maxPattern), v)
		return operator{}
	}
	if folded {
		s = "(?i)" + s
	}
	pattern, err := regexp.Compile(s)
	if err != nil {
		p.broken(path, "must be a regular expression without look-around and back-references: "+err.Error(), v)
		return operator{}
	}
	return operator{kind: opRegex, pattern: pattern}
}

// elemMatch reads what an element has to be: operators on itself, or a condition on
// its members.
func (p *parser) elemMatch(path string, v any, depth int) operator {
	object, ok := v.(map[string]any)
	if !ok {
		p.broken(path, "must be an object of operators, or a condition", v)
		return operator{}
	}
	if n := countOperators(object); n > 0 && n == len(object) {
		return operator{kind: opElemMatch, tests: []test{p.test(path, object, depth, false)}}
	}
	return operator{kind: opElemMatch, terms: p.condition(path, object, depth+1)}
}

// countOperators counts the names that begin as those of operators do.
func countOperators(object map[string]any) int {
	n := 0
	for name := range object {
		if strings.HasPrefix(name, "$") {
			n++
		}
	}
	return n
}

func (p *parser) countValues(n int) bool {
	before := p.values
	p.values += n
	if p.values > MaxValues && before <= MaxValues {
		p.bad.Add("", fmt.Sprintf("must have at most %d values in all lists; a saved group holds more", MaxValues), p.values)
	}
	return p.values <= MaxValues
}

// member is a name as part of a path.
func member(name string) string {
	if name == "" || strings.ContainsAny(name, "[] \"\n") {
		return fmt.Sprintf("[%q]", problem.Clip(name))
	}
	return problem.Clip(name)
}
