package caps

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	shards = 64
	// DefaultSize is how many contacts a ledger remembers unless told otherwise.
	DefaultSize = 4_000_000
)

// RefusedFull is what [Ledger.Reserve] gives instead of a rule's key when the ledger has
// no room: what cannot be counted is not sent.
const RefusedFull = "caps-full"

// Ledger holds the contacts of everybody as far back as the rules look. It is safe for
// concurrent use: of calls for one person one is after the other.
type Ledger struct {
	rules atomic.Pointer[[]Rule]
	reach atomic.Int64
	size  atomic.Int64
	most  int64
	seed  maphash.Seed
	parts [shards]part
	ids   [shards]index
}

// part holds the contacts of some of the people.
type part struct {
	sync.Mutex
	people map[string][]Contact
}

// index finds the person of a decision.
type index struct {
	sync.Mutex
	person map[string]string
}

// NewLedger has room for a number of contacts, [DefaultSize] for 0.
func NewLedger(most int) *Ledger {
	if most <= 0 {
		most = DefaultSize
	}
	l := &Ledger{most: int64(most), seed: maphash.MakeSeed()}
	for i := range l.parts {
		l.parts[i].people, l.ids[i].person = make(map[string][]Contact), make(map[string]string)
	}
	l.rules.Store(new([]Rule))
	return l
}

// SetRules replaces the rules. Contacts that were reserved under others stay.
func (l *Ledger) SetRules(rules []Rule) {
	rules = slices.Clone(rules)
	reach := time.Duration(0)
	for i := range rules {
		reach = max(reach, rules[i].Reach())
	}
	l.reach.Store(int64(reach))
	l.rules.Store(&rules)
}

// Rules are those in force.
func (l *Ledger) Rules() []Rule { return *l.rules.Load() }

// Reach is how far back the rules look.
func (l *Ledger) Reach() time.Duration { return time.Duration(l.reach.Load()) }

// Size is the number of contacts that are held.
func (l *Ledger) Size() int { return int(l.size.Load()) }

func (l *Ledger) part(person string) *part {
	return &l.parts[maphash.String(l.seed, person)%shards]
}
func (l *Ledger) index(id string) *index { return &l.ids[maphash.String(l.seed, id)%shards] }

// History appends the contacts of a person to out.
func (l *Ledger) History(person string, out []Contact) []Contact {
	p := l.part(person)
	p.Lock()
	out = append(out, p.people[person]...)
	p.Unlock()
	return out
}

// Allowed says whether a contact could be reserved now, and if not, which rule forbids it.
func (l *Ledger) Allowed(c Contact) (rule string, ok bool) {
	p := l.part(c.Person)
	p.Lock()
	defer p.Unlock()
	rule = Refused(*l.rules.Load(), p.people[c.Person], &c)
	return rule, rule == ""
}

// Reserve takes a place for a contact under every rule, or says which one has none left.
// A contact whose id is there already is not taken again.
func (l *Ledger) Reserve(c Contact) (rule string, ok bool) {
	p := l.part(c.Person)
	p.Lock()
	defer p.Unlock()
	list := p.people[c.Person]
	if slices.ContainsFunc(list, func(h Contact) bool { return h.ID == c.ID }) {
		return "", true
	}
	if rule := Refused(*l.rules.Load(), list, &c); rule != "" {
		return rule, false
	}
	if l.size.Load() >= l.most {
		return RefusedFull, false
	}
	l.put(p, &c)
	return "", true
}

// Contend is [Ledger.Reserve], with less valuable contacts giving way where rules that
// are arbitrated have no room beside them. Those that did keep their entry without taking
// a place, so that [Ledger.Commit] refuses them and [Ledger.Restore] can bring them back.
func (l *Ledger) Contend(c Contact) (given []Given, rule string, ok bool) {
	p := l.part(c.Person)
	p.Lock()
	defer p.Unlock()
	list := p.people[c.Person]
	if slices.ContainsFunc(list, func(h Contact) bool { return h.ID == c.ID }) {
		return nil, "", true
	}
	if given, rule = Contend(*l.rules.Load(), list, &c); rule != "" {
		return nil, rule, false
	}
	if l.size.Load() >= l.most {
		Restore(list, given)
		return nil, RefusedFull, false
	}
	l.put(p, &c)
	return given, "", true
}

// Give says that the contact of a decision gave way to another one.
func (l *Ledger) Give(id string) {
	l.find(id, func(list []Contact, i int) []Contact {
		list[i].Given = !list[i].Made
		return list
	})
}

// Restore takes it back that the contact of a decision gave way. Whether there is room
// for it is asked when it is committed.
func (l *Ledger) Restore(id string) {
	l.find(id, func(list []Contact, i int) []Contact {
		list[i].Given = false
		return list
	})
}

// Observe adds a contact that was decided on elsewhere or earlier, whether or not it
// keeps to the rules. A contact whose id is there already is not added again.
func (l *Ledger) Observe(c Contact) {
	p := l.part(c.Person)
	p.Lock()
	defer p.Unlock()
	if l.size.Load() >= l.most || slices.ContainsFunc(p.people[c.Person], func(h Contact) bool { return h.ID == c.ID }) {
		return
	}
	l.put(p, &c)
}

