package profiles

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/internal/stream"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// scratch is the memory of one call, used again by later ones.
type scratch struct {
	call        tracking.Call
	encoder     encoder
	hashes      []messageHash
	ids         []string
	known       []bool
	inCall      map[messageHash]struct{}
	names       []identity.Names
	resolutions []identity.Resolution
	item        item
}

// outcome is what became of a call.
type outcome struct {
	accepted int // durable now, repeats included
	repeated int // of those, durable before
	rejected []tracking.Rejected
}

// ingest takes the messages that parse reads in and returns when they are
// durable. source is the id of the API key; authorise finds it for a key in the
// body.
func (s *Service) ingest(ctx context.Context, parse parseFunc, source string, authorise func(writeKey string) (string, error)) (outcome, error) {
	sc := s.scratch.Get().(*scratch)
	defer func() {
		sc.call.Release()
		clear(sc.names)
		clear(sc.ids)
		clear(sc.resolutions)
		sc.item = item{}
		s.scratch.Put(sc)
	}()
	received := s.now()
	err := parse(&sc.call, received)
	if source == "" {
		// Who asks comes before what is wrong with the question.
		var denied error
		if source, denied = authorise(sc.call.WriteKey); denied != nil {
			return outcome{}, denied
		}
	}
	if err != nil {
		return outcome{}, asProblem(err)
	}
	out := outcome{rejected: append([]tracking.Rejected(nil), sc.call.Rejected...)}
	side := s.store.Enter()
	defer s.store.Leave(side)
	unread := out.rejected
	erased := s.dropErased(sc, &out)
	s.screen(ctx, sc, unread, &out, source, received)
	s.metrics.rejected.Add(float64(len(out.rejected)))
	if s.gate != nil {
		defer func() { s.gate.Took(source, out.accepted, out.repeated, len(out.rejected)) }()
	}
	if len(sc.call.Messages) == 0 {
		if erased {
			return out, nil // nothing is wrong with the call
		}
		return out, allRejected(out.rejected)
	}
	claimed, repeated, err := s.dropRepeats(ctx, sc)
	if err != nil {
		return outcome{}, err
	}
	defer func() { s.duplicates.release(claimed, sc.hashes) }()
	out.repeated = repeated
	s.settleOnce(sc.call.Messages)
	if err := s.publish(ctx, sc, received.UnixMilli(), source); err != nil {
		return outcome{}, err
	}
	out.accepted = len(sc.call.Messages) + out.repeated
	s.metrics.accepted.Add(float64(len(sc.call.Messages)))
	s.metrics.repeated.Add(float64(out.repeated))
	return out, nil
}

// asProblem says what is wrong with a body in the form of the API.
func asProblem(err error) error {
	var syntax *tracking.SyntaxError
	if errors.As(err, &syntax) {
		return &problem.Error{
			Status: http.StatusBadRequest, Detail: syntax.Error() + ".",
			Fields: problem.Invalid{{Field: syntax.Path, Rule: "must be valid JSON: " + syntax.What + " (byte " + strconv.Itoa(syntax.Offset) + ")"}},
		}
	}
	return err
}

func allRejected(rejected []tracking.Rejected) error {
	var all problem.Invalid
	for _, r := range rejected {
		all = append(all, r.Errors...)
	}
	return all
}

// dropRepeats removes messages that are durable already or that the call itself
// has twice, and returns their number. The ids of the others are claimed.
func (s *Service) dropRepeats(ctx context.Context, sc *scratch) (*claim, int, error) {
	messages := sc.call.Messages
	sc.hashes, sc.ids, sc.known = sc.hashes[:0], sc.ids[:0], append(sc.known[:0], make([]bool, len(messages))...)
	for i := range messages {
		sc.hashes, sc.ids = append(sc.hashes, s.duplicates.hash(messages[i].MessageID)), append(sc.ids, messages[i].MessageID)
	}
	if len(messages) > 1 {
		if sc.inCall == nil {
			sc.inCall = make(map[messageHash]struct{}, len(messages))
		}
		clear(sc.inCall)
		for i, h := range sc.hashes {
			_, sc.known[i] = sc.inCall[h]
			sc.inCall[h] = struct{}{}
		}
	}
	claimed, err := s.duplicates.take(ctx, sc.ids, sc.hashes, sc.known)
	if err != nil {
		return nil, 0, err
	}
	kept := 0
	for i := range messages {
		if sc.known[i] {
			continue
		}
		messages[kept], sc.hashes[kept], sc.ids[kept] = messages[i], sc.hashes[i], sc.ids[i]
		kept++
	}
	repeated := len(messages) - kept
	clear(messages[kept:])
	clear(sc.ids[kept:])
	sc.call.Messages, sc.hashes, sc.ids = messages[:kept], sc.hashes[:kept], sc.ids[:kept]
	return claimed, repeated, nil
}

