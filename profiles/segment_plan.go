package profiles

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"quintet/internal/definitions"
	"quintet/profiles/segments"
)

// What of a person has changed, as bits. The rest of the bits are events, by the
// hash of their name, so that they mean the same in every plan: two may share one,
// which costs an evaluation and nothing else.
const (
	touchedTraits uint64 = 1 << iota
	touchedAttributes
	touchedConsents
	touchedIdentifiers
	touchedProfile
	touchedLists         // of other segments
	touchedEvents        // the first bit of events
	touchedAll    uint64 = 1<<64 - 1
)

const eventBits = 64 - 6

func eventBit(event string) uint64 { return touchedEvents << (xxhash.Sum64String(event) % eventBits) }

// segmentPlan is all segments compiled, at one moment. It is replaced, not
// changed, but for the states inside.
type segmentPlan struct {
	keys map[string]*liveSegment
	// dynamic are in an order in which those that are referred to come before those
	// that refer to them.
	dynamic  []*liveSegment
	events   map[string]*eventUse
	patterns map[string]*livePattern
	touches  uint64 // what some segment depends on
	timed    bool
}

// eventUse says who asks for an event.
type eventUse struct {
	bit      uint64
	patterns []*livePattern
}

// States of a segment in memory.
const (
	segmentLoading int32 = iota // its history or its members are not in memory yet
	segmentFilling              // it is evaluated for everybody
	segmentReady
)

// liveSegment is a segment with its members in memory.
type liveSegment struct {
	key      string
	version  int64
	set      int            // number of its members
	rule     *segments.Rule // nil for a list
	touches  uint64
	timed    bool
	refers   []string
	patterns []*livePattern
	state    atomic.Int32
	known    bool         // the members of this version have been worked out before
	restored bool         // its members have been read from ClickHouse
	asOf     atomic.Int64 // of the last evaluation of everybody, Unix milliseconds
}

// asked says that the segment is too large for memory and is asked of ClickHouse.
func (l *liveSegment) asked() bool {
	return slices.ContainsFunc(l.patterns, func(p *livePattern) bool { return p.overflow.Load() })
}

func (l *liveSegment) ready() bool { return l.state.Load() == segmentReady }

// livePattern is a pattern whose occurrences are kept.
type livePattern struct {
	pattern *segments.Pattern
	slot    int
	from    uint64 // later records of the stream are noted as they come
	loaded  atomic.Bool
	// overflow says that there are more occurrences than memory may hold.
	overflow atomic.Bool
}

func patternKey(p *segments.Pattern) string { return fmt.Sprintf("%d %s", p.Keep(), p.Key()) }

// compile makes a plan of all definitions. What has not changed since the plan
// before is taken over.
func (s *Segments) compile(all map[string]definitions.Versioned[Segment], before *segmentPlan) *segmentPlan {
	p := &segmentPlan{keys: map[string]*liveSegment{}, events: map[string]*eventUse{}, patterns: map[string]*livePattern{}}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		d := all[key]
		old := before.keys[key]
		if old != nil && old.version == d.Version {
			p.keys[key] = old
			for _, lp := range old.patterns {
				p.patterns[patternKey(lp.pattern)] = lp
			}
			continue
		}
		l := &liveSegment{key: key, version: d.Version}
		if old != nil {
			l.set, l.restored = old.set, old.restored
		} else {
			s.sets++
			l.set = s.sets
		}
		if d.Value.Kind != StaticSegment {
			rule, err := segments.Parse("rule", d.Value.Rule)
			if err != nil {
				// It was checked when it was written, by another version of the program.
				s.log.Error("the rule of a segment cannot be read; the segment stays as it was", "segment", key, "version", d.Version, "error", err)
				if old != nil {
					p.keys[key] = old
				}
				continue
			}
			l.rule, l.touches = rule, dependence(rule)
			s.bind(l, p, before)
		}
		p.keys[key] = l
	}
	p.order()
	for _, l := range p.dynamic {
		for _, lp := range l.patterns {
			use := p.events[lp.pattern.Event()]
			if use == nil {
				use = &eventUse{bit: eventBit(lp.pattern.Event())}
				p.events[lp.pattern.Event()] = use
			}
			if !slices.Contains(use.patterns, lp) {
				use.patterns = append(use.patterns, lp)
			}
		}
	}
	for _, l := range p.dynamic {
		p.touches |= l.touches
		p.timed = p.timed || l.timed
	}
	return p
}

// bind gives the patterns of a rule their slots, shared with other rules.
func (s *Segments) bind(l *liveSegment, p, before *segmentPlan) {
	l.rule.Bind(func(pattern *segments.Pattern) int {
		key := patternKey(pattern)
		lp := p.patterns[key]
		if lp == nil {
			lp = before.patterns[key]
		}
		if lp == nil {
			s.slots++
			lp = &livePattern{pattern: pattern, slot: s.slots, from: s.through}
		}
		p.patterns[key] = lp
		l.patterns = append(l.patterns, lp)
		return lp.slot
	})
	reads := l.rule.Reads()
	l.timed = reads.Timed
	for _, r := range reads.Segments {
		l.refers = append(l.refers, r.Key)
	}
}

// dependence are the changes after which a rule is evaluated again. Those of
// segments that it refers to are followed when they change.
func dependence(rule *segments.Rule) (touches uint64) {
	reads := rule.Reads()
	for _, part := range []struct {
		reads bool
		bit   uint64
	}{{reads.Traits, touchedTraits}, {reads.Attributes, touchedAttributes}, {reads.Consents, touchedConsents},
		{reads.Identifiers, touchedIdentifiers}, {reads.Profile, touchedProfile}, {len(reads.Segments) > 0, touchedLists}} {
		if part.reads {
			touches |= part.bit
		}
	}
	for _, event := range reads.Events {
		touches |= eventBit(event)
	}
	return touches
}

// order sorts the dynamic segments by what they refer to.
func (p *segmentPlan) order() {
	depth := map[string]int{}
	var measure func(key string, way int) int
	measure = func(key string, way int) int {
		l := p.keys[key]
		if l == nil || l.rule == nil || way > len(p.keys) { // the last cannot be: cycles are refused
			return 0
		}
		if d, known := depth[key]; known {
			return d
		}
		d := 1
		for _, r := range l.refers {
			d = max(d, 1+measure(r, way+1))
		}
		depth[key] = d
		return d
	}
	for key, l := range p.keys {
		if l.rule != nil {
			measure(key, 0)
			p.dynamic = append(p.dynamic, l)
		}
	}
	slices.SortFunc(p.dynamic, func(a, b *liveSegment) int {
		return cmp.Or(cmp.Compare(depth[a.key], depth[b.key]), cmp.Compare(a.key, b.key))
	})
}

// keeps says how long the occurrences of each slot are kept.
func (p *segmentPlan) keeps() map[int]time.Duration {
	keeps := map[int]time.Duration{}
	for _, lp := range p.patterns {
		keeps[lp.slot] = lp.pattern.Keep()
	}
	return keeps
}
