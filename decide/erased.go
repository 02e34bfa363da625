package decide

import (
	"time"

	"quintet/profiles"
)

// Erasures knows the people who were erased, about whom nothing is stored.
type Erasures interface {
	// Erased says whether one of the identifiers is of such a person.
	Erased(ids []profiles.Identifier) bool
	// Enter says that something begins that may store what is known of people; what it
	// returns goes to Leave when that has ended.
	Enter() uint32
	Leave(side uint32)
}

// sourceErased is the source of a decision whose person was erased since: what is left
// of it is nobody's.
const sourceErased = "erased"

// reasonErased is why a person who was erased gets no advertising.
const reasonErased = ruleSuppressed

func (s *Service) enter() uint32 {
	if s.erasures == nil {
		return 0
	}
	return s.erasures.Enter()
}

func (s *Service) leave(side uint32) {
	if s.erasures != nil {
		s.erasures.Leave(side)
	}
}

func (s *Service) erased(ids []profiles.Identifier) bool {
	return s.erasures != nil && s.erasures.Erased(ids)
}

// answerErased answers for a person who was erased: advertising does not reach them, a
// service message is the default one. Neither is recorded.
func (s *Service) answerErased(p *point, req *Request, a *answer) {
	rec := &Record{DecidedAt: s.now().UTC().Truncate(time.Millisecond), Group: GroupTreated, Eligible: true}
	if p.def.Class == ClassAdvertising {
		rec.Eligible, rec.Reasons = false, []string{reasonErased}
	}
	s.fallback(p, rec, req, reasonErased, a)
}
