package profiles

import (
	"fmt"
	"time"

	"quintet/internal/definitions"
	"quintet/profiles/consents"
)

// Rules by which a contact is not allowed.
const (
	RuleSuppressed = "suppressed"
	RuleNoConsent  = "no-consent"
)

// Contact is something that somebody wants to send to a person, or show.
type Contact struct {
	// Channel is the key of the channel.
	Channel string
	// Namespace is that of the identifiers to which the channel sends, "" when it
	// sends to none, as what is shown on a page.
	Namespace string
	// Purpose and Topic are what it is for; with a topic alone, its purpose. Without
	// either, only the suppression list counts.
	Purpose, Topic string
	// Required says that consent must have been given; otherwise it is enough that it
	// was not refused.
	Required bool
	// Service messages, such as a receipt, need no consent. What must not be sent to
	// an address at all holds for them too.
	Service bool
	At      time.Time
}

// MayContact says whether a contact is allowed, and if not, by which rule. view is
// nil for a person who is not known yet; ids are the identifiers that were asked.
func (s *Store) MayContact(view *View, ids []Identifier, c Contact) (rule string, ok bool) {
	if s.suppresses(view, ids, c.Namespace, c.Service) {
		return RuleSuppressed, false
	}
	if c.Service || c.Purpose == "" && c.Topic == "" {
		return "", true
	}
	rules := s.consentRules.Load()
	q := consents.Question{Purpose: c.Purpose, Channel: c.Channel, Addressed: c.Namespace != "", Topic: c.Topic, At: c.At.UnixMilli()}
	if q.Purpose == "" && rules != nil {
		q.Purpose = rules.Topics[c.Topic].Purpose
	}
	var set consents.Set
	if view != nil {
		set = view.Consents
	}
	switch status := set.Status(q, rules); {
	case status == consents.Granted:
		return "", true
	case c.Required || status.Refusal():
		return RuleNoConsent, false
	}
	return "", true
}

// Suppressing says whether any address is suppressed.
func (s *Store) Suppressing() bool { return s.suppressions.size.Load() > 0 }

// ConsentRules are the purposes and topics of this moment, for [consents.Set.Status].
func (s *Store) ConsentRules() *consents.Rules { return s.consentRules.Load() }

// openConsents loads purposes and topics and follows them.
func (s *Service) openConsents(store *definitions.Store) error {
	if store == nil {
		return nil
	}
	var err error
	if s.purposes, err = definitions.NewCollection(store, "purposes", consents.ValidatePurpose); err != nil {
		return fmt.Errorf("loading purposes: %w", err)
	}
	known := func(purpose string) bool { _, ok := s.purposes.Get(purpose); return ok }
	if s.topics, err = definitions.NewCollection(store, "topics", consents.ValidateTopic(known)); err != nil {
		return fmt.Errorf("loading topics: %w", err)
	}
	compile := func() {
		r := &consents.Rules{Purposes: map[string]consents.Purpose{}, Topics: map[string]consents.Topic{}}
		for key, v := range s.purposes.Snapshot() {
			r.Purposes[key] = v.Value
		}
		for key, v := range s.topics.Snapshot() {
			r.Topics[key] = v.Value
		}
		s.store.consentRules.Store(r)
	}
	compile()
	s.purposes.OnChange(compile)
	s.topics.OnChange(compile)
	return nil
}
