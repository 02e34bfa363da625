package experiments

import (
	"fmt"
	"slices"
	"strings"
)

// One statement computes all sums of a request, so that all figures are of the
// same people at the same moment. It reads the first exposures twice, for how many
// people there are and for whose outcomes count, and the log once for all metrics.
// Profiles that were merged are one unit: what they saw and did counts together.
// Its shape:
//
//	people    whom a profile belongs to, where it was merged
//	exposed   one row per unit: arm and moment of first exposure, whether arms are mixed
//	facts     the events and decisions that some metric reads
//	outcomes  one row per unit with facts: its value for each metric
//	result    per arm: units and units in several arms; then the sums over outcomes
//
// Units without facts have the value zero and so add nothing to any sum. What the
// statement returns are sums; the statistics are made of them in Go.

// shape says which parts a statement needs to be right. The first two cost time
// and are left out where nothing is there for them.
type shape struct {
	people    bool // there are merged profiles
	irregular bool // there are units of which first_exposures does not say all
}

// sumsQuery is a statement with what is needed to read its rows.
type sumsQuery struct {
	sql        string
	metrics    []metricColumns
	waits      []int64 // windows, in milliseconds, whose passing is counted
	dimensions int
}

// Rows of the result say what they are.
const (
	totalsRow = 0
	sumsRow   = 1
)

// key is the SQL of a unit's short form; see the table first_exposures.
func key(unit string) string { return "reinterpretAsUInt128(sipHash128(" + unit + "))" }

// person is the SQL of the person that the unit of a row of x belongs to.
func person(column string, s shape) string {
	if !s.people {
		return "x." + column
	}
	return "if(p.person = '', x." + column + ", p.person)"
}

// builder writes one statement.
type builder struct {
	request *SumsRequest
	shape   shape
	facts   factReader
	metrics []metricColumns
	shared  *unitValue // of the metric whose past is the covariate of all
	traits  []int      // columns of the facts
}

func (b *builder) at() string   { return fmt.Sprint(b.request.At.UnixMilli()) }
func (b *builder) asOf() string { return fmt.Sprint(b.request.AsOf.UnixMilli()) }

// buildSums writes the statement for a request whose kind of breakdown is none, a
// phase or a dimension.
func buildSums(r *SumsRequest, s shape) sumsQuery {
	b := &builder{request: r, shape: s}
	b.addMetrics()
	q := sumsQuery{metrics: b.metrics, waits: b.windows(), dimensions: len(r.By.Dimensions)}
	var with []string
	if s.people {
		with = append(with, b.people())
	}
	with = append(with, "exposed AS (\n"+indent(b.exposed())+"\n)")
	result := b.totals(q.waits)
	if r.By.grid != nil {
		result = b.dailyTotals(q.waits)
	}
	if len(b.metrics) > 0 || r.By.Kind == ByDimension {
		with = append(with, "facts AS (\n"+indent(b.facts.sql(b))+"\n)")
		if r.By.grid != nil {
			with = append(with, b.states()...)
		} else {
			with = append(with, "outcomes AS (\n"+indent(b.outcomes())+"\n)")
		}
		if caps := b.capsSQL(); caps != "" {
			with = append(with, caps)
		}
		if b.needsUnits() {
			with = append(with, "(SELECT mapFromArrays(groupArray(arm), groupArray(n)) FROM (SELECT arm, count() AS n FROM exposed WHERE mixed = 0 GROUP BY arm)) AS units_of")
		}
		result += "\nUNION ALL\n" + b.sums()
	}
	q.sql = "WITH " + strings.Join(with, ",\n") + "\n" + result
	return q
}

// people maps profiles to whom they belonged to at the moment asOf.
func (b *builder) people() string {
	return fmt.Sprintf("people AS (\n  SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person\n  FROM person_map\n  WHERE valid_from <= %s\n  GROUP BY profile_id\n)", momentLiteral(b.request.AsOf))
}

