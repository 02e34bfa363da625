package profiles

import (
	"slices"
	"strings"

	"quintet/profiles/identity"
	"quintet/profiles/tracking"
	"quintet/profiles/traits"
)

// changes collects what Postgres does not have yet.
type changes struct {
	states []*state
	links  []linkRow
	// identity is what came to the log of identity.
	identity identityChanges
	// refused counts traits that did not fit into their profile, rejected values
	// that break the declaration of their trait.
	refused, rejected uint64
	// unclear counts statements about consent and addresses that cannot be read, or did
	// not fit.
	unclear  uint64
	consents []consentRow
	// suppressed is what was said about addresses.
	suppressed []suppressionRow
	// rechosen says that golden records changed although the position did not.
	rechosen bool
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
		// About the person, not by the person, but for what came by a link of a message or
		// from a provider: who unsubscribes there, and whose address is dead.
		s.consent(st, h, it, names, c)
		s.delivered(st, h, it, c)
		return
	}
	if !strings.HasPrefix(h.source, traits.HandPrefix) { // an edit by hand is no sign of life
		st.created = min(st.created, it.time)
		st.seen = max(st.seen, it.time)
		st.events++
	}
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
	s.consent(st, h, it, names, c)
	s.delivered(st, h, it, c)
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
