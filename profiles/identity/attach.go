package identity

import (
	"slices"
	"time"
)

// Names are the identifiers of one message. Empty strings are absent; all
// values are in their normal form.
type Names struct {
	UserID      string
	AnonymousID string
	// Previous is the id that an alias call says the userId had before.
	Previous string
	// Others are e-mail, phone and external ids. They lead to a profile only where
	// neither userId nor anonymousId is given, and are attached to a profile only
	// while they belong to nobody.
	Others []Identifier
	// Trusted says that the source has proved who it is: only then may the message
	// join two people who are known.
	Trusted bool
	// Evidence is the id of the message.
	Evidence string
}

// Resolution is what the index decided for one message.
type Resolution struct {
	// Profile is zero where every identifier is blocked.
	Profile ID
	// UserID and AnonymousID say whether that name now belongs to the profile.
	UserID, AnonymousID bool
	// Fresh says that one of the names did not belong to the profile before.
	Fresh bool
	// Blocked and Demoted count identifiers that stand for nobody, and those that
	// a limit left out.
	Blocked, Demoted uint8
	// Others are those of [Names.Others] that now belong to the profile. It may
	// share memory with it.
	Others []Identifier
	// Entries are what the message brought for the log of identity.
	Entries []Entry
}

// Attach decides for each of names which profile it belongs to, links what is
// new, joins people where the rules say so, and returns the stamp of these
// decisions. The whole slice is settled in one step; out must be as long as
// names.
//
// A userId decides where it is known. One that is not known joins the profile
// of the anonymousId, unless that person already has another userId; then it
// begins a profile of its own. Where a known user comes with the anonymousId of
// somebody without a name, an edge joins the two. Where it is that of another
// known user, the anonymousId follows for the future, until so many did the same
// that the device is a shared one. Other identifiers join people when a trusted
// source says so. Identifiers are taken in the order of their priority; what no
// longer fits is left out.
func (x *Index) Attach(names []Names, out []Resolution) (stamp int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.nextStamp()
	a := attachment{Index: x, rules: x.rules.Load()}
	for i := range names {
		a.names, a.out = &names[i], &out[i]
		a.attach()
	}
	return x.stamp
}

// attachment is the work on one message; the index is locked.
type attachment struct {
	*Index
	rules *ruleSet
	names *Names
	out   *Resolution
}

func (a *attachment) attach() {
	n, r := a.names, a.out
	*r = Resolution{}
	user := n.UserID != "" && !a.blocked(slotUser, n.UserID)
	anonymous := n.AnonymousID != "" && !a.blocked(slotAnonymous, n.AnonymousID)
	a.dropBlocked()
	var userHash, deviceHash ID
	if anonymous {
		deviceHash = NewID(Identifier{AnonymousID, n.AnonymousID})
	}
	switch {
	case user:
		userHash = NewID(Identifier{UserID, n.UserID})
		r.Profile = userHash
		if l, ok := a.links[userHash]; ok {
			r.Profile = l.profile
		} else {
			device := a.begins(anonymous, deviceHash)
			if l, ok := a.links[device]; ok && a.mayBegin(device, l.profile) {
				r.Profile = l.profile
			}
		}
		r.UserID = a.link(userHash, slotUser, true)
	case anonymous:
		r.Profile = deviceHash
		if l, ok := a.links[deviceHash]; ok {
			r.Profile = l.profile
		}
	case len(n.Others) > 0:
		r.Profile = a.byOthers()
	default:
		return // nobody
	}
	if n.Previous != "" && user {
		a.alias()
	}
	if len(n.Others) == 0 {
		if anonymous {
			r.AnonymousID = a.device(deviceHash, user)
		}
		return
	}
	a.sortOthers()
	kept, turn := 0, a.rules.slots[slotAnonymous].priority
	for i, other := range n.Others {
		slot := a.rules.slot(other.Namespace)
		if anonymous && a.rules.slots[slot].priority > turn {
			anonymous = false
			r.AnonymousID = a.device(deviceHash, user)
		}
		if a.other(NewID(other), slot) {
			n.Others[kept], n.Others[i] = other, n.Others[kept]
			kept++
		}
	}
	if anonymous {
		r.AnonymousID = a.device(deviceHash, user)
	}
	r.Others = n.Others[:kept]
}

// begins is the browser whose profile a user joins who is not known yet.
func (a *attachment) begins(anonymous bool, device ID) ID {
	if anonymous || a.names.Previous == "" {
		return device
	}
	return NewID(Identifier{AnonymousID, a.names.Previous})
}

func (a *attachment) blocked(slot int, value string) bool {
	if !a.rules.blocks(slot, value) {
		return false
	}
	a.out.Blocked++
	return true
}

