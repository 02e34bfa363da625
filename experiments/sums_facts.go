package experiments

import (
	"fmt"
	"slices"
	"strings"
)

// factReader collects what the metrics of a statement read of the log, so that
// two metrics over the same event and property share a column. A fact is a row
// of: key of the unit, at (milliseconds), code (which event it is), cost of a
// decision, and a column for each property, filter, trait and dimension.
type factReader struct {
	events     []string // names; the code of an event is its place plus one
	properties []string // columns p0, p1, …: values, and h0, h1, …: whether they are there
	filters    []string // columns c0, c1, …: whether the event meets the filter
	traits     []string // numeric traits, columns t0, …, and u0, …: whether they are there
	dimensions []string // columns v0, …: texts, empty where not known
	decisions  bool     // decisions count, for cost or as denominators
	from, to   int64    // milliseconds around the first exposure that some value reads
}

// Codes of facts that are not track events of a metric.
const (
	decisionCode = 0
	exposureCode = 254 // the decision or event that exposed, for dimensions
	traitCode    = 255 // an identify call, for traits
)

// Prefixes of the names of dimensions.
const (
	traitPrefix    = "trait."
	contextPrefix  = "context."
	propertyPrefix = "property."
	decisionPrefix = "decision."
)

func decisionDimensions() []string {
	return []string{"channel", "offer", "creative", "action", "policy", "group", "point"}
}

func place(list *[]string, text string) int {
	if i := slices.Index(*list, text); i >= 0 {
		return i
	}
	*list = append(*list, text)
	return len(*list) - 1
}

// event is the condition that a fact is the event and meets the filter.
func (r *factReader) event(name string, filter []PropertyCondition) string {
	code := fmt.Sprintf("f.code = %d", place(&r.events, name)+1)
	if len(filter) == 0 {
		return code
	}
	return fmt.Sprintf("%s AND f.c%d", code, place(&r.filters, filterSQL(filter)))
}

func (r *factReader) property(name string) int { return place(&r.properties, name) }

// within widens what is read to a window around the first exposure.
func (r *factReader) within(from, to int64) { r.from, r.to = min(r.from, from), max(r.to, to) }

// columns are those of a fact beside key, at and code; give maps a column's name
// to its SQL, others have a default.
func (r *factReader) columns(give map[string]string) string {
	var b strings.Builder
	add := func(name, otherwise string) {
		if sql, ok := give[name]; ok {
			otherwise = sql
		}
		fmt.Fprintf(&b, ", %s AS %s", otherwise, name)
	}
	if r.decisions {
		add("cost", "0.")
	}
	for i := range r.properties {
		add(fmt.Sprint("p", i), "0.")
		add(fmt.Sprint("h", i), "false")
	}
	for i := range r.filters {
		add(fmt.Sprint("c", i), "false")
	}
	for i := range r.traits {
		add(fmt.Sprint("t", i), "0.")
		add(fmt.Sprint("u", i), "false")
	}
	for i := range r.dimensions {
		add(fmt.Sprint("v", i), "''")
	}
	return b.String()
}

// sql selects the facts.
func (r *factReader) sql(b *builder) string {
	var parts []string
	moment, known := momentLiteral(b.request.At), momentLiteral(b.request.AsOf)
	join := ""
	if b.shape.people {
		join = "\nLEFT JOIN people AS p ON x.profile_id = p.profile_id"
	}
	// Before FINAL chooses among copies of a message, those that came later go: a copy
	// that is not known yet must not hide the one that is.
	read := func(table, time, code, columns, where string) {
		parts = append(parts, fmt.Sprintf("SELECT %s AS key, toUnixTimestamp64Milli(x.%s) AS at, toUInt8(%s) AS code%s\nFROM %s AS x FINAL%s\nPREWHERE x.received_at <= %s\nWHERE x.%s <= %s AND %s",
			key(person("profile_id", b.shape)), time, code, columns, table, join, known, time, moment, where))
	}
	if len(r.events) > 0 {
		give, names := map[string]string{}, make([]string, len(r.events))
		for i, e := range r.events {
			names[i] = literal(e)
		}
		for i, p := range r.properties {
			give[fmt.Sprint("p", i)] = "x.numbers[" + literal(p) + "]"
			give[fmt.Sprint("h", i)] = "mapContains(x.numbers, " + literal(p) + ")"
		}
		for i, f := range r.filters {
			give[fmt.Sprint("c", i)] = "toBool(" + f + ")"
		}
		list := strings.Join(names, ", ")
		code := "indexOf([" + list + "], x.event)"
		if len(names) == 1 {
			code = "1"
		}
		read("events", "timestamp", code, r.columns(give), "x.type = 'track' AND x.event IN ("+list+")")
	}
	if r.decisions {
		where := "true"
		if b.request.DecisionPoint != "" {
			where = "x.decision_point = " + literal(b.request.DecisionPoint)
		}
		read("decisions", "decided_at", fmt.Sprint(decisionCode), r.columns(map[string]string{"cost": "x.contact_cost"}), where)
	}
	if len(r.traits) > 0 || slices.ContainsFunc(r.dimensions, func(d string) bool { return strings.HasPrefix(d, traitPrefix) }) {
		read("events", "timestamp", fmt.Sprint(traitCode), r.columns(r.traitSQL()), "x.event = '$identify'")
	}
	if slices.ContainsFunc(r.dimensions, func(d string) bool { return !strings.HasPrefix(d, traitPrefix) }) {
		inDecision, inEvent := r.exposureSQL()
		experiment := literal(b.request.Experiment)
		read("decisions", "decided_at", fmt.Sprint(exposureCode), r.columns(inDecision), "has(x.experiments, "+experiment+")")
		read("events", "timestamp", fmt.Sprint(exposureCode), r.columns(inEvent), "x.type = 'track' AND x.event = 'Experiment Viewed' AND (JSONExtractString(x.properties, 'experimentId') = "+
			experiment+" OR JSONExtractString(x.properties, 'experiment_id') = "+experiment+")")
	}
	if len(parts) == 0 {
		return "SELECT toUInt128(0) AS key, toInt64(0) AS at, toUInt8(0) AS code WHERE false"
	}
	return strings.Join(parts, "\nUNION ALL\n")
}

