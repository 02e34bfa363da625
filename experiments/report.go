package experiments

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"quintet/experiments/stats"
	"quintet/internal/problem"
)

// Report says what an experiment brought. Checks come first: a report whose
// checks failed is not to be believed.
type Report struct {
	Experiment    string         `json:"experiment" doc:"Key of the experiment"`
	Name          string         `json:"name,omitempty"`
	Status        Status         `json:"status"`
	DecisionPoint string         `json:"decisionPoint,omitempty"`
	At            time.Time      `json:"at" doc:"Exposures and events up to this moment count"`
	AsOf          time.Time      `json:"asOf" doc:"What had come in by this moment counts, and who was known to be whom then"`
	GeneratedAt   *time.Time     `json:"generatedAt,omitempty" doc:"Absent from a report as of a given moment, which is the same whenever it is made"`
	ChecksPassed  bool           `json:"checksPassed" doc:"False when a check failed: the figures are then not to be believed"`
	Checks        []Check        `json:"checks" nullable:"false"`
	Arms          []ReportArm    `json:"arms" nullable:"false"`
	Metrics       []MetricReport `json:"metrics" nullable:"false"`
	SQL           []string       `json:"sql" nullable:"false" doc:"The queries that the figures were made of"`
}

// ReportArm is one variant with the people who count for it.
type ReportArm struct {
	Variant string  `json:"variant"`
	Control bool    `json:"control"`
	Weight  float64 `json:"weight" doc:"Share of people the arm was promised"`
	Units   int64   `json:"units" doc:"People first seen in this arm and never in another"`
	Mixed   int64   `json:"mixed" doc:"People first seen in this arm and later in another, as when two profiles turn out to be one person; they are left out of every figure"`
}

// MetricReport is one metric over all arms.
type MetricReport struct {
	Key         string      `json:"key"`
	Name        string      `json:"name,omitempty"`
	Kind        Kind        `json:"kind"`
	Direction   Direction   `json:"direction"`
	WindowHours float64     `json:"windowHours"`
	Arms        []MetricArm `json:"arms" nullable:"false"`
	Effects     []Effect    `json:"effects" nullable:"false" doc:"One for each arm but the control"`
	Notes       []string    `json:"notes,omitempty" nullable:"false" doc:"What to keep in mind when reading the figures"`
	Problem     string      `json:"problem,omitempty" doc:"Why the metric has no figures"`
}

// MetricArm is what one arm says about a metric.
type MetricArm struct {
	Variant       string   `json:"variant"`
	Units         int64    `json:"units"`
	Matured       int64    `json:"matured" doc:"People whose window has passed; the others count with what has happened so far"`
	Sum           *float64 `json:"sum,omitempty" doc:"Total over all people; for a proportion the people with the event"`
	Denominator   *float64 `json:"denominator,omitempty" doc:"Total of a ratio's denominator"`
	Mean          *float64 `json:"mean,omitempty" doc:"Per person; for a ratio the ratio"`
	StandardError *float64 `json:"standardError,omitempty"`
	Problem       string   `json:"problem,omitempty" doc:"Why a figure is missing"`
}

// Effect compares one arm with the control.
type Effect struct {
	Variant          string    `json:"variant"`
	Absolute         *Interval `json:"absolute,omitempty" doc:"Arm minus control"`
	Relative         *Interval `json:"relative,omitempty" doc:"The same as a share of the control"`
	PValue           *float64  `json:"pValue,omitempty" doc:"Two-sided, of the absolute difference (Welch)"`
	DegreesOfFreedom *float64  `json:"degreesOfFreedom,omitempty"`
	Problem          string    `json:"problem,omitempty" doc:"Why there is no effect"`
	RelativeProblem  string    `json:"relativeProblem,omitempty" doc:"Why there is no relative effect"`
}

// Interval is an estimate with its 95 % interval.
type Interval struct {
	Estimate      float64 `json:"estimate"`
	Lower         float64 `json:"lower"`
	Upper         float64 `json:"upper"`
	StandardError float64 `json:"standardError"`
}

// ReportOptions narrow a report.
type ReportOptions struct {
	Metric string    // key of the one metric to report; empty for the experiment's own
	At     time.Time // moment up to which events count; zero is AsOf
	// AsOf is the moment whose knowledge counts: what had come in by then, and who
	// was known to be whom. Zero is now. Such a report is the same whenever it is
	// made, whatever comes in and whoever is joined or told apart afterwards.
	AsOf time.Time
}

// reportDeadline bounds the query of one report.
const reportDeadline = 50 * time.Second

// Report computes the uplift report of an experiment as of now; see [Service.ReportAt].
func (s *Service) Report(ctx context.Context, key, metric string) (*Report, error) {
	return s.ReportAt(ctx, key, ReportOptions{Metric: metric})
}

