package segments

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Definition is what a segment is, to a rule that refers to it.
type Definition struct {
	// Rule decides who is in it; nil when the list of members does.
	Rule *Rule
}

// Tables are the names that expressions read.
type Tables struct {
	// People has one row per person, as package profiles writes it.
	People string
	// Events is the log; its rows name profiles.
	Events string
	// Persons maps profiles to people: profile_id, person_id, valid_from, stamp; ""
	// means that every profile is a person.
	Persons string
	// Members has the changes of membership: segment, person_id, entered, at.
	Members string
}

// Builder collects the parameters of one statement. Values that a rule names
// are bound as parameters, never written into the text.
type Builder struct {
	// Params are the parameters of the statement, as ClickHouse reads them:
	// {p0:String} in the text.
	Params map[string]string

	tables  Tables
	now     int64
	through uint64
	below   string
	segment func(key string) (Definition, bool)
	known   map[string]string // value with its type, to the place in the text
	open    []string          // segments that are being written out
	nodes   int
	err     error
}

// maxExpanded bounds the conditions of a statement with those of all segments
// that it refers to.
const maxExpanded = 5000

// NewBuilder makes a builder for the instant now. segment finds other segments
// that a rule refers to; through is the last sequence of the stream that counts, 0
// for all.
func NewBuilder(t Tables, now time.Time, through uint64, segment func(key string) (Definition, bool)) *Builder {
	return &Builder{
		Params: map[string]string{}, tables: t, now: now.UnixMilli(), through: through, segment: segment, known: map[string]string{},
	}
}

// Condition is the rule as an expression over a row of the table of people, 1
// when the person fulfils it and 0 otherwise.
func (r *Rule) Condition(b *Builder) (string, error) {
	b.nodes += r.nodes
	if b.nodes > maxExpanded {
		return "", fmt.Errorf("the rule has more than %d conditions together with the segments that it refers to", maxExpanded)
	}
	s := r.root.sql(b)
	return s, b.err
}

// Below narrows what is read down to people, and profiles, whose id is below a
// text: ids are hashes, so that this is a random sample. It is called before any
// condition is written.
func (b *Builder) Below(id string) string {
	b.below = id
	return "person_id < " + b.text(id)
}

// PatternQuery is a statement for the occurrences of a pattern up to now:
// profile_id, at in Unix milliseconds, value, in order of profile and time. prefix
// narrows it down to profiles whose id begins with it.
func (b *Builder) PatternQuery(p *Pattern, prefix string) string {
	value := "0."
	if p.number != "" {
		value = "numbers[" + b.text(p.number) + "]"
	}
	where := b.occurs(p) + b.upTo()
	if p.keep > 0 {
		where += b.in(window{last: p.keep})
	}
	if prefix != "" {
		where += " AND startsWith(profile_id, " + b.text(prefix) + ")"
	}
	return "SELECT profile_id, toUnixTimestamp64Milli(timestamp) AS at, toFloat64(" + value + ") AS value FROM " + b.tables.Events +
		" FINAL WHERE " + where + " ORDER BY profile_id, at" + finalSettings
}

// PatternCount is a statement for how many occurrences there are, about: copies
// of a message count too.
func (b *Builder) PatternCount(p *Pattern) string {
	where := b.occurs(p) + b.upTo()
	if p.keep > 0 {
		where += b.in(window{last: p.keep})
	}
	return "SELECT count() FROM " + b.tables.Events + " WHERE " + where
}

// finalSettings make FINAL cheap: copies of a message have the same time and so
// lie in the same partition.
const finalSettings = " SETTINGS do_not_merge_across_partitions_select_final = 1"

func (b *Builder) upTo() string {
	if b.through == 0 {
		return ""
	}
	return " AND sequence <= " + strconv.FormatUint(b.through, 10)
}

// bind makes a parameter and returns its place in the text.
func (b *Builder) bind(kind, value string) string {
	key := kind + " " + value
	if place, ok := b.known[key]; ok {
		return place
	}
	name := "p" + strconv.Itoa(len(b.Params))
	b.Params[name] = value
	place := "{" + name + ":" + kind + "}"
	b.known[key] = place
	return place
}

var escapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "\x00", `\0`, "\b", `\b`, "\f", `\f`)

func (b *Builder) text(s string) string { return b.bind("String", escapes.Replace(s)) }

var quotes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "\x00", `\0`, "\b", `\b`, "\f", `\f`)

func (b *Builder) texts(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = "'" + quotes.Replace(s) + "'"
	}
	return b.bind("Array(String)", "["+strings.Join(quoted, ",")+"]")
}

