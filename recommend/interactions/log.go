package interactions

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// MaxPersonEvents is how many of a person's latest events a log keeps when its
// builder is told no other bound: what a robot did a hundred thousand times neither
// teaches a model much nor may fill the memory.
const MaxPersonEvents = 10_000

// Event is one thing that a person did with an item.
type Event struct {
	// At is when, in seconds since 1970 (UTC).
	At int64
	// Item is the item's number in the vocabulary of the log or of the model.
	Item int32
	// Weight is how strongly the event speaks for the item, above 0: for example 1
	// for a view, 3 for a cart, 5 for a purchase.
	Weight float32
}

// Log is everybody's events. It does not change, and many may read it at once.
type Log struct {
	people, items *Vocabulary
	start         []int // of each person's events, and the end of the last's
	events        []Event
	dropped       int
}

// People numbers the people.
func (l *Log) People() *Vocabulary { return l.people }

// Items numbers the items.
func (l *Log) Items() *Vocabulary { return l.items }

// Events are a person's, oldest first. They must not be changed.
func (l *Log) Events(person int) []Event { return l.events[l.start[person]:l.start[person+1]] }

// AtLeast are a person's events of at least a weight, oldest first.
func (l *Log) AtLeast(person int, weight float32) []Event {
	var out []Event
	for _, e := range l.Events(person) {
		if e.Weight >= weight {
			out = append(out, e)
		}
	}
	return out
}

// Len is how many events there are.
func (l *Log) Len() int { return len(l.events) }

// Dropped is how many events went because their person had more than the bound.
func (l *Log) Dropped() int { return l.dropped }

// Span is the time of the first and of the last event; zeros when there is none.
func (l *Log) Span() (first, last int64) {
	for i, e := range l.events {
		if i == 0 || e.At < first {
			first = e.At
		}
		if i == 0 || e.At > last {
			last = e.At
		}
	}
	return first, last
}

// Filter is the log of the events for which keep is true, with the same
// vocabularies, so that numbers mean the same in both.
func (l *Log) Filter(keep func(person int, e Event) bool) *Log {
	out := &Log{people: l.people, items: l.items, start: make([]int, len(l.start)), dropped: l.dropped}
	for p := range l.people.Len() {
		for _, e := range l.Events(p) {
			if keep(p, e) {
				out.events = append(out.events, e)
			}
		}
		out.start[p+1] = len(out.events)
	}
	return out
}

// Builder gathers events into a Log. The zero value is ready; it is for one
// goroutine.
type Builder struct {
	// MaxPersonEvents is how many latest events of a person are kept; that of the
	// constant when 0, all when negative.
	MaxPersonEvents int

	people, items Vocabulary
	rows          []row
}

type row struct {
	Event
	person int32
}

// Add takes one event. An empty id, a weight that is not a positive number and a
// time that lies outside the years 1 to 9999 are errors, and nothing is added.
func (b *Builder) Add(person, item string, weight float64, at int64) error {
	if person == "" || item == "" {
		return fmt.Errorf("an interaction needs a person and an item, got %q and %q", person, item)
	}
	if !(weight > 0) || weight > math.MaxFloat32 || float32(weight) == 0 {
		return fmt.Errorf("weight of %q must be a positive number, got %v", item, weight)
	}
	if at < -62135596800 || at > 253402300799 {
		return fmt.Errorf("time of %q must lie in the years 1 to 9999, got %d seconds since 1970", item, at)
	}
	p, err := b.people.Add(person)
	if err != nil {
		return fmt.Errorf("numbering people: %w", err)
	}
	i, err := b.items.Add(item)
	if err != nil {
		return fmt.Errorf("numbering items: %w", err)
	}
	b.rows = append(b.rows, row{Event{At: at, Item: i, Weight: float32(weight)}, p})
	return nil
}

// KnowItem numbers an item before anything was done with it, so that a new item of
// the catalogue has a place in every model.
func (b *Builder) KnowItem(item string) (int32, error) { return b.items.Add(item) }

// KnowPerson numbers a person of whom nothing is known.
func (b *Builder) KnowPerson(person string) (int32, error) { return b.people.Add(person) }

// SortItems numbers the items anew in an order of their ids, so that which of two with
// equal scores comes first does not depend on the order of the events.
func (b *Builder) SortItems(compare func(x, y string) int) {
	ids := slices.SortedFunc(slices.Values(b.items.ids), compare)
	numbers := make(map[string]int32, len(ids))
	for n, id := range ids {
		numbers[id] = int32(n)
	}
	for i := range b.rows {
		b.rows[i].Item = numbers[b.items.ids[b.rows[i].Item]]
	}
	b.items = Vocabulary{ids, numbers}
}

