package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/profiles/identity"
	"quintet/profiles/traits"
)

// flushTimeout bounds one transaction of the projector.
const flushTimeout = 30 * time.Second

// chunkRows is how many rows one statement carries.
const chunkRows = 10_000

// save is a copy of everything that changed since the last one, made in one
// moment, so that the projector can go on while it is written.
type save struct {
	sequence uint64
	cards    cardColumns // rows that are written whole
	seen     seenColumns // rows of which only times and counters changed
	links    []linkRow
	identity identityChanges
	states   []*state
	dirts    []dirt // of the states, to be put back when writing fails
	oldest   int64
	// rechosen says that there is something to write at a position that is saved.
	rechosen bool
	consents []consentRow
	// suppressed goes to the list whose hashes suppressions makes.
	suppressed   []suppressionRow
	suppressions *suppressions
}

type seenColumns struct {
	ids          []string
	created, saw []time.Time
	events       []int64
}

type cardColumns struct {
	seenColumns
	updated    []time.Time
	traits     []string
	moment     []int64
	source     []string
	confidence []int16
	facts      []*string
}

func (s *seenColumns) add(st *state) {
	s.ids = append(s.ids, st.id.String())
	s.created = append(s.created, instant(st.created))
	s.saw = append(s.saw, instant(st.seen))
	s.events = append(s.events, int64(st.events))
}

func (c *cardColumns) add(st *state) error {
	golden, err := json.Marshal(orEmpty(st.record.Golden()))
	if err != nil {
		return fmt.Errorf("encoding the traits of profile %s: %w", st.id, err)
	}
	facts, err := encodeFacts(st.record.Listed())
	if err != nil {
		return fmt.Errorf("encoding the lineage of profile %s: %w", st.id, err)
	}
	at, origin := st.record.Shared()
	st.traitBytes = int32(len(golden))
	c.seenColumns.add(st)
	c.updated = append(c.updated, instant(st.updated))
	c.traits = append(c.traits, string(golden))
	c.moment = append(c.moment, int64(at))
	c.source = append(c.source, origin.Source)
	c.confidence = append(c.confidence, origin.Confidence)
	c.facts = append(c.facts, facts)
	return nil
}

func orEmpty(traits map[string]any) map[string]any {
	if traits == nil {
		return map[string]any{}
	}
	return traits
}

const upsertCards = `
INSERT INTO profiles AS p (profile_id, created_at, updated_at, last_seen_at, events, traits, traits_moment, traits_source, traits_confidence, facts)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::jsonb[], $7::bigint[], $8::text[], $9::smallint[], $10::jsonb[])
ON CONFLICT (profile_id) DO UPDATE SET
  created_at = excluded.created_at, updated_at = excluded.updated_at, last_seen_at = excluded.last_seen_at,
  events = excluded.events, traits = excluded.traits, traits_moment = excluded.traits_moment,
  traits_source = excluded.traits_source, traits_confidence = excluded.traits_confidence, facts = excluded.facts`

const updateSeen = `
UPDATE profiles AS p SET created_at = n.created_at, last_seen_at = n.last_seen_at, events = n.events
FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) AS n (profile_id, created_at, last_seen_at, events)
WHERE p.profile_id = n.profile_id`

const upsertLinks = `
INSERT INTO profile_identifiers AS i (namespace, value, profile_id, first_seen_at, stamp)
SELECT DISTINCT ON (n.namespace, n.value) n.namespace, n.value, n.profile_id, n.first_seen_at, n.stamp
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
  WITH ORDINALITY AS n (namespace, value, profile_id, first_seen_at, stamp, position)
ORDER BY n.namespace, n.value, n.stamp DESC, n.position DESC
ON CONFLICT (namespace, value) DO UPDATE SET
  profile_id = excluded.profile_id, stamp = excluded.stamp,
  first_seen_at = CASE WHEN i.profile_id = excluded.profile_id THEN least(i.first_seen_at, excluded.first_seen_at) ELSE excluded.first_seen_at END
WHERE i.stamp <= excluded.stamp`