// ReportAt computes the uplift report of an experiment, or of the universal
// holdout under the key UniversalExperiment (over all metrics there are). It
// works while the log grows: all its figures are of one query.
func (s *Service) ReportAt(ctx context.Context, key string, o ReportOptions) (*Report, error) {
	e, err := s.reported(key)
	if err != nil {
		return nil, err
	}
	keys := e.Metrics
	if o.Metric != "" {
		keys = []string{o.Metric}
	}
	now := s.now().UTC()
	r := &Report{Experiment: key, Name: e.Name, Status: e.Status, DecisionPoint: e.DecisionPoint, Metrics: make([]MetricReport, len(keys))}
	switch {
	case o.AsOf.IsZero():
		o.AsOf, r.GeneratedAt = now, &now
	case o.AsOf.After(now):
		var bad problem.Invalid
		bad.Add("query.asOf", "must not be in the future, of which nothing is known yet", o.AsOf.Format(time.RFC3339Nano))
		return nil, bad.Err()
	}
	if o.At.IsZero() {
		o.At = o.AsOf
	}
	r.At, r.AsOf = o.At.UTC().Truncate(time.Millisecond), o.AsOf.UTC().Truncate(time.Millisecond)
	var metrics []Metric
	var places []int // of each metric in the report
	for i, k := range keys {
		v, ok := s.metrics.Get(k)
		if !ok && o.Metric != "" {
			var bad problem.Invalid
			bad.Add("query.metric", "must be the key of a metric", k)
			return nil, bad.Err()
		}
		m := v.Value
		r.Metrics[i] = MetricReport{Key: k, Name: m.Name, Kind: m.Kind, Direction: m.Direction, WindowHours: m.WindowHours,
			Arms: []MetricArm{}, Effects: []Effect{}}
		if !ok {
			r.Metrics[i].Problem = "The metric was deleted."
			continue
		}
		metrics, places = append(metrics, m), append(places, i)
	}
	q := buildQuery(key, e.DecisionPoint, metrics, span{at: r.At, asOf: r.AsOf})
	r.SQL = []string{q.sql}
	rows, err := s.sums(ctx, &q)
	if err != nil {
		return nil, fmt.Errorf("reporting on experiment %s: %w", key, err)
	}
	arms := r.fillArms(e, rows)
	r.check(e, rows)
	for i, m := range metrics {
		r.Metrics[places[i]].fill(&m, e, arms, i)
	}
	return r, nil
}

// HoldoutMetric is the metric that says most about a programme as a whole: a
// mean per person, net of contacts if there is one, of money rather than of
// counts; empty when no metric is defined. Among equals the first key wins.
func (s *Service) HoldoutMetric() string {
	best, bestRank := "", -1
	metrics := s.metrics.Snapshot()
	for _, key := range slices.Sorted(maps.Keys(metrics)) {
		m := metrics[key].Value
		rank := 0
		switch {
		case m.Kind == MeanKind && m.SubtractContactCost:
			rank = 4
		case m.Kind == MeanKind && m.Property != "":
			rank = 3
		case m.Kind == MeanKind:
			rank = 2
		case m.Kind == ProportionKind:
			rank = 1
		}
		if rank > bestRank {
			best, bestRank = key, rank
		}
	}
	return best
}

// reported is the experiment that a report is about.
func (s *Service) reported(key string) (*Experiment, error) {
	if e, ok, err := s.standing(key); ok {
		return e, err
	}
	v, ok := s.experiments.Get(key)
	if !ok {
		return nil, problem.NotFound("experiment", problem.Clip(key))
	}
	return &v.Value, nil
}

// sums runs the report's query.
func (s *Service) sums(ctx context.Context, q *query) ([]armSums, error) {
	ctx, cancel := context.WithTimeout(ctx, reportDeadline)
	defer cancel()
	rows, err := s.db.Read.Query(ctx, q.sql)
	if err != nil {
		return nil, fmt.Errorf("querying the log: %w", err)
	}
	defer rows.Close()
	var out []armSums
	for rows.Next() {
		var arm armSums
		var values []float64
		if err := rows.Scan(&arm.variant, &arm.units, &arm.mixed, &values); err != nil {
			return nil, fmt.Errorf("reading the sums of an arm: %w", err)
		}
		if arm.metrics, err = q.readSums(values); err != nil {
			return nil, err
		}
		out = append(out, arm)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("querying the log: %w", err)
	}
	return out, nil
}

// fillArms lists the arms in the order of the definition and gives their sums
// in that order. An arm that nobody was seen in has zero sums.
func (r *Report) fillArms(e *Experiment, rows []armSums) []armSums {
	arms := make([]armSums, len(e.Variants))
	for i, v := range e.Variants {
		arms[i].variant = v.Key
		if j := slices.IndexFunc(rows, func(a armSums) bool { return a.variant == v.Key }); j >= 0 {
			arms[i] = rows[j]
		}
		r.Arms = append(r.Arms, ReportArm{Variant: v.Key, Control: v.Control, Weight: v.Weight, Units: int64(arms[i].units), Mixed: int64(arms[i].mixed)})
	}
	return arms
}

