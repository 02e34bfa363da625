package profiles

import (
	"quintet/internal/problem"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// RuleErased is the rule by which messages of a person who was erased are refused.
// It is answered for the message and not for the call, which is in order: the sender
// need not repeat it.
const RuleErased = "erased"

// profileNamespace is that of the profiles themselves among the identifiers of a
// person who was erased.
const profileNamespace = "profile"

func profileIdentifier(id identity.ID) Identifier {
	return Identifier{Namespace: profileNamespace, Value: id.String()}
}

// dropErased removes the messages of people who were erased, and reports whether
// there were any.
func (s *Service) dropErased(sc *scratch, out *outcome) bool {
	if s.store.suppressions.erased.Load() == 0 {
		return false
	}
	messages := sc.call.Messages
	kept := 0
	var ids []Identifier
	for i := range messages {
		m := &messages[i]
		if ids = messageIdentifiers(m, ids[:0]); s.store.Erased(ids) {
			out.rejected = append(out.rejected, tracking.Rejected{Index: m.Index, MessageID: m.MessageID, Errors: problem.Invalid{{
				Field: s.erasedField(m), Rule: RuleErased + ": the person was erased; the message is not stored",
			}}})
			continue
		}
		messages[kept] = messages[i]
		kept++
	}
	clear(messages[kept:])
	sc.call.Messages = messages[:kept]
	return kept < len(messages)
}

// erasedField is the field of a message that names somebody who was erased.
func (s *Service) erasedField(m *tracking.Message) string {
	switch {
	case m.UserID != "" && s.store.Erased([]Identifier{{Namespace: identity.UserID, Value: m.UserID}}):
		return "userId"
	case m.Type == tracking.Alias && m.AnonymousID != "":
		return "previousId"
	case m.AnonymousID != "" && s.store.Erased([]Identifier{{Namespace: identity.AnonymousID, Value: m.AnonymousID}}):
		return "anonymousId"
	}
	return "context.externalIds"
}

// messageIdentifiers are all identifiers that a message names.
func messageIdentifiers(m *tracking.Message, ids []Identifier) []Identifier {
	if m.UserID != "" {
		ids = append(ids, Identifier{Namespace: identity.UserID, Value: m.UserID})
	}
	if m.AnonymousID != "" {
		namespace := identity.AnonymousID
		ids = append(ids, Identifier{Namespace: namespace, Value: m.AnonymousID})
		if m.Type == tracking.Alias { // the former id may be either
			ids = append(ids, Identifier{Namespace: identity.UserID, Value: m.AnonymousID})
		}
	}
	return append(ids, m.Others...)
}

// withoutErased leaves out the notes about profiles that were erased.
func (s *Service) withoutErased(notes []Note) []Note {
	if s.store.suppressions.erased.Load() == 0 {
		return notes
	}
	kept := make([]Note, 0, len(notes))
	for _, n := range notes {
		if !s.store.suppressions.findErased(profileIdentifier(n.Profile)) {
			kept = append(kept, n)
		}
	}
	return kept
}
