package main

import (
	"context"
	"time"
)

// compactInterval is how often the tables in the order of the people are looked at.
const compactInterval = 10 * time.Minute

// compact keeps the tables from which a page of a profile is read in few parts, until the
// context ends.
func (a *app) compact(ctx context.Context) error {
	ticker := time.NewTicker(compactInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := a.compactOnce(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("cannot put the parts of a table together; it is tried again", "error", err, "in", compactInterval.String())
		}
	}
}

func (a *app) compactOnce(ctx context.Context) error {
	for _, table := range []string{"timeline", "decision_timeline"} {
		partitions, err := a.engines.ClickHouse.Compact(ctx, table)
		if len(partitions) > 0 {
			a.log.Info("put the parts of a table together", "table", table, "partitions", partitions)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
