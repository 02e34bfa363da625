package identity

import (
	"sync"
	"time"
)

// MaxIdentifiers bounds how many identifiers one profile collects. Some
// clients add a fresh anonymousId to every call; beyond the bound such names
// are no longer attached, and the person is still found by the others.
const MaxIdentifiers = 64

// Index maps identifiers to profiles. It keeps hashes only: 16 bytes for an
// identifier, 16 for its profile. It is safe for use by several goroutines.
type Index struct {
	mu     sync.RWMutex
	links  map[ID]link
	people map[ID]person
	stamp  int64
}

// link says to which profile an identifier belongs, and since when in the
// order of decisions about identity. A later stamp wins, whatever the order
// in which records are read back.
type link struct {
	profile ID
	stamp   int64
}

// person is what the rules need to know of a profile.
type person struct {
	identifiers uint16
	known       bool // it has a userId
}

// NewIndex returns an empty index.
func NewIndex() *Index {
	return &Index{links: map[ID]link{}, people: map[ID]person{}}
}

// Names are the identifiers of one message. Empty strings are absent; all
// values are in their normal form.
type Names struct {
	UserID      string
	AnonymousID string
	// Others are e-mail, phone and external ids. They lead to a profile only where
	// neither userId nor anonymousId is given, and are attached to a profile only
	// while they belong to nobody.
	Others []Identifier
}

// Resolution is what the index decided for one message.
type Resolution struct {
	Profile ID
	// UserID and AnonymousID say whether that name now belongs to the profile.
	UserID, AnonymousID bool
	// Fresh says that one of the names did not belong to the profile before.
	Fresh bool
	// Others are those of [Names.Others] that now belong to the profile. It may
	// share memory with it.
	Others []Identifier
}

// Attach decides for each of names which profile it belongs to, links what is
// new and returns the stamp of these decisions. The whole slice is settled in
// one step; out must be as long as names.
//
// A userId decides where it is known. One that is not known joins the profile
// of the anonymousId, unless that profile already has another userId; then it
// begins a profile of its own. The anonymousId follows the userId for the
// future; what it did before stays with the profile it had.
func (x *Index) Attach(names []Names, out []Resolution) (stamp int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stamp = max(x.stamp+1, time.Now().UnixMicro())
	for i := range names {
		x.attach(&names[i], &out[i])
	}
	return x.stamp
}

func (x *Index) attach(n *Names, r *Resolution) {
	*r = Resolution{}
	switch {
	case n.UserID != "":
		user := NewID(Identifier{UserID, n.UserID})
		var anonymous ID
		if n.AnonymousID != "" {
			anonymous = NewID(Identifier{AnonymousID, n.AnonymousID})
		}
		if l, ok := x.links[user]; ok {
			r.Profile = l.profile
		} else {
			r.Profile = user
			if n.AnonymousID != "" {
				if l, ok := x.links[anonymous]; ok && !x.people[l.profile].known {
					r.Profile = l.profile
				}
			}
		}
		r.UserID = x.link(user, r, true, true)
		if n.AnonymousID != "" {
			r.AnonymousID = x.link(anonymous, r, false, true)
		}
	case n.AnonymousID != "":
		anonymous := NewID(Identifier{AnonymousID, n.AnonymousID})
		if l, ok := x.links[anonymous]; ok {
			r.Profile = l.profile
		} else {
			r.Profile = anonymous
		}
		r.AnonymousID = x.link(anonymous, r, false, true)
	case len(n.Others) > 0:
		r.Profile = x.byOthers(n.Others)
	}
	if len(n.Others) == 0 {
		return
	}
	kept := 0
	for i, other := range n.Others {
		if x.link(NewID(other), r, false, false) {
			n.Others[kept], n.Others[i] = other, n.Others[kept]
			kept++
		}
	}
	r.Others = n.Others[:kept]
}

func (x *Index) byOthers(others []Identifier) ID {
	for _, other := range others {
		if l, ok := x.links[NewID(other)]; ok {
			return l.profile
		}
	}
	return NewID(others[0])
}

