package experiments

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
)

// historyRoutes register what the own history says about a metric.
func (s *Service) historyRoutes(a huma.API) {
	type baselineInput struct {
		Key  string `path:"key" maxLength:"64"`
		Days int    `query:"days" default:"28" minimum:"1" maximum:"366" doc:"Days in which people were first seen, before the metric's window"`
	}
	op := huma.Operation{
		OperationID: "metric-baseline", Method: http.MethodGet, Path: "/v1/metrics/{key}/baseline",
		Tags: []string{"Metrics"}, Summary: "What a metric is without an experiment",
		Description: "Mean and variance per person over the people of the last days, each from their first event of these days on, as a plan needs them.",
		Errors:      []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	api.Deadline(historyDeadline)(&op)
	huma.Register(a, op, func(ctx context.Context, in *baselineInput) (*struct{ Body *MetricBaseline }, error) {
		b, err := s.Baseline(ctx, in.Key, in.Days)
		if err != nil {
			return nil, err
		}
		return &struct{ Body *MetricBaseline }{b}, nil
	})
	type replayInput struct {
		Key        string  `path:"key" maxLength:"64"`
		Replays    int     `query:"replays" default:"200" minimum:"20" maximum:"1000" doc:"Assignments by new salts"`
		Days       int     `query:"days" default:"28" minimum:"1" maximum:"366" doc:"Days in which people were first seen, before the metric's window; not used with an experiment"`
		Experiment string  `query:"experiment" maxLength:"64" doc:"Replay among the people of this experiment instead of all people with events"`
		Level      float64 `query:"level" default:"0.05" exclusiveMinimum:"0" exclusiveMaximum:"1" doc:"Level at which false alarms are counted"`
		Salt       string  `query:"salt" maxLength:"64" doc:"Gives other replays; the metric's key unless given"`
	}
	op = huma.Operation{
		OperationID: "replay-metric", Method: http.MethodGet, Path: "/v1/metrics/{key}/aa",
		Tags: []string{"Metrics"}, Summary: "A/A replay on the own history",
		Description: "Assigns people of the past by new salts to two arms that are treated alike, tests the metric between them many times in one scan, and says whether the p-values are uniform, as they must be.",
		Errors:      []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	api.Deadline(historyDeadline)(&op)
	huma.Register(a, op, func(ctx context.Context, in *replayInput) (*struct{ Body *Replay }, error) {
		r, err := s.ReplayAA(ctx, in.Key, ReplayOptions{Replays: in.Replays, Days: in.Days, Experiment: in.Experiment, Level: in.Level, Salt: in.Salt})
		if err != nil {
			return nil, err
		}
		return &struct{ Body *Replay }{r}, nil
	})
}
