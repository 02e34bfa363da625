package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// NoteSource is the source of events that the service itself writes. Such an
// event is about a person and not by that person: it is no sign of life.
const NoteSource = "system"

// Note is an event that the service writes about a person, such as a move from
// one lifecycle segment to another.
type Note struct {
	Profile identity.ID
	Event   string
	// MessageID makes a note that is written twice count once in ClickHouse.
	MessageID string
	Time      time.Time
	// Properties must be JSON. A decisionId among them is the decision that the event is an
	// outcome of, as in messages that come in.
	Properties map[string]any
}

// decision is the decision that the event is an outcome of, empty for none.
func (n *Note) decision() string {
	id, _ := n.Properties["decisionId"].(string)
	if len(id) > tracking.MaxDecisionID {
		return ""
	}
	return id
}

// WriteNotes appends notes to the stream of events, from where they reach memory
// and ClickHouse like those that came in, and returns when they are durable. After
// an error some may have been written; writing all of them again is safe.
func (s *Service) WriteNotes(ctx context.Context, notes []Note) error {
	side := s.store.Enter()
	defer s.store.Leave(side)
	if notes = s.withoutErased(notes); len(notes) == 0 {
		return nil
	}
	var e encoder
	h := recordHeader{received: s.now().UnixMilli(), source: NoteSource}
	e.begin(h)
	for i, n := range notes {
		properties, err := json.Marshal(n.Properties)
		if err != nil {
			return fmt.Errorf("encoding the note %s: %w", n.Event, err)
		}
		if len(properties) > tracking.MaxMessage {
			return fmt.Errorf("the note %s has %d bytes of properties; %d may be", n.Event, len(properties), tracking.MaxMessage)
		}
		e.add(&item{
			profile: n.Profile, kind: tracking.Track, flags: flagTrusted, time: n.Time.UnixMilli(), index: uint32(e.items), messageID: n.MessageID,
			event: n.Event, properties: string(properties), decisionID: n.decision(),
		})
		if i+1 < len(notes) && len(e.buffer) < maxRecord-tracking.MaxMessage {
			continue
		}
		if _, err := s.topic.Publish(ctx, e.bytes()); err != nil {
			return fmt.Errorf("writing %d notes: %w", e.items, publishProblem(err))
		}
		e.begin(h)
	}
	return nil
}

// Stored is the sequence of the stream up to which ClickHouse has every event.
func (s *Service) Stored() uint64 { return s.sink.Position() }
