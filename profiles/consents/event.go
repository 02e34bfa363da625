package consents

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Events that state something about consent.
const (
	EventGiven     = "Consent Given"
	EventDenied    = "Consent Denied"
	EventWithdrawn = "Consent Withdrawn"
	// EventUnsubscribed withdraws on a channel, e-mail unless it names another one.
	EventUnsubscribed      = "Unsubscribed"
	EventEmailUnsubscribed = "Email Unsubscribed"
)

// Limits of what an event states.
const (
	MaxName       = 64   // bytes of a purpose, a channel or a topic
	maxProofText  = 2000 // characters
	maxProofField = 500
	maxCategories = 50
)

// email is the channel that is meant where an unsubscription names none.
const email = "email"

// Proof is what shows later that a statement was made.
type Proof struct {
	Text            string `json:"text,omitempty" doc:"What the person was shown and agreed to" maxLength:"2000"`
	DocumentVersion string `json:"documentVersion,omitempty" doc:"Version of the terms" maxLength:"500"`
	IP              string `json:"ip,omitempty" doc:"Address from which it was said" maxLength:"500"`
	URL             string `json:"url,omitempty" doc:"Where it was said" maxLength:"500"`
}

// Told is what an event states, before it is known whose statement it is.
type Told struct {
	Key       Key
	Status    Status
	Confirmed bool
	Expires   int64 // Unix milliseconds, 0 for never
	Proof     Proof
}

// Speaks says whether an event of this name may state something.
func Speaks(name string) bool {
	switch name {
	case EventGiven, EventDenied, EventWithdrawn, EventUnsubscribed, EventEmailUnsubscribed:
		return true
	}
	return false
}

// event is what properties may say.
type event struct {
	Purpose   any `json:"purpose"`
	Channel   any `json:"channel"`
	Topic     any `json:"topic"`
	Confirmed any `json:"confirmed"`
	ExpiresAt any `json:"expiresAt"`
	Proof     any `json:"proof"`
}

// ParseEvent reads what an event states; context gives the address where the
// proof has none. The error is a [problem.Invalid] with fields of the properties.
func ParseEvent(name, properties, context string) (Told, error) {
	var told Told
	var e event
	if properties != "" {
		if err := json.Unmarshal([]byte(properties), &e); err != nil {
			return told, fmt.Errorf("reading the properties of %s: %w", name, err)
		}
	}
	var bad problem.Invalid
	told.Key.Purpose = nameIn(&bad, "purpose", e.Purpose)
	told.Key.Channel = nameIn(&bad, "channel", e.Channel)
	told.Key.Topic = nameIn(&bad, "topic", e.Topic)
	told.Confirmed = true
	switch name {
	case EventGiven:
		told.Status = Granted
		told.Confirmed, _ = e.Confirmed.(bool)
	case EventDenied:
		told.Status = Denied
	default:
		told.Status = Withdrawn
	}
	if name == EventEmailUnsubscribed || name == EventUnsubscribed && told.Key.Channel == "" {
		told.Key.Channel = email
	}
	if told.Key.Channel == "" {
		told.Key.Channel = Any
	}
	if told.Key.Purpose == "" {
		told.Key.Purpose = Any
	}
	if told.Status == Granted && told.Key.Purpose == Any && told.Key.Topic == "" && len(bad) == 0 {
		bad.Add("purpose", "is required: consent is given for a purpose", nil)
	}
	told.Expires = expiryIn(&bad, told.Status, e.ExpiresAt)
	told.Proof = proofIn(&bad, e.Proof)
	if err := bad.Err(); err != nil {
		return Told{}, err
	}
	if told.Proof.IP == "" && strings.Contains(context, `"ip"`) {
		var c struct {
			IP any `json:"ip"`
		}
		if json.Unmarshal([]byte(context), &c) == nil {
			if ip, ok := c.IP.(string); ok && len(ip) <= maxProofField {
				told.Proof.IP = ip
			}
		}
	}
	return told, nil
}

// nameIn is the name of a purpose, channel or topic, "" when there is none.
func nameIn(bad *problem.Invalid, field string, value any) string {
	if value == nil {
		return ""
	}
	name, ok := value.(string)
	if !ok || !ValidName(name) && (name != Any || field == "topic") {
		bad.Add(field, fmt.Sprintf("must be 1 to %d letters, digits, dots, dashes and underscores", MaxName), value)
		return ""
	}
	return name
}

// ValidName says whether a purpose, a channel or a topic may have the name.
func ValidName(name string) bool {
	if name == "" || len(name) > MaxName {
		return false
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return true
}

func expiryIn(bad *problem.Invalid, status Status, value any) int64 {
	if value == nil {
		return 0
	}
	text, _ := value.(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil || at.UnixMilli() <= 0:
		bad.Add("expiresAt", "must be a time in ISO 8601, such as 2027-03-01T12:00:00Z", value)
	case status != Granted:
		bad.Add("expiresAt", "is for a consent that is given", nil)
	default:
		return at.UnixMilli()
	}
	return 0
}

// proofIn reads a proof: an object, or the text alone.
func proofIn(bad *problem.Invalid, value any) (p Proof) {
	switch v := value.(type) {
	case nil:
	case string:
		p.Text = proofField(bad, "proof", v, maxProofText)
	case map[string]any:
		p.Text = proofField(bad, "proof.text", v["text"], maxProofText)
		p.DocumentVersion = proofField(bad, "proof.documentVersion", v["documentVersion"], maxProofField)
		p.IP = proofField(bad, "proof.ip", v["ip"], maxProofField)
		p.URL = proofField(bad, "proof.url", v["url"], maxProofField)
	default:
		bad.Add("proof", "must be an object or a text", nil)
	}
	return p
}

func proofField(bad *problem.Invalid, field string, value any, most int) string {
	if value == nil {
		return ""
	}
	text, ok := value.(string)
	if !ok || utf8.RuneCountInString(text) > most {
		bad.Add(field, fmt.Sprintf("must be a text of at most %d characters", most), nil)
		return ""
	}
	return text
}

// InBanner says whether a context may carry the choices of a consent banner.
func InBanner(context string) bool { return strings.Contains(context, `"categoryPreferences"`) }

// ParseBanner reads context.consent.categoryPreferences, as Segment's consent
// manager sends it along with every event. Entries that are no boolean, or whose
// name cannot be one, are left out and counted.
func ParseBanner(context string) (told []Told, left int) {
	var c struct {
		Consent struct {
			Preferences map[string]any `json:"categoryPreferences"`
		} `json:"consent"`
	}
	if err := json.Unmarshal([]byte(context), &c); err != nil {
		return nil, 1
	}
	names := make([]string, 0, len(c.Consent.Preferences))
	for name := range c.Consent.Preferences {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		granted, ok := c.Consent.Preferences[name].(bool)
		if !ok || !ValidName(name) || len(told) == maxCategories {
			left++
			continue
		}
		one := Told{Key: Key{Purpose: name, Channel: Site}, Status: Denied, Confirmed: true}
		if granted {
			// A click on a banner is one confirmation.
			one.Status, one.Confirmed = Granted, false
		}
		told = append(told, one)
	}
	return told, left
}
