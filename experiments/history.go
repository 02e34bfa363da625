package experiments

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/experiments/stats"
	"quintet/internal/problem"
)

// historyRequest asks what a metric was among people of the past, as if their
// first event of the time had been their first exposure.
type historyRequest struct {
	metric     string
	experiment string // take the people of its exposures instead
	days       int    // before the last moment whose window has passed
	salts      int    // assignments of the same people to two equal arms
	salt       string // what they begin with; the number of the assignment follows
}

// history is what a metric was.
type history struct {
	kind        Kind
	from, until time.Time // people were first seen from here to here
	people      int64
	total       historySums
	controls    []historySums // of each salt, those in the first arm
	sql         string
}

// historySums are the sums of people's values.
type historySums struct{ n, y, yy, d, dd, yd float64 }

func (a historySums) less(b historySums) historySums {
	return historySums{n: a.n - b.n, y: a.y - b.y, yy: a.yy - b.yy, d: a.d - b.d, dd: a.dd - b.dd, yd: a.yd - b.yd}
}

// sample makes the sums into what the statistics take.
func (a historySums) sample(kind Kind) stats.Sample {
	n := int64(math.Round(a.n))
	switch {
	case kind.binary():
		return stats.Proportion{N: n, Successes: int64(math.Round(a.y))}
	case kind == RatioKind:
		return stats.Ratio{N: n, Numerator: a.y, NumeratorSquares: a.yy, Denominator: a.d, DenominatorSquares: a.dd, Products: a.yd}
	}
	return stats.Mean{N: n, Sum: a.y, SumSquares: a.yy}
}

// Days of history that are read.
const (
	defaultHistoryDays = 28
	maxHistoryDays     = 366
)

// historyBlock is the rows that are worked on together: with a thousand salts each
// has as many strings and six thousand numbers.
const historyBlock = 4096

// historyDeadline bounds the query of a history.
const historyDeadline = 55 * time.Second

// history reads the log once. The values are those of reports: the columns come
// from the builder of their statements.
func (s *Service) history(ctx context.Context, r historyRequest) (*history, error) {
	v, ok := s.metrics.Get(r.metric)
	if !ok {
		return nil, problem.NotFound("metric", problem.Clip(r.metric))
	}
	m := v.Value
	if m.Kind == QuantileKind {
		return nil, problem.Invalid{{Field: "path.key", Rule: "is a quantile, which has no history of sums", Value: r.metric}}
	}
	if r.experiment != "" {
		if _, err := s.reported(r.experiment); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, historyDeadline)
	defer cancel()
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{
		"max_memory_usage": sumsMemory, "max_bytes_before_external_group_by": sumsSpill, "max_bytes_before_external_sort": sumsSpill,
		"max_block_size": historyBlock,
	}))
	form, err := s.merged(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Millisecond)
	_, window := m.window()
	h := &history{kind: m.Kind, until: now.Add(-time.Duration(window) * time.Millisecond)}
	h.from = h.until.Add(-time.Duration(r.days) * 24 * time.Hour)
	h.sql = historySQL(&m, &r, h.from, h.until, now, form)
	var people uint64
	var first int64
	var total, n, y, yy, d, dd, yd []float64
	err = s.db.Read.QueryRow(ctx, h.sql).Scan(&people, &first, &total, &n, &y, &yy, &d, &dd, &yd)
	if err != nil {
		return nil, fmt.Errorf("reading the history of metric %s: %w", r.metric, err)
	}
	h.people = int64(people)
	if r.experiment != "" && people > 0 {
		h.from = time.UnixMilli(first).UTC()
	}
	h.total = historySums{n: float64(people), y: total[0], yy: total[1], d: total[2], dd: total[3], yd: total[4]}
	for i := range n {
		h.controls = append(h.controls, historySums{n: n[i], y: y[i], yy: yy[i], d: d[i], dd: dd[i], yd: yd[i]})
	}
	return h, nil
}

