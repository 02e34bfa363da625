package campaigns

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/decide/outbound"
	"quintet/internal/api"
	"quintet/internal/problem"
)

// PointTrial is a decision point that is tried on an audience.
type PointTrial struct {
	Audience Audience       `json:"audience" doc:"Who is asked about; the audience of the decision point itself holds as well"`
	Context  map[string]any `json:"context,omitempty" doc:"What each decision is told of the moment: texts, numbers and booleans"`
	Sample   int            `json:"sample,omitempty" default:"1000" minimum:"1" maximum:"5000" doc:"Most people who are asked about, spread evenly over the audience"`
	Baseline float64        `json:"baseline,omitempty" default:"0.02" exclusiveMinimum:"0" exclusiveMaximum:"1" doc:"Conversion without contacts, for the power"`
}

// Defaults of a trial.
const (
	defaultSample   = 1000
	defaultBaseline = 0.02
)

// TryPoint says what a decision point would decide now about the people of an audience.
// Nothing is decided, sent or reserved.
func (s *Service) TryPoint(ctx context.Context, key string, t PointTrial) (*DryRun, error) {
	if !s.refs.HasPoint(key) {
		return nil, problem.NotFound("decision point", problem.Clip(key))
	}
	if t.Sample == 0 {
		t.Sample = defaultSample
	}
	if t.Baseline == 0 {
		t.Baseline = defaultBaseline
	}
	var bad problem.Invalid
	t.Audience.validate(&bad, s.refs)
	outbound.CheckContext(&bad, "context", t.Context)
	if t.Sample < 1 || t.Sample > maxSample {
		bad.Add("sample", "must be from 1 to 5000", t.Sample)
	}
	if !(t.Baseline > 0 && t.Baseline < 1) {
		bad.Add("baseline", "must be above 0 and below 1", nil)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return s.try(ctx, &t.Audience, &trial{ask: outbound.Ask{Point: key, Source: "dry-run:" + key, Context: t.Context}}, t.Sample, t.Baseline)
}

func (s *Service) pointRoutes(a huma.API) {
	type input struct {
		Key  string `path:"key" maxLength:"64"`
		Body PointTrial
	}
	type output struct{ Body *DryRun }
	op := operation("dry-run-decision-point", http.MethodPost, "/v1/decision-points/{key}/dry-run", "Say what a decision point would decide about an audience now", api.ScopeRead)
	op.Tags = []string{"Decision points"}
	op.Description = "Who would get what, what each rule removes, expected cost and value, and what its experiments could show. Outcome queued is a contact. Nothing is decided, sent or reserved."
	api.Query(&op)
	api.Personal(&op)
	api.Deadline(dryRunTimeout + 5*time.Second)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		ctx, cancel := context.WithTimeout(ctx, dryRunTimeout)
		defer cancel()
		out, err := s.TryPoint(ctx, in.Key, in.Body)
		if err != nil {
			return nil, err
		}
		return &output{out}, nil
	})
}
