package profiles

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"quintet/profiles/consents"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// suppressionRow is what an event says about an address, on its way to Postgres. Memory
// takes it from there, so that what was taken off the list by hand after the event stays
// off it.
type suppressionRow struct {
	profile    identity.ID
	identifier Identifier
	reason     Reason
	lift       bool // the person wants it again
	at         int64
	source     string
}

// delivered takes in what a message says about the addresses of the person. An address
// that it names and that is not known as theirs counts from a trusted source only: who
// opens a page could stop the mail of others otherwise.
func (s *Store) delivered(st *state, h *recordHeader, it *item, c *changes) {
	if it.kind != tracking.Track || !consents.Reports(it.event) {
		return
	}
	d := consents.ParseDelivery(it.event, it.properties)
	row := suppressionRow{profile: st.id, at: it.time, source: strings.Clone(h.source)}
	switch d.Refusal {
	case consents.Accepted:
		return
	case consents.Bounced:
		row.reason = ReasonBounce
	case consents.Complained:
		row.reason = ReasonComplaint
	case consents.Unsubscribed:
		row.reason = ReasonUnsubscribe
	case consents.Resubscribed:
		row.reason, row.lift = ReasonUnsubscribe, true
	}
	var found []Identifier
	for _, namespace := range d.Namespaces {
		found = append(found, s.addresses(st, namespace)...)
	}
	if d.Address != "" {
		named, err := s.index.Normal(Identifier{Namespace: d.Namespaces[0], Value: d.Address})
		own := false
		for _, i := range found {
			own = own || i == named
		}
		if found = nil; err == nil && (own || it.flags&flagTrusted != 0) {
			found = []Identifier{{Namespace: named.Namespace, Value: strings.Clone(named.Value)}}
		}
	}
	if row.reason == ReasonBounce && len(found) > 1 {
		found = nil // which of them is not said
	}
	if len(found) == 0 || !row.lift && s.suppressions.size.Load() >= maxSuppressed {
		if row.reason != ReasonUnsubscribe { // that is a statement about consent as well
			c.unclear++
		}
		return
	}
	for _, row.identifier = range found {
		c.suppressed = append(c.suppressed, row)
	}
}

// addresses are those of a profile in a namespace, in normal form.
func (s *Store) addresses(st *state, namespace string) (found []Identifier) {
	add := func(value string) {
		i, err := s.index.Normal(Identifier{Namespace: namespace, Value: value})
		if err != nil {
			return
		}
		for _, other := range found {
			if other == i {
				return
			}
		}
		found = append(found, i)
	}
	for _, i := range st.identifiers {
		if i.Namespace == namespace && s.index.Owns(st.id, i) {
			add(i.Value)
		}
	}
	if text, ok := st.record.Golden()[namespace].(string); ok {
		add(text)
	}
	return found
}

// What events say comes to the same in whichever order: the weightier reason and the
// wider scope count, and what was taken off the list is on it again only by an event
// from after that.
const (
	upsertSuppression = `
INSERT INTO profile_suppressions AS p (hash, namespace, value, reason, scope, note, created_at, created_by, change)
VALUES ($1, $2, $3, $4, $5, '', $6, $7, nextval('profile_suppression_changes'))
ON CONFLICT (hash) DO UPDATE SET value = excluded.value,
  reason = CASE WHEN p.removed OR ` + weight + `p.reason) < ` + weight + `excluded.reason) THEN excluded.reason ELSE p.reason END,
  scope = CASE WHEN NOT p.removed AND p.scope = 'all' THEN 'all' ELSE excluded.scope END,
  note = CASE WHEN p.removed THEN '' ELSE p.note END,
  created_at = excluded.created_at, created_by = excluded.created_by, change = excluded.change, removed = false
WHERE CASE WHEN p.removed THEN p.created_at < excluded.created_at
  ELSE ` + weight + `p.reason) < ` + weight + `excluded.reason) OR p.reason <> 'erasure' AND p.scope = 'advertising' AND excluded.scope = 'all' END`
	weight = `array_position(ARRAY['bounce', 'unsubscribe', 'complaint', 'manual', 'erasure'], `

	liftSuppression = `
UPDATE profile_suppressions SET created_at = $2, created_by = $3, change = nextval('profile_suppression_changes'),
  removed = scope <> 'all', reason = CASE WHEN scope = 'all' THEN 'bounce' ELSE reason END
WHERE hash = $1 AND reason = 'unsubscribe' AND NOT removed AND created_at < $2`
)

// writeSuppressed stores what events said, in the transaction of the projector's
// position, so that it is done once.
func (l *suppressions) writeSuppressed(ctx context.Context, tx pgx.Tx, rows []suppressionRow) error {
	if len(rows) == 0 {
		return nil
	}
	// One change at a time, so that their numbers become visible in order.
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('profile_suppressions'))`); err != nil {
		return fmt.Errorf("saving suppressed addresses: %w", err)
	}
	for from := 0; from < len(rows); from += chunkRows {
		batch := new(pgx.Batch)
		for _, r := range rows[from:min(from+chunkRows, len(rows))] {
			hash := l.hash(r.identifier)
			if r.lift {
				batch.Queue(liftSuppression, hash[:], instant(r.at), r.source)
				continue
			}
			batch.Queue(upsertSuppression, hash[:], r.identifier.Namespace, r.identifier.Value, string(r.reason), string(usualScope(r.reason)), instant(r.at), r.source)
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("saving suppressed addresses: %w", err)
		}
	}
	_, err := tx.Exec(ctx, `SELECT pg_notify($1, '')`, suppressionChannel)
	return err
}
