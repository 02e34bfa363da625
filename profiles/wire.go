package profiles

import (
	"time"

	"quintet/profiles/tracking"
)

// Message documents a message of the Segment tracking API. It is read by package
// tracking, which keeps members that are not named here too.
type Message struct {
	Type        string         `json:"type,omitempty" doc:"track, identify, page, screen, group or alias; in a batch"`
	MessageID   string         `json:"messageId,omitempty" doc:"Makes repeated attempts count once; made up when absent" maxLength:"100"`
	UserID      string         `json:"userId,omitempty" doc:"userId or anonymousId is required" maxLength:"256"`
	AnonymousID string         `json:"anonymousId,omitempty" maxLength:"256"`
	PreviousID  string         `json:"previousId,omitempty" doc:"alias only" maxLength:"256"`
	GroupID     string         `json:"groupId,omitempty" doc:"group only" maxLength:"500"`
	Event       string         `json:"event,omitempty" doc:"Name of a track event" maxLength:"256"`
	Name        string         `json:"name,omitempty" doc:"Name of a page or screen"`
	Timestamp   *time.Time     `json:"timestamp,omitempty" doc:"When it happened, by the client's clock"`
	SentAt      *time.Time     `json:"sentAt,omitempty" doc:"When it was sent, by the client's clock; corrects the timestamp"`
	Properties  map[string]any `json:"properties,omitempty" doc:"decisionId names the decision that this is an outcome of"`
	Traits      map[string]any `json:"traits,omitempty"`
	Context     map[string]any `json:"context,omitempty"`
}

// MessageBatch documents a batch of messages.
type MessageBatch struct {
	Batch   []Message      `json:"batch" minItems:"1" maxItems:"2500"`
	Context map[string]any `json:"context,omitempty" doc:"Merged into each message"`
	SentAt  *time.Time     `json:"sentAt,omitempty"`
}

func bodyOf(kind tracking.Type) any {
	if kind == tracking.Batch {
		return MessageBatch{}
	}
	return Message{}
}
