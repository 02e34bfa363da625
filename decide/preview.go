package decide

import (
	"context"
	"fmt"
	"time"

	"quintet/internal/problem"
)

// Preview is the record of the decision that a request would get now. It is made by
// the same stages, is not written anywhere and reserves nothing, so that campaigns
// can tell before they start what they would do. Bad input is an error, and so is
// whatever would make [Service.Decide] fall back.
func (s *Service) Preview(_ context.Context, req *Request, source string) (rec *Record, err error) {
	ids, err := req.validate()
	if err != nil {
		return nil, err
	}
	st := s.state.Load()
	p, ok := st.points[req.Decision]
	if !ok {
		return nil, problem.NotFound("decision point", req.Decision)
	}
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("preview failed", "decision", p.key, "panic", r)
			rec, err = nil, fmt.Errorf("previewing a decision at %s: %v", p.key, r)
		}
	}()
	side := s.enter()
	defer s.leave(side)
	now := s.now().UTC().Truncate(time.Millisecond)
	sc := new(scratch) // the record stays with the caller, so its memory is not used again
	sc.ids = ids
	rec = p.record(sc, newDecisionID(now), now, req, source)
	if s.erased(ids) {
		rec.Eligible, rec.Group, rec.Reasons = false, GroupTreated, []string{fallbackNoAction}
		return rec, nil
	}
	a := new(answer)
	if err := s.fill(st, p, req, rec, sc, a); err != nil {
		return nil, fmt.Errorf("previewing a decision at %s: %w", p.key, err)
	}
	s.answer(p, rec, req, a)
	return rec, nil
}

// Class is the message class of a decision point, "" when there is no such point.
func (s *Service) Class(point string) string {
	v, _ := s.points.Get(point)
	return v.Value.Class
}

// Channel is the current definition of a channel.
func (s *Service) Channel(key string) (Channel, bool) {
	v, ok := s.channels.Get(key)
	return v.Value, ok
}

// Addresses is the namespace of the identifiers to which the channel sends, "" when it
// shows something without sending it.
func (c *Channel) Addresses() string { return c.addresses() }
