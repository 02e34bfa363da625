package campaigns

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/decide/outbound"
	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

type keyInput struct {
	Key string `path:"key" maxLength:"64"`
}

type stateOutput struct{ Body State }

// Routes registers the routes of this package.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.campaigns, definitions.RouteOptions{Tag: "Campaigns", Singular: "campaign"})
	s.stateRoutes(srv.API)
	s.progressRoutes(srv.API)
	s.tryRoutes(srv.API)
	s.pointRoutes(srv.API)
}

func operation(id, method, path, summary string, scope api.Scope, errors ...int) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Campaigns"}, Errors: append([]int{401, 403, 404, 422}, errors...)}
	if method == http.MethodPost {
		op.DefaultStatus = http.StatusOK
	}
	api.Require(scope)(&op)
	return op
}

func (s *Service) stateRoutes(a huma.API) {
	get := operation("get-campaign-state", http.MethodGet, "/v1/campaigns/{key}/state", "Say whether a campaign acts, and when it is due", api.ScopeRead)
	huma.Register(a, get, func(ctx context.Context, in *keyInput) (*stateOutput, error) {
		st, err := s.State(ctx, in.Key)
		return &stateOutput{st}, err
	})
	for _, move := range []struct {
		verb, summary string
		f             func(ctx context.Context, key, by string) (State, error)
	}{
		{"start", "Have a campaign act by its schedule, or go on", s.Start},
		{"pause", "Have a campaign stand still", s.Pause},
		{"stop", "End a campaign and withdraw what was not handed over", s.Stop},
	} {
		op := operation(move.verb+"-campaign", http.MethodPost, "/v1/campaigns/{key}/"+move.verb, move.summary, api.ScopeDefine, 409)
		huma.Register(a, op, func(ctx context.Context, in *keyInput) (*stateOutput, error) {
			st, err := move.f(ctx, in.Key, api.By(ctx))
			if err != nil {
				return nil, err
			}
			return &stateOutput{st}, nil
		})
	}
}

func (s *Service) progressRoutes(a huma.API) {
	type runsInput struct {
		Key    string `path:"key" maxLength:"64"`
		Before int64  `query:"before" minimum:"0" doc:"Id before which the page begins; the next of the page before"`
		Limit  int    `query:"limit" default:"20" minimum:"1" maximum:"200"`
	}
	type runsOutput struct {
		Body struct {
			Items []Occurrence `json:"items" nullable:"false"`
			Next  int64        `json:"next" doc:"Pass as before to read on; 0 at the end"`
		}
	}
	huma.Register(a, operation("list-campaign-runs", http.MethodGet, "/v1/campaigns/{key}/runs", "How far a campaign is, newest run first", api.ScopeRead),
		func(ctx context.Context, in *runsInput) (*runsOutput, error) {
			list, err := s.Occurrences(ctx, in.Key, in.Before, in.Limit+1)
			if err != nil {
				return nil, err
			}
			out := new(runsOutput)
			if len(list) > in.Limit {
				list = list[:in.Limit]
				out.Body.Next = list[in.Limit-1].ID
			}
			out.Body.Items = list
			return out, nil
		})

	type peopleInput struct {
		Key     string `path:"key" maxLength:"64"`
		Run     int64  `path:"run" minimum:"1"`
		Outcome string `query:"outcome" enum:"waiting,queued,nobody,holdout,ineligible,no-consent,duplicate,gone,failed"`
		After   string `query:"after" maxLength:"64" doc:"Person after whom the page begins"`
		Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
	}
	type peopleOutput struct {
		Body struct {
			Items []Recipient `json:"items" nullable:"false"`
			Next  string      `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	huma.Register(a, operation("list-campaign-recipients", http.MethodGet, "/v1/campaigns/{key}/runs/{run}/recipients", "What became of each person", api.ScopeRead),
		func(ctx context.Context, in *peopleInput) (*peopleOutput, error) {
			list, err := s.Recipients(ctx, in.Key, in.Run, in.Outcome, in.After, in.Limit+1)
			if err != nil {
				return nil, err
			}
			out := new(peopleOutput)
			if len(list) > in.Limit {
				list = list[:in.Limit]
				out.Body.Next = list[in.Limit-1].Person
			}
			out.Body.Items = list
			return out, nil
		})
	outbound.MessageRoute(a, s.outbox, outbound.OriginCampaign, "Campaigns", "list-campaign-messages", "/v1/campaigns/{key}/messages")

	type calendarInput struct {
		From time.Time `query:"from" doc:"Now unless given"`
		To   time.Time `query:"to" doc:"31 days later unless given; 366 days at most"`
	}
	type calendarOutput struct {
		Body struct {
			Items []Due `json:"items" nullable:"false"`
		}
	}
	huma.Register(a, operation("campaign-calendar", http.MethodGet, "/v1/campaign-calendar", "When campaigns are due", api.ScopeRead),
		func(ctx context.Context, in *calendarInput) (*calendarOutput, error) {
			from, to := in.From, in.To
			if from.IsZero() {
				from = s.now()
			}
			if to.IsZero() {
				to = from.AddDate(0, 0, 31)
			}
			if !to.After(from) || to.Sub(from) > 366*24*time.Hour {
				return nil, problem.Invalid{{Field: "query.to", Rule: "must be after from, by 366 days at most"}}
			}
			list, err := s.Calendar(ctx, from, to)
			if err != nil {
				return nil, err
			}
			out := new(calendarOutput)
			out.Body.Items = list
			return out, nil
		})
}

func (s *Service) tryRoutes(a huma.API) {
	type dryInput struct {
		Key      string  `path:"key" maxLength:"64"`
		Sample   int     `query:"sample" default:"1000" minimum:"1" maximum:"5000" doc:"Most people who are asked about"`
		Baseline float64 `query:"baseline" default:"0.02" exclusiveMinimum:"0" exclusiveMaximum:"1" doc:"Conversion without the campaign, for the power"`
	}
	type dryOutput struct{ Body *DryRun }
	dry := operation("dry-run-campaign", http.MethodPost, "/v1/campaigns/{key}/dry-run", "Say what a campaign would do now", api.ScopeRead)
	dry.Description = "Who would get what, what each rule removes, expected cost and power. Nothing is decided, sent or reserved."
	api.Query(&dry)
	api.Personal(&dry)
	api.Deadline(dryRunTimeout + 5*time.Second)(&dry)
	huma.Register(a, dry, func(ctx context.Context, in *dryInput) (*dryOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, dryRunTimeout)
		defer cancel()
		out, err := s.DryRun(ctx, in.Key, in.Sample, in.Baseline)
		if err != nil {
			return nil, err
		}
		return &dryOutput{out}, nil
	})

	type testInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body struct {
			Person string `json:"person" maxLength:"600" doc:"Profile id, or namespace:value such as userId:u42"`
		}
	}
	type testOutput struct{ Body *Trial }
	test := operation("test-campaign", http.MethodPost, "/v1/campaigns/{key}/test", "Decide about one person now and send what follows", api.ScopeDefine)
	test.Description = "Consent and every rule hold, so that nobody is contacted in a test who must not be."
	huma.Register(a, test, func(ctx context.Context, in *testInput) (*testOutput, error) {
		person, err := s.judge.Named("person", in.Body.Person)
		if err != nil {
			return nil, err
		}
		out, err := s.Test(ctx, in.Key, person)
		if err != nil {
			return nil, err
		}
		return &testOutput{out}, nil
	})
}
