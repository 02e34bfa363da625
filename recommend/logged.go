package recommend

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/recommend/lists"
)

// ListLog keeps the lists that people are given.
type ListLog interface {
	// Add makes a list durable.
	Add(ctx context.Context, l *lists.List) error
	// Find is one by its id.
	Find(ctx context.Context, id string) (*lists.List, error)
	// Sample draws at most n lists of people since a moment.
	Sample(ctx context.Context, since time.Time, n int) ([]lists.List, error)
}

// Erasures tells of people who are erased while something about them is on its way.
type Erasures interface {
	// Enter says that something begins that may store what is known of people; what it
	// returns goes to Leave when that has ended.
	Enter() uint32
	Leave(side uint32)
}

// note puts a list that was given into the log.
func (s *Service) note(ctx context.Context, q *Query, l *List, source string) error {
	out := &lists.List{ID: l.ID, At: s.now().UTC(), ProfileID: q.Person, Placement: l.Placement, Version: l.Version, Ranker: l.Ranker, Personal: l.Personal,
		Asked: q.Limit, Named: q.Items, Items: make([]lists.Item, len(l.Items)), Source: source}
	for i := range l.Items {
		r := &l.Items[i]
		out.Items[i] = lists.Item{ID: r.ID, Propensity: r.Propensity, Probability: r.Probability, Score: r.Score, Reason: r.Reason}
	}
	return s.lists.Add(ctx, out)
}

// shownSince reads the lists that the ranker learns from: those of the log, oldest first.
func (s *Service) shownSince(ctx context.Context, since time.Time, limit int) ([]Shown, error) {
	list, err := s.lists.Sample(ctx, since, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Shown, len(list))
	for i := range list {
		out[i] = Shown{Person: list[i].ProfileID, At: list[i].At, Items: make([]ShownItem, len(list[i].Items))}
		for n, item := range list[i].Items {
			out[i].Items[n] = ShownItem{Key: item.ID, Propensity: item.Propensity}
		}
	}
	slices.SortStableFunc(out, func(a, b Shown) int { return a.At.Compare(b.At) })
	return out, nil
}

func (s *Service) listRoute(srv *api.Server) {
	if s.lists == nil {
		return
	}
	type output struct{ Body *lists.List }
	op := huma.Operation{
		OperationID: "get-recommendation", Method: http.MethodGet, Path: "/v1/recommendations/{id}", Tags: []string{"Recommendations"},
		Summary: "Read a list that was given, with the probability of each place", Errors: []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, in *struct {
		ID string `path:"id" minLength:"26" maxLength:"26"`
	}) (*output, error) {
		list, err := s.lists.Find(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &output{list}, nil
	})
}
