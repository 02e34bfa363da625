package profiles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/profiles/identity"
	"quintet/profiles/segments"
)

// SegmentDeps are what the service of segments is made of.
type SegmentDeps struct {
	Profiles    *Service
	Definitions *definitions.Store
	// Rescan is the least time between two looks at everybody for whom time has
	// changed something; 30 seconds when zero.
	Rescan time.Duration
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

const (
	defaultRescan = 30 * time.Second
	// rescanShare is how many times longer than a look the pause after it is at least.
	rescanShare = 10
	// maxPrepareBackoff is the longest pause after a store failed.
	maxPrepareBackoff = 10 * time.Second
)

// Segments keeps who is in which segment, as things happen and as time goes by.
type Segments struct {
	log         *slog.Logger
	profiles    *Service
	postgres    *pgxpool.Pool
	clickhouse  *clickhouse.Database
	definitions *definitions.Collection[Segment]
	rescan      time.Duration
	now         func() time.Time

	plan      atomic.Pointer[segmentPlan]
	members   *memberships
	histories *histories
	people    *peopleWriter
	pending   pendingPeople
	locks     [storeShards]sync.Mutex // one evaluation of a person at a time
	changed   chan struct{}           // the plan has
	looked    atomic.Int64            // when time was last looked at, Unix milliseconds
	lists     sync.Mutex              // one change of lists at a time

	// evaluating is held while people are taken from the pending and worked out.
	evaluating sync.Mutex
	looking    sync.Mutex // one look at what time has changed at a time

	applying sync.Mutex // guards what follows, and that a record is of one plan
	through  uint64     // the last record of the stream that was shown
	sets     int
	slots    int
	removed  []*liveSegment // their members have not been taken leave of
}

// OpenSegments loads the definitions of segments. Members are in memory some time
// after [Segments.Run] has begun. It must be called before the service of profiles
// runs.
func OpenSegments(d SegmentDeps) (*Segments, error) {
	s := &Segments{
		log: d.Profiles.log.With("part", "segments"), profiles: d.Profiles, postgres: d.Profiles.postgres, clickhouse: d.Profiles.clickhouse,
		rescan: d.Rescan, now: d.Now, members: newMemberships(), histories: newHistories(), changed: make(chan struct{}, 1),
		through: d.Profiles.projector.reached(),
	}
	if s.rescan <= 0 {
		s.rescan = defaultRescan
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.people = newPeopleWriter(s)
	s.pending.wake = make(chan struct{}, 1)
	s.plan.Store(&segmentPlan{keys: map[string]*liveSegment{}})
	var err error
	if s.definitions, err = definitions.NewCollection(d.Definitions, "segments", s.checkSegment); err != nil {
		return nil, fmt.Errorf("loading segments: %w", err)
	}
	s.replan()
	s.definitions.OnChange(s.replan)
	for _, c := range []interface{ OnChange(func()) }{d.Profiles.purposes, d.Profiles.topics} {
		if d.Profiles.purposes != nil && d.Profiles.topics != nil {
			c.OnChange(s.consentRulesChanged)
		}
	}
	d.Profiles.Observe(s)
	d.Profiles.segments = s
	return s, nil
}

// consentRulesChanged has everybody looked at again: what statements come to may
// have changed for all.
func (s *Segments) consentRulesChanged() {
	s.people.everybody.Store(true)
	s.pending.mu.Lock()
	s.pending.overflow = true
	s.pending.mu.Unlock()
}

// replan compiles the definitions as they are now.
func (s *Segments) replan() {
	s.applying.Lock()
	defer s.applying.Unlock()
	before := s.plan.Load()
	next := s.compile(s.definitions.Snapshot(), before)
	for key, l := range before.keys {
		if next.keys[key] == nil {
			s.removed = append(s.removed, l)
		}
	}
	s.plan.Store(next)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run keeps memberships up to date until ctx ends.
func (s *Segments) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.people.run(ctx) })
	group.Go(func() error { return s.prepareLoop(ctx) })
	group.Go(func() error { return s.evaluateLoop(ctx) })
	group.Go(func() error { return s.rescanLoop(ctx) })
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("keeping segments: %w", err)
	}
	return nil
}

// prepareLoop brings new segments into memory.
func (s *Segments) prepareLoop(ctx context.Context) error {
	pause := time.Duration(0)
	for {
		if pause > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return ctx.Err()
			case <-timer.C:
			}
		} else {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.changed:
			}
		}
		err := s.prepare(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			pause = min(max(2*pause, time.Second), maxPrepareBackoff)
			s.log.Warn("cannot bring a segment into memory; the same is tried again", "error", err, "pause", pause)
		default:
			pause = 0
		}
	}
}

// InSegment says whether the person, given by the id of any of their profiles, is
// in the segment. It looks into memory alone; of a segment whose members are not
// there yet it says no.
func (s *Segments) InSegment(profile, key string) bool {
	id, ok := identity.ParseID(profile)
	if !ok {
		return false
	}
	l := s.plan.Load().keys[key]
	return l != nil && s.in(l, s.profiles.store.PersonOf(id))
}

// Has says whether there is a segment of the key.
func (s *Segments) Has(key string) bool {
	_, ok := s.definitions.Get(key)
	return ok
}

// in says whether a person is in a segment. A list names profiles as they were,
// so each profile of the person counts.
func (s *Segments) in(l *liveSegment, person identity.ID) bool {
	if s.members.has(l.set, person) {
		return true
	}
	if l.rule != nil {
		return false
	}
	for _, id := range s.profiles.store.Members(person) {
		if id != person && s.members.has(l.set, id) {
			return true
		}
	}
	return false
}

// Of lists the keys of the segments that the person is in, in order.
func (s *Segments) Of(person identity.ID) []string {
	p := s.plan.Load()
	keys := []string{}
	for key, l := range p.keys {
		if s.in(l, person) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// OfProfile lists the keys of the segments that the person of a profile is in, in
// order. It looks into memory alone.
func (s *Segments) OfProfile(profile string) []string {
	id, ok := identity.ParseID(profile)
	if !ok {
		return []string{}
	}
	return s.Of(s.profiles.store.PersonOf(id))
}

// tables are what rules read in ClickHouse.
var segmentTables = segments.Tables{People: "people", Events: "events", Persons: "person_map", Members: "segment_membership"}

// builder makes SQL of rules as of a moment.
func (s *Segments) builder(at time.Time, through uint64) *segments.Builder {
	p := s.plan.Load()
	return segments.NewBuilder(segmentTables, at, through, func(key string) (segments.Definition, bool) {
		l := p.keys[key]
		if l == nil {
			return segments.Definition{}, false
		}
		return segments.Definition{Rule: l.rule}, true
	})
}

// position is the last record of the stream that memberships take in.
func (s *Segments) position() uint64 {
	s.applying.Lock()
	defer s.applying.Unlock()
	return s.through
}

// takeRemoved are the segments that were deleted since it was last called.
func (s *Segments) takeRemoved() []*liveSegment {
	s.applying.Lock()
	defer s.applying.Unlock()
	removed := s.removed
	s.removed = nil
	return removed
}

func (s *Segments) keepRemoved(list []*liveSegment) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.removed = append(s.removed, list...)
}

// unprepared are the segments that are not in memory yet.
func unprepared(p *segmentPlan) []*liveSegment {
	var list []*liveSegment
	for _, key := range slices.Sorted(maps.Keys(p.keys)) {
		if l := p.keys[key]; !l.ready() {
			list = append(list, l)
		}
	}
	return list
}
