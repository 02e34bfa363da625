// Package client calls Quintet's own HTTP API from Go: the importers, the
// generated shop and the command line are ordinary clients and use nothing
// else.
//
// A call carries an API key, has a deadline for each attempt and is repeated
// when that is safe: always after 429 and 503 (the server says that it did not
// take the request), and after a broken connection when repeating cannot do
// something twice. GET, PUT and DELETE are such calls by their nature, a POST
// when the caller says so with [Idempotent]. [Client.Batch] gives every message
// an id before the first attempt, so that the server recognises a repeat.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxResponse bounds the answer that a call reads, in bytes.
const maxResponse = 64 << 20

// Options says how to reach a server.
type Options struct {
	// BaseURL is the server's address, such as "http://127.0.0.1:8080".
	BaseURL string
	// Key is the secret of an API key; empty sends no credentials.
	Key string
	// HTTP performs the requests; nil makes one whose idle connections suit
	// many parallel callers.
	HTTP *http.Client
	// Attempts is how often one call is tried, 8 when zero.
	Attempts int
	// Timeout is the deadline of one attempt, 30 s when zero.
	Timeout time.Duration
	// MaxWait bounds one pause between attempts, 15 s when zero. A longer
	// Retry-After of the server is cut to it.
	MaxWait time.Duration
	// UserAgent names the caller in the server's log, "quintet" when empty.
	UserAgent string
}

// Client calls one server. It is safe for use by several goroutines.
type Client struct {
	base    *url.URL
	options Options
}

// New returns a client for the server that o names.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("reading the server's address %q: %w", o.BaseURL, err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("the server's address %q is not an http or https address", o.BaseURL)
	}
	if o.HTTP == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConns = 256
		transport.MaxIdleConnsPerHost = 256
		o.HTTP = &http.Client{Transport: transport}
	}
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 15 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "quintet"
	}
	return &Client{base: base, options: o}, nil
}

// BaseURL is the address that the client calls, without a trailing slash.
func (c *Client) BaseURL() string { return strings.TrimRight(c.base.String(), "/") }

// Close drops idle connections.
func (c *Client) Close() { c.options.HTTP.CloseIdleConnections() }

type call struct {
	idempotent bool
	header     http.Header
	once       bool
}

// Option changes how one call is made.
type Option func(*call)

// Idempotent declares that repeating the request cannot do something twice, so
// that a POST or PATCH is repeated after a broken connection too.
func Idempotent() Option { return func(c *call) { c.idempotent = true } }

// Once makes a single attempt, for callers that have their own deadline or
// measure the server's answers.
func Once() Option { return func(c *call) { c.once = true } }

// Header adds a request header.
func Header(name, value string) Option {
	return func(c *call) { c.header.Set(name, value) }
}

// Get reads path (with its query) into out.
func (c *Client) Get(ctx context.Context, path string, out any, opts ...Option) error {
	return c.Do(ctx, http.MethodGet, path, nil, out, opts...)
}

// Put creates or replaces what path names.
func (c *Client) Put(ctx context.Context, path string, in, out any, opts ...Option) error {
	return c.Do(ctx, http.MethodPut, path, in, out, opts...)
}

// Post sends in to path and reads the answer into out.
func (c *Client) Post(ctx context.Context, path string, in, out any, opts ...Option) error {
	return c.Do(ctx, http.MethodPost, path, in, out, opts...)
}

// Patch changes a part of what path names.
func (c *Client) Patch(ctx context.Context, path string, in, out any, opts ...Option) error {
	return c.Do(ctx, http.MethodPatch, path, in, out, opts...)
}

// Delete removes what path names.
func (c *Client) Delete(ctx context.Context, path string, opts ...Option) error {
	return c.Do(ctx, http.MethodDelete, path, nil, nil, opts...)
}

