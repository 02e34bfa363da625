package predict

import (
	"context"
	"fmt"
	"math"
	"time"

	"quintet/models/learners"
	"quintet/models/lifetime"
)

// buyers are people with what lifetime models know of them.
type buyers struct {
	people    []string
	customers []lifetime.Customer
	later     []int
}

// customers summarises purchase days before a moment, in days, and counts those within
// the horizon after it.
func (s *Service) customers(ctx context.Context, spec *Spec, at time.Time, horizon time.Duration) (*buyers, error) {
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	// Purchases of one day are one, as in the published fits.
	sql := fmt.Sprintf(`SELECT person_id, toInt64(countIf(before) - 1) AS repeats, toFloat64(maxIf(day, before) - minIf(day, before)) AS last, %d - minIf(day, before) AS age,
  if(countIf(before) > 1, (sumIf(value, before) - argMinIf(value, day, before)) / (countIf(before) - 1), 0.) AS value, toInt64(countIf(NOT before)) AS later
FROM (SELECT person_id, intDiv(at, 86400000) AS day, at < %d AS before, sum(v) AS value FROM (%s) WHERE o GROUP BY person_id, day, before)
GROUP BY person_id HAVING countIf(before) > 0 ORDER BY cityHash64(person_id), person_id LIMIT %d`,
		at.UnixMilli()/86_400_000, at.UnixMilli(), spec.source(at.AddDate(0, 0, -3*lookBack), at.Add(horizon)), spec.MaxRows)
	rows, err := s.clickhouse.Read.Query(bounded(ctx), sql)
	if err != nil {
		return nil, fmt.Errorf("selecting customers: %w", err)
	}
	defer rows.Close()
	out := &buyers{}
	for rows.Next() {
		var id string
		var repeats, age, later int64
		var c lifetime.Customer
		if err := rows.Scan(&id, &repeats, &c.Last, &age, &c.Value, &later); err != nil {
			return nil, fmt.Errorf("reading customers: %w", err)
		}
		c.Repeats, c.Age = int(repeats), math.Max(float64(age), c.Last)
		c.Value = math.Max(c.Value, 0)
		out.people, out.customers, out.later = append(out.people, id), append(out.customers, c), append(out.later, int(later))
	}
	return out, rows.Err()
}

// trainLifetime fits the purchase models to what was known one horizon ago and tests them
// on what came since; the better one is then fitted to everything.
func (s *Service) trainLifetime(ctx context.Context, spec *Spec, v *Version, j *Job) error {
	now := s.now().UTC().Truncate(24 * time.Hour)
	horizon := days(spec.HorizonDays)
	v.AsOf, v.From, v.To = now.Add(-horizon), now.AddDate(0, 0, -3*lookBack), now
	past, err := s.customers(ctx, spec, v.AsOf, horizon)
	if err != nil {
		return err
	}
	metrics := &LifetimeMetrics{Unit: "days"}
	v.Metrics.Lifetime = metrics
	spend, err := lifetime.FitSpend(ctx, past.customers)
	if err != nil {
		return err
	}
	best := ""
	var bestErr error
	for i, kind := range []string{lifetime.KindBGNBD, lifetime.KindParetoNBD} {
		s.stage(j, "fitting "+kind, .2+.3*float64(i))
		f, err := lifetime.FitPurchase(ctx, kind, past.customers)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			bestErr = err
			metrics.Models = append(metrics.Models, LifetimeFit{Kind: kind, Parameters: []LifetimeParameter{}, Failure: err.Error()})
			continue
		}
		f.Spend = spend
		test := f.Test(past.customers, past.later, float64(spec.HorizonDays))
		metrics.Models = append(metrics.Models, describe(f, test.MAE))
		if best == "" || test.MAE < metrics.Backtest.MAE {
			best, metrics.Backtest = kind, test
		}
	}
	if best == "" {
		return bestErr
	}
	s.stage(j, "fitting to everything", .8)
	present, err := s.customers(ctx, spec, now, 0)
	if err != nil {
		return err
	}
	f, err := lifetime.Fit(ctx, best, present.customers)
	if err != nil {
		return err
	}
	v.Rows, v.Learner = int64(len(present.customers)), best
	for d := 0; d <= 365; d += 15 {
		metrics.Curve = append(metrics.Curve, LifetimePoint{float64(d), f.New(float64(d))})
	}
	b := metrics.Backtest
	v.Metrics.Sane = b.Low <= b.Actual && b.Actual <= b.High || b.MAE < b.Baseline
	v.Verdict = fmt.Sprintf("%.0f purchases expected in the last %d days, %.0f came; error per customer %.3f against %.3f at one's own past rate", b.Predicted, spec.HorizonDays, b.Actual, b.MAE, b.Baseline)
	v.artefact, err = learners.Seal(f)
	return err
}

func describe(f *lifetime.Fitted, mae float64) LifetimeFit {
	out := LifetimeFit{Kind: f.Kind, LogLikelihood: f.Purchase.LogLikelihood, HoldOutMAE: mae}
	for _, e := range []*lifetime.Estimate{f.Purchase, f.Spend} {
		if e == nil {
			continue
		}
		for i, name := range e.Names {
			low, high := e.Interval(i)
			out.Parameters = append(out.Parameters, LifetimeParameter{name, e.Parameters[i], low, math.Min(high, 1e12)})
		}
	}
	return out
}
