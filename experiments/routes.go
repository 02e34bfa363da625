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

	s.lifecycleRoutes(srv.API)
	s.planningRoute(srv.API)
	s.reportRoute(srv.API)
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
