package recommend

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// CatalogueItem is an item with how it stands.
type CatalogueItem struct {
	Key       string    `json:"key"`
	Item      Item      `json:"item"`
	Margin    float64   `json:"margin" doc:"Price less cost"`
	Standing  Standing  `json:"standing" enum:"offered,sold-out,not-yet,over,feed-gone" doc:"Whether it can be offered now, or why not"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	UpdatedBy string    `json:"updatedBy"`
}

func (s *Service) catalogueItem(key string) (CatalogueItem, bool) {
	v, ok := s.items.Get(key)
	if !ok {
		return CatalogueItem{}, false
	}
	return CatalogueItem{Key: key, Item: v.Value, Margin: v.Value.Margin(), Standing: s.standing(&v.Value, s.now()),
		Version: v.Version, CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC(), UpdatedBy: v.UpdatedBy}, true
}

// catalogueRoutes registers /v1/catalogue: the items as they stand, to look through.
func (s *Service) catalogueRoutes(srv *api.Server) {
	operation := func(id, path, summary string, errors ...int) huma.Operation {
		op := huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{"Items"}, Summary: summary, Errors: append([]int{401, 403}, errors...)}
		api.Require(api.ScopeRead)(&op)
		return op
	}
	type overviewOutput struct{ Body *Overview }
	huma.Register(srv.API, operation("catalogue-overview", "/v1/catalogue", "The catalogue as a whole, with its tree of categories"), func(ctx context.Context, _ *struct{}) (*overviewOutput, error) {
		o, err := s.overview(ctx)
		return &overviewOutput{o}, err
	})

	type searchInput struct {
		Text     string  `query:"q" doc:"Words that the key, the name or the supplier all have" maxLength:"200"`
		Category string  `query:"category" doc:"And those below it" maxLength:"200"`
		Standing string  `query:"standing" enum:"offered,not-offered,sold-out,not-yet,over,feed-gone"`
		Feed     string  `query:"feed" doc:"Key of the feed that brought them" maxLength:"64"`
		MinPrice float64 `query:"minPrice" minimum:"0"`
		MaxPrice float64 `query:"maxPrice" doc:"No bound when 0" minimum:"0"`
		After    string  `query:"after" maxLength:"128" doc:"Key after which the page begins; the next of the page before"`
		Limit    int     `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type searchOutput struct {
		Body struct {
			Items []CatalogueItem `json:"items" nullable:"false" doc:"By key"`
			Total int             `json:"total" doc:"Items of the filter, on all pages"`
			Next  string          `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	huma.Register(srv.API, operation("search-catalogue", "/v1/catalogue/items", "Look through the items by words, category, price and whether they can be offered", 422), func(ctx context.Context, in *searchInput) (*searchOutput, error) {
		if in.MaxPrice > 0 && in.MaxPrice < in.MinPrice {
			return nil, problem.Invalid{{Field: "query.maxPrice", Rule: "must not be below minPrice", Value: in.MaxPrice}}
		}
		keys, total, err := s.search(ctx, CatalogueFilter{Text: in.Text, Category: in.Category, Standing: in.Standing, Feed: in.Feed, MinPrice: in.MinPrice, MaxPrice: in.MaxPrice}, in.After, in.Limit+1)
		if err != nil {
			return nil, err
		}
		out := &searchOutput{}
		out.Body.Total, out.Body.Items = total, []CatalogueItem{}
		if len(keys) > in.Limit {
			keys = keys[:in.Limit]
			out.Body.Next = keys[len(keys)-1]
		}
		for _, key := range keys {
			if item, ok := s.catalogueItem(key); ok { // not deleted since
				out.Body.Items = append(out.Body.Items, item)
			}
		}
		return out, nil
	})

	type itemInput struct {
		Key string `path:"key" maxLength:"128"`
	}
	type itemOutput struct {
		Body struct {
			CatalogueItem
			Knowledge *Knowledge `json:"knowledge"`
		}
	}
	huma.Register(srv.API, operation("catalogue-item", "/v1/catalogue/items/{key}", "An item as it stands, with what recommenders know of it", 404), func(_ context.Context, in *itemInput) (*itemOutput, error) {
		item, ok := s.catalogueItem(in.Key)
		if !ok {
			return nil, problem.NotFound("item", problem.Clip(in.Key))
		}
		out := &itemOutput{}
		out.Body.CatalogueItem, out.Body.Knowledge = item, s.knowledge(in.Key)
		return out, nil
	})
}
