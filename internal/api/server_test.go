package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
)

type ctxType = context.Context

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	for _, path := range []string{"/healthz", "/v1/nothing", "/openapi.json", "/docs", "/v1/plain/k"} {
		a := ask(t, s, "GET", path, nil, "X-Request-Id", "trace-1")
		for name, want := range map[string]string{
			"X-Request-Id": "trace-1", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "", "a b", "x\ty", strings.Repeat("x", 65), "<script>"} {
		a := ask(t, s, "GET", "/healthz", nil, "X-Request-Id", id)
		got := a.header.Get("X-Request-Id")
		if got == "" || got == id || seen[got] {
			t.Errorf("for the id %q the answer has %q", id, got)
		}
		seen[got] = true
	}
}

func TestScopesOfOperations(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	for _, route := range []string{"/v1/huma/k", "/v1/plain/k"} {
		for token, status := range map[string]int{"": 401, "Bearer read,ingest": 403, "Bearer decide": 200, "Bearer admin": 200} {
			a := ask(t, s, "PUT", route, strings.NewReader(`{"name":"x"}`), "Authorization", token)
			if a.status != status {
				t.Errorf("%s with %q: %d, want %d", route, token, a.status, status)
			}
			if status == 401 && a.header.Get("WWW-Authenticate") == "" {
				t.Error("a 401 without WWW-Authenticate")
			}
			if status == 403 && !strings.Contains(a.problem.Detail, "decide") {
				t.Errorf("a 403 that does not name the scope: %s", a.body)
			}
		}
	}
	// RequireHTTP works on a handler of its own too.
	handler := RequireHTTP(byName{}, ScopeRead)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if p, ok := PrincipalFrom(r.Context()); !ok || p.Name != "test" || By(r.Context()) != "key:id" {
			t.Errorf("principal %+v", p)
		}
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer read")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if By(t.Context()) != "anonymous" || RequestID(t.Context()) != "" || HTTPRequest(t.Context()) != nil {
		t.Error("a context outside of a request has a caller")
	}
}