func (a *attachment) dropBlocked() {
	others := a.names.Others
	kept := 0
	for _, other := range others {
		if !a.blocked(a.rules.slot(other.Namespace), other.Value) {
			others[kept] = other
			kept++
		}
	}
	a.names.Others = others[:kept]
}

// sortOthers brings the others into the order of their priority. There are few
// of them, and mostly one.
func (a *attachment) sortOthers() {
	others := a.names.Others
	for i := 1; i < len(others); i++ {
		for j := i; j > 0 && a.priority(others[j]) < a.priority(others[j-1]); j-- {
			others[j], others[j-1] = others[j-1], others[j]
		}
	}
}

func (a *attachment) priority(i Identifier) int {
	return a.rules.slots[a.rules.slot(i.Namespace)].priority
}

func (a *attachment) byOthers() ID {
	for _, other := range a.names.Others {
		if l, ok := a.links[NewID(other)]; ok {
			return l.profile
		}
	}
	return NewID(a.names.Others[0])
}

// mayBegin reports whether a userId that is not known yet may join the profile
// of a device. It may not where the person has one, even where the rules allow for several:
// that takes more than a browser in common.
func (x *Index) mayBegin(device, profile ID) bool {
	c := x.person(profile)
	return !c.known() && profile != sharedProfile(device)
}

// person is the sum of the counters of the person that the profile belongs to.
func (x *Index) person(profile ID) counts {
	members := x.merges.Members(profile)
	c := x.people[members[0]]
	for _, id := range members[1:] {
		one := x.people[id]
		for slot := range c {
			c[slot] = uint8(min(255, int(c[slot])+int(one[slot])))
		}
	}
	return c
}

func (c *counts) total() int {
	n := 0
	for _, one := range c {
		n += int(one)
	}
	return n
}

// link makes an identifier belong to the profile of the message and reports
// whether it does. One that belongs to somebody else moves.
func (a *attachment) link(identifier ID, slot int, always bool) bool {
	profile := a.out.Profile
	old, linked := a.links[identifier]
	if linked && old.profile == profile {
		// The stamp is raised although nothing moves: read back out of order, an
		// older link to somebody else must not win.
		a.links[identifier] = link{profile: profile, stamp: a.stamp}
		return true
	}
	if !always && !a.room(profile, slot) {
		a.out.Demoted++
		return false
	}
	a.count(slot, old.profile, linked, profile)
	if a.rules.slots[slot].span > 0 {
		key, now := windowKey{profile, uint8(slot)}, time.Now()
		since := now.Add(-a.rules.slots[slot].span).UnixMilli()
		recent := slices.DeleteFunc(a.windows[key], func(at int64) bool { return at < since })
		a.windows[key] = append(recent, now.UnixMilli())
	}
	a.links[identifier] = link{profile: profile, stamp: a.stamp}
	a.out.Fresh = true
	return true
}

// room reports whether the person may have one more identifier in the slot.
func (a *attachment) room(profile ID, slot int) bool {
	c := a.person(profile)
	if c.total() >= MaxIdentifiers {
		return false
	}
	rule := &a.rules.slots[slot]
	return int(c[slot]) < rule.limit || rule.span > 0 && a.within(profile, slot) < rule.limit
}

// within is how many identifiers came to the person in the period of the slot's
// limit.
func (a *attachment) within(profile ID, slot int) int {
	since := time.Now().Add(-a.rules.slots[slot].span).UnixMilli()
	n := 0
	for _, id := range a.merges.Members(profile) {
		for _, at := range a.windows[windowKey{id, uint8(slot)}] {
			if at >= since {
				n++
			}
		}
	}
	return n
}

// other settles an identifier that is neither userId nor anonymousId, and
// reports whether it belongs to the profile.
func (a *attachment) other(identifier ID, slot int) bool {
	l, linked := a.links[identifier]
	if !linked || l.profile == a.out.Profile {
		return a.link(identifier, slot, false)
	}
	if !a.names.Trusted || a.samePerson(l.profile) {
		return false
	}
	mine, theirs := a.person(a.out.Profile), a.person(l.profile)
	if mine.named() && theirs.named() && !a.rules.slots[slot].joins {
		return false
	}
	if !a.unite(l.profile, a.rules.namespace(slot), false) {
		a.out.Demoted++
	}
	return false
}

// namespace is the name of a slot, for the rule of an edge.
func (r *ruleSet) namespace(slot int) string {
	switch slot {
	case slotUser:
		return UserID
	case slotAnonymous:
		return AnonymousID
	case slotEmail:
		return Email
	case slotPhone:
		return Phone
	case slotDevice:
		return Device
	case slotCard:
		return Card
	case slotTelegram:
		return Telegram
	case slotCustom:
		return Custom
	}
	return r.own[slot-slotOwn]
}

