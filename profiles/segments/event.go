package segments

import (
	"math"
	"sort"
	"strings"
	"time"

	"quintet/profiles/tracking"
)

// Pattern is a kind of occurrence: an event whose properties pass filters, and
// perhaps the numeric property that is of interest.
type Pattern struct {
	event  string
	where  []filter
	number string // path of the property that Occurrence.Value is, "" without
	key    string
	keep   int64 // how far back the rule looks, in milliseconds; -1 for all time
	slot   int
}

// Keep is how far back from now the rule looks at occurrences, 0 for all time.
func (p *Pattern) Keep() time.Duration {
	return time.Duration(max(p.keep, 0)) * time.Millisecond
}

// reach notes that a window is looked at.
func (p *Pattern) reach(w window) {
	if w.last == 0 || p.keep < 0 {
		p.keep = -1
		return
	}
	p.keep = max(p.keep, w.last)
}

// Event is the name of the event.
func (p *Pattern) Event() string { return p.event }

// Key is equal for equal patterns.
func (p *Pattern) Key() string { return p.key }

// Event is something that a person did.
type Event struct {
	Name       string
	Time       int64 // Unix milliseconds
	Numbers    []tracking.Number
	Properties string // JSON object, "" without
}

// Occurrence is what the event is to the pattern; false when it is nothing.
func (p *Pattern) Occurrence(e *Event) (Occurrence, bool) {
	if e.Name != p.event {
		return Occurrence{}, false
	}
	for i := range p.where {
		if !p.where[i].match(e) {
			return Occurrence{}, false
		}
	}
	o := Occurrence{At: e.Time}
	if p.number != "" {
		value, ok := numeric(e.Numbers, p.number)
		if !ok {
			return Occurrence{}, false
		}
		o.Value = value
	}
	return o, true
}

func numeric(numbers []tracking.Number, path string) (float64, bool) {
	for i := range numbers {
		if numbers[i].Path == path {
			return numbers[i].Value, true
		}
	}
	return 0, false
}

// filter is a condition on a property.
type filter struct {
	path property
	test test
}

// property is a path into the properties, split at its dots; of those, the
// first have to be followed to a list when each is set.
type property struct {
	text    string
	before  []string
	each    bool
	after   []string
	numbers bool // the value can be looked up among the numbers of the event
}

func parseProperty(text string) property {
	p := property{text: text}
	head, tail, each := strings.Cut(text, "[]")
	p.each = each
	if head != "" {
		p.before = strings.Split(head, ".")
	}
	if tail = strings.TrimPrefix(tail, "."); tail != "" {
		p.after = strings.Split(tail, ".")
	}
	p.numbers = !each
	return p
}

// numericOp says that a test can only hold for a number.
func (t *test) numericOp() bool {
	switch t.op {
	case opLt, opLte, opGt, opGte, opBetween:
		return true
	case opEq, opIn:
		for i := range t.literals {
			if t.literals[i].kind != kindNumber {
				return false
			}
		}
		return true
	}
	return false
}

func (f *filter) match(e *Event) bool {
	if f.path.numbers && f.test.numericOp() {
		value, ok := numeric(e.Numbers, f.path.text)
		if !ok {
			return false
		}
		if f.test.op == opEq || f.test.op == opIn {
			for i := range f.test.literals {
				if f.test.literals[i].number == value {
					return true
				}
			}
			return false
		}
		return f.test.matchNumber(value)
	}
	raw := lookup(e.Properties, f.path.before)
	if !f.path.each {
		return f.test.matchJSON(raw)
	}
	missing := f.test.op == opMissing
	for element := range elements(raw) {
		value := lookup(element, f.path.after)
		if missing {
			if value != "" && value != "null" {
				return false
			}
			continue
		}
		if f.test.matchJSON(value) {
			return true
		}
	}
	return missing
}

// matchJSON tests a value that is still text; "" is missing.
func (t *test) matchJSON(raw string) bool {
	if raw == "" || raw == "null" {
		return t.op == opMissing
	}
	switch raw[0] {
	case '"':
		return t.match(unquote(raw), 0)
	case 't':
		return t.match(true, 0)
	case 'f':
		return t.match(false, 0)
	case '{':
		return t.op == opExists || t.op == opNe || t.op == opNotIn
	case '[':
		if t.op != opContains {
			return t.op == opExists || t.op == opNe || t.op == opNotIn
		}
		for element := range elements(raw) {
			if v, scalar := scalarOf(element); scalar && t.literals[0].equal(v, t.fold) {
				return true
			}
		}
		return false
	}
	v, _ := scalarOf(raw)
	return t.match(v, 0)
}

