package decide

import (
	"strings"

	"quintet/internal/problem"
	"quintet/profiles"
)

// Contacts says whether a person may be contacted: what they consented to, and
// which addresses nothing is sent to.
type Contacts interface {
	// MayContact says whether a contact is allowed, and if not, by which rule. view is
	// nil for a person who is not known.
	MayContact(view *profiles.View, ids []profiles.Identifier, c profiles.Contact) (rule string, ok bool)
	// Suppressing says whether any address is suppressed.
	Suppressing() bool
}

// Rules that remove actions on channels on which the person must not be contacted.
const (
	ruleNoConsent  = profiles.RuleNoConsent
	ruleSuppressed = profiles.RuleSuppressed
)

// ruleWords say in words what some rules mean.
var ruleWords = map[string]string{
	ruleNoConsent:     "the person has not consented to what the channel is used for, or refused it",
	ruleNotApplicable: "the offer is not for this person",
	ruleOutOfStock:    "none of the items of the offer is in stock",
	ruleCodesEmpty:    "every promo code of the offer has been handed out",
	ruleCodesEnded:    "the promo codes of the offer have ended",
	ruleSuppressed:    "the address of the person, or the person, is on the suppression list",
}

// verdict is what was found out about a channel during one decision.
type verdict struct {
	channel, rule string
	ok            bool
}

// guards says whether the actions of a decision have to be looked at one by one:
// a channel of theirs is for a purpose, or some address is suppressed.
func (s *Service) guards(p *point) bool {
	return s.contacts != nil && (p.consented || s.contacts.Suppressing())
}

// contactable says whether the person may be contacted on the channel of an action,
// which passed all other rules. Service messages need no consent, but a suppressed
// address can stop them too.
func (s *Service) contactable(p *point, a *action, view *profiles.View, rec *Record, sc *scratch) (rule string, ok bool) {
	if a.channel == nil {
		return "", true
	}
	for i := range sc.verdicts {
		if sc.verdicts[i].channel == a.chanKey {
			return sc.verdicts[i].rule, sc.verdicts[i].ok
		}
	}
	rule, ok = s.contacts.MayContact(view, sc.ids, profiles.Contact{
		Channel: a.chanKey, Namespace: a.channel.addresses(), Purpose: a.channel.Purpose, Required: a.channel.RequiresConsent,
		Service: p.def.Class != ClassAdvertising, At: rec.DecidedAt,
	})
	sc.verdicts = append(sc.verdicts, verdict{a.chanKey, rule, ok})
	return rule, ok
}

// addresses is the namespace of the identifiers to which the channel sends, "" when
// it shows something without sending it: the one that it requires, else the usual
// one of its kind.
func (c *Channel) addresses() string {
	switch c.Requires {
	case "":
	case "userId", "anonymousId":
		return ""
	default:
		return c.Requires
	}
	switch strings.ToLower(c.Kind) {
	case "email":
		return "email"
	case "sms", "mms", "call", "phone", "whatsapp", "viber":
		return "phone"
	case "telegram":
		return "telegram"
	case "push":
		return "device"
	}
	return ""
}

// consented says whether a channel of the point's actions is for a purpose.
func consented(actions []action) bool {
	for i := range actions {
		if c := actions[i].channel; c != nil && c.Purpose != "" {
			return true
		}
	}
	return false
}

// checkConsent checks what a channel says about consent.
func (c *Channel) checkConsent(bad *problem.Invalid) {
	checkText(bad, "purpose", c.Purpose, maxFactor)
	if c.RequiresConsent && c.Purpose == "" {
		bad.Add("requiresConsent", "needs the purpose for which consent is required", nil)
	}
}
