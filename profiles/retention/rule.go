// Package retention removes what is stored of people after the time that is set for it.
//
// A rule is for one event, for all other events, or for decisions, and removes whole rows
// or only what they say beside names, times and numbers. Every day the rules are applied to
// the log in ClickHouse, month by month; the plan tells before how many rows would go.
package retention

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Subject is what a rule is about.
type Subject string

// The subjects.
const (
	Events    Subject = "events"
	Decisions Subject = "decisions"
)

// Extent is how much a rule removes.
type Extent string

// The extents.
const (
	// Rows removes whole rows.
	Rows Extent = "rows"
	// Details removes texts: properties, traits and context of events, context and traits
	// of decisions. Names, times and numeric properties stay, so that figures do.
	Details Extent = "details"
)

// AllOthers stands for every event without a rule of its own.
const AllOthers = "*"

const (
	maxDays       = 36_500
	maxEventRunes = 256
)

// Rule says how long something is kept.
type Rule struct {
	Of     Subject `json:"of,omitempty" enum:"events,decisions" doc:"events when absent"`
	Event  string  `json:"event,omitempty" maxLength:"256" doc:"Of events: name of the event, or * for every event without a rule of its own that removes the same"`
	Days   int     `json:"days" minimum:"1" maximum:"36500" doc:"How long it is kept, counted from when it happened"`
	Remove Extent  `json:"remove,omitempty" enum:"rows,details" doc:"rows (when absent) removes all of it; details removes properties, traits and context and keeps names, times and numbers"`
	Paused bool    `json:"paused,omitempty" doc:"Counted in the plan, but not applied"`
	Reason string  `json:"reason,omitempty" maxLength:"500" doc:"Why, such as the law that asks for it"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Rule) SchemaName() string { return "RetentionRule" }

// validator checks a rule beside those that there are.
func validator(others func() map[string]definitions.Versioned[Rule]) definitions.Validator[Rule] {
	return func(_ context.Context, key string, r *Rule) error {
		if r.Of == "" {
			r.Of = Events
		}
		if r.Remove == "" {
			r.Remove = Rows
		}
		var bad problem.Invalid
		switch {
		case r.Of != Events && r.Of != Decisions:
			bad.Add("of", "must be events or decisions", r.Of)
		case r.Of == Decisions && r.Event != "":
			bad.Add("event", "must be absent for decisions", problem.Clip(r.Event))
		case r.Of == Events && (r.Event == "" || !utf8.ValidString(r.Event) || utf8.RuneCountInString(r.Event) > maxEventRunes):
			bad.Add("event", fmt.Sprintf("must be the name of an event, of 1 to %d characters, or *", maxEventRunes), problem.Clip(r.Event))
		}
		if r.Remove != Rows && r.Remove != Details {
			bad.Add("remove", "must be rows or details", r.Remove)
		}
		if r.Days < 1 || r.Days > maxDays {
			bad.Add("days", fmt.Sprintf("must be 1 to %d", maxDays), r.Days)
		}
		for other, v := range others() {
			// Rows and details of one event may have times of their own.
			if other != key && v.Value.Of == r.Of && v.Value.Event == r.Event && v.Value.Remove == r.Remove {
				bad.Add("event", "must not have two rules for the same: the other is "+other, problem.Clip(r.Event))
			}
		}
		return bad.Err()
	}
}

// step is a rule as it is applied at one moment.
type step struct {
	key    string
	rule   Rule
	before time.Time // what happened before goes
	where  string    // beside the time
}

// steps puts rules in order; rows go first, so that no details are removed of what goes.
func steps(rules map[string]definitions.Versioned[Rule], now time.Time) []step {
	today := now.UTC().Truncate(24 * time.Hour)
	own := map[Extent][]string{} // events with a rule of their own
	for _, v := range rules {
		if v.Value.Of == Events && v.Value.Event != AllOthers {
			own[v.Value.Remove] = append(own[v.Value.Remove], literal(v.Value.Event))
		}
	}
	var list []step
	for key, v := range rules {
		s := step{key: key, rule: v.Value, before: today.AddDate(0, 0, -v.Value.Days)}
		if v.Value.Of == Events {
			names := own[v.Value.Remove]
			slices.Sort(names)
			switch {
			case v.Value.Event != AllOthers:
				s.where = "event = " + literal(v.Value.Event)
			case len(names) > 0:
				s.where = "event NOT IN (" + strings.Join(names, ", ") + ")"
			}
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b step) int {
		if a.rule.Remove != b.rule.Remove {
			return strings.Compare(string(b.rule.Remove), string(a.rule.Remove)) // rows before details
		}
		return strings.Compare(a.key, b.key)
	})
	return list
}

// table is one that has what a rule is about.
type table struct {
	name    string
	time    string   // column
	details []string // columns that hold an object
	units   []string // columns that hold what was assigned, which may be a device
	layout  string   // of the ids of its partitions
	period  [2]int   // of a partition, in years and months
}

// tables are those that have what the step is about. The first is the log itself, by
// which rows are counted; what was made of it for quick reading follows.
func (s *step) tables() []table {
	month, year := [2]int{0, 1}, [2]int{1, 0}
	if s.rule.Of == Decisions {
		return []table{
			{"decisions", "decided_at", []string{"context", "traits", "audience"}, []string{"experiment_units", "excluded_units"}, "200601", month},
			{"decision_timeline", "decided_at", nil, nil, "2006", year},
			{"recommendation_lists", "at", nil, nil, "200601", month},
		}
	}
	details := []string{"properties", "traits", "context"}
	return []table{{"events", "timestamp", details, nil, "200601", month}, {"timeline", "timestamp", details, nil, "2006", year}}
}

// concerns says whether the step removes anything that the table has.
func (s *step) concerns(t *table) bool { return s.rule.Remove == Rows || len(t.details) > 0 }

// condition is what the rows of a table fulfil that the step changes.
func (s *step) condition(t *table) string {
	c := fmt.Sprintf("%s < fromUnixTimestamp64Milli(%d, 'UTC')", t.time, s.before.UnixMilli())
	if s.where != "" {
		c += " AND " + s.where
	}
	if s.rule.Remove == Details {
		var there []string
		for _, column := range t.details {
			there = append(there, column+" != '{}'")
		}
		for _, column := range t.units {
			there = append(there, "arrayExists(x -> x != '', "+column+")")
		}
		c += " AND (" + strings.Join(there, " OR ") + ")"
	}
	return c
}

// changes are the statements for partitions of a table, by their ids. A partition that
// goes as a whole is dropped, so that nothing has to be written anew; the others are one
// mutation, which leaves parts alone that have no such row.
func (s *step) changes(t *table, partitions []string) (statements []string) {
	rest := false
	for _, partition := range partitions {
		begin, err := time.Parse(t.layout, partition)
		if err != nil || s.rule.Remove == Details || s.where != "" || begin.AddDate(t.period[0], t.period[1], 0).After(s.before) {
			rest = true
			continue
		}
		statements = append(statements, fmt.Sprintf("ALTER TABLE %s DROP PARTITION ID '%s'", t.name, partition))
	}
	if !rest {
		return statements
	}
	if s.rule.Remove == Rows {
		return append(statements, fmt.Sprintf("ALTER TABLE %s DELETE WHERE %s", t.name, s.condition(t)))
	}
	var sets []string
	for _, column := range t.details {
		sets = append(sets, column+" = '{}'")
	}
	for _, column := range t.units {
		sets = append(sets, fmt.Sprintf("%[1]s = arrayMap(x -> '', %[1]s)", column))
	}
	return append(statements, fmt.Sprintf("ALTER TABLE %s UPDATE %s WHERE %s", t.name, strings.Join(sets, ", "), s.condition(t)))
}

// literal quotes a text for ClickHouse.
func literal(text string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(text) {
		switch c := text[i]; {
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
