package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/oklog/ulid/v2"

	"quintet/decide/channels"
	"quintet/decide/outbound"
)

// maxEnqueue bounds the messages of one call.
const maxEnqueue = 1000

func newID() string { return ulid.Make().String() }

// Enqueue is part of [outbound.Queue]: it returns when all messages are durable. A
// message whose key is known is dropped.
func (s *Service) Enqueue(ctx context.Context, messages []outbound.Message) error {
	for len(messages) > 0 {
		n := min(len(messages), maxEnqueue)
		if err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.enqueue(ctx, tx, messages[:n]) }); err != nil {
			return fmt.Errorf("storing %d messages: %w", n, err)
		}
		messages = messages[n:]
	}
	return nil
}

func (s *Service) enqueue(ctx context.Context, tx pgx.Tx, messages []outbound.Message) error {
	now := s.now()
	batch := new(pgx.Batch)
	for i := range messages {
		m := &messages[i]
		if m.Key == "" || m.Channel == "" || m.ProfileID == "" {
			return fmt.Errorf("a message needs a key, a channel and a profile: %q, %q, %q", m.Key, m.Channel, m.ProfileID)
		}
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("encoding a message: %w", err)
		}
		steps, err := s.steps(m.Channel)
		if err != nil {
			return err
		}
		first, due := m.Channel, m.SendAt
		if len(steps) > 0 {
			first = steps[0].Channel
		}
		if due.IsZero() {
			due = now
		}
		var cascade []byte
		if len(steps) > 0 {
			if cascade, err = json.Marshal(steps); err != nil {
				return fmt.Errorf("encoding a cascade: %w", err)
			}
		}
		batch.Queue(`WITH new AS (
				INSERT INTO deliveries (id, key, person, profile_id, decision_id, channel, body, cascade, state, created_at, updated_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $9) ON CONFLICT (key) DO NOTHING RETURNING id)
			INSERT INTO delivery_steps (delivery, step, channel, state, due_at) SELECT id, 0, $10, 'queued', $11 FROM new`,
			newID(), m.Key, m.Person, m.ProfileID, m.DecisionID, m.Channel, body, cascade, now, first, due)
	}
	return tx.SendBatch(ctx, batch).Close()
}

// steps are those of a channel that is a cascade; none for others.
func (s *Service) steps(channel string) ([]channels.CascadeStep, error) {
	d, err := s.driver(channel)
	if err != nil || d == nil || d.config.Cascade == nil {
		return nil, err
	}
	return d.config.Cascade.Steps, nil
}

// backoff is the pause before an attempt: half a minute that doubles, six hours at
// most, or what the provider asks for when that is longer.
func backoff(attempt int, asked time.Duration) time.Duration {
	d := min(30*time.Second<<min(max(attempt-1, 0), 16), 6*time.Hour)
	return max(d, asked)
}
