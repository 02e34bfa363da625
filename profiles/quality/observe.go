package quality

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"quintet/profiles"
	"quintet/profiles/traits"
)

// Bounds of what is counted. What is beyond them is counted as overflow.
const (
	// MaxEvents is how many different names of events a source may have.
	MaxEvents = 2000
	// MaxFields is how many different fields an event of a source may have.
	MaxFields = 500
	// maxAllFields bounds the fields of everything, and so the memory for their names.
	maxAllFields = 200_000
	// maxName is the length of the name of a member in bytes; longer ones are counted
	// together, as "*".
	maxName = 100
	// lateAfter is from which age in milliseconds an event is late when it comes.
	lateAfter = 3600_000
)

const (
	hourMillis = 3600_000
	dayMillis  = 24 * hourMillis
)

// counts are those of a field, or of an event where the field is "".
type counts struct {
	present, empty                          uint64
	texts, numbers, flags, objects, arrays  uint64
	dates, emails, phones, cards, addresses uint64 // of the texts
	checked, broken                         uint64 // values that a declaration or schema is about
	late, violations, overflow              uint64 // of events
	minimum, maximum                        float64
	first, last                             int64 // times of receipt
	distinct                                *ranks
}

func (c *counts) seen(received int64) {
	if c.present == 0 || received < c.first {
		c.first = received
	}
	c.last = max(c.last, received)
	c.present++
}

// rowKey is a row: an event of an hour, or a field of a day.
type rowKey struct {
	bucket        int64 // beginning, Unix milliseconds
	source, event string
	field         string
}

// group is the fields of an event of a source on a day.
type group struct {
	fields map[string]*counts
	known  map[string]struct{} // fields that are counted, over all days
}

type groupKey struct {
	day           int64
	source, event string
}

// observation counts the events of one range.
type observation struct {
	registry *registry
	schemas  *schemaSet
	rules    *traits.Rules
	hours    map[rowKey]*counts
	groups   map[groupKey]*group
	path     []byte
}

func newObservation(r *registry, schemas *schemaSet, rules *traits.Rules) *observation {
	return &observation{registry: r, schemas: schemas, rules: rules, hours: map[rowKey]*counts{}, groups: map[groupKey]*group{}}
}

func (o *observation) add(e *profiles.StoredEvent) {
	event := e.Event
	known := o.registry.fieldsOf(e.Source, event)
	if known == nil {
		event = overflowEvent
	}
	hour := rowKey{bucket: e.Received / hourMillis * hourMillis, source: e.Source, event: event}
	c := o.hours[hour]
	if c == nil {
		c = newCounts()
		o.hours[hour] = c
	}
	c.seen(e.Received)
	if e.Received-e.Time > lateAfter {
		c.late++
	}
	if known == nil {
		c.overflow++
		return
	}
	day := groupKey{e.Received / dayMillis * dayMillis, e.Source, event}
	g := o.groups[day]
	if g == nil {
		g = &group{fields: make(map[string]*counts, len(known)), known: known}
		o.groups[day] = g
	}
	schema := o.schemas.of(event)
	w := walk{o: o, g: g, received: e.Received, schema: schema}
	for _, part := range [...]struct{ name, raw string }{{"properties", e.Properties}, {"traits", e.Traits}, {"context", e.Context}} {
		o.path = append(o.path[:0], part.name...)
		w.object(part.raw, levels)
	}
	c.overflow += w.overflow
	if schema != nil && len(schema.check(e.Properties, e.Traits, e.Context, true)) > 0 {
		c.violations++
	}
}

// levels is how deep fields are counted: properties.cart.value.
const levels = 2

// overflowEvent stands for the events whose names are too many.
const overflowEvent = "*"

func newCounts() *counts { return &counts{minimum: math.Inf(1), maximum: math.Inf(-1)} }

// walk goes through the fields of one event.
type walk struct {
	o        *observation
	g        *group
	schema   *compiledSchema
	received int64
	overflow uint64
}

