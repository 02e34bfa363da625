package predict

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"quintet/internal/learners"
	"quintet/models/lifetime"
)

// buyers are people with what lifetime models know of them.
type buyers struct {
	people    []string
	customers []lifetime.Customer
	later     []int
	segments  []string // nil where the definition names none
}

// customers summarises purchase days before a moment, in days, and counts those within
// the horizon after it.
func (s *Service) customers(ctx context.Context, spec *Spec, at time.Time, horizon time.Duration, of share) (*buyers, error) {
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	// Purchases of one day are one, as in the published fits.
	sql := fmt.Sprintf(`SELECT person_id, toInt64(countIf(before) - 1) AS repeats, toFloat64(maxIf(day, before) - minIf(day, before)) AS last, %d - minIf(day, before) AS age,
  if(countIf(before) > 1, (sumIf(value, before) - argMinIf(value, day, before)) / (countIf(before) - 1), 0.) AS value, toInt64(countIf(NOT before)) AS later
FROM (SELECT person_id, intDiv(at, 86400000) AS day, at < %d AS before, sum(v) AS value FROM (%s) WHERE o AND %s GROUP BY person_id, day, before)
GROUP BY person_id HAVING countIf(before) > 0%s`,
		at.UnixMilli()/86_400_000, at.UnixMilli(), spec.source(at.AddDate(0, 0, -3*lookBack), at.Add(horizon)), of.narrow("person_id"), of.limit("person_id", spec.MaxRows))
	if len(spec.Segments) > 0 {
		sql = fmt.Sprintf("SELECT c.*, g.segment FROM (%s) AS c LEFT JOIN (%s) AS g ON c.person_id = g.person_id ORDER BY cityHash64(c.person_id), c.person_id", sql, spec.members(at))
	} else {
		sql = fmt.Sprintf("SELECT *, '' AS segment FROM (%s)", sql)
	}
	rows, err := s.clickhouse.Read.Query(bounded(ctx), sql)
	if err != nil {
		return nil, fmt.Errorf("selecting customers: %w", err)
	}
	defer rows.Close()
	out := &buyers{}
	for rows.Next() {
		var id, segment string
		var repeats, age, later int64
		var c lifetime.Customer
		if err := rows.Scan(&id, &repeats, &c.Last, &age, &c.Value, &later, &segment); err != nil {
			return nil, fmt.Errorf("reading customers: %w", err)
		}
		c.Repeats, c.Age = int(repeats), math.Max(float64(age), c.Last)
		c.Value = math.Max(c.Value, 0)
		if len(spec.Segments) > 0 {
			out.segments = append(out.segments, segment)
		}
		out.people, out.customers, out.later = append(out.people, id), append(out.customers, c), append(out.later, int(later))
	}
	return out, rows.Err()
}

// members selects the people who were in a segment of the definition at a moment, each
// with the first such segment.
func (s *Spec) members(at time.Time) string {
	return fmt.Sprintf(`SELECT person_id, arraySort(x -> indexOf([%[1]s], x), groupArray(toString(segment)))[1] AS segment FROM (
  SELECT segment, person_id FROM segment_membership WHERE segment IN (%[1]s) AND at <= %[2]s GROUP BY segment, person_id HAVING argMax(entered, (at, sequence, position)) = 1
) GROUP BY person_id`, list(s.Segments), moment(at))
}

// maxReferrals bounds whom [Service.referrals] gives.
const maxReferrals = 5_000_000

// referrals gives, for each person who was brought by another, that other.
func (s *Service) referrals(ctx context.Context, spec *Spec, until time.Time) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	named := fmt.Sprintf("JSONExtractString(e.properties, %s)", literal(spec.Referrer))
	brought := fmt.Sprintf(`SELECT %s AS person_id, argMin(%s, (e.timestamp, e.message_id)) AS referrer FROM events AS e FINAL LEFT JOIN %s AS m ON e.profile_id = m.profile_id
WHERE e.type = 'track' AND e.timestamp < %s AND %[2]s != '' GROUP BY person_id`, person, named, people, moment(until))
	sql := fmt.Sprintf(`SELECT b.person_id, w.person FROM (%s) AS b
INNER JOIN (SELECT e.user_id AS user_id, argMax(%s, (e.timestamp, e.message_id)) AS person FROM events AS e FINAL LEFT JOIN %s AS m ON e.profile_id = m.profile_id
  WHERE e.user_id IN (SELECT referrer FROM (%[1]s)) AND e.timestamp < %[4]s GROUP BY user_id) AS w ON b.referrer = w.user_id
WHERE w.person != b.person_id LIMIT %[5]d`, brought, person, people, moment(until), maxReferrals)
	rows, err := s.clickhouse.Read.Query(bounded(ctx), sql)
	if err != nil {
		return nil, fmt.Errorf("selecting who brought whom: %w", err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var who, by string
		if err := rows.Scan(&who, &by); err != nil {
			return nil, fmt.Errorf("reading who brought whom: %w", err)
		}
		out[who] = by
	}
	return out, rows.Err()
}

