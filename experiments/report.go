package experiments

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"quintet/internal/problem"
)

// Report says what an experiment brought. Checks come first: a report whose
// checks failed is not to be believed.
type Report struct {
	Experiment     string            `json:"experiment" doc:"Key of the experiment"`
	Name           string            `json:"name,omitempty"`
	Status         Status            `json:"status"`
	DecisionPoint  string            `json:"decisionPoint,omitempty"`
	At             time.Time         `json:"at" doc:"Exposures and events up to this moment count"`
	AsOf           time.Time         `json:"asOf" doc:"What had come in by this moment counts, and who was known to be whom then"`
	GeneratedAt    *time.Time        `json:"generatedAt,omitempty" doc:"Absent from a report as of a given moment, which is the same whenever it is made"`
	ChecksPassed   bool              `json:"checksPassed" doc:"False when a check failed: the figures are then not to be believed"`
	Checks         []Check           `json:"checks" nullable:"false"`
	Recommendation Recommendation    `json:"recommendation" doc:"What to do, and why"`
	Analysis       Analysis          `json:"analysis" doc:"How the conclusions are drawn"`
	Arms           []ReportArm       `json:"arms" nullable:"false"`
	Guardrails     []GuardrailReport `json:"guardrails,omitempty" nullable:"false" doc:"Each guardrail in each arm but the control"`
	Metrics        []MetricReport    `json:"metrics" nullable:"false"`
	Dimension      *DimensionReport  `json:"dimension,omitempty" doc:"The metrics by the value of a dimension, where one was asked for"`
	SQL            []string          `json:"sql" nullable:"false" doc:"The queries that the figures were made of"`
}

// ReportArm is one variant with the people who count for it.
type ReportArm struct {
	Variant string  `json:"variant"`
	Control bool    `json:"control"`
	Weight  float64 `json:"weight" doc:"Share of people the arm was promised"`
	Units   int64   `json:"units" doc:"People first seen in this arm and never in another"`
	Mixed   int64   `json:"mixed" doc:"People first seen in this arm and later in another, as when two profiles turn out to be one person; they are left out of every figure"`
	Dropped bool    `json:"dropped,omitempty" doc:"The arm was taken out of the experiment"`
	Costs   *Costs  `json:"costs,omitempty" doc:"What contacts with the arm's people cost to deliver"`
}

// ReportOptions narrow a report.
type ReportOptions struct {
	Metric string    // key of the one metric to report; empty for the experiment's own
	At     time.Time // moment up to which events count; zero is AsOf
	// AsOf is the moment whose knowledge counts: what had come in by then, and who
	// was known to be whom. Zero is now. Such a report is the same whenever it is
	// made, whatever comes in and whoever is joined or told apart afterwards.
	AsOf time.Time
	// Method of analysis in the place of the experiment's own, to look at the same
	// data in another way; empty for its own.
	Method AnalysisMethod
	// Dimension by whose values the metrics are told apart as well; empty for none.
	Dimension string
	// Brief leaves out what takes queries of its own: the course over time, the
	// distribution of outcomes and the costs.
	Brief bool
	// Guardrails reports on the metrics of guardrails only, briefly.
	Guardrails bool
}

// reportDeadline bounds the queries of one report.
const reportDeadline = 50 * time.Second

// Report computes a brief uplift report of an experiment as of now; see
// [Service.ReportAt].
func (s *Service) Report(ctx context.Context, key, metric string) (*Report, error) {
	return s.ReportAt(ctx, key, ReportOptions{Metric: metric, Brief: true})
}

// ReportAt computes the uplift report of an experiment, or of the universal
// holdout under the key UniversalExperiment (over all metrics there are). It
// works while the log grows, as all its queries have the same end.
func (s *Service) ReportAt(ctx context.Context, key string, o ReportOptions) (*Report, error) {
	e, err := s.reported(key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reportDeadline)
	defer cancel()
	if !o.AsOf.IsZero() {
		if e, err = s.experimentAt(ctx, key, e, o.AsOf); err != nil {
			return nil, err
		}
	}
	r := &Report{Experiment: key, Name: e.Name, Status: e.Status, DecisionPoint: e.DecisionPoint, Analysis: e.analysis()}
	if err := r.fillMoments(s.now().UTC(), &o); err != nil {
		return nil, err
	}
	if o.Method != "" {
		if !slices.Contains(analysisMethods(), o.Method) {
			return nil, problem.Invalid{{Field: "query.method", Rule: "must be sequential, fixed, bayesian or group-sequential", Value: o.Method}}
		}
		r.Analysis.Method = o.Method
	}
	if o.Dimension != "" {
		if err := CheckDimension(o.Dimension); err != nil {
			return nil, problem.Invalid{{Field: "query.dimension", Rule: err.Error(), Value: o.Dimension}}
		}
	}
	b := &reportBuilder{service: s, key: key, experiment: e, options: o, report: r}
	if err := b.chooseMetrics(ctx); err != nil {
		return nil, err
	}
	for _, step := range b.steps() {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("reporting on experiment %s: %w", key, err)
		}
	}
	if judged := len(e.Metrics) + len(e.Guardrails); o.Metric != "" && judged > 1 && r.Recommendation.Action != FixFirst {
		r.Recommendation = Recommendation{Action: NoDecision, Reason: fmt.Sprintf("This is a report on one metric; the decision rests on all %d goal metrics and guardrails.", judged)}
	}
	if o.Method != "" && o.Method != e.analysis().Method {
		r.Recommendation = Recommendation{Action: NoDecision, Reason: fmt.Sprintf("The experiment was planned with the method %s; a look by another one decides nothing.", e.analysis().Method)}
	}
	return r, nil
}

// fillMoments settles what the report covers.
func (r *Report) fillMoments(now time.Time, o *ReportOptions) error {
	switch {
	case o.AsOf.IsZero():
		o.AsOf, r.GeneratedAt = now, &now
	case o.AsOf.After(now):
		return problem.Invalid{{Field: "query.asOf", Rule: "must not be in the future, of which nothing is known yet", Value: o.AsOf.Format(time.RFC3339Nano)}}
	}
	if o.At.IsZero() {
		o.At = o.AsOf
	}
	r.At, r.AsOf = o.At.UTC().Truncate(time.Millisecond), o.AsOf.UTC().Truncate(time.Millisecond)
	return nil
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
