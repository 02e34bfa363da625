package experience

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// reportDeadline bounds one report.
const reportDeadline = time.Minute

// Routes registers /v1/experience and /v1/marketing-spend.
func (s *Service) Routes(srv *api.Server) {
	s.reportRoute(srv.API)
	s.settingsRoutes(srv.API)
	s.spendRoutes(srv)
}

const tag = "Customer experience"

func operation(id, method, path, summary string, scope api.Scope, errors ...int) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Errors: append([]int{401, 403}, errors...)}
	api.Require(scope)(&op)
	return op
}

func (s *Service) reportRoute(a huma.API) {
	type input struct {
		Metric  Metric `query:"metric" required:"true" enum:"nps,csat,ces,retention,churn,gained,lost,average-order,acquisition-cost"`
		From    string `query:"from" format:"date" doc:"First day; a year before to unless given"`
		To      string `query:"to" format:"date" doc:"Last day; today unless given"`
		Period  Period `query:"period" default:"month" enum:"day,week,month"`
		Segment string `query:"segment" maxLength:"100" doc:"Key of a lifecycle segment, or stage: or rfm: and the key of one; of those who are there now"`
	}
	type output struct{ Body *Report }
	op := operation("report-experience", http.MethodGet, "/v1/experience", "One metric of customer experience, period by period", api.ScopeRead, 422)
	op.Description = "Figures have 95 % intervals. The periods that the days from from to to touch are reported as a whole."
	api.Deadline(reportDeadline)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		from, to, err := s.days(in.From, in.To)
		if err != nil {
			return nil, err
		}
		report, err := s.Report(ctx, in.Metric, from, to, in.Period, in.Segment)
		if err != nil {
			return nil, err
		}
		return &output{report}, nil
	})
}

// days reads the bounds of a report.
func (s *Service) days(fromText, toText string) (from, to time.Time, err error) {
	var bad problem.Invalid
	parse := func(field, text string, otherwise time.Time) time.Time {
		if text == "" {
			return otherwise
		}
		t, err := time.Parse(time.DateOnly, text)
		if err != nil || t.Year() < 1971 || t.Year() > 2148 {
			bad.Add(field, "must be a day such as 2026-11-22", problem.Clip(text))
			return otherwise
		}
		return t
	}
	to = parse("query.to", toText, Day.start(s.now()))
	from = parse("query.from", fromText, to.AddDate(-1, 0, 1))
	return from, to, bad.Err()
}

type settingsBody struct {
	Version int64 `json:"version" readOnly:"true" doc:"0 for the settings of a new installation"`
	Settings
}

// SchemaName is the type's name in the OpenAPI document.
func (settingsBody) SchemaName() string { return "ExperienceSettings" }

func (s *Service) settingsRoutes(a huma.API) {
	type output struct {
		ETag string `header:"ETag" doc:"The version"`
		Body *settingsBody
	}
	type input struct {
		Body *settingsBody
	}
	const path = "/v1/experience/settings"
	answer := func() *output {
		v, _ := s.settings.Get(settingsKey)
		return &output{ETag: fmt.Sprintf("%q", strconv.FormatInt(v.Version, 10)), Body: &settingsBody{v.Version, s.Settings()}}
	}
	huma.Register(a, operation("get-experience-settings", http.MethodGet, path, "Read the names of survey events and what counts", api.ScopeRead),
		func(context.Context, *struct{}) (*output, error) { return answer(), nil })
	huma.Register(a, operation("put-experience-settings", http.MethodPut, path, "Replace the names of survey events and what counts", api.ScopeAdmin, 400, 422),
		func(ctx context.Context, in *input) (*output, error) {
			if _, err := s.settings.Put(ctx, settingsKey, in.Body.Settings, api.By(ctx), 0); err != nil {
				return nil, err
			}
			return answer(), nil
		})
}

func (s *Service) spendRoutes(srv *api.Server) {
	const path = "/v1/marketing-spend"
	srv.Router.With(srv.Require(api.ScopeAdmin)).Post(path, func(w http.ResponseWriter, r *http.Request) {
		rows, err := readSpend(r)
		if err == nil {
			err = s.RecordSpend(r.Context(), rows, api.By(r.Context()))
		}
		if err != nil {
			api.WriteProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(spendAnswer{len(rows)}) // the caller may be gone
	})
	api.Document(srv.API, huma.Operation{
		OperationID: "record-marketing-spend", Method: http.MethodPost, Path: path, Tags: []string{tag}, Summary: "Record what marketing cost",
		Description: "JSON, or text/csv with the columns day, channel, campaign, amount and currency. At most 10,000 rows, all or none. A row takes the place of an earlier one of the same day, channel, campaign and currency, so sending a file again changes nothing.",
		Errors:      []int{400, 401, 403, 413, 422},
	}, api.ScopeAdmin, spendRequest{}, spendAnswer{})

	type input struct {
		From  string `query:"from" format:"date" doc:"First day; a year before to unless given"`
		To    string `query:"to" format:"date" doc:"Last day; today unless given"`
		Limit int    `query:"limit" default:"1000" minimum:"1" maximum:"10000"`
	}
	type output struct {
		Body struct {
			Items []Spend `json:"items" nullable:"false" doc:"Newest first"`
		}
	}
	huma.Register(srv.API, operation("list-marketing-spend", http.MethodGet, path, "List what was recorded of marketing's cost", api.ScopeRead, 422),
		func(ctx context.Context, in *input) (*output, error) {
			from, to, err := s.days(in.From, in.To)
			if err != nil {
				return nil, err
			}
			out := new(output)
			out.Body.Items, err = s.SpendOn(ctx, from, to, in.Limit)
			return out, err
		})
}
