package profiles

import (
	"context"
	"fmt"
	"sync"
	"time"

	"quintet/profiles/identity"
	"quintet/profiles/segments"
)

const (
	// maxPending is how many people may wait for their segments to be worked out.
	// Beyond it everybody is looked at.
	maxPending = 500_000
	// evaluateBatch is how many people are worked out before changes are written.
	evaluateBatch = 500
)

// Reasons for a change of membership.
const (
	reasonChange  = "change"  // something happened, or time went by
	reasonRule    = "rule"    // the rule is new
	reasonList    = "list"    // by hand
	reasonMerged  = "merged"  // the person is part of another now
	reasonDeleted = "deleted" // the segment is gone
)

// pendingPeople are those whose segments may have changed, with what has.
type pendingPeople struct {
	mu       sync.Mutex
	people   map[identity.ID]uint64
	overflow bool
	wake     chan struct{}
}

func (q *pendingPeople) add(person identity.ID, touched uint64) {
	q.mu.Lock()
	if q.people == nil {
		q.people = map[identity.ID]uint64{}
	}
	if len(q.people) < maxPending {
		q.people[person] |= touched
	} else if old, there := q.people[person]; there {
		q.people[person] = old | touched
	} else {
		q.overflow = true
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take moves up to n people into a batch, which is emptied first.
func (q *pendingPeople) take(n int, batch map[identity.ID]uint64) {
	clear(batch)
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, touched := range q.people {
		if len(batch) >= n {
			return
		}
		batch[id] = touched
		delete(q.people, id)
	}
}

func (q *pendingPeople) overflowed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := q.overflow
	q.overflow = false
	return was
}

func (q *pendingPeople) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.people)
}

// Applied is part of [Observer]: it keeps what segments ask for and marks who is
// to be evaluated again.
func (s *Segments) Applied(changed []Change) {
	s.applying.Lock()
	defer s.applying.Unlock()
	p := s.plan.Load()
	now := s.now().UnixMilli()
	for i := range changed {
		c := &changed[i]
		s.through = max(s.through, c.Sequence)
		var touched uint64
		if e := c.Event; e != nil {
			if e.Name == segments.Entered || e.Name == segments.Left {
				continue // it tells of what is known here
			}
			touched = touchedProfile | touchedIdentifiers | s.keep(p, c, now)
		}
		if c.TraitsChanged {
			touched |= touchedTraits
		}
		if c.ConsentsChanged {
			touched |= touchedConsents
		}
		if c.Merged {
			touched = touchedAll
			s.people.touch(c.Profile)
			s.pending.add(c.Profile, touchedAll)
		}
		s.people.touch(c.Person)
		if touched&p.touches != 0 {
			s.pending.add(c.Person, touched)
		}
	}
}

// keep adds an event to the history of its profile, where a segment asks for it.
func (s *Segments) keep(p *segmentPlan, c *Change, now int64) (touched uint64) {
	use := p.events[c.Event.Name]
	if use == nil {
		return 0
	}
	e := segments.Event{Name: c.Event.Name, Time: c.Event.Time, Numbers: c.Event.Numbers, Properties: c.Event.Properties}
	for _, lp := range use.patterns {
		if c.Sequence <= lp.from || lp.overflow.Load() {
			continue // ClickHouse is asked for it
		}
		if o, fits := lp.pattern.Occurrence(&e); fits && !s.histories.add(c.Profile, lp.slot, o, lp.pattern.Keep(), now) {
			lp.overflow.Store(true)
		}
	}
	return use.bit
}

// AttributesChanged says that computed attributes of a person have changed.
func (s *Segments) AttributesChanged(person identity.ID) {
	s.people.touch(person)
	if s.plan.Load().touches&touchedAttributes != 0 {
		s.pending.add(person, touchedAttributes)
	}
}

// membershipChange is somebody who entered or left a segment.
type membershipChange struct {
	segment string
	person  identity.ID
	entered bool
	at      time.Time
	reason  string
}

// evaluation is the memory of one goroutine that evaluates people. It is what a
// rule sees of one person.
type evaluation struct {
	s       *Segments
	plan    *segmentPlan
	subject segments.Subject
	person  identity.ID
	members []identity.ID // more than one when merged
	series  []series      // of the only profile, under lock
	moved   map[string]bool
	// consents says that some rule reads them; they are worked out for that alone.
	consents bool
}

func (s *Segments) newEvaluation(p *segmentPlan) *evaluation {
	return &evaluation{s: s, plan: p, moved: map[string]bool{}, consents: p.touches&touchedConsents != 0}
}

// Series is part of [segments.History].
func (e *evaluation) Series(slot int) []segments.Occurrence {
	if len(e.members) > 1 {
		return e.s.histories.copyOf(e.members, slot)
	}
	for i := range e.series {
		if e.series[i].slot == slot {
			return e.series[i].occurrences
		}
	}
	return nil
}

// Member is part of [segments.Membership].
func (e *evaluation) Member(key string) bool {
	l := e.plan.keys[key]
	return l != nil && e.s.in(l, e.person)
}

// meet finds a person with all profiles of theirs. Nobody is found when there is
// no such person; gone says that it is because they are part of another.
func (e *evaluation) meet(id identity.ID) (v *View, gone bool) {
	store := e.s.profiles.store
	e.person, e.members = id, store.Members(id)
	if e.members[0] != id {
		return nil, true
	}
	if len(e.members) == 1 {
		v, _ = store.Get(id)
	} else {
		v, _ = store.GetPerson(id)
	}
	return v, false
}

