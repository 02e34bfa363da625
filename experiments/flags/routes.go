package flags

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Delivery says how clients get a flag.
type Delivery struct {
	Key   string   `json:"key"`
	Local bool     `json:"local" doc:"Whether SDKs that evaluate by themselves get the flag"`
	Off   bool     `json:"off" doc:"The flag is switched off, or outside of its period: clients take the value in their code"`
	Why   []string `json:"why" nullable:"false" doc:"What keeps SDKs from evaluating it to what the server comes to"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Delivery) SchemaName() string { return "FlagDelivery" }

// Routes registers /v1/flags.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.flags, definitions.RouteOptions{Tag: "Flags", Singular: "flag"})
	type input struct {
		Key string `path:"key" maxLength:"64"`
	}
	type output struct{ Body Delivery }
	op := huma.Operation{
		OperationID: "get-flag-delivery", Method: http.MethodGet, Path: "/v1/flags/{key}/delivery", Tags: []string{"Flags"},
		Summary:     "Tell how clients get a flag",
		Description: "Every flag is evaluated by the server. Those that need nothing that only the server knows are also given to SDKs that evaluate by themselves.",
		Errors:      []int{401, 403, 404},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(_ context.Context, in *input) (*output, error) {
		st := s.State()
		f := st.flags[in.Key]
		if f == nil {
			return nil, problem.NotFound("flag", in.Key)
		}
		payload, why := st.Local()
		d := Delivery{Key: in.Key, Local: payload.Features[in.Key] != nil, Off: f.off || f.circular, Why: []string{}}
		d.Why = append(d.Why, why[in.Key]...)
		return &output{Body: d}, nil
	})
}