func (b *Builder) whole(n int64) string { return b.bind("Int64", strconv.FormatInt(n, 10)) }

// float binds the bits of a number: its decimal form would be read with another
// last digit in some cases.
func (b *Builder) float(f float64) string {
	return "reinterpretAsFloat64(" + b.bind("UInt64", strconv.FormatUint(math.Float64bits(f), 10)) + ")"
}

// letters are all letters with a lower case, and that.
var letters = sync.OnceValues(func() (upper, lower string) {
	var u, l strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if low := unicode.ToLower(r); low != r {
			u.WriteRune(r)
			l.WriteRune(low)
		}
	}
	return u.String(), l.String()
})

// lower is a text in lower case by the very mapping that [fold] uses; ClickHouse's
// own lower-case function has another one.
func (b *Builder) lower(expression string) string {
	upper, low := letters()
	return "translateUTF8(" + expression + ", " + b.text(upper) + ", " + b.text(low) + ")"
}

func (n *allNode) sql(b *Builder) string { return join(b, n.nodes, " AND ") }
func (n *anyNode) sql(b *Builder) string { return join(b, n.nodes, " OR ") }
func (n *notNode) sql(b *Builder) string { return "(NOT " + n.node.sql(b) + ")" }

func join(b *Builder, nodes []node, between string) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = n.sql(b)
	}
	return "(" + strings.Join(parts, between) + ")"
}

func (n *traitNode) sql(b *Builder) string { return b.test(&n.test, b.columns("trait", n.name.text)) }

func (n *attributeNode) sql(b *Builder) string {
	return b.test(&n.test, b.columns("attribute", n.name.text))
}

func (n *profileNode) sql(b *Builder) string {
	switch n.field {
	case fieldCreated:
		return b.date(&n.test, "created_at")
	case fieldSeen:
		return b.date(&n.test, "last_seen_at")
	default:
		return b.number(&n.test, "toFloat64(event_count)")
	}
}

func (n *identifierNode) sql(b *Builder) string {
	values := "identifiers[" + b.text(n.namespace) + "]"
	switch n.test.op {
	case opExists:
		return "notEmpty(" + values + ")"
	case opMissing:
		return "empty(" + values + ")"
	}
	return "arrayExists(x -> " + b.textTest(&n.test, "x") + ", " + values + ")"
}

func (n *consentNode) sql(b *Builder) string {
	own := b.text(n.Purpose)
	purpose := "if(arrayExists(y -> y.1 = " + own + ", consents), " + own + ", '" + AnyOther + "')"
	channel := b.text(n.Channel)
	if n.Channel != "" {
		channel = "if(arrayExists(y -> y.1 = " + purpose + " AND y.2 = " + channel + ", consents), " + channel + ", '" + AnyOther + "')"
	}
	status := "arrayFirst(x -> x.1 = " + purpose + " AND x.2 = " + channel + ", consents).3"
	if n.Status == Unknown {
		return "(" + status + " IN ('', '" + Unknown + "'))"
	}
	return "(" + status + " = " + b.text(n.Status) + ")"
}

func (n *segmentNode) sql(b *Builder) string {
	for _, open := range b.open {
		if open == n.key {
			b.err = fmt.Errorf("the segment %s refers to itself", n.key)
			return "0"
		}
	}
	d, ok := b.segment(n.key)
	switch {
	case !ok:
		return "0"
	case d.Rule == nil:
		// A list names profiles as they were; whoever they are now is meant.
		return "(person_id IN (SELECT " + b.person("person_id") + " FROM (SELECT person_id FROM " + b.tables.Members + " WHERE segment = " + b.text(n.key) +
			" GROUP BY person_id HAVING argMax(entered, (at, sequence, position)) = 1) AS e" + b.persons("person_id") + "))"
	}
	b.open = append(b.open, n.key)
	defer func() { b.open = b.open[:len(b.open)-1] }()
	s, err := d.Rule.Condition(b)
	if err != nil {
		b.err = err
		return "0"
	}
	return s
}

// person is the person of a profile in a query that has joined [Builder.persons].
func (b *Builder) person(column string) string {
	if b.tables.Persons == "" {
		return "e." + column
	}
	return "if(m.person_id = '', e." + column + ", m.person_id)"
}

// persons joins the map of profiles to people. One that is not in it is a person.
func (b *Builder) persons(column string) string {
	if b.tables.Persons == "" {
		return ""
	}
	return " LEFT JOIN (SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person_id FROM " + b.tables.Persons +
		" GROUP BY profile_id) AS m ON e." + column + " = m.profile_id"
}
