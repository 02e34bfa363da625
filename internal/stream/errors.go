package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrFull says that the topic holds as much as it may: nothing was stored, and the caller is to slow
	// down and try again once the consumers have caught up and the topic has been trimmed. Over HTTP this
	// is 429 with Retry-After.
	ErrFull = errors.New("stream: topic is full")

	// ErrUnavailable says that JetStream gave no answer in time or the connection to it is down. Whether
	// the message was stored is then unknown: a caller that tries again must carry an id by which the
	// message is recognised downstream.
	ErrUnavailable = errors.New("stream: unavailable")

	// ErrTooLarge says that one message is larger than the server takes ([MaxMessage] when embedded).
	// Nothing was stored; trying again is of no use.
	ErrTooLarge = errors.New("stream: message too large")

	// ErrClosed is returned by calls on a Stream after Close.
	ErrClosed = errors.New("stream: closed")
)

// Error codes of the JetStream API that mean "no room now". The client library names only some.
const (
	codeAccountLimits    = 10002 // resource limits exceeded for account
	codeInsufficient     = 10023 // insufficient resources
	codeStorageExceeded  = 10047 // insufficient storage resources available
	codeStreamStoreError = 10077 // the description says which limit
	codeTooManyRequests  = 10167 // too many messages queued in front of the stream
)

// descriptionMaxBytes and descriptionMaxMessages are what a stream that discards new messages answers
// under codeStreamStoreError when it is at its limit.
const (
	descriptionMaxBytes    = "maximum bytes exceeded"
	descriptionMaxMessages = "maximum messages exceeded"
	descriptionTooLarge    = "message size exceeds maximum allowed"
)

// fromAPI turns an error answer of JetStream into one of this package's errors.
func fromAPI(e *jetstream.APIError) error {
	switch {
	case e.ErrorCode == codeStreamStoreError && (e.Description == descriptionMaxBytes || e.Description == descriptionMaxMessages),
		e.ErrorCode == codeAccountLimits, e.ErrorCode == codeInsufficient,
		e.ErrorCode == codeStorageExceeded, e.ErrorCode == codeTooManyRequests:
		return fmt.Errorf("%w: %s", ErrFull, e.Description)
	case e.Description == descriptionTooLarge:
		return fmt.Errorf("%w: %s", ErrTooLarge, e.Description)
	}
	return fmt.Errorf("%w: %s (code %d)", ErrUnavailable, e.Description, e.ErrorCode)
}

// fromClient turns an error of the client library into one of this package's errors, keeping the cause.
func fromClient(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case errors.As(err, &api):
		return fromAPI(api)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
