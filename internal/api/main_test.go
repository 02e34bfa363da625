package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/problem"
)

// byName lets callers in by a bearer token that lists their scopes: "read,decide".
type byName struct{}

func (byName) Authenticate(r *http.Request) (Principal, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Principal{}, problem.Unauthorized("The request needs an API key.")
	}
	p := Principal{ID: "id", Name: "test", Kind: "key"}
	for _, s := range strings.Split(token, ",") {
		p.Scopes = append(p.Scopes, Scope(s))
	}
	return p, nil
}

func newServer(t testing.TB, change ...func(*Options)) *Server {
	o := Options{Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})), Auth: byName{}, Version: "1.2.3"}
	for _, c := range change {
		c(&o)
	}
	return New(o)
}

type answer struct {
	status  int
	header  http.Header
	body    string
	problem problem.Document
}

// ask sends a request from another machine; header holds names and values in turn.
func ask(t testing.TB, s *Server, method, path string, body io.Reader, header ...string) answer {
	t.Helper()
	r := httptest.NewRequest(method, path, body)
	r.RemoteAddr = "203.0.113.7:1234"
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "from" {
			r.RemoteAddr = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	s.Router.ServeHTTP(rec, r)
	return read(t, rec.Result())
}

// read also checks what holds for every problem.
func read(t testing.TB, response *http.Response) answer {
	t.Helper()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header, body: string(content)}
	if a.status < 400 || response.Request != nil && response.Request.Method == http.MethodHead || len(content) == 0 {
		return a
	}
	if got := a.header.Get("Content-Type"); got != problem.ContentType {
		t.Errorf("a %d has the content type %q: %s", a.status, got, content)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a.problem); err != nil {
		t.Errorf("a %d is no problem document: %v: %s", a.status, err, content)
	}
	if a.problem.Status != a.status || a.problem.Title == "" || a.problem.Type == "" || a.problem.Instance != a.header.Get("X-Request-Id") {
		t.Errorf("a %d with id %q has the document %+v", a.status, a.header.Get("X-Request-Id"), a.problem)
	}
	return a
}

func (a answer) locations() []string {
	list := make([]string, len(a.problem.Errors))
	for i, v := range a.problem.Errors {
		list[i] = v.Location
	}
	return list
}

// widget is a body with a field of every sort.
type widget struct {
	Name    string         `json:"name" maxLength:"20"`
	Weight  float64        `json:"weight,omitempty"`
	Count   int            `json:"count,omitempty"`
	On      bool           `json:"on,omitempty"`
	At      *time.Time     `json:"at,omitempty"`
	Parts   []part         `json:"parts,omitempty"`
	Context map[string]any `json:"context,omitempty"`
}

type part struct {
	Weight float64 `json:"weight"`
}

// handle is what both kinds of routes do: fail in the way that the name asks for.
func handle(ctx context.Context, w *widget) error {
	switch w.Name {
	case "missing":
		return fmt.Errorf("looking: %w", problem.NotFound("widget", w.Name))
	case "invalid":
		return fmt.Errorf("checking: %w", problem.Invalid{{Field: "parts[1].weight", Rule: "must be above 0", Value: w.Weight}})
	case "busy":
		return problem.TooBusy(1500*time.Millisecond, "The queue is full.")
	case "broken":
		return errors.New("password hunter2 was refused by the database")
	case "late":
		return fmt.Errorf("asking: %w", context.DeadlineExceeded)
	case "gone":
		return fmt.Errorf("asking: %w", context.Canceled)
	case "panic":
		panic("hunter2")
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// withWidgets has the same route as a huma operation and as a plain handler.
func withWidgets(t testing.TB, change ...func(*Options)) *Server {
	s := newServer(t, change...)
	op := huma.Operation{OperationID: "put-widget", Method: http.MethodPut, Path: "/v1/huma/{key}"}
	Require(ScopeDecide)(&op)
	huma.Register(s.API, op, func(ctx context.Context, in *struct {
		Key  string `path:"key" maxLength:"10"`
		Page int    `query:"page" maximum:"9"`
		Body widget
	}) (*struct{ Body widget }, error) {
		return &struct{ Body widget }{in.Body}, handle(ctx, &in.Body)
	})
	s.Router.With(s.Require(ScopeDecide)).Put("/v1/plain/{key}", func(w http.ResponseWriter, r *http.Request) {
		var body widget
		err := DecodeJSON(r, 1<<20, &body, RefuseUnknown())
		if err == nil {
			err = handle(r.Context(), &body)
		}
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	})
	return s
}

// serve runs a server on a port; stop ends it and returns what Run did.
func serve(t testing.TB, s *Server, drain time.Duration) (address string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, listener, drain) }()
	stop = func() error { cancel(); return <-ended }
	t.Cleanup(cancel)
	return "http://" + listener.Addr().String(), stop
}
