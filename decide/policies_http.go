package decide

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/models"
)

// PolicyState is the policy of a decision point and what it has learned.
type PolicyState struct {
	Decision     string           `json:"decision"`
	Policy       Policy           `json:"policy"`
	PointVersion int64            `json:"pointVersion" doc:"Version of the decision point, and so of the policy"`
	Model        *ModelState      `json:"model,omitempty" doc:"The model in use; absent before there is one"`
	Newest       int64            `json:"newest" doc:"Newest version of the model; another than the one in use where the point went back"`
	Pin          *models.Pin      `json:"pin,omitempty" doc:"What the point went back to"`
	Candidates   []CandidateState `json:"candidates" nullable:"false"`
	Promotions   []Promotion      `json:"promotions" nullable:"false" doc:"The newest twenty"`
}

// ModelState is how far a model is.
type ModelState struct {
	Version   int64     `json:"version"`
	Base      int64     `json:"base" doc:"Version that was built from the log"`
	BuiltAt   time.Time `json:"builtAt"`
	UpdatedAt time.Time `json:"updatedAt" doc:"When it learned last"`
	Decisions uint64    `json:"decisions"`
	Reward    float64   `json:"reward"`
}

// CandidateState is a candidate and how far its model is.
type CandidateState struct {
	Key       string      `json:"key"`
	Version   int64       `json:"version" doc:"Version of its definition"`
	Name      string      `json:"name,omitempty"`
	Policy    Policy      `json:"policy"`
	Margin    float64     `json:"margin,omitempty"`
	Automatic bool        `json:"automatic,omitempty"`
	OwnModel  bool        `json:"ownModel" doc:"Whether it learns differently from the policy that decides, and so has a model of its own"`
	Model     *ModelState `json:"model,omitempty"`
	UpdatedAt time.Time   `json:"updatedAt"`
	UpdatedBy string      `json:"updatedBy"`
}

func modelState(snap *models.Snapshot) *ModelState {
	if snap == nil {
		return nil
	}
	return &ModelState{Version: snap.Version, Base: snap.Base, BuiltAt: snap.BuiltAt, UpdatedAt: snap.UpdatedAt, Decisions: snap.Decisions, Reward: snap.Reward}
}

// State is the policy of a decision point with its candidates.
func (p *Policies) State(ctx context.Context, key string) (*PolicyState, error) {
	point, err := p.decide.pointOf(key)
	if err != nil {
		return nil, err
	}
	out := &PolicyState{Decision: key, Policy: point.def.Policy, PointVersion: point.version, Model: modelState(p.models.Current(key)), Candidates: []CandidateState{}}
	if newest := p.models.Latest(key, ""); newest != nil {
		out.Newest = newest.Version
	}
	pin, pinned, err := p.models.PinOf(ctx, key)
	if err != nil {
		return nil, err
	}
	if pinned {
		out.Pin = &pin
	}
	of := p.of(key)
	for _, v := range p.candidates.List(key+".", 10_000) {
		name := v.Key[min(len(v.Key), len(key)+1):]
		if _, ok := of[name]; !ok {
			continue
		}
		c := v.Value
		own, _ := p.learns(point, name, &c)
		out.Candidates = append(out.Candidates, CandidateState{Key: name, Version: v.Version, Name: c.Name, Policy: c.Policy, Margin: c.Margin, Automatic: c.Automatic,
			OwnModel: own, Model: modelState(p.snapshotOf(point, name, &c)), UpdatedAt: v.UpdatedAt, UpdatedBy: v.UpdatedBy})
	}
	if _, out.Promotions, err = p.promotions(ctx, key, false, 20); err != nil {
		return nil, err
	}
	return out, nil
}

const policiesPath = "/v1/decision-points/{key}/policies"

// policyRoute registers a route below a decision point's policies.
func policyRoute[I, O any](srv *api.Server, scope api.Scope, id, method, path, summary string, limit time.Duration, f func(context.Context, *I) (O, error)) {
	op := huma.Operation{OperationID: id, Method: method, Path: policiesPath + path, Tags: []string{"Policies"}, Summary: summary, Errors: []int{401, 403, 404, 409, 422}}
	api.Require(scope)(&op)
	api.Deadline(limit)(&op)
	type output struct{ Body O }
	huma.Register(srv.API, op, func(ctx context.Context, in *I) (*output, error) {
		body, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		return &output{Body: body}, nil
	})
}

// PointInput names a decision point in a path.
type PointInput struct {
	Key string `path:"key" maxLength:"64" doc:"Key of the decision point"`
}

// CandidateInput names one of its candidate policies as well.
type CandidateInput struct {
	PointInput
	Candidate string `path:"candidate" maxLength:"64" doc:"Key of the candidate"`
}

