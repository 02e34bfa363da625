package profiles

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
	"quintet/profiles/webhooks"
)

// maxHookBody bounds the body of a webhook's call, in bytes.
const maxHookBody = 1 << 20

// hooks are the webhooks that are defined, ready for use.
type hooks struct {
	definitions *definitions.Collection[webhooks.Webhook]
	compiled    atomic.Pointer[map[string]*webhooks.Compiled]
}

// openWebhooks loads the definitions of webhooks; nil without a store of them.
func (s *Service) openWebhooks(store *definitions.Store) error {
	if store == nil {
		return nil
	}
	c, err := definitions.NewCollection(store, "webhooks", webhooks.Validate)
	if err != nil {
		return fmt.Errorf("loading webhooks: %w", err)
	}
	s.hooks = &hooks{definitions: c}
	s.compileWebhooks()
	c.OnChange(s.compileWebhooks)
	return nil
}

func (s *Service) compileWebhooks() {
	compiled := map[string]*webhooks.Compiled{}
	for key, v := range s.hooks.definitions.Snapshot() {
		c, err := webhooks.Compile(&v.Value)
		if err != nil { // of another version of this program
			s.log.Error("a webhook cannot be used", "webhook", key, "error", err)
			continue
		}
		compiled[key] = c
	}
	s.hooks.compiled.Store(&compiled)
}

// HookResult says what became of the items of a webhook's call.
type HookResult struct {
	IngestResult
	Skipped []int `json:"skipped" nullable:"false" doc:"Positions of the items for which no template's conditions hold"`
}

// HookTrial is a body to be tried on a webhook, or on one that is not saved yet.
type HookTrial struct {
	Payload    json.RawMessage   `json:"payload,omitempty" doc:"The body as JSON"`
	Form       string            `json:"form,omitempty" maxLength:"1000000" doc:"The body as a form sends it, in place of payload"`
	Definition *webhooks.Webhook `json:"definition,omitempty" doc:"Try this one in place of the saved one"`
}

// HookTrialResult is what a call would become.
type HookTrialResult struct {
	Messages []TriedMessage `json:"messages" nullable:"false"`
	Skipped  []int          `json:"skipped" nullable:"false"`
	Rejected []RejectedItem `json:"rejected" nullable:"false"`
}

// TriedMessage is a message that would be stored.
type TriedMessage struct {
	Item        int                   `json:"item" doc:"Position of the item that it is made of"`
	Type        string                `json:"type"`
	Event       string                `json:"event"`
	MessageID   string                `json:"messageId,omitempty" doc:"Empty where every call makes a new one"`
	UserID      string                `json:"userId,omitempty"`
	AnonymousID string                `json:"anonymousId,omitempty"`
	Identifiers []identity.Identifier `json:"identifiers,omitempty"`
	Time        time.Time             `json:"time"`
	Properties  json.RawMessage       `json:"properties,omitempty"`
	Traits      json.RawMessage       `json:"traits,omitempty"`
}

func (s *Service) webhookRoutes(srv *api.Server) {
	if s.hooks == nil {
		return
	}
	// A webhook has a secret in it.
	definitions.Routes(srv.API, s.hooks.definitions, definitions.RouteOptions{Tag: "Webhooks", Singular: "webhook", Admin: true})

	require := srv.Require(api.ScopeIngest)
	srv.Router.Post("/v1/hooks/{key}", func(w http.ResponseWriter, r *http.Request) { s.serveHook(w, r, require) })
	api.Document(srv.API, huma.Operation{
		OperationID: "call-webhook", Method: http.MethodPost, Path: "/v1/hooks/{key}", Tags: []string{"Webhooks"},
		Summary:     "Take what another system posts",
		Description: "The body is what the webhook is defined for, JSON or a form. Who may post is defined there, too: the holder of an API key, of a secret, or who signs the body.",
		Parameters:  []*huma.Param{{Name: "key", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}},
	}, api.ScopeIngest, nil, HookResult{})

	try := huma.Operation{
		OperationID: "try-webhook", Method: http.MethodPost, Path: "/v1/webhooks/{key}/test", Tags: []string{"Webhooks"}, DefaultStatus: http.StatusOK,
		Summary: "Show what a call would become, and store nothing", Errors: []int{400, 401, 403, 404, 413, 422}, MaxBodyBytes: 2 * maxHookBody,
	}
	api.Require(api.ScopeAdmin)(&try)
	type trialInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body HookTrial
	}
	type trialOutput struct{ Body *HookTrialResult }
	huma.Register(srv.API, try, func(ctx context.Context, in *trialInput) (*trialOutput, error) {
		out, err := s.tryWebhook(in.Key, &in.Body)
		return &trialOutput{out}, err
	})
}