// window is the time in which events count.
type window struct {
	last     int64 // milliseconds before now; 0 when from and to hold
	from, to int64 // Unix milliseconds, [from, to)
}

var ever = window{from: math.MinInt64, to: math.MaxInt64}

// bounds are the first and the last instant that count, both included.
func (w window) bounds(now int64) (first, last int64) {
	if w.last > 0 {
		return now - w.last + 1, now
	}
	return w.from, min(now, w.to-1)
}

// within cuts a series, which is in order of time, to a window.
func within(series []Occurrence, w window, now int64) []Occurrence {
	first, last := w.bounds(now)
	if len(series) == 0 || first > last {
		return nil
	}
	from, to := 0, len(series)
	if series[0].At < first {
		from = sort.Search(len(series), func(i int) bool { return series[i].At >= first })
	}
	if series[to-1].At > last {
		to = sort.Search(len(series), func(i int) bool { return series[i].At > last })
	}
	if from >= to {
		return nil
	}
	return series[from:to]
}

// eventNode asks what a person did.
type eventNode struct {
	pattern *Pattern
	window  window
	measure measure
	least   int // of measureTimes
	most    int
	test    test
}

type measure uint8

const (
	measureTimes measure = iota
	measureSum
	measureAverage
	measureMin
	measureMax
	measureFirst
	measureLast
)

func (n *eventNode) match(s *Subject, now int64) bool {
	var series []Occurrence
	if s.History != nil {
		series = within(s.History.Series(n.pattern.slot), n.window, now)
	}
	if n.measure == measureTimes {
		return n.least <= len(series) && len(series) <= n.most
	}
	if len(series) == 0 {
		return false
	}
	switch n.measure {
	case measureFirst:
		return n.test.matchDate(series[0].At, now)
	case measureLast:
		return n.test.matchDate(series[len(series)-1].At, now)
	}
	return n.test.matchNumber(n.aggregate(series))
}

// aggregate is the figure of a series. Sums are of millionths, which are whole
// numbers, so that the order of addition does not matter.
func (n *eventNode) aggregate(series []Occurrence) float64 {
	figure := series[0].Value
	if n.measure == measureSum || n.measure == measureAverage {
		figure = 0
	}
	for i := range series {
		v := series[i].Value
		switch n.measure {
		case measureMin:
			figure = min(figure, v)
		case measureMax:
			figure = max(figure, v)
		default:
			figure += millionths(v)
		}
	}
	if n.measure == measureAverage {
		figure /= float64(len(series))
	}
	return figure
}

func millionths(v float64) float64 { return math.RoundToEven(v * 1e6) }

// sequenceNode asks for events in an order.
type sequenceNode struct {
	steps  []*Pattern
	window window
	within int64 // milliseconds from the first to the last, 0 without a bound
}

// match walks through the occurrences of all steps in order of time and keeps,
// for each step, the latest beginning of a chain that has come so far: of all
// chains that is the one which a bound on the whole lasts longest for.
func (n *sequenceNode) match(s *Subject, now int64) bool {
	if s.History == nil {
		return false
	}
	var series [MaxSteps][]Occurrence
	var begun [MaxSteps]int64
	var reached [MaxSteps]bool
	for i, p := range n.steps {
		if series[i] = within(s.History.Series(p.slot), n.window, now); len(series[i]) == 0 {
			return false
		}
	}
	last := len(n.steps) - 1
	for {
		at := int64(math.MaxInt64)
		for i := range n.steps {
			if len(series[i]) > 0 {
				at = min(at, series[i][0].At)
			}
		}
		if at == math.MaxInt64 {
			return false
		}
		// From the last step to the first, so that two steps do not meet in one instant.
		for i := last; i >= 0; i-- {
			if len(series[i]) == 0 || series[i][0].At != at {
				continue
			}
			for len(series[i]) > 0 && series[i][0].At == at {
				series[i] = series[i][1:]
			}
			if i == 0 {
				begun[0], reached[0] = at, true
				continue
			}
			if !reached[i-1] {
				continue
			}
			if i == last && (n.within == 0 || at-begun[i-1] <= n.within) {
				return true
			}
			begun[i], reached[i] = begun[i-1], true
		}
		if len(series[last]) == 0 {
			return false
		}
	}
}