// put adds a contact to a part that is locked.
func (l *Ledger) put(p *part, c *Contact) {
	p.people[c.Person] = append(p.people[c.Person], *c)
	l.size.Add(1)
	ix := l.index(c.ID)
	ix.Lock()
	ix.person[c.ID] = c.Person
	ix.Unlock()
}

// prune drops contacts that lie more than two reaches before a moment, so that none is
// missed by one that is reserved for a moment that has just passed.
func (l *Ledger) prune(list []Contact, at time.Time) []Contact {
	oldest := at.Add(-2 * l.Reach())
	return slices.DeleteFunc(list, func(h Contact) bool {
		if !h.At.Before(oldest) {
			return false
		}
		l.drop(h.ID)
		return true
	})
}

func (l *Ledger) drop(id string) {
	l.size.Add(-1)
	ix := l.index(id)
	ix.Lock()
	delete(ix.person, id)
	ix.Unlock()
}

// Sweep forgets contacts that no rule looks at any more as of a moment, which is not in
// the future, and tells how many. Call it now and then.
func (l *Ledger) Sweep(now time.Time) int {
	before := l.Size()
	for i := range l.parts {
		p := &l.parts[i]
		p.Lock()
		for person, list := range p.people {
			if list = l.prune(list, now); len(list) == 0 {
				delete(p.people, person)
			} else {
				p.people[person] = list
			}
		}
		p.Unlock()
	}
	return before - l.Size()
}

// find calls f with the contacts of the person whom a decision is about, and the place of
// its own; it reports whether there is one. f gives back what the list becomes.
func (l *Ledger) find(id string, f func(list []Contact, i int) []Contact) bool {
	ix := l.index(id)
	ix.Lock()
	person, ok := ix.person[id]
	ix.Unlock()
	if !ok {
		return false
	}
	p := l.part(person)
	p.Lock()
	defer p.Unlock()
	list := p.people[person]
	i := slices.IndexFunc(list, func(h Contact) bool { return h.ID == id })
	if i < 0 {
		return false
	}
	if list = f(list, i); len(list) == 0 {
		delete(p.people, person)
	} else {
		p.people[person] = list
	}
	return true
}

// Commit says that the contact of a decision is made at a moment. When that is another
// moment than it was reserved for, the rules are asked again, and the contact stays
// where it was if one forbids it: it must then not be made. Doing it again changes
// nothing, and made is when it was made the first time. known is false for a decision that
// holds no place. Where processes took places that are too many together, less valuable
// contacts give way as with [Ledger.Contend]. Gave says that the contact itself gave way.
func (l *Ledger) Commit(id string, at time.Time) (made time.Time, c Commitment) {
	c.Known = l.find(id, func(list []Contact, i int) []Contact {
		if made = list[i].At; list[i].Made {
			return list
		}
		if c.Gave = list[i].Given; c.Gave {
			return list
		}
		moved := list[i]
		moved.At, moved.Made = at, true
		if c.Given, c.Rule = Contend(*l.rules.Load(), list, &moved); c.Rule == "" {
			list[i], made = moved, at
		}
		return list
	})
	return made, c
}

// Commitment is what came of [Ledger.Commit].
type Commitment struct {
	Rule  string  // that forbids it, "" when none does
	Given []Given // contacts that gave way to it
	Gave  bool    // it gave way itself
	Known bool    // it has an entry
}

// Uncommit takes a commitment back, as one of those that gave way had been made.
func (l *Ledger) Uncommit(id string) {
	l.find(id, func(list []Contact, i int) []Contact {
		list[i].Made = false
		return list
	})
}

// Postpone says that a contact was not made after all and is planned for a later moment,
// at which [Ledger.Commit] asks the rules again. An earlier moment changes nothing.
func (l *Ledger) Postpone(id string, at time.Time) {
	l.find(id, func(list []Contact, i int) []Contact {
		if at.After(list[i].At) {
			list[i].At, list[i].Made = at, false
		}
		return list
	})
}

// Moved says that the contact of a decision was made at a moment, whatever the rules say.
func (l *Ledger) Moved(id string, at time.Time) {
	l.find(id, func(list []Contact, i int) []Contact {
		list[i].At, list[i].Made, list[i].Given = at, true, false
		return list
	})
}

// Release gives back the place of a contact that will not be made, and says whether it had one.
func (l *Ledger) Release(id string) bool {
	return l.find(id, func(list []Contact, i int) []Contact {
		l.drop(id)
		return slices.Delete(list, i, i+1)
	})
}

// Forget removes everything about people, and tells how many contacts there were.
func (l *Ledger) Forget(people []string) (n int) {
	for _, person := range people {
		p := l.part(person)
		p.Lock()
		for _, c := range p.people[person] {
			l.drop(c.ID)
			n++
		}
		delete(p.people, person)
		p.Unlock()
	}
	return n
}

// Rank is the priority and the worth of the contact of a decision.
func (l *Ledger) Rank(id string) (r Rank) {
	l.find(id, func(list []Contact, i int) []Contact {
		r = Rank{list[i].Priority, list[i].Worth}
		return list
	})
	return r
}

// Knows says whether a decision has an entry.
func (l *Ledger) Knows(id string) bool {
	return l.find(id, func(list []Contact, _ int) []Contact { return list })
}