// fill computes the figures of metric i.
func (m *MetricReport) fill(def *Metric, e *Experiment, arms []armSums, i int) {
	estimates := make([]stats.Estimate, len(arms))
	failures := make([]error, len(arms))
	var missing, events float64
	few := false
	for a := range arms {
		var u sums
		if arms[a].metrics != nil {
			u = arms[a].metrics[i]
		}
		missing, events = missing+u.missing, events+u.events
		arm := MetricArm{Variant: arms[a].variant, Units: int64(arms[a].units), Matured: int64(u.matured), Sum: known(u.y)}
		if def.Kind == RatioKind {
			arm.Denominator = known(u.d)
		}
		estimates[a], failures[a] = def.sample(int64(arms[a].units), u).Estimate()
		if failures[a] != nil {
			arm.Problem = sentence(failures[a])
		} else {
			arm.Mean, arm.StandardError = known(estimates[a].Mean), known(estimates[a].StandardError())
			few = few || u.nonZero < fewOutcomes || (def.Kind == ProportionKind && float64(arms[a].units)-u.nonZero < fewOutcomes)
		}
		m.Arms = append(m.Arms, arm)
	}
	if missing > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("%.0f of %.0f %q events have no numeric property %q and count as zero.", missing, events, def.Event, def.Property))
	}
	control := e.control()
	for a := range arms {
		if a == control {
			continue
		}
		effect := Effect{Variant: arms[a].variant}
		switch {
		case failures[control] != nil:
			effect.Problem = "control: " + sentence(failures[control])
		case failures[a] != nil:
			effect.Problem = sentence(failures[a])
		default:
			m.note(effect.compare(estimates[control], estimates[a]))
		}
		m.Effects = append(m.Effects, effect)
	}
	if few && slices.ContainsFunc(m.Effects, func(e Effect) bool { return e.Absolute != nil }) {
		m.note(fmt.Sprintf("An arm has fewer than %d people on one side of the outcome; its interval is rough.", fewOutcomes))
	}
}

// Bounds below which the report warns, or says nothing, instead of misleading.
const (
	fewOutcomes         = 10  // people with (and, for a proportion, without) an outcome
	uncertainBaseline   = 0.1 // Fieller's g from which a relative interval is rough
	meaninglessBaseline = 1.0 // g from which a control mean of zero is plausible
)

func (m *MetricReport) note(text string) {
	if text != "" && !slices.Contains(m.Notes, text) {
		m.Notes = append(m.Notes, text)
	}
}

// sample makes the sums of one arm into what the statistics take.
func (m *Metric) sample(units int64, u sums) stats.Sample {
	switch m.Kind {
	case ProportionKind:
		return stats.Proportion{N: units, Successes: int64(u.nonZero)}
	case RatioKind:
		return stats.Ratio{N: units, Numerator: u.y, NumeratorSquares: u.yy, Denominator: u.d, DenominatorSquares: u.dd, Products: u.yd}
	default:
		return stats.Mean{N: units, Sum: u.y, SumSquares: u.yy}
	}
}

// compare fills the effect of an arm against the control and returns a note
// for the reader, if any.
func (e *Effect) compare(control, treatment stats.Estimate) (note string) {
	absolute, err := stats.Absolute(control, treatment, stats.Options{})
	if err != nil {
		e.Problem = sentence(err)
		return ""
	}
	e.Absolute = interval(absolute)
	e.PValue, e.DegreesOfFreedom = &absolute.PValue, &absolute.DegreesOfFreedom
	g, err := stats.BaselineUncertainty(control, stats.Options{})
	if err != nil {
		e.RelativeProblem = sentence(err)
		return ""
	}
	if g >= meaninglessBaseline {
		e.RelativeProblem = "control: the mean cannot be told from zero, so that there is nothing to be relative to."
		return ""
	}
	relative, err := stats.Relative(control, treatment, stats.Options{})
	if err != nil {
		e.RelativeProblem = sentence(err)
		return ""
	}
	e.Relative = interval(relative)
	if g >= uncertainBaseline {
		return "The control's mean is uncertain; intervals of relative effects are rough."
	}
	return ""
}

func interval(e stats.Effect) *Interval {
	return &Interval{Estimate: e.Estimate, Lower: e.Lower, Upper: e.Upper, StandardError: e.StandardError}
}

// known leaves out what is no number, which JSON could not carry either.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// sentence makes a problem fit to be shown.
func sentence(err error) string { return err.Error() + "." }
