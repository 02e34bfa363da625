package channels

import (
	"time"

	"quintet/internal/problem"
)

// QuietHours are the hours of the day in which advertising waits.
type QuietHours struct {
	From string `json:"from" maxLength:"5" doc:"First minute that is quiet, as in 21:00"`
	To   string `json:"to" maxLength:"5" doc:"First minute that is not, as in 09:00"`
	// Zone counts for those of whom none is known.
	Zone string `json:"zone,omitempty" maxLength:"64" doc:"Time zone of people of whom none is known; UTC when absent"`
}

func (q *QuietHours) validate(bad *problem.Invalid) {
	from, err1 := time.Parse("15:04", q.From)
	to, err2 := time.Parse("15:04", q.To)
	if err1 != nil {
		bad.Add("quietHours.from", "must be a time of day such as 21:00", q.From)
	}
	if err2 != nil {
		bad.Add("quietHours.to", "must be a time of day such as 09:00", q.To)
	}
	if err1 == nil && err2 == nil && from.Equal(to) {
		bad.Add("quietHours.to", "must differ from from: all day would be quiet", q.To)
	}
	if _, err := time.LoadLocation(q.Zone); err != nil || q.Zone == "Local" {
		bad.Add("quietHours.zone", "must be a zone of the IANA data base such as Europe/Berlin", q.Zone)
	}
}

// Location is the zone of people of whom none is known.
func (q *QuietHours) Location() *time.Location {
	l, err := time.LoadLocation(q.Zone)
	if err != nil {
		return time.UTC
	}
	return l
}

// Quiet says whether clocks of a zone show a quiet time at a moment.
func (q *QuietHours) Quiet(at time.Time, zone *time.Location) bool {
	from, err1 := time.Parse("15:04", q.From)
	to, err2 := time.Parse("15:04", q.To)
	if err1 != nil || err2 != nil {
		return false
	}
	minute := func(t time.Time) int { return t.Hour()*60 + t.Minute() }
	m, a, b := minute(at.In(zone)), minute(from), minute(to)
	if a < b {
		return m >= a && m < b
	}
	return m >= a || m < b
}

// Next is the first moment from at on that is not quiet. It walks by the minute what
// clocks show, so that it is right on the days on which they are changed.
func (q *QuietHours) Next(at time.Time, zone *time.Location) time.Time {
	if !q.Quiet(at, zone) {
		return at
	}
	at = at.Truncate(time.Minute)
	for range 26 * 60 {
		at = at.Add(time.Minute)
		if !q.Quiet(at, zone) {
			return at
		}
	}
	return at
}