// exposed selects one row per unit. Of a regular unit the row of first_exposures
// says all: it was seen in one variant, and its first exposure was known at the
// moment asOf. An exposure that was not known then, of a unit that is not
// irregular, is the first of a unit that nothing was known of.
func (b *builder) exposed() string {
	// The two halves of the column first, see its table.
	seen := "(SELECT key, unit, variant, variant = other_variant AS alone, toInt64(bitShiftRight(first, 64)) AS first_at, toInt64(toUInt64(bitAnd(first, 18446744073709551615))) AS received\n" +
		"FROM first_exposures FINAL\nWHERE experiment = " + literal(b.request.Experiment) + ")"
	regular := "alone AND received <= " + b.asOf()
	moved := "(SELECT arrayJoin([" + key("profile_id") + ", " + key("person") + "]) FROM people)"
	mixed, where := fmt.Sprintf("toUInt8(if(%s, 0, %d))", regular, irregularUnit), "first_at <= "+b.at()
	switch {
	case b.shape.irregular:
		mixed, where = "toUInt8(0)", where+" AND "+regular
		if b.shape.people {
			where += " AND key NOT IN " + moved
		}
	case b.shape.people:
		where += " AND (key NOT IN " + moved + " OR NOT (" + regular + "))"
	}
	direct := "SELECT key, variant AS arm, first_at, " + mixed + " AS mixed\nFROM " + seen + "\nWHERE " + where
	var parts []string
	join := ""
	if b.shape.people {
		join = "\nLEFT JOIN people AS p ON x.unit = p.profile_id"
		parts = append(parts, "SELECT "+person("unit", b.shape)+" AS who, x.variant AS variant, x.first_at AS at\nFROM "+seen+" AS x"+join+"\nWHERE x.first_at <= "+b.at()+" AND x.alone AND x.received <= "+b.asOf()+" AND x.key IN "+moved)
	}
	if b.shape.irregular {
		parts = append(parts, fmt.Sprintf("SELECT %s AS who, toString(x.variant) AS variant, toUnixTimestamp64Milli(x.exposed_at) AS at\nFROM exposures AS x%s\nWHERE x.experiment = %s AND x.exposed_at <= %s AND x.received_at <= %s\n  AND x.unit IN (SELECT unit FROM %s WHERE first_at <= %s AND NOT (%s))",
			person("unit", b.shape), join, literal(b.request.Experiment), momentLiteral(b.request.At), momentLiteral(b.request.AsOf), seen, b.at(), regular))
	}
	if len(parts) == 0 {
		return direct
	}
	return direct + "\nUNION ALL\nSELECT " + key("who") + " AS key, argMin(variant, (at, variant)) AS arm, min(at) AS first_at, " +
		fmt.Sprintf("toUInt8(if(uniqExact(variant) > 1, %d, 0)) AS mixed", mixedUnit) + "\nFROM (\n" +
		indent(strings.Join(parts, "\nUNION ALL\n")) + "\n)\nGROUP BY who"
}

// What is said of a unit in exposed.
const (
	mixedUnit     = 1 // it was seen in several arms
	irregularUnit = 2 // the shape does not do for it
)

// phase is the SQL of the number of a phase.
func (b *builder) phase(firstAt string) string {
	parts := make([]string, len(b.request.By.Phases))
	for i, p := range b.request.By.Phases {
		parts[i] = fmt.Sprintf("toUInt8(%s >= %d)", firstAt, p.UnixMilli())
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, " + ")
}

// cell are the expressions that tell the cells of a row apart.
func (b *builder) cell(firstAt string, row int) string {
	switch {
	case b.request.By.grid != nil:
		return "[toString(o.place), toString(o.gone)]"
	case b.request.By.Kind == ByPhase:
		return "[toString(" + b.phase(firstAt) + ")]"
	case b.request.By.Kind == ByDimension && row == sumsRow:
		names := make([]string, len(b.request.By.Dimensions))
		for i := range names {
			names[i] = fmt.Sprintf("o.dimension%d", i)
		}
		return "[" + strings.Join(names, ", ") + "]"
	}
	return "CAST([], 'Array(String)')"
}

// windows are the ends of windows whose passing is counted, sorted.
func (b *builder) windows() []int64 {
	var ends []int64
	for i := range b.request.Metrics {
		_, to := b.request.Metrics[i].window()
		if j, found := slices.BinarySearch(ends, to); !found {
			ends = slices.Insert(ends, j, to)
		}
	}
	return ends
}

func (b *builder) passed(firstAt string, window int64) string {
	if b.request.By.grid != nil && firstAt == "o.first_at" {
		return fmt.Sprintf("o.first_at + %d <= o.moment", window)
	}
	return fmt.Sprintf("%s + %d <= %s", firstAt, window, b.at())
}

