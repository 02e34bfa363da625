package identity

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
)

// Bounds of one person. Beyond them resolution goes on without adding.
const (
	// MaxMerges is how many edges hold one person together.
	MaxMerges = 100
	// MaxIdentifiers is how many identifiers one person collects.
	MaxIdentifiers = 1000
)

// Merges says which profiles are one person: the connected components of
// profiles under the edges that hold. It is what the log of identity amounts to,
// applied entry by entry in its order. Only people of several profiles, and
// pairs that are kept apart, take memory. It is safe for use by several
// goroutines.
type Merges struct {
	mu     sync.RWMutex
	people map[ID]*component // of every profile that is merged
	apart  map[pair]int64    // stamp of the un-merge
	groups int               // people of several profiles
}

type pair struct{ a, b ID }

// component is a person of several profiles. It is replaced, never changed,
// so that slices can be handed out.
type component struct {
	person  ID
	members []ID // the person first, the others in order
	edges   []liveEdge
}

// liveEdge is an edge that holds. Between two profiles there is at most one;
// what is said again only raises last.
type liveEdge struct {
	a, b           ID
	sinceA, sinceB int64
	last           int64 // newest stamp
}

// Move says that a profile belongs to another person than before.
type Move struct{ Profile, From, To ID }

// NewMerges returns a map in which every profile is a person.
func NewMerges() *Merges {
	return &Merges{people: map[ID]*component{}, apart: map[pair]int64{}}
}

// PersonOf is the person that the profile belongs to.
func (m *Merges) PersonOf(profile ID) ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if c, merged := m.people[profile]; merged {
		return c.person
	}
	return profile
}

// Alone reports whether the profile is a person of its own.
func (m *Merges) Alone(profile ID) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, merged := m.people[profile]
	return !merged
}

// Members are the profiles of the person to whom the profile belongs, the
// person's own first. The slice must not be changed.
func (m *Merges) Members(profile ID) []ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if c, merged := m.people[profile]; merged {
		return c.members
	}
	return []ID{profile}
}

// Each calls f with every person of several profiles, in no order. f must not
// call m, nor change the slice.
func (m *Merges) Each(f func(person ID, members []ID)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for id, c := range m.people {
		if id == c.person {
			f(id, c.members)
		}
	}
}

// Surplus is how many profiles there are more than people.
func (m *Merges) Surplus() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.people) - m.groups
}

// KeptApart reports whether the people of two profiles were told apart, so that
// no rule may join them.
func (m *Merges) KeptApart(a, b ID) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.keptApart(m.members(a), m.members(b))
}

// members is Members without an allocation of its own; m.mu is held.
func (m *Merges) members(profile ID) []ID {
	if c, merged := m.people[profile]; merged {
		return c.members
	}
	return []ID{profile}
}

func (m *Merges) keptApart(as, bs []ID) bool {
	if len(m.apart) == 0 {
		return false
	}
	for _, a := range as {
		for _, b := range bs {
			if _, apart := m.apart[pairOf(a, b)]; apart {
				return true
			}
		}
	}
	return false
}

func pairOf(a, b ID) pair {
	if bytes.Compare(a[:], b[:]) > 0 {
		return pair{b, a}
	}
	return pair{a, b}
}

// Joined reports whether an edge between the two profiles holds.
func (m *Merges) Joined(a, b ID) bool {
	p := pairOf(a, b)
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, merged := m.people[a]
	return merged && slices.ContainsFunc(c.edges, func(e liveEdge) bool { return e.a == p.a && e.b == p.b })
}

// Edges are the pairs of profiles that hold a person together.
func (m *Merges) Edges(profile ID) [][2]ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, merged := m.people[profile]
	if !merged {
		return nil
	}
	pairs := make([][2]ID, len(c.edges))
	for i, e := range c.edges {
		pairs[i] = [2]ID{e.a, e.b}
	}
	return pairs
}

// Apply takes one entry of the log in and returns which profiles belong to
// another person now, in the order of their ids. An entry that was applied
// before changes nothing.
func (m *Merges) Apply(e *Entry) []Move {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.A == e.B {
		return nil
	}
	switch e.Kind {
	case Merge:
		return m.merge(e)
	case Unmerge:
		return m.unmerge(e)
	}
	return nil
}

func (m *Merges) merge(e *Entry) []Move {
	p := pairOf(e.A, e.B)
	if mark, apart := m.apart[p]; apart && (mark >= e.Stamp || !e.Explicit) {
		return nil
	}
	a, b := m.people[e.A], m.people[e.B]
	added := liveEdge{a: p.a, b: p.b, sinceA: e.SinceA, sinceB: e.SinceB, last: e.Stamp}
	if p.a != e.A {
		added.sinceA, added.sinceB = e.SinceB, e.SinceA
	}
	if a != nil && a == b {
		for i := range a.edges {
			if one := &a.edges[i]; one.a == p.a && one.b == p.b {
				one.last = max(one.last, e.Stamp)
				return nil
			}
		}
		if len(a.edges) >= MaxMerges {
			return nil // they are one person already; a bound keeps the list of reasons short
		}
	} else if m.edges(a)+m.edges(b) >= MaxMerges {
		return nil
	}
	delete(m.apart, p)
	var edges []liveEdge
	if a != nil {
		edges = append(edges, a.edges...)
	}
	if b != nil && b != a {
		edges = append(edges, b.edges...)
	}
	return m.replace([]*component{a, b}, []ID{e.A, e.B}, append(edges, added))
}

