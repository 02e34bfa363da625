package attributes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"quintet/profiles/identity"
)

// restore fills memory with the newest row of history of each person.
func (s *Service) restore(ctx context.Context) error {
	after := ""
	for {
		// The order of the table finds the end of a page without reading what lies behind.
		var last string
		err := s.db.Read.QueryRow(ctx, fmt.Sprintf("SELECT max(person_id) FROM (SELECT person_id FROM profile_attributes WHERE person_id > ? ORDER BY person_id LIMIT %d)", pageSize), after).Scan(&last)
		if err != nil || last == "" {
			return err
		}
		rows, err := s.db.Read.Query(ctx, `SELECT person_id, newest.1, newest.2, newest.3 FROM (
			SELECT person_id, argMax((computed_at, attributes, hash), computed_at) AS newest FROM profile_attributes
			WHERE person_id > ? AND person_id <= ? GROUP BY person_id)`, after, last)
		if err != nil {
			return err
		}
		for rows.Next() {
			var person, encoded string
			var at time.Time
			var k known
			if err := rows.Scan(&person, &at, &encoded, &k.history); err != nil {
				_ = rows.Close()
				return err
			}
			s.restoreOne(person, at, encoded, k)
		}
		err = rows.Err()
		_ = rows.Close()
		if err != nil {
			return err
		}
		after = last
	}
}

func (s *Service) restoreOne(person string, at time.Time, encoded string, k known) {
	id, ok := identity.ParseID(person)
	attributes := map[string]any{}
	if !ok || json.Unmarshal([]byte(encoded), &attributes) != nil {
		return // the next run makes it anew
	}
	passed(attributes, s.now().Sub(at))
	if k.since = at.UnixMilli(); s.profiles.Store().SetAttributes(id, s.shared.compact(attributes)) {
		s.known[id] = k
	}
}
