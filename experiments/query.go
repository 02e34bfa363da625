package experiments

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// One query computes a whole report, so that all its figures are of the same
// people at the same moment. It reads the exposures of the experiment once for
// who is in it and once for whose outcomes count, and the log once for all
// metrics. Profiles that were merged are one unit: what they saw and did counts
// together. Its shape:
//
//	people    whom a profile belongs to, where it was merged
//	exposed   one row per unit: arm and moment of first exposure, arms seen
//	facts     the events and decisions that some metric reads
//	outcomes  one row per unit with facts: its value for each metric
//	result    one row per arm: units, units seen in several arms, and the sums
//
// What the query returns are sums; the statistics are made of them in Go.

// sums is what the query returns of one metric and arm.
type sums struct {
	matured   float64 // units whose window has passed
	missing   float64 // events without the numeric property
	events    float64 // events that counted
	nonZero   float64 // units whose value is not zero (successes of a proportion)
	y, yy     float64 // Σ, Σ² of the units' values
	d, dd, yd float64 // of a ratio's denominator
}

const sumsPerMetric = 9

// armSums is one row of the result.
type armSums struct {
	variant string
	units   uint64 // seen in this arm only
	mixed   uint64 // first seen in this arm, and in others too
	metrics []sums
}

// query is a report's SQL with what is needed to read its rows.
type query struct {
	sql     string
	metrics int
}

// readings collects what a metric reads, so that two metrics over the same
// event and property share a column.
type readings struct {
	events     []string // names, sorted
	properties []string // in the order of their columns p0, p1, …
	decisions  bool
}

func (r *readings) property(name string) int {
	if i := slices.Index(r.properties, name); i >= 0 {
		return i
	}
	r.properties = append(r.properties, name)
	return len(r.properties) - 1
}

func (r *readings) event(name string) {
	if i, found := slices.BinarySearch(r.events, name); !found {
		r.events = slices.Insert(r.events, i, name)
	}
}

// span is what a report covers: what happened up to at, and of that what was
// known, and who was known to be whom, at the moment asOf.
type span struct{ at, asOf time.Time }

// person maps the unit of a row of t to the person that it belongs to.
func person(t, column string) string { return "if(p.person = '', " + t + "." + column + ", p.person)" }

// buildQuery writes the SQL for metrics of an experiment over a span. The
// decision point restricts which decisions count; empty means all.
func buildQuery(experiment, decisionPoint string, metrics []Metric, of span) query {
	var r readings
	var perUnit, perArm []string
	var longest int64
	for i := range metrics {
		m := &metrics[i]
		longest = max(longest, m.windowMilliseconds())
		perUnit = append(perUnit, unitColumns(i, m, &r)...)
		perArm = append(perArm, armColumns(i, m, of.at)...)
	}
	moment, known := momentLiteral(of.at), momentLiteral(of.asOf)
	var b strings.Builder
	b.WriteString("WITH people AS (\n  SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person\n")
	fmt.Fprintf(&b, "  FROM person_map\n  WHERE valid_from <= %s\n  GROUP BY profile_id\n),\n", known)
	b.WriteString("exposed AS (\n  SELECT who AS unit, argMin(variant, (exposed_at, variant)) AS arm, min(exposed_at) AS first_at, uniqExact(variant) AS arms_seen\n")
	fmt.Fprintf(&b, "  FROM (\n    SELECT %s AS who, x.variant AS variant, x.exposed_at AS exposed_at\n    FROM exposures AS x\n", person("x", "unit"))
	fmt.Fprintf(&b, "    LEFT JOIN people AS p ON x.unit = p.profile_id\n    WHERE x.experiment = %s AND x.exposed_at <= %s AND x.received_at <= %s AND x.unit != ''\n  )\n  GROUP BY who\n)",
		literal(experiment), moment, known)
	if len(metrics) == 0 {
		b.WriteString("\nSELECT arm, countIf(arms_seen = 1) AS units, countIf(arms_seen > 1) AS mixed, CAST([], 'Array(Float64)') AS sums\n")
		b.WriteString("FROM exposed\nGROUP BY arm\nORDER BY arm")
		return query{sql: b.String()}
	}
	b.WriteString(",\nfacts AS (\n")
	b.WriteString(indent(r.facts(decisionPoint, moment, known)))
	b.WriteString("\n),\noutcomes AS (\n  SELECT e.unit AS unit,\n    ")
	b.WriteString(strings.Join(perUnit, ",\n    "))
	b.WriteString("\n  FROM facts AS f\n  INNER JOIN exposed AS e ON f.unit = e.unit\n")
	fmt.Fprintf(&b, "  WHERE e.arms_seen = 1 AND f.at >= e.first_at AND f.at < addMilliseconds(e.first_at, %d)\n  GROUP BY e.unit\n)\n", longest)
	b.WriteString("SELECT e.arm AS arm, countIf(e.arms_seen = 1) AS units, countIf(e.arms_seen > 1) AS mixed,\n  [\n    ")
	b.WriteString(strings.Join(perArm, ",\n    "))
	b.WriteString("\n  ] AS sums\nFROM exposed AS e\nLEFT JOIN outcomes AS o ON e.unit = o.unit\nGROUP BY arm\nORDER BY arm")
	return query{sql: b.String(), metrics: len(metrics)}
}

