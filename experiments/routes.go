package experiments

import (
	"quintet/internal/api"
	"quintet/internal/definitions"
)

// Routes registers /v1/experiments with start, stop and report, /v1/metrics and
// /v1/holdouts.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.experiments, definitions.RouteOptions{Tag: "Experiments", Singular: "experiment"})
	definitions.Routes(srv.API, s.metrics, definitions.RouteOptions{Tag: "Metrics", Singular: "metric"})
	definitions.Routes(srv.API, s.holdouts, definitions.RouteOptions{Tag: "Holdouts", Singular: "holdout"})

	s.assignmentRoutes(srv)
	s.lifecycleRoutes(srv.API)
	s.planningRoute(srv.API)
	s.historyRoutes(srv.API)
	s.metricRoutes(srv.API)
	s.reportRoute(srv.API)
	s.programmeRoute(srv.API)
	templateRoutes(srv.API)
}
