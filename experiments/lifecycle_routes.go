package experiments

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
)

// ExperimentState is what moving an experiment through its life answers with.
type ExperimentState struct {
	Key         string     `json:"key"`
	Version     int64      `json:"version"`
	Status      Status     `json:"status"`
	StartedAt   *time.Time `json:"startedAt,omitempty"`
	StoppedAt   *time.Time `json:"stoppedAt,omitempty"`
	ScheduledBy string     `json:"scheduledBy,omitempty" doc:"Who told it to start at startAt"`
	StartAt     *time.Time `json:"startAt,omitempty"`
	Approvals   []Approval `json:"approvals,omitempty" nullable:"false"`
}

// MoveBody may say why an experiment is moved.
type MoveBody struct {
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the change log"`
}

// DropBody names the arm that is taken out.
type DropBody struct {
	Variant string `json:"variant" minLength:"1" maxLength:"64" doc:"Key of the variant"`
	Reason  string `json:"reason,omitempty" maxLength:"2000" doc:"For the change log"`
}

type stateOutput struct{ Body ExperimentState }

// lifecycleRoutes registers what moves an experiment through its life.
func (s *Service) lifecycleRoutes(a huma.API) {
	for _, m := range []struct {
		verb, summary, description string
		scope                      api.Scope
		move                       func(context.Context, string, Actor) (state, error)
	}{
		{"submit", "Submit an experiment for review", "A draft goes into review, where an edit removes the approvals that it has.", api.ScopeDefine, s.Submit},
		{"approve", "Approve an experiment in review", "By somebody other than who edited it last. Users whose role needs approval can then start it.", api.ScopeApprove, s.Approve},
		{"reject", "Send an experiment back to its draft", "With a reason, which the change log keeps.", api.ScopeApprove, s.Reject},
		{"start", "Start an experiment", "From now on, or from startAt on, its variants apply. At most one experiment runs at a decision point; one that was stopped does not start again.", api.ScopeDefine, s.Begin},
		{"stop", "Stop an experiment", "Its variants no longer apply. Its report goes on as outcomes come in. One that is scheduled is taken off the schedule.", api.ScopeDefine, s.End},
		{"archive", "Archive an experiment", "It can be read and reported on and never changes again.", api.ScopeDefine, s.Archive},
	} {
		type input struct {
			Key  string `path:"key" maxLength:"64"`
			Body *MoveBody
		}
		op := huma.Operation{
			OperationID: m.verb + "-experiment", Method: http.MethodPost, Path: "/v1/experiments/{key}/" + m.verb,
			Tags: []string{"Experiments"}, Summary: m.summary, Description: m.description, Errors: []int{400, 401, 403, 404, 409, 412, 422},
		}
		api.Require(m.scope)(&op)
		huma.Register(a, op, func(ctx context.Context, in *input) (*stateOutput, error) {
			by := actor(ctx)
			if in.Body != nil {
				by.Reason = in.Body.Reason
			}
			v, err := m.move(ctx, in.Key, by)
			return stateAnswer(v, err)
		})
	}
	type dropInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body DropBody
	}
	op := huma.Operation{
		OperationID: "drop-variant", Method: http.MethodPost, Path: "/v1/experiments/{key}/drop", Tags: []string{"Experiments"},
		Summary:     "Take an arm out of a running experiment",
		Description: "Its people leave the experiment; those of the other arms stay where they are.", Errors: []int{400, 401, 403, 404, 409, 412, 422},
	}
	api.Require(api.ScopeDefine)(&op)
	huma.Register(a, op, func(ctx context.Context, in *dropInput) (*stateOutput, error) {
		by := actor(ctx)
		by.Reason = in.Body.Reason
		v, err := s.Drop(ctx, in.Key, in.Body.Variant, by)
		return stateAnswer(v, err)
	})
	s.changesRoute(a)
}

// actor is who makes a request.
func actor(ctx context.Context) Actor {
	p, _ := api.PrincipalFrom(ctx)
	return Actor{By: api.By(ctx), NeedsApproval: p.NeedsApproval}
}

func stateAnswer(v state, err error) (*stateOutput, error) {
	if err != nil {
		return nil, err
	}
	e := &v.Value
	return &stateOutput{Body: ExperimentState{Key: v.Key, Version: v.Version, Status: e.Status, StartedAt: e.StartedAt, StoppedAt: e.StoppedAt,
		ScheduledBy: e.ScheduledBy, StartAt: e.StartAt, Approvals: e.Approvals}}, nil
}

func (s *Service) changesRoute(a huma.API) {
	type input struct {
		Key    string `path:"key" maxLength:"64"`
		Before int64  `query:"before" minimum:"0" doc:"Version before which the page begins; the next of the page before"`
		Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type output struct {
		Body struct {
			Items []ChangeEntry `json:"items" nullable:"false" doc:"Newest first"`
			Next  int64         `json:"next" doc:"Pass as before to read on; 0 at the end"`
		}
	}
	op := huma.Operation{
		OperationID: "list-experiment-changes", Method: http.MethodGet, Path: "/v1/experiments/{key}/changes", Tags: []string{"Experiments"},
		Summary: "Who changed what of an experiment, when and why", Errors: []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		items, next, err := s.Changes(ctx, in.Key, in.Before, in.Limit)
		if err != nil {
			return nil, err
		}
		out := new(output)
		out.Body.Items, out.Body.Next = items, next
		return out, nil
	})
}
