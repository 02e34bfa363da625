package experiments

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/experiments/stats"
	"quintet/internal/problem"
)

// MetricPreview is what a metric is among the people of the last days, each from
// their first event of these days on. Nobody is in an experiment for it.
type MetricPreview struct {
	From      time.Time       `json:"from" doc:"People count whose first event of the time is from here"`
	Until     time.Time       `json:"until" doc:"to here: the last moment whose window has passed"`
	People    int64           `json:"people"`
	Mean      *float64        `json:"mean,omitempty" doc:"Per person; for a ratio the ratio, for a quantile the quantile"`
	SD        *float64        `json:"sd,omitempty" doc:"Standard deviation of one person's value (of a ratio or quantile, of one person's contribution)"`
	Zeros     *float64        `json:"zeros,omitempty" doc:"Share of people whose value is zero"`
	Events    int64           `json:"events" doc:"Events that counted"`
	Missing   int64           `json:"missing,omitempty" doc:"Events without the numeric property, which count as zero"`
	NotFinite int64           `json:"notFinite,omitempty" doc:"Events whose property is no finite number, which count as zero"`
	Cap       *float64        `json:"cap,omitempty" doc:"Bound that values are cut to"`
	Capped    int64           `json:"capped,omitempty" doc:"People whose value was cut"`
	Uncapped  *float64        `json:"uncappedMean,omitempty" doc:"Mean without the cap"`
	Funnel    []int64         `json:"funnel,omitempty" nullable:"false" doc:"People who came to each step"`
	Quantiles []ValueQuantile `json:"quantiles,omitempty" nullable:"false" doc:"Of the people's values, zeros included, before the cap"`
	Unseen    []string        `json:"unseen,omitempty" nullable:"false" doc:"Events of the metric of which not one has ever come in"`
	Problem   string          `json:"problem,omitempty" doc:"Why a figure is missing"`
	SQL       string          `json:"sql"`
}

// ValueQuantile is one quantile of the people's values.
type ValueQuantile struct {
	Level float64 `json:"level"`
	Value float64 `json:"value"`
}

const (
	previewDeadline = 45 * time.Second
	maxPreviewDays  = 366
)

func previewLevels() []float64 { return []float64{0, .25, .5, .75, .9, .95, .99, .999, 1} }

// Preview computes a metric, saved or not, over the people of the last days.
func (s *Service) Preview(ctx context.Context, m Metric, days int) (*MetricPreview, error) {
	m.normalise()
	bad := m.validate()
	if days < 1 || days > maxPreviewDays {
		bad.Add("days", fmt.Sprintf("must be 1 to %d", maxPreviewDays), days)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, previewDeadline)
	defer cancel()
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{
		"max_memory_usage": sumsMemory, "max_bytes_before_external_group_by": sumsSpill, "max_bytes_before_external_sort": sumsSpill,
	}))
	form, err := s.merged(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Millisecond)
	_, window := m.window()
	p := &MetricPreview{Until: now.Add(-time.Duration(window) * time.Millisecond)}
	p.From = p.Until.AddDate(0, 0, -days)
	r := SumsRequest{Metrics: []Metric{m}, At: now, AsOf: now}
	q := previewQuery(&r, p.From, p.Until, form)
	p.SQL = q.sql
	var people, withFacts uint64
	var numbers, quantiles []float64
	if err := s.db.Read.QueryRow(ctx, q.sql).Scan(&people, &withFacts, &numbers, &quantiles); err != nil {
		return nil, fmt.Errorf("previewing a metric: %w", err)
	}
	if withFacts == 0 {
		numbers = nil
	}
	list, err := q.read(numbers, int64(people), []float64{float64(people)})
	if err != nil {
		return nil, err
	}
	t := &SumsTable{Cells: []SumsCell{{Metrics: list}}, Caps: make([]*float64, 1)}
	t.readCaps(&q)
	if err := s.lookForEvents(ctx, &r, t); err != nil {
		return nil, err
	}
	p.fill(&list[0], t, quantiles)
	return p, nil
}

// fill makes the figures of the sums.
func (p *MetricPreview) fill(sums *Sums, t *SumsTable, quantiles []float64) {
	p.People, p.Events, p.Missing, p.NotFinite, p.Capped = sums.Units, sums.Events, sums.Missing, sums.NotFinite, sums.Capped
	p.Cap, p.Funnel, p.Unseen = t.Caps[0], sums.Funnel, t.Unseen[0]
	e, err := sums.Sample().Estimate()
	if err != nil {
		p.Problem = sentence(err)
	} else {
		p.Mean, p.SD = known(e.Mean), known(math.Sqrt(e.Variance))
	}
	if len(p.Unseen) > 0 {
		p.Problem = unseenProblem(p.Unseen)
	}
	if p.People == 0 {
		return
	}
	if sums.Kind != TimeToEventKind {
		zeros := 1 - float64(sums.NonZero)/float64(p.People)
		p.Zeros = &zeros
	}
	if p.Cap != nil {
		if u, err := (stats.Mean{N: sums.Units, Sum: sums.UncappedY, SumSquares: sums.UncappedYY}).Estimate(); err == nil {
			p.Uncapped = known(u.Mean)
		}
	}
	for i, level := range previewLevels() {
		if i < len(quantiles) && known(quantiles[i]) != nil {
			p.Quantiles = append(p.Quantiles, ValueQuantile{Level: level, Value: quantiles[i]})
		}
	}
}

