package attributes

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Kind says how an attribute is computed.
type Kind string

// The kinds of attributes.
const (
	// SQLKind is a SELECT that gives person_id and value.
	SQLKind Kind = "sql"
	// AggregateKind is one figure over the events of a name.
	AggregateKind Kind = "aggregate"
	// CounterKind counts events or adds a property up, and follows each event at once.
	CounterKind Kind = "counter"
)

// Aggregate is what is made of the events.
type Aggregate string

// The aggregates.
const (
	Count  Aggregate = "count"
	Sum    Aggregate = "sum"
	Avg    Aggregate = "avg"
	Min    Aggregate = "min"
	Max    Aggregate = "max"
	First  Aggregate = "first"
	Last   Aggregate = "last"
	Unique Aggregate = "unique"
)

var aggregates = []Aggregate{Count, Sum, Avg, Min, Max, First, Last, Unique}

// Attribute is the definition of a computed attribute.
type Attribute struct {
	Name        string `json:"name,omitempty" maxLength:"200" doc:"Name shown to people"`
	Description string `json:"description,omitempty" maxLength:"1000"`
	Kind        Kind   `json:"kind" enum:"sql,aggregate,counter" doc:"sql: a SELECT of person_id and value. aggregate: one figure over events. counter: a count or sum of events that follows each event at once"`
	Paused      bool   `json:"paused,omitempty" doc:"Not computed; values that are there stay until the next run"`

	SQL string `json:"sql,omitempty" maxLength:"20000" doc:"A SELECT with the columns person_id (or profile_id) and value, over the table events. It is run read-only, for at most a minute and 2 million rows"`

	Event        string    `json:"event,omitempty" maxLength:"256" doc:"Name of the events (aggregate and counter)"`
	Where        []Where   `json:"where,omitempty" maxItems:"20" doc:"Conditions on the events that must all hold"`
	Aggregate    Aggregate `json:"aggregate,omitempty" enum:"count,sum,avg,min,max,first,last,unique" doc:"count, sum, avg, min, max, first, last or unique (number of different values); a counter has count or sum"`
	Property     string    `json:"property,omitempty" maxLength:"256" doc:"Property that is aggregated; nested ones are written with dots"`
	WindowDays   float64   `json:"windowDays,omitempty" doc:"Only events of so many days; all of them when 0"`
	HalfLifeDays float64   `json:"halfLifeDays,omitempty" doc:"count, sum and avg: an event so many days old weighs half; no decay when 0"`
}

// Where is a condition on one property of an event.
type Where struct {
	Property string `json:"property" maxLength:"256" doc:"Nested properties are written with dots"`
	Is       string `json:"is" enum:"=,!=,<,<=,>,>=,contains,exists" doc:"Numbers compare with numbers and texts with texts; a property that is not there, or is of another type, holds for != alone"`
	Value    any    `json:"value,omitempty" doc:"Number, text or boolean; none with exists"`
}

// Bounds of a definition.
const (
	maxDefinitions = 200
	maxWhere       = 20
	maxDays        = 3660
	maxSQL         = 20_000
)

func (a *Attribute) normalise() {
	if a.Kind != SQLKind && a.Aggregate == "" {
		a.Aggregate = Count
	}
}

// validate checks what can be checked without the engine.
func (a *Attribute) validate(key string) problem.Invalid {
	var bad problem.Invalid
	if isBuiltIn(key) {
		bad.Add("path.key", "is the name of an attribute that is always computed", key)
	}
	checkText(&bad, "name", a.Name, 200)
	checkText(&bad, "description", a.Description, 1000)
	switch a.Kind {
	case SQLKind:
		a.validateSQL(&bad)
	case AggregateKind, CounterKind:
		a.validateEvents(&bad)
	default:
		bad.Add("kind", "must be sql, aggregate or counter", problem.Clip(string(a.Kind)))
	}
	return bad
}

func (a *Attribute) validateSQL(bad *problem.Invalid) {
	if n := len(a.SQL); strings.TrimSpace(a.SQL) == "" || n > maxSQL {
		bad.Add("sql", fmt.Sprintf("must be a SELECT of 1 to %d bytes", maxSQL), n)
	}
	checkText(bad, "sql", a.SQL, maxSQL)
	for field, given := range map[string]bool{
		"event": a.Event != "", "where": len(a.Where) > 0, "aggregate": a.Aggregate != "", "property": a.Property != "",
		"windowDays": a.WindowDays != 0, "halfLifeDays": a.HalfLifeDays != 0,
	} {
		if given {
			bad.Add(field, "must be left out of the kind sql", nil)
		}
	}
}