// about makes the person that was met the subject and calls f with the history
// held still.
func (e *evaluation) about(v *View, now time.Time, f func()) {
	e.subject = subjectOf(v)
	if e.consents {
		e.subject.Consents = consentsOf(v, now.UnixMilli())
	}
	e.subject.History, e.subject.Segments = e, e
	if len(e.members) > 1 {
		f()
		return
	}
	sh := e.s.histories.shard(e.person)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	e.series = sh.people[e.person]
	f()
	e.series = nil
}

// subjectOf is what rules read of a view, but for consents.
func subjectOf(v *View) segments.Subject {
	return segments.Subject{
		Traits: v.Traits, Attributes: v.Attributes, Identifiers: v.Identifiers,
		CreatedAt: v.CreatedAt.UnixMilli(), LastSeenAt: v.LastSeenAt.UnixMilli(), EventCount: v.Events,
	}
}

// scope says which segments an evaluation is about.
type scope struct {
	touched uint64
	timed   bool // those that change with time
	filling bool // those that are new
}

// settle works out a person's segments and appends what changed.
func (s *Segments) settle(e *evaluation, id identity.ID, about scope, out []membershipChange) []membershipChange {
	lock := &s.locks[id[0]%storeShards]
	lock.Lock()
	defer lock.Unlock()
	now := s.now()
	v, gone := e.meet(id)
	if gone {
		for _, l := range e.plan.dynamic {
			if s.members.put(l.set, id, false) {
				out = append(out, membershipChange{l.key, id, false, now, reasonMerged})
			}
		}
		return out
	}
	if v == nil {
		return out
	}
	if about.timed && expired(v.Consents, s.looked.Load(), now.UnixMilli()) {
		s.people.touch(id)
	}
	clear(e.moved)
	e.about(v, now, func() {
		for _, l := range e.plan.dynamic {
			state := l.state.Load()
			if state == segmentLoading || l.asked() {
				continue
			}
			if l.touches&about.touched == 0 && (!about.timed || !l.timed) && (!about.filling || state != segmentFilling) && !e.follows(l) {
				continue
			}
			in := l.rule.Match(&e.subject, now)
			if !s.members.put(l.set, id, in) {
				continue
			}
			e.moved[l.key] = true
			reason := reasonChange
			if state == segmentFilling && !l.known {
				reason = reasonRule
			}
			out = append(out, membershipChange{l.key, id, in, now, reason})
		}
	})
	return out
}

// follows says that a segment that this one refers to has just changed.
func (e *evaluation) follows(l *liveSegment) bool {
	if len(e.moved) == 0 {
		return false
	}
	for _, key := range l.refers {
		if e.moved[key] {
			return true
		}
	}
	return false
}

// evaluateLoop works out who changed.
func (s *Segments) evaluateLoop(ctx context.Context) error {
	batch := make(map[identity.ID]uint64, evaluateBatch)
	var changes []membershipChange
	for {
		n, err := s.evaluateSome(ctx, batch, &changes)
		if err != nil {
			return err
		}
		if n == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.pending.wake:
			}
		}
	}
}

// evaluateSome works out a batch of those who changed and returns how many there were.
func (s *Segments) evaluateSome(ctx context.Context, batch map[identity.ID]uint64, changes *[]membershipChange) (int, error) {
	s.evaluating.Lock()
	defer s.evaluating.Unlock()
	s.pending.take(evaluateBatch, batch)
	if len(batch) == 0 {
		return 0, nil
	}
	e := s.newEvaluation(s.plan.Load())
	*changes = (*changes)[:0]
	for id, touched := range batch {
		*changes = s.settle(e, id, scope{touched: touched}, *changes)
	}
	return len(batch), s.announce(ctx, *changes)
}

// Settle works out everybody who changed by what memory was told before the call, and
// whom time alone has changed; for a clock that jumps. [Segments.Run] must be under way.
func (s *Segments) Settle(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	batch, changes := make(map[identity.ID]uint64, evaluateBatch), []membershipChange(nil)
	for {
		if n, err := s.evaluateSome(ctx, batch, &changes); err != nil || n == 0 {
			return err
		}
	}
}

// announce writes changes to the stream, from where they reach ClickHouse; those
// of a new rule go there directly. A store that is away is waited for: meanwhile
// people who change gather in memory, each once.
func (s *Segments) announce(ctx context.Context, changes []membershipChange) error {
	var notes []Note
	var rows []membershipChange
	for _, c := range changes {
		if c.reason == reasonRule {
			rows = append(rows, c)
			continue
		}
		event := segments.Left
		if c.entered {
			event = segments.Entered
		}
		notes = append(notes, Note{
			Profile: c.person, Event: event, Time: c.at, MessageID: fmt.Sprintf("segment:%s:%s:%d", c.segment, c.person, c.at.UnixNano()),
			Properties: map[string]any{"segment": c.segment, "reason": c.reason},
		})
	}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, maxPrepareBackoff) {
		err := s.profiles.WriteNotes(ctx, notes)
		if err == nil {
			notes = nil
			if err = s.storeMembership(ctx, rows); err == nil {
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.log.Warn("cannot write who entered and left segments; the same is tried again", "changes", len(changes), "error", err, "pause", pause)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
