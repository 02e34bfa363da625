package decide

import (
	"context"
	"strings"
	"time"

	"quintet/decide/calendar"
	"quintet/internal/problem"
)

// What quiet hours do to a contact.
const (
	quietHold = "hold" // make it as they end
	quietDrop = "drop" // take its channel out of the candidates
)

// QuietHours are hours in which nobody is contacted, by the clock of the person.
type QuietHours struct {
	Name      string   `json:"name,omitempty" doc:"Name shown in the console" maxLength:"200"`
	From      string   `json:"from" doc:"Time of day at which they begin, such as 21:00" pattern:"^[0-2][0-9]:[0-5][0-9]$"`
	To        string   `json:"to" doc:"Time of day at which they end; over midnight when it is earlier, a whole day when it is the same" pattern:"^[0-2][0-9]:[0-5][0-9]$"`
	Days      []string `json:"days,omitempty" doc:"Days on which they begin; all unless set" nullable:"false" maxItems:"7"`
	Channels  []string `json:"channels,omitempty" doc:"Channels that are quiet; unless set, all that send something" nullable:"false"`
	Countries []string `json:"countries,omitempty" doc:"Countries (two letters, the trait or context member country) in which they hold; people whose country is not known are counted among them. Everywhere unless set" nullable:"false"`
	TimeZone  string   `json:"timeZone,omitempty" doc:"Zone of people who have no trait timezone; UTC unless set" maxLength:"64"`
	Action    string   `json:"action,omitempty" doc:"hold: contact as they end; drop: do not use the channel now. hold unless set" enum:"hold,drop"`
	Service   bool     `json:"service,omitempty" doc:"Whether service messages keep to them too"`
}

var weekdays = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// ValidateQuietHours checks and normalises quiet hours.
func ValidateQuietHours(_ context.Context, _ string, q *QuietHours) error {
	var bad problem.Invalid
	checkText(&bad, "name", q.Name, maxName)
	for _, c := range [...]struct{ field, value string }{{"from", q.From}, {"to", q.To}} {
		if _, err := calendar.ParseClock(c.value); err != nil {
			bad.Add(c.field, err.Error(), problem.Clip(c.value))
		}
	}
	if len(q.Days) > len(weekdays) {
		bad.Add("days", "must have at most 7 entries", len(q.Days))
	}
	for i, d := range q.Days[:min(len(q.Days), len(weekdays))] {
		if !contains(weekdays[:], d) {
			bad.Add("days["+itoa(i)+"]", "must be a day from monday to sunday", problem.Clip(d))
		}
	}
	checkKeys(&bad, "channels", q.Channels, maxCapFilters)
	if len(q.Countries) > 250 {
		bad.Add("countries", "must have at most 250 entries", len(q.Countries))
	}
	for i, c := range q.Countries[:min(len(q.Countries), 250)] {
		if len(c) != 2 {
			bad.Add("countries["+itoa(i)+"]", "must be the two letters of a country", problem.Clip(c))
		}
		q.Countries[i] = strings.ToUpper(c)
	}
	if q.TimeZone == "" {
		q.TimeZone = "UTC"
	}
	if location(q.TimeZone) == nil {
		bad.Add("timeZone", "must be the name of a time zone such as Europe/Berlin", problem.Clip(q.TimeZone))
	}
	if q.Action == "" {
		q.Action = quietHold
	}
	if q.Action != quietHold && q.Action != quietDrop {
		bad.Add("action", "must be hold or drop", q.Action)
	}
	if len(bad) == 0 {
		rule := q.compile("")
		if _, ok := calendar.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC, []calendar.Quiet{rule.hours}); !ok {
			bad.Add("to", "must leave some time of the week in which people can be contacted", q.To)
		}
	}
	return bad.Err()
}

// quietRule is compiled quiet hours.
type quietRule struct {
	key   string
	def   QuietHours
	hours calendar.Quiet
	zone  *time.Location
}

// compile is for valid quiet hours.
func (q *QuietHours) compile(key string) quietRule {
	r := quietRule{key: key, def: *q, zone: location(q.TimeZone)}
	r.hours.From, _ = calendar.ParseClock(q.From)
	r.hours.To, _ = calendar.ParseClock(q.To)
	for _, d := range q.Days {
		for i, name := range weekdays {
			if name == d {
				r.hours.Days |= 1 << i
			}
		}
	}
	return r
}

// holds says whether the hours are about a contact.
func (r *quietRule) holds(class, channel string, c *Channel, country string) bool {
	switch {
	case class == ClassService && !r.def.Service:
		return false
	case len(r.def.Channels) > 0 && !contains(r.def.Channels, channel), len(r.def.Channels) == 0 && c.addresses() == "":
		return false
	}
	return len(r.def.Countries) == 0 || country == "" || contains(r.def.Countries, country)
}
