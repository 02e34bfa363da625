package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/danielgtaylor/huma/v2"
)

// Event has the name of another package's type.
type Event struct {
	Name  string         `json:"name"`
	Child *Event         `json:"child,omitempty"`
	List  []nested       `json:"list"`
	ByKey map[string]any `json:"byKey,omitempty"`
	Made  string         `json:"made" readOnly:"true"`
}

type nested struct {
	Weight float64 `json:"weight"`
}

type renamed struct {
	Name string `json:"name,omitempty"`
}

func (renamed) SchemaName() string { return "Event" }

func TestDocument(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	Document(s.API, huma.Operation{OperationID: "send", Method: http.MethodPost, Path: "/v1/send", Summary: "Send"}, ScopeIngest, Event{}, nested{})
	Document(s.API, huma.Operation{OperationID: "other", Method: http.MethodPost, Path: "/v1/other"}, ScopeRead, renamed{}, nil)
	op := huma.Operation{OperationID: "file", Method: http.MethodGet, Path: "/v1/file"}
	Require(ScopeRead, ScopeIngest)(&op)
	huma.Register(s.API, op, func(context.Context, *struct{}) (*struct{ Body fstest.MapFile }, error) { return nil, nil })

	// Two types without a name that get the same one from their operations.
	type output struct{ Body struct{ A int } }
	huma.Get(s.API, "/v1/first", func(context.Context, *struct{}) (*output, error) { return nil, nil })
	func() {
		type output struct{ Body struct{ B int } }
		huma.Get(s.API, "/v1/second", func(context.Context, *struct{}) (*output, error) { return nil, nil })
	}()

	raw, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		OpenAPI string `json:"openapi"`
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]struct {
			OperationID string                `json:"operationId"`
			Description string                `json:"description"`
			Security    []map[string][]string `json:"security"`
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					} `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
			Responses map[string]struct {
				Content map[string]any `json:"content"`
			} `json:"responses"`
		}
		Components struct {
			Schemas map[string]struct {
				Required   []string                   `json:"required"`
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"schemas"`
			SecuritySchemes map[string]any `json:"securitySchemes"`
		}
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1") || document.Info.Version != "1.2.3" {
		t.Errorf("version %s of %+v", document.OpenAPI, document.Info)
	}
	send := document.Paths["/v1/send"]["post"]
	if ref := send.RequestBody.Content["application/json"].Schema.Ref; ref != "#/components/schemas/EventInput" {
		t.Errorf("the body is %s", ref)
	}
	if len(send.Security) != 2 || !slices.Equal(send.Security[0]["apiKey"], []string{"ingest"}) || !strings.Contains(send.Description, "ingest") {
		t.Errorf("security %v, %q", send.Security, send.Description)
	}
	for path, methods := range document.Paths {
		for method, o := range methods {
			found := false
			for status, response := range o.Responses {
				if status[0] != '2' {
					found = found || response.Content["application/problem+json"] != nil
				}
			}
			if !found {
				t.Errorf("%s %s documents no problem", method, path)
			}
		}
	}
	schemas := document.Components.Schemas
	for name, required := range map[string][]string{
		"Event": {"name", "list", "made"}, "EventInput": nil, "Nested": {"weight"}, "NestedInput": nil, "Problem": {"type", "title", "status"}, "ProblemField": {"location", "message"},
	} {
		if got, ok := schemas[name]; !ok || !slices.Equal(got.Required, required) {
			t.Errorf("schema %s: %v, required %v, want %v", name, ok, got.Required, required)
		}
	}
	if _, ok := schemas["EventInput"].Properties["made"]; ok {
		t.Error("a body has a field that only the server sets")
	}
	if !strings.Contains(string(schemas["EventInput"].Properties["child"]), "EventInput") {
		t.Errorf("a body's child is %s", schemas["EventInput"].Properties["child"])
	}
	if len(schemas["OutputBody"].Properties) != 1 || len(schemas["OutputBody2"].Properties) != 1 {
		t.Errorf("types without names are %v and %v", schemas["OutputBody"], schemas["OutputBody2"])
	}
	// A second type of the same name stands beside the first.
	if _, ok := schemas["ApiEvent"]; !ok {
		t.Errorf("schemas %v", slices.Sorted(maps.Keys(schemas)))
	}
	if a := ask(t, s, "GET", "/openapi.json", nil); a.status != 200 || a.body != string(raw) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("served: %d %v", a.status, a.header)
	}
}
