package profiles

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/profiles/consents"
	"quintet/profiles/identity"
)

const upsertConsents = `
INSERT INTO profile_consents AS c (profile_id, purpose, channel, topic, confirmed, status, stated_at, expires_at, source, message_id, proof)
SELECT DISTINCT ON (n.profile_id, n.purpose, n.channel, n.topic, n.confirmed)
  n.profile_id, n.purpose, n.channel, n.topic, n.confirmed, n.status, n.stated_at, n.expires_at, n.source, n.message_id, n.proof
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::jsonb[])
  WITH ORDINALITY AS n (profile_id, purpose, channel, topic, confirmed, status, stated_at, expires_at, source, message_id, proof, position)
ORDER BY n.profile_id, n.purpose, n.channel, n.topic, n.confirmed, n.position DESC
ON CONFLICT (profile_id, purpose, channel, topic, confirmed) DO UPDATE SET
  status = excluded.status, stated_at = excluded.stated_at, expires_at = excluded.expires_at, source = excluded.source,
  message_id = excluded.message_id, proof = excluded.proof`

func writeConsents(ctx context.Context, tx pgx.Tx, rows []consentRow) error {
	n := len(rows)
	ids, purposes, channels, topics, statuses := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	sources, messages, proofs, confirmed := make([]string, n), make([]string, n), make([]string, n), make([]bool, n)
	at, expires := make([]time.Time, n), make([]*time.Time, n)
	for i, r := range rows {
		s := &r.statement
		ids[i], purposes[i], channels[i], topics[i] = r.profile.id.String(), s.Key.Purpose, s.Key.Channel, s.Key.Topic
		statuses[i], confirmed[i], at[i] = string(s.Status), s.Confirmed, instant(s.At)
		if s.Expires != 0 {
			until := instant(s.Expires)
			expires[i] = &until
		}
		sources[i], messages[i], proofs[i] = *s.Source, r.messageID, r.proof
	}
	_, err := tx.Exec(ctx, upsertConsents, ids, purposes, channels, topics, confirmed, statuses, at, expires, sources, messages, proofs)
	return err
}

// loadConsents fills in what people stated. Their states are loaded.
func (s *Store) loadConsents(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT profile_id, purpose, channel, topic, confirmed, status, stated_at, expires_at, source FROM profile_consents`)
	if err != nil {
		return err
	}
	defer rows.Close()
	names := newInterner()
	for rows.Next() {
		var id, status, source string
		var key consents.Key
		var one consents.Statement
		var at time.Time
		var expires *time.Time
		if err := rows.Scan(&id, &key.Purpose, &key.Channel, &key.Topic, &one.Confirmed, &status, &at, &expires, &source); err != nil {
			return err
		}
		owner, ok := identity.ParseID(id)
		if !ok {
			return fmt.Errorf("%q is not a profile id", id)
		}
		st := s.shard(owner).people[owner]
		if st == nil {
			continue
		}
		one.Key, one.Status, one.At, one.Source = names.consentKey(key), consents.Status(status), at.UnixMilli(), &names.origin(source, 0).Source
		if expires != nil {
			one.Expires = expires.UnixMilli()
		}
		next, _, _ := st.stated().With(one)
		st.consents = &next
	}
	return rows.Err()
}