func (a *Attribute) validateEvents(bad *problem.Invalid) {
	if a.SQL != "" {
		bad.Add("sql", "must be left out unless the kind is sql", nil)
	}
	checkName(bad, "event", a.Event)
	switch {
	case !slices.Contains(aggregates, a.Aggregate):
		bad.Add("aggregate", "must be count, sum, avg, min, max, first, last or unique", problem.Clip(string(a.Aggregate)))
	case a.Kind == CounterKind && a.Aggregate != Count && a.Aggregate != Sum:
		bad.Add("aggregate", "must be count or sum for a counter", a.Aggregate)
	case a.Aggregate == Count && a.Property != "":
		bad.Add("property", "must be left out of a count", problem.Clip(a.Property))
	case a.Aggregate != Count:
		checkName(bad, "property", a.Property)
	}
	checkDays(bad, "windowDays", a.WindowDays)
	checkDays(bad, "halfLifeDays", a.HalfLifeDays)
	if a.HalfLifeDays != 0 && (a.Kind == CounterKind || !slices.Contains([]Aggregate{Count, Sum, Avg}, a.Aggregate)) {
		bad.Add("halfLifeDays", "must be left out unless the kind is aggregate with count, sum or avg", a.HalfLifeDays)
	}
	if len(a.Where) > maxWhere {
		bad.Add("where", fmt.Sprintf("must be at most %d conditions", maxWhere), len(a.Where))
	}
	for i, w := range a.Where {
		bad.Nest(fmt.Sprintf("where[%d]", i), w.validate().Err())
	}
}

func (w *Where) validate() problem.Invalid {
	var bad problem.Invalid
	checkName(&bad, "property", w.Property)
	number, text := false, false
	switch v := w.Value.(type) {
	case float64:
		if number = true; math.IsNaN(v) || math.IsInf(v, 0) {
			bad.Add("value", "must be a finite number", fmt.Sprint(v))
		}
	case string:
		text = true
		checkText(&bad, "value", v, 1000)
	case bool, nil:
	default:
		bad.Add("value", "must be a number, a text or a boolean", nil)
	}
	switch w.Is {
	case "=", "!=":
		if w.Value == nil {
			bad.Add("value", "must be given", nil)
		}
	case "<", "<=", ">", ">=":
		if !number {
			bad.Add("value", "must be a number for "+w.Is, w.Value)
		}
	case "contains":
		if !text {
			bad.Add("value", "must be a text for contains", w.Value)
		}
	case "exists":
		if w.Value != nil {
			bad.Add("value", "must be left out of exists", w.Value)
		}
	default:
		bad.Add("is", "must be one of =, !=, <, <=, >, >=, contains, exists", problem.Clip(w.Is))
	}
	return bad
}

func checkDays(bad *problem.Invalid, field string, days float64) {
	if !(days == 0 || days >= 1./24 && days <= maxDays) {
		bad.Add(field, fmt.Sprintf("must be 0 or an hour (1/24) to %d days", maxDays), fmt.Sprint(days))
	}
}

func checkName(bad *problem.Invalid, field, name string) {
	if name == "" {
		bad.Add(field, "must be given", nil)
		return
	}
	checkText(bad, field, name, 256)
}

func checkText(bad *problem.Invalid, field, text string, most int) {
	if utf8.RuneCountInString(text) > most || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		bad.Add(field, fmt.Sprintf("must be UTF-8 text of at most %d characters", most), problem.Clip(strings.ToValidUTF8(text, "?")))
	}
}

// check is the validator of the collection.
func (s *Service) check(ctx context.Context, key string, a *Attribute) error {
	a.normalise()
	bad := a.validate(key)
	if _, exists := s.definitions.Get(key); !exists && len(s.definitions.Snapshot()) >= maxDefinitions {
		bad.Add("", fmt.Sprintf("must not be one more: there are %d attributes, the most there may be", maxDefinitions), nil)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if a.Kind == SQLKind {
		return s.checkSQL(ctx, a.SQL)
	}
	return nil
}
