package client

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func connect(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(Options{BaseURL: server.URL + "/", Key: "secret", Timeout: 5 * time.Second, MaxWait: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCallRepeatsWhatTheServerDidNotTake(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"429": http.StatusTooManyRequests, "503": http.StatusServiceUnavailable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			c := connect(t, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Authorization"); got != "Bearer secret" {
					t.Errorf("authorization %q", got)
				}
				if calls.Add(1) < 3 {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(status)
					return
				}
				_, _ = w.Write([]byte(`{"ok":true}`))
			})
			var out struct{ OK bool }
			if err := c.Post(context.Background(), "/v1/things?x=1", map[string]int{"a": 1}, &out); err != nil {
				t.Fatal(err)
			}
			if !out.OK || calls.Load() != 3 {
				t.Fatalf("ok=%v after %d calls", out.OK, calls.Load())
			}
		})
	}
}

// A dropped connection after the request was read: only calls that may be
// repeated are.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		call  func(*Client) error
		calls int32
	}{
		"plain post":      {func(c *Client) error { return c.Post(context.Background(), "/x", 1, nil) }, 1},
		"idempotent post": {func(c *Client) error { return c.Post(context.Background(), "/x", 1, nil, Idempotent()) }, 2},
		"put":             {func(c *Client) error { return c.Put(context.Background(), "/x", 1, nil) }, 2},
		"put once":        {func(c *Client) error { return c.Put(context.Background(), "/x", 1, nil, Once()) }, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			c := connect(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == 1 {
					connection, _, err := w.(http.Hijacker).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					_ = connection.Close()
				}
			})
			err := tc.call(c)
			if got := calls.Load(); got != tc.calls {
				t.Fatalf("%d calls, want %d (%v)", got, tc.calls, err)
			}
			if (tc.calls == 1) != (err != nil) {
				t.Fatalf("error %v after %d calls", err, tc.calls)
			}
		})
	}
}

func TestRefusedConnectionIsRepeatedForEveryCall(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	c, err := New(Options{BaseURL: "http://" + address, Attempts: 3, MaxWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Post(context.Background(), "/x", 1, nil); err == nil {
		t.Fatal("a refused connection gave no error")
	}
}

func TestProblem(t *testing.T) {
	t.Parallel()
	c := connect(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"title":"Unprocessable","detail":"weights","errors":[{"location":"body.weight","message":"must sum to 1","value":1.1}]}`))
	})
	err := c.Post(context.Background(), "/x", 1, nil)
	var p *Problem
	if !errors.As(err, &p) || p.Status != 422 || StatusOf(err) != 422 {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"body.weight", "must sum to 1", "422"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func TestBatchKeepsMessageIDsOverAttempts(t *testing.T) {
	t.Parallel()
	var first string
	var calls atomic.Int32
	c := connect(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Batch []Message }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		id := body.Batch[0].MessageID
		if calls.Add(1) == 1 {
			first = id
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if id == "" || id != first {
			t.Errorf("message id %q, at first %q", id, first)
		}
		_, _ = w.Write([]byte(`{"success":true,"accepted":1}`))
	})
	result, err := c.Batch(context.Background(), []Message{{Type: "track", UserID: "u", Event: "Visited"}})
	if err != nil || result.Accepted != 1 || calls.Load() != 2 {
		t.Fatalf("%+v %v after %d calls", result, err, calls.Load())
	}
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "localhost:8080", "ftp://x", "http://", "http://a b"} {
		if _, err := New(Options{BaseURL: address}); err == nil {
			t.Errorf("%q was accepted", address)
		}
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := connect(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	c.options.MaxWait = time.Minute
	c.options.Attempts = 1000
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := c.Get(ctx, "/x", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}
