package profiles

import (
	"math/bits"
	"sync"

	"quintet/profiles/identity"
)

// memberships says who is in which segment: a bit for each person and segment,
// so that a million people take 125 kB a segment.
type memberships struct {
	mu       sync.RWMutex
	ordinals map[identity.ID]uint32 // of everybody who was ever in a segment
	ids      []identity.ID
	sets     map[int]*bitset // by the number of the segment
}

type bitset struct {
	words []uint64
	count int
}

func newMemberships() *memberships {
	return &memberships{ordinals: map[identity.ID]uint32{}, sets: map[int]*bitset{}}
}

// has says whether the person is in the segment with the number.
func (m *memberships) has(set int, person identity.ID) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	b := m.sets[set]
	if b == nil {
		return false
	}
	i, known := m.ordinals[person]
	return known && int(i/64) < len(b.words) && b.words[i/64]&(1<<(i%64)) != 0
}

// put brings a membership about and reports whether it was another.
func (m *memberships) put(set int, person identity.ID, in bool) bool {
	if m.has(set, person) == in {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.sets[set]
	if b == nil {
		b = &bitset{}
		m.sets[set] = b
	}
	i, known := m.ordinals[person]
	if !known {
		i = uint32(len(m.ids))
		m.ordinals[person] = i
		m.ids = append(m.ids, person)
	}
	for int(i/64) >= len(b.words) {
		b.words = append(b.words, 0)
	}
	word, bit := &b.words[i/64], uint64(1)<<(i%64)
	switch {
	case in && *word&bit == 0:
		*word |= bit
		b.count++
	case !in && *word&bit != 0:
		*word &^= bit
		b.count--
	default:
		return false
	}
	return true
}

// count is the number of members.
func (m *memberships) count(set int) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if b := m.sets[set]; b != nil {
		return b.count
	}
	return 0
}

// members are the members at one moment, in no order that means anything.
func (m *memberships) members(set int) []identity.ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	b := m.sets[set]
	if b == nil {
		return nil
	}
	ids := make([]identity.ID, 0, b.count)
	for w, word := range b.words {
		for ; word != 0; word &= word - 1 {
			ids = append(ids, m.ids[w*64+bits.TrailingZeros64(word)])
		}
	}
	return ids
}

// drop forgets a segment.
func (m *memberships) drop(set int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sets, set)
}
