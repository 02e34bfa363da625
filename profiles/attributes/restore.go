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
		var page []remembered
		for rows.Next() {
			var p remembered
			if err := rows.Scan(&p.person, &p.at, &p.encoded, &p.known.history); err != nil {
				_ = rows.Close()
				return err
			}
			page = append(page, p)
		}
		err = rows.Err()
		_ = rows.Close()
		if err != nil {
			return err
		}
		if err := parallel(len(page), func(i int) error {
			if json.Unmarshal([]byte(page[i].encoded), &page[i].attributes) != nil {
				page[i].attributes = nil // the next run makes it anew
			}
			return nil
		}); err != nil {
			return err
		}
		for i := range page {
			s.restoreOne(&page[i])
		}
		after = last
	}
}

// remembered is the newest row of history of a person.
type remembered struct {
	person, encoded string
	at              time.Time
	known           known
	attributes      map[string]any
}

func (s *Service) restoreOne(p *remembered) {
	id, ok := identity.ParseID(p.person)
	if !ok || p.attributes == nil {
		return
	}
	passed(p.attributes, s.now().Sub(p.at))
	if p.known.since = p.at.UnixMilli(); s.profiles.Store().SetAttributes(id, s.shared.compact(p.attributes)) {
		s.known[id] = p.known
	}
}
