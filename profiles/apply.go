package profiles

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// changes collects what Postgres does not have yet.
type changes struct {
	states []*state
	links  []linkRow
	// identity is what came to the log of identity.
	identity identityChanges
	// refused counts traits that did not fit into their profile.
	refused uint64
	// traitsChanged and consentsChanged are about the message applied last.
	traitsChanged, consentsChanged bool
	// oldest is when the first message behind these changes was received, in Unix
	// milliseconds, 0 when there is none.
	oldest int64
}

// linkRow says that an identifier belongs to a profile.
type linkRow struct {
	identifier Identifier
	profile    identity.ID
	firstSeen  int64 // Unix milliseconds
	stamp      int64
}

func (c *changes) mark(st *state, d dirt) {
	if st.dirty == 0 {
		c.states = append(c.states, st)
	}
	st.dirty |= d
}

// apply brings the state of one profile up to date with one message. It is
// called in the order of the stream, by one goroutine.
func (s *Store) apply(h *recordHeader, it *item, names *interner, c *changes) {
	c.traitsChanged, c.consentsChanged = false, false
	sh := s.shard(it.profile)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st, there := sh.people[it.profile]
	if !there {
		st = &state{id: it.profile, created: it.time, updated: h.received, seen: it.time}
		sh.people[it.profile] = st
		s.size.Add(1)
		c.mark(st, dirtNew|dirtCard)
	}
	if c.oldest == 0 {
		c.oldest = h.received
	}
	if h.source == NoteSource && there {
		return // about the person, not by the person
	}
	st.created = min(st.created, it.time)
	st.seen = max(st.seen, it.time)
	st.events++
	c.mark(st, dirtSeen)

	if it.flags&flagUser != 0 {
		s.attach(st, Identifier{Namespace: identity.UserID, Value: it.userID}, h, it, c)
	}
	if it.flags&flagAnonymous != 0 {
		s.attach(st, Identifier{Namespace: identity.AnonymousID, Value: it.anonymousID}, h, it, c)
	}
	for _, link := range it.links {
		s.attach(st, link, h, it, c)
	}
	if it.kind == tracking.Identify && it.traits != "" && it.traits != "{}" {
		s.learn(st, h, it, names, c)
	}
}

// attach notes that an identifier belongs to the profile. A later decision
// about it, which this record does not know of, stands.
func (s *Store) attach(st *state, id Identifier, h *recordHeader, it *item, c *changes) {
	if !s.index.Set(id, st.id, h.stamp) {
		return
	}
	place := slices.Index(st.identifiers, id)
	listed := place >= 0
	if listed && it.flags&flagFresh == 0 {
		return
	}
	id = Identifier{Namespace: strings.Clone(id.Namespace), Value: strings.Clone(id.Value)}
	if listed {
		c.links = append(c.links, linkRow{id, st.id, st.firstSeen[place], h.stamp})
		return
	}
	c.links = append(c.links, linkRow{id, st.id, it.time, h.stamp})
	if len(st.identifiers) >= 2*identity.MaxIdentifiers {
		s.dropMoved(st)
	}
	st.identifiers = append(st.identifiers, id)
	st.firstSeen = append(st.firstSeen, it.time)
	st.updated = max(st.updated, h.received)
}

// dropMoved forgets identifiers that belong to other profiles by now.
func (s *Store) dropMoved(st *state) {
	var ids []Identifier
	var seen []int64
	for i, id := range st.identifiers {
		if s.index.Owns(st.id, id) {
			ids, seen = append(ids, id), append(seen, st.firstSeen[i])
		}
	}
	st.identifiers, st.firstSeen = ids, seen
}

// learn merges traits: for each name the value with the latest time wins,
// whatever the order in which messages arrive. null is a value too and stands
// for "no longer known".
func (s *Store) learn(st *state, h *recordHeader, it *item, names *interner, c *changes) {
	var incoming map[string]any
	if err := json.Unmarshal([]byte(it.traits), &incoming); err != nil {
		c.refused++ // the tracking API let it through, so this cannot happen to a sound record
		return
	}
	var traits map[string]any // a copy of st.traits, made when the first value changes
	times := st.traitTimes
	uniform := len(st.traits) == 0 || times == nil && st.traitsAt == it.time
	for name, value := range incoming {
		old, has := st.traits[name]
		if has && (st.timeOf(name) > it.time || uniform && equal(old, value)) {
			continue
		}
		if traits == nil {
			if traits = maps.Clone(st.traits); traits == nil {
				traits = make(map[string]any, len(incoming))
			}
			if !uniform {
				times = st.everyTime()
			}
		}
		if !has && len(traits) >= maxTraits {
			c.refused++
			continue
		}
		name = names.text(name)
		traits[name] = names.value(value)
		if !uniform {
			times[name] = it.time
		}
	}
	if traits == nil {
		return
	}
	if int(st.traitBytes)+len(it.traits) > maxTraitBytes {
		// Exact only when it matters: encoding the traits for every message would cost more
		// than the rest of the projection.
		if encoded, err := json.Marshal(traits); err != nil || len(encoded) > maxTraitBytes {
			c.refused++
			return
		} else {
			st.traitBytes = int32(len(encoded))
		}
	} else {
		st.traitBytes += int32(len(it.traits))
	}
	if uniform {
		st.traitsAt, times = it.time, nil
	}
	st.traits, st.traitTimes = traits, compactTimes(times, st)
	st.updated = max(st.updated, h.received)
	c.traitsChanged = true
	c.mark(st, dirtCard)
}

// timeOf is when the trait was set.
func (st *state) timeOf(name string) int64 {
	if at, ok := st.traitTimes[name]; ok {
		return at
	}
	return st.traitsAt
}

// everyTime is a copy of the times of all traits.
func (st *state) everyTime() map[string]int64 {
	times := make(map[string]int64, len(st.traits)+1)
	for name := range st.traits {
		times[name] = st.timeOf(name)
	}
	return times
}

// compactTimes gives up the map when all times are the same again.
func compactTimes(times map[string]int64, st *state) map[string]int64 {
	first := int64(0)
	for _, at := range times {
		if first == 0 {
			first = at
		}
		if at != first {
			return times
		}
	}
	if len(times) > 0 {
		st.traitsAt = first
	}
	return nil
}

func equal(a, b any) bool {
	switch a.(type) {
	case map[string]any, []any:
		return reflect.DeepEqual(a, b)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

// interner shares the names and the short values of traits between profiles:
// most people have the same ones. It is used by one goroutine.
type interner struct {
	texts  map[string]string
	values map[string]any
}

const (
	maxInterned      = 1 << 16
	maxInternedBytes = 32
)

func newInterner() *interner {
	return &interner{texts: map[string]string{}, values: map[string]any{}}
}

func (n *interner) text(s string) string {
	if shared, ok := n.texts[s]; ok {
		return shared
	}
	if len(n.texts) < maxInterned && len(s) <= maxInternedBytes {
		n.texts[s] = s
	}
	return s
}

func (n *interner) value(v any) any {
	s, ok := v.(string)
	if !ok || len(s) > maxInternedBytes {
		return v
	}
	if shared, ok := n.values[s]; ok {
		return shared
	}
	if len(n.values) < maxInterned {
		n.values[s] = v
	}
	return v
}
