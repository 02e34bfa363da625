package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type requestKey struct{}

// requestContext is the context of one request together with all that the
// middlewares know about it, so that a request costs one allocation for the
// whole chain and not one for each value.
//
// It has a deadline from the start, yet makes its timer only when somebody
// waits for Done: a decision that is computed in memory never does.
type requestContext struct {
	context.Context
	id        string
	idHeader  [1]string // the id as the value of a header, without a slice of its own
	principal Principal
	logger    *slog.Logger
	writer    responseWriter

	request *http.Request
	// body is the request's body before any limit or decoding.
	body io.ReadCloser

	deadline time.Time
	mu       sync.Mutex // guards the making of timed
	timed    atomic.Pointer[timedContext]
}

// timedContext is a context with a running timer.
type timedContext struct {
	context.Context
	cancel context.CancelFunc
}

func requestFrom(ctx context.Context) *requestContext {
	rc, _ := ctx.Value(requestKey{}).(*requestContext)
	return rc
}

// Value returns the request itself for its own key. Everything else is asked of
// the timed context once there is one, so that contexts derived from this one
// attach to it directly and need no goroutine.
func (c *requestContext) Value(key any) any {
	if key == (requestKey{}) {
		return c
	}
	if t := c.timed.Load(); t != nil {
		return t.Context.Value(key)
	}
	return c.Context.Value(key)
}

// Deadline is when the request has to be answered.
func (c *requestContext) Deadline() (time.Time, bool) {
	if c.deadline.IsZero() {
		return c.Context.Deadline()
	}
	return c.deadline, true
}

// Done makes the timer on its first call.
func (c *requestContext) Done() <-chan struct{} {
	if c.deadline.IsZero() {
		return c.Context.Done()
	}
	if t := c.timed.Load(); t != nil {
		return t.Done()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.timed.Load()
	if t == nil {
		t = &timedContext{}
		t.Context, t.cancel = context.WithDeadline(c.Context, c.deadline)
		c.timed.Store(t)
	}
	return t.Done()
}

// Err agrees with Done.
func (c *requestContext) Err() error {
	if t := c.timed.Load(); t != nil {
		return t.Err()
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// finish releases the timer.
func (c *requestContext) finish() {
	if t := c.timed.Load(); t != nil {
		t.cancel()
	}
}

// limit sets another deadline; it has no effect once somebody waits on the first.
func (c *requestContext) limit(d time.Duration) {
	if c.timed.Load() == nil && !c.deadline.IsZero() {
		c.deadline = c.writer.start.Add(d)
	}
}

const deadlineKey = "quintet.deadline"

// Deadline sets how long the operation may take, counted from the arrival of
// the request, instead of the server's default.
func Deadline(d time.Duration) func(*huma.Operation) {
	return func(op *huma.Operation) { setMetadata(op, deadlineKey, d) }
}

// DeadlineHTTP is [Deadline] for a route that is not a huma operation.
func DeadlineHTTP(d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			limitRequest(r, d)
			next.ServeHTTP(w, r)
		})
	}
}

// Unlimited takes the deadline and the server's timeouts from a request that is
// answered for as long as its caller listens. The handler has to end by itself when
// [Server.Draining] is closed.
func Unlimited(w http.ResponseWriter, r *http.Request) error {
	if rc := requestFrom(r.Context()); rc != nil && rc.timed.Load() == nil {
		rc.deadline = time.Time{}
	}
	c := http.NewResponseController(w)
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("taking the read timeout from a stream: %w", err)
	}
	if err := c.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("taking the write timeout from a stream: %w", err)
	}
	return nil
}

func limitRequest(r *http.Request, limit time.Duration) {
	if rc := requestFrom(r.Context()); rc != nil {
		rc.limit(min(limit, maxDeadline))
	}
}

// RequestID is the id of the request that ctx belongs to: what the caller sent as
// X-Request-Id, or one made here. It is empty outside a request.
func RequestID(ctx context.Context) string {
	if rc := requestFrom(ctx); rc != nil {
		return rc.id
	}
	return ""
}

// HTTPRequest is the request that ctx belongs to, for the rare huma handler that
// needs more of it than its input says; nil outside a request.
func HTTPRequest(ctx context.Context) *http.Request {
	if rc := requestFrom(ctx); rc != nil {
		return rc.request
	}
	return nil
}

// Log is the logger of the request that ctx belongs to, with its id.
func Log(ctx context.Context) *slog.Logger {
	if rc := requestFrom(ctx); rc != nil && rc.logger != nil {
		return rc.logger.With("request", rc.id)
	}
	return slog.Default()
}

// idSource makes request ids: a random part for this process and a counter.
type idSource struct {
	prefix string
	next   atomic.Uint64
}

func newIDSource() *idSource {
	var random [6]byte
	rand.Read(random[:]) // crypto/rand.Read never fails: it ends the program when the system has no randomness.
	return &idSource{prefix: hex.EncodeToString(random[:]) + "-"}
}

func (s *idSource) make() string {
	var buffer [40]byte
	b := append(buffer[:0], s.prefix...)
	return string(strconv.AppendUint(b, s.next.Add(1), 36))
}

// usableID says whether an id that a caller sent can be put into headers and
// logs as it is.
func usableID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}
