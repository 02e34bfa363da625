package profiles

import (
	"context"
	"iter"

	"quintet/profiles/traits"
)

// StoredEvent is an event as ClickHouse has it.
type StoredEvent struct {
	// Type, Event and Source are as in the table of events.
	Type, Event, Source string
	// Time is when it happened, Received when it came in, in Unix milliseconds.
	Time, Received int64
	// Properties, Traits and Context are JSON objects.
	Properties, Traits, Context string
}

// Watcher is shown what is stored.
type Watcher interface {
	// Stored is called with each range of the stream after ClickHouse has it, and
	// again with the same token and the same events where it is not certain that it was
	// called before: what it does must happen once by token. An error has the range
	// stored again. The events must not be kept.
	Stored(ctx context.Context, token string, events iter.Seq[*StoredEvent]) error
}

// UseWatcher sets the watcher. It is called before [Service.Run].
func (s *Service) UseWatcher(w Watcher) { s.watcher = w }

// maxWatchFailures is how often a range is stored again for the sake of the watcher.
// What it counts must not keep events from being stored.
const maxWatchFailures = 20

func (s *Service) watch(ctx context.Context, token string, c *eventColumns) error {
	if s.watcher == nil {
		return nil
	}
	err := s.showStored(ctx, token, c)
	if err == nil || ctx.Err() != nil {
		s.watchFailures = 0
		return err
	}
	if s.watchFailures++; s.watchFailures < maxWatchFailures {
		return err
	}
	s.watchFailures = 0
	s.log.Error("a range of events is stored and not counted: counting it failed too often", "range", token, "events", len(c.messageID), "error", err)
	return nil
}

func (s *Service) showStored(ctx context.Context, token string, c *eventColumns) error {
	return s.watcher.Stored(ctx, token, func(yield func(*StoredEvent) bool) {
		var e StoredEvent
		for i := range c.messageID {
			e = StoredEvent{
				Type: c.kind[i].(string), Event: c.event[i].(string), Source: c.source[i].(string), Time: c.time[i], Received: c.received[i],
				Properties: c.properties[i], Traits: c.traits[i], Context: c.context[i],
			}
			if !yield(&e) {
				return
			}
		}
	})
}

// TraitRules are the declarations of traits that are in force.
func (s *Service) TraitRules() *traits.Rules { return s.store.rules.Load() }
