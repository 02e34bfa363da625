package experience

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/lifecycle"
)

// Deps are what the service is made of.
type Deps struct {
	Definitions *definitions.Store
	ClickHouse  *clickhouse.Database
	// Table is the table of the lifecycle that is in force.
	Table func() lifecycle.Table
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// settingsKey is the key of the one definition of settings.
const settingsKey = "default"

// Service reports on customer experience.
type Service struct {
	db       *clickhouse.Database
	settings *definitions.Collection[Settings]
	table    func() lifecycle.Table
	now      func() time.Time
}

// Open loads the settings.
func Open(d Deps) (*Service, error) {
	s := &Service{db: d.ClickHouse, table: d.Table, now: d.Now}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.settings, err = definitions.NewCollection(d.Definitions, "experience", checkSettings); err != nil {
		return nil, fmt.Errorf("loading the settings of customer experience: %w", err)
	}
	return s, nil
}

// Settings are those in force.
func (s *Service) Settings() Settings {
	v, _ := s.settings.Get(settingsKey)
	settings := v.Value
	settings.normalise()
	return settings
}

// Metric is one figure of customer experience.
type Metric string

// The metrics.
const (
	NPS             Metric = "nps"
	CSAT            Metric = "csat"
	CES             Metric = "ces"
	Retention       Metric = "retention"
	Churn           Metric = "churn"
	Gained          Metric = "gained"
	Lost            Metric = "lost"
	AverageOrder    Metric = "average-order"
	AcquisitionCost Metric = "acquisition-cost"
)

// metrics say what each figure is and who computes it.
var metrics = map[Metric]struct {
	definition string
	compute    func(*Service, context.Context, *query) error
}{
	NPS:             {"Share of promoters (9 and 10 of 10) less that of detractors (0 to 6), in points. The last answer of a person in a period counts.", (*Service).surveys},
	CSAT:            {"Share of satisfied answers, by the settings from 0.8 of the scale on. The last answer of a person in a period counts.", (*Service).surveys},
	CES:             {"Mean answer on a scale of 1 to 7; other scales are stretched to it. The last answer of a person in a period counts.", (*Service).surveys},
	Retention:       {"Share of the customers who ordered in the period before and ordered in this one too.", (*Service).retention},
	Churn:           {"Share of the customers active at the period's start who are not active at its end. A customer is active for so many days after an order as the settings say.", (*Service).movement},
	Gained:          {"Customers whose first order ever lies in the period.", (*Service).movement},
	Lost:            {"Customers active at the period's start who are not active at its end.", (*Service).movement},
	AverageOrder:    {"Revenue of the period's orders divided by their number; customers are the units of the interval.", (*Service).averageOrder},
	AcquisitionCost: {"Marketing spend of the period divided by the customers whose first order lies in it; one row for each currency.", (*Service).acquisition},
}

// Report is one metric, period by period.
type Report struct {
	Metric     Metric `json:"metric"`
	Definition string `json:"definition"`
	Period     Period `json:"period"`
	Segment    string `json:"segment,omitempty"`
	Rows       []Row  `json:"rows" nullable:"false" doc:"One for each period, for acquisition cost one for each period and currency"`
	// Cohorts are shown of retention.
	Cohorts []Cohort `json:"cohorts,omitempty" doc:"Retention: customers by the period of their first order, and how many ordered in the periods behind it"`
}

// Row is the figure of one period. Figures that do not exist are left out.
type Row struct {
	From     string             `json:"from" format:"date"`
	To       string             `json:"to" format:"date" doc:"The first day behind the period"`
	Complete bool               `json:"complete" doc:"false while the period has not ended"`
	Currency string             `json:"currency,omitempty"`
	Value    *float64           `json:"value,omitempty"`
	Lower    *float64           `json:"lower,omitempty" doc:"With 95 % confidence"`
	Upper    *float64           `json:"upper,omitempty"`
	N        float64            `json:"n" doc:"What the figure rests on: answers, customers or new customers"`
	Parts    map[string]float64 `json:"parts" doc:"The counts and sums that the figure is made of"`
}

// Cohort is the customers whose first order lies in one period.
type Cohort struct {
	From    string   `json:"from" format:"date"`
	Size    float64  `json:"size"`
	Returns []Return `json:"returns" nullable:"false"`
}

// Return is how many of a cohort ordered so many periods later.
type Return struct {
	Offset int     `json:"offset" doc:"Periods behind that of the first order, from 1"`
	People float64 `json:"people"`
	Rate   float64 `json:"rate"`
	Lower  float64 `json:"lower"`
	Upper  float64 `json:"upper"`
}

// query is one report being made.
type query struct {
	span
	report   Report
	settings Settings
	log      lifecycle.Log
	people   string // condition on person_id, "" for everybody
}

// maxSegment bounds the name of a segment, in bytes.
const maxSegment = 100

// Report computes a metric for the periods that the days from from to to touch.
// segment restricts it to the people who are there now: the key of a lifecycle
// segment, or stage: or rfm: and the key of one; empty means everybody.
func (s *Service) Report(ctx context.Context, metric Metric, from, to time.Time, period Period, segment string) (*Report, error) {
	m, ok := metrics[metric]
	if !ok {
		return nil, problem.Invalid{{Field: "query.metric", Rule: "must be nps, csat, ces, retention, churn, gained, lost, average-order or acquisition-cost", Value: problem.Clip(string(metric))}}
	}
	now := s.now().UTC()
	q := &query{settings: s.Settings(), report: Report{Metric: metric, Definition: m.definition, Period: period, Segment: segment, Rows: []Row{}}}
	var err error
	if q.span, err = newSpan(period, from, to); err != nil {
		return nil, err
	}
	if q.starts[0].After(now) {
		return nil, problem.Invalid{{Field: "query.from", Rule: "must not lie in the future", Value: from.Format(time.DateOnly)}}
	}
	table := s.table()
	until := q.end
	if until.After(now) {
		until = now
	}
	q.log = lifecycle.Log{Commerce: table.Commerce, Until: until}
	if q.people, err = peopleOf(&table, segment); err != nil {
		return nil, err
	}
	if segment != "" && metric == AcquisitionCost {
		return nil, problem.Invalid{{Field: "query.segment", Rule: "must be left out of acquisition-cost: spend belongs to no segment", Value: segment}}
	}
	if err := m.compute(s, ctx, q); err != nil {
		return nil, fmt.Errorf("computing %s: %w", metric, err)
	}
	return &q.report, nil
}

// peopleOf is the condition on person_id of those who are in a segment now.
func peopleOf(t *lifecycle.Table, segment string) (string, error) {
	if segment == "" {
		return "", nil
	}
	column, key, found := strings.Cut(segment, ":")
	if !found {
		column, key = "segment", segment
	}
	known := map[string]bool{}
	rules := func(list []lifecycle.Rule) {
		for i := range list {
			known[list[i].Key] = true
		}
	}
	switch column {
	case "segment":
		rules(t.Segments)
	case "stage":
		rules(t.Stages)
	case "rfm":
		column = "rfm_segment"
		for _, b := range t.RFM.Segments {
			known[b.Key] = true
		}
		known[t.RFM.Other] = true
	}
	if len(segment) > maxSegment || !known[key] {
		return "", problem.Invalid{{Field: "query.segment", Rule: "must be the key of a lifecycle segment, or stage: or rfm: and the key of one", Value: problem.Clip(segment)}}
	}
	return fmt.Sprintf("person_id IN (SELECT person_id FROM profile_attributes GROUP BY person_id HAVING argMax(%s, computed_at) = %s)", column, lifecycle.Literal(key)), nil
}

// where is the condition on people behind the word.
func (q *query) where(word string) string {
	if q.people == "" {
		return ""
	}
	return " " + word + " " + q.people
}

// row begins the row of the period that starts on a day.
func (q *query) row(start time.Time, i Interval, n float64, parts map[string]float64) Row {
	end := q.period.add(start, 1)
	r := Row{From: start.Format(time.DateOnly), To: end.Format(time.DateOnly), Complete: !end.After(q.log.Until), N: n, Parts: parts}
	for field, v := range map[**float64]float64{&r.Value: i.Value, &r.Lower: i.Lower, &r.Upper: i.Upper} {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			*field = &v
		}
	}
	return r
}
