package attributes

import (
	"encoding/json"
	"maps"
	"reflect"

	"quintet/internal/definitions"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// maxEntries bounds the events that counters hold between two runs. Those beyond
// it count at the next run.
const maxEntries = 1_000_000

// counters adds events to counters between two runs. The value in memory is what
// the last run counted, up to a place in the stream, plus the events behind that
// place. It is guarded by the service's lock.
type counters struct {
	defined map[string]Attribute
	byEvent map[string][]counter
	entries []entry // in the order of the stream
	sums    map[identity.ID]map[string]float64
	// ready are the counters that a run has computed as they are defined now.
	ready map[string]bool
}

type counter struct {
	key string
	*Attribute
}

// entry is one event that counts.
type entry struct {
	sequence uint64
	person   identity.ID
	key      string
	amount   float64
}

// set takes the definitions over and forgets what was counted for one that has
// changed.
func (c *counters) set(all map[string]definitions.Versioned[Attribute]) {
	before := c.defined
	c.defined, c.byEvent = map[string]Attribute{}, map[string][]counter{}
	if c.ready == nil {
		c.ready = map[string]bool{}
	}
	for key, d := range all {
		if d.Value.Kind == CounterKind && !d.Value.Paused {
			c.defined[key] = d.Value
			c.byEvent[d.Value.Event] = append(c.byEvent[d.Value.Event], counter{key, &d.Value})
		}
	}
	for key, old := range before {
		if now, still := c.defined[key]; !still || !reflect.DeepEqual(old, now) {
			delete(c.ready, key)
		}
	}
	c.keep(func(e *entry) bool {
		now, still := c.defined[e.key]
		return still && reflect.DeepEqual(before[e.key], now)
	})
}

// settled forgets the events that a run counts, and returns whom they are about.
func (c *counters) settled(through uint64) map[identity.ID]bool {
	about := map[identity.ID]bool{}
	c.keep(func(e *entry) bool {
		if e.sequence <= through {
			about[e.person] = true
			return false
		}
		return true
	})
	return about
}

// keep drops the entries that do not hold.
func (c *counters) keep(holds func(*entry) bool) {
	var kept []entry
	c.sums = map[identity.ID]map[string]float64{}
	for i := range c.entries {
		if e := &c.entries[i]; holds(e) {
			kept = append(kept, *e)
			c.add(e)
		}
	}
	c.entries = kept
}

func (c *counters) add(e *entry) {
	if c.sums[e.person] == nil {
		c.sums[e.person] = map[string]float64{}
	}
	c.sums[e.person][e.key] += e.amount
}

// over adds to what a run computed of a person what came behind it.
func (c *counters) over(person identity.ID, attributes map[string]any) map[string]any {
	for key, sum := range c.sums[person] {
		value, _ := attributes[key].(float64)
		attributes[key] = value + sum
	}
	return attributes
}

// amount is what an event adds to the counter.
func (c *counter) amount(e *profiles.AppliedEvent, properties func() map[string]any) (float64, bool) {
	for i := range c.Where {
		if !c.Where[i].holds(properties()) {
			return 0, false
		}
	}
	if c.Aggregate == Count {
		return 1, true
	}
	for _, n := range e.Numbers {
		if n.Path == c.Property {
			return n.Value, true
		}
	}
	return 0, false
}

// Applied is part of [profiles.Observer]: it adds events to counters.
func (s *Service) Applied(changed []profiles.Change) {
	s.mu.Lock()
	touched := s.count(changed)
	for person, amounts := range touched {
		view, ok := s.profiles.Store().GetPerson(person)
		if !ok {
			continue
		}
		attributes := maps.Clone(view.Attributes)
		if attributes == nil {
			attributes = map[string]any{}
		}
		for key, amount := range amounts {
			value, _ := attributes[key].(float64)
			attributes[key] = value + amount
		}
		s.profiles.Store().SetAttributes(person, attributes)
	}
	s.mu.Unlock()
	if s.watcher != nil {
		for person := range touched {
			s.watcher(person)
		}
	}
}

// count notes the events that count and returns what to add to whom.
func (s *Service) count(changed []profiles.Change) map[identity.ID]map[string]float64 {
	c := &s.counters
	if len(c.byEvent) == 0 {
		return nil
	}
	var touched map[identity.ID]map[string]float64
	for i := range changed {
		ch := &changed[i]
		if ch.Event == nil || ch.Event.Name == "" {
			continue
		}
		var parsed map[string]any
		properties := func() map[string]any {
			if parsed == nil {
				parsed = map[string]any{}
				_ = json.Unmarshal([]byte(ch.Event.Properties), &parsed) // what is no object has no properties
			}
			return parsed
		}
		for k := range c.byEvent[ch.Event.Name] {
			counter := &c.byEvent[ch.Event.Name][k]
			if counter.WindowDays > 0 && ch.Event.Time < counter.begins(s.now()).UnixMilli() {
				continue
			}
			amount, counts := counter.amount(ch.Event, properties)
			if !counts || len(c.entries) >= maxEntries {
				continue
			}
			c.entries = append(c.entries, entry{ch.Sequence, ch.Person, counter.key, amount})
			c.add(&c.entries[len(c.entries)-1])
			if !c.ready[counter.key] {
				continue // without what came before, the figure would mislead
			}
			if touched == nil {
				touched = map[identity.ID]map[string]float64{}
			}
			if touched[ch.Person] == nil {
				touched[ch.Person] = map[string]float64{}
			}
			touched[ch.Person][counter.key] += amount
		}
	}
	return touched
}
