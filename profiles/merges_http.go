package profiles

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/profiles/identity"
)

func unescaped(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		return decoded
	}
	return text
}

func (s *Service) identityRoutes(a huma.API) {
	s.mergeRoutes(a)
	s.mergeLogRoutes(a)
	if s.identityRules != nil {
		s.ruleRoutes(a)
	}
}

type identityOutput struct{ Body *PersonIdentity }

// shown hides the identifiers that the caller may not see.
func (s *Service) shown(ctx context.Context, p *PersonIdentity) *identityOutput {
	for i := range p.Profiles {
		card := Card{Identifiers: p.Profiles[i].Identifiers}
		s.maskCard(api.MaskFrom(ctx), &card)
		p.Profiles[i].Identifiers = card.Identifiers
	}
	return &identityOutput{p}
}

func (s *Service) mergeRoutes(a huma.API) {
	type mergeInput struct {
		ID   string `path:"id" doc:"Profile id, or namespace:value" maxLength:"600"`
		Body struct {
			With   string `json:"with" minLength:"1" maxLength:"600" doc:"The other profile: its id, or namespace:value"`
			Reason string `json:"reason,omitempty" maxLength:"500" doc:"For the log"`
		}
	}
	merge := huma.Operation{
		OperationID: "merge-profiles", Method: http.MethodPost, Path: "/v1/profiles/{id}/merge", Tags: []string{"Identity"},
		Summary: "Join two profiles to one person",
		Description: "Adds an edge to the log of identity. Nothing is rewritten: events keep the identifiers and the profile that they came with, " +
			"experiment arms stay as they are, and un-merging brings the two back as they were. Limits bind rules, not this call.",
		Errors: []int{401, 403, 404, 409, 422, 429, 503},
	}
	api.Require(api.ScopeIdentity)(&merge)
	api.Personal(&merge)
	huma.Register(a, merge, func(ctx context.Context, in *mergeInput) (*identityOutput, error) {
		out, err := s.merge(ctx, in.ID, in.Body.With, in.Body.Reason)
		if err != nil {
			return nil, err
		}
		return s.shown(ctx, out), nil
	})

	type unmergeInput struct {
		ID   string `path:"id" doc:"Profile id, or namespace:value" maxLength:"600"`
		Body struct {
			Edge    string `json:"edge,omitempty" maxLength:"64" doc:"Id of the edge to revoke"`
			Profile string `json:"profile,omitempty" maxLength:"600" doc:"Profile to take out of the person, with all its edges: its id, or namespace:value"`
			Reason  string `json:"reason,omitempty" maxLength:"500" doc:"For the log"`
		}
	}
	unmerge := huma.Operation{
		OperationID: "unmerge-profiles", Method: http.MethodPost, Path: "/v1/profiles/{id}/unmerge", Tags: []string{"Identity"},
		Summary: "Tell profiles apart that were joined",
		Description: "Revokes one edge, or all edges of one profile. The pair stays apart whatever the messages say, until somebody joins it explicitly. " +
			"Profiles that are also held together by other edges stay one person.",
		Errors: []int{401, 403, 404, 409, 422, 429, 503},
	}
	api.Require(api.ScopeIdentity)(&unmerge)
	api.Personal(&unmerge)
	huma.Register(a, unmerge, func(ctx context.Context, in *unmergeInput) (*identityOutput, error) {
		out, err := s.unmerge(ctx, in.ID, in.Body.Edge, in.Body.Profile, in.Body.Reason)
		if err != nil {
			return nil, err
		}
		return s.shown(ctx, out), nil
	})

	type getInput struct {
		ID string `path:"id" doc:"Profile id, or namespace:value" maxLength:"600"`
	}
	get := huma.Operation{
		OperationID: "get-identity", Method: http.MethodGet, Path: "/v1/profiles/{id}/identity", Tags: []string{"Identity"},
		Summary: "Read of which profiles a person is made, and why", Errors: []int{401, 403, 404, 503},
	}
	api.Require(api.ScopeRead)(&get)
	api.Personal(&get)
	huma.Register(a, get, func(ctx context.Context, in *getInput) (*identityOutput, error) {
		id, err := s.existing("profile", in.ID)
		if err != nil {
			return nil, err
		}
		out, err := s.identityOf(ctx, id)
		if err != nil {
			return nil, err
		}
		return s.shown(ctx, out), nil
	})
}

func (s *Service) mergeLogRoutes(a huma.API) {
	type input struct {
		Before int64 `query:"before" minimum:"0" doc:"The next of the page before"`
		Limit  int   `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type output struct {
		Body struct {
			Items []LoggedEntry `json:"items" nullable:"false" doc:"Newest first"`
			Next  int64         `json:"next" doc:"Pass as before to read on; 0 at the end"`
		}
	}
	op := huma.Operation{
		OperationID: "list-merges", Method: http.MethodGet, Path: "/v1/merges", Tags: []string{"Identity"},
		Summary: "Read the log of merges and un-merges", Errors: []int{401, 403, 422, 503},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		out := new(output)
		var err error
		out.Body.Items, out.Body.Next, err = s.mergeLog(ctx, in.Before, in.Limit)
		return out, err
	})
}

// IdentityRules are the rules with their version.
type IdentityRules struct {
	identity.Rules
	Version   int64      `json:"version" readOnly:"true" doc:"0 while the rules are those of a new installation"`
	UpdatedAt *time.Time `json:"updatedAt,omitempty" readOnly:"true"`
	UpdatedBy string     `json:"updatedBy,omitempty" readOnly:"true"`
}

func (s *Service) ruleRoutes(a huma.API) {
	type output struct{ Body IdentityRules }
	get := huma.Operation{
		OperationID: "get-identity-rules", Method: http.MethodGet, Path: "/v1/identity-rules", Tags: []string{"Identity"},
		Summary: "Read the rules of identity", Errors: []int{401, 403},
	}
	api.Require(api.ScopeRead)(&get)
	huma.Register(a, get, func(context.Context, *struct{}) (*output, error) { return &output{s.currentIdentityRules()}, nil })

	type input struct {
		Body struct{ identity.Rules }
	}
	put := huma.Operation{
		OperationID: "put-identity-rules", Method: http.MethodPut, Path: "/v1/identity-rules", Tags: []string{"Identity"},
		Summary:     "Replace the rules of identity",
		Description: "They hold for what comes in from now on; what was decided under the old ones stands.",
		Errors:      []int{401, 403, 422, 503},
	}
	api.Require(api.ScopeDefine)(&put)
	huma.Register(a, put, func(ctx context.Context, in *input) (*output, error) {
		if _, err := s.identityRules.Put(ctx, identityRulesKey, in.Body.Rules, api.By(ctx), 0); err != nil {
			return nil, err
		}
		return &output{s.currentIdentityRules()}, nil
	})
}
