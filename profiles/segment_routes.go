package profiles

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/identity"
	"quintet/profiles/segments"
)

var segmentKey = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

func checkSegmentKey(field, key string) error {
	if !segmentKey.MatchString(key) {
		return problem.Invalid{{Field: field, Rule: "must be 1 to 64 of a-z, 0-9, - and _ and begin with a letter or digit", Value: problem.Clip(key)}}
	}
	return nil
}

// SegmentCount is how many people are in a segment.
type SegmentCount struct {
	Segment string     `json:"segment"`
	Kind    string     `json:"kind"`
	Members int        `json:"members"`
	People  int        `json:"people" doc:"All people"`
	Share   float64    `json:"share"`
	Ready   bool       `json:"ready" doc:"false while the members are being worked out; members is what is known so far"`
	AsOf    *time.Time `json:"asOf,omitempty" doc:"When everybody was last looked at. What happens is seen at once; only time running out waits for such a look"`
	Asked   bool       `json:"asked" doc:"true when the rule asks for more events than memory holds: ClickHouse is asked at intervals, and changes show then"`
}

// Routes registers the routes of segments.
func (s *Segments) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.definitions, definitions.RouteOptions{Tag: "Segments", Singular: "segment"})
	s.memberRoutes(srv.API)
	s.estimateRoute(srv.API)
	s.listRoutes(srv.API)
	s.filterRoute(srv.API)
}

func segmentOperation(id, method, path, summary string, scope api.Scope, errors ...int) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Tags: []string{"Segments"}, Summary: summary, Errors: append([]int{401, 403}, errors...),
	}
	api.Require(scope)(&op)
	return op
}

func (s *Segments) memberRoutes(a huma.API) {
	type membersInput struct {
		Key   string `path:"key" maxLength:"64"`
		After string `query:"after" maxLength:"26" doc:"The next of the page before"`
		Limit int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type membersOutput struct {
		Body struct {
			Items []Card `json:"items" nullable:"false" doc:"In the order of their ids"`
			Next  string `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	huma.Register(a, segmentOperation("list-segment-members", http.MethodGet, "/v1/segments/{key}/members", "List the people in one segment", api.ScopeRead, 404, 422),
		func(ctx context.Context, in *membersInput) (*membersOutput, error) {
			out := new(membersOutput)
			var err error
			out.Body.Items, out.Body.Next, err = s.Page(in.Key, in.After, in.Limit)
			for i := range out.Body.Items {
				s.profiles.maskCard(api.MaskFrom(ctx), &out.Body.Items[i])
			}
			return out, err
		})
	type countInput struct {
		Key string `path:"key" maxLength:"64"`
	}
	type countOutput struct{ Body *SegmentCount }
	huma.Register(a, segmentOperation("count-segment-members", http.MethodGet, "/v1/segments/{key}/count", "Count the people in one segment", api.ScopeRead, 404),
		func(_ context.Context, in *countInput) (*countOutput, error) {
			p := s.plan.Load()
			d, there := s.definitions.Get(in.Key)
			l := p.keys[in.Key]
			if !there || l == nil {
				return nil, problem.NotFound("segment", in.Key)
			}
			c := &SegmentCount{Segment: in.Key, Kind: d.Value.Kind, Members: s.Count(in.Key), People: s.profiles.store.People(), Ready: l.ready(), Asked: l.asked()}
			if c.People > 0 {
				c.Share = float64(c.Members) / float64(c.People)
			}
			if at := l.asOf.Load(); at > 0 {
				asOf := instant(at)
				c.AsOf = &asOf
			}
			return &countOutput{c}, nil
		})
}

// Page is a page of the people in a segment, in the order of their ids.
func (s *Segments) Page(key, after string, limit int) ([]Card, string, error) {
	l := s.plan.Load().keys[key]
	if l == nil {
		return nil, "", problem.NotFound("segment", key)
	}
	ids := s.persons(l)
	texts := make([]string, 0, len(ids))
	for _, id := range ids {
		if text := id.String(); text > after {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	next := ""
	if len(texts) > limit {
		texts = texts[:limit]
		next = texts[limit-1]
	}
	cards := make([]Card, 0, len(texts))
	for _, text := range texts {
		id, _ := identity.ParseID(text)
		if card, ok := s.profiles.card(id); ok {
			cards = append(cards, card)
		}
	}
	return cards, next, nil
}

func (s *Segments) estimateRoute(a huma.API) {
	type input struct {
		Body struct {
			Rule        json.RawMessage `json:"rule" doc:"As in a segment"`
			OverlapWith []string        `json:"overlapWith,omitempty" maxItems:"10" doc:"Keys of segments"`
		}
	}
	type output struct{ Body *Estimate }
	huma.Register(a, segmentOperation("estimate-segment", http.MethodPost, "/v1/segments/estimate", "Estimate how many people fulfil a rule", api.ScopeRead, 400, 422, 503),
		func(ctx context.Context, in *input) (*output, error) {
			e, err := s.Estimate(ctx, in.Body.Rule, in.Body.OverlapWith)
			if err != nil {
				return nil, err
			}
			return &output{e}, nil
		})
}

func (s *Segments) listRoutes(a huma.API) {
	type freezeInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body struct {
			Key  string `json:"key" doc:"Of the list, which must be new" maxLength:"64"`
			Name string `json:"name,omitempty" maxLength:"200"`
		}
	}
	type freezeOutput struct {
		Body struct {
			Key     string `json:"key"`
			Version int64  `json:"version"`
			Segment
		}
	}
	huma.Register(a, segmentOperation("freeze-segment", http.MethodPost, "/v1/segments/{key}/freeze", "Make a list of the people who are in a segment now", api.ScopeAdmin, 404, 412, 422, 429),
		func(ctx context.Context, in *freezeInput) (*freezeOutput, error) {
			v, err := s.Freeze(ctx, in.Key, in.Body.Key, in.Body.Name)
			if err != nil {
				return nil, err
			}
			out := new(freezeOutput)
			out.Body.Key, out.Body.Version, out.Body.Segment = v.Key, v.Version, v.Value
			return out, nil
		})
	type listInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body struct {
			IDs []string `json:"ids" minItems:"1" maxItems:"10000" nullable:"false" doc:"Profile ids, or namespace:value such as userId:u42"`
		}
	}
	type listOutput struct{ Body *ListChange }
	for _, o := range []struct {
		id, method, summary string
		on                  bool
	}{{"add-segment-members", http.MethodPost, "Put people on a list", true}, {"remove-segment-members", http.MethodDelete, "Take people off a list", false}} {
		op := segmentOperation(o.id, o.method, "/v1/segments/{key}/members", o.summary, api.ScopeAdmin, 400, 404, 409, 422, 429)
		op.MaxBodyBytes = 4 << 20
		huma.Register(a, op, func(ctx context.Context, in *listInput) (*listOutput, error) {
			c, err := s.Enlist(ctx, in.Key, in.Body.IDs, o.on)
			if err != nil {
				return nil, err
			}
			return &listOutput{c}, nil
		})
	}
}

func (s *Segments) filterRoute(a huma.API) {
	type output struct {
		Body struct {
			Items []segments.Filter `json:"items" nullable:"false"`
		}
	}
	huma.Register(a, segmentOperation("list-segment-filters", http.MethodGet, "/v1/segment-filters", "List ready conditions for rules", api.ScopeRead),
		func(context.Context, *struct{}) (*output, error) {
			out := new(output)
			out.Body.Items = segments.Filters()
			return out, nil
		})
}
