package segments

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Entered and Left are the events that tell of changes of membership. No rule
// may ask for them: it could change with its own answer for ever.
const (
	Entered = "Segment Entered"
	Left    = "Segment Left"
)

func (p *parser) event(path string, o map[string]any) node {
	n := &eventNode{window: p.window(path+".window", o["window"]), least: 1, most: math.MaxInt}
	var measures []string
	for _, m := range []string{"did", "times", "aggregate", "first", "last"} {
		if _, has := o[m]; has {
			measures = append(measures, m)
		}
	}
	if len(measures) > 1 {
		p.bad.Add(path, "must not have both "+measures[0]+" and "+measures[1], nil)
		return nil
	}
	property := ""
	if len(measures) == 1 {
		property = p.measure(n, path+"."+measures[0], measures[0], o[measures[0]])
	}
	n.pattern = p.pattern(path, o, property)
	n.pattern.reach(n.window)
	return n
}

// measure reads what is asked of the events and returns the property whose
// values are needed.
func (p *parser) measure(n *eventNode, path, name string, v any) (property string) {
	switch name {
	case "did":
		did, ok := v.(bool)
		if !ok {
			p.bad.Add(path, "must be true or false", v)
		}
		if !did {
			n.least, n.most = 0, 0
		}
	case "times":
		p.times(n, path, v)
	case "first", "last":
		if n.measure = measureFirst; name == "last" {
			n.measure = measureLast
		}
		if o := p.object(path, v, "op", "value"); o != nil {
			n.test = p.value(path, o, instantOps)
		}
	case "aggregate":
		return p.aggregate(n, path, v)
	}
	return ""
}

func (p *parser) times(n *eventNode, path string, v any) {
	o := p.object(path, v, "atLeast", "atMost", "exactly")
	if o == nil {
		return
	}
	least, hasLeast := o["atLeast"]
	most, hasMost := o["atMost"]
	exactly, hasExactly := o["exactly"]
	switch {
	case hasExactly && (hasLeast || hasMost):
		p.bad.Add(path, "must not have exactly beside atLeast or atMost", nil)
	case hasExactly:
		n.least = p.count(path+".exactly", exactly)
		n.most = n.least
	case !hasLeast && !hasMost:
		p.bad.Add(path, "must have atLeast, atMost or exactly", nil)
	default:
		n.least = 0
		if hasLeast {
			n.least = p.count(path+".atLeast", least)
		}
		if hasMost {
			n.most = p.count(path+".atMost", most)
		}
		if n.least > n.most {
			p.bad.Add(path, "must not have atLeast above atMost", v)
		} else if n.least == 0 && n.most == math.MaxInt {
			p.bad.Add(path+".atLeast", "must be at least 1 without atMost, as it holds for everybody otherwise", least)
		}
	}
}

func (p *parser) aggregate(n *eventNode, path string, v any) (property string) {
	o := p.object(path, v, "function", "property", "op", "value")
	if o == nil {
		return ""
	}
	switch o["function"] {
	case "sum":
		n.measure = measureSum
	case "average":
		n.measure = measureAverage
	case "min":
		n.measure = measureMin
	case "max":
		n.measure = measureMax
	default:
		p.bad.Add(path+".function", "must be sum, average, min or max", o["function"])
	}
	property = p.name(path+".property", o["property"])
	if strings.Contains(property, "[]") {
		p.bad.Add(path+".property", "must be a number of the event itself, outside of lists", property)
	}
	n.test = p.number(path, o)
	if n.measure == measureSum || n.measure == measureAverage {
		n.test.low, n.test.high = millionths(n.test.low), millionths(n.test.high)
	}
	return property
}

func (p *parser) window(path string, v any) window {
	if v == nil {
		return ever
	}
	o := p.object(path, v, "last", "from", "to")
	if o == nil {
		return ever
	}
	last, hasLast := o["last"]
	from, hasFrom := o["from"]
	to, hasTo := o["to"]
	switch {
	case hasLast && (hasFrom || hasTo):
		p.bad.Add(path, "must not have last beside from or to", nil)
	case hasLast:
		p.rule.reads.Timed = true
		return window{last: p.span(path+".last", last)}
	case !hasFrom && !hasTo:
		p.bad.Add(path, "must have last, from or to; leave the window out for all time", nil)
	}
	w := ever
	if hasFrom {
		w.from = p.instant(path+".from", from)
	}
	if hasTo {
		w.to = p.instant(path+".to", to)
	}
	if w.from >= w.to {
		p.bad.Add(path, "must have from before to", v)
	}
	return w
}

// pattern reads the event and the filters of a condition. Equal ones of a rule
// are one.
func (p *parser) pattern(path string, o map[string]any, number string) *Pattern {
	n := &Pattern{event: p.name(path+".event", o["event"]), number: number}
	if n.event == Entered || n.event == Left {
		p.bad.Add(path+".event", "must not be "+n.event+"; ask for the segment itself", n.event)
	}
	where, has := o["where"]
	if has {
		n.where = p.where(path+".where", where)
	}
	key, err := json.Marshal([]any{n.event, where, number})
	if err != nil {
		p.bad.Add(path+".where", "must be JSON: "+err.Error(), nil)
		return n
	}
	n.key = string(key)
	if same, there := p.patterns[n.key]; there {
		return same
	}
	p.patterns[n.key] = n
	p.rule.patterns = append(p.rule.patterns, n)
	if !p.events[n.event] {
		p.events[n.event] = true
		p.rule.reads.Events = append(p.rule.reads.Events, n.event)
	}
	return n
}

func (p *parser) where(path string, v any) []filter {
	list, ok := v.([]any)
	if !ok || len(list) > MaxWhere {
		p.bad.Add(path, fmt.Sprintf("must be a list of at most %d filters", MaxWhere), nil)
		return nil
	}
	filters := make([]filter, 0, len(list))
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		o := p.object(at, e, "property", "op", "value", "ignoreCase")
		if o == nil {
			continue
		}
		filters = append(filters, filter{p.property(at+".property", o["property"]), p.value(at, o, valueOps)})
	}
	return filters
}

func (p *parser) property(path string, v any) property {
	name, ok := v.(string)
	n := parseProperty(name)
	levels := slices.Concat(n.before, n.after)
	behind := strings.Contains(name, "[]") && !strings.HasSuffix(name, "[]") && !strings.Contains(name, "[].")
	if !ok || len(n.before) == 0 || len(levels) > 16 || slices.Contains(levels, "") || strings.Count(name, "[]") > 1 ||
		behind || utf8.RuneCountInString(name) > MaxName || strings.HasSuffix(name, ".") || strings.ContainsRune(name, 0) {
		p.bad.Add(path, fmt.Sprintf("must be a path of 1 to %d characters such as revenue, shipping.cost or products[].sku", MaxName), v)
	}
	return n
}

func (p *parser) sequence(path string, o map[string]any) node {
	n := &sequenceNode{window: p.window(path+".window", o["window"])}
	at := path + ".sequence"
	list, ok := o["sequence"].([]any)
	if !ok || len(list) < 2 || len(list) > MaxSteps {
		p.bad.Add(at, fmt.Sprintf("must be a list of 2 to %d events", MaxSteps), nil)
		return nil
	}
	for i, e := range list {
		step := fmt.Sprintf("%s[%d]", at, i)
		if so := p.object(step, e, "event", "where"); so != nil {
			pattern := p.pattern(step, so, "")
			pattern.reach(n.window)
			n.steps = append(n.steps, pattern)
		}
	}
	if v, has := o["within"]; has {
		n.within = p.span(path+".within", v)
	}
	return n
}
