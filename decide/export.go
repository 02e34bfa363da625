package decide

import (
	"context"
	"fmt"
)

// exportPage is how many decisions are read at a time.
const exportPage = 1000

// EachDecision is part of [profiles.DecisionLog].
func (s *Service) EachDecision(ctx context.Context, profiles []string, f func(decision any) error) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	after := ""
	for {
		found, err := s.query(ctx, fmt.Sprintf("WHERE profile_id IN (?) AND decision_id > ? ORDER BY decision_id LIMIT 1 BY decision_id LIMIT %d", exportPage), profiles, after)
		if err != nil {
			return fmt.Errorf("reading decisions: %w", err)
		}
		for _, rec := range found {
			after = rec.DecisionID
			if err := f(rec); err != nil {
				return err
			}
		}
		if len(found) < exportPage {
			return nil
		}
	}
}