// Routes registers the routes of policies.
func (p *Policies) Routes(srv *api.Server) {
	const quick = 30 * time.Second
	policyRoute(srv, api.ScopeRead, "policies", http.MethodGet, "", "The policy of a decision point, what it has learned, its candidates and promotions", quick,
		func(ctx context.Context, in *PointInput) (*PolicyState, error) { return p.State(ctx, in.Key) })
	p.versionRoutes(srv)
	p.candidateRoutes(srv)
	type chosenInput struct {
		PointInput
		From   time.Time `query:"from" doc:"30 days ago unless given"`
		Until  time.Time `query:"until" doc:"Now unless given"`
		Hourly bool      `query:"hourly" doc:"By hour instead of by day, 31 days at most"`
	}
	type chosenOutput struct {
		Items []ChosenActions `json:"items" nullable:"false"`
	}
	policyRoute(srv, api.ScopeRead, "policy-actions", http.MethodGet, "/actions", "Which actions were chosen over time", quick,
		func(ctx context.Context, in *chosenInput) (*chosenOutput, error) {
			if in.Until.IsZero() {
				in.Until = p.now().UTC()
			}
			if in.From.IsZero() {
				in.From = in.Until.AddDate(0, 0, -30)
			}
			var bad problem.Invalid
			longest := 366 * 24 * time.Hour
			if in.Hourly {
				longest = 31 * 24 * time.Hour
			}
			if d := in.Until.Sub(in.From); d <= 0 || d > longest {
				bad.Add("from", "must be before until, by 366 days at most, or 31 by hour", in.From.Format(time.RFC3339))
			}
			if err := bad.Err(); err != nil {
				return nil, err
			}
			items, err := p.Chosen(ctx, in.Key, in.From, in.Until, in.Hourly)
			return &chosenOutput{Items: items}, err
		})
	policyRoute(srv, api.ScopeRead, "policy-health", http.MethodGet, "/health", "Whether the policy does what its model expects: calibration, drift, and the band after a promotion", 2*time.Minute,
		func(ctx context.Context, in *PointInput) (*Health, error) { return p.Health(ctx, in.Key) })
	type revertInput struct {
		PointInput
		Body struct {
			Version int64  `json:"version,omitempty" minimum:"0" doc:"Version of the model to go back to; without it the promotion in force is undone"`
			Reason  string `json:"reason" minLength:"1" maxLength:"500" doc:"Why"`
		}
	}
	policyRoute(srv, api.ScopeDefine, "revert-policy", http.MethodPost, "/revert", "Go back: to a version of the model, or to the policy before the last promotion", quick,
		func(ctx context.Context, in *revertInput) (*PolicyState, error) {
			if _, err := p.decide.pointOf(in.Key); err != nil {
				return nil, err
			}
			var err error
			if in.Body.Version > 0 {
				err = p.models.Pin(ctx, in.Key, in.Body.Version, in.Body.Reason, source(ctx))
			} else {
				err = p.GoBack(ctx, in.Key, source(ctx), in.Body.Reason)
			}
			if err != nil {
				return nil, err
			}
			return p.State(ctx, in.Key)
		})
	policyRoute(srv, api.ScopeDefine, "release-policy", http.MethodPost, "/release", "Use the newest version of the model again", quick,
		func(ctx context.Context, in *PointInput) (*PolicyState, error) {
			if err := p.models.Unpin(ctx, in.Key); err != nil {
				return nil, err
			}
			return p.State(ctx, in.Key)
		})
}

func (p *Policies) versionRoutes(srv *api.Server) {
	const quick = 30 * time.Second
	type versionsInput struct {
		PointInput
		Candidate string `query:"candidate" maxLength:"64" doc:"Key of a candidate; * for all"`
		Live      bool   `query:"live" doc:"Whether versions between builds are listed as well"`
		Limit     int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
		Before    int64  `query:"before" minimum:"0" doc:"Versions before this one; the next of the page before"`
	}
	policyRoute(srv, api.ScopeRead, "policy-versions", http.MethodGet, "/versions", "Versions of the model, newest first", quick,
		func(ctx context.Context, in *versionsInput) (*models.Listing, error) {
			if _, err := p.decide.pointOf(in.Key); err != nil {
				return nil, err
			}
			return p.models.Versions(ctx, models.VersionQuery{DecisionPoint: in.Key, Candidate: in.Candidate, Live: in.Live, Before: in.Before, Limit: in.Limit})
		})
	type posteriorInput struct {
		PointInput
		Version   int64  `query:"version" minimum:"0" doc:"The version in use unless given"`
		Candidate string `query:"candidate" maxLength:"64" doc:"The newest version of a candidate instead"`
		Action    string `query:"action" maxLength:"200" doc:"Also what each feature adds to this action"`
	}
	policyRoute(srv, api.ScopeRead, "policy-posterior", http.MethodGet, "/posterior", "What a version believes, by action and by factor, with 95 % intervals", quick,
		func(ctx context.Context, in *posteriorInput) (*Posterior, error) {
			return p.Posterior(ctx, in.Key, in.Candidate, in.Version, in.Action)
		})
	type compareInput struct {
		PointInput
		From int64 `query:"from" required:"true" minimum:"1"`
		To   int64 `query:"to" required:"true" minimum:"1"`
	}
	type compareOutput struct {
		Items []VersionComparison `json:"items" nullable:"false"`
	}
	policyRoute(srv, api.ScopeRead, "compare-policy-versions", http.MethodGet, "/versions/compare", "What two versions believe of the same actions", quick,
		func(ctx context.Context, in *compareInput) (*compareOutput, error) {
			items, err := p.CompareVersions(ctx, in.Key, in.From, in.To)
			return &compareOutput{Items: items}, err
		})
}

