// Package caps limits how often a person is contacted. A contact is reserved when it is
// decided on, moved or confirmed when it is made, and released when it will not be made;
// at no moment do the contacts that are reserved or made exceed a rule. It is pure: it
// knows nothing of where contacts are journalled.
package caps

import (
	"slices"
	"time"
)

// Period is a stretch of the calendar in the person's time zone.
type Period string

// Periods. A week begins on Monday.
const (
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
)

// Rule limits contacts. It is about those contacts that all of its filters select, and
// an empty filter selects all.
type Rule struct {
	// Key names the rule in refusals.
	Key string
	// Limit is the most contacts in any window, at least 1.
	Limit int
	// Class of messages.
	Class string
	// Channels, of which a contact is on one.
	Channels []string
	// Tags, of which a contact has at least one.
	Tags []string
	// Rolling is the length of the window that may lie anywhere: no stretch of this
	// length holds more contacts than Limit. 0 for a rule by the calendar.
	Rolling time.Duration
	// Calendar is the period that may not hold more, when Rolling is 0.
	Calendar Period
	// Arbitrated says that contacts which are not made yet give way to more valuable ones.
	Arbitrated bool
}

// Reach is how far from a contact another one can lie that the rule counts with it.
func (r *Rule) Reach() time.Duration {
	switch {
	case r.Rolling > 0:
		return r.Rolling
	case r.Calendar == Day:
		return 26 * time.Hour // a day with a clock put back, and a change of zones
	case r.Calendar == Week:
		return 8 * 24 * time.Hour
	}
	return 32 * 24 * time.Hour
}

// Contact is one message to one person, made or planned.
type Contact struct {
	// ID is that of the decision.
	ID string
	// Person whom the contact counts for.
	Person  string
	Class   string
	Channel string
	Tags    []string
	// At is the moment at which it is made.
	At time.Time
	// Zone is the time zone of the person, by which calendar periods are told; UTC when nil.
	Zone *time.Location
	// Made says that the contact was committed: its moment does not change any more.
	Made bool
	// Priority and Worth rank contacts that compete: priority first, then worth, which is
	// what the contact is expected to bring less what it costs.
	Priority int
	Worth    float64
	// Yields says that the contact may give way to a more valuable one until it is made.
	Yields bool
	// Given says that it gave way: it takes no place.
	Given bool
}

// counts says whether another contact takes a place that the contact needs.
func (r *Rule) counts(h, c *Contact) bool {
	return !h.Given && r.about(h.Class, h.Channel, h.Tags) && h.ID != c.ID
}

func (r *Rule) about(class, channel string, tags []string) bool {
	if r.Class != "" && r.Class != class || len(r.Channels) > 0 && !slices.Contains(r.Channels, channel) {
		return false
	}
	return len(r.Tags) == 0 || slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(r.Tags, t) })
}

// Refused is the key of the first rule that a contact would break beside those of the
// same person, "" when it breaks none. A contact among them with the same id is the one
// itself, and is not counted. It allocates nothing.
func Refused(rules []Rule, history []Contact, c *Contact) string {
	for i := range rules {
		r := &rules[i]
		// Who has had fewer contacts than the limit, of whatever kind, has room.
		if len(history) < r.Limit || !r.about(c.Class, c.Channel, c.Tags) {
			continue
		}
		if r.Rolling > 0 && r.crowded(history, c) || r.Rolling <= 0 && r.used(history, c) {
			return r.Key
		}
	}
	return ""
}

// crowded says whether some window of the rule that holds the contact would hold too
// many. The fullest of them begins with a contact.
func (r *Rule) crowded(history []Contact, c *Contact) bool {
	near := 0
	for i := range history {
		if d := history[i].At.Sub(c.At); d > -r.Rolling && d < r.Rolling && r.counts(&history[i], c) {
			near++
		}
	}
	if near < r.Limit {
		return false
	}
	if r.within(history, c, c.At)+1 > r.Limit {
		return true
	}
	for i := range history {
		begin := history[i].At
		if begin.After(c.At) || c.At.Sub(begin) >= r.Rolling || !r.counts(&history[i], c) {
			continue
		}
		if r.within(history, c, begin)+1 > r.Limit {
			return true
		}
	}
	return false
}

// within counts the other contacts of a window.
func (r *Rule) within(history []Contact, c *Contact, begin time.Time) (n int) {
	for i := range history {
		h := &history[i]
		if d := h.At.Sub(begin); d >= 0 && d < r.Rolling && r.counts(h, c) {
			n++
		}
	}
	return n
}

// used says whether the period of the contact is full.
func (r *Rule) used(history []Contact, c *Contact) bool {
	zone := c.Zone
	if zone == nil {
		zone = time.UTC
	}
	own, reach, n := periodOf(r.Calendar, c.At, zone), r.Reach(), 0
	for i := range history {
		h := &history[i]
		if d := h.At.Sub(c.At); d < reach && d > -reach && r.counts(h, c) && periodOf(r.Calendar, h.At, zone) == own {
			n++
		}
	}
	return n+1 > r.Limit
}

// periodOf is a number that moments of the same period share.
func periodOf(p Period, at time.Time, zone *time.Location) int {
	local := at.In(zone)
	y, m, d := local.Date()
	switch p {
	case Month:
		return y*12 + int(m)
	case Week:
		// Days since the epoch of the local date; the epoch was a Thursday.
		days := int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
		return (days + 3) / 7
	}
	return y*366 + local.YearDay()
}

// About says whether the rule limits such contacts.
func (r *Rule) About(class, channel string, tags []string) bool { return r.about(class, channel, tags) }
