package decide

import (
	"context"
	"time"
)

// record begins the record of a decision in the memory of the scratch.
func (p *point) record(sc *scratch, id string, now time.Time, req *Request, source string) *Record {
	rec := sc.begin()
	rec.DecisionID, rec.DecidedAt, rec.Decision, rec.PointVersion = id, now, p.key, p.version
	rec.Class, rec.Source, rec.Context, rec.SendAt = p.def.Class, source, req.Context, now
	return rec
}

// reserveDefault takes a place for the default action of a fall-back. Without one it is
// not answered with.
func (s *Service) reserveDefault(p *point, id string, rec *Record) bool {
	l := s.state.Load().limits
	a := &p.actions[p.byID[p.def.DefaultAction]]
	if l == nil || a.channel == nil {
		return true
	}
	for i := range l.quiet { // when the person sleeps may not be known here
		if l.quiet[i].holds(p.def.Class, a.chanKey, a.channel, "") {
			return false
		}
	}
	var q permission
	q.begin(s, l, rec, nil, rec.Context)
	q.person = s.personOf(rec.ProfileID)
	permit := s.permits(p, a, rec, &q)
	if permit.rule != "" {
		return false
	}
	if q.contested { // what a fall-back is worth is not known
		return false
	}
	now := *rec
	now.SendAt = rec.DecidedAt
	return s.reserve(context.Background(), p, a, id, &now, &q) == ""
}
