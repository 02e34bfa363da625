package campaigns

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"quintet/decide/outbound"
	"quintet/experiments/condition"
	"quintet/internal/problem"
)

// Bounds of a campaign.
const (
	maxName = 200
	maxText = 2000
)

// Campaign is an audience that is contacted on a schedule, by the decisions of a
// decision point.
type Campaign struct {
	Name          string           `json:"name,omitempty" maxLength:"200"`
	Description   string           `json:"description,omitempty" maxLength:"2000"`
	DecisionPoint string           `json:"decisionPoint" maxLength:"64" doc:"Key of the decision point that says for each person whether, what, where and how"`
	Audience      Audience         `json:"audience"`
	Consent       outbound.Consent `json:"consent"`
	Schedule      Schedule         `json:"schedule"`
	// LocalTime is kept where the decision itself leaves the moment open.
	LocalTime string         `json:"localTime,omitempty" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"Time of day of sending in each person's time zone (trait timezone), such as 10:00; at once when absent"`
	Context   map[string]any `json:"context,omitempty" doc:"What each decision is told of the moment: texts, numbers and booleans"`
}

// Audience says who is asked about. Without segment and condition it is everybody.
type Audience struct {
	Segment   string          `json:"segment,omitempty" maxLength:"64" doc:"Key of a segment that people must be in"`
	Without   string          `json:"without,omitempty" maxLength:"64" doc:"Key of a segment that people must not be in"`
	Condition json.RawMessage `json:"condition,omitempty" doc:"Condition over traits, computed attributes and segments, as experiments have it"`
	Everybody bool            `json:"everybody,omitempty" doc:"Must be true where neither a segment nor a condition is given"`
}

// Segments knows who is in which segment.
type Segments interface {
	InSegment(profile, key string) bool
	OfProfile(profile string) []string
}

// References say what a campaign may name.
type References struct {
	HasPoint   func(key string) bool
	Class      func(point string) string
	HasSegment func(key string) bool
	HasPurpose func(key string) bool
}

// Validate checks and normalises a campaign.
func (c *Campaign) Validate(refs References) error {
	var bad problem.Invalid
	checkText(&bad, "name", c.Name, maxName)
	checkText(&bad, "description", c.Description, maxText)
	switch {
	case c.DecisionPoint == "":
		bad.Add("decisionPoint", "is required: the key of a decision point", nil)
	case !refs.HasPoint(c.DecisionPoint):
		bad.Add("decisionPoint", "must be the key of a decision point", problem.Clip(c.DecisionPoint))
	default:
		c.Consent.CheckClass(&bad, "decisionPoint", refs.Class(c.DecisionPoint))
	}
	c.Consent.Check(&bad, "consent")
	if c.Consent.Purpose != "" && !refs.HasPurpose(c.Consent.Purpose) {
		bad.Add("consent.purpose", "must be the key of a purpose", problem.Clip(c.Consent.Purpose))
	}
	c.Audience.validate(&bad, refs)
	c.Schedule.validate(&bad)
	if c.LocalTime != "" && !outbound.IsClock(c.LocalTime) {
		bad.Add("localTime", "must be a time of day such as 10:00", problem.Clip(c.LocalTime))
	}
	outbound.CheckContext(&bad, "context", c.Context)
	return bad.Err()
}

func (a *Audience) validate(bad *problem.Invalid, refs References) {
	for _, s := range []struct{ field, key string }{{"audience.segment", a.Segment}, {"audience.without", a.Without}} {
		if s.key != "" && !refs.HasSegment(s.key) {
			bad.Add(s.field, "must be the key of a segment", problem.Clip(s.key))
		}
	}
	if a.Segment != "" && a.Segment == a.Without {
		bad.Add("audience.without", "must not be the segment that people must be in: nobody would be left", a.Without)
	}
	parsed, err := condition.Parse(a.Condition)
	bad.Nest("audience.condition", err)
	if err == nil && parsed == nil {
		a.Condition = nil
		if a.Segment == "" && !a.Everybody {
			bad.Add("audience", "must have a segment or a condition, or say everybody: true", nil)
		}
	}
}

func checkText(bad *problem.Invalid, field, value string, most int) {
	if len(value) > most {
		bad.Add(field, fmt.Sprintf("must be at most %d bytes long", most), len(value))
	}
	if strings.ContainsRune(value, 0) {
		bad.Add(field, "must not contain a NUL character", nil)
	}
}

// Bounds of a schedule.
const (
	maxWeekdays = 7
	// farAhead is how far the next occurrence of a schedule is looked for.
	farAhead = 400
)

// Kinds of schedules.
const (
	Once    = "once"
	Daily   = "daily"
	Weekly  = "weekly"
	Monthly = "monthly"
)

