package quality

import (
	"context"
	"encoding/json"
	"fmt"

	"quintet/profiles"
)

// shortText is the length in bytes below which an identifier is looked for as a
// whole value: inside of other texts it would be found everywhere.
const shortText = 6

// needles are the byte sequences that a message about the person has.
func needles(sub *profiles.ErasureSubject) [][]byte {
	var list [][]byte
	for _, id := range sub.Texts() {
		list = append(list, []byte(id))
	}
	for _, i := range sub.Identifiers {
		if len(i.Value) >= shortText {
			list = append(list, []byte(i.Value))
		}
		if quoted, err := json.Marshal(i.Value); err == nil { // as JSON writes it, escapes included
			list = append(list, quoted)
		}
	}
	return list
}

// aboutPerson are the rows that hold one of the needles $1.
const aboutPerson = `EXISTS (SELECT FROM unnest($1::bytea[]) n WHERE position(n IN body) > 0 OR position(n IN shared) > 0
	OR position(n IN convert_to(concat_ws(' ', '"' || message_id || '"', errors, field, rule, source), 'UTF8')) > 0)`

// Erase is part of [profiles.ErasurePart]: what the person sent and what was refused
// goes from quarantine. Counts name nobody.
func (s *Service) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	if err := s.quarantine.flush(ctx); err != nil {
		return nil, err
	}
	s.quarantine.storing.Lock()
	defer s.quarantine.storing.Unlock()
	tag, err := s.postgres.Exec(ctx, `DELETE FROM quarantine WHERE `+aboutPerson, needles(sub))
	if err != nil {
		return nil, fmt.Errorf("erasing from the quarantine: %w", err)
	}
	return map[string]int64{"postgres quarantine": tag.RowsAffected()}, nil
}

// Check is part of [profiles.ErasurePart].
func (s *Service) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	check := profiles.ErasureCheck{Store: "postgres", What: "quarantine, item by item"}
	if err := s.postgres.QueryRow(ctx, `SELECT count(*) FROM quarantine WHERE `+aboutPerson, needles(sub)).Scan(&check.Rows); err != nil {
		return nil, fmt.Errorf("searching the quarantine: %w", err)
	}
	return []profiles.ErasureCheck{check}, nil
}
