package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"quintet/internal/problem"
	"quintet/profiles/tracking"
)

// ExposureEvent is the event that says that somebody was shown a variant of an
// experiment.
const ExposureEvent = "Experiment Viewed"

// Exposure is an event that the service writes in the name of somebody who was given a
// variant, as a flag was evaluated for them.
type Exposure struct {
	// MessageID makes what is written twice count once.
	MessageID string
	// UserID and AnonymousID say who it was; one of them at least.
	UserID, AnonymousID string
	Experiment, Variant string
	At                  time.Time
	// Properties are further ones of the event; they must be JSON.
	Properties map[string]any
}

// maxExposures bounds what is written at once.
const maxExposures = 200

// TakeExposures takes exposures in as the events that a client would have sent, and
// returns when they are durable. Writing some of them again is safe.
func (s *Service) TakeExposures(ctx context.Context, source string, list []Exposure) error {
	type message struct {
		Type        string         `json:"type"`
		MessageID   string         `json:"messageId"`
		UserID      string         `json:"userId,omitempty"`
		AnonymousID string         `json:"anonymousId,omitempty"`
		Event       string         `json:"event"`
		Timestamp   time.Time      `json:"timestamp"`
		Properties  map[string]any `json:"properties"`
	}
	for len(list) > 0 {
		part := list[:min(len(list), maxExposures)]
		list = list[len(part):]
		batch := make([]message, len(part))
		for i := range part {
			e := &part[i]
			properties := map[string]any{"experimentId": e.Experiment, "variationId": e.Variant}
			maps.Copy(properties, e.Properties)
			batch[i] = message{
				Type: "track", MessageID: e.MessageID, UserID: e.UserID, AnonymousID: e.AnonymousID, Event: ExposureEvent,
				Timestamp: e.At.UTC(), Properties: properties,
			}
		}
		body, err := json.Marshal(map[string]any{"batch": batch})
		if err != nil {
			return fmt.Errorf("encoding %d exposures: %w", len(part), err)
		}
		parse := func(c *tracking.Call, received time.Time) error {
			return c.ParseWithin(string(body), tracking.Batch, received, tracking.Large)
		}
		out, err := s.ingest(ctx, parse, source, s.principal)
		if err != nil {
			return fmt.Errorf("taking in %d exposures: %w", len(part), err)
		}
		if len(out.rejected) > 0 {
			var all problem.Invalid
			for _, r := range out.rejected {
				all = append(all, r.Errors...)
			}
			return fmt.Errorf("taking in %d exposures: %w", len(part), all)
		}
	}
	return nil
}
