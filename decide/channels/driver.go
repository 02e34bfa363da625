package channels

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Content is what a message says. A driver uses the fields that its channel has.
type Content struct {
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text,omitempty"`
	HTML    string `json:"html,omitempty"`
	URL     string `json:"url,omitempty"`
	Image   string `json:"image,omitempty"`
	Locale  string `json:"locale,omitempty"`
}

// Outgoing is one message to one address.
type Outgoing struct {
	// ID names the message for ever. It goes out with the message where the protocol
	// can carry one.
	ID string
	// To is an address of the channel: of e-mail, a phone number in E.164 form, a token
	// of a device, a web push subscription as JSON, the id of a chat.
	To string
	Content
	// Unsubscribe is the address of one-click unsubscription, "" for service messages.
	Unsubscribe string
	// Expires is the moment after which it is of no use; zero for none.
	Expires time.Time
}

// Driver sends by one protocol with one set of credentials. It may be used by
// several goroutines at the same time.
type Driver interface {
	// Send hands a message to the provider and returns the provider's id for it, by which
	// receipts come back. An error is a [*Failure].
	Send(ctx context.Context, m *Outgoing) (providerID string, err error)
	// Check tries the credentials without sending anything.
	Check(ctx context.Context) error
	// Close ends connections.
	Close() error
}

// FailureKind says what may follow a failure.
type FailureKind string

// The kinds.
const (
	// Temporary: the provider did not take the message; it may later.
	Temporary FailureKind = "temporary"
	// Permanent: the provider refused this message and will again.
	Permanent FailureKind = "permanent"
	// Dead: the address does not exist any more.
	Dead FailureKind = "dead-address"
	// Credentials: the provider refused the account; nothing can be sent.
	Credentials FailureKind = "credentials"
	// Uncertain: the connection broke after the message was handed over, so that the
	// provider may have taken it. It must not be sent again.
	Uncertain FailureKind = "uncertain"
)

// Failure is why a message was not sent, or may not have been.
type Failure struct {
	Kind FailureKind
	// RetryAfter is how long the provider asks to wait, 0 where it does not say.
	RetryAfter time.Duration
	Err        error
}

// Error implements error.
func (f *Failure) Error() string { return fmt.Sprintf("%s: %v", f.Kind, f.Err) }

// Unwrap implements errors.Unwrap.
func (f *Failure) Unwrap() error { return f.Err }

// FailureOf is the failure in an error. What is none counts as uncertain, so that
// nothing is sent twice for want of knowledge.
func FailureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: Uncertain, Err: err}
}

func failure(kind FailureKind, format string, args ...any) *Failure {
	return &Failure{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// ReceiptKind is what became of a message that was sent.
type ReceiptKind string

// The kinds of receipts.
const (
	Delivered  ReceiptKind = "delivered"
	Opened     ReceiptKind = "opened"
	Clicked    ReceiptKind = "clicked"
	Replied    ReceiptKind = "replied"
	Failed     ReceiptKind = "failed"     // the provider gave up
	Bounced    ReceiptKind = "bounced"    // the address does not exist
	Complained ReceiptKind = "complained" // it was reported as unwanted
)

// Receipt is what a provider tells about a message.
type Receipt struct {
	// ProviderID is the provider's id of the message; empty where ID is known.
	ProviderID string
	// ID is that of [Outgoing.ID].
	ID   string
	Kind ReceiptKind
	At   time.Time
	Code string // the provider's own word, for people to read
}
