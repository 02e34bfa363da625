package predict

import (
	"context"
	"fmt"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

// Rows of a person who is erased are removed from person_scores like those of any other
// table that has a person_id. What this file adds is about runs that are under way: one
// that has read the person before must not write them down afterwards.

// Forget has a run of scoring that is under way leave people out. It returns how many
// scores of them are stored, which go with the other rows of the log.
func (s *Service) Forget(ctx context.Context, people []string) (int64, error) {
	s.mu.Lock()
	if s.current != nil && s.current.Kind == "score" {
		for _, id := range people {
			s.forgotten[id] = struct{}{}
		}
	}
	s.mu.Unlock()
	return s.Remembered(ctx, people)
}

// Remembered counts the scores of people.
func (s *Service) Remembered(ctx context.Context, people []string) (int64, error) {
	if len(people) == 0 {
		return 0, nil
	}
	var n uint64
	if err := s.clickhouse.Read.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM person_scores FINAL WHERE person_id IN (%s)", list(people))).Scan(&n); err != nil {
		return 0, fmt.Errorf("looking for the scores of people: %w", err)
	}
	return int64(n), nil
}

// remove deletes scores so that no file has them any more when it returns: a lightweight
// DELETE would only hide them, also from the erasure of a person.
func (s *Service) remove(ctx context.Context, where string) error {
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"mutations_sync": 1}))
	return s.clickhouse.Read.Exec(ctx, "ALTER TABLE person_scores DELETE WHERE "+where)
}

// forgotSince lists whom a run that is writing must leave out.
func (s *Service) forgotSince() map[string]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]struct{}, len(s.forgotten))
	for id := range s.forgotten {
		out[id] = struct{}{}
	}
	return out
}

// ExportedScore is what a model says of a person, for an export.
type ExportedScore struct {
	Model      string    `json:"model"`
	Version    uint64    `json:"version"`
	ScoredAt   time.Time `json:"scoredAt"`
	Attributes rawJSON   `json:"attributes"`
}

// rawJSON is JSON that is written as it is.
type rawJSON string

// MarshalJSON implements [encoding/json.Marshaler].
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// EachScore calls f with every score of the profiles.
func (s *Service) EachScore(ctx context.Context, profiles []string, f func(score any) error) error {
	if len(profiles) == 0 {
		return nil
	}
	rows, err := s.clickhouse.Read.Query(ctx, fmt.Sprintf("SELECT toString(model), version, scored_at, attributes FROM person_scores FINAL WHERE person_id IN (%s) ORDER BY model, person_id", list(profiles)))
	if err != nil {
		return fmt.Errorf("reading the scores of a person: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e ExportedScore
		var attributes string
		if err := rows.Scan(&e.Model, &e.Version, &e.ScoredAt, &attributes); err != nil {
			return fmt.Errorf("reading the scores of a person: %w", err)
		}
		e.Attributes = rawJSON(attributes)
		if err := f(&e); err != nil {
			return err
		}
	}
	return rows.Err()
}
