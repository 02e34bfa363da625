package identity

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Index maps identifiers to profiles. It keeps hashes only: 16 bytes for an
// identifier, 16 for its profile. It is safe for use by several goroutines.
type Index struct {
	rules atomic.Pointer[ruleSet]

	mu     sync.RWMutex
	links  map[ID]link
	people map[ID]counts
	// merges has what was decided here, even before the projection of the stream
	// has it. It is ahead of that, and comes to the same.
	merges *Merges
	// users are the profiles that signed in on a device on which several did.
	users map[ID][]ID
	// windows are the times at which identifiers came to a profile, of namespaces
	// whose limit counts within a period.
	windows map[windowKey][]int64
	stamp   int64
}

// link says to which profile an identifier belongs, and since when in the
// order of decisions about identity. A later stamp wins, whatever the order
// in which records are read back.
type link struct {
	profile ID
	stamp   int64
}

// counts is how many identifiers a profile has in each slot of the rules, which
// is all that the rules need to know of it. A counter stops at its maximum.
type counts [slots]uint8

func (c *counts) add(slot int) {
	if c[slot] < 255 {
		c[slot]++
	}
}

func (c *counts) remove(slot int) {
	if c[slot] > 0 {
		c[slot]--
	}
}

// known reports whether there is a userId.
func (c *counts) known() bool { return c[slotUser] > 0 }

// named reports whether there is anything by which a person, rather than a
// browser, is known.
func (c *counts) named() bool {
	for slot, n := range c {
		if n > 0 && slot != slotAnonymous && slot != slotDevice {
			return true
		}
	}
	return false
}

type windowKey struct {
	profile ID
	slot    uint8
}

// NewIndex returns an empty index with the default rules.
func NewIndex() *Index {
	x := &Index{links: map[ID]link{}, people: map[ID]counts{}, merges: NewMerges(), users: map[ID][]ID{}, windows: map[windowKey][]int64{}}
	x.rules.Store(compile(DefaultRules()))
	return x
}

// Attached is an identifier that a profile has, for [Index.SetRules].
type Attached struct {
	Profile    ID
	Identifier Identifier
	Since      int64 // Unix milliseconds
}

// SetRules puts other rules into force. What was decided under the old ones
// stands. all gives the identifiers of all profiles: limits count what is there.
func (x *Index) SetRules(r Rules, all func(yield func(Attached) bool)) {
	set := compile(r)
	people, windows := map[ID]counts{}, map[windowKey][]int64{}
	all(func(a Attached) bool {
		slot := set.slot(a.Identifier.Namespace)
		c := people[a.Profile]
		c.add(slot)
		people[a.Profile] = c
		if set.slots[slot].span > 0 {
			key := windowKey{a.Profile, uint8(slot)}
			windows[key] = append(windows[key], a.Since)
		}
		return true
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.people, x.windows = people, windows
	x.rules.Store(set)
}

// Normal is the identifier in the form in which it is looked for and stored: its
// normal form, with the country of phone numbers that the rules name.
func (x *Index) Normal(i Identifier) (Identifier, error) {
	n, err := Normalise(i)
	if err == nil && n.Namespace == Phone {
		n.Value = international(n.Value, x.rules.Load().region)
	}
	return n, err
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
	if !linked || old.profile != profile {
		x.count(x.rules.Load().slot(identifier.Namespace), old.profile, linked, profile)
	}
	x.links[id] = link{profile: profile, stamp: stamp}
	return true
}

// count moves an identifier from one profile to another.
func (x *Index) count(slot int, from ID, linked bool, to ID) {
	if linked {
		c := x.people[from]
		c.remove(slot)
		x.people[from] = c
	}
	c := x.people[to]
	c.add(slot)
	x.people[to] = c
}

// Alias makes an identifier that was stored in another form be found in the
// form that it has today. It does not count for limits.
func (x *Index) Alias(identifier Identifier, profile ID, stamp int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	id := NewID(identifier)
	if _, linked := x.links[id]; !linked {
		x.links[id] = link{profile: profile, stamp: stamp}
	}
}

// Record takes in an entry of the log that was decided here or in another
// process. It may come several times.
func (x *Index) Record(e *Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stamp = max(x.stamp, e.Stamp)
	switch e.Kind {
	case Merge, Unmerge:
		x.merges.Apply(e)
	case Use:
		x.use(e.A, e.B)
	case Share:
		x.share(e.A, e.Stamp)
	}
}

// Withdraw takes back what was decided for messages that did not become
// durable.
func (x *Index) Withdraw(entries []Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := len(entries) - 1; i >= 0; i-- {
		switch e := &entries[i]; e.Kind {
		case Merge:
			x.merges.withdraw(e)
		case Use:
			x.users[e.A] = slices.DeleteFunc(x.users[e.A], func(id ID) bool { return id == e.B })
		case Share:
			// Whoever signs in next finds a user there, and one too many again.
			if users := x.users[e.A]; len(users) > 0 {
				x.count(slotAnonymous, e.B, true, users[0])
				x.links[e.A] = link{profile: users[0], stamp: x.stamp}
			}
		}
	}
}

// Forget takes a profile and its identifiers out of the index, as if they had
// never come in. Identifiers that belong to another profile stay.
func (x *Index) Forget(profile ID, identifiers []Identifier) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, i := range identifiers {
		id := NewID(i)
		if l, linked := x.links[id]; linked && l.profile == profile {
			delete(x.links, id)
		}
		delete(x.users, id)
	}
	delete(x.people, profile)
	for slot := range slots {
		delete(x.windows, windowKey{profile, uint8(slot)})
	}
	for device, users := range x.users {
		if slices.Contains(users, profile) {
			x.users[device] = slices.DeleteFunc(slices.Clone(users), func(id ID) bool { return id == profile })
		}
	}
	x.merges.Forget(profile)
}

// NextStamp is the stamp of a decision that is made now, behind all before it.
func (x *Index) NextStamp() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.nextStamp()
}

func (x *Index) nextStamp() int64 {
	x.stamp = max(x.stamp+1, time.Now().UnixMicro())
	return x.stamp
}

// Find returns the profile that the identifiers belong to, by the same rules as
// [Index.Attach] but without linking anything: a userId decides where it is
// known; the anonymousId of another known person does not stand for it; other
// identifiers count, in the order given, where neither is there. Blocked values
// are not looked at.
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
	rules := x.rules.Load()
	user, anonymous, other := -1, -1, -1
	for i := range ids {
		position := &other
		slot := rules.slot(ids[i].Namespace)
		switch slot {
		case slotUser:
			position = &user
		case slotAnonymous:
			position = &anonymous
		}
		if *position < 0 && !rules.blocks(slot, ids[i].Value) {
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
		device := NewID(ids[anonymous])
		if l, ok := x.links[device]; ok && (user < 0 || x.mayBegin(device, l.profile)) {
			return l.profile, true, anonymous
		}
	}
	if user >= 0 {
		return ID{}, false, user
	}
	if anonymous >= 0 {
		return ID{}, false, anonymous
	}
	if other < 0 {
		return ID{}, false, min(0, len(ids)-1)
	}
	for i := range ids {
		slot := rules.slot(ids[i].Namespace)
		if slot == slotUser || slot == slotAnonymous {
			continue // blocked
		}
		if l, ok := x.links[NewID(ids[i])]; ok && !rules.blocks(slot, ids[i].Value) {
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
