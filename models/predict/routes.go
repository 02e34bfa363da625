package predict

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
)

// SchemaName is the type's name in the OpenAPI document.
func (Spec) SchemaName() string { return "PredictiveModel" }

type modelInput struct {
	Key string `path:"key" maxLength:"64" doc:"Key of the model"`
}

type versionInput struct {
	Key     string `path:"key" maxLength:"64" doc:"Key of the model"`
	Version int64  `path:"version" minimum:"1"`
}

type versionOutput struct{ Body *Version }

// Routes registers /v1/models: definitions, versions, training, scoring and reasons.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.specs, definitions.RouteOptions{Tag: "Models", Singular: "model"})
	operation := func(id, method, path, summary, description string, scope api.Scope, errors ...int) huma.Operation {
		op := huma.Operation{OperationID: id, Method: method, Path: "/v1/models/{key}" + path, Tags: []string{"Models"}, Summary: summary, Description: description, Errors: append([]int{401, 403, 404}, errors...)}
		api.Require(scope)(&op)
		if scope == api.ScopeDefine {
			api.Deadline(jobDeadline)(&op)
		}
		return op
	}

	huma.Register(srv.API, operation("train-model", http.MethodPost, "/train", "Train a new version now",
		"Answers when it is trained and tested. The version is a challenger; with autoPromote it becomes the champion when it is better. Data that nothing can be learnt from is refused with the reason.", api.ScopeDefine, 409, 422),
		func(ctx context.Context, in *modelInput) (*versionOutput, error) {
			v, err := s.Train(ctx, in.Key)
			if err != nil {
				return nil, err
			}
			return &versionOutput{v}, nil
		})

	type scoringOutput struct{ Body *Scoring }
	huma.Register(srv.API, operation("score-model", http.MethodPost, "/score", "Score everybody with the champion now",
		"Scores become computed attributes, which decisions and segments read, with the next computation of attributes.", api.ScopeDefine, 409),
		func(ctx context.Context, in *modelInput) (*scoringOutput, error) {
			out, err := s.Score(ctx, in.Key)
			if err != nil {
				return nil, err
			}
			return &scoringOutput{out}, nil
		})

	type versionsInput struct {
		Key    string `path:"key" maxLength:"64" doc:"Key of the model"`
		Before int64  `query:"before" minimum:"0" doc:"Versions before this one; the next of the page before"`
		Limit  int    `query:"limit" default:"20" minimum:"1" maximum:"100"`
	}
	type versionsOutput struct {
		Body struct {
			Items []Version `json:"items" nullable:"false" doc:"Newest first, without their figures"`
			Next  int64     `json:"next" doc:"Pass as before to read on; 0 at the end"`
		}
	}
	huma.Register(srv.API, operation("list-trained-versions", http.MethodGet, "/registry", "List trained versions", "", api.ScopeRead),
		func(ctx context.Context, in *versionsInput) (*versionsOutput, error) {
			if _, _, err := s.spec(in.Key); err != nil {
				return nil, err
			}
			items, err := s.store.list(ctx, in.Key, in.Before, in.Limit)
			if err != nil {
				return nil, err
			}
			out := &versionsOutput{}
			out.Body.Items = items
			if len(items) == in.Limit {
				out.Body.Next = items[len(items)-1].Version
			}
			return out, nil
		})

	huma.Register(srv.API, operation("get-trained-version", http.MethodGet, "/registry/{version}", "A trained version with all its figures", "", api.ScopeRead),
		func(ctx context.Context, in *versionInput) (*versionOutput, error) {
			v, err := s.store.get(ctx, in.Key, in.Version, false)
			if err != nil {
				return nil, err
			}
			if v == nil {
				return nil, noVersion(in.Key, in.Version)
			}
			return &versionOutput{v}, nil
		})

	type artefactOutput struct {
		ContentType string `header:"Content-Type"`
		Body        []byte
	}
	artefact := operation("get-artefact", http.MethodGet, "/registry/{version}/artefact", "The file of a trained version", "JSON with a checksum; it is all that is needed to score.", api.ScopeRead, 409)
	artefact.Responses = map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	huma.Register(srv.API, artefact, func(ctx context.Context, in *versionInput) (*artefactOutput, error) {
		body, err := s.Artefact(ctx, in.Key, in.Version)
		if err != nil {
			return nil, err
		}
		return &artefactOutput{"application/octet-stream", body}, nil
	})

	huma.Register(srv.API, operation("promote-trained-version", http.MethodPost, "/registry/{version}/promote", "Make a version the champion",
		"A version that did not pass its own test, or whose artefact is damaged, is refused.", api.ScopeDefine, 409),
		func(ctx context.Context, in *versionInput) (*versionOutput, error) {
			v, err := s.Promote(ctx, in.Key, in.Version)
			if err != nil {
				return nil, err
			}
			return &versionOutput{v}, nil
		})

	huma.Register(srv.API, operation("roll-back-model", http.MethodPost, "/roll-back", "Make the champion before the champion again", "", api.ScopeDefine, 409),
		func(ctx context.Context, in *modelInput) (*versionOutput, error) {
			v, err := s.RollBack(ctx, in.Key)
			if err != nil {
				return nil, err
			}
			return &versionOutput{v}, nil
		})

	s.registryRoutes(srv)

	type jobsInput struct {
		Key   string `path:"key" maxLength:"64" doc:"Key of the model"`
		Limit int    `query:"limit" default:"20" minimum:"1" maximum:"100"`
	}
	type jobsOutput struct {
		Body struct {
			Items []Job `json:"items" nullable:"false" doc:"Newest first"`
		}
	}
	huma.Register(srv.API, operation("list-model-jobs", http.MethodGet, "/jobs", "Runs of training and scoring", "", api.ScopeRead),
		func(ctx context.Context, in *jobsInput) (*jobsOutput, error) {
			items, err := s.Jobs(ctx, in.Key, in.Limit)
			if err != nil {
				return nil, err
			}
			out := &jobsOutput{}
			out.Body.Items = items
			return out, nil
		})

	type askInput struct {
		Key  string `path:"key" maxLength:"64" doc:"Key of the model"`
		Body struct {
			Kind string `json:"kind" enum:"train,score"`
		}
	}
	ask := operation("ask-model-job", http.MethodPost, "/jobs", "Train or score without waiting for the end", "The run begins after those that are under way; the list of runs says how it goes.", api.ScopeDefine, 409, 422)
	ask.DefaultStatus = http.StatusAccepted
	huma.Register(srv.API, ask, func(_ context.Context, in *askInput) (*struct{}, error) {
		return nil, s.Ask(in.Key, in.Body.Kind)
	})

	type personInput struct {
		Key    string `path:"key" maxLength:"64" doc:"Key of the model"`
		Person string `path:"person" maxLength:"64" doc:"Id of the person"`
	}
	type personOutput struct{ Body *Explanation }
	huma.Register(srv.API, operation("explain-prediction", http.MethodGet, "/people/{person}", "Why a person has their score", "", api.ScopeRead, 409),
		func(ctx context.Context, in *personInput) (*personOutput, error) {
			out, err := s.Explain(ctx, in.Key, in.Person)
			if err != nil {
				return nil, err
			}
			return &personOutput{out}, nil
		})
}

