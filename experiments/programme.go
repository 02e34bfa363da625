package experiments

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/experiments/stats"
	"quintet/internal/api"
	"quintet/internal/problem"
)

// Programme is what everything that was done together brought: the people of the
// universal holdout, who got none of it, beside an arm of the same size that got all
// of it; and what the experiments said of themselves.
type Programme struct {
	At          time.Time           `json:"at"`
	AsOf        time.Time           `json:"asOf"`
	Metric      string              `json:"metric"`
	Holdout     string              `json:"holdout" doc:"Key under which the comparison is reported"`
	Checks      []Check             `json:"checks" nullable:"false"`
	Passed      bool                `json:"checksPassed" doc:"False when a check of the holdout failed: the figures are then not to be believed"`
	Impact      *ProgrammeImpact    `json:"impact,omitempty"`
	Problem     string              `json:"problem,omitempty" doc:"Why there is no impact"`
	Experiments []ProgrammeClaim    `json:"experiments" nullable:"false" doc:"What experiments with the metric said of themselves"`
	Expected    *ProgrammeShrinkage `json:"expected,omitempty" doc:"What their effects come to without the luck of the winners; absent below three experiments"`
	SQL         []string            `json:"sql" nullable:"false"`
}

// ProgrammeImpact is the cumulative effect of all that was done.
type ProgrammeImpact struct {
	PerPerson *Interval `json:"perPerson" doc:"Treated minus held out, per person, with its 95 % interval"`
	Relative  *Interval `json:"relative,omitempty" doc:"As a share of the holdout's"`
	Treated   int64     `json:"treated" doc:"People outside the holdout that the total is of"`
	Total     Bounds    `json:"total" doc:"Bounds of the total over them"`
	Estimate  float64   `json:"totalEstimate"`
	Forgone   float64   `json:"forgone" doc:"What the holdout itself goes without"`
}

// ProgrammeClaim is the effect of one variant by its own experiment.
type ProgrammeClaim struct {
	Experiment string    `json:"experiment"`
	Variant    string    `json:"variant"`
	Status     Status    `json:"status"`
	Absolute   *Interval `json:"absolute" doc:"Per person of the experiment"`
	Shrunk     *float64  `json:"shrunk,omitempty" doc:"Estimate without the luck of the winners"`
}

// ProgrammeShrinkage sums up the claims.
type ProgrammeShrinkage struct {
	Claimed  float64 `json:"claimed" doc:"Sum of the estimates per person"`
	Expected float64 `json:"expected" doc:"Sum of the shrunk estimates per person"`
}

// maxClaims bounds the experiments that a programme is compared with.
const maxClaims = 100

// Programme compares the universal holdout with the arm of its size that gets
// everything, on a metric (the one that says most about a programme unless given), as
// of a moment (now unless given).
func (s *Service) Programme(ctx context.Context, metric string, at, asOf time.Time) (*Programme, error) {
	if metric == "" {
		metric = s.HoldoutMetric()
	}
	if metric == "" {
		return nil, problem.Conflict("There is no metric to judge the programme by; define one.")
	}
	ctx, cancel := context.WithTimeout(ctx, reportDeadline)
	defer cancel()
	// With its comparison arm where the holdout has one.
	key := ComparisonExperiment(UniversalHoldout)
	if _, err := s.reported(key); err != nil {
		key = UniversalExperiment
	}
	o := ReportOptions{Metric: metric, At: at, AsOf: asOf, Brief: true}
	r, err := s.ReportAt(ctx, key, o)
	if err != nil {
		return nil, err
	}
	p := &Programme{At: r.At, AsOf: r.AsOf, Metric: metric, Holdout: key, Checks: r.Checks, Passed: r.ChecksPassed, Experiments: []ProgrammeClaim{}, SQL: r.SQL}
	everybody := r
	if key != UniversalExperiment {
		if everybody, err = s.ReportAt(ctx, UniversalExperiment, o); err != nil {
			return nil, err
		}
		p.SQL = append(p.SQL, everybody.SQL...)
	}
	var outside int64
	for _, a := range everybody.Arms {
		if !a.Control {
			outside += a.Units
		}
	}
	p.fill(r, outside)
	if err := s.claims(ctx, p, o); err != nil {
		return nil, err
	}
	return p, nil
}