func (s *Service) serveHook(w http.ResponseWriter, r *http.Request, require func(http.Handler) http.Handler) {
	key := chi.URLParam(r, "key")
	hook := (*s.hooks.compiled.Load())[key]
	take := func(w http.ResponseWriter, r *http.Request) {
		if hook == nil || hook.Inactive {
			api.WriteProblem(w, r, problem.NotFound("webhook", key))
			return
		}
		body, err := api.ReadBody(r, maxHookBody)
		if err == nil && !hook.NeedsKey() {
			err = hook.Authenticate(r.Header, body, s.now())
		}
		var out *HookResult
		if err == nil {
			// JSON that is called a form is JSON, as some tools post it so.
			form := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") && !bytes.ContainsAny(body[:min(len(body), 1)], "{[")
			out, err = s.takeHook(r.Context(), key, hook, body, form)
		}
		if err != nil {
			api.WriteProblem(w, r, err)
			return
		}
		writeJSON(w, out)
	}
	if hook == nil || hook.NeedsKey() {
		require(http.HandlerFunc(take)).ServeHTTP(w, r)
		return
	}
	take(w, r)
}

// takeHook stores what a call becomes.
func (s *Service) takeHook(ctx context.Context, key string, hook *webhooks.Compiled, body []byte, form bool) (*HookResult, error) {
	mapped, err := hook.Map(key, body, form)
	if err != nil {
		return nil, err
	}
	out := &HookResult{Skipped: orNone(mapped.Skipped)}
	out.Success, out.Rejected = true, rejectedItems(mapped)
	for i := range mapped.Rejected {
		s.refuseItem(key, &mapped.Rejected[i])
	}
	var bad problem.Invalid
	for first := 0; first < len(mapped.Messages); {
		text, n := batchText(mapped.Messages[first:])
		parse := func(c *tracking.Call, received time.Time) error {
			return c.ParseWithin(text, tracking.Batch, received, tracking.Usual)
		}
		done, err := s.ingest(withTrust(ctx), parse, "webhook:"+key, s.principal)
		var invalid problem.Invalid
		switch {
		case err == nil:
			out.Accepted += done.accepted
			out.Repeated += done.repeated
			for _, r := range done.rejected {
				out.Rejected = append(out.Rejected, RejectedItem{Index: mapped.Items[first+r.Index], MessageID: r.MessageID, Errors: r.Errors.Violations()})
			}
		case asInvalid(err, &invalid): // every message of this part breaks a rule
			bad = append(bad, invalid...)
			for i := range n {
				out.Rejected = append(out.Rejected, RejectedItem{Index: mapped.Items[first+i], Errors: invalid.Violations()})
			}
		default:
			return nil, err
		}
		first += n
	}
	if out.Accepted == 0 && len(out.Rejected) > 0 {
		for _, r := range mapped.Rejected {
			bad.Nest(fmt.Sprintf("items[%d]", r.Item), r.Errors)
		}
		return nil, bad
	}
	return out, nil
}

func asInvalid(err error, into *problem.Invalid) bool {
	invalid, ok := err.(problem.Invalid) //nolint:errorlint // allRejected returns it as it is
	*into = invalid
	return ok
}

func orNone(list []int) []int {
	if list == nil {
		return []int{}
	}
	return list
}

func rejectedItems(m *webhooks.Mapped) []RejectedItem {
	out := make([]RejectedItem, len(m.Rejected))
	for i, r := range m.Rejected {
		out[i] = RejectedItem{Index: r.Item, Errors: r.Errors.Violations()}
	}
	return out
}

// batchText is the text of a call with as many of the messages as one may have.
func batchText(messages []json.RawMessage) (text string, n int) {
	var b strings.Builder
	b.WriteString(`{"batch":[`)
	for n < len(messages) && n < tracking.MaxBatch {
		if n > 0 {
			b.WriteByte(',')
		}
		b.Write(messages[n])
		n++
	}
	b.WriteString(`]}`)
	return b.String(), n
}

// tryWebhook maps a body and stores nothing.
func (s *Service) tryWebhook(key string, trial *HookTrial) (*HookTrialResult, error) {
	hook := (*s.hooks.compiled.Load())[key]
	if trial.Definition != nil {
		var err error
		if hook, err = webhooks.Compile(trial.Definition); err != nil {
			var bad problem.Invalid
			bad.Nest("definition", err)
			return nil, bad
		}
	}
	if hook == nil {
		return nil, problem.NotFound("webhook", key)
	}
	body, form := []byte(trial.Payload), trial.Form != ""
	if form {
		body = []byte(trial.Form)
	}
	mapped, err := hook.Map(key, body, form)
	if err != nil {
		return nil, err
	}
	out := &HookTrialResult{Messages: []TriedMessage{}, Skipped: orNone(mapped.Skipped), Rejected: rejectedItems(mapped)}
	for first := 0; first < len(mapped.Messages); {
		text, n := batchText(mapped.Messages[first:])
		var call tracking.Call
		if err := call.Parse(text, tracking.Batch, s.now()); err != nil {
			return nil, asProblem(err)
		}
		for i := range call.Messages {
			m := &call.Messages[i]
			out.Messages = append(out.Messages, TriedMessage{
				Item: mapped.Items[first+m.Index], Type: m.Type.String(), Event: m.Event, MessageID: givenID(mapped.Messages[first+m.Index], m.MessageID),
				UserID: m.UserID, AnonymousID: m.AnonymousID, Identifiers: m.Others, Time: instant(m.Time),
				Properties: json.RawMessage(m.Properties), Traits: json.RawMessage(m.Traits),
			})
		}
		for _, r := range call.Rejected {
			out.Rejected = append(out.Rejected, RejectedItem{Index: mapped.Items[first+r.Index], MessageID: r.MessageID, Errors: r.Errors.Violations()})
		}
		first += n
	}
	return out, nil
}

// givenID is the id of a message, "" where the parser made it up.
func givenID(message json.RawMessage, id string) string {
	var m struct {
		MessageID string `json:"messageId"`
	}
	if json.Unmarshal(message, &m) != nil || m.MessageID == "" {
		return ""
	}
	return id
}
