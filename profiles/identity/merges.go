package identity

import "sync"

// Merges says which profiles are one person. Only people of several profiles
// take memory. It is safe for use by several goroutines.
type Merges struct {
	mu      sync.RWMutex
	person  map[ID]ID   // of every profile that is merged
	members map[ID][]ID // of every person of several profiles, the person first
}

// NewMerges returns a map in which every profile is a person.
func NewMerges() *Merges {
	return &Merges{person: map[ID]ID{}, members: map[ID][]ID{}}
}

// PersonOf is the person that the profile belongs to.
func (m *Merges) PersonOf(profile ID) ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if person, merged := m.person[profile]; merged {
		return person
	}
	return profile
}

// Members are the profiles of a person, the person first. The slice must not
// be changed.
func (m *Merges) Members(person ID) []ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if members, merged := m.members[person]; merged {
		return members
	}
	return []ID{person}
}