// fill computes the impact from the holdout's report, over the people outside it.
func (p *Programme) fill(r *Report, outside int64) {
	m := &r.Metrics[0]
	if !m.Kind.additive() {
		p.Problem = fmt.Sprintf("A %s has no total over people: choose a mean, a sum or a share.", m.Kind)
		return
	}
	var held, treated *MetricArm
	for i := range m.Arms {
		if r.Arms[i].Control {
			held = &m.Arms[i]
		} else {
			treated = &m.Arms[i]
		}
	}
	if held == nil || treated == nil || held.Mean == nil || treated.Mean == nil || held.StandardError == nil || treated.StandardError == nil {
		p.Problem = "One side of the holdout has no figures yet."
		for i := range m.Effects {
			if m.Effects[i].Problem != "" {
				p.Problem = m.Effects[i].Problem
			}
		}
		return
	}
	estimate := func(a *MetricArm) stats.Estimate {
		return stats.Estimate{N: a.Units, Mean: *a.Mean, Variance: *a.StandardError * *a.StandardError * float64(a.Units)}
	}
	impact, err := stats.CumulativeImpact(estimate(held), estimate(treated), max(outside, treated.Units), stats.Options{})
	if err != nil {
		p.Problem = sentence(err)
		return
	}
	p.Impact = &ProgrammeImpact{PerPerson: interval(impact.PerUnit), Treated: impact.Treated, Estimate: impact.Total, Forgone: impact.Remaining,
		Total: Bounds{Lower: known(impact.TotalLower), Upper: known(impact.TotalUpper)}}
	if impact.Relative != nil {
		p.Impact.Relative = interval(*impact.Relative)
	}
}

// claims gathers what experiments with the metric said of themselves, and takes the
// winners' luck out of it.
func (s *Service) claims(ctx context.Context, p *Programme, o ReportOptions) error {
	snapshot := s.experiments.Snapshot()
	var list []stats.Claim
	for _, key := range slices.Sorted(maps.Keys(snapshot)) {
		e := snapshot[key].Value
		if e.StartedAt == nil || !slices.Contains(e.Metrics, p.Metric) {
			continue
		}
		if len(p.Experiments) >= maxClaims {
			break
		}
		r, err := s.ReportAt(ctx, key, o)
		if err != nil {
			return err
		}
		for i := range r.Metrics[0].Effects {
			if effect := &r.Metrics[0].Effects[i]; effect.Absolute != nil && r.ChecksPassed {
				p.Experiments = append(p.Experiments, ProgrammeClaim{Experiment: key, Variant: effect.Variant, Status: e.Status, Absolute: effect.Absolute})
				list = append(list, stats.Claim{Experiment: key, Effect: stats.Effect{Estimate: effect.Absolute.Estimate, StandardError: effect.Absolute.StandardError}})
			}
		}
	}
	shrunk, err := stats.ShrinkClaims(list)
	if err != nil {
		return nil //nolint:nilerr // a family that is too small has no common mean
	}
	for i := range shrunk.Shrunk {
		p.Experiments[i].Shrunk = known(shrunk.Shrunk[i].Estimate)
	}
	p.Expected = &ProgrammeShrinkage{Claimed: shrunk.Claimed, Expected: shrunk.Expected}
	return nil
}

func (s *Service) programmeRoute(a huma.API) {
	type input struct {
		Metric string    `query:"metric" maxLength:"64" doc:"Key of a metric; the one that says most about a programme unless given"`
		At     time.Time `query:"at" doc:"Events up to this moment count; asOf unless given"`
		AsOf   time.Time `query:"asOf" doc:"With what was known at this moment; now unless given"`
	}
	type output struct{ Body *Programme }
	op := huma.Operation{
		OperationID: "programme", Method: http.MethodGet, Path: "/v1/programme", Tags: []string{"Experiments"},
		Summary:     "What everything together brought",
		Description: "The universal holdout beside people who get everything, and beside what the experiments say of themselves.",
		Errors:      []int{401, 403, 404, 409, 422, 503},
	}
	api.Require(api.ScopeRead)(&op)
	api.Deadline(reportDeadline)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		p, err := s.Programme(ctx, in.Metric, in.At, in.AsOf)
		if err != nil {
			return nil, err
		}
		return &output{Body: p}, nil
	})
}