func (p *Policies) candidateRoutes(srv *api.Server) {
	const quick, long = 30 * time.Second, 5 * time.Minute
	type putInput struct {
		CandidateInput
		Body struct {
			Name      string  `json:"name,omitempty" maxLength:"200"`
			Policy    Policy  `json:"policy"`
			Margin    float64 `json:"margin,omitempty" doc:"Reward per decision that the lower end of its gain must be above"`
			Automatic bool    `json:"automatic,omitempty" doc:"Whether it is promoted as soon as the gate lets it pass"`
		}
	}
	policyRoute(srv, api.ScopeDefine, "put-candidate-policy", http.MethodPut, "/candidates/{candidate}", "Create or replace a candidate policy, which is scored on live traffic from then on", quick,
		func(ctx context.Context, in *putInput) (*PolicyState, error) {
			if _, err := p.decide.pointOf(in.Key); err != nil {
				return nil, err
			}
			c := Candidate{DecisionPoint: in.Key, Name: in.Body.Name, Policy: in.Body.Policy, Margin: in.Body.Margin, Automatic: in.Body.Automatic}
			if _, err := p.candidates.Put(ctx, candidateKey(in.Key, in.Candidate), c, source(ctx), 0); err != nil {
				return nil, err
			}
			return p.State(ctx, in.Key)
		})
	policyRoute(srv, api.ScopeDefine, "delete-candidate-policy", http.MethodDelete, "/candidates/{candidate}", "Remove a candidate policy", quick,
		func(ctx context.Context, in *CandidateInput) (*PolicyState, error) {
			if _, _, err := p.find(in.Key, in.Candidate); err != nil {
				return nil, err
			}
			if err := p.candidates.Delete(ctx, candidateKey(in.Key, in.Candidate), source(ctx)); err != nil {
				return nil, err
			}
			return p.State(ctx, in.Key)
		})
	policyRoute(srv, api.ScopeRead, "compare-candidate-policy", http.MethodGet, "/candidates/{candidate}/comparison", "How a candidate would have fared on the traffic that it was scored on, and what the gate says", long,
		func(ctx context.Context, in *CandidateInput) (*Comparison, error) {
			return p.Compare(ctx, in.Key, in.Candidate)
		})
	type promoteInput struct {
		CandidateInput
		Body struct {
			Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why"`
			Force  bool   `json:"force,omitempty" doc:"Promote it although the gate does not let it pass"`
		}
	}
	policyRoute(srv, api.ScopeDefine, "promote-candidate-policy", http.MethodPost, "/candidates/{candidate}/promote", "Make a candidate the policy of its decision point, where the gate lets it pass", long,
		func(ctx context.Context, in *promoteInput) (*Promotion, error) {
			return p.Promote(ctx, in.Key, in.Candidate, source(ctx), in.Body.Reason, in.Body.Force)
		})
	// Building does not wait for the next look.
	type trainOutput struct {
		Models []ModelState `json:"models" nullable:"false" doc:"The model of the policy and of each candidate that has its own"`
	}
	policyRoute(srv, api.ScopeDefine, "train-policy", http.MethodPost, "/train", "Build the models of a decision point now, where the log holds something new", 15*time.Minute,
		func(ctx context.Context, in *PointInput) (*trainOutput, error) {
			if _, err := p.decide.pointOf(in.Key); err != nil {
				return nil, err
			}
			out := &trainOutput{Models: []ModelState{}}
			for _, spec := range p.Specs() {
				if spec.DecisionPoint != in.Key {
					continue
				}
				if err := p.models.Update(ctx, spec); err != nil {
					return nil, err
				}
				if snap := p.models.Latest(in.Key, spec.Candidate); snap != nil {
					out.Models = append(out.Models, *modelState(snap))
				}
			}
			return out, nil
		})
}