// publish settles whose messages they are and appends them to the stream, in
// as few records as their size allows.
func (s *Service) publish(ctx context.Context, sc *scratch, received int64, source string) error {
	messages := sc.call.Messages
	if len(messages) == 0 {
		return nil
	}
	sc.names = append(sc.names[:0], make([]identity.Names, len(messages))...)
	sc.resolutions = append(sc.resolutions[:0], make([]identity.Resolution, len(messages))...)
	trusted := trustedSource(ctx)
	again, _ := ctx.Value(replayKey{}).(bool)
	for i := range messages {
		m := &messages[i]
		sc.names[i] = s.namesOf(m, trusted)
	}
	h := recordHeader{received: received, source: source}
	h.stamp = s.store.index.Attach(sc.names, sc.resolutions)
	sc.encoder.begin(h)
	first := 0
	for i := range messages {
		sc.fill(&messages[i], &sc.resolutions[i])
		if trusted {
			sc.item.flags |= flagTrusted
		}
		if again {
			sc.item.flags |= flagAgain
		}
		sc.encoder.add(&sc.item)
		s.countRefused(&sc.resolutions[i])
		if entries := sc.resolutions[i].Entries; len(entries) > 0 {
			s.date(entries, received)
			sc.encoder.tell(entries)
		}
		if i+1 < len(messages) && sc.encoder.length() < maxRecord-tracking.MaxLargeMessage {
			continue
		}
		sequence, err := s.topic.Append(ctx, sc.encoder.bytes())
		if err != nil {
			for _, r := range sc.resolutions[first:] {
				s.store.index.Withdraw(r.Entries)
			}
			return publishProblem(err)
		}
		s.duplicates.settle(sc.ids[first:i+1], sc.hashes[first:i+1], sequence)
		first = i + 1
		sc.encoder.begin(h)
	}
	return nil
}

func (sc *scratch) fill(m *tracking.Message, r *identity.Resolution) {
	it := &sc.item
	*it = item{
		profile: r.Profile, kind: m.Type, time: m.Time, index: uint32(m.Index), messageID: m.MessageID, userID: m.UserID,
		anonymousID: m.AnonymousID, event: m.Event, decisionID: m.DecisionID, links: r.Others, numbers: m.Numbers,
		properties: m.Properties, traits: m.Traits, context: m.Context,
	}
	for _, f := range [...]struct {
		set  bool
		flag byte
	}{{r.UserID, flagUser}, {r.AnonymousID, flagAnonymous}, {r.Fresh, flagFresh}} {
		if f.set {
			it.flags |= f.flag
		}
	}
}

// publishProblem tells a client whether and when to come back.
func publishProblem(err error) error {
	switch {
	case errors.Is(err, stream.ErrFull):
		return &problem.Error{
			Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Second, Cause: err,
			Detail: "The stores are behind and the stream is full; send the same messages again later.",
		}
	case errors.Is(err, stream.ErrUnavailable), errors.Is(err, stream.ErrClosed):
		return &problem.Error{
			Status: http.StatusServiceUnavailable, RetryAfter: 2 * time.Second, Cause: err,
			Detail: "The stream does not answer; send the same messages again, with the same messageId.",
		}
	}
	return err
}

// principal finds the API key that a call carries in its body.
func (s *Service) principal(writeKey string) (string, error) {
	if writeKey == "" || s.keys == nil {
		return "", problem.Unauthorized("The call has no API key: send it as Authorization, X-API-Key, X-Write-Key or as writeKey in the body.")
	}
	p, err := s.keys.Lookup(writeKey)
	if err != nil {
		return "", err
	}
	if !p.Has(api.ScopeIngest) {
		return "", problem.Forbidden("The key " + problem.Clip(p.Name) + " lacks the scope ingest.")
	}
	return p.ID, nil
}
