package quality

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	engine "quintet/internal/clickhouse"
	"quintet/profiles"
)

const insertFields = `INSERT INTO quality_fields (bucket, source, event, field, present, empty, texts, numbers, flags, objects, arrays,
dates, emails, phones, cards, addresses, checked, broken, late, violations, overflow, minimum, maximum, first_seen, last_seen, registers)`

// Stored is part of [profiles.Watcher]: it counts a range of events. The token
// makes a second insert of the same range a no-op.
func (s *Service) Stored(ctx context.Context, token string, events iter.Seq[*profiles.StoredEvent]) error {
	o := newObservation(s.registry, s.schemas.current.Load(), s.profiles.TraitRules())
	for e := range events {
		o.add(e)
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(engine.OnceSettings(token)))
	batch, err := s.db.Write.PrepareBatch(ctx, insertFields)
	if err != nil {
		return fmt.Errorf("preparing an insert of counts: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	rows := 0
	o.rows(func(k rowKey, c *counts) {
		rows++
		if err != nil {
			return
		}
		err = batch.Append(time.UnixMilli(k.bucket).UTC(), k.source, k.event, k.field, c.present, c.empty, c.texts, c.numbers, c.flags, c.objects, c.arrays,
			c.dates, c.emails, c.phones, c.cards, c.addresses, c.checked, c.broken, c.late, c.violations, c.overflow, c.minimum, c.maximum,
			time.UnixMilli(c.first).UTC(), time.UnixMilli(c.last).UTC(), map[uint16]uint8(c.distinct.sketch()))
	})
	if err != nil {
		return fmt.Errorf("filling an insert of counts: %w", err)
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d counts: %w", rows, err)
	}
	return nil
}
