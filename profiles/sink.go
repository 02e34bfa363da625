package profiles

import (
	"context"
	"fmt"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/stream"
)

const insertEvents = `INSERT INTO events (message_id, type, event, profile_id, user_id, anonymous_id, timestamp, received_at, decision_id,
	numbers, properties, traits, context, source, sequence, item)`

// store writes one range of the stream into ClickHouse. The range's token makes a
// repetition of the same range a no-op, also in the views on top.
func (s *Service) storeEvents(ctx context.Context, b stream.Batch) error {
	ctx = ch.Context(ctx, ch.WithSettings(ch.Settings{
		"insert_deduplicate":                                 1,
		"insert_deduplication_token":                         b.Token(),
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		"throw_on_max_partitions_per_insert_block":           0,
	}))
	batch, err := s.clickhouse.Write.PrepareBatch(ctx, insertEvents)
	if err != nil {
		return fmt.Errorf("preparing an insert of events: %w", err)
	}
	defer batch.Close()
	rows := 0
	for _, m := range b.Messages {
		n, err := appendEvents(batch, m)
		if err != nil {
			return err
		}
		if n < 0 {
			s.refuse(ctx, "clickhouse", m.Sequence, m.Data, fmt.Errorf("the record cannot be read"))
			continue
		}
		rows += n
	}
	if rows == 0 {
		return batch.Abort()
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d events: %w", rows, err)
	}
	return nil
}

type appender interface{ Append(v ...any) error }

// appendEvents adds the items of one stream message and returns their number, -1
// for a message that cannot be read, of which nothing is added.
func appendEvents(batch appender, m stream.Message) (int, error) {
	var h recordHeader
	if !readable(m.Data) {
		return -1, nil
	}
	d, err := decodeRecord(m.Data, &h)
	if err != nil {
		return -1, nil
	}
	var it item
	received := instant(h.received)
	for range h.items {
		if err := d.next(&h, &it); err != nil {
			return 0, err // readable said otherwise
		}
		numbers := make(map[string]float64, len(it.numbers))
		for _, n := range it.numbers {
			numbers[n.Path] = n.Value
		}
		if err := batch.Append(it.messageID, it.kind.String(), it.event, it.profile.String(), it.userID, it.anonymousID,
			instant(it.time), received, it.decisionID, numbers, objectOr(it.properties), objectOr(it.traits), objectOr(it.context),
			h.source, m.Sequence, it.index); err != nil {
			return 0, fmt.Errorf("adding event %s: %w", it.messageID, err)
		}
	}
	return h.items, nil
}

// readable says whether a whole message can be read, so that a damaged one adds
// no half of itself.
func readable(data []byte) bool {
	var h recordHeader
	d, err := decodeRecord(data, &h)
	if err != nil {
		return false
	}
	var it item
	for range h.items {
		if d.next(&h, &it) != nil {
			return false
		}
	}
	return true
}

func objectOr(text string) string {
	if text == "" {
		return "{}"
	}
	return text
}

// refuse keeps a record of the stream that a reader could not understand. It does
// not fail: stopping would hold up every record behind it.
func (s *Service) refuse(ctx context.Context, reader string, sequence uint64, payload []byte, reason error) {
	s.log.Error("unreadable record of the stream set aside", "reader", reader, "sequence", sequence, "error", reason)
	if _, err := s.postgres.Exec(ctx, `INSERT INTO rejected_records (topic, reader, sequence, reason, payload)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, Topic, reader, int64(sequence), reason.Error(), payload); err != nil {
		s.log.Error("keeping an unreadable record", "sequence", sequence, "error", err)
	}
}
