package profiles

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// readyTimeout is how long a call waits for a segment to be in memory.
const readyTimeout = 30 * time.Second

// Freeze makes a list of the people who are in a segment now, under another key,
// with the rule that made it.
func (s *Segments) Freeze(ctx context.Context, key, as, name string) (definitions.Versioned[Segment], error) {
	none := definitions.Versioned[Segment]{}
	d, ok := s.definitions.Get(key)
	if !ok {
		return none, problem.NotFound("segment", key)
	}
	if err := checkSegmentKey("key", as); err != nil {
		return none, err
	}
	l, err := s.waitReady(ctx, key)
	if err != nil {
		return none, err
	}
	s.lists.Lock()
	defer s.lists.Unlock()
	if _, taken := s.definitions.Get(as); taken {
		return none, problem.Invalid{{Field: "key", Rule: "must not be the key of another segment", Value: as}}
	}
	now := s.now().UTC()
	people := s.persons(l)
	changes := make([]membershipChange, len(people))
	for i, id := range people {
		changes[i] = membershipChange{as, id, true, now, reasonList}
	}
	// The members come first: a list without them would be wrong, members without a
	// list are nothing.
	for part := range slices.Chunk(changes, 50_000) {
		if err := s.storeMembership(ctx, part); err != nil {
			return none, err
		}
	}
	return s.definitions.Put(ctx, as, Segment{
		Name: name, Kind: StaticSegment, Rule: d.Value.Rule, Description: d.Value.Description,
		Frozen: &Frozen{Segment: key, Version: d.Version, At: now, Members: len(people)},
	}, api.By(ctx), -1)
}

// ListChange says what became of ids that were put on a list or taken off.
type ListChange struct {
	Changed int      `json:"changed" doc:"People who were not on the list before, or are not now"`
	Unknown []string `json:"unknown" nullable:"false" doc:"Ids that belong to nobody; the first 100"`
	Members int      `json:"members" doc:"People on the list now"`
}

// Enlist puts people on a list, or takes them off. An id is a profile id or
// namespace:value.
func (s *Segments) Enlist(ctx context.Context, key string, ids []string, on bool) (*ListChange, error) {
	d, ok := s.definitions.Get(key)
	if !ok {
		return nil, problem.NotFound("segment", key)
	}
	if d.Value.Kind != StaticSegment {
		return nil, problem.Conflict("The segment " + key + " is dynamic: its rule says who is in it.")
	}
	if len(ids) == 0 || len(ids) > maxSegmentMember {
		return nil, problem.Invalid{{Field: "ids", Rule: fmt.Sprintf("must be 1 to %d ids", maxSegmentMember), Value: len(ids)}}
	}
	l, err := s.waitReady(ctx, key)
	if err != nil {
		return nil, err
	}
	s.lists.Lock()
	defer s.lists.Unlock()
	out := &ListChange{Unknown: []string{}}
	now := s.now().UTC()
	var changes []membershipChange
	seen := map[identity.ID]bool{}
	for _, text := range ids {
		person, ok := s.personNamed(text)
		switch {
		case !ok:
			if len(out.Unknown) < 100 {
				out.Unknown = append(out.Unknown, problem.Clip(text))
			}
		case !seen[person] && s.in(l, person) != on:
			seen[person] = true
			for _, id := range s.enlisted(l, person, on) {
				changes = append(changes, membershipChange{key, id, on, now, reasonList})
			}
			out.Changed++
		}
	}
	if err := s.storeMembership(ctx, changes); err != nil {
		return nil, err
	}
	for _, c := range changes {
		if s.members.put(l.set, c.person, on) {
			s.followers(key, c.person)
		}
	}
	out.Members = len(s.persons(l))
	return out, nil
}

// enlisted are the profiles that change when a person does: all that are listed
// when the person goes.
func (s *Segments) enlisted(l *liveSegment, person identity.ID, on bool) []identity.ID {
	if on {
		return []identity.ID{person}
	}
	var ids []identity.ID
	for _, id := range s.profiles.store.Members(person) {
		if s.members.has(l.set, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// followers has a person evaluated when some segment refers to a list.
func (s *Segments) followers(key string, person identity.ID) {
	for _, l := range s.plan.Load().dynamic {
		if slices.Contains(l.refers, key) {
			s.pending.add(s.profiles.store.PersonOf(person), touchedLists)
			return
		}
	}
}

// personNamed finds a person by a profile id or namespace:value.
func (s *Segments) personNamed(text string) (identity.ID, bool) {
	if namespace, value, named := strings.Cut(text, ":"); named {
		v, ok := s.profiles.store.Lookup([]Identifier{{Namespace: namespace, Value: value}})
		if !ok {
			return identity.ID{}, false
		}
		text = v.ID
	}
	id, ok := identity.ParseID(text)
	if !ok {
		return id, false
	}
	person := s.profiles.store.PersonOf(id)
	_, ok = s.profiles.store.GetPerson(person)
	return person, ok
}

// waitReady waits until the members of a segment are in memory.
func (s *Segments) waitReady(ctx context.Context, key string) (*liveSegment, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		l := s.plan.Load().keys[key]
		if l == nil {
			return nil, problem.NotFound("segment", key)
		}
		if l.ready() {
			return l, nil
		}
		select {
		case <-ctx.Done():
			return nil, problem.TooBusy(5*time.Second, "The members of the segment "+key+" are being worked out; ask again.")
		case <-ticker.C:
		}
	}
}
