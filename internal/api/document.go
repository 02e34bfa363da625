package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/problem"
)

// schemaNames gives Go types their names in the OpenAPI document. Types of the
// same name from two packages get the package in front of the second, as
// in ExperimentsReport, and a type that answers for another one takes its name.
type schemaNames struct {
	mu    sync.Mutex
	taken map[string]reflect.Type
	names map[reflect.Type]string
}

// SchemaNamer is a type that has another name in the OpenAPI document than in Go.
type SchemaNamer interface {
	// SchemaName is that name; it is called on the zero value.
	SchemaName() string
}

var schemaNamer = reflect.TypeFor[SchemaNamer]()

func (n *schemaNames) name(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.names[t]; ok {
		return name
	}
	name := huma.DefaultSchemaNamer(t, hint)
	switch {
	case t == reflect.TypeFor[problem.Document]():
		name = "Problem"
	case t == reflect.TypeFor[problem.Violation]():
		name = "ProblemField"
	case t.Implements(schemaNamer):
		name = reflect.Zero(t).Interface().(SchemaNamer).SchemaName()
	}
	if t.Kind() != reflect.Struct {
		return name
	}
	if n.taken[name] != nil {
		if pkg := path.Base(t.PkgPath()); t.Name() != "" {
			name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
		}
		base := name
		for i := 2; n.taken[name] != nil; i++ {
			name = fmt.Sprintf("%s%d", base, i)
		}
	}
	n.taken[name] = t
	n.names[t] = name
	return name
}

// Document adds a route that is not a huma operation to the OpenAPI document: it
// needs the scope, takes a JSON body of in's type (nil for none) and answers 200
// with out's type.
func Document(a huma.API, op huma.Operation, scope Scope, in, out any) {
	Require(scope)(&op)
	schemas := a.OpenAPI().Components.Schemas
	if in != nil {
		schema := InputSchema(schemas, schemas.Schema(reflect.TypeOf(in), true, op.OperationID+"Request"))
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	if out != nil {
		schema := schemas.Schema(reflect.TypeOf(out), true, op.OperationID+"Response")
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	}
	op.Responses["default"] = &huma.Response{
		Description: "Error",
		Content: map[string]*huma.MediaType{
			problem.ContentType: {Schema: schemas.Schema(reflect.TypeFor[problem.Document](), true, "Problem")},
		},
	}
	a.OpenAPI().AddOperation(&op)
}

// InputSchema is the schema of a body whose fields may be left out: a copy of
// schema, with all it refers to, in which no field is required and fields that
// only the server sets are gone. Copies are registered with "Input" behind their
// name; a schema that would not change is used as it is.
func InputSchema(registry huma.Registry, schema *huma.Schema) *huma.Schema {
	c := inputCopier{registry: registry, seen: map[string]bool{}}
	if !c.differs(schema, map[string]bool{}) {
		return schema
	}
	return c.copy(schema)
}

type inputCopier struct {
	registry huma.Registry
	seen     map[string]bool
}

// differs says whether a copy of the schema would be another one.
func (c *inputCopier) differs(s *huma.Schema, visited map[string]bool) bool {
	if s == nil {
		return false
	}
	if s.Ref != "" {
		if visited[s.Ref] {
			return false
		}
		visited[s.Ref] = true
		return c.differs(c.registry.SchemaFromRef(s.Ref), visited)
	}
	if len(s.Required) > 0 {
		return true
	}
	for _, p := range s.Properties {
		if p.ReadOnly || c.differs(p, visited) {
			return true
		}
	}
	more, _ := s.AdditionalProperties.(*huma.Schema)
	if c.differs(s.Items, visited) || c.differs(more, visited) {
		return true
	}
	for _, list := range [][]*huma.Schema{s.OneOf, s.AnyOf, s.AllOf} {
		for _, alternative := range list {
			if c.differs(alternative, visited) {
				return true
			}
		}
	}
	return false
}

func (c *inputCopier) copy(s *huma.Schema) *huma.Schema {
	if s == nil {
		return nil
	}
	if s.Ref != "" {
		target := c.registry.SchemaFromRef(s.Ref)
		if target == nil || !c.differs(target, map[string]bool{s.Ref: true}) {
			return s
		}
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		if !c.seen[name] {
			c.seen[name] = true
			c.registry.Map()[name+"Input"] = c.copy(target)
		}
		return &huma.Schema{Ref: s.Ref + "Input"}
	}
	next := *s
	next.Required = nil
	next.Items = c.copy(s.Items)
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		next.AdditionalProperties = c.copy(more)
	}
	if s.Properties != nil {
		next.Properties = map[string]*huma.Schema{}
		for name, p := range s.Properties {
			if !p.ReadOnly {
				next.Properties[name] = c.copy(p)
			}
		}
	}
	next.OneOf, next.AnyOf, next.AllOf = c.copyAll(s.OneOf), c.copyAll(s.AnyOf), c.copyAll(s.AllOf)
	next.PrecomputeMessages()
	return &next
}

func (c *inputCopier) copyAll(list []*huma.Schema) []*huma.Schema {
	if list == nil {
		return nil
	}
	next := make([]*huma.Schema, len(list))
	for i, s := range list {
		next[i] = c.copy(s)
	}
	return next
}

// OpenAPI is the OpenAPI 3.1 document of all routes that exist now, as JSON.
func (s *Server) OpenAPI() ([]byte, error) {
	document, err := json.MarshalIndent(s.API.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the OpenAPI document: %w", err)
	}
	return append(document, '\n'), nil
}

// serveOpenAPI encodes the document on its first use, when all routes exist.
func (s *Server) serveOpenAPI() http.HandlerFunc {
	document := sync.OnceValues(s.OpenAPI)
	return func(w http.ResponseWriter, r *http.Request) {
		content, err := document()
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// The caller went away when this fails.
		_, _ = w.Write(content)
	}
}
