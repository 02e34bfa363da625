package profiles

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"quintet/profiles/identity"
	"quintet/profiles/segments"
)

const (
	// peopleInterval is the usual time between two writes of the table of people.
	peopleInterval = time.Second
	// peopleBatch is how many people one write takes; the others wait for the next.
	peopleBatch = 20_000
	// peopleRest is how many times longer than a write the pause after it is at least,
	// so that people who all change at once do not cost more than events do.
	peopleRest = 3
)

// peopleWriter keeps the table of people in ClickHouse as memory is. Whoever
// changes several times between two writes is written once; what is not written
// when the process ends is found again at the next start.
type peopleWriter struct {
	s       *Segments
	mu      sync.Mutex
	changed map[identity.ID]struct{}
	// everybody says that all are to be written again.
	everybody atomic.Bool
}

func newPeopleWriter(s *Segments) *peopleWriter {
	return &peopleWriter{s: s, changed: map[identity.ID]struct{}{}}
}

func (w *peopleWriter) touch(id identity.ID) {
	w.mu.Lock()
	w.changed[id] = struct{}{}
	w.mu.Unlock()
}

// waiting is how many people have changes that are not written.
func (w *peopleWriter) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.changed)
}

func (w *peopleWriter) take() []identity.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := make([]identity.ID, 0, min(len(w.changed), peopleBatch))
	for id := range w.changed {
		if len(ids) == peopleBatch {
			break
		}
		ids = append(ids, id)
		delete(w.changed, id)
	}
	return ids
}

func (w *peopleWriter) run(ctx context.Context) error {
	pause, compared := time.Duration(0), false
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_ = w.flush(last) // what is left is found at the next start
			return ctx.Err()
		case <-timer.C:
		}
		var err error
		if !compared {
			if err = w.compare(ctx); err == nil {
				compared = true
			}
		}
		started := time.Now()
		if w.everybody.Swap(false) {
			w.touchAll()
		}
		if err == nil {
			err = w.flush(ctx)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			pause = min(max(2*pause, peopleInterval), maxPrepareBackoff)
			w.s.log.Warn("cannot write people to ClickHouse; the same is tried again", "error", err, "pause", pause)
		default:
			pause = max(peopleInterval, peopleRest*time.Since(started))
		}
	}
}

// compare finds out, once after the start, who is not in the table as they are in
// memory. An empty table is written from the beginning that way.
func (w *peopleWriter) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	type row struct {
		events  uint64
		updated int64
	}
	known := map[identity.ID]row{}
	rows, err := w.s.clickhouse.Read.Query(ctx, `SELECT person_id, event_count, toUnixTimestamp64Milli(updated_at) FROM people FINAL`)
	if err != nil {
		return fmt.Errorf("reading the table of people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		var r row
		if err := rows.Scan(&text, &r.events, &r.updated); err != nil {
			return fmt.Errorf("reading the table of people: %w", err)
		}
		if id, ok := identity.ParseID(text); ok {
			known[id] = r
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the table of people: %w", err)
	}
	store := w.s.profiles.store
	var ids []identity.ID
	for shard := range storeShards {
		ids = store.idsOf(shard, ids[:0])
		for _, id := range ids {
			if store.PersonOf(id) != id {
				continue
			}
			v, ok := store.GetPerson(id)
			if !ok {
				continue
			}
			if r, there := known[id]; !there || r.events != v.Events || r.updated != v.UpdatedAt.UnixMilli() {
				w.touch(id)
			}
			delete(known, id)
		}
	}
	for id := range known { // merged, or gone
		w.touch(id)
	}
	return nil
}

// flush writes one batch of those who changed.
func (w *peopleWriter) flush(ctx context.Context) error {
	ids := w.take()
	if len(ids) == 0 {
		return nil
	}
	if err := w.write(ctx, ids); err != nil {
		for _, id := range ids {
			w.touch(id)
		}
		return err
	}
	return nil
}

func (w *peopleWriter) touchAll() {
	var ids []identity.ID
	for shard := range storeShards {
		ids = w.s.profiles.store.idsOf(shard, ids[:0])
		for _, id := range ids {
			w.touch(w.s.profiles.store.PersonOf(id))
		}
	}
}

const insertPeople = `INSERT INTO people (person_id, created_at, updated_at, last_seen_at, event_count, identifiers, consents,
trait_names, trait_texts, trait_numbers, trait_flags, trait_dates, trait_lists,
attribute_names, attribute_texts, attribute_numbers, attribute_flags, attribute_dates, attribute_lists, version, deleted)`

func (w *peopleWriter) write(ctx context.Context, ids []identity.ID) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	batch, err := w.s.clickhouse.Write.PrepareBatch(ctx, insertPeople)
	if err != nil {
		return fmt.Errorf("preparing an insert of people: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	store := w.s.profiles.store
	now := w.s.profiles.now()
	version := uint64(now.UnixNano())
	for _, id := range ids {
		v, ok := store.GetPerson(id)
		deleted := uint8(0)
		if !ok || store.PersonOf(id) != id {
			v, deleted = &View{}, 1
		}
		identifiers := map[string][]string{}
		for _, i := range v.Identifiers {
			identifiers[i.Namespace] = append(identifiers[i.Namespace], i.Value)
		}
		consents := [][]any{}
		for _, c := range consentsOf(v, now.UnixMilli()) {
			consents = append(consents, []any{c.Purpose, c.Channel, c.Status})
		}
		traits, attributes := segments.Flatten(v.Traits), segments.Flatten(v.Attributes)
		if err := batch.Append(id.String(), moment(v.CreatedAt), moment(v.UpdatedAt), moment(v.LastSeenAt), v.Events, identifiers, consents,
			traits.Names, traits.Texts, traits.Numbers, traits.Flags, traits.Dates, traits.Lists,
			attributes.Names, attributes.Texts, attributes.Numbers, attributes.Flags, attributes.Dates, attributes.Lists, version, deleted); err != nil {
			return fmt.Errorf("filling an insert of people: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d people: %w", len(ids), err)
	}
	return nil
}

// moment is a time that the table can hold.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return instant(0)
	}
	return t.UTC()
}

// Flush waits until the table of people holds what memory held when it was called,
// and until nobody waits for their segments to be worked out.
func (s *Segments) Flush(ctx context.Context) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for s.people.waiting() > 0 || s.pending.len() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for segments: %w", ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}