// registryRoutes say of models where they stand.
func (s *Service) registryRoutes(srv *api.Server) {
	type registryInput struct {
		After string `query:"after" maxLength:"64" doc:"Key before the page; the next of the page before"`
		Limit int    `query:"limit" default:"50" minimum:"1" maximum:"100"`
	}
	type registryOutput struct {
		Body struct {
			Items []Standing `json:"items" nullable:"false" doc:"By key"`
			Next  string     `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	all := huma.Operation{OperationID: "list-model-standings", Method: http.MethodGet, Path: "/v1/model-registry", Tags: []string{"Models"}, Summary: "Where all models stand",
		Description: "Of each its champion, the version that was trained last, the run that is under way or came last, and the drift that the last scoring found.", Errors: []int{401, 403}}
	api.Require(api.ScopeRead)(&all)
	huma.Register(srv.API, all, func(ctx context.Context, in *registryInput) (*registryOutput, error) {
		items, err := s.Registry(ctx, in.After, in.Limit)
		if err != nil {
			return nil, err
		}
		out := &registryOutput{}
		out.Body.Items = items
		if len(items) == in.Limit {
			out.Body.Next = items[len(items)-1].Key
		}
		return out, nil
	})

	one := huma.Operation{OperationID: "get-model-standing", Method: http.MethodGet, Path: "/v1/model-registry/{key}", Tags: []string{"Models"}, Summary: "Where a model stands", Errors: []int{401, 403, 404}}
	api.Require(api.ScopeRead)(&one)
	type standingOutput struct{ Body *Standing }
	huma.Register(srv.API, one, func(ctx context.Context, in *modelInput) (*standingOutput, error) {
		out, err := s.Standing(ctx, in.Key)
		if err != nil {
			return nil, err
		}
		return &standingOutput{out}, nil
	})
}
