package client

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// Message is one call of the Segment tracking API: an event or a description
// of a person.
type Message struct {
	// Type is "track", "identify", "page", "screen", "group" or "alias".
	Type        string         `json:"type"`
	MessageID   string         `json:"messageId,omitempty"`
	UserID      string         `json:"userId,omitempty"`
	AnonymousID string         `json:"anonymousId,omitempty"`
	PreviousID  string         `json:"previousId,omitempty"`
	GroupID     string         `json:"groupId,omitempty"`
	Event       string         `json:"event,omitempty"`
	Name        string         `json:"name,omitempty"`
	Timestamp   *time.Time     `json:"timestamp,omitempty"`
	Properties  map[string]any `json:"properties,omitempty"`
	Traits      map[string]any `json:"traits,omitempty"`
	Context     map[string]any `json:"context,omitempty"`
}

// BatchResult is the server's answer to a batch: how many messages it holds
// durably and which ones it refused.
type BatchResult struct {
	Success  bool              `json:"success"`
	Accepted int               `json:"accepted"`
	Rejected []RejectedMessage `json:"rejected"`
}

// RejectedMessage is one message of a batch that broke a rule.
type RejectedMessage struct {
	Index     int            `json:"index"`
	MessageID string         `json:"messageId"`
	Errors    []ProblemField `json:"errors"`
}

// Batch sends up to 2,500 messages in one call. Messages without an id get one
// before the first attempt, so that a repeated attempt stores nothing twice.
func (c *Client) Batch(ctx context.Context, messages []Message, opts ...Option) (BatchResult, error) {
	for i := range messages {
		if messages[i].MessageID == "" {
			messages[i].MessageID = ulid.Make().String()
		}
	}
	var result BatchResult
	body := struct {
		Batch []Message `json:"batch"`
	}{messages}
	opts = append([]Option{Idempotent()}, opts...)
	if err := c.Post(ctx, "/v1/batch", body, &result, opts...); err != nil {
		return result, fmt.Errorf("sending %d messages: %w", len(messages), err)
	}
	return result, nil
}
