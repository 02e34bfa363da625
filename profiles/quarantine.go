package profiles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"quintet/internal/problem"
	"quintet/profiles/tracking"
	"quintet/profiles/webhooks"
)

// FormWebhook is the form of items that other systems post to a webhook.
const FormWebhook tracking.Form = "webhook"

// MaxQuarantined bounds what is kept of a message that was refused, in bytes.
const MaxQuarantined = 32 << 10

// Refused is a message or an item of a webhook that was not stored.
type Refused struct {
	// Source is the id of the API key, or webhook: with its key.
	Source string
	Form   tracking.Form
	// Kind is the type that the route gave; Batch where the message says it itself.
	Kind      tracking.Type
	MessageID string // "" without one
	// Errors are the rules that it breaks; fields begin at the message.
	Errors problem.Invalid
	// BySchema says that the message keeps the rules of the API and breaks those of
	// the schema of its event.
	BySchema bool
	// Raw is the message as it came, at most [MaxQuarantined] bytes of it, and Shared
	// what its call said about all of its messages.
	Raw, Shared string
	Truncated   bool
	Received    time.Time
	// Trusted says that the source has proved who it is.
	Trusted bool
}

// Gate judges messages before they are stored, and is told what became of them.
// Its methods are called while a client waits, from many goroutines.
type Gate interface {
	// Broken are the rules of the schema of its event that a message breaks, where
	// such messages are to be refused.
	Broken(m *tracking.Message) problem.Invalid
	// Took is told how many messages of a source were accepted, those that were
	// repeated included, and how many were refused.
	Took(source string, accepted, repeated, refused int)
	// Refuse is handed what was refused.
	Refuse(r *Refused)
}

// UseGate sets the gate. It is called before anything is served.
func (s *Service) UseGate(g Gate) { s.gate = g }

type replayKey struct{}

// screen refuses messages that break the schema of their event, and hands them and
// those that the parser could not read to the gate. Messages of people who were
// erased must have been dropped.
func (s *Service) screen(ctx context.Context, sc *scratch, unread []tracking.Rejected, out *outcome, source string, received time.Time) {
	if s.gate == nil {
		return
	}
	again, _ := ctx.Value(replayKey{}).(bool)
	shared := sync.OnceValue(sc.call.Shared)
	refuse := func(messageID, raw string, index int, kind tracking.Type, broken problem.Invalid, bySchema bool) {
		if again {
			return // it is in quarantine already
		}
		r := &Refused{
			Source: source, Form: sc.call.Form(), Kind: kind, MessageID: strings.Clone(messageID), BySchema: bySchema,
			Errors: within(broken, sc.call.Place(index)), Shared: shared(), Received: received, Trusted: trustedSource(ctx),
		}
		r.keep(raw)
		s.gate.Refuse(r)
	}
	for i := range unread {
		r := &unread[i]
		refuse(r.MessageID, r.Raw, r.Index, r.Kind, r.Errors, false)
	}
	messages := sc.call.Messages
	kept := 0
	for i := range messages {
		m := &messages[i]
		if broken := s.gate.Broken(m); len(broken) > 0 {
			refuse(m.MessageID, m.Raw, m.Index, m.Kind, broken, true)
			var named problem.Invalid
			if place := sc.call.Place(m.Index); place != "" {
				named.Nest(place, broken)
			} else {
				named = broken
			}
			out.rejected = append(out.rejected, tracking.Rejected{Index: m.Index, MessageID: strings.Clone(m.MessageID), Errors: named})
			continue
		}
		if kept != i {
			messages[kept] = *m
		}
		kept++
	}
	clear(messages[kept:])
	sc.call.Messages = messages[:kept]
}

// keep takes over the text of a message, as far as it is kept.
func (r *Refused) keep(raw string) {
	r.Truncated = len(raw) > MaxQuarantined
	r.Raw = strings.ToValidUTF8(strings.Clone(raw[:min(len(raw), MaxQuarantined)]), "\uFFFD")
}

