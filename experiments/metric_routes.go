package experiments

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
)

// metricRoutes register what is asked of a metric before it is in a report.
func (s *Service) metricRoutes(a huma.API) {
	type previewInput struct {
		Body struct {
			Metric Metric `json:"metric" doc:"Definition, saved or not"`
			Days   int    `json:"days,omitempty" default:"28" minimum:"1" maximum:"366" doc:"Days in which people were first seen, before the metric's window"`
		}
	}
	op := huma.Operation{
		OperationID: "preview-metric", Method: http.MethodPost, Path: "/v1/metrics/preview",
		Tags: []string{"Metrics"}, Summary: "Try a metric",
		Description: "Computes a definition over the people of the last days: mean, standard deviation, share of zeros and distribution, and says which of its events have never come in.",
		Errors:      []int{401, 403, 422},
	}
	api.Require(api.ScopeRead)(&op)
	api.Deadline(previewDeadline)(&op)
	huma.Register(a, op, func(ctx context.Context, in *previewInput) (*struct{ Body *MetricPreview }, error) {
		p, err := s.Preview(ctx, in.Body.Metric, in.Body.Days)
		if err != nil {
			return nil, err
		}
		return &struct{ Body *MetricPreview }{p}, nil
	})
	type sqlInput struct {
		Key        string    `path:"key" maxLength:"64"`
		Experiment string    `query:"experiment" required:"true" maxLength:"64" doc:"Key of the experiment whose people count"`
		At         time.Time `query:"at" doc:"Moment that the statement is about; now unless given"`
	}
	op = huma.Operation{
		OperationID: "metric-sql", Method: http.MethodGet, Path: "/v1/metrics/{key}/sql",
		Tags: []string{"Metrics"}, Summary: "The SQL behind a metric",
		Description: "The statement that a report on the experiment would compute this metric with, to be run in SQL as it is.",
		Errors:      []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(_ context.Context, in *sqlInput) (*struct{ Body *MetricStatement }, error) {
		m, err := s.Statement(in.Key, in.Experiment, in.At)
		if err != nil {
			return nil, err
		}
		return &struct{ Body *MetricStatement }{m}, nil
	})
}
