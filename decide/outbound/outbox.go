package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	relayPage    = 500
	relayPause   = time.Second
	relayTimeout = 30 * time.Second
	// keepHanded is for how long messages stay that delivery has: as long as somebody
	// may look what became of a campaign.
	keepHanded = 90 * 24 * time.Hour
	// maxList bounds a page of messages.
	maxList = 500
)

// Outbox stores messages until delivery has them.
type Outbox struct {
	pool  *pgxpool.Pool
	queue Queue
	log   *slog.Logger
	now   func() time.Time
	wake  chan struct{}
}

// NewOutbox makes an outbox. Without a queue messages stay stored and wait for one.
func NewOutbox(pool *pgxpool.Pool, queue Queue, log *slog.Logger, now func() time.Time) *Outbox {
	if log == nil {
		log = slog.Default()
	}
	if now == nil {
		now = time.Now
	}
	return &Outbox{pool: pool, queue: queue, log: log, now: now, wake: make(chan struct{}, 1)}
}

// Put stores messages in a transaction of the caller and returns the keys that are
// new. A key that is there already is left as it is.
func (o *Outbox) Put(ctx context.Context, tx pgx.Tx, messages []Message) (fresh map[string]bool, err error) {
	fresh = make(map[string]bool, len(messages))
	if len(messages) == 0 {
		return fresh, nil
	}
	n := len(messages)
	key, origin, originKey, step := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	person, profile, body, sendAt := make([]string, n), make([]string, n), make([]string, n), make([]time.Time, n)
	for i := range messages {
		m := &messages[i]
		text, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("encoding a message: %w", err)
		}
		key[i], origin[i], originKey[i], step[i] = m.Key, m.Origin, m.OriginKey, m.Step
		person[i], profile[i], body[i], sendAt[i] = m.Person, m.ProfileID, string(text), m.SendAt
	}
	rows, err := tx.Query(ctx, `INSERT INTO outbox_messages (key, origin, origin_key, step, person, profile_id, body, send_at, stored_at)
		SELECT *, $9::timestamptz FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::timestamptz[])
		ON CONFLICT (key) DO NOTHING RETURNING key`, key, origin, originKey, step, person, profile, body, sendAt, o.now())
	if err != nil {
		return nil, fmt.Errorf("storing %d messages: %w", n, err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("storing %d messages: %w", n, err)
	}
	for _, k := range stored {
		fresh[k] = true
	}
	return fresh, nil
}

// Nudge has stored messages handed over at once. It is called after the commit.
func (o *Outbox) Nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Run hands messages to delivery until ctx ends. What fails is tried again.
func (o *Outbox) Run(ctx context.Context) error {
	if o.queue == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(relayPause)
	defer tick.Stop()
	var pruned time.Time
	for {
		for {
			n, err := o.relay(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				o.log.Warn("handing messages to delivery; the same is tried again", "error", err)
			}
			if n < relayPage || err != nil {
				break
			}
		}
		if now := o.now(); now.Sub(pruned) > time.Hour {
			pruned = now
			if _, err := o.pool.Exec(ctx, `DELETE FROM outbox_messages WHERE handed_at < $1`, now.Add(-keepHanded)); err != nil && ctx.Err() == nil {
				o.log.Warn("removing old messages", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-o.wake:
		}
	}
}

// Settle hands over all messages that wait and returns how many there were: for a clock
// that jumps. It may run beside [Outbox.Run].
func (o *Outbox) Settle(ctx context.Context) (moved int, err error) {
	for o.queue != nil {
		n, err := o.relay(ctx)
		if err != nil {
			return moved, err
		}
		if moved += n; n < relayPage {
			break
		}
	}
	return moved, nil
}

// relay hands one page over. Killed between the two statements, it hands the page
// over again, which the queue drops by the keys.
func (o *Outbox) relay(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	n := 0
	err := pgx.BeginFunc(ctx, o.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT body FROM outbox_messages WHERE handed_at IS NULL ORDER BY number LIMIT $1 FOR UPDATE SKIP LOCKED`, relayPage)
		if err != nil {
			return err
		}
		page, err := collect(rows)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := o.queue.Enqueue(ctx, page); err != nil {
			return fmt.Errorf("enqueueing %d messages: %w", len(page), err)
		}
		keys := make([]string, len(page))
		for i := range page {
			keys[i] = page[i].Key
		}
		if _, err := tx.Exec(ctx, `UPDATE outbox_messages SET handed_at = $2 WHERE key = ANY($1)`, keys, o.now()); err != nil {
			return err
		}
		n = len(page)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("relaying messages: %w", err)
	}
	return n, nil
}

func collect(rows pgx.Rows) ([]Message, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Message, err error) {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return m, err
		}
		return m, json.Unmarshal(body, &m)
	})
}

// Stored is a message with where it is.
type Stored struct {
	Message
	Number   int64      `json:"number" doc:"Grows with every message"`
	StoredAt time.Time  `json:"storedAt"`
	HandedAt *time.Time `json:"handedAt,omitempty" doc:"When delivery took it; absent while it waits"`
}

// List are messages of a campaign or scenario, newest first, from the one before a
// number on; 0 is from the newest.
func (o *Outbox) List(ctx context.Context, origin, originKey string, before int64, limit int) ([]Stored, error) {
	rows, err := o.pool.Query(ctx, `SELECT body, number, stored_at, handed_at FROM outbox_messages
		WHERE origin = $1 AND origin_key = $2 AND ($3 = 0 OR number < $3) ORDER BY number DESC LIMIT $4`, origin, originKey, before, min(limit, maxList))
	if err != nil {
		return nil, fmt.Errorf("listing messages: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Stored, err error) {
		var body []byte
		if err := row.Scan(&body, &s.Number, &s.StoredAt, &s.HandedAt); err != nil {
			return s, err
		}
		return s, json.Unmarshal(body, &s.Message)
	})
	if err != nil {
		return nil, fmt.Errorf("listing messages: %w", err)
	}
	return out, nil
}

// Withdraw removes messages of a campaign or scenario that delivery does not have
// yet, and returns how many there were.
func (o *Outbox) Withdraw(ctx context.Context, tx pgx.Tx, origin, originKey string) (int64, error) {
	tag, err := tx.Exec(ctx, `DELETE FROM outbox_messages WHERE origin = $1 AND origin_key = $2 AND handed_at IS NULL`, origin, originKey)
	if err != nil {
		return 0, fmt.Errorf("withdrawing messages: %w", err)
	}
	return tag.RowsAffected(), nil
}