// link makes identifier belong to the profile of r and reports whether it does.
// A name that belongs to somebody else moves only when the caller lets it.
func (x *Index) link(identifier ID, r *Resolution, user, move bool) bool {
	profile, stamp := r.Profile, x.stamp
	old, linked := x.links[identifier]
	if linked && old.profile == profile {
		// The stamp is raised although nothing moves: read back out of order, an
		// older link to somebody else must not win.
		x.links[identifier] = link{profile: profile, stamp: stamp}
		return true
	}
	if linked && !move {
		return false
	}
	p := x.people[profile]
	if p.identifiers >= MaxIdentifiers && !user {
		return false
	}
	if linked {
		q := x.people[old.profile]
		q.identifiers--
		x.people[old.profile] = q
	}
	p.identifiers++
	p.known = p.known || user
	x.people[profile] = p
	x.links[identifier] = link{profile: profile, stamp: stamp}
	r.Fresh = true
	return true
}

// Owns reports whether the identifier belongs to the profile.
func (x *Index) Owns(profile ID, identifier Identifier) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	l, ok := x.links[NewID(identifier)]
	return ok && l.profile == profile
}

// Set restores a link that was decided earlier, here or in another process:
// identifier belongs to profile since stamp. It reports whether the link is
// the one that holds now; a link with a later stamp is not overwritten.
func (x *Index) Set(identifier Identifier, profile ID, stamp int64) bool {
	id := NewID(identifier)
	x.mu.RLock()
	old, linked := x.links[id]
	x.mu.RUnlock()
	if linked && old.profile == profile && old.stamp >= stamp {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stamp = max(x.stamp, stamp)
	old, linked = x.links[id]
	if linked && old.stamp > stamp {
		return old.profile == profile
	}
	user := identifier.Namespace == UserID
	if linked && old.profile != profile {
		q := x.people[old.profile]
		q.identifiers--
		x.people[old.profile] = q
	}
	if !linked || old.profile != profile {
		p := x.people[profile]
		p.identifiers++
		p.known = p.known || user
		x.people[profile] = p
	}
	x.links[id] = link{profile: profile, stamp: stamp}
	return true
}

// Find returns the profile that the identifiers belong to, by the same rules as
// [Index.Attach] but without linking anything: a userId decides where it is
// known; the anonymousId of another known person does not stand for it; other
// identifiers count, in the order given, where neither is there.
func (x *Index) Find(ids []Identifier) (ID, bool) {
	id, known, _ := x.look(ids)
	return id, known
}

// Resolve returns the profile that the identifiers have or, where none of them
// is known, would get. Nothing is linked. Without identifiers the id is zero.
func (x *Index) Resolve(ids []Identifier) ID {
	id, known, first := x.look(ids)
	if known || first < 0 {
		return id
	}
	return NewID(ids[first])
}

// look also returns the position of the identifier that a new profile would
// begin with, -1 when there is none.
func (x *Index) look(ids []Identifier) (id ID, known bool, first int) {
	user, anonymous, other := -1, -1, -1
	for i := range ids {
		position := &other
		switch ids[i].Namespace {
		case UserID:
			position = &user
		case AnonymousID:
			position = &anonymous
		}
		if *position < 0 {
			*position = i
		}
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if user >= 0 {
		if l, ok := x.links[NewID(ids[user])]; ok {
			return l.profile, true, user
		}
	}
	if anonymous >= 0 {
		if l, ok := x.links[NewID(ids[anonymous])]; ok && (user < 0 || !x.people[l.profile].known) {
			return l.profile, true, anonymous
		}
	}
	if user >= 0 {
		return ID{}, false, user
	}
	if anonymous >= 0 {
		return ID{}, false, anonymous
	}
	for i := range ids {
		if l, ok := x.links[NewID(ids[i])]; ok {
			return l.profile, true, i
		}
	}
	return ID{}, false, other
}

// Len is the number of identifiers and of profiles.
func (x *Index) Len() (identifiers, profiles int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.links), len(x.people)
}