// Do sends in as JSON to path, relative to the server's address, and decodes
// the answer into out. Both may be nil; in may be []byte or json.RawMessage,
// which are sent as they are, and out may be *[]byte, which receives the body.
// An answer of 400 or more becomes a [*Problem].
func (c *Client) Do(ctx context.Context, method, path string, in, out any, opts ...Option) error {
	settings := call{header: http.Header{}}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		settings.idempotent = true
	}
	for _, o := range opts {
		o(&settings)
	}
	body, err := encode(in)
	if err != nil {
		return fmt.Errorf("encoding the body of %s %s: %w", method, path, err)
	}
	reference, err := url.Parse(path)
	if err != nil {
		return fmt.Errorf("reading the path %q: %w", path, err)
	}
	target := c.base.JoinPath(reference.EscapedPath())
	target.RawQuery = reference.RawQuery

	attempts := c.options.Attempts
	if settings.once {
		attempts = 1
	}
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, method, target.String(), body, in != nil, out, settings.header)
		if err == nil {
			return nil
		}
		wait, again := c.retry(err, attempt, settings.idempotent)
		if !again || attempt >= attempts || ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s %s: %w", method, path, errors.Join(ctx.Err(), err))
		case <-timer.C:
		}
	}
}

// Download sends a request without a body and writes the answer to the writer as it
// comes, however long it is and takes. It makes one attempt.
func (c *Client) Download(ctx context.Context, method, path string, to io.Writer) error {
	reference, err := url.Parse(path)
	if err != nil {
		return fmt.Errorf("reading the path %q: %w", path, err)
	}
	target := c.base.JoinPath(reference.EscapedPath())
	target.RawQuery = reference.RawQuery
	request, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("User-Agent", c.options.UserAgent)
	if c.options.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.options.Key)
	}
	response, err := c.options.HTTP.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, &connectionError{err})
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		content, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
		if err != nil {
			return fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
		}
		return fmt.Errorf("%s %s: %w", method, path, problemOf(response, content))
	}
	if _, err := io.Copy(to, response.Body); err != nil {
		return fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
	}
	return nil
}

func encode(in any) ([]byte, error) {
	switch v := in.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	case json.RawMessage:
		return v, nil
	}
	return json.Marshal(in)
}

func (c *Client) attempt(ctx context.Context, method, target string, body []byte, hasBody bool, out any, header http.Header) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	var reader io.Reader
	if hasBody {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	if hasBody {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.options.UserAgent)
	if c.options.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.options.Key)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := c.options.HTTP.Do(request)
	if err != nil {
		return &connectionError{err}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	if err != nil {
		return &connectionError{fmt.Errorf("reading the answer: %w", err)}
	}
	if len(content) > maxResponse {
		return fmt.Errorf("the answer is longer than %d bytes", maxResponse)
	}
	if response.StatusCode >= 400 {
		return problemOf(response, content)
	}
	switch o := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*o = content
		return nil
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	return nil
}

// connectionError marks a failure after which nobody knows whether the server
// took the request.
type connectionError struct{ cause error }

func (e *connectionError) Error() string { return e.cause.Error() }
func (e *connectionError) Unwrap() error { return e.cause }

// retry says whether a failed attempt may be repeated and after what pause.
func (c *Client) retry(err error, attempt int, idempotent bool) (time.Duration, bool) {
	var p *Problem
	if errors.As(err, &p) {
		switch p.Status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			if p.RetryAfter > 0 {
				return min(p.RetryAfter, c.options.MaxWait), true
			}
			return c.backoff(attempt), true
		case http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusInternalServerError:
			return c.backoff(attempt), idempotent
		}
		return 0, false
	}
	var broken *connectionError
	if !errors.As(err, &broken) {
		return 0, false
	}
	// A refused connection never carried the request, so any call may be repeated.
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return c.backoff(attempt), true
	}
	return c.backoff(attempt), idempotent
}

// backoff doubles from 100 ms and is spread by half, so that many clients do
// not come back in the same moment.
func (c *Client) backoff(attempt int) time.Duration {
	d := 100 * time.Millisecond << min(attempt-1, 10)
	d = min(d, c.options.MaxWait)
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1))
}

func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if seconds <= 0 || seconds > 86400 {
			return 0
		}
		return time.Duration(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
