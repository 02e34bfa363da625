package experiments

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"quintet/internal/problem"
)

// PropertyOperator is how a property is compared.
type PropertyOperator string

// The operators. A property that an event does not have meets missing only, and
// one of another type than the value it is compared with meets ne, notIn and exists only.
const (
	PropertyEquals     PropertyOperator = "eq"
	PropertyDiffers    PropertyOperator = "ne"
	PropertyAbove      PropertyOperator = "gt"
	PropertyAtLeast    PropertyOperator = "gte"
	PropertyBelow      PropertyOperator = "lt"
	PropertyAtMost     PropertyOperator = "lte"
	PropertyIn         PropertyOperator = "in"
	PropertyNotIn      PropertyOperator = "notIn"
	PropertyContains   PropertyOperator = "contains"
	PropertyStartsWith PropertyOperator = "startsWith"
	PropertyExists     PropertyOperator = "exists"
	PropertyMissing    PropertyOperator = "missing"
)

// PropertyCondition is one condition on a property of an event; all conditions
// of a filter must hold.
type PropertyCondition struct {
	Property string           `json:"property" minLength:"1" maxLength:"256" doc:"Name of the property; nested ones are written with dots"`
	Operator PropertyOperator `json:"operator" enum:"eq,ne,gt,gte,lt,lte,in,notIn,contains,startsWith,exists,missing"`
	// Value is a text, number, boolean, or for in and notIn a list of those.
	Value any `json:"value,omitempty" doc:"What the property is compared with: text, number or boolean; a list of them for in and notIn; absent for exists and missing"`
}

const (
	maxConditions = 20
	maxListValues = 1000
	maxValueBytes = 1024
)

func checkFilter(bad *problem.Invalid, field string, filter []PropertyCondition) {
	if len(filter) > maxConditions {
		bad.Add(field, fmt.Sprintf("must have at most %d conditions", maxConditions), len(filter))
		return
	}
	for i := range filter {
		filter[i].check(bad, fmt.Sprintf("%s[%d]", field, i))
	}
}

func (c *PropertyCondition) check(bad *problem.Invalid, field string) {
	checkEvent(bad, field+".property", c.Property)
	value := field + ".value"
	switch c.Operator {
	case PropertyExists, PropertyMissing:
		if c.Value != nil {
			bad.Add(value, fmt.Sprintf("must be absent for %s", c.Operator), c.Value)
		}
	case PropertyAbove, PropertyAtLeast, PropertyBelow, PropertyAtMost:
		if _, ok := propertyNumber(c.Value); !ok {
			bad.Add(value, fmt.Sprintf("must be a number for %s", c.Operator), c.Value)
		}
	case PropertyContains, PropertyStartsWith:
		if text, ok := c.Value.(string); !ok || text == "" || len(text) > maxValueBytes {
			bad.Add(value, fmt.Sprintf("must be a text of 1 to %d bytes for %s", maxValueBytes, c.Operator), c.Value)
		}
	case PropertyEquals, PropertyDiffers:
		if !isScalar(c.Value) {
			bad.Add(value, fmt.Sprintf("must be a text of at most %d bytes, a number or a boolean", maxValueBytes), c.Value)
		}
	case PropertyIn, PropertyNotIn:
		list, ok := c.Value.([]any)
		if !ok || len(list) == 0 || len(list) > maxListValues || slices.ContainsFunc(list, func(v any) bool { return !isScalar(v) }) {
			bad.Add(value, fmt.Sprintf("must be a list of 1 to %d texts, numbers or booleans for %s", maxListValues, c.Operator), nil)
		}
	default:
		bad.Add(field+".operator", "must be eq, ne, gt, gte, lt, lte, in, notIn, contains, startsWith, exists or missing", c.Operator)
	}
}

func isScalar(v any) bool {
	switch v := v.(type) {
	case bool:
		return true
	case string:
		return len(v) <= maxValueBytes
	}
	_, ok := propertyNumber(v)
	return ok
}