// object counts the members of an object, down to the given number of levels. Its
// own path stands in o.path.
func (w *walk) object(raw string, levels int) {
	if len(raw) <= 2 {
		return
	}
	own := len(w.o.path)
	w.o.path = append(w.o.path, '.')
	members(raw, func(name, value string) {
		w.o.path = append(w.o.path[:own+1], name...)
		c := w.g.fields[string(w.o.path)]
		if c == nil {
			if dynamicName(name) {
				w.o.path = append(w.o.path[:own+1], '*')
			}
			c = w.field()
		}
		if c == nil {
			w.overflow++
			return
		}
		c.seen(w.received)
		w.value(c, value)
		if levels > 1 && value[0] == '{' {
			w.object(value, levels-1)
		}
	})
	w.o.path = w.o.path[:own]
}

// field is the counts of the path; nil when there are too many fields.
func (w *walk) field() *counts {
	if c := w.g.fields[string(w.o.path)]; c != nil {
		return c
	}
	path := string(w.o.path)
	if !w.o.registry.admit(w.g.known, path) {
		return nil
	}
	c := newCounts()
	w.g.fields[path] = c
	return c
}

func (w *walk) value(c *counts, raw string) {
	switch raw[0] {
	case 'n':
		c.empty++
		return
	case '"':
		c.texts++
		text := unescaped(raw[1 : len(raw)-1])
		if text == "" {
			c.empty++
			return
		}
		w.text(c, text)
	case '{':
		c.objects++
		if len(raw) == 2 {
			c.empty++
			return
		}
	case '[':
		c.arrays++
		if len(raw) == 2 {
			c.empty++
			return
		}
	case 't', 'f':
		c.flags++
	default:
		c.numbers++
		if n, err := strconv.ParseFloat(raw, 64); err == nil {
			c.minimum, c.maximum = min(c.minimum, n), max(c.maximum, n)
		}
	}
	c.sketch(raw)
	w.check(c, raw)
}

func (w *walk) text(c *counts, text string) {
	switch formatOf(text) {
	case dateLike:
		c.dates++
	case emailLike:
		c.emails++
	case phoneLike:
		c.phones++
	case cardLike:
		c.cards++
	case addressLike:
		c.addresses++
	case plain:
	}
}

func (c *counts) sketch(raw string) {
	if c.distinct == nil {
		c.distinct = new(ranks)
	}
	c.distinct.add(xxhash.Sum64String(raw))
}

// check applies what is declared about the field: the schema of the event, or the
// declaration of the trait.
func (w *walk) check(c *counts, raw string) {
	path := w.o.path
	var broken func(value any) string
	if rule := w.schema.rule(path); rule != nil {
		broken = rule.broken
	} else if name, isTrait := traitName(path); isTrait {
		if _, declared := w.o.rules.Declaration(traits.Canonical(name)); declared {
			broken = func(value any) string { return w.o.rules.Broken(traits.Canonical(name), value) }
		}
	}
	if broken == nil {
		return
	}
	var value any
	if json.Unmarshal([]byte(raw), &value) != nil {
		return
	}
	c.checked++
	if broken(value) != "" {
		c.broken++
	}
}

// traitName is the name of the trait at a path.
func traitName(path []byte) (string, bool) {
	const prefix = "traits."
	if len(path) <= len(prefix) || string(path[:len(prefix)]) != prefix || slices.Contains(path[len(prefix):], '.') {
		return "", false
	}
	return string(path[len(prefix):]), true
}

// rows shows all counts in a fixed order.
func (o *observation) rows(visit func(k rowKey, c *counts)) {
	for _, k := range slices.SortedFunc(maps.Keys(o.hours), compareRows) {
		visit(k, o.hours[k])
	}
	for k, g := range o.groups {
		for _, field := range slices.Sorted(maps.Keys(g.fields)) {
			visit(rowKey{bucket: k.day, source: k.source, event: k.event, field: field}, g.fields[field])
		}
	}
}
