package experiments

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

//go:embed templates/*.json
var templateFiles embed.FS

// Template is a kind of experiment to begin with.
type Template struct {
	Key        string     `json:"key"`
	Name       string     `json:"name"`
	When       string     `json:"when" doc:"What it is for"`
	Fill       []string   `json:"fill" nullable:"false" doc:"Fields of the experiment that are to be filled in"`
	Experiment Experiment `json:"experiment" doc:"A definition to be completed and put under a key of its own"`
}

// Templates are the kinds of experiments to begin with, in the order of their keys.
func Templates() ([]Template, error) { return readTemplates() }

var readTemplates = sync.OnceValues(func() ([]Template, error) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	out := make([]Template, len(files))
	for i, f := range files {
		body, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the template %s: %w", f.Name(), err)
		}
		if err := json.Unmarshal(body, &out[i]); err != nil {
			return nil, fmt.Errorf("reading the template %s: %w", f.Name(), err)
		}
	}
	return out, nil
})

func templateRoutes(a huma.API) {
	operation := func(id, path, summary string, errors ...int) huma.Operation {
		op := huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{"Experiments"}, Summary: summary, Errors: append([]int{401, 403}, errors...)}
		api.Require(api.ScopeRead)(&op)
		return op
	}
	type listOutput struct {
		Body struct {
			Items []Template `json:"items" nullable:"false"`
		}
	}
	huma.Register(a, operation("list-experiment-templates", "/v1/experiment-templates", "List kinds of experiments to begin with"), func(context.Context, *struct{}) (*listOutput, error) {
		list, err := Templates()
		if err != nil {
			return nil, err
		}
		out := new(listOutput)
		out.Body.Items = list
		return out, nil
	})
	type input struct {
		Key string `path:"key" maxLength:"64"`
	}
	type output struct{ Body Template }
	huma.Register(a, operation("get-experiment-template", "/v1/experiment-templates/{key}", "Read one kind of experiment", 404), func(_ context.Context, in *input) (*output, error) {
		list, err := Templates()
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(t Template) bool { return t.Key == in.Key })
		if i < 0 {
			return nil, problem.NotFound("template", problem.Clip(in.Key))
		}
		return &output{Body: list[i]}, nil
	})
}
