package experience

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"quintet/profiles/lifecycle"
)

// orders selects the orders of the people asked for: person_id, at, day, revenue.
func (q *query) orders() string {
	return fmt.Sprintf("(SELECT person_id, at, revenue, toDate(fromUnixTimestamp64Milli(at, 'UTC')) AS day FROM (%s)%s)", q.log.Orders(), q.where("WHERE"))
}

// days are the days between which a row's start lies.
func (q *query) within(column string) string {
	return fmt.Sprintf("%s >= toDate('%s') AND %s < toDate('%s')", column, q.starts[0].Format(time.DateOnly), column, q.end.Format(time.DateOnly))
}

// perPeriod runs a query of a Date and numbers, and returns the numbers by start.
func (s *Service) perPeriod(ctx context.Context, sql string, columns int) (map[time.Time][]float64, error) {
	rows, err := s.db.Read.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[time.Time][]float64{}
	for rows.Next() {
		var start time.Time
		values := make([]float64, columns)
		into := []any{&start}
		for i := range values {
			into = append(into, &values[i])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out[start.UTC()] = values
	}
	return out, rows.Err()
}

// surveys computes the three metrics that people answer.
func (s *Service) surveys(ctx context.Context, q *query) error {
	c := &q.settings
	kind := fmt.Sprintf("lower(JSONExtractString(e.properties, %s))", lifecycle.Path(c.KindProperty))
	score := fmt.Sprintf("e.numbers[%s]", lifecycle.Literal(c.ScoreProperty))
	preset := map[Metric]float64{NPS: 10, CSAT: 5, CES: 7}[q.report.Metric]
	scale := fmt.Sprintf("if(e.numbers[%s] > 0, e.numbers[%s], %g)", lifecycle.Literal(c.ScaleProperty), lifecycle.Literal(c.ScaleProperty), preset)
	answers := fmt.Sprintf(`SELECT %s AS person_id, %s AS start, argMax((%s, %s), (e.timestamp, e.message_id)) AS answer
    FROM %s WHERE e.type = 'track' AND e.event IN (%s) AND %s = '%s' AND mapContains(e.numbers, %s) AND e.timestamp >= %s AND e.timestamp < %s
    GROUP BY person_id, start`, lifecycle.Person, q.period.startSQL("toDate(e.timestamp, 'UTC')"), score, scale, lifecycle.Source,
		lifecycle.List(c.Surveys), kind, q.report.Metric, lifecycle.Literal(c.ScoreProperty), lifecycle.Moment(q.starts[0]), lifecycle.Moment(q.log.Until))
	// An answer outside its scale says nothing.
	least := map[Metric]string{NPS: "0", CSAT: "0", CES: "1"}[q.report.Metric]
	valid := "score >= " + least + " AND score <= scale"
	ces := "(1 + 6 * (score - 1) / (scale - 1))"
	if q.report.Metric == CES {
		valid += " AND scale > 1"
	}
	sql := fmt.Sprintf(`SELECT start, toFloat64(countIf(%[1]s)), toFloat64(countIf(NOT (%[1]s))), toFloat64(countIf(%[1]s AND score * 10 >= 9 * scale)),
  toFloat64(countIf(%[1]s AND score * 10 <= 6 * scale)), toFloat64(countIf(%[1]s AND score >= %[2]g * scale)), sumIf(%[3]s, %[1]s), sumIf(%[3]s * %[3]s, %[1]s)
FROM (SELECT person_id, start, answer.1 AS score, answer.2 AS scale FROM (%[4]s)%[5]s) GROUP BY start`, valid, c.SatisfiedAt, ces, answers, q.where("WHERE"))
	found, err := s.perPeriod(ctx, sql, 7)
	if err != nil {
		return err
	}
	for _, start := range q.starts {
		v := found[start]
		if v == nil {
			v = make([]float64, 7)
		}
		n := v[0]
		parts := map[string]float64{"answers": n, "invalid": v[1]}
		i := nothing()
		switch q.report.Metric {
		case NPS:
			parts["promoters"], parts["detractors"], parts["passives"] = v[2], v[3], n-v[2]-v[3]
			i = Promoters(v[2], v[3], n)
		case CSAT:
			parts["satisfied"] = v[4]
			i = Wilson(v[4], n)
		case CES:
			i = Mean(v[5], v[6], n)
		}
		q.report.Rows = append(q.report.Rows, q.row(start, i, n, parts))
	}
	return nil
}

// retention computes who comes back from one period to the next, and cohorts.
func (s *Service) retention(ctx context.Context, q *query) error {
	start := q.period.startSQL("day")
	sql := fmt.Sprintf(`SELECT %[1]s AS next, toFloat64(count()), toFloat64(countIf(has(all, next))) FROM (
  SELECT person_id, groupUniqArray(%[2]s) AS all FROM %[3]s GROUP BY person_id
) ARRAY JOIN all AS start WHERE %[4]s GROUP BY next`, q.period.addSQL("start"), start, q.orders(), q.within("next"))
	found, err := s.perPeriod(ctx, sql, 2)
	if err != nil {
		return err
	}
	for _, at := range q.starts {
		v := found[at]
		if v == nil {
			v = make([]float64, 2)
		}
		q.report.Rows = append(q.report.Rows, q.row(at, Wilson(v[1], v[0]), v[0], map[string]float64{"before": v[0], "returned": v[1]}))
	}
	return s.cohorts(ctx, q, start)
}

func (s *Service) cohorts(ctx context.Context, q *query, start string) error {
	rows, err := s.db.Read.Query(ctx, fmt.Sprintf(`SELECT first, toInt64(dateDiff('%s', first, start)) AS periods, toFloat64(count()) FROM (
  SELECT person_id, min(%s) AS first, groupUniqArray(%s) AS all FROM %s GROUP BY person_id
) ARRAY JOIN all AS start WHERE %s GROUP BY first, periods ORDER BY first, periods`, q.period, start, start, q.orders(), q.within("first")))
	if err != nil {
		return err
	}
	defer rows.Close()
	found := map[time.Time]map[int]float64{}
	for rows.Next() {
		var first time.Time
		var offset int64
		var people float64
		if err := rows.Scan(&first, &offset, &people); err != nil {
			return err
		}
		first = first.UTC()
		if found[first] == nil {
			found[first] = map[int]float64{}
		}
		found[first][int(offset)] = people
	}
	if err := rows.Err(); err != nil {
		return err
	}
	q.report.Cohorts = []Cohort{}
	for n, first := range q.starts {
		c := Cohort{From: first.Format(time.DateOnly), Size: found[first][0], Returns: []Return{}}
		for offset := 1; c.Size > 0 && n+offset < len(q.starts); offset++ {
			i := Wilson(found[first][offset], c.Size)
			c.Returns = append(c.Returns, Return{Offset: offset, People: found[first][offset], Rate: i.Value, Lower: i.Lower, Upper: i.Upper})
		}
		q.report.Cohorts = append(q.report.Cohorts, c)
	}
	return nil
}

// movement computes churn, gained and lost from one balance: active at the end =
// active at the start + gained and still active + returned - lost.
func (s *Service) movement(ctx context.Context, q *query) error {
	bounds := make([]string, len(q.starts))
	for i, start := range q.starts {
		end := q.period.add(start, 1)
		if end.After(q.log.Until) {
			end = q.log.Until
		}
		bounds[i] = fmt.Sprintf("(toDate('%s'), %d, %d)", start.Format(time.DateOnly), start.UnixMilli(), max(start.UnixMilli(), end.UnixMilli()))
	}
	span := int64(q.settings.ActiveDays) * 86_400_000
	active := func(at string) string {
		return fmt.Sprintf("arrayExists(t -> t >= %s - %d AND t < %s, times)", at, span, at)
	}
	sql := fmt.Sprintf(`SELECT b.1 AS start, toFloat64(countIf(before)), toFloat64(countIf(after)), toFloat64(countIf(before AND NOT after)),
  toFloat64(countIf(new)), toFloat64(countIf(new AND after)), toFloat64(countIf(NOT before AND after AND NOT new)) FROM (
  SELECT b, %s AS before, %s AS after, first >= b.2 AND first < b.3 AS new FROM (
    SELECT person_id, groupArray(at) AS times, min(at) AS first FROM %s GROUP BY person_id
  ) ARRAY JOIN [%s] AS b
) GROUP BY start`, active("b.2"), active("b.3"), q.orders(), strings.Join(bounds, ", "))
	found, err := s.perPeriod(ctx, sql, 6)
	if err != nil {
		return err
	}
	for _, at := range q.starts {
		v := found[at]
		if v == nil {
			v = make([]float64, 6)
		}
		parts := map[string]float64{
			"activeAtStart": v[0], "activeAtEnd": v[1], "lost": v[2], "gained": v[3], "gainedAndActive": v[4], "returned": v[5],
		}
		var row Row
		switch q.report.Metric {
		case Churn:
			row = q.row(at, Wilson(v[2], v[0]), v[0], parts)
		case Gained:
			row = q.row(at, Poisson(v[3]), v[3], parts)
		case Lost:
			row = q.row(at, Poisson(v[2]), v[0], parts)
		}
		q.report.Rows = append(q.report.Rows, row)
	}
	return nil
}

// averageOrder computes revenue per order.
func (s *Service) averageOrder(ctx context.Context, q *query) error {
	sql := fmt.Sprintf(`SELECT start, toFloat64(count()), sumKahan(y), sum(d), sumKahan(y * y), sum(d * d), sumKahan(y * d) FROM (
  SELECT person_id, %s AS start, sumKahan(revenue) AS y, toFloat64(count()) AS d FROM %s WHERE %s GROUP BY person_id, start
) GROUP BY start`, q.period.startSQL("day"), q.orders(), q.within("day"))
	found, err := s.perPeriod(ctx, sql, 6)
	if err != nil {
		return err
	}
	for _, at := range q.starts {
		v := found[at]
		if v == nil {
			v = make([]float64, 6)
		}
		sums := RatioSums{N: v[0], Y: v[1], D: v[2], YY: v[3], DD: v[4], YD: v[5]}
		q.report.Rows = append(q.report.Rows, q.row(at, Ratio(sums), sums.N, map[string]float64{"customers": sums.N, "orders": sums.D, "revenue": sums.Y}))
	}
	return nil
}

// acquisition computes spend per new customer.
func (s *Service) acquisition(ctx context.Context, q *query) error {
	newcomers, err := s.perPeriod(ctx, fmt.Sprintf(`SELECT %s AS start, toFloat64(count()) FROM (SELECT person_id, min(day) AS day FROM %s GROUP BY person_id)
		WHERE %s GROUP BY start`, q.period.startSQL("day"), q.orders(), q.within("day")), 1)
	if err != nil {
		return err
	}
	rows, err := s.db.Read.Query(ctx, fmt.Sprintf("SELECT %s AS start, toString(currency), toFloat64(sum(amount)) FROM marketing_spend FINAL WHERE %s GROUP BY start, currency ORDER BY start, currency",
		q.period.startSQL("day"), q.within("day")))
	if err != nil {
		return err
	}
	defer rows.Close()
	type cost struct {
		currency string
		amount   float64
	}
	costs := map[time.Time][]cost{}
	for rows.Next() {
		var start time.Time
		var c cost
		if err := rows.Scan(&start, &c.currency, &c.amount); err != nil {
			return err
		}
		costs[start.UTC()] = append(costs[start.UTC()], c)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, at := range q.starts {
		n := 0.
		if v := newcomers[at]; v != nil {
			n = v[0]
		}
		if len(costs[at]) == 0 {
			q.report.Rows = append(q.report.Rows, q.row(at, Interval{math.NaN(), math.NaN(), math.NaN()}, n, map[string]float64{"newCustomers": n}))
		}
		for _, c := range costs[at] {
			row := q.row(at, Per(c.amount, n), n, map[string]float64{"newCustomers": n, "spend": c.amount})
			row.Currency = c.currency
			q.report.Rows = append(q.report.Rows, row)
		}
	}
	return nil
}
