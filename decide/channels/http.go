package channels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	httpTimeout = 20 * time.Second
	maxAnswer   = 256 << 10
)

// newHTTPClient makes a client that follows no redirection: a message goes where it was
// configured to go.
func newHTTPClient() *http.Client {
	return &http.Client{Timeout: httpTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// post makes a call. Without an answer it tells whether the request went out.
func post(ctx context.Context, client *http.Client, r *http.Request) (status int, header http.Header, body []byte, err error) {
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	answer, err := client.Do(r.WithContext(ctx))
	if err != nil {
		kind := Temporary
		if wrote.Load() {
			kind = Uncertain
		}
		return 0, nil, nil, &Failure{Kind: kind, Err: withoutURL(err)}
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil && answer.StatusCode < 300 {
		return answer.StatusCode, answer.Header, nil, &Failure{Kind: Uncertain, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	return answer.StatusCode, answer.Header, body, nil
}

// withoutURL is an error of net/http without the address, which may have a token in it.
func withoutURL(err error) error {
	var u interface{ Unwrap() error }
	if errors.As(err, &u) {
		if inner := u.Unwrap(); inner != nil {
			return inner
		}
	}
	return err
}

// statusFailure is the failure of an answer's status; nil for success.
func statusFailure(status int, header http.Header, body []byte) *Failure {
	err := fmt.Errorf("status %d: %s", status, clip(string(body), 300))
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return &Failure{Kind: Temporary, RetryAfter: retryAfter(header), Err: err}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &Failure{Kind: Credentials, Err: err}
	case status == http.StatusRequestTimeout || status >= 500:
		return &Failure{Kind: Temporary, Err: err}
	}
	return &Failure{Kind: Permanent, Err: err}
}

func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(min(n, 86_400)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), 24*time.Hour)
	}
	return 0
}

func clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
