package recommend

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// Limits of one import call.
const (
	maxPut     = 1000    // items
	maxPutBody = 4 << 20 // bytes
)

// KeyedItem is an item with its id, as an import sends it.
type KeyedItem struct {
	Key string `json:"key" doc:"Id of the item" minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Item
}

// putRoute registers an import of many items.
func (s *Service) putRoute(a huma.API) {
	type input struct {
		Body struct {
			Items []KeyedItem `json:"items" minItems:"1" maxItems:"1000"`
		}
	}
	type output struct {
		Body struct {
			Accepted int `json:"accepted" doc:"Number of items created or replaced"`
		}
	}
	op := huma.Operation{
		OperationID: "put-items", Method: http.MethodPost, Path: "/v1/items", Tags: []string{"Items"}, Summary: "Create or replace many items",
		Description: "All or nothing: with one bad item none is written. Sending the same items again changes nothing but their version.",
		Errors:      []int{400, 401, 403, 413, 422}, MaxBodyBytes: maxPutBody, DefaultStatus: http.StatusOK,
	}
	api.Require(api.ScopeAdmin)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		n, err := s.Put(ctx, in.Body.Items, api.By(ctx))
		if err != nil {
			return nil, err
		}
		out := new(output)
		out.Body.Accepted = n
		return out, nil
	})
}

// Put creates or replaces items in one transaction, up to 1,000. With one item
// that breaks a rule, none is written and the error names each by its position.
func (s *Service) Put(ctx context.Context, items []KeyedItem, by string) (int, error) {
	var bad problem.Invalid
	if len(items) == 0 || len(items) > maxPut {
		bad.Add("items", fmt.Sprintf("must have 1 to %d entries", maxPut), len(items))
		return 0, bad
	}
	values := make(map[string]Item, len(items))
	for i := range items {
		at := fmt.Sprintf("items[%d]", i)
		if _, twice := values[items[i].Key]; twice {
			bad.Add(at+".key", "must not be there twice", items[i].Key)
		}
		bad.Nest(at, ValidateItem(ctx, items[i].Key, &items[i].Item))
		values[items[i].Key] = items[i].Item
	}
	if err := bad.Err(); err != nil {
		return 0, err
	}
	if err := s.items.PutMany(ctx, values, by); err != nil {
		return 0, fmt.Errorf("writing %d items: %w", len(values), err)
	}
	return len(values), nil
}
