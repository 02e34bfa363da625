package profiles

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/tracking"
)

// MessageBody is one call of the tracking API.
type MessageBody struct {
	Type        string         `json:"type,omitempty" doc:"Kind of message; required in a batch" enum:"track,identify,page,screen,group,alias"`
	UserID      string         `json:"userId,omitempty" doc:"Id of a known person; this, anonymousId or an external id is required" maxLength:"256"`
	AnonymousID string         `json:"anonymousId,omitempty" doc:"Random id of a browser or device" maxLength:"256"`
	PreviousID  string         `json:"previousId,omitempty" doc:"alias: the id that the person had before" maxLength:"256"`
	GroupID     string         `json:"groupId,omitempty" doc:"group: id of the group" maxLength:"500"`
	MessageID   string         `json:"messageId,omitempty" doc:"Identifies the message: sent again, it is stored once" maxLength:"100"`
	Event       string         `json:"event,omitempty" doc:"track: what happened, such as Order Completed" maxLength:"256"`
	Name        string         `json:"name,omitempty" doc:"page, screen: its name" maxLength:"256"`
	Category    string         `json:"category,omitempty" doc:"page, screen: its category" maxLength:"256"`
	Timestamp   *time.Time     `json:"timestamp,omitempty" doc:"When it happened by the client's clock; now when absent"`
	SentAt      *time.Time     `json:"sentAt,omitempty" doc:"When it was sent by the client's clock, which corrects that clock"`
	Properties  map[string]any `json:"properties,omitempty" doc:"track, page, screen: properties; decisionId makes the event an outcome of a decision"`
	Traits      map[string]any `json:"traits,omitempty" doc:"identify, group: traits"`
	Context     map[string]any `json:"context,omitempty" doc:"Where it happened; externalIds holds further identifiers as [{id, type}]"`
	WriteKey    string         `json:"writeKey,omitempty" doc:"API key, for clients that cannot set headers"`
}

// BatchBody is a call with many messages.
type BatchBody struct {
	Batch    []MessageBody  `json:"batch" minItems:"1" maxItems:"2500"`
	SentAt   *time.Time     `json:"sentAt,omitempty"`
	Context  map[string]any `json:"context,omitempty" doc:"Merged into the context of each message"`
	WriteKey string         `json:"writeKey,omitempty" doc:"API key, for clients that cannot set headers"`
}

// IngestResult says what became of the messages of a call.
type IngestResult struct {
	Success bool `json:"success"`
	// Accepted counts messages that are durable, those that already were included.
	Accepted int            `json:"accepted" doc:"Messages that are durable now"`
	Repeated int            `json:"repeated,omitempty" doc:"Of those, messages that were durable before: the same messageId came recently"`
	Rejected []RejectedItem `json:"rejected" doc:"Messages that break a rule and are not stored" nullable:"false"`
}

// RejectedItem is a message that breaks a rule.
type RejectedItem struct {
	Index     int                 `json:"index" doc:"Position in the batch"`
	MessageID string              `json:"messageId,omitempty"`
	Errors    []problem.Violation `json:"errors" nullable:"false"`
}

// Routes registers the routes of this package.
func (s *Service) Routes(srv *api.Server) {
	s.collectRoutes(srv)
	s.readRoutes(srv.API)
	s.identityRoutes(srv.API)
	s.traitRoutes(srv.API)
	s.consentRoutes(srv.API)
	s.suppressionRoutes(srv.API)
	s.importRoutes(srv.API)
	s.uploadRoutes(srv)
}

var ingestSummaries = [...]string{
	tracking.Batch: "Send many messages", tracking.Track: "Say what a person did", tracking.Identify: "Say who a person is",
	tracking.Page: "Say which page was seen", tracking.Screen: "Say which screen was seen", tracking.Group: "Put a person into a group",
	tracking.Alias: "Say that two ids are one person",
}

func (o outcome) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if len(o.rejected) == 0 && o.repeated == 0 {
		b := append(make([]byte, 0, 64), `{"success":true,"accepted":`...)
		b = strconv.AppendInt(b, int64(o.accepted), 10)
		_, _ = w.Write(append(b, `,"rejected":[]}`...)) // a caller who went away cannot be told
		return
	}
	_ = json.NewEncoder(w).Encode(o.result()) // as above
}

func (o outcome) result() IngestResult {
	result := IngestResult{Success: true, Accepted: o.accepted, Repeated: o.repeated, Rejected: make([]RejectedItem, len(o.rejected))}
	for i, r := range o.rejected {
		result.Rejected[i] = RejectedItem{Index: r.Index, MessageID: r.MessageID, Errors: r.Errors.Violations()}
	}
	return result
}
