package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/client"
)

// badCall is a request that breaks a rule, and what has to be said about it.
type badCall struct {
	name     string
	method   string // POST unless set
	path     string
	body     string
	key      string            // an allowed one unless set; "-" sends none
	header   map[string]string // further headers
	status   int
	location string // of one of the errors; empty where no field is to blame
}

// The bodies that seed the fuzz targets too.
var (
	deep         = strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	nested17     = strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17)
	longName     = strings.Repeat("x", 10_000)
	manyMessages = `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"track","event":"E","userId":"u"},`, 2501), ",") + `]}`
)

func badDecides() []badCall {
	const path = "/v1/decide"
	decide := func(user, context string) string {
		return `{"decision":"hero","user":` + user + `,"context":` + context + `}`
	}
	return []badCall{
		{name: "no body", path: path, status: 400, location: "body"},
		{name: "malformed JSON", path: path, body: `{"decision":"hero",`, status: 400, location: "body.decision"},
		{name: "two values", path: path, body: decide(`{"userId":"u"}`, `{}`) + `{}`, status: 400, location: "body"},
		{name: "not an object", path: path, body: `[1]`, status: 422, location: "body"},
		{name: "unknown decision point", path: path, body: `{"decision":"nowhere","user":{"userId":"u"}}`, status: 404, location: "body.decision"},
		{name: "no decision point", path: path, body: `{"user":{"userId":"u"}}`, status: 422, location: "body.decision"},
		{name: "number for a key", path: path, body: `{"decision":7,"user":{"userId":"u"}}`, status: 422, location: "body.decision"},
		{name: "text for a person", path: path, body: `{"decision":"hero","user":"u"}`, status: 422, location: "body.user"},
		{name: "number for an identifier", path: path, body: decide(`{"userId":5}`, `{}`), status: 422, location: "body.user.userId"},
		{name: "no person", path: path, body: `{"decision":"hero"}`, status: 422, location: "body.user"},
		{name: "empty person", path: path, body: decide(`{}`, `{}`), status: 422, location: "body.user"},
		{name: "empty identifier", path: path, body: decide(`{"userId":""}`, `{}`), status: 422, location: "body.user.userId"},
		{name: "long identifier", path: path, body: decide(`{"userId":"`+longName+`"}`, `{}`), status: 422, location: "body.user.userId"},
		{name: "NaN in the context", path: path, body: decide(`{"userId":"u"}`, `{"price":NaN}`), status: 400, location: "body.context.price"},
		{name: "number without bounds", path: path, body: decide(`{"userId":"u"}`, `{"price":1e999}`), status: 422, location: "body.context.price"},
		{name: "nested context", path: path, body: decide(`{"userId":"u"}`, `{"page":{"path":"/"}}`), status: 422, location: "body.context.page"},
		{name: "list in the context", path: path, body: decide(`{"userId":"u"}`, `{"tags":["a"]}`), status: 422, location: "body.context.tags"},
		{name: "deep nesting", path: path, body: decide(`{"userId":"u"}`, deep), status: 422, location: "body"},
		{name: "text for a limit", path: path, body: `{"decision":"hero","user":{"userId":"u"},"limit":"3"}`, status: 422, location: "body.limit"},
		{name: "limit out of range", path: path, body: `{"decision":"hero","user":{"userId":"u"},"limit":51}`, status: 422, location: "body.limit"},
		{name: "invalid UTF-8", path: path, body: decide("{\"userId\":\"\xff\"}", `{}`), status: 400, location: "body.user.userId"},
		{name: "5 MB", path: path, body: decide(`{"userId":"u"}`, `{"a":"`+strings.Repeat("x", 5<<20)+`"}`), status: 413},
		{name: "unknown encoding", path: path, body: decide(`{"userId":"u"}`, `{}`), header: map[string]string{"Content-Encoding": "br"}, status: 415, location: "header.Content-Encoding"},
		{name: "gzip that is none", path: path, body: decide(`{"userId":"u"}`, `{}`), header: map[string]string{"Content-Encoding": "gzip"}, status: 400},
		{name: "empty batch", path: path + "/batch", body: `{"requests":[]}`, status: 422, location: "body.requests"},
		{name: "batch of text", path: path + "/batch", body: `{"requests":"x"}`, status: 422, location: "body.requests"},
		{name: "batch with a bad field", path: path + "/batch", body: `{"requests":[{"decision":"hero","user":{"userId":1}}]}`, status: 422, location: "body.requests[0].user.userId"},
	}
}

