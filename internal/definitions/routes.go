package definitions

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// maxPage is the most definitions of one page.
const maxPage = 200

// RouteOptions describe a collection in the API.
type RouteOptions struct {
	Tag      string // heading in the documentation: "Decision points"
	Singular string // "decision point"
	// ItemKeys allows upper case, dots and colons in keys, as the ids of a
	// catalogue have.
	ItemKeys bool
}

var (
	plainKey = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	itemKey  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
)

// checkKey refuses a key that cannot be created.
func (o RouteOptions) checkKey(key string) error {
	var bad problem.Invalid
	switch {
	case o.ItemKeys && !itemKey.MatchString(key):
		bad.Add("path.key", "must be 1 to 128 letters, digits, dots, colons, dashes and underscores and begin with a letter or digit", problem.Clip(key))
	case !o.ItemKeys && !plainKey.MatchString(key):
		bad.Add("path.key", "must be 1 to 64 of a-z, 0-9, - and _ and begin with a letter or digit", problem.Clip(key))
	}
	return bad.Err()
}

type listInput struct {
	After string `query:"after" maxLength:"128" doc:"Key after which the page begins; the next of the page before"`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"200"`
}

type listOutput[T any] struct {
	Body struct {
		Items []entity[T] `json:"items" nullable:"false"`
		Next  string      `json:"next" doc:"Pass as after to read on; empty at the end"`
	}
}

type keyInput struct {
	Key string `path:"key" maxLength:"128"`
}

type putInput[T any] struct {
	Key         string `path:"key" maxLength:"128"`
	IfMatch     string `header:"If-Match" doc:"Version that is to be replaced, as ETag gave it; otherwise 412"`
	IfNoneMatch string `header:"If-None-Match" enum:"*" doc:"* to create only; otherwise 412"`
	Body        body[T]
}

type deleteInput struct {
	Key     string `path:"key" maxLength:"128"`
	IfMatch string `header:"If-Match" doc:"Version that is to be deleted; otherwise 412"`
}

type entityOutput[T any] struct {
	ETag string `header:"ETag" doc:"The version"`
	Body entity[T]
}

// Routes registers list, read, create or replace, and delete of a collection
// under /v1/<kind>. Reading needs the scope read, writing admin.
func Routes[T any](a huma.API, c *Collection[T], o RouteOptions) {
	path := "/v1/" + c.kind
	id := strings.ReplaceAll(o.Singular, " ", "-")
	operation := func(verb, method, path, summary string, scope api.Scope, errors ...int) huma.Operation {
		op := huma.Operation{
			OperationID: verb + "-" + id, Method: method, Path: path, Tags: []string{o.Tag}, Summary: summary,
			Errors: append([]int{401, 403}, errors...), MaxBodyBytes: 2 * maxBody,
		}
		api.Require(scope)(&op)
		return op
	}
	huma.Register(a, operation("list", http.MethodGet, path, "List "+strings.ToLower(o.Tag), api.ScopeRead, 422),
		func(_ context.Context, in *listInput) (*listOutput[T], error) {
			out := new(listOutput[T])
			page := c.List(in.After, min(in.Limit, maxPage))
			out.Body.Items = make([]entity[T], len(page))
			for i := range page {
				out.Body.Items[i] = entity[T]{page[i]}
			}
			if len(page) == in.Limit {
				out.Body.Next = page[len(page)-1].Key
			}
			return out, nil
		})
	huma.Register(a, operation("get", http.MethodGet, path+"/{key}", "Read one "+o.Singular, api.ScopeRead, 404),
		func(_ context.Context, in *keyInput) (*entityOutput[T], error) {
			v, ok := c.Get(in.Key)
			if !ok {
				return nil, problem.NotFound(o.Singular, problem.Clip(in.Key))
			}
			return answer(v), nil
		})
	huma.Register(a, operation("put", http.MethodPut, path+"/{key}", "Create or replace one "+o.Singular, api.ScopeAdmin, 400, 412, 413, 422),
		func(ctx context.Context, in *putInput[T]) (*entityOutput[T], error) {
			if err := o.checkKey(in.Key); err != nil {
				return nil, err
			}
			if in.Body.key != "" && in.Body.key != in.Key {
				var bad problem.Invalid
				bad.Add("key", "must be the key in the path, or left out", problem.Clip(in.Body.key))
				return nil, bad
			}
			version, err := expected(in.IfMatch)
			if err != nil {
				return nil, err
			}
			if in.IfNoneMatch != "" {
				version = -1
			}
			v, err := c.Put(ctx, in.Key, in.Body.value, api.By(ctx), version)
			if err != nil {
				return nil, err
			}
			return answer(v), nil
		})
	huma.Register(a, operation("delete", http.MethodDelete, path+"/{key}", "Delete one "+o.Singular, api.ScopeAdmin, 404, 412),
		func(ctx context.Context, in *deleteInput) (*struct{}, error) {
			version, err := expected(in.IfMatch)
			if err != nil {
				return nil, err
			}
			if _, ok := c.Get(in.Key); !ok {
				return nil, problem.NotFound(o.Singular, problem.Clip(in.Key))
			}
			return nil, c.deleteVersion(ctx, in.Key, api.By(ctx), version)
		})
}

func answer[T any](v Versioned[T]) *entityOutput[T] {
	return &entityOutput[T]{ETag: fmt.Sprintf(`"%d"`, v.Version), Body: entity[T]{v}}
}

// expected reads the version of an If-Match header, 0 without one.
func expected(ifMatch string) (int64, error) {
	if ifMatch == "" || ifMatch == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(ifMatch, "W/"), `"`), 10, 64)
	if err != nil || version < 1 {
		var bad problem.Invalid
		bad.Add("header.If-Match", "must be an ETag of this route, such as \"3\"", problem.Clip(ifMatch))
		return 0, bad
	}
	return version, nil
}
