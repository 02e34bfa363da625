package profiles

import (
	"container/heap"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quintet/profiles/consents"
	"quintet/profiles/identity"
	"quintet/profiles/traits"
)

const storeShards = 64

// Store is the state of all profiles in memory. Reading takes two short locks
// and no I/O; only the projector writes.
type Store struct {
	index  *identity.Index
	merges *identity.Merges
	shards [storeShards]shard
	size   atomic.Int64
	clock  int64 // moment of the last entry of the log of identity that was loaded
	// rules choose between the facts about a trait; nil declares none.
	rules atomic.Pointer[traits.Rules]
	// rejections counts values that broke the declaration of their trait.
	rejections rejections
	// consentRules are the purposes and topics; nil declares none.
	consentRules atomic.Pointer[consents.Rules]
	suppressions suppressions
	crossing     crossing
	silence      atomic.Pointer[silence] // what holds for who stated nothing
}

type shard struct {
	mu     sync.RWMutex
	people map[identity.ID]*state
}

// state is what is kept of one profile. Slices and maps that a [View] shows are
// replaced, never changed in place.
type state struct {
	id          identity.ID
	created     int64 // Unix milliseconds
	updated     int64
	seen        int64
	events      uint64
	identifiers []Identifier
	firstSeen   []int64 // of each identifier
	record      traits.Record
	consents    *consents.Set  // nil for who stated nothing
	attributes  map[string]any // computed, of the person
	traitBytes  int32          // of the golden record in JSON, at most
	dirty       dirt
}

// dirt says what Postgres does not have yet of a state.
type dirt uint8

const (
	dirtSeen dirt = 1 << iota // times and counters
	dirtCard                  // traits
	dirtNew                   // there may be no row
)

func newStore() *Store {
	s := &Store{index: identity.NewIndex(), merges: identity.NewMerges()}
	for i := range s.shards {
		s.shards[i].people = map[identity.ID]*state{}
	}
	return s
}

func (s *Store) shard(id identity.ID) *shard { return &s.shards[id[0]%storeShards] }

// Len is the number of profiles.
func (s *Store) Len() int { return int(s.size.Load()) }

// People is the number of people: profiles that were merged count once.
func (s *Store) People() int { return s.Len() - s.merges.Surplus() }

// Lookup finds the profile that one of the identifiers belongs to: userId
// before anonymousId before the others in the order given. The view has that
// profile's id, and shows all that is known of the person.
func (s *Store) Lookup(ids []Identifier) (*View, bool) {
	id, ok := s.index.Find(s.normal(ids))
	if !ok {
		return nil, false
	}
	if s.merges.Alone(id) {
		return s.Get(id)
	}
	v, ok := s.GetPerson(id)
	if !ok {
		return nil, false
	}
	of := *v
	of.ID = id.String()
	return &of, true
}

// Resolve is the profile id that the identifiers have or would get, "" without
// identifiers.
func (s *Store) Resolve(ids []Identifier) string {
	if len(ids) == 0 {
		return ""
	}
	return s.index.Resolve(s.normal(ids)).String()
}

// normal brings identifiers to the form in which they are stored. One that
// breaks a rule stays as it is: it cannot be found, which is the right answer.
func (s *Store) normal(ids []Identifier) []Identifier {
	for i := range ids {
		n, err := s.index.Normal(ids[i])
		if err != nil || n == ids[i] {
			continue
		}
		copied := append([]Identifier(nil), ids...)
		for j := i; j < len(copied); j++ {
			if n, err := s.index.Normal(copied[j]); err == nil {
				copied[j] = n
			}
		}
		return copied
	}
	return ids
}

// Get returns the profile with the id.
func (s *Store) Get(id identity.ID) (*View, bool) {
	sh := s.shard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	st, ok := sh.people[id]
	if !ok {
		return nil, false
	}
	v := st.view()
	v.store = s
	if person := s.merges.PersonOf(id); person != id {
		v.Person = person.String()
	}
	return v, true
}

func (st *state) view() *View {
	id := st.id.String()
	return &View{
		ID: id, Person: id, Identifiers: st.identifiers, Traits: st.record.Golden(),
		CreatedAt: instant(st.created), UpdatedAt: instant(st.updated), LastSeenAt: instant(st.seen), Events: st.events,
		Attributes: st.attributes, Consents: st.stated(),
	}
}

func instant(milliseconds int64) time.Time { return time.UnixMilli(milliseconds).UTC() }

// put adds a state that was read from Postgres.
func (s *Store) put(st *state) {
	sh := s.shard(st.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, there := sh.people[st.id]; !there {
		s.size.Add(1)
	}
	sh.people[st.id] = st
}

// cursor is a place in the list of profiles, which is ordered by the latest
// sight, then id, both descending.
type cursor struct {
	seen int64
	id   identity.ID
}

func (c cursor) before(d cursor) bool {
	if c.seen != d.seen {
		return c.seen > d.seen
	}
	return string(c.id[:]) > string(d.id[:])
}

// recent returns up to limit people behind after, most recently seen first.
// It looks at every profile: a list is read by people, while an order kept up
// to date would cost every event.
func (s *Store) recent(after *cursor, limit int) []*View {
	best := make(worstFirst, 0, limit+1)
	offer := func(c cursor) {
		if after != nil && !after.before(c) || len(best) == limit && !c.before(best[0]) {
			return
		}
		heap.Push(&best, c)
		if len(best) > limit {
			heap.Pop(&best)
		}
	}
	merged, people := map[identity.ID]bool{}, []identity.ID(nil)
	s.merges.Each(func(person identity.ID, members []identity.ID) {
		people = append(people, person)
		for _, id := range members {
			merged[id] = true
		}
	})
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		for id, st := range sh.people {
			if !merged[id] {
				offer(cursor{st.seen, id})
			}
		}
		sh.mu.RUnlock()
	}
	for _, id := range people {
		if v, ok := s.GetPerson(id); ok {
			offer(cursor{v.LastSeenAt.UnixMilli(), id})
		}
	}
	views := make([]*View, 0, len(best))
	for len(best) > 0 {
		c := heap.Pop(&best).(cursor)
		if v, ok := s.GetPerson(c.id); ok {
			views = append(views, v)
		}
	}
	slices.Reverse(views)
	return views
}

// worstFirst is a heap whose root is the last of the best.
type worstFirst []cursor

func (h worstFirst) Len() int           { return len(h) }
func (h worstFirst) Less(i, j int) bool { return h[j].before(h[i]) }
func (h worstFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *worstFirst) Push(x any)        { *h = append(*h, x.(cursor)) }
func (h *worstFirst) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
