package consents

import (
	"cmp"
	"slices"
	"strings"
)

// What stands in a [Key] for more than one purpose or channel.
const (
	// Any is every purpose, or every channel.
	Any = "*"
	// Site is the channel of a consent banner: the use of data, and what is shown
	// without sending it to an address.
	Site = "site"
)

// Status is what a person stated, or what follows of all their statements.
type Status string

// What people state, and what may follow of it.
const (
	Granted   Status = "granted"
	Denied    Status = "denied"    // said no when asked
	Withdrawn Status = "withdrawn" // took a consent back, or unsubscribed
	// Pending waits for the second confirmation that the purpose asks for.
	Pending Status = "pending"
	// Expired was granted for a time that is over.
	Expired Status = "expired"
	// Unknown was never stated, and the purpose says nothing either.
	Unknown Status = "unknown"
)

// Refusal says whether the status is a no that was stated.
func (s Status) Refusal() bool { return s == Denied || s == Withdrawn }

// Key is what a statement is about. Statements share it, so it must not be changed.
type Key struct {
	Purpose string // Any for every purpose
	Channel string // Any for every channel
	Topic   string // "" for all topics
}

// Statement is what a person said at one moment about one key.
type Statement struct {
	Key    *Key
	Status Status // Granted, Denied or Withdrawn
	// Confirmed says that a consent was confirmed a second time, as a purpose with
	// double opt-in asks. Other statements are always confirmed.
	Confirmed bool
	// At is when it was said, Expires when it ends, 0 for never, in Unix milliseconds.
	At, Expires int64
	// Source is the id of an API key, or user: and the id of a person.
	Source *string
}

// slot orders the registers of a set: consents without a second confirmation are
// kept beside the statements that are final, as they do not undo them.
func slot(a, b *Statement) int {
	if c := strings.Compare(a.Key.Purpose, b.Key.Purpose); c != 0 {
		return c
	}
	if c := strings.Compare(a.Key.Channel, b.Key.Channel); c != 0 {
		return c
	}
	if c := strings.Compare(a.Key.Topic, b.Key.Topic); c != 0 {
		return c
	}
	return cmp.Compare(flag(b.Confirmed), flag(a.Confirmed))
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// later orders two statements of one slot: by time, refusals last of one moment,
// then by what remains. It is positive when a counts rather than b.
func later(a, b *Statement) int {
	if c := cmp.Compare(a.At, b.At); c != 0 {
		return c
	}
	if c := cmp.Compare(flag(a.Status.Refusal()), flag(b.Status.Refusal())); c != 0 {
		return c
	}
	if c := strings.Compare(string(a.Status), string(b.Status)); c != 0 {
		return c
	}
	if c := cmp.Compare(end(b), end(a)); c != 0 {
		return c // the one that ends earlier
	}
	return strings.Compare(source(a), source(b))
}

func end(s *Statement) int64 {
	if s.Expires == 0 {
		return 1<<63 - 1
	}
	return s.Expires
}

func source(s *Statement) string {
	if s.Source == nil {
		return ""
	}
	return *s.Source
}

// Set is the statements of one person that count, ordered. It is replaced, never
// changed in place.
type Set []Statement

// MaxStatements is how many statements of one profile are kept.
const MaxStatements = 200

// With is the set with one more statement. changed says whether it is another set;
// full that there was no room, which a consent meets before a refusal does: then the
// oldest consent goes.
func (s Set) With(one Statement) (next Set, changed, full bool) {
	i, found := slices.BinarySearchFunc(s, one, func(a, b Statement) int { return slot(&a, &b) })
	if found {
		if later(&one, &s[i]) <= 0 {
			return s, false, false
		}
		next = slices.Clone(s)
		next[i] = one
		return next, true, false
	}
	if len(s) < MaxStatements {
		next = make(Set, 0, len(s)+1)
		next = append(append(append(next, s[:i]...), one), s[i:]...)
		return next, true, false
	}
	oldest := -1
	if one.Status.Refusal() {
		for j := range s {
			if s[j].Status == Granted && (oldest < 0 || s[j].At < s[oldest].At) {
				oldest = j
			}
		}
	}
	if oldest < 0 {
		return s, false, true
	}
	next = slices.Delete(slices.Clone(s), oldest, oldest+1)
	next, changed, _ = next.With(one)
	return next, changed, true
}

// Union is what several profiles of one person state together.
func Union(sets ...Set) Set {
	var all Set
	one := -1
	for i, s := range sets {
		if len(s) > 0 {
			if one >= 0 {
				one = len(sets)
				break
			}
			one = i
		}
	}
	switch {
	case one < 0:
		return nil
	case one < len(sets):
		return sets[one]
	}
	for _, s := range sets {
		all = append(all, s...)
	}
	slices.SortStableFunc(all, func(a, b Statement) int {
		if c := slot(&a, &b); c != 0 {
			return c
		}
		return later(&b, &a)
	})
	return slices.CompactFunc(all, func(a, b Statement) bool { return slot(&a, &b) == 0 })
}
