package recommend

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// feedRoutes registers /v1/feeds. Feeds have headers with secrets: they are the
// administrators'.
func (s *Service) feedRoutes(srv *api.Server) {
	definitions.Routes(srv.API, s.feeds, definitions.RouteOptions{Tag: "Feeds", Singular: "feed", Admin: true})
	s.feedTryRoute(srv)
	type runInput struct {
		Key string `path:"key" maxLength:"64"`
	}
	type runOutput struct{ Body *FeedRun }
	run := huma.Operation{
		OperationID: "run-feed", Method: http.MethodPost, Path: "/v1/feeds/{key}/run", Tags: []string{"Feeds"},
		Summary: "Read a feed now, whether or not it changed", Errors: []int{401, 403, 404, 409, 503},
	}
	api.Require(api.ScopeAdmin)(&run)
	huma.Register(srv.API, run, func(ctx context.Context, in *runInput) (*runOutput, error) {
		out, err := s.runFeed(ctx, in.Key, true)
		return &runOutput{out}, err
	})
	type listInput struct {
		Key   string `path:"key" maxLength:"64"`
		Limit int    `query:"limit" default:"20" minimum:"1" maximum:"50"`
	}
	type listOutput struct {
		Body struct {
			State FeedState `json:"state"`
			Items []FeedRun `json:"items" nullable:"false" doc:"Newest first"`
		}
	}
	list := huma.Operation{
		OperationID: "feed-runs", Method: http.MethodGet, Path: "/v1/feeds/{key}/runs", Tags: []string{"Feeds"},
		Summary: "How a feed stands, and what became of its runs, with the rows that were not taken", Errors: []int{401, 403, 404, 503},
	}
	api.Require(api.ScopeRead)(&list)
	huma.Register(srv.API, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		if _, ok := s.feeds.Get(in.Key); !ok {
			return nil, problem.NotFound("feed", problem.Clip(in.Key))
		}
		states, err := s.feedStates(ctx)
		if err != nil {
			return nil, err
		}
		out := &listOutput{}
		for _, state := range states {
			if state.Key == in.Key {
				out.Body.State = state
			}
		}
		out.Body.Items, err = s.feedRuns(ctx, in.Key, in.Limit)
		return out, err
	})
}

// feedStates says how all feeds stand, by key.
func (s *Service) feedStates(ctx context.Context) ([]FeedState, error) {
	pasts, err := s.feedPasts(ctx)
	if err != nil {
		return nil, err
	}
	items := map[string]int{}
	for _, v := range s.items.Snapshot() {
		if v.Value.Feed != "" {
			items[v.Value.Feed]++
		}
	}
	now := s.now()
	known := s.feeds.Snapshot()
	out := make([]FeedState, 0, len(known))
	for _, key := range slices.Sorted(maps.Keys(known)) {
		v, past := known[key], pasts[key]
		state := FeedState{Key: key, Items: items[key], Rejected: past.rejected, Error: past.failed,
			Stale: v.Value.stale(past, v.CreatedAt, now), Expired: v.Value.expired(past, now)}
		for _, at := range []struct {
			from time.Time
			to   **time.Time
		}{{past.started, &state.LastRun}, {past.succeeded, &state.LastSuccess}} {
			if !at.from.IsZero() {
				utc := at.from.UTC()
				*at.to = &utc
			}
		}
		out = append(out, state)
	}
	return out, nil
}
