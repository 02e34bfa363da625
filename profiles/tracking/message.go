// Package tracking reads the Segment tracking API: what an application sends
// about its users, one call at a time or in batches, checked and brought to
// one normal form.
//
// The text of a call is walked once. Properties, traits and context stay JSON
// text all the way to the store; only what the service itself needs (names,
// identifiers, times, numbers) is taken out. A call that is not JSON is
// refused as a whole with the position; a message that breaks a rule is
// refused alone, with every broken rule under the path of its field.
package tracking

import (
	"time"

	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// Limits of the tracking API.
const (
	MaxBody          = 500 << 10  // bytes of one call
	MaxMessage       = 32 << 10   // bytes of one message
	MaxLargeBody     = 4000 << 10 // bytes of one call, from clients of RudderStack and PostHog
	MaxLargeMessage  = 64 << 10   // bytes of one of their messages
	MaxBatch         = 2500       // messages of one call
	MaxEventName     = 256        // characters
	MaxMessageID     = 100        // characters
	MaxGroupID       = 500        // characters
	MaxDecisionID    = 128        // characters
	MaxTraits        = 300        // members of traits
	MaxNesting       = 16         // levels of properties, traits and context, each
	MaxSharedContext = 8 << 10    // bytes of the context of a batch
	MaxNumbers       = 200        // numeric properties that metrics can use, for one message
	MaxOthers        = 20         // external ids of one message
)

// Earliest is the first instant that a message may carry. It lets the oldest
// sales data in that anybody imports and bounds the number of monthly
// partitions that one call can touch.
var Earliest = time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC)

// Limits bound one call. The documented limits differ between the families of
// clients: what the server of one takes, its clients do not split.
type Limits struct {
	Body    int64 // bytes
	Message int   // bytes of one message
}

// The limits of Segment's API, and those of RudderStack's gateway and PostHog's.
var (
	Usual = Limits{Body: MaxBody, Message: MaxMessage}
	Large = Limits{Body: MaxLargeBody, Message: MaxLargeMessage}
)

// Type is the kind of call that a message is.
type Type uint8

// The calls of the tracking API. Batch is the zero value: a call that carries
// messages of any other type.
const (
	Batch Type = iota
	Track
	Identify
	Page
	Screen
	Group
	Alias
	types // their number
)

var typeNames = [types]string{"batch", "track", "identify", "page", "screen", "group", "alias"}

// String is the name on the wire.
func (t Type) String() string {
	if t >= types {
		return "unknown"
	}
	return typeNames[t]
}

// ParseType reads the name of a type that a message may have.
func ParseType(name string) (Type, bool) {
	for t := Track; t < types; t++ {
		if typeNames[t] == name {
			return t, true
		}
	}
	return Batch, false
}

// eventNames are the names under which calls other than track are stored as
// events. A track call must not use them.
var eventNames = [types]string{"", "", "$identify", "$page", "$screen", "$group", "$alias"}

// Number is a numeric property under its path, with dots between levels:
// "revenue", "shipping.cost".
type Number struct {
	Path  string
	Value float64
}

// Message is one checked message in normal form. Its strings are parts of the
// text that was read: keep a clone, not the string, for longer than the call.
type Message struct {
	// Index is the position in the batch, 0 for a single call.
	Index int
	Type  Type
	// MessageID identifies the message over repeated attempts; it is made up where
	// the client gave none.
	MessageID   string
	UserID      string
	AnonymousID string
	// Others are e-mail, phone and external ids, in normal form.
	Others []identity.Identifier
	// Event is the name of a track call, "$identify" and the like for the others.
	Event string
	// Time is when it happened by the server's clock, in Unix milliseconds, never
	// later than it was received.
	Time int64
	// DecisionID is properties.decisionId: the decision that this is an outcome of.
	DecisionID string
	// Numbers are the numeric members of the properties outside of arrays.
	Numbers []Number
	// Properties, Traits and Context are compact JSON objects, "" when absent.
	Properties, Traits, Context string
	// Once are traits that count only where the person has none of that name, a
	// compact JSON object, "" when absent.
	Once string
	// Raw is the message as the client wrote it, in the form that [Call.Form] names.
	Raw string
	// Kind is the type that the route gave, [Batch] where the message says it itself.
	Kind Type

	numbers [2]int // bounds in the shared slice, until the batch is complete
	sentAt  int64  // by the client's clock, 0 when absent
	timed   bool   // the client gave a time
	stamped int64  // that time
}

// Rejected is a message that breaks a rule.
type Rejected struct {
	Index     int
	MessageID string
	Errors    problem.Invalid
	// Raw and Kind are as in [Message].
	Raw  string
	Kind Type
}
