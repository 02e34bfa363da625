package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/oklog/ulid/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
	"quintet/profiles/traits"
)

// traitRoutes registers the declarations of traits, and editing by hand.
func (s *Service) traitRoutes(a huma.API) {
	if s.traits != nil {
		definitions.Routes(a, s.traits, definitions.RouteOptions{Tag: "Traits", Singular: "trait", ItemKeys: true})
	}
	type patchInput struct {
		ID   string `path:"id" doc:"Profile id, or namespace:value such as userId:u42" maxLength:"600"`
		Body struct {
			Traits map[string]any `json:"traits" minProperties:"1" maxProperties:"300" doc:"Values by name; null for what is no longer known"`
		}
	}
	type patchOutput struct{ Body *TraitEdit }
	patch := huma.Operation{
		OperationID: "patch-profile-traits", Method: http.MethodPatch, Path: "/v1/profiles/{id}/traits", Tags: []string{"Profiles"},
		Summary: "Edit traits by hand",
		Description: "Goes through the stream like what sources send, with the caller as the source and full confidence. " +
			"Whether the new value counts is settled by the rule of the trait; chosen in the answer says so.",
		Errors: []int{400, 401, 403, 404, 409, 413, 422, 429, 503},
	}
	api.Require(api.ScopeDefine)(&patch)
	huma.Register(a, patch, func(ctx context.Context, in *patchInput) (*patchOutput, error) {
		out, err := s.EditTraits(ctx, in.ID, in.Body.Traits)
		if err != nil {
			return nil, err
		}
		return &patchOutput{out}, nil
	})
}

// TraitEdit says what became of traits that were edited by hand.
type TraitEdit struct {
	ProfileID string      `json:"profileId"`
	MessageID string      `json:"messageId" doc:"Of the identify message that carries the edit"`
	Applied   bool        `json:"applied" doc:"False while the edit is durable but not in the profile yet"`
	Lineage   []TraitFact `json:"lineage" nullable:"false" doc:"Facts about the edited traits"`
}

// editPatience is how long an edit waits to see what came of it.
const editPatience = 2 * time.Second

// EditTraits has the caller of ctx say what is true about a person. It returns
// when that is durable, and as a rule when it is in the profile.
func (s *Service) EditTraits(ctx context.Context, text string, values map[string]any) (*TraitEdit, error) {
	id, err := s.named(text)
	if err != nil {
		return nil, err
	}
	names := newInterner()
	var bad problem.Invalid
	told := make(map[string]any, len(values))
	rules := s.store.rules.Load()
	for name, value := range values {
		canonical := names.trait(name)
		if _, twice := told[canonical]; twice {
			bad.Add("traits."+name, "must not come in two spellings", nil)
		}
		told[canonical] = value
		if rule := rules.Broken(canonical, value); rule != "" {
			bad.Add("traits."+name, rule, value)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	message, started := ulid.Make().String(), s.now().Truncate(time.Millisecond)
	body := map[string]any{"messageId": message, "traits": told, "context": map[string]any{"confidence": 1}}
	if err := s.say(ctx, id, tracking.Identify, body); err != nil {
		return nil, err
	}
	out := &TraitEdit{ProfileID: id.String(), MessageID: message, Lineage: []TraitFact{}}
	out.Applied = s.settled(ctx)
	facts, _ := s.lineage(ctx, id)
	for _, f := range facts {
		if _, edited := told[f.Trait]; edited {
			if f.MessageID == "" && f.Source == handSource(ctx) && !f.Time.Before(started) {
				f.MessageID = message // on its way to the events
			}
			out.Lineage = append(out.Lineage, f)
		}
	}
	return out, nil
}

// handSource is the source of what the caller of ctx says by hand.
func handSource(ctx context.Context) string {
	p, ok := api.PrincipalFrom(ctx)
	switch {
	case !ok:
		return traits.HandPrefix + "anonymous"
	case p.Kind == "user":
		return traits.HandPrefix + p.ID
	}
	return p.ID
}

// say puts messages about a profile into the stream, as if a source had sent them:
// with an identifier of the profile and of nobody else. All of them are of one kind.
func (s *Service) say(ctx context.Context, id identity.ID, kind tracking.Type, bodies ...map[string]any) error {
	identifier, ok := s.store.nameOf(id)
	if !ok {
		return problem.Conflict("The profile has no identifier any more that is its own; nothing can be said about it.")
	}
	for _, body := range bodies {
		body["type"] = kind.String()
		switch identifier.Namespace {
		case identity.UserID, identity.AnonymousID:
			body[identifier.Namespace] = identifier.Value
		default:
			context, _ := body["context"].(map[string]any)
			if context == nil {
				context = map[string]any{}
			}
			context["externalIds"] = []any{map[string]any{"type": identifier.Namespace, "id": identifier.Value}}
			body["context"] = context
		}
	}
	encoded, err := json.Marshal(map[string]any{"batch": bodies})
	if err != nil {
		return fmt.Errorf("encoding %d messages about profile %s: %w", len(bodies), id, err)
	}
	if len(encoded) > tracking.MaxBody {
		return problem.Invalid{{Rule: fmt.Sprintf("must come to at most %d bytes of messages", tracking.MaxBody), Value: len(encoded)}}
	}
	out, err := s.ingest(ctx, func(c *tracking.Call, received time.Time) error {
		return c.Parse(string(encoded), tracking.Batch, received)
	}, handSource(ctx), nil)
	if err != nil {
		return err
	}
	if len(out.rejected) > 0 {
		return out.rejected[0].Errors
	}
	return nil
}

// nameOf is an identifier that leads to the profile, or to another one of the same
// person: the userId where there is one.
func (s *Store) nameOf(id identity.ID) (best Identifier, ok bool) {
	rank := func(namespace string) int {
		switch namespace {
		case identity.UserID:
			return 0
		case identity.AnonymousID:
			return 2
		}
		return 1
	}
	for _, member := range append([]identity.ID{id}, s.Members(s.PersonOf(id))...) {
		v, there := s.Get(member)
		if !there {
			continue
		}
		for _, i := range v.Identifiers {
			if s.index.Owns(member, i) && (!ok || rank(i.Namespace) < rank(best.Namespace)) {
				best, ok = i, true
			}
		}
		if ok {
			return best, true
		}
	}
	return best, ok
}

// settled waits a moment until memory has everything that was acknowledged.
func (s *Service) settled(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, editPatience)
	defer cancel()
	_, last, _, err := s.topic.State(ctx)
	return err == nil && s.projector.waitApplied(ctx, last) == nil
}