// Schedule says when a campaign goes through its audience.
type Schedule struct {
	Kind string `json:"kind" enum:"once,daily,weekly,monthly"`
	// At of a schedule that happens once may be in the past: then it is due when the
	// campaign is started.
	At       *time.Time `json:"at,omitempty" doc:"Moment of a schedule of kind once; absent means when the campaign is started"`
	Time     string     `json:"time,omitempty" doc:"Time of day of the others, such as 09:00"`
	Zone     string     `json:"zone,omitempty" maxLength:"64" doc:"Time zone of the time of day, by its IANA name; UTC unless set"`
	Weekdays []int      `json:"weekdays,omitempty" maxItems:"7" nullable:"false" doc:"Of kind weekly: 0 is Sunday, 6 Saturday"`
	Day      int        `json:"day,omitempty" minimum:"0" maximum:"31" doc:"Of kind monthly: day of the month; in a shorter month its last day"`
	Until    *time.Time `json:"until,omitempty" doc:"Moment from which nothing is due any more"`
}

func (s *Schedule) validate(bad *problem.Invalid) {
	switch s.Kind {
	case Once:
		if s.Time != "" || len(s.Weekdays) > 0 || s.Day != 0 {
			bad.Add("schedule", "of kind once takes at alone", nil)
		}
		return
	case Daily, Weekly, Monthly:
	case "":
		bad.Add("schedule.kind", "is required: once, daily, weekly or monthly", nil)
		return
	default:
		bad.Add("schedule.kind", "must be once, daily, weekly or monthly", problem.Clip(s.Kind))
		return
	}
	if s.At != nil {
		bad.Add("schedule.at", "is for schedules of kind once", nil)
	}
	if !outbound.IsClock(s.Time) {
		bad.Add("schedule.time", "must be a time of day such as 09:00", problem.Clip(s.Time))
	}
	if s.Zone == "" {
		s.Zone = "UTC"
	}
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
		bad.Add("schedule.zone", "must be a time zone of the IANA data base, such as Europe/Berlin", problem.Clip(s.Zone))
	}
	if (s.Kind == Weekly) != (len(s.Weekdays) > 0) {
		bad.Add("schedule.weekdays", "must be given for kind weekly, and for no other", nil)
	}
	if len(s.Weekdays) > maxWeekdays {
		bad.Add("schedule.weekdays", "must have at most 7 entries", len(s.Weekdays))
	}
	for _, d := range s.Weekdays {
		if d < 0 || d > 6 {
			bad.Add("schedule.weekdays", "must be from 0, Sunday, to 6, Saturday", d)
		}
	}
	if (s.Kind == Monthly) != (s.Day > 0) || s.Day < 0 || s.Day > 31 {
		bad.Add("schedule.day", "must be from 1 to 31 for kind monthly, and given for no other", s.Day)
	}
}

// Next is the first moment of the schedule that is not before at; false when there is
// none.
func (s *Schedule) Next(at time.Time) (time.Time, bool) {
	if s.Kind == Once {
		switch {
		case s.At == nil:
			return at, true
		case s.At.Before(at):
			return time.Time{}, false
		}
		return *s.At, true
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return time.Time{}, false
	}
	for day := range farAhead {
		local := at.In(zone)
		noon := time.Date(local.Year(), local.Month(), local.Day()+day, 12, 0, 0, 0, zone)
		if !s.on(noon) {
			continue
		}
		midnight := time.Date(noon.Year(), noon.Month(), noon.Day(), 0, 0, 0, 0, zone)
		next := outbound.NextClock(midnight, s.Time, zone)
		if next.Before(at) {
			continue
		}
		if s.Until != nil && !next.Before(*s.Until) {
			return time.Time{}, false
		}
		return next, true
	}
	return time.Time{}, false
}

// on says whether something is due on a day.
func (s *Schedule) on(day time.Time) bool {
	switch s.Kind {
	case Weekly:
		for _, d := range s.Weekdays {
			if int(day.Weekday()) == d {
				return true
			}
		}
		return false
	case Monthly:
		last := time.Date(day.Year(), day.Month()+1, 0, 12, 0, 0, 0, day.Location()).Day()
		return day.Day() == min(s.Day, last)
	}
	return true
}

// Between are the moments of the schedule in [from, to), at most limit.
func (s *Schedule) Between(from, to time.Time, limit int) []time.Time {
	var out []time.Time
	for at := from; len(out) < limit; {
		next, ok := s.Next(at)
		if !ok || !next.Before(to) {
			break
		}
		out = append(out, next)
		if s.Kind == Once {
			break
		}
		at = next.Add(time.Minute)
	}
	return out
}
