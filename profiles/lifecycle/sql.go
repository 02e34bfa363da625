package lifecycle

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// SQL are a table's rules as ClickHouse expressions over columns that are named
// like the base facts, all Float64 with NaN for what is absent.
type SQL struct {
	// Derived are expressions of the facts behind the base facts, each with the
	// fact as its alias, in an order in which a later one may use an earlier one.
	Derived []string
	// RFMSegment, Stage, Segment and Losses may use base and derived facts. Losses
	// is an array of keys; RFMSegment is empty for those who never ordered.
	RFMSegment, Stage, Segment, Losses string
}

// SQL writes the rules for customers with the cuts. For every person the
// expressions give what [Table.Classify] gives.
func (t *Table) SQL(c *Cuts) SQL {
	customer := func(expression string) string { return fmt.Sprintf("if(orders > 0, %s, nan)", expression) }
	better := map[bool]string{true: ">", false: ">="}[c.Surpass]
	fewer := map[bool]string{true: "<", false: "<="}[c.Surpass]
	score := func(column, operator string, cuts [4]float64) string {
		terms := []string{"1."}
		for _, cut := range cuts {
			terms = append(terms, fmt.Sprintf("(%s %s %s)", column, operator, number(cut)))
		}
		return customer("toFloat64(" + strings.Join(terms, " + ") + ")")
	}
	percentiles := make([]string, len(c.Percentiles))
	for i, p := range c.Percentiles {
		percentiles[i] = number(p)
	}
	s := SQL{
		Derived: []string{
			customer("spend / orders") + " AS averageOrder",
			customer("arrayCount(p -> spend > p, ["+strings.Join(percentiles, ", ")+"]) / 100.") + " AS spendQuantile",
			score("daysSinceLastOrder", fewer, c.Days) + " AS recency",
			score("orders", better, c.Orders) + " AS frequency",
			score("spend", better, c.Spend) + " AS monetary",
		},
		Stage:   choose(t.Stages),
		Segment: choose(t.Segments),
	}
	boxes := []string{"NOT orders > 0, ''"}
	for _, b := range t.RFM.Segments {
		boxes = append(boxes, fmt.Sprintf("recency BETWEEN %d AND %d AND frequency BETWEEN %d AND %d AND monetary BETWEEN %d AND %d, %s",
			b.Recency.Min, b.Recency.Max, b.Frequency.Min, b.Frequency.Max, b.Monetary.Min, b.Monetary.Max, quote(b.Key)))
	}
	s.RFMSegment = "multiIf(" + strings.Join(boxes, ", ") + ", " + quote(t.RFM.Other) + ")"
	losses := []string{"''"} // so that the array has a type when there are no rules
	for _, r := range t.Losses {
		losses = append(losses, fmt.Sprintf("if(%s, %s, '')", r.sql(), quote(r.Key)))
	}
	s.Losses = "arrayFilter(x -> x != '', [" + strings.Join(losses, ", ") + "])"
	return s
}

// CutsQuery selects what [RFM.CutsFrom] takes from a table of base facts: the
// number of customers, then days, orders and spend at the four fifths, and spend
// at the 99 hundredths. where restricts the rows.
func CutsQuery(from, where string) string {
	ranks := func(sorted string, parts int) string {
		return fmt.Sprintf("arrayMap(k -> %s[intDiv(k * n + %d, %d)], range(1, %d))", sorted, parts-1, parts, parts)
	}
	return fmt.Sprintf(`SELECT n, %s, %s, %s, %s FROM (
  SELECT count() AS n, arraySort(groupArray(-daysSinceLastOrder)) AS recent, arraySort(groupArray(orders)) AS counts, arraySort(groupArray(spend)) AS spends
  FROM %s WHERE (%s) AND orders > 0
)`, strings.Replace(ranks("recent", 5), "k -> ", "k -> -", 1), ranks("counts", 5), ranks("spends", 5), ranks("spends", 100), from, where)
}

// choose takes the first rule that holds; the last holds for everybody.
func choose(list []Rule) string {
	var cases []string
	for i := range list {
		if len(list[i].Any) == 0 {
			if len(cases) == 0 {
				return quote(list[i].Key)
			}
			return "multiIf(" + strings.Join(append(cases, quote(list[i].Key)), ", ") + ")"
		}
		cases = append(cases, list[i].sql()+", "+quote(list[i].Key))
	}
	return "multiIf(" + strings.Join(append(cases, "''"), ", ") + ")"
}

func (r *Rule) sql() string {
	if len(r.Any) == 0 {
		return "1"
	}
	groups := make([]string, len(r.Any))
	for i, g := range r.Any {
		conditions := make([]string, len(g.All))
		for j, c := range g.All {
			conditions[j] = fmt.Sprintf("%s %s %s", c.Fact, c.Is, number(c.Value))
			if c.Is == NotEqual {
				conditions[j] += fmt.Sprintf(" AND NOT isNaN(%s)", c.Fact)
			}
		}
		groups[i] = "(" + strings.Join(conditions, " AND ") + ")"
	}
	return "(" + strings.Join(groups, " OR ") + ")"
}

// number writes a float that ClickHouse reads back bit for bit.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	}
	return "toFloat64('" + strconv.FormatFloat(v, 'g', -1, 64) + "')"
}

// quote writes a key, which has no character to escape.
func quote(key string) string { return "'" + key + "'" }
