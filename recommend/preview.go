package recommend

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/oklog/ulid/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// PreviewQuery asks what somebody would be shown.
type PreviewQuery struct {
	User      string     `json:"user,omitempty" doc:"The person: profile id, namespace:value, or a user id" maxLength:"600"`
	Items     []string   `json:"items,omitempty" doc:"The item of the page, what is in the cart, or what a search found" maxItems:"200"`
	Shown     []string   `json:"shown,omitempty" doc:"Items that the page has already" maxItems:"200"`
	Placement string     `json:"placement,omitempty" doc:"Key of a placement, or a kind; home, or product when items are named, unless set" maxLength:"64"`
	Draft     *Placement `json:"draft,omitempty" doc:"Rules that are not saved; the list by those that are, if any, is there too"`
	Limit     int        `json:"limit,omitempty" doc:"10 unless set" minimum:"1" maximum:"200"`
}

// PreviewPart is how much a source adds to the score of an item.
type PreviewPart struct {
	Source string  `json:"source" doc:"Reason that the source gives"`
	Share  float64 `json:"share" doc:"Of what all sources add"`
	Rank   int     `json:"rank,omitempty" doc:"Place in the list of the source, from 1 on"`
}

// PreviewItem is an item of a preview.
type PreviewItem struct {
	Recommended
	Place  int           `json:"place" doc:"From 1 on"`
	Fused  float64       `json:"fused" doc:"What the sources add up to, before probability, goal and rules"`
	Factor float64       `json:"factor" doc:"What boosts multiply its score by"`
	Stock  *int          `json:"stock,omitempty"`
	Parts  []PreviewPart `json:"parts" nullable:"false" doc:"Largest first; none for what only a rule brings"`
}

// PreviewSource is a source of a list.
type PreviewSource struct {
	Source     string `json:"source"`
	Candidates int    `json:"candidates" doc:"Items that it named"`
	Places     int    `json:"places" doc:"Places of the list that it led in"`
}

// PreviewList is a list with where it comes from.
type PreviewList struct {
	Placement  string          `json:"placement"`
	Version    int64           `json:"version,omitempty" doc:"Build that recommended; none where nothing has been learned yet"`
	Ranker     int64           `json:"ranker,omitempty" doc:"Version of the ranker that ordered it; none where the ranks that the sources gave did"`
	Personal   bool            `json:"personal" doc:"Whether anything that the person did was used"`
	FallBack   bool            `json:"fallBack" doc:"Nothing of it comes from the person or the items that were named"`
	Known      int             `json:"known" doc:"Events of the person in memory"`
	Bought     int             `json:"bought" doc:"Candidates that were left out because the person bought them"`
	Candidates int             `json:"candidates" doc:"Items that were ranked"`
	Sources    []PreviewSource `json:"sources" nullable:"false"`
	Items      []PreviewItem   `json:"items" nullable:"false"`
}

// Preview is what somebody would be shown, and was by the rules that are saved.
type Preview struct {
	ID    string       `json:"recommendationId" doc:"ULID from which exploration drew, in both lists the same"`
	List  *PreviewList `json:"list"`
	Saved *PreviewList `json:"saved,omitempty" doc:"With a draft: the list by what is saved under the key"`
}

// Preview recommends without anything of it being counted.
func (s *Service) Preview(ctx context.Context, person string, q PreviewQuery) (*Preview, error) {
	out := &Preview{ID: ulid.Make().String()}
	query := Query{Person: person, Items: q.Items, Shown: q.Shown, Placement: q.Placement, Limit: q.Limit, ID: out.ID, At: s.now()}
	var err error
	if q.Draft == nil {
		out.List, err = s.previewList(ctx, query)
		return out, err
	}
	if err := ValidatePlacement(ctx, q.Placement, q.Draft); err != nil {
		var bad problem.Invalid
		bad.Nest("draft", err)
		return nil, bad.Err()
	}
	draft := query
	draft.draft, draft.Placement = q.Draft, "" // what it may show is not remembered under the key
	if out.List, err = s.previewList(ctx, draft); err != nil {
		return nil, err
	}
	if out.List.Placement = q.Placement; q.Placement == "" {
		return out, nil
	}
	out.Saved, err = s.previewList(ctx, query)
	var missing *problem.Error
	var bad problem.Invalid
	if errors.As(err, &missing) && missing.Status == http.StatusNotFound || errors.As(err, &bad) {
		return out, nil // the placement is new, or what it was cannot be asked like this
	}
	return out, err
}

func (s *Service) previewList(ctx context.Context, q Query) (*PreviewList, error) {
	out := &PreviewList{Sources: []PreviewSource{}, Items: []PreviewItem{}}
	var parts []PreviewItem
	q.look = func(g *gathering, list []placed) {
		out.Candidates, out.Bought = len(g.pool.list), g.bought
		counts := map[string]*PreviewSource{}
		for i := range g.pool.room {
			for n, part := range g.pool.room[i].parts {
				if part > 0 {
					source := reasons[n]
					if counts[source] == nil {
						counts[source] = &PreviewSource{Source: source}
					}
					counts[source].Candidates++
				}
			}
		}
		for _, c := range list {
			if counts[c.reason] == nil {
				counts[c.reason] = &PreviewSource{Source: c.reason}
			}
			counts[c.reason].Places++
			item := PreviewItem{Place: len(parts) + 1, Fused: c.score, Factor: g.placement.factor(c.key, c.item), Stock: c.item.Stock, Parts: []PreviewPart{}}
			for n, part := range c.parts {
				if part > 0 {
					item.Parts = append(item.Parts, PreviewPart{reasons[n], part / c.score, int(c.told[n].rank)})
				}
			}
			slices.SortStableFunc(item.Parts, func(a, b PreviewPart) int {
				if a.Share > b.Share {
					return -1
				}
				if a.Share < b.Share {
					return 1
				}
				return 0
			})
			parts = append(parts, item)
		}
		for _, source := range reasons {
			if c := counts[source]; c != nil {
				out.Sources = append(out.Sources, *c)
			}
		}
	}
	list, err := s.Recommend(ctx, q)
	if err != nil {
		return nil, err
	}
	out.Placement, out.Version, out.Personal, out.FallBack = list.Placement, list.Version, list.Personal, true
	out.Ranker = list.Ranker
	if q.Person != "" {
		out.Known = s.Remembered(q.Person)
	}
	for i, item := range list.Items {
		parts[i].Recommended = item
		out.FallBack = out.FallBack && everybodys(item.Reason)
		out.Items = append(out.Items, parts[i])
	}
	return out, nil
}

func (s *Service) previewRoute(srv *api.Server) {
	type input struct{ Body PreviewQuery }
	type output struct{ Body *Preview }
	op := huma.Operation{
		OperationID: "preview-recommendations", Method: http.MethodPost, Path: "/v1/recommendations/preview", Tags: []string{"Recommendations"},
		Summary: "What somebody would be shown, with the sources of every item, by rules that need not be saved", Errors: []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, in *input) (*output, error) {
		person := ""
		if in.Body.User != "" {
			var err error
			if person, err = s.person(in.Body.User); err != nil {
				return nil, problem.Invalid{{Field: "user", Rule: err.Error(), Value: problem.Clip(in.Body.User)}}
			}
		}
		p, err := s.Preview(ctx, person, in.Body)
		return &output{p}, err
	})
}
