package retention

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// applyDeadline is how long a call that applies the rules waits. What takes longer goes on
// in the daily run.
const applyDeadline = 50 * time.Second

// Routes registers the rules, the plan and the runs.
func (s *Service) Routes(srv *api.Server) {
	a := srv.API
	definitions.Routes(a, s.rules, definitions.RouteOptions{Tag: "Retention", Singular: "retention rule", Admin: true})

	type planOutput struct {
		Body struct {
			Items []Effect `json:"items" nullable:"false"`
		}
	}
	plan := huma.Operation{
		OperationID: "plan-retention", Method: http.MethodGet, Path: "/v1/retention-plan", Tags: []string{"Retention"},
		Summary:     "Tell how many rows would go now, by rule",
		Description: "Nothing is changed. Paused rules are counted, so that a rule can be tried before it is applied.", Errors: []int{401, 403, 503},
	}
	api.Require(api.ScopeAdmin)(&plan)
	api.Deadline(planTimeout)(&plan)
	huma.Register(a, plan, func(ctx context.Context, _ *struct{}) (*planOutput, error) {
		out := new(planOutput)
		var err error
		out.Body.Items, err = s.Plan(ctx)
		return out, err
	})

	type runOutput struct{ Body *Run }
	apply := huma.Operation{
		OperationID: "apply-retention", Method: http.MethodPost, Path: "/v1/retention-runs", Tags: []string{"Retention"}, DefaultStatus: http.StatusOK,
		Summary: "Remove now what is due", Errors: []int{401, 403, 409, 503},
	}
	api.Require(api.ScopeAdmin)(&apply)
	api.Deadline(applyDeadline)(&apply)
	huma.Register(a, apply, func(ctx context.Context, _ *struct{}) (*runOutput, error) {
		run, err := s.Apply(ctx, api.By(ctx))
		if err == nil && run == nil {
			return nil, problem.Conflict("The rules are being applied already.")
		}
		return &runOutput{run}, err
	})

	type listInput struct {
		After string `query:"after" maxLength:"26" doc:"The next of the page before"`
		Limit int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type listOutput struct {
		Body struct {
			Items []Run  `json:"items" nullable:"false"`
			Next  string `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	list := huma.Operation{
		OperationID: "list-retention-runs", Method: http.MethodGet, Path: "/v1/retention-runs", Tags: []string{"Retention"},
		Summary: "List what was removed, newest first", Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeAdmin)(&list)
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		out := new(listOutput)
		var err error
		out.Body.Items, out.Body.Next, err = s.Runs(ctx, in.After, in.Limit)
		return out, err
	})
}