// write stores a save and its position in one transaction. A position that is
// already as far means that another process did the same work from the same
// stream.
func (v *save) write(ctx context.Context, pool *pgxpool.Pool, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO profile_positions AS p (topic, sequence) VALUES ($1, $2)
			ON CONFLICT (topic) DO UPDATE SET sequence = excluded.sequence, saved_at = now()
			WHERE p.sequence < excluded.sequence OR $3 AND p.sequence = excluded.sequence`, topic, int64(v.sequence), v.rechosen)
		if err != nil {
			return fmt.Errorf("saving the position: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		for from, c := 0, &v.cards; from < len(c.ids); from += chunkRows {
			to := min(from+chunkRows, len(c.ids))
			if _, err := tx.Exec(ctx, upsertCards, c.ids[from:to], c.created[from:to], c.updated[from:to], c.saw[from:to], c.events[from:to],
				c.traits[from:to], c.moment[from:to], c.source[from:to], c.confidence[from:to], c.facts[from:to]); err != nil {
				return fmt.Errorf("saving profiles: %w", err)
			}
		}
		for from, c := 0, &v.seen; from < len(c.ids); from += chunkRows {
			to := min(from+chunkRows, len(c.ids))
			if _, err := tx.Exec(ctx, updateSeen, c.ids[from:to], c.created[from:to], c.saw[from:to], c.events[from:to]); err != nil {
				return fmt.Errorf("saving when profiles were seen: %w", err)
			}
		}
		for from := 0; from < len(v.links); from += chunkRows {
			if err := writeLinks(ctx, tx, v.links[from:min(from+chunkRows, len(v.links))]); err != nil {
				return fmt.Errorf("saving identifiers: %w", err)
			}
		}
		for from := 0; from < len(v.consents); from += chunkRows {
			if err := writeConsents(ctx, tx, v.consents[from:min(from+chunkRows, len(v.consents))]); err != nil {
				return fmt.Errorf("saving consents: %w", err)
			}
		}
		if err := v.suppressions.writeSuppressed(ctx, tx, v.suppressed); err != nil {
			return err
		}
		return v.identity.write(ctx, tx)
	})
}

func writeLinks(ctx context.Context, tx pgx.Tx, links []linkRow) error {
	n := len(links)
	namespaces, values, ids := make([]string, n), make([]string, n), make([]string, n)
	seen, stamps := make([]time.Time, n), make([]int64, n)
	for i, l := range links {
		namespaces[i], values[i], ids[i] = l.identifier.Namespace, l.identifier.Value, l.profile.String()
		seen[i], stamps[i] = instant(l.firstSeen), l.stamp
	}
	_, err := tx.Exec(ctx, upsertLinks, namespaces, values, ids, seen, stamps)
	return err
}

// load fills the store from Postgres and returns the position that it holds.
func (s *Store) load(ctx context.Context, pool *pgxpool.Pool, topic string) (sequence uint64, err error) {
	// One snapshot for all tables: another process may be writing.
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, fmt.Errorf("loading profiles: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // a read needs no commit
	// Reading millions of rows takes longer than a statement of a request may.
	if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
		return 0, fmt.Errorf("loading profiles: %w", err)
	}
	var position int64
	err = tx.QueryRow(ctx, `SELECT coalesce((SELECT sequence FROM profile_positions WHERE topic = $1), 0)`, topic).Scan(&position)
	if err != nil {
		return 0, fmt.Errorf("loading the position of profiles: %w", err)
	}
	if err := s.loadCards(ctx, tx); err != nil {
		return 0, fmt.Errorf("loading profiles: %w", err)
	}
	if err := s.loadLinks(ctx, tx); err != nil {
		return 0, fmt.Errorf("loading identifiers: %w", err)
	}
	if err := s.loadConsents(ctx, tx); err != nil {
		return 0, fmt.Errorf("loading consents: %w", err)
	}
	if s.clock, err = s.loadEntries(ctx, tx); err != nil {
		return 0, fmt.Errorf("loading the log of identity: %w", err)
	}
	return uint64(position), nil
}

func (s *Store) loadCards(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT profile_id, created_at, updated_at, last_seen_at, events, traits::text,
		traits_moment, traits_source, traits_confidence, facts::text FROM profiles`)
	if err != nil {
		return err
	}
	defer rows.Close()
	names := newInterner()
	for rows.Next() {
		var id, golden, source string
		var created, updated, seen time.Time
		var events, moment int64
		var confidence int16
		var facts *string
		if err := rows.Scan(&id, &created, &updated, &seen, &events, &golden, &moment, &source, &confidence, &facts); err != nil {
			return err
		}
		st := &state{created: created.UnixMilli(), updated: updated.UnixMilli(), seen: seen.UnixMilli(), events: uint64(events), traitBytes: int32(len(golden))}
		var ok bool
		if st.id, ok = identity.ParseID(id); !ok {
			return fmt.Errorf("%q is not a profile id", id)
		}
		if st.record, err = names.record(golden, traits.Moment(moment), names.origin(source, confidence), facts); err != nil {
			return fmt.Errorf("reading the traits of profile %s: %w", id, err)
		}
		// Rules may have changed while no process ran.
		st.record.Rechoose(s.rules.Load())
		s.put(st)
	}
	return rows.Err()
}

func (s *Store) loadLinks(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT namespace, value, profile_id, first_seen_at, stamp FROM profile_identifiers`)
	if err != nil {
		return err
	}
	defer rows.Close()
	names := newInterner()
	for rows.Next() {
		var id Identifier
		var profile string
		var seen time.Time
		var stamp int64
		if err := rows.Scan(&id.Namespace, &id.Value, &profile, &seen, &stamp); err != nil {
			return err
		}
		id.Namespace = names.text(id.Namespace)
		owner, ok := identity.ParseID(profile)
		if !ok {
			return fmt.Errorf("%q is not a profile id", profile)
		}
		s.index.Set(id, owner, stamp)
		if today, err := s.index.Normal(id); err == nil && today != id {
			s.index.Alias(today, owner, stamp)
		}
		if st := s.shard(owner).people[owner]; st != nil {
			st.identifiers = append(st.identifiers, id)
			st.firstSeen = append(st.firstSeen, seen.UnixMilli())
		}
	}
	return rows.Err()
}
