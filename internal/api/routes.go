package api

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// openRoutes are meant to answer callers without credentials.
var openRoutes = []string{
	"GET /healthz", "GET /readyz", "GET /openapi.json", "GET /docs", "GET /docs/{file}",
	"GET /auth/link/{token}", "POST /auth/login", "POST /auth/logout",
	// What GrowthBook's SDKs call: the key is in the path, and errors have a form of
	// their own.
	"GET /api/features/{clientKey}", "GET /sub/{clientKey}", "POST /api/eval/{clientKey}", "GET /ofrep/v1/stream/{clientKey}",
	// What clients of other tracking servers ask for; it tells and stores nothing.
	"GET /health", "GET /version", "POST /v1/m",
	// What people reach by a message, with a token in the path.
	"GET /r/{token}", "GET /o/{token}", "GET /u/{token}", "POST /u/{token}",
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// Unguarded calls every route of the router from another machine without
// credentials and returns the ones that answer anything but 401 and are not open
// on purpose, each with its status, as in "GET /v1/offers: 200". The calls have
// no body and reach no handler as long as the list is empty.
func Unguarded(router chi.Router) []string {
	var found []string
	// The walk's own function never fails.
	_ = chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		name := method + " " + route
		// The question of a browser before it sends something carries no credentials.
		if method == http.MethodOptions || slices.Contains(openRoutes, name) {
			return nil
		}
		path := strings.ReplaceAll(parameter.ReplaceAllString(route, "x"), "*", "x")
		answer := statusOnly{header: http.Header{}}
		router.ServeHTTP(&answer, &http.Request{
			Method: method, URL: &url.URL{Path: path}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: http.NoBody, Host: "quintet.test", RequestURI: path, RemoteAddr: "203.0.113.9:4321",
		})
		answer.WriteHeader(http.StatusOK) // what net/http does for a handler that writes nothing
		if answer.status != http.StatusUnauthorized {
			found = append(found, fmt.Sprintf("%s: %d", name, answer.status))
		}
		return nil
	})
	return found
}

// statusOnly keeps the status of an answer.
type statusOnly struct {
	header http.Header
	status int
}

func (w *statusOnly) Header() http.Header { return w.header }

func (w *statusOnly) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *statusOnly) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(b), nil
}