// facts selects what the metrics read of the log: unit, moment, name and one
// column per property. A decision has the name that no event can have.
func (r *readings) facts(decisionPoint, moment, known string) string {
	var parts []string
	if len(r.events) > 0 {
		names := make([]string, len(r.events))
		for i, e := range r.events {
			names[i] = literal(e)
		}
		columns := ""
		for i, p := range r.properties {
			columns += fmt.Sprintf(", x.numbers[%s] AS p%d, mapContains(x.numbers, %s) AS has%d", literal(p), i, literal(p), i)
		}
		// Before FINAL chooses among copies of a message, those that came later go: a copy
		// that is not known yet must not hide the one that is.
		parts = append(parts, fmt.Sprintf("SELECT %s AS unit, x.timestamp AS at, x.event AS name, false AS decision, 0. AS cost%s\n"+
			"FROM events AS x FINAL\nLEFT JOIN people AS p ON x.profile_id = p.profile_id\nPREWHERE x.received_at <= %s\n"+
			"WHERE x.type = 'track' AND x.event IN (%s) AND x.timestamp <= %s", person("x", "profile_id"), columns, known, strings.Join(names, ", "), moment))
	}
	if r.decisions {
		columns := ""
		for i := range r.properties {
			columns += fmt.Sprintf(", 0. AS p%d, false AS has%d", i, i)
		}
		where := "x.decided_at <= " + moment
		if decisionPoint != "" {
			where = "x.decision_point = " + literal(decisionPoint) + " AND " + where
		}
		parts = append(parts, fmt.Sprintf("SELECT %s AS unit, x.decided_at AS at, '' AS name, true AS decision, x.contact_cost AS cost%s\n"+
			"FROM decisions AS x FINAL\nLEFT JOIN people AS p ON x.profile_id = p.profile_id\nPREWHERE x.received_at <= %s\nWHERE %s",
			person("x", "profile_id"), columns, known, where))
	}
	return strings.Join(parts, "\nUNION ALL\n")
}