func (a *attachment) samePerson(profile ID) bool {
	return profile == a.out.Profile || a.merges.PersonOf(profile) == a.merges.PersonOf(a.out.Profile)
}

// device settles the anonymousId and reports whether it belongs to the profile.
func (a *attachment) device(identifier ID, user bool) bool {
	l, linked := a.links[identifier]
	if !linked || l.profile == a.out.Profile {
		return a.link(identifier, slotAnonymous, false)
	}
	if !user || l.profile == sharedProfile(identifier) || a.samePerson(l.profile) {
		return false
	}
	theirs := a.person(l.profile)
	switch {
	case theirs.known():
		if a.signedIn(identifier, l.profile) {
			return false // shared from now on
		}
		return a.link(identifier, slotAnonymous, false)
	case theirs.named() && !a.names.Trusted:
		// Somebody without a userId whose address is known: only a trusted source may
		// say that this is the user, but the browser is the user's from now on.
		return a.link(identifier, slotAnonymous, false)
	}
	if !a.unite(l.profile, SignInRule, false) {
		a.out.Demoted++
	}
	return false
}

// signedIn notes that another known user than the one before signed in on a
// device, and reports whether it is a shared one by now.
func (a *attachment) signedIn(device, before ID) bool {
	for _, id := range a.merges.Members(before) {
		if c := a.people[id]; c.known() {
			before = id
			break
		}
	}
	for _, profile := range [...]ID{before, a.out.Profile} {
		if a.use(device, profile) {
			e := Entry{Kind: Use, A: device, B: profile, Stamp: a.stamp, Rule: AnonymousID, Evidence: a.names.Evidence}
			a.out.Entries = append(a.out.Entries, e)
		}
	}
	if len(a.users[device]) <= a.rules.users {
		return false
	}
	a.share(device, a.stamp)
	a.out.Entries = append(a.out.Entries, Entry{
		Kind: Share, A: device, B: sharedProfile(device), Stamp: a.stamp, Rule: AnonymousID, Evidence: a.names.Evidence,
	})
	return true
}

// maxUsers bounds what is kept of one device.
const maxUsers = maxSharedUsers + 1

// use notes a user of a device and reports whether that is new.
func (x *Index) use(device, profile ID) bool {
	users := x.users[device]
	for _, id := range users {
		if id == profile {
			return false
		}
	}
	if len(users) >= maxUsers {
		return false
	}
	x.users[device] = append(users, profile)
	return true
}

// share takes a device from everybody: what it does from now on belongs to a
// profile of its own.
func (x *Index) share(device ID, stamp int64) {
	own := sharedProfile(device)
	old, linked := x.links[device]
	if linked && (old.stamp > stamp || old.profile == own) {
		return
	}
	x.count(slotAnonymous, old.profile, linked, own)
	x.links[device] = link{profile: own, stamp: stamp}
}

// sharedProfile is the profile of a device that several people use. The one
// that the device began with may be a person's by now.
func sharedProfile(device ID) ID { return NewID(Identifier{"shared", device.String()}) }

// alias joins the previous id to the user.
func (a *attachment) alias() {
	previous := a.names.Previous
	if a.rules.blocks(slotAnonymous, previous) || a.rules.blocks(slotUser, previous) {
		a.out.Blocked++
		return
	}
	device := NewID(Identifier{AnonymousID, previous})
	l, linked := a.links[NewID(Identifier{UserID, previous})]
	if !linked {
		if l, linked = a.links[device]; !linked || l.profile == a.out.Profile {
			a.out.AnonymousID = a.link(device, slotAnonymous, false)
			return
		}
	}
	if a.samePerson(l.profile) || l.profile == sharedProfile(device) {
		return
	}
	theirs := a.person(l.profile)
	if theirs.named() && !a.names.Trusted {
		return
	}
	if !a.unite(l.profile, AliasRule, a.names.Trusted) {
		a.out.Demoted++
	}
}

// unite joins the person of the message with that of another profile, where the
// bounds hold, and reports whether it did. Limits and what was told apart bind
// rules only, not somebody's explicit word.
func (a *attachment) unite(with ID, rule string, explicit bool) bool {
	if a.mayUnite(a.out.Profile, with, explicit) != nil {
		return false
	}
	e := NewMerge(a.out.Profile, with, 0, 0)
	e.Stamp, e.Rule, e.Evidence, e.Explicit = a.stamp, rule, a.names.Evidence, explicit
	a.merges.Apply(&e)
	a.out.Entries = append(a.out.Entries, e)
	return true
}
