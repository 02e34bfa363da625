package recommend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Routes registers /v1/items, /v1/catalogue, /v1/feeds, /v1/placements,
// /v1/recommendations and /v1/recommenders.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.items, definitions.RouteOptions{Tag: "Items", Singular: "item", ItemKeys: true})
	definitions.Routes(srv.API, s.placements, definitions.RouteOptions{Tag: "Placements", Singular: "placement"})
	s.recommendationRoute(srv)
	s.recommenderRoute(srv)
	s.feedRoutes(srv)
	s.catalogueRoutes(srv)
	s.previewRoute(srv)
	s.servedRoute(srv)
	s.listRoute(srv)
	s.historyRoute(srv)
}

func (s *Service) recommendationRoute(srv *api.Server) {
	type input struct {
		User      string   `query:"user" doc:"The person: profile id, namespace:value, or a user id. Somebody unknown gets what everybody likes" maxLength:"600"`
		Item      []string `query:"item,explode" doc:"The item of the page, what is in the cart, or what a search found in its order" maxItems:"200"`
		Placement string   `query:"placement" doc:"Key of a placement, or one of the kinds home, email, product, cart and search; product when an item is given, else home" maxLength:"64"`
		Limit     int      `query:"limit" default:"10" minimum:"1" maximum:"200"`
		Shown     []string `query:"shown,explode" doc:"Items that the page shows already: they are not repeated" maxItems:"200"`
		Log       bool     `query:"log" default:"true" doc:"Whether the list goes into the log, as it should where somebody is shown it"`
	}
	// The bytes go out as they are, with their length: the list is not looked at again.
	type output struct {
		ContentType   string `header:"Content-Type"`
		ContentLength int    `header:"Content-Length"`
		Body          []byte
	}
	schema := srv.API.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[List](), true, "List")
	op := huma.Operation{
		OperationID: "recommendations", Method: http.MethodGet, Path: "/v1/recommendations", Tags: []string{"Recommendations"},
		Summary: "Items for a person, ranked by what they are worth", Errors: []int{401, 403, 404, 422, 429},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}},
	}
	api.Require(api.ScopeDecide, api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, in *input) (*output, error) {
		if s.erasures != nil {
			defer s.erasures.Leave(s.erasures.Enter())
		}
		person := ""
		if in.User != "" {
			var err error
			if person, err = s.person(in.User); err != nil {
				return nil, problem.Invalid{{Field: "query.user", Rule: err.Error(), Value: problem.Clip(in.User)}}
			}
		}
		q := Query{Person: person, Items: in.Item, Placement: in.Placement, Limit: in.Limit, Shown: in.Shown}
		list, err := s.Recommend(ctx, q)
		if err != nil {
			return nil, err
		}
		if in.Log && s.lists != nil {
			caller, _ := api.PrincipalFrom(ctx)
			if err := s.note(ctx, &q, list, caller.ID); err != nil {
				return nil, err
			}
		}
		body, err := json.Marshal(list)
		if err != nil {
			return nil, fmt.Errorf("encoding a list: %w", err)
		}
		return &output{ContentType: "application/json", ContentLength: len(body), Body: body}, nil
	})
}

// State is what recommenders know.
type State struct {
	Version  *Version    `json:"version,omitempty" doc:"The build in use; none where nothing has been learned yet"`
	Builds   []Version   `json:"builds" doc:"The latest builds, newest first" nullable:"false"`
	Rankers  []Ranker    `json:"rankers" doc:"The latest rankers that were learned, newest first, also those that the gate refused" nullable:"false"`
	Signals  []Signal    `json:"signals" doc:"Events that are learned from" nullable:"false"`
	Items    int         `json:"items" doc:"Items of the catalogue"`
	InStock  int         `json:"inStock" doc:"Of those, items that can be sold"`
	Feeds    []FeedState `json:"feeds" doc:"How feeds of the catalogue stand" nullable:"false"`
	Received uint64      `json:"received" doc:"Interactions that came in since this process started"`
	At       time.Time   `json:"at"`
}

func (s *Service) recommenderRoute(srv *api.Server) {
	type output struct{ Body State }
	op := huma.Operation{
		OperationID: "recommenders", Method: http.MethodGet, Path: "/v1/recommenders", Tags: []string{"Recommendations"},
		Summary: "What recommenders have learned, and how well it does on what they were not shown", Errors: []int{401, 403, 503},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, _ *struct{}) (*output, error) {
		out := &output{Body: State{Signals: s.signals, Received: s.seen.Load(), At: s.now().UTC()}}
		var err error
		if out.Body.Builds, err = s.versions(ctx); err != nil {
			return nil, err
		}
		if out.Body.Rankers, err = s.rankers(ctx); err != nil {
			return nil, err
		}
		if out.Body.Feeds, err = s.feedStates(ctx); err != nil {
			return nil, err
		}
		if current := s.current.Load(); current != nil {
			out.Body.Version = &current.version
		}
		for _, v := range s.items.Snapshot() {
			out.Body.Items++
			if s.offered(&v.Value, s.now()) {
				out.Body.InStock++
			}
		}
		return out, nil
	})
}
