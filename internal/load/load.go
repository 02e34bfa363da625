// Package load sends HTTP requests over loopback as fast as a server takes them,
// or at a fixed rate, and measures how long each took.
//
// It has two ways to send. The usual one is Go's own HTTP client, which is what
// calling services use. The lean one writes prepared bytes and reads just enough
// of the answer, so that nearly all of the machine is left to the server.
package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Options describe one run.
type Options struct {
	// Address of the server, host and port.
	Address string
	// Connections that send at the same time, each one request after another.
	Connections int
	// Duration of the run.
	Duration time.Duration
	// Rate is the number of requests per second that all connections send
	// together, at fixed moments; as many as the server takes when 0.
	Rate float64
	// Lean sends without an HTTP client.
	Lean bool
	// Took, unless nil, is told of every answer, when its request was due and how long it
	// took, by several goroutines.
	Took func(due time.Time, took time.Duration)
	// Request gives request number n of a connection. It must be safe to call from
	// several goroutines and may return the same one again.
	Request func(connection, n int) Request
}

// Result is what a run measured.
type Result struct {
	Requests int
	Failed   int           // answers other than 2xx
	Elapsed  time.Duration // first request to last answer
	latency  []time.Duration
}

// PerSecond is the rate of good answers.
func (r *Result) PerSecond() float64 { return float64(r.Requests-r.Failed) / r.Elapsed.Seconds() }

// Percentile is the latency that a share p of the requests did not exceed. At a
// fixed rate it counts from the moment at which the request was due, so that a
// server that falls behind cannot hide it.
func (r *Result) Percentile(p float64) time.Duration {
	if len(r.latency) == 0 {
		return 0
	}
	return r.latency[min(len(r.latency)-1, int(p*float64(len(r.latency))))]
}

// Run sends requests until the duration is over.
func Run(ctx context.Context, o Options) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Duration+30*time.Second)
	defer cancel()
	workers := make([]worker, o.Connections)
	for i := range workers {
		if !o.Lean {
			transport := &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, DisableCompression: true}
			defer transport.CloseIdleConnections()
			workers[i] = worker{options: &o, index: i, client: &http.Client{Transport: transport}}
			continue
		}
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", o.Address)
		if err != nil {
			return nil, fmt.Errorf("connecting to %s: %w", o.Address, err)
		}
		defer c.Close()
		deadline, _ := ctx.Deadline()
		if err := c.SetDeadline(deadline); err != nil {
			return nil, err
		}
		workers[i] = worker{options: &o, index: i, conn: c, in: bufio.NewReaderSize(c, 16<<10)}
	}
	started := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, len(workers))
	for i := range workers {
		wg.Go(func() { errs[i] = workers[i].run(ctx, started) })
	}
	wg.Wait()
	r := &Result{Elapsed: time.Since(started)}
	for i := range workers {
		r.Requests += len(workers[i].latency)
		r.Failed += workers[i].failed
		r.latency = append(r.latency, workers[i].latency...)
	}
	slices.Sort(r.latency)
	return r, errors.Join(errs...)
}

type worker struct {
	options *Options
	index   int
	client  *http.Client // unless lean
	conn    net.Conn     // lean
	in      *bufio.Reader
	latency []time.Duration
	failed  int
}

func (w *worker) run(ctx context.Context, started time.Time) error {
	end := started.Add(w.options.Duration)
	var every time.Duration
	due := started
	if w.options.Rate > 0 {
		every = time.Duration(float64(time.Second) * float64(w.options.Connections) / w.options.Rate)
		due = started.Add(every * time.Duration(w.index) / time.Duration(w.options.Connections))
	}
	for n := 0; ctx.Err() == nil; n++ {
		if every > 0 {
			time.Sleep(time.Until(due))
		} else {
			due = time.Now()
		}
		if !due.Before(end) {
			return nil
		}
		ok, err := w.exchange(ctx, w.options.Request(w.index, n))
		if err != nil {
			return err
		}
		if !ok {
			w.failed++
		}
		took := time.Since(due)
		w.latency = append(w.latency, took)
		if w.options.Took != nil {
			w.options.Took(due, took)
		}
		due = due.Add(every)
	}
	return ctx.Err()
}

// exchange sends one request and says whether the answer was good.
func (w *worker) exchange(ctx context.Context, request Request) (ok bool, err error) {
	if w.options.Lean {
		if _, err := w.conn.Write(request.bytes); err != nil {
			return false, fmt.Errorf("sending a request: %w", err)
		}
		if ok, err = readAnswer(w.in); err != nil {
			return false, fmt.Errorf("reading an answer: %w", err)
		}
		return ok, nil
	}
	r, err := http.NewRequestWithContext(ctx, request.method, request.url, bytes.NewReader(request.body))
	if err != nil {
		return false, fmt.Errorf("making a request: %w", err)
	}
	r.Header["Authorization"] = request.authorization
	r.Header["Content-Type"] = jsonType
	answer, err := w.client.Do(r)
	if err != nil {
		return false, fmt.Errorf("sending a request: %w", err)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if closed := answer.Body.Close(); err != nil || closed != nil {
		return false, fmt.Errorf("reading an answer: %w", errors.Join(err, closed))
	}
	return answer.StatusCode/100 == 2, nil
}

var jsonType = []string{"application/json"}

var contentLength = []byte("Content-Length: ")

// readAnswer reads one answer and says whether its status is 2xx.
func readAnswer(in *bufio.Reader) (ok bool, err error) {
	length, first := -1, true
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			if len(line) < 12 {
				return false, fmt.Errorf("malformed status line %q", line)
			}
			ok, first = line[9] == '2', false
		case len(line) == 0:
			if length < 0 {
				return false, errors.New("the answer has no Content-Length")
			}
			_, err := in.Discard(length)
			return ok, err
		case bytes.HasPrefix(line, contentLength):
			if length, err = strconv.Atoi(string(line[len(contentLength):])); err != nil {
				return false, fmt.Errorf("malformed Content-Length: %w", err)
			}
		}
	}
}

// Request is a prepared request: GET, or POST with a JSON body.
type Request struct {
	method        string
	url           string
	authorization []string
	body          []byte
	bytes         []byte // the whole request
}

// Post prepares a request to a host and port.
func Post(host, path, key string, body []byte) Request {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, host, key, len(body))
	b.Write(body)
	return Request{method: http.MethodPost, url: "http://" + host + path, authorization: []string{"Bearer " + key}, body: body, bytes: b.Bytes()}
}

// Get prepares a request without a body to a host and port.
func Get(host, path, key string) Request {
	return Request{method: http.MethodGet, url: "http://" + host + path, authorization: []string{"Bearer " + key},
		bytes: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, host, key)}
}
