package models

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
)

// VersionInfo is one stored version of a model.
type VersionInfo struct {
	Version   int64     `json:"version" doc:"Counts from 1 per decision point"`
	Candidate string    `json:"candidate,omitempty" doc:"Key of the candidate policy that it is for; absent for the policy that decides"`
	Live      bool      `json:"live" doc:"Whether it continues the version before it by what came since, without reading the log anew"`
	Base      int64     `json:"base" doc:"Version that was built from the log, which this one is or continues"`
	Pruned    bool      `json:"pruned,omitempty" doc:"Whether its numbers were removed, as no stored decision names it"`
	BuiltAt   time.Time `json:"builtAt"`
	Decisions int64     `json:"decisions" doc:"Decisions learned from"`
	Reward    float64   `json:"reward" doc:"Sum of their rewards"`
	Through   int64     `json:"through" doc:"Largest stream sequence among them"`
}

// SchemaName implements [api.SchemaNamer].
func (VersionInfo) SchemaName() string { return "ModelVersion" }

// SchemaName implements [api.SchemaNamer].
func (ActionBelief) SchemaName() string { return "ModelAction" }

// CurrentModel is the version in use with what it believes.
type CurrentModel struct {
	Version int64          `json:"version"`
	Actions []ActionBelief `json:"actions" nullable:"false"`
}

// Listing is what there is of a decision point's model.
type Listing struct {
	Items   []VersionInfo `json:"items" nullable:"false" doc:"Versions, newest first"`
	Next    int64         `json:"next" doc:"Pass as before to read on; 0 at the end"`
	Current *CurrentModel `json:"current,omitempty" doc:"The version in use; absent before there is one"`
}

// SchemaName implements [api.SchemaNamer].
func (Listing) SchemaName() string { return "Models" }

// Routes registers the routes of this package.
func (s *Service) Routes(srv *api.Server) {
	type input struct {
		Key    string `path:"key" doc:"Key of the decision point" maxLength:"64"`
		Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
		Before int64  `query:"before" minimum:"0" doc:"Versions before this one; the next of the page before"`
	}
	type output struct{ Body Listing }
	op := huma.Operation{
		OperationID: "models", Method: http.MethodGet, Path: "/v1/decision-points/{key}/models",
		Tags: []string{"Decision points"}, Summary: "What was learned: versions of the model, and the belief about each action",
		Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, in *input) (*output, error) {
		out, err := s.List(ctx, in.Key, in.Before, in.Limit)
		if err != nil {
			return nil, err
		}
		return &output{Body: *out}, nil
	})
}

// VersionQuery asks for versions of a model, newest first.
type VersionQuery struct {
	DecisionPoint string
	// Candidate is the key of a candidate policy, empty for the policy that decides, and
	// "*" for all.
	Candidate string
	// Live includes those that continue a build.
	Live bool
	// Before is the version before which to go on; 0 for the newest.
	Before int64
	Limit  int
}

// List gives up to limit versions older than before (0 for the newest), and the
// version in use.
func (s *Service) List(ctx context.Context, decisionPoint string, before int64, limit int) (*Listing, error) {
	return s.Versions(ctx, VersionQuery{DecisionPoint: decisionPoint, Live: true, Before: before, Limit: limit})
}

// Versions lists versions of a model, and the one in use.
func (s *Service) Versions(ctx context.Context, q VersionQuery) (*Listing, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	items, err := s.store.list(ctx, q.DecisionPoint, q.Candidate, q.Live, q.Before, q.Limit)
	if err != nil {
		return nil, err
	}
	out := &Listing{Items: items}
	if len(items) == q.Limit {
		out.Next = items[len(items)-1].Version
	}
	if out.Next == 1 {
		out.Next = 0
	}
	if snap := s.Current(q.DecisionPoint); snap != nil {
		out.Current = &CurrentModel{Version: snap.Version, Actions: snap.Actions}
	}
	if out.Items == nil {
		out.Items = []VersionInfo{}
	}
	return out, nil
}
