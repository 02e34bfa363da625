package decide

import (
	"sync"
	"sync/atomic"
	"time"

	"quintet/profiles"
)

// mostZones bounds the names of time zones that are looked up: there are some 600, and
// behind it only those that were met are known, so that made-up names cost nothing.
const mostZones = 5000

// zoneCache keeps the time zones that were looked up. The zero value is ready.
type zoneCache struct {
	loaded sync.Map // of *time.Location, nil for a name that is none
	size   atomic.Int64
}

// load is the location of a name of the IANA data base, nil when there is none.
func (z *zoneCache) load(name string) *time.Location {
	if l, ok := z.loaded.Load(name); ok {
		return l.(*time.Location)
	}
	if z.size.Add(1) > mostZones {
		z.size.Add(-1)
		return nil
	}
	l := location(name)
	z.loaded.Store(name, l)
	return l
}

// location looks a time zone up; nil when there is none.
func location(name string) *time.Location {
	if name == "" || len(name) > 64 || name == "Local" {
		return nil
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return l
}

// of is the zone of a person: that of the request, else of the profile, else nil.
func (z *zoneCache) of(view *profiles.View, context map[string]any) *time.Location {
	if l := z.in(context); l != nil {
		return l
	}
	if view == nil {
		return nil
	}
	return z.in(view.Traits)
}

func (z *zoneCache) in(values map[string]any) *time.Location {
	for _, name := range [...]string{"timezone", "timeZone", "tz"} {
		if text, ok := values[name].(string); ok {
			if l := z.load(text); l != nil {
				return l
			}
		}
	}
	return nil
}