// previewQuery writes a statement like that of a report, of people who have no arm.
func previewQuery(r *SumsRequest, from, until time.Time, form shape) sumsQuery {
	b := &builder{request: r, shape: form}
	b.addMetrics()
	q := sumsQuery{metrics: b.metrics, waits: b.windows()}
	var with []string
	join := ""
	if form.people {
		with = append(with, b.people())
		join = "\n  LEFT JOIN people AS p ON x.profile_id = p.profile_id"
	}
	with = append(with, fmt.Sprintf("exposed AS (\n  SELECT %s AS key, '' AS arm, toUnixTimestamp64Milli(min(x.timestamp)) AS first_at, toUInt8(0) AS mixed\n  FROM events AS x%s\n  PREWHERE x.timestamp >= %s AND x.timestamp < %s\n  WHERE x.profile_id != '' AND x.source != 'system'\n  GROUP BY key\n)",
		key(person("profile_id", form)), join, momentLiteral(from), momentLiteral(until)),
		"facts AS (\n"+indent(b.facts.sql(b))+"\n)", "outcomes AS (\n"+indent(b.outcomes())+"\n)")
	if caps := b.capsSQL(); caps != "" {
		with = append(with, caps)
	}
	if b.needsUnits() {
		with = append(with, "(SELECT mapFromArrays(groupArray(arm), groupArray(n)) FROM (SELECT arm, count() AS n FROM exposed GROUP BY arm)) AS units_of")
	}
	var numbers []string
	for _, c := range b.metrics[0].sums {
		if c.width > 1 {
			numbers = append(numbers, strings.ReplaceAll(c.sql, "units_of[o.arm]", "units_of['']"))
		} else {
			numbers = append(numbers, "["+c.sql+"]")
		}
	}
	quantiles := "CAST([], 'Array(Float64)')"
	if m := &r.Metrics[0]; !m.Kind.binary() && m.Kind != TimeToEventKind && (m.Kind != QuantileKind || m.Quantile.Of == QuantileOfPeople) {
		levels := make([]string, 0, len(previewLevels()))
		for _, l := range previewLevels() {
			levels = append(levels, sampleQuantile(floatLiteral(l)))
		}
		quantiles = bind("a, n", "arraySort(groupArrayIf(o.y0, o.y0 != 0))", "assumeNotNull((SELECT toFloat64(count()) FROM exposed))",
			bind("negative, one", "toFloat64(arrayCount(x -> x < 0, a))", "1", "["+strings.Join(levels, ", ")+"]"))
	}
	q.sql = "WITH " + strings.Join(with, ",\n") + "\nSELECT assumeNotNull((SELECT count() FROM exposed)) AS people, count() AS with_facts,\n  arrayConcat(\n    " +
		strings.Join(numbers, ",\n    ") + "\n  ) AS numbers,\n  " + quantiles + " AS quantiles\nFROM outcomes AS o"
	return q
}

// MetricStatement is the SQL that a metric is computed with.
type MetricStatement struct {
	Key        string    `json:"key"`
	Version    int64     `json:"version"`
	Experiment string    `json:"experiment"`
	At         time.Time `json:"at"`
	Columns    []string  `json:"columns" nullable:"false" doc:"What the numbers of a row of sums (row = 1) are, in their order"`
	SQL        string    `json:"sql"`
}

// Statement is the SQL with which a report on an experiment computes a metric.
func (s *Service) Statement(key, experiment string, at time.Time) (*MetricStatement, error) {
	v, ok := s.metrics.Get(key)
	if !ok {
		return nil, problem.NotFound("metric", problem.Clip(key))
	}
	e, err := s.reported(experiment)
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		at = s.now()
	}
	at = at.UTC().Truncate(time.Millisecond)
	r := SumsRequest{Experiment: experiment, DecisionPoint: e.DecisionPoint, Metrics: []Metric{v.Value}, At: at, AsOf: at}
	q := buildSums(&r, shape{people: true, irregular: true})
	out := &MetricStatement{Key: key, Version: v.Version, Experiment: experiment, At: at, SQL: q.sql}
	for i := range q.metrics[0].sums {
		out.Columns = append(out.Columns, q.metrics[0].sums[i].name())
	}
	return out, nil
}

// name tells which of the sums a column is, by what it sets.
func (c *sumColumn) name() string {
	probe, width := Sums{Covariates: make([]CovariateSums, 0)}, max(1, c.width)
	values := make([]float64, width)
	for i := range values {
		values[i] = 1
	}
	c.set(&probe, values)
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"events", probe.Events != 0}, {"missing", probe.Missing != 0}, {"notFinite", probe.NotFinite != 0}, {"capped", probe.Capped != 0}, {"cap", probe.bound != 0},
		{"Σy without the cap", probe.UncappedY != 0}, {"Σy² without the cap", probe.UncappedYY != 0},
		{"Σy", probe.Y != 0}, {"Σy²", probe.YY != 0}, {"Σy³", probe.Cubes != 0}, {"Σd", probe.D != 0}, {"Σd²", probe.DD != 0}, {"Σyd", probe.YD != 0},
		{"step of the funnel", len(probe.Funnel) > 0}, {"not zero", probe.NonZero != 0},
	} {
		if f.set {
			return f.name
		}
	}
	if c.width > 1 {
		names := []string{"n", "quantile", "lower", "upper", "grid", "ΣS", "ΣS²", "ΣN", "ΣN²", "ΣSN"}
		return strings.Join(slices.Clip(names[:width]), ", ")
	}
	return "sum"
}
