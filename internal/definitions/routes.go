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

const (
	maxPage = 200     // definitions of one page
	maxBulk = 1 << 20 // bytes of a body with many definitions
)

// RouteOptions describe a collection in the API.
type RouteOptions struct {
	Tag      string // heading in the documentation: "Decision points"
	Singular string // "decision point"
	// ItemKeys allows upper case, dots and colons in keys, as the ids of a
	// catalogue have.
	ItemKeys bool
	// Admin keeps reading and writing to the scope admin.
	Admin bool
}

var (
	plainKey = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	itemKey  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
)

// checkKey refuses a key that cannot be created.
func (o RouteOptions) checkKey(field, key string) error {
	var bad problem.Invalid
	switch {
	case o.ItemKeys && !itemKey.MatchString(key):
		bad.Add(field, "must be 1 to 128 letters, digits, dots, colons, dashes and underscores and begin with a letter or digit", problem.Clip(key))
	case !o.ItemKeys && !plainKey.MatchString(key):
		bad.Add(field, "must be 1 to 64 of a-z, 0-9, - and _ and begin with a letter or digit", problem.Clip(key))
	}
	return bad.Err()
}

type historyInput struct {
	Key    string `path:"key" maxLength:"128"`
	Before int64  `query:"before" minimum:"0" doc:"Version before which the page begins; the next of the page before"`
	Limit  int    `query:"limit" default:"20" minimum:"1" maximum:"200"`
}

type historyOutput[T any] struct {
	Body struct {
		Items []past[T] `json:"items" nullable:"false" doc:"Newest first"`
		Next  int64     `json:"next" doc:"Pass as before to read on; 0 at the end"`
	}
}

type versionInput struct {
	Key     string `path:"key" maxLength:"128"`
	Version int64  `path:"version" minimum:"1"`
}

type bulkInput[T any] struct {
	Body struct {
		Items []body[T] `json:"items" minItems:"1" maxItems:"1000" nullable:"false" doc:"Each with its key"`
	}
}

