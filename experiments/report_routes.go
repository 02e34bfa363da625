package experiments

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
)

// reportInput narrows a report.
type reportInput struct {
	Key       string    `path:"key" maxLength:"128"`
	Metric    string    `query:"metric" maxLength:"64" doc:"Key of one metric; the experiment's own metrics unless given"`
	Dimension string    `query:"dimension" maxLength:"256" doc:"Tell the metrics apart by its values as well: trait.NAME, context.NAME, property.NAME or decision.NAME"`
	Method    string    `query:"method" enum:"sequential,fixed,bayesian,group-sequential" doc:"Look at the data by another method than the planned one; nothing is recommended then"`
	At        time.Time `query:"at" doc:"Events up to this moment count; asOf unless given"`
	AsOf      time.Time `query:"asOf" doc:"Report with what was known at this moment, of events, of definitions and of who is whom; now unless given"`
	Brief     bool      `query:"brief" doc:"Leave out what takes queries of its own: the course over time and the costs"`
	Format    string    `query:"format" enum:"json,csv,markdown,html,text" doc:"json unless given; html is one page that loads nothing from elsewhere"`
}

func (in *reportInput) options() ReportOptions {
	return ReportOptions{Metric: in.Metric, Dimension: in.Dimension, Method: AnalysisMethod(in.Method), At: in.At, AsOf: in.AsOf, Brief: in.Brief}
}

func (s *Service) reportRoute(a huma.API) {
	op := huma.Operation{
		OperationID: "report-experiment", Method: http.MethodGet, Path: "/v1/experiments/{key}/report",
		Tags: []string{"Experiments"}, Summary: "Uplift report",
		Description: "Checks first, then what is recommended, then each metric by arm with its effects: as of a single look, always-valid, adjusted, " +
			"as a posterior, and by the method that decides. The key " + UniversalExperiment + " reports on the universal holdout. " +
			"A report as of a past moment is the same, byte for byte, whenever it is made.",
		Errors: []int{401, 403, 404, 422, 503},
	}
	text := &huma.Schema{Type: huma.TypeString}
	op.Responses = map[string]*huma.Response{"200": {Description: "The report", Content: map[string]*huma.MediaType{
		"application/json": {Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Report](), true, "Report")},
		"text/csv":         {Schema: text}, "text/markdown": {Schema: text}, "text/html": {Schema: text}, "text/plain": {Schema: text},
	}}}
	api.Require(api.ScopeRead)(&op)
	api.Deadline(reportDeadline)(&op)
	huma.Register(a, op, func(ctx context.Context, in *reportInput) (*huma.StreamResponse, error) {
		report, err := s.ReportAt(ctx, in.Key, in.options())
		if err != nil {
			return nil, err
		}
		format := Format(in.Format)
		var body bytes.Buffer
		if err := Write(&body, report, format); err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(w huma.Context) {
			w.SetHeader("Content-Type", format.ContentType())
			if format == HTMLFormat {
				// The page has its styles within, and nothing else.
				w.SetHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
			}
			if format == CSVFormat {
				w.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", identifier(report.Experiment)+".csv"))
			}
			_, _ = body.WriteTo(w.BodyWriter()) // a caller who went away needs no answer
		}}, nil
	})
}