// within are faults under names that begin at the message in place of the call.
func within(faults problem.Invalid, place string) problem.Invalid {
	out := make(problem.Invalid, len(faults))
	for i, f := range faults {
		f.Field = strings.TrimPrefix(strings.TrimPrefix(f.Field, place), ".")
		out[i] = f
	}
	return out
}

// refuseItem hands an item of a webhook to the gate that does not fit its mapping.
func (s *Service) refuseItem(key string, r *webhooks.Rejected) {
	if s.gate == nil {
		return
	}
	source := "webhook:" + key
	templates, _ := json.Marshal(r.Templates) // numbers can be written
	refused := &Refused{Source: source, Form: FormWebhook, Errors: r.Errors, Shared: string(templates), Received: s.now(), Trusted: true}
	refused.keep(string(r.Raw))
	s.gate.Refuse(refused)
	s.gate.Took(source, 0, 0, 1)
}

// Reingested says what became of a message that was refused before.
type Reingested struct {
	Accepted, Repeated int
	// Errors are the rules that it still breaks.
	Errors problem.Invalid
}

// Reingest takes in what was refused before, as if it had come when it was received
// first: its time is what it would have been. Its source may join people only if it
// might have then.
func (s *Service) Reingest(ctx context.Context, r *Refused) (Reingested, error) {
	ctx = context.WithValue(context.WithValue(ctx, replayKey{}, true), trustKey{}, r.Trusted)
	var out Reingested
	take := func(raw string, form tracking.Form, kind tracking.Type, shared string) error {
		done, err := s.ingest(ctx, func(c *tracking.Call, _ time.Time) error {
			err := c.ParseRaw(raw, form, kind, shared, r.Received)
			c.WriteKey = "" // whose message it is was settled then
			return err
		}, r.Source, s.principal)
		var invalid problem.Invalid
		switch {
		case err == nil:
		case asInvalid(err, &invalid):
			for _, place := range []string{"batch[0]", ""} {
				invalid = within(invalid, place)
			}
			out.Errors = append(out.Errors, invalid...)
			return nil
		default:
			return err
		}
		out.Accepted += done.accepted
		out.Repeated += done.repeated
		for _, rejected := range done.rejected {
			out.Errors = append(out.Errors, within(rejected.Errors, "batch[0]")...)
		}
		return nil
	}
	if r.Form != FormWebhook {
		return out, take(r.Raw, r.Form, r.Kind, r.Shared)
	}
	key := strings.TrimPrefix(r.Source, "webhook:")
	var hook *webhooks.Compiled
	if s.hooks != nil {
		hook = (*s.hooks.compiled.Load())[key]
	}
	if hook == nil {
		return out, problem.NotFound("webhook", key)
	}
	var templates []int
	if err := json.Unmarshal([]byte(r.Shared), &templates); err != nil {
		return out, fmt.Errorf("reading which templates an item did not fit: %w", err)
	}
	mapped, err := hook.MapItem(key, []byte(r.Raw), templates)
	var invalid problem.Invalid
	if errors.As(err, &invalid) {
		return Reingested{Errors: invalid}, nil
	}
	if err != nil {
		return out, err
	}
	for _, rejected := range mapped.Rejected {
		out.Errors = append(out.Errors, rejected.Errors...)
	}
	if len(out.Errors) > 0 {
		return out, nil // all of it or nothing
	}
	if len(mapped.Messages) == 0 {
		return Reingested{Errors: problem.Invalid{{Field: "", Rule: "no template of the webhook takes it"}}}, nil
	}
	for i, message := range mapped.Messages {
		if givenID(message, "") == "" && r.MessageID != "" {
			if message, err = withID(message, fmt.Sprintf("%s-%d", r.MessageID, i)); err != nil {
				return out, err
			}
		}
		if err := take(string(message), tracking.FormTracking, tracking.Batch, ""); err != nil {
			return out, err
		}
	}
	return out, nil
}

// withID gives a message an id.
func withID(message json.RawMessage, id string) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(message, &members); err != nil {
		return nil, fmt.Errorf("giving a message an id: %w", err)
	}
	members["messageId"], _ = json.Marshal(id)
	return json.Marshal(members)
}
