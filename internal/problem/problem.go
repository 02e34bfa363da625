// Package problem describes what went wrong in a form that a caller of the HTTP
// API can act upon: the building blocks of RFC 9457 problem documents.
//
// Every package returns these errors and knows nothing of HTTP handlers. A rule
// that some input breaks is a [Field] (where, which rule, what value), the
// broken rules of one input are an [Invalid], and everything else that has a
// status of its own is an [Error]. The api package turns each of them, wrapped or
// not, into the same JSON document, [Document]; any other error becomes a
// 500 that does not show its text.
package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// StatusClientClosed is the status that is logged when the caller went away
// before the answer; nobody receives it.
const StatusClientClosed = 499

// Error is a failure with an HTTP status and a text meant for the caller.
type Error struct {
	// Status is the HTTP status, 500 when zero.
	Status int
	// Title is a short summary that is the same for every problem of its kind;
	// the status text when empty.
	Title string
	// Detail explains this occurrence to the caller; it must hold no internals.
	Detail string
	// RetryAfter is sent as Retry-After, rounded up to whole seconds, when above
	// zero.
	RetryAfter time.Duration
	// Fields are the rules that the input broke, if any.
	Fields Invalid
	// Cause is logged and never shown.
	Cause error
}

// Error describes the problem for a log, with its cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.title())
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	if len(e.Fields) > 0 {
		b.WriteString(": ")
		b.WriteString(e.Fields.Error())
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// GetStatus is the HTTP status of the answer.
func (e *Error) GetStatus() int {
	if e.Status == 0 {
		return http.StatusInternalServerError
	}
	return e.Status
}

func (e *Error) title() string {
	if e.Title != "" {
		return e.Title
	}
	if e.GetStatus() == StatusClientClosed {
		return "Client Closed Request"
	}
	return http.StatusText(e.GetStatus())
}

// NotFound is a 404: what, such as "offer", has no entry with that key.
func NotFound(what, key string) *Error {
	return &Error{
		Status: http.StatusNotFound,
		Detail: fmt.Sprintf("There is no %s with the key %q.", what, Clip(key)),
	}
}

// Conflict is a 409: the request is right in itself and does not fit what is
// stored.
func Conflict(detail string) *Error {
	return &Error{Status: http.StatusConflict, Detail: detail}
}

// BadRequest is a 400: the request cannot be read.
func BadRequest(detail string) *Error {
	return &Error{Status: http.StatusBadRequest, Detail: detail}
}

// Unauthorized is a 401: the caller showed no credentials or worthless ones.
func Unauthorized(detail string) *Error {
	return &Error{Status: http.StatusUnauthorized, Detail: detail}
}

// Forbidden is a 403: the caller is known and may not do this.
func Forbidden(detail string) *Error {
	return &Error{Status: http.StatusForbidden, Detail: detail}
}

// TooBusy is a 429 that asks the caller to come back after retryAfter.
func TooBusy(retryAfter time.Duration, detail string) *Error {
	return &Error{Status: http.StatusTooManyRequests, RetryAfter: retryAfter, Detail: detail}
}

// Unavailable is a 503: a part of the service that the request needs does not
// answer; cause is logged.
func Unavailable(retryAfter time.Duration, detail string, cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter, Detail: detail, Cause: cause}
}

// From is the problem that err stands for: an [*Error] or [Invalid] in its
// chain, a 413 for a body over its limit, a 503 for a deadline that passed, a 499
// for a caller that went away, and otherwise a 500 that keeps err as its
// cause. It is nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var invalid Invalid
	if errors.As(err, &invalid) {
		return invalid.Problem()
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return TooLarge(tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded):
		return Unavailable(time.Second, "The request took longer than it may.", err)
	case errors.Is(err, context.Canceled):
		return &Error{Status: StatusClientClosed, Detail: "The request was cancelled.", Cause: err}
	}
	return &Error{
		Status: http.StatusInternalServerError,
		Detail: "Something went wrong on our side; the log has the details under this request's id.",
		Cause:  err,
	}
}

// TooLarge is a 413: the body is longer than limit bytes.
func TooLarge(limit int64) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("The request body may be at most %d bytes long.", limit),
		Fields: Invalid{{Field: "body", Rule: fmt.Sprintf("must be at most %d bytes", limit)}},
	}
}
