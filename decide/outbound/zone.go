package outbound

import (
	"strconv"
	"sync"
	"time"

	"quintet/profiles"
)

// zones keeps the locations that were loaded: there are some hundreds.
type zones struct{ loaded sync.Map }

// load is the location of a name of the IANA data base, nil when there is none.
func (z *zones) load(name string) *time.Location {
	if name == "" || len(name) > 64 {
		return nil
	}
	if l, ok := z.loaded.Load(name); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil
	}
	z.loaded.Store(name, l)
	return l
}

// of is the zone of a person by their traits, or the other one.
func (z *zones) of(view *profiles.View, other *time.Location) *time.Location {
	for _, name := range [...]string{"timezone", "timeZone", "tz"} {
		if text, ok := view.Traits[name].(string); ok {
			if l := z.load(text); l != nil {
				return l
			}
		}
	}
	return other
}

// NextClock is the first moment from at on at which clocks of the zone show the
// time of day, "09:30". Where a clock is put forward over that time, it is the
// moment an hour later or earlier that [time.Date] chooses.
func NextClock(at time.Time, clock string, zone *time.Location) time.Time {
	hour, err1 := strconv.Atoi(clock[:2])
	minute, err2 := strconv.Atoi(clock[3:])
	if err1 != nil || err2 != nil {
		return at
	}
	local := at.In(zone)
	for day := 0; ; day++ {
		next := time.Date(local.Year(), local.Month(), local.Day()+day, hour, minute, 0, 0, zone)
		if !next.Before(at) {
			return next
		}
	}
}