func TestUnguardedFindsOpenRoutes(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	if found := Unguarded(s.Router); len(found) > 0 {
		t.Fatalf("%v", found)
	}
	s.Router.Get("/v1/oops/{id}", func(http.ResponseWriter, *http.Request) {})
	op := huma.Operation{OperationID: "oops", Method: http.MethodPost, Path: "/v1/oops"}
	Public(&op)
	huma.Register(s.API, op, func(context.Context, *struct{}) (*struct{}, error) { return nil, errors.New("x") })
	found := strings.Join(Unguarded(s.Router), "; ")
	if found != "POST /v1/oops: 500; GET /v1/oops/{id}: 200" && found != "GET /v1/oops/{id}: 200; POST /v1/oops: 500" {
		t.Errorf("found %s", found)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s := withWidgets(t, func(o *Options) { o.Registry = registry })
	for range 3 {
		ask(t, s, "PUT", "/v1/plain/k", strings.NewReader(`{"name":"x"}`), "Authorization", "Bearer decide")
	}
	ask(t, s, "PUT", "/v1/huma/k", strings.NewReader(`{"name":"missing"}`), "Authorization", "Bearer decide")
	ask(t, s, "PUT", "/v1/plain/k", strings.NewReader(`{"name":"panic"}`), "Authorization", "Bearer decide")
	for i := range 20 {
		ask(t, s, fmt.Sprint("ODD", i), fmt.Sprint("/unknown/", i), nil)
	}
	for _, c := range []struct {
		from   string
		header []string
		status int
	}{
		{"127.0.0.1:9", nil, 200}, {"[::1]:9", nil, 200}, {"[::ffff:127.0.0.1]:9", nil, 200},
		{"203.0.113.7:9", nil, 401}, {"127.0.0.1:9", []string{"X-Forwarded-For", "127.0.0.1"}, 401}, {"odd", nil, 401},
		{"203.0.113.7:9", []string{"Authorization", "Bearer decide"}, 403}, {"203.0.113.7:9", []string{"Authorization", "Bearer read"}, 200},
	} {
		a := ask(t, s, "GET", "/metrics", nil, append(c.header, "from", c.from)...)
		if a.status != c.status {
			t.Errorf("%+v: %d", c, a.status)
		}
	}
	text := ask(t, s, "GET", "/metrics", nil, "from", "127.0.0.1:9").body
	for _, line := range []string{
		`quintet_http_requests_total{method="PUT",route="/v1/plain/{key}",status="2xx"} 3`,
		`quintet_http_requests_total{method="PUT",route="/v1/plain/{key}",status="5xx"} 1`,
		`quintet_http_requests_total{method="PUT",route="/v1/huma/{key}",status="4xx"} 1`,
		`quintet_http_requests_total{method="other",route="none",status="4xx"} 20`,
		`quintet_http_request_duration_seconds_count{method="PUT",route="/v1/plain/{key}"} 4`,
		`quintet_http_panics_total 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if strings.Contains(text, "ODD") || strings.Contains(text, "/unknown/") {
		t.Error("callers can make labels")
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	s := newServer(t, func(o *Options) {
		o.Ready = func(ctx context.Context) map[string]error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the checks have no deadline")
			}
			if broken.Load() {
				return map[string]error{"postgres": nil, "clickhouse": errors.New("dial tcp 10.0.0.3: refused")}
			}
			return map[string]error{"postgres": nil}
		}
	})
	if a := ask(t, s, "GET", "/readyz", nil); a.status != 200 || !strings.Contains(a.body, `"postgres":"ok"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	broken.Store(true)
	far := ask(t, s, "GET", "/readyz", nil)
	near := ask(t, s, "GET", "/readyz", nil, "from", "127.0.0.1:1")
	if far.status != 503 || near.status != 503 || !strings.Contains(far.body, "clickhouse") || strings.Contains(far.body, "10.0.0.3") || !strings.Contains(near.body, "10.0.0.3") {
		t.Errorf("from afar %s, from here %s", far.body, near.body)
	}
	if a := ask(t, s, "GET", "/healthz", nil); a.status != 200 {
		t.Errorf("health: %d", a.status)
	}
}

// Requests that run when the server is told to stop are finished, new ones refused.
func TestRunDrains(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	began, finish := make(chan struct{}), make(chan struct{})
	s.Router.Get("/slow", func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-finish
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request was cancelled: %v", err)
		}
		_, _ = w.Write([]byte("done"))
	})
	address, stop := serve(t, s, 10*time.Second)
	slow := make(chan answer, 1)
	go func() {
		response, err := http.Get(address + "/slow")
		if err != nil {
			t.Error(err)
			slow <- answer{}
			return
		}
		slow <- read(t, response)
	}()
	<-began
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	for end := time.Now().Add(5 * time.Second); !s.draining.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if a := ask(t, s, "GET", "/readyz", nil); a.status != 503 {
		t.Errorf("ready while stopping: %d", a.status)
	}
	close(finish)
	if a := <-slow; a.body != "done" {
		t.Errorf("the running request: %+v", a)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(address + "/healthz"); err == nil {
		t.Error("the server still takes connections")
	}
}

func TestRunEndsAfterTheDrainTime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	began := make(chan struct{})
	s.Router.Get("/stuck", func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})
	address, stop := serve(t, s, 50*time.Millisecond)
	go func() {
		if response, err := http.Get(address + "/stuck"); err == nil {
			response.Body.Close()
		}
	}()
	<-began
	if err := stop(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run ended with %v", err)
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	s := withWidgets(t, func(o *Options) { o.Deadline = 30 * time.Millisecond })
	for _, route := range []string{"/v1/huma/k", "/v1/plain/k"} {
		start := time.Now()
		a := ask(t, s, "PUT", route, strings.NewReader(`{"name":"wait"}`), "Authorization", "Bearer decide")
		if took := time.Since(start); a.status != 503 || took < 25*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s: %d after %s", route, a.status, took)
		}
	}
	check := func(w http.ResponseWriter, r *http.Request) {
		deadline, ok := r.Context().Deadline()
		if left := time.Until(deadline); !ok || left < 9*time.Second || left > 10*time.Second {
			t.Errorf("%s: %s left", r.URL.Path, left)
		}
		derived, cancel := context.WithCancel(r.Context())
		cancel()
		if derived.Err() == nil || r.Context().Err() != nil {
			t.Error("cancelling a derived context does not stay with it")
		}
		w.WriteHeader(204)
	}
	s.Router.With(DeadlineHTTP(10*time.Second)).Get("/own", check)
	op := huma.Operation{OperationID: "own", Method: http.MethodGet, Path: "/own-huma"}
	Public(&op)
	Deadline(10 * time.Second)(&op)
	huma.Register(s.API, op, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		check(httptest.NewRecorder(), HTTPRequest(ctx).WithContext(ctx))
		return nil, nil
	})
	for _, path := range []string{"/own", "/own-huma"} {
		if a := ask(t, s, "GET", path, nil); a.status != 204 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// The lazy timer of a request agrees with an ordinary context.
func TestRequestContext(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithCancel(t.Context())
	c := &requestContext{Context: parent, deadline: time.Now().Add(time.Hour)}
	child, stop := context.WithTimeout(c, 30*time.Minute)
	defer stop()
	cancel()
	select {
	case <-child.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("cancelling the parent does not reach what is derived")
	}
	if !errors.Is(c.Err(), context.Canceled) || !errors.Is(child.Err(), context.Canceled) {
		t.Errorf("errors %v and %v", c.Err(), child.Err())
	}
	c.finish()
	late := &requestContext{Context: t.Context(), deadline: time.Now().Add(-time.Second)}
	if !errors.Is(late.Err(), context.DeadlineExceeded) {
		t.Errorf("after the deadline, before Done: %v", late.Err())
	}
	<-late.Done()
	if !errors.Is(late.Err(), context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", late.Err())
	}
	late.finish()
}

// An answer that has begun is cut when its handler panics: half of it must not
// look whole.
func TestPanicInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Router.Get("/half", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"half":`))
		panic("in the middle")
	})
	address, stop := serve(t, s, time.Second)
	response, err := http.Get(address + "/half")
	if err == nil {
		var v any
		err = json.NewDecoder(response.Body).Decode(&v)
		response.Body.Close()
	}
	if err == nil {
		t.Error("the caller sees a whole answer")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestConsole(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	s.MountConsole(fstest.MapFS{
		"index.html":        {Data: []byte("<html>console</html>")},
		"assets/app-1a2.js": {Data: []byte(strings.Repeat("run();", 1000))},
		"favicon.svg":       {Data: []byte("<svg/>")},
		".marker":           {Data: []byte("x")},
	})
	const page = "text/html,application/xhtml+xml"
	for _, c := range []struct {
		method, path, accept string
		status               int
		content, cache       string
	}{
		{"GET", "/", page, 200, "console", "no-cache"},
		{"GET", "/", "", 200, "console", "no-cache"},
		{"GET", "/index.html", "", 200, "console", "no-cache"},
		{"HEAD", "/", page, 200, "", "no-cache"},
		{"GET", "/decision-points/home-hero", page, 200, "console", "no-cache"},
		{"GET", "/decision-points/home-hero", "application/json", 404, "problem", "no-store"},
		{"GET", "/assets/app-1a2.js", "", 200, "run();", "public, max-age=31536000, immutable"},
		{"GET", "/assets/app-old.js", page, 404, "", "no-store"},
		{"GET", "/favicon.svg", "", 200, "svg", "no-cache"},
		{"GET", "/.marker", "", 404, "", "no-store"},
		{"GET", "/../../etc/passwd", "", 404, "", "no-store"},
		{"GET", "/v1/unknown", page, 404, "", "no-store"},
		{"GET", "/auth/unknown", page, 404, "", "no-store"},
		{"POST", "/", page, 404, "", "no-store"},
	} {
		a := ask(t, s, c.method, c.path, nil, "Accept", c.accept)
		if a.status != c.status || c.status == 200 && !strings.Contains(a.body, c.content) || a.header.Get("Cache-Control") != c.cache {
			t.Errorf("%s %s for %q: %d %.60s, %s", c.method, c.path, c.accept, a.status, a.body, a.header.Get("Cache-Control"))
		}
		policy := a.header.Get("Content-Security-Policy")
		if c.status == 200 && (!strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe-eval") || strings.Contains(policy, "script-src 'self' 'unsafe-inline'")) {
			t.Errorf("%s: policy %q", c.path, policy)
		}
	}
	zipped := ask(t, s, "GET", "/assets/app-1a2.js", nil, "Accept-Encoding", "gzip, br")
	if zipped.header.Get("Content-Encoding") != "gzip" || len(zipped.body) > 1000 {
		t.Errorf("compressed: %v, %d bytes", zipped.header, len(zipped.body))
	}
	if a := ask(t, s, "GET", "/assets/app-1a2.js", nil, "If-None-Match", zipped.header.Get("ETag")); a.status != 304 || a.body != "" {
		t.Errorf("unchanged: %d", a.status)
	}
	unbuilt := newServer(t)
	unbuilt.MountConsole(fstest.MapFS{".keep": {}})
	if a := ask(t, unbuilt, "GET", "/", nil); a.status != 200 || !strings.Contains(a.body, "make console") {
		t.Errorf("without a build: %d %s", a.status, a.body)
	}
}

// The documentation page and all it loads come from this server.
func TestDocs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	page := ask(t, s, "GET", "/docs", nil)
	if page.status != 200 || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %v", page.status, page.header)
	}
	if strings.Contains(page.body, "http:") || strings.Contains(page.body, "https:") {
		t.Error("the page refers to another host")
	}
	loaded := 0
	for _, piece := range strings.Split(page.body, `"`) {
		if !strings.HasPrefix(piece, "/docs/") {
			continue
		}
		loaded++
		for _, encoding := range []string{"gzip", ""} {
			if a := ask(t, s, "GET", piece, nil, "Accept-Encoding", encoding); a.status != 200 || len(a.body) < 100 {
				t.Errorf("%s: %d, %d bytes", piece, a.status, len(a.body))
			}
		}
	}
	if loaded < 4 {
		t.Errorf("the page loads %d files", loaded)
	}
	if a := ask(t, s, "GET", "/docs/none.js", nil); a.status != 404 {
		t.Errorf("an unknown file: %d", a.status)
	}
}