// historySQL writes the statement. Half of all hashes are below 2⁶³: that is the
// first of two equal arms by assignment.Bucket.
func historySQL(m *Metric, r *historyRequest, from, until, now time.Time, form shape) string {
	b := &builder{request: &SumsRequest{Metrics: []Metric{*m}, At: now, AsOf: now}, shape: form}
	b.addMetrics()
	y, d := "o.y0", "0."
	switch m.Kind {
	case FunnelKind:
		y = fmt.Sprintf("toFloat64(o.steps0 >= %d)", len(m.Steps))
	case TimeToEventKind: // the statement has the hours that were left
		_, to := m.window()
		y = floatLiteral(float64(to)/3_600_000) + " - o.y0"
	case RatioKind:
		d = "o.d0"
	}
	if m.Cap != nil {
		y = "least(" + y + ", " + b.capOf(0) + ")"
	}
	var with []string
	join := ""
	if form.people {
		with = append(with, b.people())
		join = "\nLEFT JOIN people AS p ON x.%[1]s = p.profile_id"
	}
	seen := fmt.Sprintf("SELECT "+person("profile_id", form)+" AS who, toUnixTimestamp64Milli(x.timestamp) AS at\nFROM events AS x"+strings.ReplaceAll(join, "%[1]s", "profile_id")+
		"\nPREWHERE x.timestamp >= %s AND x.timestamp < %s AND x.received_at <= %s\nWHERE x.profile_id != ''", momentLiteral(from), momentLiteral(until), momentLiteral(now))
	if r.experiment != "" {
		seen = fmt.Sprintf("SELECT "+person("unit", form)+" AS who, toUnixTimestamp64Milli(x.exposed_at) AS at\nFROM exposures AS x"+strings.ReplaceAll(join, "%[1]s", "unit")+
			"\nWHERE x.experiment = %s AND x.exposed_at < %s AND x.received_at <= %s AND x.unit != ''", literal(r.experiment), momentLiteral(until), momentLiteral(now))
	}
	// By key: a part at random, and the same one both times that the statement asks.
	exposed := "SELECT who AS unit, " + key("who") + " AS key, '' AS arm, min(at) AS first_at, false AS mixed\nFROM (\n" + indent(seen) + "\n)\nGROUP BY who"
	if r.salts > 0 {
		exposed += fmt.Sprintf("\nORDER BY key\nLIMIT %d", replayPeople(r.salts))
	}
	with = append(with, "exposed AS (\n"+indent(exposed)+"\n)", "facts AS (\n"+indent(b.facts.sql(b))+"\n)", "outcomes AS (\n"+indent(b.outcomes())+"\n)")
	if caps := b.capsSQL(); caps != "" {
		with = append(with, caps)
	}
	with = append(with, fmt.Sprintf("people_values AS (\n  SELECT e.first_at AS first_at, %s AS y, %s AS d,\n    arrayMap(i -> toFloat64(xxHash64(concat(%s, toString(i), '\\0', e.unit)) < 9223372036854775808), range(%d)) AS control\n  FROM exposed AS e\n  LEFT JOIN outcomes AS o ON e.key = o.key\n)",
		y, d, literal(r.salt), r.salts))
	each := func(value string) string { return "sumForEach(arrayMap(c -> c * " + value + ", control))" }
	return "WITH " + strings.Join(with, ",\n") + "\nSELECT count() AS people, min(first_at) AS first, [sum(y), sum(y * y), sum(d), sum(d * d), sum(y * d)] AS total,\n  sumForEach(control) AS n, " +
		each("y") + " AS y_control, " + each("y * y") + " AS yy_control,\n  " + each("d") + " AS d_control, " + each("d * d") + " AS dd_control, " + each("y * d") + " AS yd_control\nFROM people_values"
}

// MetricBaseline is what a metric was without an experiment: what a plan starts
// from.
type MetricBaseline struct {
	Metric       string    `json:"metric"`
	From         time.Time `json:"from" doc:"People were first seen from here"`
	Until        time.Time `json:"until" doc:"to here, a metric's window before now"`
	People       int64     `json:"people"`
	PeoplePerDay float64   `json:"peoplePerDay" doc:"Of these days; people who come back on a later day count once"`
	Mean         float64   `json:"mean" doc:"Per person; of a ratio the ratio"`
	Variance     float64   `json:"variance" doc:"Of one person's value; of a ratio of one person's contribution to it"`
	SQL          string    `json:"sql"`
}

// Baseline reads what a metric was among people of the last days.
func (s *Service) Baseline(ctx context.Context, metric string, days int) (*MetricBaseline, error) {
	days, err := historyDays(days)
	if err != nil {
		return nil, err
	}
	h, err := s.history(ctx, historyRequest{metric: metric, days: days})
	if err != nil {
		return nil, err
	}
	e, err := h.total.sample(h.kind).Estimate()
	if err != nil || e.N < 2 {
		return nil, problem.Invalid{{Field: "query.days", Rule: fmt.Sprintf("must hold people: %d were first seen in this time, and have a history of the metric's window after it", h.people), Value: days}}
	}
	return &MetricBaseline{Metric: metric, From: h.from, Until: h.until, People: h.people, PeoplePerDay: float64(h.people) / float64(days),
		Mean: e.Mean, Variance: e.Variance, SQL: h.sql}, nil
}

func historyDays(days int) (int, error) {
	if days == 0 {
		return defaultHistoryDays, nil
	}
	if days < 1 || days > maxHistoryDays {
		return 0, problem.Invalid{{Field: "query.days", Rule: fmt.Sprintf("must be 1 to %d", maxHistoryDays), Value: days}}
	}
	return days, nil
}