// Len is how many events were added.
func (b *Builder) Len() int { return len(b.rows) }

// Build makes the log and empties the builder. Events of the same time stay in the
// order in which they were added.
func (b *Builder) Build() *Log {
	people, items := b.people, b.items
	out := build(&people, &items, b.rows, b.limit())
	*b = Builder{MaxPersonEvents: b.MaxPersonEvents}
	return out
}

func (b *Builder) limit() int {
	if b.MaxPersonEvents == 0 {
		return MaxPersonEvents
	}
	return b.MaxPersonEvents
}

// BuildTogether makes a log of each builder, with the same vocabularies for all, so
// that numbers mean the same, and empties the builders.
func BuildTogether(builders ...*Builder) ([]*Log, error) {
	var people, items Vocabulary
	for _, b := range builders {
		persons, err := renumber(&people, &b.people)
		if err != nil {
			return nil, fmt.Errorf("numbering people: %w", err)
		}
		things, err := renumber(&items, &b.items)
		if err != nil {
			return nil, fmt.Errorf("numbering items: %w", err)
		}
		for i := range b.rows {
			b.rows[i].person, b.rows[i].Item = persons[b.rows[i].person], things[b.rows[i].Item]
		}
	}
	var out []*Log
	for _, b := range builders {
		out = append(out, build(&people, &items, b.rows, b.limit()))
		*b = Builder{MaxPersonEvents: b.MaxPersonEvents}
	}
	return out, nil
}

func renumber(into, from *Vocabulary) ([]int32, error) {
	out := make([]int32, from.Len())
	for n, id := range from.IDs() {
		number, err := into.Add(id)
		if err != nil {
			return nil, err
		}
		out[n] = number
	}
	return out, nil
}

// build sorts rows into the people and each person's by time, and keeps the latest of
// those who have more than limit.
func build(people, items *Vocabulary, rows []row, limit int) *Log {
	out := &Log{people: people, items: items, start: make([]int, people.Len()+1)}
	for _, r := range rows {
		out.start[r.person+1]++
	}
	for p := range people.Len() {
		out.start[p+1] += out.start[p]
	}
	out.events = make([]Event, len(rows))
	next := slices.Clone(out.start[:people.Len()])
	for _, r := range rows {
		out.events[next[r.person]] = r.Event
		next[r.person]++
	}
	kept := 0
	for p := range people.Len() {
		events := out.events[out.start[p]:out.start[p+1]]
		byTime := func(a, b Event) int { return cmp.Compare(a.At, b.At) }
		if !slices.IsSortedFunc(events, byTime) {
			slices.SortStableFunc(events, byTime)
		}
		if limit > 0 && len(events) > limit {
			out.dropped += len(events) - limit
			events = events[len(events)-limit:]
		}
		out.start[p] = kept
		kept += copy(out.events[kept:], events)
	}
	out.start[people.Len()] = kept
	out.events = out.events[:kept:kept]
	return out
}

// FromHistories makes a log of events that are numbered already: histories[p] are
// those of person p of the vocabulary, in any order. An event of an item that the
// vocabulary does not have, or with a weight that is not a positive number, is an
// error.
func FromHistories(people, items *Vocabulary, histories [][]Event) (*Log, error) {
	if len(histories) != people.Len() {
		return nil, fmt.Errorf("there are %d histories for %d people", len(histories), people.Len())
	}
	out := &Log{people: people, items: items, start: make([]int, people.Len()+1)}
	total := 0
	for _, h := range histories {
		total += len(h)
	}
	out.events = make([]Event, 0, total)
	for p, h := range histories {
		for _, e := range h {
			if e.Item < 0 || int(e.Item) >= items.Len() {
				return nil, fmt.Errorf("an event of person %d has item %d of %d", p, e.Item, items.Len())
			}
			if !(e.Weight > 0) || math.IsInf(float64(e.Weight), 0) {
				return nil, fmt.Errorf("an event of person %d has weight %v, which is not a positive number", p, e.Weight)
			}
		}
		out.events = append(out.events, h...)
		out.start[p+1] = len(out.events)
		slices.SortStableFunc(out.events[out.start[p]:], func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	}
	return out, nil
}
