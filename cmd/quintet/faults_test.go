package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// fault is what becomes of a call on its way to the server.
type fault string

const (
	delivered   fault = ""           // as it should be
	tooMany     fault = "429"        // refused with Retry-After
	unavailable fault = "503"        // refused
	unsent      fault = "unsent"     // the connection breaks before the server sees the call
	unanswered  fault = "unanswered" // it breaks when the server has taken the call
	cutShort    fault = "cut-short"  // the answer breaks off
	tooLarge    fault = "413"        // refused for good
	unknownKey  fault = "401"        // the server refuses the key
)

// faulty stands between a client and the server and spoils the first calls that
// send something.
type faulty struct {
	*httptest.Server
	target *url.URL
	fault  fault
	times  int

	mu    sync.Mutex
	calls int // that sent something
}

func newFaulty(t testing.TB, server string, f fault, times int) *faulty {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	p := &faulty{target: target, fault: f, times: times}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

// due says whether the call is to be spoilt: the first ones, whichever they are.
func (p *faulty) due() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	return p.fault != delivered && p.calls <= p.times
}

func (p *faulty) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	spoilt := r.Method == http.MethodPost && p.due()
	if spoilt {
		switch p.fault {
		case tooMany:
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"title":"Too many"}`, http.StatusTooManyRequests)
			return
		case unavailable:
			http.Error(w, `{"title":"Unavailable"}`, http.StatusServiceUnavailable)
			return
		case tooLarge:
			http.Error(w, `{"title":"Too large"}`, http.StatusRequestEntityTooLarge)
			return
		case unsent:
			hangUp(w)
			return
		}
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, p.target.String()+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header = r.Header.Clone()
	request.Host = r.Host
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		hangUp(w)
		return
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil || spoilt && p.fault == unanswered {
		hangUp(w)
		return
	}
	for name, values := range answer.Header {
		if !strings.EqualFold(name, "Content-Length") {
			w.Header()[name] = values
		}
	}
	if spoilt && p.fault == cutShort {
		w.Header().Set("Content-Length", "100000")
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(content) // the client may be gone
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}