type bulkOutput struct {
	Body struct {
		Written   int `json:"written" doc:"Definitions that are new or have changed"`
		Unchanged int `json:"unchanged"`
	}
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

// Routes registers list, read, history, create or replace (one or many), and delete
// of a collection under /v1/<kind>. Reading needs the scope read, writing define.
func Routes[T any](a huma.API, c *Collection[T], o RouteOptions) {
	r := routes[T]{c, o}
	path := "/v1/" + c.kind
	id := strings.ReplaceAll(o.Singular, " ", "-")
	read, write := api.ScopeRead, api.ScopeDefine
	if o.Admin {
		read, write = api.ScopeAdmin, api.ScopeAdmin
	}
	operation := func(id, method, path, summary string, scope api.Scope, errors ...int) huma.Operation {
		op := huma.Operation{
			OperationID: id, Method: method, Path: path, Tags: []string{o.Tag}, Summary: summary,
			Errors: append([]int{401, 403}, errors...), MaxBodyBytes: 2 * maxBody,
		}
		api.Require(scope)(&op)
		return op
	}
	all := strings.ToLower(o.Tag)
	huma.Register(a, operation("list-"+c.kind, http.MethodGet, path, "List "+all, read, 422), r.list)
	huma.Register(a, operation("get-"+id, http.MethodGet, path+"/{key}", "Read one "+o.Singular, read, 404), r.get)
	huma.Register(a, operation("put-"+id, http.MethodPut, path+"/{key}", "Create or replace one "+o.Singular, write, 400, 412, 413, 422), r.put)
	huma.Register(a, operation("delete-"+id, http.MethodDelete, path+"/{key}", "Delete one "+o.Singular, write, 404, 409, 412), r.delete)
	huma.Register(a, operation("list-"+id+"-versions", http.MethodGet, path+"/{key}/versions", "List the versions of one "+o.Singular, read, 404, 422), r.history)
	huma.Register(a, operation("get-"+id+"-version", http.MethodGet, path+"/{key}/versions/{version}", "Read one version of one "+o.Singular, read, 404, 422), r.version)
	bulk := operation("put-"+c.kind, http.MethodPut, path, "Create or replace many "+all+", all or none", write, 400, 413, 422)
	bulk.MaxBodyBytes = maxBulk
	huma.Register(a, bulk, r.bulk)
}

type routes[T any] struct {
	c *Collection[T]
	o RouteOptions
}

func (r routes[T]) list(_ context.Context, in *listInput) (*listOutput[T], error) {
	out := new(listOutput[T])
	page := r.c.List(in.After, min(in.Limit, maxPage)+1)
	if len(page) > in.Limit {
		page = page[:in.Limit]
		out.Body.Next = page[len(page)-1].Key
	}
	out.Body.Items = make([]entity[T], len(page))
	for i := range page {
		out.Body.Items[i] = entity[T]{page[i]}
	}
	return out, nil
}

func (r routes[T]) get(_ context.Context, in *keyInput) (*entityOutput[T], error) {
	v, ok := r.c.Get(in.Key)
	if !ok {
		return nil, problem.NotFound(r.o.Singular, in.Key)
	}
	return answer(v), nil
}

func (r routes[T]) put(ctx context.Context, in *putInput[T]) (*entityOutput[T], error) {
	if err := r.o.checkKey("path.key", in.Key); err != nil {
		return nil, err
	}
	if in.Body.key != "" && in.Body.key != in.Key {
		return nil, problem.Invalid{{Field: "key", Rule: "must be the key in the path, or left out", Value: in.Body.key}}
	}
	version, err := expected(in.IfMatch)
	if err != nil {
		return nil, err
	}
	if in.IfNoneMatch != "" {
		version = -1
	}
	v, err := r.c.Put(ctx, in.Key, in.Body.value, api.By(ctx), version)
	if err != nil {
		return nil, err
	}
	return answer(v), nil
}

func (r routes[T]) bulk(ctx context.Context, in *bulkInput[T]) (*bulkOutput, error) {
	keys := make([]string, len(in.Body.Items))
	values := make([]T, len(in.Body.Items))
	first := make(map[string]int, len(in.Body.Items))
	at := func(i int) string { return fmt.Sprintf("items[%d]", i) }
	var bad problem.Invalid
	for i, item := range in.Body.Items {
		keys[i], values[i] = item.key, item.value
		if err := r.o.checkKey("key", item.key); err != nil {
			bad.Nest(at(i), err)
		} else if same, ok := first[item.key]; ok {
			bad.Add(at(i)+".key", fmt.Sprintf("must differ from the key of items[%d]", same), item.key)
		}
		first[item.key] = i
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	written, err := r.c.putAll(ctx, keys, values, api.By(ctx), at)
	if err != nil {
		return nil, err
	}
	out := new(bulkOutput)
	out.Body.Written, out.Body.Unchanged = written, len(keys)-written
	return out, nil
}

func (r routes[T]) delete(ctx context.Context, in *deleteInput) (*struct{}, error) {
	version, err := expected(in.IfMatch)
	if err != nil {
		return nil, err
	}
	if _, ok := r.c.Get(in.Key); !ok {
		return nil, problem.NotFound(r.o.Singular, in.Key)
	}
	return nil, r.c.deleteVersion(ctx, in.Key, api.By(ctx), version)
}

func (r routes[T]) history(ctx context.Context, in *historyInput) (*historyOutput[T], error) {
	list, err := r.c.History(ctx, in.Key, in.Before, min(in.Limit, maxPage)+1)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && in.Before == 0 {
		return nil, problem.NotFound(r.o.Singular, in.Key)
	}
	out := new(historyOutput[T])
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.Next = list[len(list)-1].Version
	}
	out.Body.Items = make([]past[T], len(list))
	for i := range list {
		v := &list[i]
		out.Body.Items[i] = past[T]{Version: v.Version, UpdatedAt: v.UpdatedAt, UpdatedBy: v.UpdatedBy, Deleted: v.Deleted}
		if !v.Deleted {
			out.Body.Items[i].Value = &v.Value
		}
	}
	return out, nil
}

func (r routes[T]) version(ctx context.Context, in *versionInput) (*entityOutput[T], error) {
	v, err := r.c.AtVersion(ctx, in.Key, in.Version)
	if err != nil {
		return nil, err
	}
	return answer(v), nil
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
		bad.Add("header.If-Match", "must be an ETag of this route, such as \"3\"", ifMatch)
		return 0, bad
	}
	return version, nil
}