func badEvents() []badCall {
	track := func(extra string) string { return `{"userId":"u","event":"E"` + extra + `}` }
	return []badCall{
		{name: "no body", path: "/v1/track", status: 400, location: "body"},
		{name: "malformed JSON", path: "/v1/track", body: `{"userId":"u","event":}`, status: 400, location: "body.event"},
		{name: "not an object", path: "/v1/track", body: `7`, status: 422, location: "body"},
		{name: "no event", path: "/v1/track", body: `{"userId":"u"}`, status: 422, location: "body.event"},
		{name: "nobody", path: "/v1/track", body: `{"event":"E"}`, status: 422, location: "body.userId"},
		{name: "number for a name", path: "/v1/track", body: `{"userId":"u","event":5}`, status: 422, location: "body.event"},
		{name: "long identifier", path: "/v1/identify", body: `{"userId":"` + longName + `"}`, status: 422, location: "body.userId"},
		{name: "text for properties", path: "/v1/track", body: track(`,"properties":"x"`), status: 422, location: "body.properties"},
		{name: "NaN in a property", path: "/v1/track", body: track(`,"properties":{"revenue":NaN}`), status: 400, location: "body.properties.revenue"},
		{name: "number without bounds", path: "/v1/track", body: track(`,"properties":{"revenue":1e999}`), status: 422, location: "body.properties.revenue"},
		{name: "deep nesting", path: "/v1/track", body: track(`,"properties":` + nested17), status: 422, location: "body.properties"},
		{name: "nesting without end", path: "/v1/track", body: track(`,"properties":` + deep), status: 400},
		{name: "bad time", path: "/v1/track", body: track(`,"timestamp":"yesterday"`), status: 422, location: "body.timestamp"},
		{name: "event of 40 KB", path: "/v1/track", body: track(`,"properties":{"a":"` + strings.Repeat("x", 40<<10) + `"}`), status: 422, location: "body"},
		{name: "invalid UTF-8", path: "/v1/track", body: track(",\"properties\":{\"a\":\"\xff\"}"), status: 422, location: "body.properties.a"},
		{name: "empty batch", path: "/v1/batch", body: `{"batch":[]}`, status: 422, location: "body.batch"},
		{name: "no batch", path: "/v1/batch", body: `{}`, status: 422, location: "body.batch"},
		{name: "2,501 events", path: "/v1/batch", body: manyMessages, status: 422, location: "body.batch"},
		{name: "batch of 5 MB", path: "/v1/batch", body: `{"batch":["` + strings.Repeat("x", 5<<20) + `"]}`, status: 413},
		{name: "batch of nothing good", path: "/v1/batch", body: `{"batch":[{"type":"track","userId":"u"},{"type":"dance","userId":"u"}]}`, status: 422, location: "body.batch[1].type"},
		{name: "unknown encoding", path: "/v1/batch", body: `{"batch":[]}`, header: map[string]string{"Content-Encoding": "zstd"}, status: 415, location: "header.Content-Encoding"},
	}
}

