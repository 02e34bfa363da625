package segments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Parse reads a rule. Its error is a [problem.Invalid] that names the path of
// every broken part, "rule.all[2].op"; path is where the rule itself is, "rule".
func Parse(path string, data []byte) (*Rule, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, problem.Invalid{{Field: path, Rule: "must be a JSON object that is a rule: " + err.Error()}}
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // the decoder returns io.EOF itself
		return nil, problem.Invalid{{Field: path, Rule: "must be one JSON object, with nothing behind it"}}
	}
	p := parser{rule: &Rule{}, events: map[string]bool{}, segments: map[string]bool{}, patterns: map[string]*Pattern{}}
	p.rule.root = p.node(path, tree, 1)
	if err := p.bad.Err(); err != nil {
		return nil, err
	}
	return p.rule, nil
}

type parser struct {
	rule     *Rule
	bad      problem.Invalid
	events   map[string]bool
	segments map[string]bool
	patterns map[string]*Pattern
	stop     bool // too large to go on
}

// kinds are the members of which a rule has exactly one, and what may stand
// beside each.
var kinds = map[string][]string{
	"all": nil, "any": nil, "not": nil, "segment": nil, "consent": nil,
	"trait":      {"op", "value", "ignoreCase"},
	"attribute":  {"op", "value", "ignoreCase"},
	"identifier": {"op", "value", "ignoreCase"},
	"profile":    {"op", "value"},
	"event":      {"where", "window", "did", "times", "aggregate", "first", "last"},
	"sequence":   {"within", "window"},
}

var kindNames = slices.Sorted(maps.Keys(kinds))

func (p *parser) node(path string, v any, depth int) node {
	if p.stop {
		return nil
	}
	if p.rule.nodes++; p.rule.nodes > MaxNodes {
		p.stop = true
		p.bad.Add(path, fmt.Sprintf("must not be there: a rule has at most %d conditions and groups", MaxNodes), nil)
		return nil
	}
	if depth > MaxDepth {
		p.bad.Add(path, fmt.Sprintf("must not be nested deeper than %d levels", MaxDepth), nil)
		return nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		p.bad.Add(path, "must be an object that is a rule", v)
		return nil
	}
	kind := ""
	for _, k := range kindNames {
		if _, has := o[k]; !has {
			continue
		}
		if kind != "" {
			p.bad.Add(path, fmt.Sprintf("must not have both %s and %s", kind, k), nil)
			return nil
		}
		kind = k
	}
	if kind == "" {
		p.bad.Add(path, "must have one of "+strings.Join(kindNames, ", "), shape(o))
		return nil
	}
	p.only(path, o, append([]string{kind}, kinds[kind]...))
	at := path + "." + kind
	switch kind {
	case "all", "any":
		nodes := p.nodes(at, o[kind], depth)
		if kind == "all" {
			return &allNode{nodes}
		}
		return &anyNode{nodes}
	case "not":
		return &notNode{p.node(at, o[kind], depth+1)}
	case "trait":
		p.rule.reads.Traits = true
		return &traitNode{newName(p.name(at, o[kind])), p.value(path, o, slices.Concat(valueOps, dateOps))}
	case "attribute":
		p.rule.reads.Attributes = true
		return &attributeNode{newName(p.name(at, o[kind])), p.value(path, o, slices.Concat(valueOps, dateOps))}
	case "identifier":
		p.rule.reads.Identifiers = true
		return p.identifier(path, o)
	case "profile":
		p.rule.reads.Profile = true
		return p.profile(path, o)
	case "consent":
		p.rule.reads.Consents = true
		return p.consent(at, o[kind])
	case "segment":
		return p.segment(at, o[kind])
	case "event":
		return p.event(path, o)
	default:
		return p.sequence(path, o)
	}
}

func (p *parser) nodes(path string, v any, depth int) []node {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		p.bad.Add(path, "must be a list of at least one rule", v)
		return nil
	}
	nodes := make([]node, 0, len(list))
	for i, e := range list {
		if p.stop {
			break
		}
		nodes = append(nodes, p.node(fmt.Sprintf("%s[%d]", path, i), e, depth+1))
	}
	return nodes
}

// only refuses members that mean nothing, which are usually misspelt.
func (p *parser) only(path string, o map[string]any, known []string) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(known, k) {
			p.bad.Add(path+"."+problem.Clip(k), "must not be there; known here: "+strings.Join(known, ", "), nil)
		}
	}
}

// shape shows the names of an object's members.
func shape(o map[string]any) any {
	if len(o) == 0 {
		return nil
	}
	return strings.Join(slices.Sorted(maps.Keys(o)), ", ")
}

func (p *parser) name(path string, v any) string {
	s, ok := v.(string)
	if !ok || s == "" || utf8.RuneCountInString(s) > MaxName || strings.ContainsRune(s, 0) {
		p.bad.Add(path, fmt.Sprintf("must be a name of 1 to %d characters", MaxName), v)
	}
	return s
}

func (p *parser) object(path string, v any, known ...string) map[string]any {
	o, ok := v.(map[string]any)
	if !ok {
		p.bad.Add(path, "must be an object with "+strings.Join(known, ", "), v)
		return nil
	}
	p.only(path, o, known)
	return o
}

func (p *parser) identifier(path string, o map[string]any) node {
	if _, has := o["op"]; !has {
		if _, has := o["value"]; !has {
			return &identifierNode{p.name(path+".identifier", o["identifier"]), test{op: opExists}}
		}
	}
	n := &identifierNode{p.name(path+".identifier", o["identifier"]), p.value(path, o, identifierOps)}
	for i := range n.test.literals {
		if n.test.literals[i].kind != kindText {
			p.bad.Add(path+".value", "must be text, as identifiers are", o["value"])
			break
		}
	}
	return n
}

func (p *parser) profile(path string, o map[string]any) node {
	field, _ := o["profile"].(string)
	switch field {
	case fieldCreated, fieldSeen:
		return &profileNode{field, p.value(path, o, instantOps)}
	case fieldEvents:
		return &profileNode{field, p.number(path, o)}
	}
	p.bad.Add(path+".profile", "must be createdAt, lastSeenAt or eventCount", o["profile"])
	return nil
}

// number reads an op and value for a figure that is always a number.
func (p *parser) number(path string, o map[string]any) test {
	t := p.value(path, o, numberOps)
	if t.op == opEq || t.op == opNe {
		if len(t.literals) == 1 && t.literals[0].kind != kindNumber {
			p.bad.Add(path+".value", "must be a number", o["value"])
		} else if len(t.literals) == 1 {
			t.low = t.literals[0].number
		}
	}
	return t
}

func (p *parser) consent(path string, v any) node {
	o := p.object(path, v, "purpose", "channel", "status")
	if o == nil {
		return nil
	}
	n := &consentNode{Consent{Purpose: p.name(path+".purpose", o["purpose"]), Status: "granted"}}
	p.rule.reads.Timed = true // consents expire
	if channel, has := o["channel"]; has {
		n.Channel = p.name(path+".channel", channel)
	}
	if status, has := o["status"]; has {
		n.Status = p.name(path+".status", status)
	}
	return n
}

func (p *parser) segment(path string, v any) node {
	key := p.name(path, v)
	if key != "" && !p.segments[key] {
		p.segments[key] = true
		p.rule.reads.Segments = append(p.rule.reads.Segments, Reference{key, path})
	}
	return &segmentNode{key}
}
