package experiments

import (
	"context"
	"fmt"
)

// table runs the query of a request.
func (s *Service) table(ctx context.Context, r SumsRequest) (*SumsTable, error) {
	if r.By.Kind != NoBreakdown {
		return &SumsTable{}, nil
	}
	q := buildQuery(r.Experiment, r.DecisionPoint, r.Metrics, span{at: r.At, asOf: r.AsOf})
	rows, err := s.db.Read.Query(ctx, q.sql)
	if err != nil {
		return nil, fmt.Errorf("querying the log: %w", err)
	}
	defer rows.Close()
	t := &SumsTable{SQL: []string{q.sql}}
	for rows.Next() {
		var c SumsCell
		var units, mixed uint64
		var values []float64
		if err := rows.Scan(&c.Variant, &units, &mixed, &values); err != nil {
			return nil, fmt.Errorf("reading the sums of an arm: %w", err)
		}
		c.Units, c.Mixed = int64(units), int64(mixed)
		list, err := q.readSums(values)
		if err != nil {
			return nil, err
		}
		for i, u := range list {
			c.Metrics = append(c.Metrics, Sums{Kind: r.Metrics[i].Kind, Units: c.Units, Matured: int64(u.matured), NonZero: int64(u.nonZero), Events: int64(u.events),
				Missing: int64(u.missing), Y: u.y, YY: u.yy, UncappedY: u.y, UncappedYY: u.yy, D: u.d, DD: u.dd, YD: u.yd})
		}
		t.Cells = append(t.Cells, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("querying the log: %w", err)
	}
	return t, nil
}
