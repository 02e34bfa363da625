package experiments

import (
	"context"
	"fmt"
	"time"

	"quintet/internal/definitions"
)

// pastPage is how many versions of a definition are read at a time, and maxPastPages
// how often.
const (
	pastPage     = 100
	maxPastPages = 100
)

// versionAt is a definition as it was at a moment: a report of the past is made of the
// definitions of then. Before the first version it is that one, as definitions may be
// younger than the data that they are about.
func versionAt[T any](ctx context.Context, c *definitions.Collection[T], now definitions.Versioned[T], at time.Time) (definitions.Versioned[T], error) {
	if !now.UpdatedAt.After(at) {
		return now, nil
	}
	oldest, before := now, int64(0)
	for range maxPastPages {
		page, err := c.History(ctx, now.Key, before, pastPage)
		if err != nil {
			return now, err
		}
		for i := range page {
			if page[i].Deleted {
				return oldest, nil // what was there before bore the name only
			}
			oldest = page[i].Versioned
			if !oldest.UpdatedAt.After(at) {
				return oldest, nil
			}
		}
		if len(page) < pastPage {
			return oldest, nil
		}
		before = oldest.Version
	}
	return oldest, nil
}

// experimentAt is the experiment of a report as it was at a moment. What always runs
// is reported on as it is defined now.
func (s *Service) experimentAt(ctx context.Context, key string, now *Experiment, at time.Time) (*Experiment, error) {
	v, ok := s.experiments.Get(key)
	if !ok {
		return now, nil
	}
	past, err := versionAt(ctx, s.experiments, v, at)
	if err != nil {
		return nil, fmt.Errorf("looking for experiment %s of then: %w", key, err)
	}
	return &past.Value, nil
}
