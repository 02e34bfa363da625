package tracking

import (
	"encoding/json"
	"strconv"
	"time"
)

// Form is in which form a client writes messages.
type Form string

// The forms.
const (
	FormTracking Form = "tracking" // that of the tracking API
	FormPostHog  Form = "posthog"  // that of PostHog's clients
)

// Form is that of the call.
func (c *Call) Form() Form {
	if c.postHog {
		return FormPostHog
	}
	return FormTracking
}

// Place is where the message of an index stands in the call: "batch[3]", "" for a
// call that is one message.
func (c *Call) Place(index int) string {
	if !c.batch {
		return ""
	}
	return "batch[" + strconv.Itoa(index) + "]"
}

// Shared is what a batch says about all of its messages, as a JSON object; "" for
// nothing.
func (c *Call) Shared() string {
	shared := struct {
		Context json.RawMessage `json:"context,omitempty"`
		SentAt  *time.Time      `json:"sentAt,omitempty"`
	}{}
	if c.context != "" {
		shared.Context = json.RawMessage(c.context)
	}
	if c.sentAt != 0 {
		at := time.UnixMilli(c.sentAt).UTC()
		shared.SentAt = &at
	}
	if shared.Context == nil && shared.SentAt == nil {
		return ""
	}
	text, err := json.Marshal(shared)
	if err != nil {
		return "" // the context has been read as JSON, so that this cannot happen
	}
	return string(text)
}

// ParseRaw reads one message that a client wrote before, in the form, of the kind
// and with what was shared by its call, as if it had come at the time received.
func (c *Call) ParseRaw(raw string, form Form, kind Type, shared string, received time.Time) error {
	if kind != Batch && form == FormTracking {
		return c.ParseWithin(raw, kind, received, Large)
	}
	text := `{"batch":[` + raw + `]`
	if len(shared) > 2 {
		text += "," + shared[1:]
	} else {
		text += "}"
	}
	if form == FormPostHog {
		return c.ParsePostHog(text, received)
	}
	return c.ParseWithin(text, Batch, received, Large)
}
