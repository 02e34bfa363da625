package consents

import (
	"encoding/json"
	"strings"
)

// Events of delivery, by the names of the Segment specification for e-mail, that say
// that nothing more should be sent to an address.
const (
	EventEmailBounced      = "Email Bounced"
	EventEmailMarkedAsSpam = "Email Marked as Spam"
	EventMarkedAsSpam      = "Marked as Spam"
)

// Refusal is why an address is not to be used.
type Refusal uint8

// The refusals.
const (
	Accepted     Refusal = iota // it may be used
	Bounced                     // nothing arrives there
	Complained                  // what came was reported as unwanted
	Unsubscribed                // the person wants no more
	Resubscribed                // the person wants it again
)

// Delivery is what an event says about addresses of a person.
type Delivery struct {
	Refusal Refusal
	// Namespaces are those of the identifiers that are meant.
	Namespaces []string
	// Address is the one that the event names, "" for those of the person.
	Address string
}

// Reports says whether an event of this name may say something about addresses.
func Reports(name string) bool {
	switch name {
	case EventEmailBounced, EventEmailMarkedAsSpam, EventMarkedAsSpam, EventUnsubscribed, EventEmailUnsubscribed, EventGiven:
		return true
	}
	return false
}

// channelNamespaces are the channels whose addresses can be suppressed.
var channelNamespaces = map[string]string{email: "email", "sms": "phone"}

// ParseDelivery reads what an event says about addresses. A bounce counts unless it says
// that it is a passing one; an unsubscription, unless it is from one topic or purpose.
func ParseDelivery(name, properties string) Delivery {
	var d Delivery
	var e struct {
		Email, Phone, Recipient, Channel, Purpose, Topic any
		BounceType                                       any `json:"bounceType"`
		BounceTypeSnake                                  any `json:"bounce_type"`
		Type                                             any `json:"type"`
	}
	if properties != "" && json.Unmarshal([]byte(properties), &e) != nil {
		return d
	}
	text := func(values ...any) string {
		for _, v := range values {
			if s, ok := v.(string); ok && strings.TrimSpace(s) != "" {
				return strings.TrimSpace(s)
			}
		}
		return ""
	}
	switch name {
	case EventEmailBounced:
		if passing(text(e.BounceType, e.BounceTypeSnake, e.Type)) {
			return d
		}
		d.Refusal, d.Namespaces = Bounced, []string{"email"}
	case EventEmailMarkedAsSpam, EventMarkedAsSpam:
		d.Refusal, d.Namespaces = Complained, []string{"email"}
	default:
		told, err := ParseEvent(name, properties, "")
		if err != nil || told.Key.Topic != "" || told.Status == Withdrawn && told.Key.Purpose != Any {
			return d
		}
		d.Refusal = Unsubscribed
		if told.Status == Granted {
			d.Refusal = Resubscribed
		}
		switch namespace, known := channelNamespaces[told.Key.Channel]; {
		case known:
			d.Namespaces = []string{namespace}
		case told.Key.Channel == Any && told.Status != Granted: // a refusal is lifted by what names the channel
			d.Namespaces = []string{"email", "phone"}
		default:
			return Delivery{}
		}
	}
	if len(d.Namespaces) == 1 {
		if d.Namespaces[0] == "email" {
			d.Address = text(e.Email, e.Recipient)
		} else {
			d.Address = text(e.Phone, e.Recipient)
		}
	}
	return d
}

// passing says whether a type of bounce is one after which the address may work again.
func passing(kind string) bool {
	kind = strings.ToLower(kind)
	for _, word := range []string{"soft", "transient", "temporary", "deferred", "block"} {
		if strings.Contains(kind, word) {
			return true
		}
	}
	return false
}
