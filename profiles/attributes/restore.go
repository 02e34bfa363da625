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
		rows, err := s.db.Read.Query(ctx, fmt.Sprintf(`SELECT person_id, computed_at, attributes, hash FROM profile_attributes
			WHERE person_id > ? ORDER BY person_id, computed_at DESC LIMIT 1 BY person_id LIMIT %d`, pageSize), after)
		if err != nil {
			return err
		}
		n := 0
		for rows.Next() {
			var person, encoded string
			var at time.Time
			var k known
			if err := rows.Scan(&person, &at, &encoded, &k.history); err != nil {
				_ = rows.Close()
				return err
			}
			n++
			after = person
			s.restoreOne(person, at, encoded, k)
		}
		err = rows.Err()
		_ = rows.Close()
		if err != nil || n < pageSize {
			return err
		}
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
