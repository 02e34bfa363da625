package experiments

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
)

// Routes registers /v1/experiments with start, stop and report, /v1/metrics and
// /v1/holdouts.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.experiments, definitions.RouteOptions{Tag: "Experiments", Singular: "experiment"})
	definitions.Routes(srv.API, s.metrics, definitions.RouteOptions{Tag: "Metrics", Singular: "metric"})
	definitions.Routes(srv.API, s.holdouts, definitions.RouteOptions{Tag: "Holdouts", Singular: "holdout"})

	transitionRoute(srv.API, "start", "Start an experiment",
		"From now on its variants apply at its decision point. At most one experiment runs at a decision point; one that was stopped does not start again.", s.Start)
	transitionRoute(srv.API, "stop", "Stop an experiment",
		"Its variants no longer apply. Its report goes on as outcomes come in.", s.Stop)
	s.reportRoute(srv.API)
}

// ExperimentState is what starting and stopping answer with.
type ExperimentState struct {
	Key       string     `json:"key"`
	Version   int64      `json:"version"`
	Status    Status     `json:"status"`
	StartedAt *time.Time `json:"startedAt,omitempty"`
	StoppedAt *time.Time `json:"stoppedAt,omitempty"`
}

func transitionRoute(a huma.API, verb, summary, description string,
	change func(ctx context.Context, key, by string) (definitions.Versioned[Experiment], error)) {
	type input struct {
		Key string `path:"key" maxLength:"64"`
	}
	type output struct{ Body ExperimentState }
	op := huma.Operation{
		OperationID: verb + "-experiment", Method: http.MethodPost, Path: "/v1/experiments/{key}/" + verb,
		Tags: []string{"Experiments"}, Summary: summary, Description: description, Errors: []int{401, 403, 404, 409, 422},
	}
	api.Require(api.ScopeDefine)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		by, _ := api.PrincipalFrom(ctx)
		v, err := change(ctx, in.Key, by.String())
		if err != nil {
			return nil, err
		}
		return &output{Body: ExperimentState{Key: v.Key, Version: v.Version, Status: v.Value.Status,
			StartedAt: v.Value.StartedAt, StoppedAt: v.Value.StoppedAt}}, nil
	})
}

func (s *Service) reportRoute(a huma.API) {
	type input struct {
		Key    string    `path:"key" maxLength:"64"`
		Metric string    `query:"metric" maxLength:"64" doc:"Key of one metric; the experiment's own metrics unless given"`
		At     time.Time `query:"at" doc:"Events up to this moment count; asOf unless given"`
		AsOf   time.Time `query:"asOf" doc:"Report with what was known at this moment, of events and of who is whom; now unless given"`
	}
	type output struct{ Body *Report }
	op := huma.Operation{
		OperationID: "report-experiment", Method: http.MethodGet, Path: "/v1/experiments/{key}/report",
		Tags: []string{"Experiments"}, Summary: "Uplift report",
		Description: "Checks first, then each metric by arm with absolute and relative effects and their 95 % intervals. The key " +
			UniversalExperiment + " reports on the universal holdout.",
		Errors: []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	api.Deadline(reportDeadline)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		report, err := s.ReportAt(ctx, in.Key, ReportOptions{Metric: in.Metric, At: in.At, AsOf: in.AsOf})
		if err != nil {
			return nil, err
		}
		return &output{Body: report}, nil
	})
}
