package profiles

import (
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// Observer is told what the projector changed in memory.
type Observer interface {
	// Applied is called after a batch of the stream was applied, in the order of
	// the stream, from one goroutine. It must return fast, as the projection waits
	// for it, and must keep nothing of what it is shown: the memory is used again.
	Applied(changed []Change)
}

// Change is one thing that happened to a profile.
type Change struct {
	// Profile is the profile that changed, Person the person to whom it belongs
	// after the change.
	Profile, Person identity.ID
	// Sequence is the position of the record in the stream. One record may hold
	// several changes.
	Sequence uint64
	// Event is the message that was applied; nil for a change of state alone.
	Event *AppliedEvent
	// TraitsChanged and ConsentsChanged say what of the state changed.
	TraitsChanged, ConsentsChanged bool
	// Merged says that the profile belongs to another person than before, or that
	// the person has other profiles than before, by a merge or an un-merge.
	Merged bool
}

// AppliedEvent is a message that was applied to a profile.
type AppliedEvent struct {
	// Name is that of the event: of a track call, or $identify and the like.
	Name string
	Type tracking.Type
	// Time is when it happened, Received when it came in, in Unix milliseconds.
	Time, Received int64
	MessageID      string
	// Source is the id of the API key that sent it, [NoteSource] for a note.
	Source string
	// Numbers are the numeric properties.
	Numbers []tracking.Number
	// Properties is a JSON object, "" without properties.
	Properties string
	// Again says that the message was refused when it was received, and taken in later.
	Again bool
}

// Observe registers an observer. It is called before [Service.Run]; what the
// stream holds when the service is opened is applied without being shown.
func (s *Service) Observe(o Observer) { s.projector.observers = append(s.projector.observers, o) }

// observed gathers what the observers of one batch are shown. Its memory is
// used again and again.
type observed struct {
	changes []Change
	events  []AppliedEvent
	numbers []tracking.Number
	places  []int // of changes: the position of the event, -1 without one
}

func (o *observed) reset() {
	clear(o.changes)
	clear(o.events)
	clear(o.numbers)
	o.changes, o.events, o.numbers, o.places = o.changes[:0], o.events[:0], o.numbers[:0], o.places[:0]
}

// applied notes a message. Pointers are set by finish, when nothing moves any
// more.
func (o *observed) applied(h *recordHeader, it *item, person identity.ID, sequence uint64, c *changes) {
	from := len(o.numbers)
	o.numbers = append(o.numbers, it.numbers...)
	o.events = append(o.events, AppliedEvent{
		Name: it.event, Type: it.kind, Time: it.time, Received: h.received, MessageID: it.messageID, Source: h.source,
		Numbers: o.numbers[from:len(o.numbers):len(o.numbers)], Properties: it.properties, Again: it.flags&flagAgain != 0,
	})
	o.changes = append(o.changes, Change{
		Profile: it.profile, Person: person, Sequence: sequence, TraitsChanged: c.traitsChanged, ConsentsChanged: c.consentsChanged,
	})
	o.places = append(o.places, len(o.events)-1)
}

// finish returns what is to be shown.
func (o *observed) finish() []Change {
	for i, place := range o.places {
		if place >= 0 {
			o.changes[i].Event = &o.events[place]
		}
	}
	return o.changes
}
