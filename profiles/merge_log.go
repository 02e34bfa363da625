package profiles

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/profiles/identity"
)

// The log of identity says which profiles were joined and told apart, by whom
// and why. Entries come with the messages that brought them, or alone when a
// person decides; either way through the stream, so that all who read it come
// to the same people at the same moments.

// entryBits is how many bits of a position count the entries of one sequence.
const entryBits = 20

// entryRow is one entry as it is kept.
type entryRow struct {
	identity.Entry
	position int64 // place in the log: sequence of the stream and place behind it
	source   string
	valid    int64 // from when it counts, in Unix milliseconds; never before the entry before it
}

// moveRow says that a profile belongs to a person from a moment on.
type moveRow struct {
	profile, person identity.ID
	valid           int64
	position        int64
}

// identityChanges is what Postgres does not have yet of the log.
type identityChanges struct {
	entries []entryRow
	moves   []moveRow
}

// settle applies the entries of a record to the people in memory. A moment of
// the log is never before the one of the entry before it, whatever the clocks of
// processes say: a map as of a moment must be that of a beginning of the log.
// before is how many entries records of the same sequence had.
func (p *projector) settle(h *recordHeader, sequence uint64, before int, entries []identity.Entry) {
	for i := range entries {
		e := &entries[i]
		p.clock = max(p.clock, h.received)
		row := entryRow{Entry: *e, position: int64(sequence<<entryBits | uint64(before+i)), source: strings.Clone(h.source), valid: p.clock}
		row.Rule, row.Evidence = strings.Clone(e.Rule), strings.Clone(e.Evidence)
		row.By, row.Reason = strings.Clone(e.By), strings.Clone(e.Reason)
		p.changes.identity.entries = append(p.changes.identity.entries, row)
		p.store.index.Record(e)
		moves := p.store.merges.Apply(e)
		for _, m := range moves {
			p.changes.identity.moves = append(p.changes.identity.moves, moveRow{m.Profile, m.To, p.clock, row.position})
		}
		if len(moves) > 0 && len(p.observers) > 0 {
			p.observed.merged(p.store, e, sequence)
		}
	}
}

// merged notes everybody whose person has other profiles than before.
func (o *observed) merged(s *Store, e *identity.Entry, sequence uint64) {
	show := func(person identity.ID) {
		for _, id := range s.Members(person) {
			o.changes = append(o.changes, Change{Profile: id, Person: person, Sequence: sequence, Merged: true})
			o.places = append(o.places, -1)
		}
	}
	a, b := s.PersonOf(e.A), s.PersonOf(e.B)
	show(a)
	if a != b {
		show(b)
	}
}

const insertEdges = `
INSERT INTO identity_edges (position, entry_id, kind, a, b, since_a, since_b, stamp, rule, explicit, evidence, source, decided_by, reason, valid_from)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bigint[], $9::text[],
  $10::boolean[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[])
ON CONFLICT (position) DO NOTHING`

const insertMoves = `
INSERT INTO identity_moves (position, profile_id, person_id, valid_from)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[])
ON CONFLICT (position, profile_id) DO NOTHING`

// write adds the changes to the log.
func (c *identityChanges) write(ctx context.Context, tx pgx.Tx) error {
	for from := 0; from < len(c.entries); from += chunkRows {
		if err := writeEntries(ctx, tx, c.entries[from:min(from+chunkRows, len(c.entries))]); err != nil {
			return fmt.Errorf("saving the log of identity: %w", err)
		}
	}
	for from := 0; from < len(c.moves); from += chunkRows {
		rows := c.moves[from:min(from+chunkRows, len(c.moves))]
		n := len(rows)
		positions, profiles, people, valid := make([]int64, n), make([]string, n), make([]string, n), make([]time.Time, n)
		for i, m := range rows {
			positions[i], profiles[i], people[i], valid[i] = m.position, m.profile.String(), m.person.String(), instant(m.valid)
		}
		if _, err := tx.Exec(ctx, insertMoves, positions, profiles, people, valid); err != nil {
			return fmt.Errorf("saving whom profiles belong to: %w", err)
		}
	}
	return nil
}

func writeEntries(ctx context.Context, tx pgx.Tx, rows []entryRow) error {
	n := len(rows)
	positions, stamps, explicit := make([]int64, n), make([]int64, n), make([]bool, n)
	ids, kinds, as, bs := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	rules, evidence, sources, by, reasons := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	sinceA, sinceB, valid := make([]time.Time, n), make([]time.Time, n), make([]time.Time, n)
	for i := range rows {
		e := &rows[i]
		positions[i], stamps[i], explicit[i] = e.position, e.Stamp, e.Explicit
		ids[i], kinds[i], as[i], bs[i] = e.ID().String(), e.Kind.String(), e.A.String(), e.B.String()
		rules[i], evidence[i], sources[i], by[i], reasons[i] = e.Rule, e.Evidence, e.source, e.By, e.Reason
		sinceA[i], sinceB[i], valid[i] = instant(e.SinceA), instant(e.SinceB), instant(e.valid)
	}
	_, err := tx.Exec(ctx, insertEdges, positions, ids, kinds, as, bs, sinceA, sinceB, stamps, rules, explicit, evidence, sources, by, reasons, valid)
	return err
}

// loadEntries applies the whole log and returns the moment of its last entry.
func (s *Store) loadEntries(ctx context.Context, tx pgx.Tx) (clock int64, err error) {
	rows, err := tx.Query(ctx, `SELECT kind, a, b, since_a, since_b, stamp, explicit, valid_from FROM identity_edges ORDER BY position`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var e identity.Entry
		var kind, a, b string
		var sinceA, sinceB, valid time.Time
		if err := rows.Scan(&kind, &a, &b, &sinceA, &sinceB, &e.Stamp, &e.Explicit, &valid); err != nil {
			return 0, err
		}
		var known, okA, okB bool
		e.Kind, known = identity.ParseEntryKind(kind)
		e.A, okA = identity.ParseID(a)
		e.B, okB = identity.ParseID(b)
		if !known || !okA || !okB {
			return 0, fmt.Errorf("%q between %q and %q is no entry", kind, a, b)
		}
		e.SinceA, e.SinceB = sinceA.UnixMilli(), sinceB.UnixMilli()
		s.index.Record(&e)
		s.merges.Apply(&e)
		clock = max(clock, valid.UnixMilli())
	}
	return clock, rows.Err()
}

// since is when the profile was first known, in Unix milliseconds; unknown is
// for one of which nothing has been projected yet.
func (s *Store) since(id identity.ID, unknown int64) int64 {
	sh := s.shard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if st, ok := sh.people[id]; ok {
		return st.created
	}
	return unknown
}
