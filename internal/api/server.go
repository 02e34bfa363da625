// Package api is the HTTP server that every other package hangs its routes on.
//
// A [Server] is a chi router with a huma API on top. What a request meets, in
// this order: an id, a deadline and a limit on its body ([Server] and observe.go),
// gzip decoding, the router, and a check of who asks for it ([Require] for huma
// operations, [RequireHTTP] for plain handlers on the hot paths). Handlers return
// the errors of the problem package and every failure, also those of the router
// and of huma, leaves as the same RFC 9457 document ([WriteProblem]).
//
// Nothing is open by accident: an operation that declares neither [Require] nor
// [Public] needs the admin scope, and [Unguarded] walks all routes of a server to
// find one that answers without credentials. Open on purpose are /healthz,
// /readyz, /openapi.json, /docs, the routes to log in and the console's files;
// /metrics is open to processes of the same machine.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/problem"
)

// The limits of a connection. A handler ends before the write timeout, so that
// its problem document can still be sent.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 64 << 10

	defaultDeadline  = 30 * time.Second
	maxDeadline      = 55 * time.Second
	defaultBodyLimit = 1 << 20
)

// Options are the parts of a [Server].
type Options struct {
	// Logger gets the access log at debug, failures at warning and error.
	Logger *slog.Logger
	// Auth finds out who makes a request; without it nobody gets in.
	Auth Authenticator
	// BodyLimit is the most that any route reads of a body, in bytes; 1 MiB when
	// zero. Routes have smaller limits of their own.
	BodyLimit int64
	// Auditor keeps what was changed and who saw personal data; nil keeps nothing.
	Auditor Auditor
	// Deadline is how long a request may take unless its route says otherwise; 30 s
	// when zero, at most 55 s.
	Deadline time.Duration
	// Registry holds the metrics; a new one when nil.
	Registry *prometheus.Registry
	// Ready checks the parts that requests need; a nil error is a part that works.
	Ready func(ctx context.Context) map[string]error
	// Version is shown in the OpenAPI document.
	Version string
}

// Server is the router, the huma API on it and what all requests go through.
type Server struct {
	// Router takes plain handlers, which are to be wrapped in [Server.Require].
	Router chi.Router
	// API takes huma operations, which are to be marked by [Require].
	API huma.API

	auth      Authenticator
	auditor   Auditor
	logger    *slog.Logger
	metrics   *metrics
	ids       *idSource
	bodyLimit int64
	large     map[string]int64 // limits of paths that take more
	deadline  time.Duration
	draining  atomic.Bool
	drained   chan struct{}
}

// New makes a server with the routes that every server has.
func New(o Options) *Server {
	if o.Auth == nil {
		o.Auth = nobody{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.BodyLimit <= 0 {
		o.BodyLimit = defaultBodyLimit
	}
	if o.Deadline <= 0 {
		o.Deadline = defaultDeadline
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	router := chi.NewRouter()
	s := &Server{
		Router: router, auth: o.Auth, auditor: o.Auditor, logger: o.Logger, ids: newIDSource(),
		drained: make(chan struct{}), metrics: newMetrics(o.Registry), bodyLimit: o.BodyLimit, deadline: min(o.Deadline, maxDeadline),
	}
	router.Use(s.observe, middleware.GetHead)
	router.NotFound(notFound)
	router.MethodNotAllowed(methodNotAllowed)
	s.API = huma.NewAPI(config(o.Version), humachi.NewAdapter(router))
	s.API.UseMiddleware(s.enforce)

	router.Get("/healthz", serveHealth)
	router.Get("/readyz", s.serveReady(o.Ready))
	router.Method(http.MethodGet, "/metrics", s.serveMetrics(o.Registry))
	router.Get("/openapi.json", s.serveOpenAPI())
	mountDocs(router)
	return s
}

// LargeBody lets a path take bodies of up to limit bytes, beyond the limit of all
// others. It is to be called before the server serves; the route has to stream.
func (s *Server) LargeBody(path string, limit int64) {
	if s.large == nil {
		s.large = map[string]int64{}
	}
	s.large[path] = limit
}

// limitOf is the most that is read of a request's body.
func (s *Server) limitOf(r *http.Request) int64 {
	if limit, ok := s.large[r.URL.Path]; ok {
		return limit
	}
	return s.bodyLimit
}

// nobody lets no caller in.
type nobody struct{}

func (nobody) Authenticate(*http.Request) (Principal, error) {
	return Principal{}, problem.Unauthorized("This server accepts no credentials.")
}

func config(version string) huma.Config {
	format := huma.Format{
		Marshal:   func(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) },
		Unmarshal: func(data []byte, v any) error { return UnmarshalJSON(data, v) },
	}
	names := &schemaNames{taken: map[string]reflect.Type{}, names: map[reflect.Type]string{}}
	// The problem schemas are named first, so that no other type takes their names.
	names.name(reflect.TypeFor[problem.Document](), "")
	names.name(reflect.TypeFor[problem.Violation](), "")
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Quintet", Version: version,
				Description: "Decides, for one person at a time, who to talk to, what to offer, when, where and how, and proves with control groups that it was worth it.",
				License:     &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"},
			},
			// huma would set a read deadline of 5 s for operations with a body, and a deadline that a handler set
			// cancels the request when it passes, even after the body has been read. The server's own timeout,
			// which net/http takes back in time, bounds the body.
			OnAddOperation: []huma.AddOpFunc{func(_ *huma.OpenAPI, op *huma.Operation) { op.BodyReadTimeout = 0 }},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", names.name),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"apiKey":  {Type: "http", Scheme: "bearer", Description: "An API key. Also taken as the user name of Basic authentication and from X-API-Key and X-Write-Key."},
					"session": {Type: "apiKey", In: "cookie", Name: "quintet_session", Description: "A console session."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{toDocument},
	}
}

// notFound answers for paths that no route has.
func notFound(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, r, &problem.Error{
		Status: http.StatusNotFound,
		Detail: fmt.Sprintf("There is no route %s %s; /docs lists them.", problem.Clip(r.Method), problem.Clip(r.URL.Path)),
	})
}

// methodNotAllowed answers for routes that have other methods, and names them.
func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	if rctx := chi.RouteContext(r.Context()); rctx != nil && rctx.Routes != nil {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if rctx.Routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
	}
	WriteProblem(w, r, &problem.Error{
		Status: http.StatusMethodNotAllowed,
		Detail: fmt.Sprintf("The route %s has no method %s.", problem.Clip(r.URL.Path), problem.Clip(r.Method)),
	})
}

// Draining is closed when the server stops: streams are to end.
func (s *Server) Draining() <-chan struct{} { return s.drained }

// Run serves the listener until ctx ends, then answers /readyz with 503, takes no
// more connections and lets running requests finish for at most drain. It
// returns nil when they all did.
func (s *Server) Run(ctx context.Context, listener net.Listener, drain time.Duration) error {
	server := &http.Server{
		Handler:           s.Router,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
		// A request outlives the signal to stop: that is what draining is.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving HTTP on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	if !s.draining.Swap(true) {
		close(s.drained)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("finishing the running requests within %s: %w", drain, err), server.Close())
	}
	return nil
}
