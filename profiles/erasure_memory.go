package profiles

import (
	"slices"

	"quintet/profiles/identity"
)

// forget removes profiles from memory with all that waits to be saved about them.
// The caller keeps saves from being under way. It returns how many were there.
func (p *projector) forget(ids []identity.ID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	gone := make(map[identity.ID]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	c := &p.changes
	for _, st := range c.states {
		if gone[st.id] {
			st.dirty = 0
		}
	}
	c.states = slices.DeleteFunc(c.states, func(st *state) bool { return gone[st.id] })
	c.links = slices.DeleteFunc(c.links, func(l linkRow) bool { return gone[l.profile] })
	c.consents = slices.DeleteFunc(c.consents, func(r consentRow) bool { return gone[r.profile.id] })
	c.suppressed = slices.DeleteFunc(c.suppressed, func(r suppressionRow) bool { return gone[r.profile] })
	c.identity.entries = slices.DeleteFunc(c.identity.entries, func(e entryRow) bool { return gone[e.A] || gone[e.B] })
	c.identity.moves = slices.DeleteFunc(c.identity.moves, func(m moveRow) bool { return gone[m.profile] || gone[m.person] })
	p.rechosen = slices.DeleteFunc(p.rechosen, func(id identity.ID) bool { return gone[id] })
	p.names = newInterner() // it may share values that only they had
	return p.store.forget(ids)
}

// forget removes profiles from the store and from the maps of identity, and returns
// how many were there.
func (s *Store) forget(ids []identity.ID) (n int) {
	for _, id := range ids {
		sh := s.shard(id)
		sh.mu.Lock()
		st, there := sh.people[id]
		var identifiers []Identifier
		if there {
			identifiers = st.identifiers
			delete(sh.people, id)
			s.size.Add(-1)
			n++
		}
		sh.mu.Unlock()
		s.index.Forget(id, identifiers)
		s.merges.Forget(id)
	}
	return n
}
