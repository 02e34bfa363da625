package models

import (
	"context"
	"fmt"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/clickhouse"
)

// volume is how much there is to learn from, as cheaply as it can be counted.
type volume struct {
	decisions, outcomes uint64
}

func countVolume(ctx context.Context, db *clickhouse.Database, spec *Spec) (volume, error) {
	var v volume
	err := db.Read.QueryRow(ctx, `SELECT
		(SELECT count() FROM decisions WHERE decision_point = @point AND point_version >= @since AND eligible AND notEmpty(feature_index)),
		(SELECT count() FROM events WHERE event IN (@events))`,
		chgo.Named("point", spec.DecisionPoint), chgo.Named("since", spec.Since), chgo.Named("events", spec.events()),
	).Scan(&v.decisions, &v.outcomes)
	if err != nil {
		return v, fmt.Errorf("counting the decisions of %s: %w", spec.DecisionPoint, err)
	}
	return v, nil
}