func (*Merges) edges(c *component) int {
	if c == nil {
		return 0
	}
	return len(c.edges)
}

func (m *Merges) unmerge(e *Entry) []Move {
	p := pairOf(e.A, e.B)
	c := m.people[e.A]
	if c != nil {
		if i := slices.IndexFunc(c.edges, func(one liveEdge) bool { return one.a == p.a && one.b == p.b }); i >= 0 {
			if c.edges[i].last > e.Stamp {
				return nil // joined again since
			}
			m.apart[p] = max(m.apart[p], e.Stamp)
			return m.replace([]*component{c}, nil, slices.Delete(slices.Clone(c.edges), i, i+1))
		}
	}
	m.apart[p] = max(m.apart[p], e.Stamp)
	return nil
}

// withdraw takes an edge back that never was in the log.
func (m *Merges) withdraw(e *Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := pairOf(e.A, e.B)
	c := m.people[e.A]
	if c == nil {
		return
	}
	i := slices.IndexFunc(c.edges, func(one liveEdge) bool { return one.a == p.a && one.b == p.b && one.last == e.Stamp })
	if i >= 0 {
		m.replace([]*component{c}, nil, slices.Delete(slices.Clone(c.edges), i, i+1))
	}
}

// Forget takes a profile out of the map with its edges and with whom it is kept
// apart from, as if it had never been in the log. The moves are those of the
// profiles that it held together.
func (m *Merges) Forget(profile ID) []Move {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.apart {
		if p.a == profile || p.b == profile {
			delete(m.apart, p)
		}
	}
	c := m.people[profile]
	if c == nil {
		return nil
	}
	edges := slices.DeleteFunc(slices.Clone(c.edges), func(e liveEdge) bool { return e.a == profile || e.b == profile })
	return m.replace([]*component{c}, nil, edges)
}

// replace makes the people of old, and of the profiles alone, anew of the given
// edges. Nobody else is looked at.
func (m *Merges) replace(old []*component, alone []ID, edges []liveEdge) []Move {
	before := map[ID]ID{}
	for _, id := range alone {
		before[id] = id
	}
	for i, c := range old {
		if c == nil || i > 0 && c == old[0] {
			continue
		}
		m.groups--
		for _, id := range c.members {
			before[id] = c.person
			delete(m.people, id)
		}
	}
	for _, c := range components(edges) {
		m.groups++
		for _, id := range c.members {
			m.people[id] = c
		}
	}
	var moves []Move
	for id, from := range before {
		to := id
		if c, merged := m.people[id]; merged {
			to = c.person
		}
		if to != from {
			moves = append(moves, Move{Profile: id, From: from, To: to})
		}
	}
	slices.SortFunc(moves, func(a, b Move) int { return bytes.Compare(a.Profile[:], b.Profile[:]) })
	return moves
}

// components finds the people that the edges make.
func components(edges []liveEdge) []*component {
	parent, since := map[ID]ID{}, map[ID]int64{}
	note := func(id ID, at int64) {
		if _, there := parent[id]; !there {
			parent[id], since[id] = id, at
		}
		since[id] = min(since[id], at)
	}
	root := func(id ID) ID {
		for parent[id] != id {
			parent[id] = parent[parent[id]]
			id = parent[id]
		}
		return id
	}
	for _, e := range edges {
		note(e.a, e.sinceA)
		note(e.b, e.sinceB)
		parent[root(e.a)] = root(e.b)
	}
	byRoot := map[ID]*component{}
	var found []*component
	for id := range parent {
		r := root(id)
		c := byRoot[r]
		if c == nil {
			c = new(component)
			byRoot[r] = c
			found = append(found, c)
		}
		c.members = append(c.members, id)
	}
	for _, e := range edges {
		c := byRoot[root(e.a)]
		c.edges = append(c.edges, e)
	}
	for _, c := range found {
		c.person = slices.MinFunc(c.members, func(a, b ID) int {
			return cmp.Or(cmp.Compare(since[a], since[b]), bytes.Compare(a[:], b[:]))
		})
		slices.SortFunc(c.members, func(a, b ID) int {
			switch {
			case a == b:
				return 0
			case a == c.person:
				return -1
			case b == c.person:
				return 1
			}
			return bytes.Compare(a[:], b[:])
		})
	}
	return found
}