func badDefinitions() []badCall {
	experiment := func(weights string) string {
		return `{"decisionPoint":"hero","metrics":[],"variants":[` + weights + `]}`
	}
	put := func(name, path, body string, status int, location string) badCall {
		return badCall{name: name, method: "PUT", path: "/v1/" + path, body: body, status: status, location: location}
	}
	return []badCall{
		put("weights that sum to 1.1", "experiments/new", experiment(`{"key":"a","weight":0.5,"control":true},{"key":"b","weight":0.6}`), 422, "body.variants"),
		put("negative weight", "experiments/new", experiment(`{"key":"a","weight":1.5,"control":true},{"key":"b","weight":-0.5}`), 422, "body.variants[1].weight"),
		put("text for a weight", "experiments/new", experiment(`{"key":"a","weight":"half","control":true},{"key":"b","weight":0.5}`), 422, "body.variants[0].weight"),
		put("two controls", "experiments/new", experiment(`{"key":"a","weight":0.5,"control":true},{"key":"b","weight":0.5,"control":true}`), 422, "body.variants"),
		put("unknown field", "offers/new", `{"activ":true}`, 422, "body.activ"),
		put("bad key", "offers/No%20Key", `{"active":true}`, 422, "path.key"),
		put("another key", "offers/new", `{"key":"other","active":true}`, 422, "body.key"),
		put("malformed JSON", "offers/new", `{"active":tru}`, 400, "body.active"),
		put("holdout above one", "holdouts/universal", `{"share":1.5}`, 422, "body.share"),
		put("NaN as a share", "holdouts/universal", `{"share":NaN}`, 400, "body.share"),
		put("unknown offer", "decision-points/new", `{"offers":["nothing"],"channels":["onsite"],"creatives":[{"key":"a"}],"policy":{"type":"uniform"},"objective":{"terms":[{"event":"E"}],"windowHours":1}}`, 422, "body.offers[0]"),
		{name: "no such route", method: "GET", path: "/v1/nothing", status: 404},
		{name: "no such method", method: "DELETE", path: "/v1/decide", status: 405},
		{name: "no such decision", method: "GET", path: "/v1/decisions/01ARZ3NDEKTSV4RRFFQ69G5FAV", status: 404},
		{name: "limit that is no number", method: "GET", path: "/v1/decisions?limit=many", status: 422, location: "query.limit"},
	}
}

func badCallers(decideOnly, revoked string) []badCall {
	const body = `{"decision":"hero","user":{"userId":"u"}}`
	const event = `{"userId":"u","event":"E"}`
	return []badCall{
		{name: "decide without a key", path: "/v1/decide", body: body, key: "-", status: 401},
		{name: "decide with a revoked key", path: "/v1/decide", body: body, key: revoked, status: 401},
		{name: "decide with nonsense", path: "/v1/decide", body: body, key: "qk_nonsense", status: 401},
		{name: "track without a key", path: "/v1/track", body: event, key: "-", status: 401},
		{name: "track with a revoked key", path: "/v1/track", body: event, key: revoked, status: 401},
		{name: "track with a key in the body that is none", path: "/v1/track", body: `{"userId":"u","event":"E","writeKey":"x"}`, key: "-", status: 401},
		{name: "track with the wrong scope", path: "/v1/track", body: event, key: decideOnly, status: 403},
		{name: "definitions with the wrong scope", method: "PUT", path: "/v1/offers/new", body: `{"active":true}`, key: decideOnly, status: 403},
		{name: "reading with the wrong scope", method: "GET", path: "/v1/decisions", key: decideOnly, status: 403},
	}
}

// Whatever is wrong with a call, the answer is a problem document that names the
// field, and nothing is stored.
func TestBadInput(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	create(t, r.client, hero())
	decideOnly, _ := r.newKey(api.ScopeDecide)
	revoked, id := r.newKey(api.ScopeAdmin)
	if err := r.app.auth.RevokeKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	// Something is there, so that "unchanged" is more than "empty".
	for path, body := range map[string]string{"/v1/decide": `{"decision":"hero","user":{"userId":"first"}}`, "/v1/track": `{"userId":"first","event":"E"}`} {
		if err := r.client.Post(t.Context(), path, json.RawMessage(body), nil); err != nil {
			t.Fatal(err)
		}
	}
	before := r.contents()
	for group, calls := range map[string][]badCall{
		"decide": badDecides(), "events": badEvents(), "definitions": badDefinitions(), "callers": badCallers(decideOnly, revoked),
	} {
		for _, call := range calls {
			t.Run(group+"/"+call.name, func(t *testing.T) { r.refuses(t, call) })
		}
	}
	if after := r.contents(); after != before {
		t.Errorf("refused calls left something behind:\nbefore %s\nafter  %s", before, after)
	}
	var answer struct {
		Fallback bool `json:"fallback"`
	}
	if err := r.client.Post(t.Context(), "/v1/decide", json.RawMessage(`{"decision":"hero","user":{"userId":"first"}}`), &answer); err != nil || answer.Fallback {
		t.Errorf("after all that, a good call: fallback %v, %v", answer.Fallback, err)
	}
}

