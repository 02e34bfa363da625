package api

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

// The headers that let pages of other origins use a route. No answer allows
// credentials: a page has a key of its own, and the console's cookie stays out.
var (
	anyOriginValue   = []string{"*"}
	anyMethod        = []string{"GET, POST, OPTIONS"}
	allowEmbedding   = []string{"cross-origin"}
	preflightSeconds = []string{"86400"}
	exposedHeaders   = []string{"Retry-After, X-Request-Id, ETag, X-SSE-Support"}
	varyPreflight    = []string{"Access-Control-Request-Headers"}
)

// usualHeaders are those that the browser libraries send.
const usualHeaders = "Authorization, Content-Type, Content-Encoding, If-None-Match, X-Write-Key, X-Api-Key, AnonymousId"

// AnyOrigin lets pages of any origin use a route and read its answer, errors
// included.
func AnyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// An image of this route may be shown anywhere.
		h["Cross-Origin-Resource-Policy"] = allowEmbedding
		h["Access-Control-Allow-Origin"] = anyOriginValue
		if r.Method == http.MethodOptions {
			h["Access-Control-Allow-Methods"] = anyMethod
			h["Access-Control-Allow-Headers"] = []string{allowedHeaders(r.Header.Get("Access-Control-Request-Headers"))}
			h["Access-Control-Max-Age"] = preflightSeconds
			h["Vary"] = varyPreflight
		} else {
			h["Access-Control-Expose-Headers"] = exposedHeaders
		}
		next.ServeHTTP(w, r)
	})
}

// allowedHeaders allows what a browser asks for: without credentials a header
// can do no more than a caller outside of a browser can.
func allowedHeaders(asked string) string {
	if asked == "" || len(asked) > 1000 || strings.ContainsFunc(asked, func(c rune) bool {
		return c != ',' && c != ' ' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}) {
		return usualHeaders
	}
	return asked
}

// Preflight answers the question of a browser whether a page may send to the
// path, once for all methods of the path.
func Preflight(router chi.Router, path string) {
	if !router.Match(chi.NewRouteContext(), http.MethodOptions, path) {
		router.With(AnyOrigin).Options(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}
}
