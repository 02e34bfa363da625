// Package calendar knows when a person may be contacted: quiet hours by the clock of the
// place where the person is, and the moments outside of them. It is pure.
package calendar

import (
	"errors"
	"fmt"
	"time"
)

// Clock is a time of day in minutes since midnight, from 0 to 1439.
type Clock int

// ParseClock reads "21:30".
func ParseClock(text string) (Clock, error) {
	if len(text) != 5 || text[2] != ':' {
		return 0, errors.New("must be a time of day such as 21:30")
	}
	digits := [4]int{int(text[0]) - '0', int(text[1]) - '0', int(text[3]) - '0', int(text[4]) - '0'}
	for _, d := range digits {
		if d < 0 || d > 9 {
			return 0, errors.New("must be a time of day such as 21:30")
		}
	}
	hour, minute := digits[0]*10+digits[1], digits[2]*10+digits[3]
	if hour > 23 || minute > 59 {
		return 0, errors.New("must be a time of day from 00:00 to 23:59")
	}
	return Clock(hour*60 + minute), nil
}

// String is the clock as it is read.
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// Weekdays are days of the week, Sunday the lowest bit. None means all.
type Weekdays uint8

// On says whether a day is among them.
func (w Weekdays) On(d time.Weekday) bool { return w == 0 || w&(1<<d) != 0 }

// Quiet is a stretch of the day in which nobody is contacted: from From on, until To,
// over midnight when To is earlier. From equal to To is the whole day.
type Quiet struct {
	From, To Clock
	// Days on which it begins.
	Days Weekdays
}

// At says whether it is quiet at a moment, by the clock of a zone. It looks only at what
// the clock shows, so that an hour that a clock shows twice is quiet twice and one that
// it leaves out is not there.
func (q Quiet) At(at time.Time, zone *time.Location) bool {
	local := at.In(zone)
	now := Clock(local.Hour()*60 + local.Minute())
	today, yesterday := q.Days.On(local.Weekday()), q.Days.On((local.Weekday()+6)%7)
	switch {
	case q.From < q.To:
		return today && now >= q.From && now < q.To
	case now >= q.From:
		return today || yesterday && now < q.To
	}
	return yesterday && now < q.To
}

// horizon is how far ahead [Next] looks.
const horizon = 9 * 24 * time.Hour

// Next is the first moment from at on at which none of the hours is quiet, to the
// minute, or at itself. ok is false where there is none within nine days: it is always quiet.
func Next(at time.Time, zone *time.Location, hours []Quiet) (next time.Time, ok bool) {
	for next = at; next.Sub(at) <= horizon; {
		step := time.Duration(0)
		for _, q := range hours {
			if q.At(next, zone) {
				step = max(step, q.jump(next, zone))
			}
		}
		if step == 0 {
			return next, true
		}
		next = next.Add(step).Truncate(time.Minute)
	}
	return time.Time{}, false
}

// margin is more than any clock was ever put forward or back at once within a day, but
// for zones that changed the side of the date line.
const margin = 3 * 60

// jump is a step from a quiet moment that does not leave out one that is not quiet.
func (q Quiet) jump(at time.Time, zone *time.Location) time.Duration {
	local := at.In(zone)
	left := int(q.To) - (local.Hour()*60 + local.Minute())
	if left <= 0 {
		left += 24 * 60
	}
	if left > margin {
		return time.Duration(left-margin) * time.Minute
	}
	return time.Minute
}
