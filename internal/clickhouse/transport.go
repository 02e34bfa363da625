package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// transport answers the HTTP requests of clickhouse-go from the embedded
// engine, without a socket.
type transport struct {
	pool *pool
}

// RoundTrip runs the request's query. The error is the context's when the
// context ended first; an error of the engine is an HTTP response, which
// clickhouse-go turns into a *clickhouse.Exception.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return roundTrip(r, func() (*answer, error) { return t.run(r) })
}

func roundTrip(r *http.Request, run func() (*answer, error)) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	a, err := run()
	if err != nil {
		var e *exception
		if !errors.As(err, &e) {
			return nil, err
		}
		response := respond(r, e.status(), []byte(e.text+"\n"))
		response.Header.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
		return response, nil
	}
	return respond(r, http.StatusOK, a.body), nil
}

func (t *transport) run(r *http.Request) (*answer, error) {
	q, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	st := &q.statement
	body := &contextReader{ctx: r.Context(), r: q.body}
	if err := st.compile(q.query, body, t.pool.engine.tempDir, maxInsertBytes); err != nil {
		st.release()
		return nil, err
	}
	return t.pool.run(r.Context(), st)
}

// contextReader stops reading when its context has ended.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// respond makes a response with its length, by which clickhouse-go recognises
// that there is no result.
func respond(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}
}
