package profiles

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
)

// ErasureRequest says why somebody is erased, and what may stay.
type ErasureRequest struct {
	Reason string      `json:"reason,omitempty" maxLength:"500" doc:"Why, without naming the person: it stays"`
	Mode   ErasureMode `json:"mode,omitempty" enum:"erase,anonymise,purge" doc:"erase (when absent) keeps decisions, exposures and later events as numbers under random ids, so that reports stay right; anonymise keeps all events in that form; purge keeps nothing"`
}

var proofType = reflect.TypeFor[ErasureProof]()

// Routes registers the routes of erasures.
func (e *Eraser) Routes(srv *api.Server) {
	a := srv.API
	type eraseInput struct {
		ID   string `path:"id" doc:"Profile id, or namespace:value such as userId:u42" maxLength:"600"`
		Body ErasureRequest
	}
	type output struct{ Body *Erasure }
	erase := huma.Operation{
		OperationID: "erase-profile", Method: http.MethodPost, Path: "/v1/profiles/{id}/erase", Tags: []string{"Privacy"}, DefaultStatus: http.StatusAccepted,
		Summary: "Erase a person from every store", Errors: []int{400, 401, 403, 404, 422, 503},
		Description: "Answers when the erasure is durable; GET /v1/erasures/{id} tells how far it is. It goes on after a restart. From then on messages with one of the person's identifiers are refused.",
	}
	api.Require(api.ScopeAdmin)(&erase)
	api.Unnamed(&erase)
	huma.Register(a, erase, func(ctx context.Context, in *eraseInput) (*output, error) {
		id, err := e.profiles.named(in.ID)
		if err != nil {
			return nil, err
		}
		mode := in.Body.Mode
		if mode == "" {
			mode = EraseKeepingResults
		}
		j, err := e.Erase(ctx, id, mode, in.Body.Reason, api.By(ctx))
		return &output{j}, err
	})

	get := huma.Operation{
		OperationID: "get-erasure", Method: http.MethodGet, Path: "/v1/erasures/{id}", Tags: []string{"Privacy"},
		Summary: "Read how far an erasure is", Errors: []int{401, 403, 404},
	}
	type idInput struct {
		ID string `path:"id" maxLength:"26"`
	}
	api.Require(api.ScopeAdmin)(&get)
	huma.Register(a, get, func(ctx context.Context, in *idInput) (*output, error) {
		j, err := e.Get(ctx, in.ID)
		return &output{j}, err
	})

	type listInput struct {
		After string `query:"after" maxLength:"26" doc:"The next of the page before"`
		Limit int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type listOutput struct {
		Body struct {
			Items []*Erasure `json:"items" nullable:"false"`
			Next  string     `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	list := huma.Operation{
		OperationID: "list-erasures", Method: http.MethodGet, Path: "/v1/erasures", Tags: []string{"Privacy"},
		Summary: "List erasures, newest first", Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeAdmin)(&list)
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		out := new(listOutput)
		var err error
		out.Body.Items, out.Body.Next, err = e.List(ctx, in.After, in.Limit)
		return out, err
	})

	type proofOutput struct {
		ContentType string `header:"Content-Type"`
		Body        []byte
	}
	proof := huma.Operation{
		OperationID: "get-erasure-proof", Method: http.MethodGet, Path: "/v1/erasures/{id}/proof", Tags: []string{"Privacy"},
		Summary: "Read the proof of an erasure, byte by byte as its SHA-256 was taken", Errors: []int{401, 403, 404, 409},
		Responses: map[string]*huma.Response{"200": {
			Description: "The proof", Content: map[string]*huma.MediaType{"application/json": {Schema: a.OpenAPI().Components.Schemas.Schema(proofType, true, "ErasureProof")}},
		}},
	}
	api.Require(api.ScopeAdmin)(&proof)
	huma.Register(a, proof, func(ctx context.Context, in *idInput) (*proofOutput, error) {
		body, err := e.Proof(ctx, in.ID)
		return &proofOutput{"application/json", body}, err
	})
}
