package scenarios

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/decide/outbound"
	"quintet/internal/api"
	"quintet/internal/definitions"
)

type keyInput struct {
	Key string `path:"key" maxLength:"64"`
}

type stateOutput struct{ Body State }

// Routes registers the routes of this package.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.scenarios, definitions.RouteOptions{Tag: "Scenarios", Singular: "scenario"})
	s.stateRoutes(srv.API)
	s.runRoutes(srv.API)
	s.templateRoutes(srv.API)
	s.testRoute(srv.API)
	outbound.MessageRoute(srv.API, s.outbox, outbound.OriginScenario, "Scenarios", "list-scenario-messages", "/v1/scenarios/{key}/messages")
}

func operation(id, method, path, summary string, scope api.Scope, errors ...int) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Scenarios"}, Errors: append([]int{401, 403, 404, 422}, errors...)}
	if method == http.MethodPost {
		op.DefaultStatus = http.StatusOK
	}
	api.Require(scope)(&op)
	return op
}

func (s *Service) stateRoutes(a huma.API) {
	huma.Register(a, operation("get-scenario-state", http.MethodGet, "/v1/scenarios/{key}/state", "Say whether people come into a scenario", api.ScopeRead),
		func(ctx context.Context, in *keyInput) (*stateOutput, error) {
			st, err := s.State(ctx, in.Key)
			if err != nil {
				return nil, err
			}
			return &stateOutput{st}, nil
		})
	for _, move := range []struct {
		verb, summary string
		f             func(ctx context.Context, key, by string) (State, error)
	}{
		{"start", "Have people come in, or go on", s.Start},
		{"pause", "Have everybody stand still", s.Pause},
		{"stop", "End a scenario and its runs, and withdraw what was not handed over", s.Stop},
	} {
		op := operation(move.verb+"-scenario", http.MethodPost, "/v1/scenarios/{key}/"+move.verb, move.summary, api.ScopeDefine, 409)
		huma.Register(a, op, func(ctx context.Context, in *keyInput) (*stateOutput, error) {
			st, err := move.f(ctx, in.Key, api.By(ctx))
			if err != nil {
				return nil, err
			}
			return &stateOutput{st}, nil
		})
	}
}

func (s *Service) runRoutes(a huma.API) {
	type progressOutput struct{ Body *Progress }
	huma.Register(a, operation("scenario-progress", http.MethodGet, "/v1/scenarios/{key}/progress", "Where the people of a scenario are", api.ScopeRead),
		func(ctx context.Context, in *keyInput) (*progressOutput, error) {
			p, err := s.Progress(ctx, in.Key)
			if err != nil {
				return nil, err
			}
			return &progressOutput{p}, nil
		})
	type runsInput struct {
		Key    string    `path:"key" maxLength:"64"`
		Person string    `query:"person" maxLength:"64" doc:"Id of a person"`
		Status string    `query:"status" enum:"active,done,exited,expired,failed,stopped"`
		Before time.Time `query:"before" doc:"Moment of entry before which the page begins; the next of the page before"`
		Limit  int       `query:"limit" default:"50" minimum:"1" maximum:"500"`
	}
	type runsOutput struct {
		Body struct {
			Items []Run  `json:"items" nullable:"false"`
			Next  string `json:"next" doc:"Pass as before to read on; empty at the end"`
		}
	}
	list := operation("list-scenario-runs", http.MethodGet, "/v1/scenarios/{key}/runs", "People on their way, newest first", api.ScopeRead)
	api.Personal(&list)
	huma.Register(a, list,
		func(ctx context.Context, in *runsInput) (*runsOutput, error) {
			before := in.Before
			if before.IsZero() {
				before = s.now().AddDate(10, 0, 0)
			}
			list, err := s.Runs(ctx, in.Key, in.Person, in.Status, before, in.Limit)
			if err != nil {
				return nil, err
			}
			for i := range list {
				list[i].mask(ctx)
			}
			out := new(runsOutput)
			out.Body.Items = list
			if len(list) == in.Limit {
				out.Body.Next = list[len(list)-1].EnteredAt.UTC().Format(time.RFC3339Nano)
			}
			return out, nil
		})
	type runInput struct {
		ID string `path:"id" maxLength:"64"`
	}
	type runOutput struct{ Body *Run }
	one := operation("get-scenario-run", http.MethodGet, "/v1/scenario-runs/{id}", "One person's way through a scenario, step by step", api.ScopeRead)
	api.Personal(&one)
	huma.Register(a, one,
		func(ctx context.Context, in *runInput) (*runOutput, error) {
			r, err := s.ReadRun(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			r.mask(ctx)
			return &runOutput{r}, nil
		})
}

// mask hides what the first event said from who sees personal data masked.
func (r *Run) mask(ctx context.Context) {
	if api.MaskFrom(ctx) != nil {
		r.Entry = map[string]any{}
	}
}

func (s *Service) templateRoutes(a huma.API) {
	type listOutput struct {
		Body struct {
			Items []Template `json:"items" nullable:"false"`
		}
	}
	huma.Register(a, operation("list-scenario-templates", http.MethodGet, "/v1/scenario-templates", "List the templates of scenarios", api.ScopeRead),
		func(context.Context, *struct{}) (*listOutput, error) {
			out := new(listOutput)
			out.Body.Items = s.Templates()
			return out, nil
		})
	type fillInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body struct {
			Variables map[string]any `json:"variables" doc:"Texts and numbers by the names of variables; what has a default may be left out"`
		}
	}
	type fillOutput struct{ Body *Scenario }
	fill := operation("fill-scenario-template", http.MethodPost, "/v1/scenario-templates/{key}/fill", "Make a scenario of a template, to be adapted and saved", api.ScopeRead)
	fill.Description = "The scenario is checked as if it were saved, and is not saved."
	api.Query(&fill)
	huma.Register(a, fill, func(_ context.Context, in *fillInput) (*fillOutput, error) {
		c, err := s.Fill(in.Key, in.Body.Variables)
		if err != nil {
			return nil, err
		}
		if err := c.Validate(s.refs); err != nil {
			return nil, err
		}
		return &fillOutput{c}, nil
	})
}

func (s *Service) testRoute(a huma.API) {
	type input struct {
		Key  string `path:"key" maxLength:"64"`
		Body struct {
			Node   string `json:"node" maxLength:"64" doc:"Id of a node of type decide"`
			Person string `json:"person" maxLength:"600" doc:"Profile id, or namespace:value such as userId:u42"`
		}
	}
	type output struct{ Body *Trial }
	op := operation("test-scenario", http.MethodPost, "/v1/scenarios/{key}/test", "Decide at a node about one person now and send what follows", api.ScopeDefine)
	op.Description = "Consent and every rule hold, so that nobody is contacted in a test who must not be."
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		who, err := s.judge.Named("person", in.Body.Person)
		if err != nil {
			return nil, err
		}
		out, err := s.Test(ctx, in.Key, in.Body.Node, who)
		if err != nil {
			return nil, err
		}
		return &output{out}, nil
	})
}
