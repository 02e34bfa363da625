package profiles

import (
	"cmp"
	"slices"

	"quintet/profiles/consents"
	"quintet/profiles/identity"
	"quintet/profiles/traits"
)

// A person is one or several profiles that were merged. State is kept for each
// profile; what is told of a person is composed of it when it is read, so that
// merging and un-merging rewrite nothing.

// PersonOf is the person that the profile belongs to: the profile itself,
// unless it was merged.
func (s *Store) PersonOf(base identity.ID) identity.ID { return s.merges.PersonOf(base) }

// Members are the profiles of a person, the person's own id first. It is never
// empty: a person that was not merged is its own and only profile. The slice
// must not be changed.
func (s *Store) Members(person identity.ID) []identity.ID { return s.merges.Members(person) }

// PersonID is the id of the person to whom the profile of an id belongs, and the id
// itself where it is none of a profile.
func (s *Store) PersonID(profile string) string {
	id, ok := identity.ParseID(profile)
	if !ok {
		return profile
	}
	return s.merges.PersonOf(id).String()
}

// GetPerson returns the view of the person to whom the profile belongs,
// composed of all profiles that were merged. Its ID and its Person are both the
// id of the person.
func (s *Store) GetPerson(id identity.ID) (*View, bool) {
	if s.merges.Alone(id) {
		return s.Get(id)
	}
	members := s.merges.Members(id)
	return s.compose(members[0], members)
}

// EachPerson calls f with the view of every person, in no order, until f
// returns false. People who appear meanwhile may or may not be shown. f may
// call the store.
func (s *Store) EachPerson(f func(*View) bool) {
	var ids []identity.ID
	for i := range s.shards {
		sh := &s.shards[i]
		ids = ids[:0]
		sh.mu.RLock()
		for id := range sh.people {
			ids = append(ids, id)
		}
		sh.mu.RUnlock()
		for _, id := range ids {
			if s.merges.PersonOf(id) != id {
				continue
			}
			if v, ok := s.GetPerson(id); ok && !f(v) {
				return
			}
		}
	}
}

// SetAttributes replaces the computed attributes of a person. The map must not
// be changed afterwards. It reports whether there is such a person.
func (s *Store) SetAttributes(person identity.ID, attributes map[string]any) bool {
	sh := s.shard(person)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st, ok := sh.people[person]
	if ok {
		st.attributes = attributes
	}
	return ok
}

// compose makes one view of several profiles. Traits are chosen from the facts of
// all of them; computed attributes are those of the person's own id, as they are
// computed for people.
func (s *Store) compose(person identity.ID, members []identity.ID) (*View, bool) {
	var v *View
	records := make([]traits.Record, 0, len(members))
	for _, id := range members {
		sh := s.shard(id)
		sh.mu.RLock()
		st, ok := sh.people[id]
		if !ok {
			sh.mu.RUnlock()
			continue
		}
		one := st.view()
		records = append(records, st.record)
		sh.mu.RUnlock()
		if v == nil {
			v = one
			v.ID, v.Person = person.String(), person.String() // a profile may have no state of its own yet
			v.Identifiers = append([]Identifier(nil), v.Identifiers...)
			continue
		}
		v.Identifiers = append(v.Identifiers, one.Identifiers...)
		if v.Attributes == nil {
			v.Attributes = one.Attributes
		}
		if one.CreatedAt.Before(v.CreatedAt) {
			v.CreatedAt = one.CreatedAt
		}
		if one.UpdatedAt.After(v.UpdatedAt) {
			v.UpdatedAt = one.UpdatedAt
		}
		if one.LastSeenAt.After(v.LastSeenAt) {
			v.LastSeenAt = one.LastSeenAt
		}
		v.Events += one.Events
		v.Consents = consents.Union(v.Consents, one.Consents)
	}
	if v == nil {
		return nil, false
	}
	record := traits.Combine(records, s.rules.Load())
	v.Traits, v.store = record.Golden(), s
	return v, true
}

// find is the profile with an id, or with an identifier written as
// namespace:value.
func (s *Service) find(text string) (identity.ID, bool) {
	if id, ok := identity.ParseID(text); ok {
		return id, true
	}
	identifier, err := identity.Parse(text)
	if err != nil {
		return identity.ID{}, false
	}
	return s.store.index.Find(s.store.normal([]Identifier{identifier}))
}

// card shows the person to whom the profile belongs.
func (s *Service) card(id identity.ID) (Card, bool) {
	person := s.store.PersonOf(id)
	members := s.store.Members(person)
	if len(members) == 1 {
		return s.profileCard(person)
	}
	view, ok := s.store.GetPerson(person)
	if !ok {
		return Card{}, false
	}
	card := Card{
		ProfileID: view.ID, Identifiers: []CardIdentifier{}, Traits: map[string]any{},
		Events: view.Events, CreatedAt: view.CreatedAt, UpdatedAt: view.UpdatedAt, LastSeenAt: view.LastSeenAt,
	}
	for _, member := range members {
		card.Profiles = append(card.Profiles, member.String())
		if one, ok := s.profileCard(member); ok {
			card.Identifiers = append(card.Identifiers, one.Identifiers...)
		}
	}
	slices.SortStableFunc(card.Identifiers, func(a, b CardIdentifier) int { return cmp.Compare(a.FirstSeen.UnixMilli(), b.FirstSeen.UnixMilli()) })
	for name, value := range view.Traits {
		if value != nil {
			card.Traits[name] = value
		}
	}
	return card, true
}

// members are the ids of the person's profiles.
func (c *Card) members() []string {
	if len(c.Profiles) > 0 {
		return c.Profiles
	}
	return []string{c.ProfileID}
}
