package experience

import (
	"fmt"
	"time"

	"quintet/internal/problem"
)

// Period is the length of one row of a report. Weeks begin on Monday, and days at
// midnight UTC.
type Period string

// The periods.
const (
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
)

// start is the beginning of the period that holds a moment.
func (p Period) start(t time.Time) time.Time {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch p {
	case Week:
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	case Month:
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return day
}

// add is the beginning of the n-th period behind the one that begins at t.
func (p Period) add(t time.Time, n int) time.Time {
	switch p {
	case Week:
		return t.AddDate(0, 0, 7*n)
	case Month:
		return t.AddDate(0, n, 0)
	}
	return t.AddDate(0, 0, n)
}

// startSQL is the expression of start over a Date.
func (p Period) startSQL(date string) string {
	switch p {
	case Week:
		return "toMonday(" + date + ")"
	case Month:
		return "toStartOfMonth(" + date + ")"
	}
	return "toDate(" + date + ")"
}

// addSQL is the expression of add with one period.
func (p Period) addSQL(date string) string {
	return map[Period]string{Day: "addDays", Week: "addWeeks", Month: "addMonths"}[p] + "(" + date + ", 1)"
}

// maxPeriods bounds the rows of a report.
const maxPeriods = 400

// span is whole periods, one behind the other.
type span struct {
	period Period
	starts []time.Time
	end    time.Time // of the last
}

// newSpan covers the days from from to to, both included.
func newSpan(p Period, from, to time.Time) (span, error) {
	var bad problem.Invalid
	s := span{period: p}
	if p != Day && p != Week && p != Month {
		bad.Add("query.period", "must be day, week or month", string(p))
		return s, bad
	}
	if to.Before(from) {
		bad.Add("query.to", "must not lie before from", to.Format(time.DateOnly))
		return s, bad
	}
	for t := p.start(from); !t.After(to); t = p.add(t, 1) {
		if len(s.starts) == maxPeriods {
			bad.Add("query.to", fmt.Sprintf("must be at most %d periods from from", maxPeriods), to.Format(time.DateOnly))
			return s, bad
		}
		s.starts = append(s.starts, t)
		s.end = p.add(t, 1)
	}
	return s, nil
}