// totals count the units of each arm.
func (b *builder) totals(windows []int64) string {
	counts := make([]string, len(windows))
	for i, w := range windows {
		counts[i] = "toFloat64(countIf(mixed = 0 AND " + b.passed("first_at", w) + "))"
	}
	counts = append(counts, fmt.Sprintf("toFloat64(countIf(mixed = %d))", irregularUnit))
	return fmt.Sprintf("SELECT %d AS row, arm, %s AS cell, countIf(mixed = 0) AS units, countIf(mixed = %d) AS mixed_units,\n  CAST([%s], 'Array(Float64)') AS numbers\nFROM exposed\nGROUP BY arm, cell",
		totalsRow, b.cell("first_at", totalsRow), mixedUnit, strings.Join(counts, ", "))
}

// outcomes selects one row per unit with facts.
func (b *builder) outcomes() string {
	return "SELECT e.key AS key,\n  " + strings.Join(b.unitColumns(), ",\n  ") + "\nFROM facts AS f\nINNER JOIN (SELECT key, arm, first_at FROM exposed WHERE mixed = 0) AS e ON f.key = e.key\nWHERE " +
		b.facts.reach() + "\nGROUP BY e.key"
}

// unitColumns are what outcomes has of one unit.
func (b *builder) unitColumns() []string {
	columns := []string{"any(e.arm) AS arm", "any(e.first_at) AS first_at"}
	for i := range b.metrics {
		columns = append(columns, b.metrics[i].unit...)
	}
	if b.shared != nil {
		columns = append(columns, b.shared.columns...)
	}
	for i := range b.traits {
		columns = append(columns, b.facts.traitColumn(i))
	}
	for i := range b.request.By.Dimensions {
		if b.request.By.Kind == ByDimension {
			columns = append(columns, b.facts.dimensionColumn(i))
		}
	}
	return columns
}

// sums adds up the outcomes per arm and cell.
func (b *builder) sums() string {
	var numbers []string
	for i := range b.metrics {
		for _, c := range b.metrics[i].sums {
			if c.width > 1 {
				numbers = append(numbers, c.sql)
				continue
			}
			numbers = append(numbers, "["+c.sql+"]")
		}
	}
	if b.request.By.Kind == ByDimension {
		// Units and matured units with the value; the rest is of the value that nothing is known of.
		for _, w := range b.windows() {
			numbers = append(numbers, "[toFloat64(countIf("+b.passed("o.first_at", w)+"))]")
		}
	}
	if len(numbers) == 0 { // people are counted, and nothing else
		numbers = append(numbers, "CAST([], 'Array(Float64)')")
	}
	return fmt.Sprintf("SELECT %d AS row, o.arm AS arm, %s AS cell, count() AS units, toUInt64(0) AS mixed_units,\n  arrayConcat(\n    %s\n  ) AS numbers\nFROM outcomes AS o\nGROUP BY arm, cell\nLIMIT %d",
		sumsRow, b.cell("o.first_at", sumsRow), strings.Join(numbers, ",\n    "), maxCells+1)
}

// maxCells bounds the rows of one statement: arms times values of a dimension.
const maxCells = 20_000

// exactSum adds values up in whole numbers of 2⁻⁶⁰, which comes to the same in
// whatever order the rows are read: a report of the past is the same to the last
// digit whenever it is made. Beyond 2⁶⁰, where hardly an amount is, it is the sum of
// the floating-point numbers.
func exactSum(value, condition string) string { return sumOfWhole("Int128", 60, value, condition) }

// exactProducts is exactSum of squares and products, which are larger: up to 2¹²⁰.
func exactProducts(value, condition string) string {
	return sumOfWhole("Int256", 120, value, condition)
}

func sumOfWhole(whole string, bits int, value, condition string) string {
	return fmt.Sprintf("if(maxIf(abs(%[1]s), %[2]s) < exp2(%[4]d), toFloat64(sumIf(to%[3]s(if(abs(%[1]s) < exp2(%[4]d), %[1]s, 0.) * exp2(60)), %[2]s)) / exp2(60), sumKahanIf(%[1]s, %[2]s))",
		value, condition, whole, bits)
}
