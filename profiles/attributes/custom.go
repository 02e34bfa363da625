package attributes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/problem"
	"quintet/profiles/lifecycle"
)

// sql selects person_id and value of an aggregate or counter as of a moment.
// through bounds the events by their place in the stream; 0 does not.
func (a *Attribute) sql(until time.Time, through uint64) string {
	conditions := []string{"e.type = 'track'", "e.event = " + lifecycle.Literal(a.Event), "e.timestamp < " + lifecycle.Moment(until)}
	if a.WindowDays > 0 {
		conditions = append(conditions, "e.timestamp >= "+lifecycle.Moment(a.begins(until)))
	}
	if through > 0 {
		conditions = append(conditions, fmt.Sprintf("e.sequence <= %d", through))
	}
	for _, w := range a.Where {
		conditions = append(conditions, w.sql())
	}
	weight := "1."
	if a.HalfLifeDays > 0 {
		weight = fmt.Sprintf("exp2((toUnixTimestamp64Milli(e.timestamp) - %d) / %s)", until.UnixMilli(), float(a.HalfLifeDays*dayMillis))
	}
	number := fmt.Sprintf("e.numbers[%s]", lifecycle.Literal(a.Property))
	if a.Aggregate == Sum || a.Aggregate == Avg || a.Aggregate == Min || a.Aggregate == Max {
		conditions = append(conditions, fmt.Sprintf("mapContains(e.numbers, %s)", lifecycle.Literal(a.Property)))
	}
	raw := fmt.Sprintf("JSONExtractRaw(e.properties, %s)", lifecycle.Path(a.Property))
	if a.Aggregate == First || a.Aggregate == Last || a.Aggregate == Unique {
		conditions = append(conditions, raw+" NOT IN ('', 'null')")
	}
	value := map[Aggregate]string{
		Count: "toJSONString(sum(" + weight + "))", Sum: "toJSONString(sum(" + number + " * " + weight + "))",
		Avg: "toJSONString(sum(" + number + " * " + weight + ") / sum(" + weight + "))",
		Min: "toJSONString(min(" + number + "))", Max: "toJSONString(max(" + number + "))",
		First:  "argMin(" + raw + ", (e.timestamp, e.message_id))",
		Last:   "argMax(" + raw + ", (e.timestamp, e.message_id))",
		Unique: "toString(uniqExact(" + raw + "))",
	}[a.Aggregate]
	return fmt.Sprintf("SELECT %s AS person_id, %s AS value FROM %s WHERE %s GROUP BY person_id",
		lifecycle.Person, value, lifecycle.Source, strings.Join(conditions, " AND "))
}

// begins is the first moment of the window.
func (a *Attribute) begins(until time.Time) time.Time {
	return until.Add(-time.Duration(a.WindowDays * 24 * float64(time.Hour)))
}

func (w *Where) sql() string {
	arguments := "e.properties, " + lifecycle.Path(w.Property)
	of := func(kinds string) string { return fmt.Sprintf("JSONType(%s) IN (%s)", arguments, kinds) }
	const numbers = "'Int64', 'UInt64', 'Double'"
	negate := func(condition string) string {
		if w.Is == "!=" {
			return "NOT (" + condition + ")"
		}
		return condition
	}
	operator := w.Is
	if operator == "!=" {
		operator = "="
	}
	switch v := w.Value.(type) {
	case float64:
		return negate(fmt.Sprintf("(%s AND JSONExtractFloat(%s) %s %s)", of(numbers), arguments, operator, float(v)))
	case string:
		if w.Is == "contains" {
			return fmt.Sprintf("(%s AND position(JSONExtractString(%s), %s) > 0)", of("'String'"), arguments, lifecycle.Literal(v))
		}
		return negate(fmt.Sprintf("(%s AND JSONExtractString(%s) = %s)", of("'String'"), arguments, lifecycle.Literal(v)))
	case bool:
		return negate(fmt.Sprintf("(%s AND JSONExtractBool(%s) = %t)", of("'Bool'"), arguments, v))
	}
	return "NOT " + of("'Null'") // exists
}

// holds says the same as sql of the properties of one event.
func (w *Where) holds(properties map[string]any) bool {
	v, there := lookup(properties, w.Property)
	same := there && reflect.TypeOf(v) == reflect.TypeOf(w.Value)
	switch w.Is {
	case "exists":
		return there && v != nil
	case "=":
		return same && v == w.Value
	case "!=":
		return !(same && v == w.Value)
	case "contains":
		text, isText := v.(string)
		part, _ := w.Value.(string)
		return isText && strings.Contains(text, part)
	}
	a, isNumber := v.(float64)
	b, _ := w.Value.(float64)
	if !isNumber {
		return false
	}
	switch w.Is {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	}
	return false
}

// lookup finds a property by its path.
func lookup(properties map[string]any, path string) (any, bool) {
	var value any = properties
	for name := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[name]; !ok {
			return nil, false
		}
	}
	return value, true
}

func float(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return fmt.Sprintf("%d.", int64(v))
	}
	return fmt.Sprintf("toFloat64('%g')", v)
}

// maxValueBytes bounds the JSON of one person's value of a defined attribute.
const maxValueBytes = 4096

// guarded wraps a manager's SELECT so that its columns have known types. The
// first column of the result is the person to whom the id belongs now.
func guarded(sql, id string) string {
	return fmt.Sprintf(`SELECT if(m.person = '', q.id, m.person) AS person_id, any(q.value) AS value, count() AS times
FROM (SELECT toString(%s) AS id, toJSONString(value) AS value FROM (%s)) AS q LEFT JOIN %s AS m ON q.id = m.profile_id GROUP BY person_id`,
		id, strings.TrimRight(strings.TrimSpace(sql), "; \n\t"), lifecycle.People)
}

// checkSQL has the engine say what is wrong with a SELECT.
func (s *Service) checkSQL(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := s.idColumn(ctx, sql)
	return err
}

// idColumn is the column of a manager's SELECT that names people.
func (s *Service) idColumn(ctx context.Context, sql string) (string, error) {
	fail := func(rule string) error { return problem.Invalid{{Field: "sql", Rule: rule}} }
	rows, err := s.db.QueryGuarded(ctx, "DESCRIBE ("+strings.TrimRight(strings.TrimSpace(sql), "; \n\t")+")")
	if err == nil {
		defer rows.Close()
	}
	columns := map[string]bool{}
	for err == nil && rows.Next() {
		values := make([]any, len(rows.Columns()))
		for i := range values {
			values[i] = new(string)
		}
		if err = rows.Scan(values...); err == nil {
			columns[*values[0].(*string)] = true
		}
	}
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		var refused *chgo.Exception
		if errors.As(err, &refused) || isRefusal(err) {
			return "", fail("must be a SELECT that ClickHouse takes: " + problem.Clip(err.Error()))
		}
		return "", fmt.Errorf("checking the SELECT of an attribute: %w", err)
	}
	if !columns["value"] {
		return "", fail("must have a column value")
	}
	for _, id := range []string{"person_id", "profile_id"} {
		if columns[id] {
			return id, nil
		}
	}
	return "", fail("must have a column person_id or profile_id")
}

// isRefusal recognises what the guard refuses before the engine sees it.
func isRefusal(err error) bool { return strings.Contains(err.Error(), "DB::Exception") }

// sound keeps a value that JSON can hold and that is short.
func sound(text string) (json.RawMessage, bool) {
	if len(text) > maxValueBytes || !json.Valid([]byte(text)) || text == "null" {
		return nil, false
	}
	return json.RawMessage(text), true
}