func propertyNumber(v any) (float64, bool) {
	var f float64
	switch v := v.(type) {
	case float64:
		f = v
	case int:
		f = float64(v)
	case int64:
		f = float64(v)
	case json.Number:
		parsed, err := v.Float64()
		if err != nil {
			return 0, false
		}
		f = parsed
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// filterSQL is the filter over a row x of events.
func filterSQL(filter []PropertyCondition) string {
	parts := make([]string, len(filter))
	for i := range filter {
		parts[i] = filter[i].sql()
	}
	return strings.Join(parts, " AND ")
}

// sql writes the condition. Numbers are read from the column that has them;
// texts and booleans from the JSON, where their type is asked for first.
func (c *PropertyCondition) sql() string {
	name := literal(c.Property)
	has := "mapContains(x.numbers, " + name + ")"
	there := fmt.Sprintf("(%s OR %s)", has, c.typed("kind NOT IN ('Null', '')"))
	switch c.Operator {
	case PropertyExists:
		return there
	case PropertyMissing:
		return "NOT " + there
	case PropertyContains, PropertyStartsWith:
		function := map[PropertyOperator]string{PropertyContains: "position(value, %s) > 0", PropertyStartsWith: "startsWith(value, %s)"}[c.Operator]
		text, _ := c.Value.(string) // checked when it was saved
		return c.typed("kind = 'String' AND " + fmt.Sprintf(function, literal(text)))
	case PropertyIn, PropertyEquals:
		return c.oneOf()
	case PropertyNotIn, PropertyDiffers:
		return fmt.Sprintf("(%s AND NOT %s)", there, c.oneOf())
	}
	operator := map[PropertyOperator]string{PropertyAbove: ">", PropertyAtLeast: ">=", PropertyBelow: "<", PropertyAtMost: "<="}[c.Operator]
	f, _ := propertyNumber(c.Value)
	return fmt.Sprintf("(%s AND x.numbers[%s] %s %s)", has, name, operator, floatLiteral(f))
}

// oneOf says that the property is one of the values.
func (c *PropertyCondition) oneOf() string {
	values, ok := c.Value.([]any)
	if !ok {
		values = []any{c.Value}
	}
	var numbers, texts, flags, parts []string
	for _, v := range values {
		switch v := v.(type) {
		case string:
			texts = append(texts, literal(v))
		case bool:
			flags = append(flags, literal(strconv.FormatBool(v)))
		default:
			f, _ := propertyNumber(v)
			numbers = append(numbers, floatLiteral(f))
		}
	}
	name := literal(c.Property)
	if len(numbers) > 0 {
		parts = append(parts, fmt.Sprintf("(mapContains(x.numbers, %s) AND x.numbers[%s] IN (%s))", name, name, strings.Join(numbers, ", ")))
	}
	if len(texts) > 0 {
		parts = append(parts, c.typed("kind = 'String' AND value IN ("+strings.Join(texts, ", ")+")"))
	}
	if len(flags) > 0 {
		parts = append(parts, c.typedAs("JSONExtractRaw", "kind = 'Bool' AND value IN ("+strings.Join(flags, ", ")+")"))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// typed applies a condition over kind and value to the property in the JSON: as
// the name says, or level by level where it has dots.
func (c *PropertyCondition) typed(condition string) string {
	return c.typedAs("JSONExtractString", condition)
}

// typedAs is typed with the value as a function of ClickHouse gives it.
func (c *PropertyCondition) typedAs(function, condition string) string {
	paths := []string{literal(c.Property)}
	if levels := strings.Split(c.Property, "."); len(levels) > 1 {
		for i := range levels {
			levels[i] = literal(levels[i])
		}
		paths = append(paths, strings.Join(levels, ", "))
	}
	parts := make([]string, len(paths))
	for i, p := range paths {
		kind := "toString(JSONType(x.properties, " + p + "))"
		value := function + "(x.properties, " + p + ")"
		// Bound as arguments, as a text of the user may hold their names.
		parts[i] = "arrayExists((kind, value) -> " + condition + ", [" + kind + "], [" + value + "])"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func floatLiteral(f float64) string {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += "."
	}
	return "toFloat64('" + strings.TrimSuffix(text, ".") + "')"
}
