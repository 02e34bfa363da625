package profiles

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"

	engine "quintet/internal/clickhouse"
	"quintet/internal/stream"
	"quintet/profiles/tracking"
)

const insertEvents = `INSERT INTO events (message_id, type, event, profile_id, user_id, anonymous_id, timestamp, received_at,
decision_id, numbers, properties, traits, context, source, sequence, item)`

// eventColumns gathers rows by column, which is many times quicker to hand over
// than row by row. Low-cardinality columns are held as any, since the client
// boxes them one by one otherwise.
type eventColumns struct {
	messageID, profileID, userID, anonymousID, decisionID []string
	kind, event, source                                   []any
	time, received                                        []int64
	numbers                                               []any
	properties, traits, context                           []string
	sequence                                              []uint64
	item                                                  []uint32
	names                                                 *interner
}

// columns are in the order of insertEvents.
func (c *eventColumns) columns() []any {
	return []any{c.messageID, c.kind, c.event, c.profileID, c.userID, c.anonymousID, c.time, c.received, c.decisionID, c.numbers,
		c.properties, c.traits, c.context, c.source, c.sequence, c.item}
}

func (c *eventColumns) add(h *recordHeader, it *item, sequence uint64, source any) {
	c.messageID = append(c.messageID, it.messageID)
	c.kind = append(c.kind, kindNames[min(int(it.kind), len(kindNames)-1)])
	c.event = append(c.event, c.names.value(it.event))
	profile := ""
	if it.profile != nobody {
		profile = it.profile.String()
	}
	c.profileID = append(c.profileID, profile)
	c.userID = append(c.userID, it.userID)
	c.anonymousID = append(c.anonymousID, it.anonymousID)
	c.time = append(c.time, it.time)
	c.received = append(c.received, h.received)
	c.decisionID = append(c.decisionID, it.decisionID)
	c.numbers = append(c.numbers, &numberMap{numbers: append([]tracking.Number(nil), it.numbers...), names: c.names})
	c.properties = append(c.properties, objectText(it.properties))
	c.traits = append(c.traits, objectText(it.traits))
	c.context = append(c.context, objectText(it.context))
	c.source = append(c.source, source)
	c.sequence = append(c.sequence, sequence)
	c.item = append(c.item, it.index)
}

// kindNames are the names of message types, boxed once.
var kindNames = [...]any{
	tracking.Batch.String(), tracking.Track.String(), tracking.Identify.String(), tracking.Page.String(),
	tracking.Screen.String(), tracking.Group.String(), tracking.Alias.String(), "unknown",
}

func objectText(s string) string {
	if s == "" {
		return "{}"
	}
	return s
}

// numberMap shows numbers to the client as an ordered map, without building one.
type numberMap struct {
	numbers []tracking.Number
	names   *interner
	at      int
}

// Put is part of the interface; an insert does not use it.
func (*numberMap) Put(any, any) {}

// Iterator begins before the first number.
func (m *numberMap) Iterator() column.MapIterator { m.at = -1; return m }

// Next moves to the next number.
func (m *numberMap) Next() bool { m.at++; return m.at < len(m.numbers) }

// Key is the path of the number.
func (m *numberMap) Key() any { return m.names.value(m.numbers[m.at].Path) }

// Value is the number.
func (m *numberMap) Value() any { return m.numbers[m.at].Value }

// storeEvents writes one range of the stream into ClickHouse. The token of the
// range makes a second attempt at the same range a no-op, in the views on top
// as well.
func (s *Service) storeEvents(ctx context.Context, b stream.Batch) error {
	c := &eventColumns{names: newInterner()}
	var it item
	for _, m := range b.Messages {
		var h recordHeader
		d, err := decodeRecord(m.Data, &h)
		source := c.names.value(h.source)
		for i := 0; err == nil && i < h.items; i++ {
			if err = d.next(&h, &it); err == nil {
				c.add(&h, &it, m.Sequence, source)
			}
		}
		if err != nil {
			s.refuse(ctx, "events", m.Sequence, m.Data, err)
		}
	}
	if len(c.messageID) == 0 {
		return nil
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(engine.OnceSettings(b.Token())))
	batch, err := s.clickhouse.Write.PrepareBatch(ctx, insertEvents)
	if err != nil {
		return fmt.Errorf("preparing an insert of events: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	for i, values := range c.columns() {
		if err := batch.Column(i).Append(values); err != nil {
			return fmt.Errorf("filling column %d of events: %w", i, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d events: %w", len(c.messageID), err)
	}
	return s.watch(ctx, b.Token(), c)
}
