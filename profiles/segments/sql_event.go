package segments

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// occurs is a condition on a row of the log: the event, and its filters.
func (b *Builder) occurs(p *Pattern) string {
	parts := []string{"event = " + b.text(p.event)}
	for i := range p.where {
		parts = append(parts, b.filter(&p.where[i]))
	}
	if p.number != "" {
		parts = append(parts, "mapContains(numbers, "+b.text(p.number)+")")
	}
	return strings.Join(parts, " AND ")
}

func (b *Builder) filter(f *filter) string {
	t := &f.test
	switch {
	case f.path.numbers && t.numericOp():
		n := b.text(f.path.text)
		return b.test(t, &source{isNumber: "mapContains(numbers, " + n + ")", num: "numbers[" + n + "]"})
	case !f.path.each:
		return b.test(t, b.document("properties", f.path.before))
	}
	list := "properties"
	for _, name := range f.path.before {
		list += ", " + b.text(name)
	}
	// z, as a test of lists names their elements x.
	element := b.document("z", f.path.after)
	if t.op == opMissing {
		return "(NOT arrayExists(z -> " + element.exists + ", JSONExtractArrayRaw(" + list + ")))"
	}
	return "arrayExists(z -> " + b.test(t, element) + ", JSONExtractArrayRaw(" + list + "))"
}

// in cuts the log to a window.
func (b *Builder) in(w window) string {
	first, last := w.bounds(b.now)
	s := ""
	if first != math.MinInt64 {
		s = " AND timestamp >= fromUnixTimestamp64Milli(" + b.whole(first) + ", 'UTC')"
	}
	return s + " AND timestamp <= fromUnixTimestamp64Milli(" + b.whole(last) + ", 'UTC')" + b.upTo()
}

// people are those in whose events of the window the condition holds.
func (b *Builder) people(where string, columns []string, having string) string {
	if b.below != "" {
		sample := "profile_id < " + b.text(b.below)
		if b.tables.Persons != "" {
			sample = "(" + sample + " OR profile_id IN (SELECT profile_id FROM " + b.tables.Persons + "))"
		}
		where = sample + " AND " + where
	}
	return "(person_id IN (SELECT " + b.person("profile_id") + " AS person FROM (SELECT profile_id, " + strings.Join(columns, ", ") +
		" FROM " + b.tables.Events + " FINAL WHERE " + where + ") AS e" + b.persons("profile_id") + " GROUP BY person HAVING " + having + "))"
}

const milliseconds = "toUnixTimestamp64Milli(timestamp) AS t"

func (n *eventNode) sql(b *Builder) string {
	where := b.occurs(n.pattern) + b.in(n.window)
	columns := []string{milliseconds}
	if n.measure != measureTimes {
		if n.pattern.number != "" {
			columns = append(columns, "numbers["+b.text(n.pattern.number)+"] AS v")
		}
		return b.people(where, columns, n.figure(b))
	}
	switch {
	case n.least == 0 && n.most == 0:
		return "(NOT " + b.people(where, columns, "1") + ")"
	case n.least == 0:
		return "(NOT " + b.people(where, columns, "count() > "+strconv.Itoa(n.most)) + ")"
	case n.most == math.MaxInt:
		return b.people(where, columns, "count() >= "+strconv.Itoa(n.least))
	}
	return b.people(where, columns, fmt.Sprintf("count() BETWEEN %d AND %d", n.least, n.most))
}

func (n *eventNode) figure(b *Builder) string {
	switch n.measure {
	case measureFirst:
		return b.instant(&n.test, "min(t)")
	case measureLast:
		return b.instant(&n.test, "max(t)")
	case measureMin:
		return b.number(&n.test, "min(v)")
	case measureMax:
		return b.number(&n.test, "max(v)")
	case measureSum:
		return b.number(&n.test, "sum(roundBankers(v * 1e6))")
	default:
		return b.number(&n.test, "(sum(roundBankers(v * 1e6)) / count())")
	}
}

// sql follows [sequenceNode.match]: for each occurrence of a step, the latest
// beginning of a chain that ends with it.
func (n *sequenceNode) sql(b *Builder) string {
	var events []string
	var columns, any []string
	for i, p := range n.steps {
		if !slices.Contains(events, p.event) {
			events = append(events, p.event)
		}
		fits := b.occurs(p)
		columns = append(columns, fmt.Sprintf("(%s) AS s%d", fits, i))
		any = append(any, fmt.Sprintf("s%d", i))
	}
	where := "has(" + b.texts(events) + ", event) AND (" + strings.Join(any, " OR ") + ")" + b.in(n.window)
	const never = "toInt64(-9000000000000000)"
	chain := "arrayMap(u0 -> (u0, u0), groupArrayIf(t, s0))"
	for i := 1; i < len(n.steps); i++ {
		// Names of their own, as one expression is inside the other.
		chain = fmt.Sprintf("arrayMap(u%[1]d -> (u%[1]d, arrayMax(c%[1]d -> if(c%[1]d.1 < u%[1]d, c%[1]d.2, %[2]s), arrayPushBack(%[3]s, (%[2]s, %[2]s)))), groupArrayIf(t, s%[1]d))",
			i, never, chain)
	}
	last := "c.2 > " + never
	if n.within > 0 {
		last += " AND c.1 - c.2 <= " + b.whole(n.within)
	}
	return b.people(where, append(columns, milliseconds), "arrayExists(c -> "+last+", "+chain+")")
}