// broughtBy sums, for each person who brought others, what those will buy within the
// horizon; nil where the definition does not say who brought whom.
func (s *Service) broughtBy(ctx context.Context, spec *Spec, c *scorer, at time.Time, shares int) (map[string]float64, error) {
	if c.lifetime == nil || spec.Referrer == "" {
		return nil, nil
	}
	by, err := s.referrals(ctx, spec, at)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for i := range shares {
		set, forecasts, err := s.forecast(ctx, spec, c, at, share{i, shares})
		if err != nil {
			return nil, err
		}
		for i, who := range set.people {
			if other, there := by[who]; there {
				out[other] += forecasts[i].Value
			}
		}
	}
	return out, nil
}

// forecast says of the customers of a share what they will buy within the horizon.
func (s *Service) forecast(ctx context.Context, spec *Spec, c *scorer, at time.Time, of share) (*buyers, []lifetime.Forecast, error) {
	set, err := s.customers(ctx, spec, at, 0, of)
	if err != nil {
		return nil, nil, err
	}
	forecasts, err := c.lifetime.ForecastAll(ctx, set.customers, set.segments, float64(spec.HorizonDays))
	return set, forecasts, err
}

// scoreLifetime says of customers what they will buy within the horizon, and, where
// brought is not nil, what those whom they brought will.
func (s *Service) scoreLifetime(ctx context.Context, spec *Spec, c *scorer, at time.Time, brought map[string]float64, of share) ([]string, []map[string]any, error) {
	set, forecasts, err := s.forecast(ctx, spec, c, at, of)
	if err != nil {
		return nil, nil, err
	}
	attributes := make([]map[string]any, len(set.people))
	for i, f := range forecasts {
		attributes[i] = map[string]any{
			spec.Attribute: digits(f.Value), spec.Attribute + "Low": digits(f.ValueLow), spec.Attribute + "High": digits(f.ValueHigh),
			spec.Attribute + "Alive": digits(f.Alive), spec.Attribute + "Purchases": digits(f.Purchases),
		}
		if brought != nil {
			own := brought[set.people[i]]
			attributes[i][spec.Attribute+"Referred"], attributes[i][spec.Attribute+"Total"] = digits(own), digits(f.Value+own)
		}
	}
	return set.people, attributes, nil
}

// trainLifetime fits the purchase models to what was known one horizon ago and tests them
// on what came since; the better one is then fitted to everything.
func (s *Service) trainLifetime(ctx context.Context, spec *Spec, v *Version, j *Job) error {
	now := s.now().UTC().Truncate(24 * time.Hour)
	horizon := days(spec.HorizonDays)
	v.AsOf, v.From, v.To = now.Add(-horizon), now.AddDate(0, 0, -3*lookBack), now
	past, err := s.customers(ctx, spec, v.AsOf, horizon, share{})
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
	var fitted *lifetime.Fitted
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
			best, metrics.Backtest, fitted = kind, test, f
		}
	}
	if best == "" {
		return bestErr
	}
	if past.segments != nil {
		s.stage(j, "fitting segments", .7)
		if metrics.Segments, err = fitted.FitSegments(ctx, past.customers, past.segments); err != nil {
			return err
		}
		if metrics.Segments.Kept {
			metrics.Backtest = fitted.TestSegments(past.customers, past.later, past.segments, float64(spec.HorizonDays))
		}
	}
	s.stage(j, "fitting to everything", .8)
	present, err := s.customers(ctx, spec, now, 0, share{})
	if err != nil {
		return err
	}
	f, err := lifetime.Fit(ctx, best, present.customers)
	if err != nil {
		return err
	}
	v.Rows, v.Learner = int64(len(present.customers)), best
	if metrics.Segments != nil && metrics.Segments.Kept {
		if _, err := f.FitSegments(ctx, present.customers, present.segments); err != nil {
			return err
		}
		v.Learner += " by segment"
		for _, name := range slices.Sorted(maps.Keys(f.Segments)) {
			own := describe(f.In(name), 0)
			own.Segment = cmp.Or(name, "the rest")
			metrics.Models = append(metrics.Models, own)
		}
	}
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
