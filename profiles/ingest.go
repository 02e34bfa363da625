package profiles

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/internal/stream"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// retryAfter is what a caller is asked to wait while the stream is full.
const retryAfter = 5 * time.Second

// Accepted is the answer to a tracking call: what is durable now, and which
// messages broke which rule.
type Accepted struct {
	Success  bool              `json:"success" doc:"True when at least one message was accepted"`
	Accepted int               `json:"accepted" doc:"Messages that are durable now, repeated ones included"`
	Rejected []RejectedMessage `json:"rejected" nullable:"false"`
}

// RejectedMessage is a message that was not accepted.
type RejectedMessage struct {
	Index     int                 `json:"index" doc:"Position in the batch"`
	MessageID string              `json:"messageId,omitempty"`
	Errors    []problem.Violation `json:"errors" nullable:"false"`
}

// intake is the memory of one call, used again by the next.
type intake struct {
	call        tracking.Call
	names       []identity.Names
	resolutions []identity.Resolution
	fresh       []int // messages that are not repeats
	encoder     encoder
}

var intakes = sync.Pool{New: func() any { return new(intake) }}

// serve handles one route of the tracking API.
func (s *Service) serve(kind tracking.Type) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := s.take(r, kind)
		if err != nil {
			api.WriteProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the client may be gone; what was taken is durable
	}
}

// take reads a call and returns when all of its good messages are in the stream.
func (s *Service) take(r *http.Request, kind tracking.Type) (*Accepted, error) {
	body, err := api.ReadBody(r, tracking.MaxBody)
	if err != nil {
		return nil, err
	}
	in := intakes.Get().(*intake)
	defer intakes.Put(in)
	received := s.now()
	if err := in.call.Parse(string(body), kind, received); err != nil {
		var syntax *tracking.SyntaxError
		if errors.As(err, &syntax) {
			return nil, problem.BadRequest(syntax.Error() + ".")
		}
		return nil, err
	}
	if len(in.call.Messages) == 0 {
		return nil, allRejected(&in.call, kind)
	}
	if err := s.admit(r.Context(), in, received); err != nil {
		return nil, err
	}
	s.metrics.accepted.Add(float64(len(in.call.Messages)))
	s.metrics.rejected.Add(float64(len(in.call.Rejected)))
	return answerOf(&in.call), nil
}

// admit settles the profiles of the messages and appends them to the stream.
func (s *Service) admit(ctx context.Context, in *intake, received time.Time) error {
	messages := in.call.Messages
	in.fresh, in.names = in.fresh[:0], in.names[:0]
	for i := range messages {
		if s.recent.has(messages[i].MessageID) {
			s.metrics.repeated.Inc()
			continue
		}
		in.fresh = append(in.fresh, i)
		in.names = append(in.names, identity.Names{UserID: messages[i].UserID, AnonymousID: messages[i].AnonymousID, Others: messages[i].Others})
	}
	if len(in.fresh) == 0 {
		return nil
	}
	for len(in.resolutions) < len(in.fresh) {
		in.resolutions = append(in.resolutions, identity.Resolution{})
	}
	stamp := s.store.index.Attach(in.names, in.resolutions[:len(in.fresh)])
	principal, _ := api.PrincipalFrom(ctx)
	header := recordHeader{received: received.UnixMilli(), stamp: stamp, source: principal.ID}

	in.encoder.begin(header)
	from := 0
	for n, i := range in.fresh {
		in.encoder.add(itemOf(&messages[i], &in.resolutions[n]))
		if n+1 < len(in.fresh) && len(in.encoder.buffer) < maxRecord {
			continue
		}
		if err := s.publish(ctx, in.encoder.bytes()); err != nil {
			return err
		}
		for _, done := range in.fresh[from : n+1] {
			s.recent.add(messages[done].MessageID)
		}
		from = n + 1
		in.encoder.begin(header)
	}
	return nil
}

func (s *Service) publish(ctx context.Context, data []byte) error {
	_, err := s.topic.Publish(ctx, data)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, stream.ErrFull):
		return problem.TooBusy(retryAfter, "The stream is full because a store does not keep up; the same call can be repeated.")
	case errors.Is(err, stream.ErrUnavailable):
		return problem.Unavailable(retryAfter, "The stream cannot take events at this moment; the same call can be repeated.", err)
	}
	return err
}

func itemOf(m *tracking.Message, r *identity.Resolution) *item {
	it := &item{
		profile: r.Profile, kind: m.Type, time: m.Time, index: uint32(m.Index), messageID: m.MessageID, userID: m.UserID,
		anonymousID: m.AnonymousID, event: m.Event, decisionID: m.DecisionID, links: r.Others, numbers: m.Numbers,
		properties: m.Properties, traits: m.Traits, context: m.Context,
	}
	if r.UserID {
		it.flags |= flagUser
	}
	if r.AnonymousID {
		it.flags |= flagAnonymous
	}
	if r.Fresh {
		it.flags |= flagFresh
	}
	return it
}

func answerOf(c *tracking.Call) *Accepted {
	a := &Accepted{Success: true, Accepted: len(c.Messages), Rejected: make([]RejectedMessage, len(c.Rejected))}
	for i, r := range c.Rejected {
		a.Rejected[i] = RejectedMessage{Index: r.Index, MessageID: strings.Clone(r.MessageID), Errors: r.Errors.Violations()}
	}
	return a
}

// allRejected is the problem of a call without a single good message.
func allRejected(c *tracking.Call, kind tracking.Type) error {
	var bad problem.Invalid
	for _, r := range c.Rejected {
		for _, f := range r.Errors {
			if len(bad) < 100 {
				bad = append(bad, f)
			}
		}
	}
	if len(bad) == 0 {
		bad.Add("", "must hold at least one "+kind.String()+" message", nil)
	}
	return bad
}
