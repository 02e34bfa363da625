package profiles

import (
	"time"

	"quintet/profiles/consents"
	"quintet/profiles/segments"
)

// silence is what holds for people who stated nothing, most of them, by the rules of
// one moment.
type silence struct {
	rules *consents.Rules
	list  []segments.Consent
}

// consentsOf are the consents of a view as rules see them: what holds now for every
// purpose, in general (channel *) and by channel.
func consentsOf(v *View) []segments.Consent {
	if v.store == nil {
		return nil
	}
	rules, now := v.store.consentRules.Load(), time.Now().UnixMilli()
	if len(v.Consents) > 0 {
		return asConsents(v.Consents.States(rules, now))
	}
	// Defaults do not change with time.
	if last := v.store.silence.Load(); last != nil && last.rules == rules {
		return last.list
	}
	next := &silence{rules, asConsents(consents.Set(nil).States(rules, now))}
	v.store.silence.Store(next)
	return next.list
}

func asConsents(states []consents.State) []segments.Consent {
	list := make([]segments.Consent, len(states))
	for i, s := range states {
		list[i] = segments.Consent{Purpose: s.Purpose, Channel: s.Channel, Status: string(s.Status)}
	}
	return list
}
