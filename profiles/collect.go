package profiles

import (
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/profiles/tracking"
)

// parseFunc reads the messages of one call into c.
type parseFunc func(c *tracking.Call, received time.Time) error

// collector is one way in which clients send messages: what is read of a request,
// how it becomes messages, where else than in headers the key may be, and what is
// answered.
type collector struct {
	limits func(r *http.Request) tracking.Limits
	// read is the text of the call.
	read func(r *http.Request, limit int64) (string, error)
	// parse makes messages of it.
	parse func(c *tracking.Call, text string, received time.Time, limits tracking.Limits) error
	// key is a key outside of headers and body; nil for none.
	key func(r *http.Request) string
	// answer writes what became of the call.
	answer func(w http.ResponseWriter, o outcome)
}

// collectRoutes registers everything that clients send events to.
func (s *Service) collectRoutes(srv *api.Server) {
	for kind := tracking.Batch; kind <= tracking.Alias; kind++ {
		// Plain handlers: the body is read by a parser of its own, many times quicker
		// than decoding it against a schema.
		s.collect(srv, http.MethodPost, "/v1/"+kind.String(), trackingCollector(kind))
		var in any = MessageBody{}
		op := huma.Operation{
			OperationID: kind.String(), Method: http.MethodPost, Path: "/v1/" + kind.String(), Tags: []string{"Tracking"},
			Summary:     ingestSummaries[kind],
			Description: "The Segment tracking API. Answers after the messages are durable. The Content-Type is not looked at; gzip is taken.",
			Errors:      []int{400, 401, 403, 413, 422, 429, 503},
		}
		if kind == tracking.Batch {
			in = BatchBody{}
			op.Description += " Messages that break a rule are listed in rejected, the others are stored; with none left the answer is 422."
		}
		api.Document(srv.API, op, api.ScopeIngest, in, IngestResult{})
	}
	s.segmentRoutes(srv)
	s.rudderRoutes(srv)
	s.jitsuRoutes(srv)
	s.postHogRoutes(srv)
	s.webhookRoutes(srv)
}

// collect registers a collector, and what browsers ask before they send to it.
func (s *Service) collect(srv *api.Server, method, path string, c collector) {
	guarded := srv.Router.With(api.AnyOrigin, unlessElsewhere(srv.Require(api.ScopeIngest)))
	guarded.Method(method, path, s.serveCollector(c))
	api.Preflight(srv.Router, path)
}

// trackingCollector is a route of the tracking API.
func trackingCollector(kind tracking.Type) collector {
	return collector{
		limits: limitsOf,
		read:   readText,
		parse: func(c *tracking.Call, text string, received time.Time, limits tracking.Limits) error {
			return c.ParseWithin(text, kind, received, limits)
		},
		answer: func(w http.ResponseWriter, o outcome) { o.write(w) },
	}
}

func usual(*http.Request) tracking.Limits { return tracking.Usual }
func large(*http.Request) tracking.Limits { return tracking.Large }

func readText(r *http.Request, limit int64) (string, error) {
	body, err := api.ReadBody(r, limit)
	return string(body), err
}

func (s *Service) serveCollector(c collector) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limits := c.limits(r)
		text, err := c.read(r, limits.Body)
		if err != nil {
			api.WriteProblem(w, r, err)
			return
		}
		source := ""
		if p, ok := api.PrincipalFrom(r.Context()); ok {
			source = p.ID
		}
		authorise := s.principal
		if c.key != nil {
			authorise = func(inBody string) (string, error) {
				if key := c.key(r); key != "" {
					inBody = key
				}
				return s.principal(inBody)
			}
		}
		parse := func(call *tracking.Call, received time.Time) error { return c.parse(call, text, received, limits) }
		out, err := s.ingest(r.Context(), parse, source, authorise)
		if err != nil {
			api.WriteProblem(w, r, err)
			return
		}
		c.answer(w, out)
	}
}

// sessionCookie is the cookie of a console session.
const sessionCookie = "quintet_session"

// unlessElsewhere asks for credentials in the headers, but for calls that have
// none there: the handler looks for a key in their body or address.
func unlessElsewhere(require func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		guarded := require(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if credentialsInHeader(r) {
				guarded.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// credentialsInHeader says whether the headers say who asks. The cookie of a
// console session does not count where another site has the browser send it: the
// page's own key is then in the body. A Bearer token with dots is what Segment's
// clients get from an OAuth server; their key is in the body, too.
func credentialsInHeader(r *http.Request) bool {
	if len(r.Header["X-Api-Key"]) > 0 || len(r.Header["X-Write-Key"]) > 0 {
		return true
	}
	if given := r.Header["Authorization"]; len(given) > 0 {
		token, bearer := strings.CutPrefix(given[0], "Bearer ")
		return !bearer || strings.Count(token, ".") != 2
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return false
	}
	_, err := r.Cookie(sessionCookie)
	return err == nil
}