// unitColumns are the values of one unit for metric i: y, its denominator d,
// and what a reader must know about how y came about.
func unitColumns(i int, m *Metric, r *readings) []string {
	inWindow := fmt.Sprintf("f.at < addMilliseconds(e.first_at, %d)", m.windowMilliseconds())
	r.event(m.Event)
	isEvent := fmt.Sprintf("NOT f.decision AND f.name = %s AND %s", literal(m.Event), inWindow)
	isDecision := "f.decision AND " + inWindow
	if m.readsDecisions() {
		r.decisions = true
	}
	missing, y := "0", ""
	switch {
	case m.Kind == ProportionKind:
		y = fmt.Sprintf("toFloat64(countIf(%s) > 0)", isEvent)
	case m.Property == "":
		y = fmt.Sprintf("toFloat64(countIf(%s))", isEvent)
	default:
		p := r.property(m.Property)
		y = exactSum(fmt.Sprintf("f.p%d", p), isEvent)
		missing = fmt.Sprintf("countIf(%s AND NOT f.has%d)", isEvent, p)
	}
	if m.SubtractContactCost {
		y += " - " + exactSum("f.cost", isDecision)
	}
	columns := []string{
		fmt.Sprintf("%s AS y%d", y, i),
		fmt.Sprintf("%s AS missing%d", missing, i),
		fmt.Sprintf("countIf(%s) AS events%d", isEvent, i),
	}
	if m.Kind == RatioKind {
		d := isDecision
		if event, ok := strings.CutPrefix(m.Denominator, eventPrefix); ok {
			r.event(event)
			d = fmt.Sprintf("NOT f.decision AND f.name = %s AND %s", literal(event), inWindow)
		}
		columns = append(columns, fmt.Sprintf("toFloat64(countIf(%s)) AS d%d", d, i))
	}
	return columns
}

// armColumns are the sums of metric i in the order of the fields of sums. Units
// without outcomes come out of the left join with zeros.
func armColumns(i int, m *Metric, at time.Time) []string {
	one := "e.arms_seen = 1"
	sum := func(value string) string { return exactSum(value, one) }
	y, d := fmt.Sprintf("o.y%d", i), fmt.Sprintf("o.d%d", i)
	columns := []string{
		fmt.Sprintf("toFloat64(countIf(%s AND addMilliseconds(e.first_at, %d) <= %s))", one, m.windowMilliseconds(), momentLiteral(at)),
		fmt.Sprintf("toFloat64(sumIf(o.missing%d, %s))", i, one),
		fmt.Sprintf("toFloat64(sumIf(o.events%d, %s))", i, one),
		fmt.Sprintf("toFloat64(countIf(%s != 0 AND %s))", y, one),
		sum(y), sum(y + " * " + y),
	}
	if m.Kind != RatioKind {
		return append(columns, "0.", "0.", "0.")
	}
	return append(columns, sum(d), sum(d+" * "+d), sum(y+" * "+d))
}

// windowMilliseconds is the end of the window in the resolution of the log.
func (m *Metric) windowMilliseconds() int64 {
	_, to := m.window()
	return to
}

// exactSum adds values up in whole numbers of 2⁻⁶⁰, which comes to the same in
// whatever order the rows are read: a report of the past is the same to the last
// digit whenever it is made. Beyond 2¹²⁰, where no real amount is, it is
// the sum of the floating-point numbers.
func exactSum(value, condition string) string {
	return fmt.Sprintf("if(maxIf(abs(%[1]s), %[2]s) < exp2(120), toFloat64(sumIf(toInt256(if(abs(%[1]s) < exp2(120), %[1]s, 0.) * exp2(60)), %[2]s)) / exp2(60), sumKahanIf(%[1]s, %[2]s))",
		value, condition)
}

// readSums turns the result's numbers of one arm into the metrics' sums.
func (q *query) readSums(values []float64) ([]sums, error) {
	if len(values) != q.metrics*sumsPerMetric {
		return nil, fmt.Errorf("the report's query returned %d sums for %d metrics", len(values), q.metrics)
	}
	out := make([]sums, q.metrics)
	for i := range out {
		v := values[i*sumsPerMetric:]
		out[i] = sums{matured: v[0], missing: v[1], events: v[2], nonZero: v[3], y: v[4], yy: v[5], d: v[6], dd: v[7], yd: v[8]}
	}
	return out, nil
}

// literal quotes a string for ClickHouse. Names of events and properties come
// from definitions, so every byte that could end the literal is escaped.
func literal(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('\'')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, "\\x%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// momentLiteral is a moment in the log's resolution of a millisecond.
func momentLiteral(t time.Time) string {
	return "fromUnixTimestamp64Milli(" + strconv.FormatInt(t.UnixMilli(), 10) + ", 'UTC')"
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
