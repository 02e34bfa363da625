package outbound

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
)

// MessageRoute registers the list of messages of a kind of origin; its path has {key}.
func MessageRoute(a huma.API, o *Outbox, origin, tag, id, path string) {
	type input struct {
		Key    string `path:"key" maxLength:"64"`
		Before int64  `query:"before" minimum:"0" doc:"Number before which the page begins; the next of the page before"`
		Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
	}
	type output struct {
		Body struct {
			Items []Stored `json:"items" nullable:"false"`
			Next  int64    `json:"next" doc:"Pass as before to read on; 0 at the end"`
		}
	}
	op := huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{tag}, Summary: "List messages, newest first",
		Description: "Those that wait for delivery, and for 90 days those that delivery has.", Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		list, err := o.List(ctx, origin, in.Key, in.Before, in.Limit)
		if err != nil {
			return nil, err
		}
		out := new(output)
		out.Body.Items = list
		if len(list) == in.Limit {
			out.Body.Next = list[len(list)-1].Number
		}
		return out, nil
	})
}