func (r *resident) refuses(t *testing.T, call badCall) {
	t.Helper()
	method := call.method
	if method == "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(t.Context(), method, r.base+call.path, strings.NewReader(call.body))
	if err != nil {
		t.Fatal(err)
	}
	switch call.key {
	case "":
		request.Header.Set("Authorization", "Bearer "+r.key)
	case "-":
	default:
		request.Header.Set("Authorization", "Bearer "+call.key)
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range call.header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p client.Problem
	if response.StatusCode != call.status || response.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(body, &p) != nil {
		t.Fatalf("status %d (%s), want a problem of status %d: %.500s", response.StatusCode, response.Header.Get("Content-Type"), call.status, body)
	}
	if p.Status != call.status || p.Title == "" || len(body) > 64<<10 {
		t.Errorf("a problem of %d bytes with status %d and title %q", len(body), p.Status, p.Title)
	}
	if call.location == "" {
		return
	}
	for _, e := range p.Errors {
		if e.Location == call.location && e.Message != "" {
			return
		}
	}
	t.Errorf("no error names %s: %.500s", call.location, body)
}

// contents is how much the service holds.
func (r *resident) contents() string {
	r.t.Helper()
	r.flush()
	var out bytes.Buffer
	for _, table := range []string{"events", "decisions", "exposures"} {
		fmt.Fprintf(&out, "%s %d, ", table, r.number("SELECT count() FROM "+table))
	}
	var profiles, definitions int
	if err := r.app.engines.Postgres.QueryRow(r.t.Context(), "SELECT count(*) FROM profiles").Scan(&profiles); err != nil {
		r.t.Fatal(err)
	}
	if err := r.app.engines.Postgres.QueryRow(r.t.Context(), "SELECT count(*) FROM definition_versions").Scan(&definitions); err != nil {
		r.t.Fatal(err)
	}
	fmt.Fprintf(&out, "profiles %d, definitions %d, in memory %d", profiles, definitions, r.app.profiles.Store().Len())
	return out.String()
}

// Nobody gets in without credentials, from wherever.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	for _, open := range api.Unguarded(r.app.server.Router) {
		t.Errorf("%s without credentials", open)
	}
	readOnly, _ := r.newKey(api.ScopeRead)
	for _, c := range []struct {
		from, key string
		status    int
	}{
		{"127.0.0.1:4000", "", 200}, {"[::1]:4000", "", 200}, {"203.0.113.9:4000", "", 401}, {"10.0.0.7:4000", "", 401},
		{"203.0.113.9:4000", "nonsense", 401}, {"203.0.113.9:4000", readOnly, 200},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.RemoteAddr = c.from
		if c.key != "" {
			request.Header.Set("Authorization", "Bearer "+c.key)
		}
		answer := serveHere(r, request)
		if answer.status != c.status {
			t.Errorf("/metrics from %s: %d, want %d", c.from, answer.status, c.status)
		}
		if c.status == 200 && !strings.Contains(answer.body.String(), "quintet_lag_seconds") {
			t.Errorf("/metrics from %s lacks the lag", c.from)
		}
	}
}

// answer is what a handler wrote.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// SetReadDeadline implements what http.ResponseController asks for.
func (a *answer) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements what http.ResponseController asks for.
func (a *answer) SetWriteDeadline(time.Time) error { return nil }

// serveHere calls the service's handler without a connection between.
func serveHere(r *resident, request *http.Request) *answer {
	a := &answer{header: http.Header{}}
	r.app.server.Router.ServeHTTP(a, request)
	a.WriteHeader(http.StatusOK)
	return a
}