// jsonText is the SQL of a value in JSON as text, empty where it is not there.
func jsonText(column, name string) string {
	return fmt.Sprintf("multiIf(JSONType(x.%[1]s, %[2]s) = 'String', JSONExtractString(x.%[1]s, %[2]s), JSONType(x.%[1]s, %[2]s) IN ('Int64', 'UInt64', 'Double', 'Bool'), JSONExtractRaw(x.%[1]s, %[2]s), '')",
		column, literal(name))
}

func (r *factReader) traitSQL() map[string]string {
	give := map[string]string{}
	for i, t := range r.traits {
		give[fmt.Sprint("t", i)] = "JSONExtractFloat(x.traits, " + literal(t) + ")"
		give[fmt.Sprint("u", i)] = "toBool(JSONType(x.traits, " + literal(t) + ") IN ('Int64', 'UInt64', 'Double'))"
	}
	for i, d := range r.dimensions {
		if name, ok := strings.CutPrefix(d, traitPrefix); ok {
			give[fmt.Sprint("v", i)] = jsonText("traits", name)
		}
	}
	return give
}

func (r *factReader) exposureSQL() (inDecision, inEvent map[string]string) {
	inDecision, inEvent = map[string]string{}, map[string]string{}
	for i, d := range r.dimensions {
		column := fmt.Sprint("v", i)
		if name, ok := strings.CutPrefix(d, contextPrefix); ok {
			inDecision[column], inEvent[column] = jsonText("context", name), jsonText("context", name)
		}
		if name, ok := strings.CutPrefix(d, propertyPrefix); ok {
			inEvent[column] = jsonText("properties", name)
		}
		if name, ok := strings.CutPrefix(d, decisionPrefix); ok {
			if name == "point" {
				name = "decision_point"
			}
			inDecision[column] = "toString(x.`" + name + "`)" // one of decisionDimensions
		}
	}
	return inDecision, inEvent
}

// traitColumn is a unit's last value of a trait up to its first exposure.
func (r *factReader) traitColumn(i int) string {
	known := fmt.Sprintf("f.code = %d AND f.u%d AND f.at <= e.first_at", traitCode, i)
	return fmt.Sprintf("argMaxIf(f.t%[1]d, (f.at, f.t%[1]d), %[2]s) AS t%[1]d, countIf(%[2]s) > 0 AS u%[1]d", i, known)
}

// dimensionColumn is what was true of a unit at its first exposure.
func (r *factReader) dimensionColumn(i int) string {
	v := fmt.Sprint("f.v", i)
	if strings.HasPrefix(r.dimensions[i], traitPrefix) {
		return fmt.Sprintf("argMaxIf(%[1]s, (f.at, %[1]s), f.code = %[2]d AND %[1]s != '' AND f.at <= e.first_at) AS dimension%[3]d", v, traitCode, i)
	}
	return fmt.Sprintf("argMinIf(%[1]s, (f.at, %[1]s), f.code = %[2]d AND f.at >= e.first_at) AS dimension%[3]d", v, exposureCode, i)
}

// reach is the condition that a fact is near enough to the first exposure for
// some value to read it.
func (r *factReader) reach() string {
	near := fmt.Sprintf("f.at >= e.first_at + (%d) AND f.at < e.first_at + %d", r.from, r.to)
	if len(r.traits) == 0 && len(r.dimensions) == 0 {
		return near
	}
	return fmt.Sprintf("(f.code >= %d OR %s)", exposureCode, near)
}
