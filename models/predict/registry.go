package predict

import (
	"context"
	"fmt"
	"net/http"

	"quintet/internal/problem"
)

// Standing is where a model stands: what is in use, what came last, and what is done.
type Standing struct {
	Key       string   `json:"key"`
	Name      string   `json:"name,omitempty"`
	Family    Family   `json:"family"`
	Attribute string   `json:"attribute" doc:"Computed attribute that holds the score"`
	Paused    bool     `json:"paused,omitempty"`
	Champion  *Version `json:"champion,omitempty" doc:"The version in use, without its figures; absent until one is promoted"`
	Newest    *Version `json:"newest,omitempty" doc:"The version that was trained last, without its figures"`
	Job       *Job     `json:"job,omitempty" doc:"The run of training or scoring that began last"`
	Scored    *Job     `json:"scored,omitempty" doc:"The last scoring that ended well"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Standing) SchemaName() string { return "PredictionStanding" }

// Registry says of all models where they stand, by key; after is the key before the page.
func (s *Service) Registry(ctx context.Context, after string, limit int) ([]Standing, error) {
	page := s.specs.List(after, limit)
	out := make([]Standing, len(page))
	for i, d := range page {
		spec := d.Value
		spec.fill()
		out[i] = Standing{Key: d.Key, Name: spec.Name, Family: spec.Family, Attribute: spec.Attribute, Paused: spec.Paused}
		if err := s.stand(ctx, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Standing says where one model stands.
func (s *Service) Standing(ctx context.Context, key string) (*Standing, error) {
	spec, _, err := s.spec(key)
	if err != nil {
		return nil, err
	}
	out := &Standing{Key: key, Name: spec.Name, Family: spec.Family, Attribute: spec.Attribute, Paused: spec.Paused}
	return out, s.stand(ctx, out)
}

func (s *Service) stand(ctx context.Context, out *Standing) error {
	var err error
	if out.Champion, err = s.store.get(ctx, out.Key, 0, false); err != nil {
		return err
	}
	if out.Champion != nil {
		out.Champion.Metrics = nil
	}
	newest, err := s.store.list(ctx, out.Key, 0, 1)
	if err != nil {
		return err
	}
	if len(newest) > 0 {
		out.Newest = &newest[0]
	}
	jobs, err := s.Jobs(ctx, out.Key, 1)
	if err != nil {
		return err
	}
	if len(jobs) > 0 {
		out.Job = &jobs[0]
	}
	out.Scored, err = s.store.scored(ctx, out.Key)
	return err
}

// Artefact is the file of a version, from which another process can score. It is checked
// as it is read.
func (s *Service) Artefact(ctx context.Context, key string, version int64) ([]byte, error) {
	v, err := s.store.get(ctx, key, version, true)
	if err != nil {
		return nil, err
	}
	if v == nil || version == 0 {
		return nil, noVersion(key, version)
	}
	if _, err := load(v); err != nil {
		return nil, &problem.Error{Status: http.StatusConflict, Detail: fmt.Sprintf("The artefact of version %d of %s cannot be used: %v.", version, problem.Clip(key), err)}
	}
	return v.artefact, nil
}
