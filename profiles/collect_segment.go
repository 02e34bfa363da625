package profiles

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"quintet/internal/api"
	"quintet/profiles/tracking"
)

// shortPaths are the paths of Segment's library for browsers.
var shortPaths = map[string]tracking.Type{
	"/v1/i": tracking.Identify, "/v1/t": tracking.Track, "/v1/p": tracking.Page, "/v1/s": tracking.Screen,
	"/v1/g": tracking.Group, "/v1/a": tracking.Alias, "/v1/b": tracking.Batch,
}

// segmentRoutes are what Segment's library for browsers calls beside the routes
// of the tracking API.
func (s *Service) segmentRoutes(srv *api.Server) {
	for path, kind := range shortPaths {
		s.collect(srv, http.MethodPost, path, trackingCollector(kind))
	}
	const settings = "/v1/projects/{writeKey}/settings"
	srv.Router.With(api.AnyOrigin).Get(settings, s.serveSettings)
	api.Preflight(srv.Router, settings)
	// The library counts its own calls and sends the counts here. Nobody needs them.
	const counts = "/v1/m"
	srv.Router.With(api.AnyOrigin).Post(counts, func(w http.ResponseWriter, r *http.Request) {
		if _, err := api.ReadBody(r, tracking.MaxBody); err != nil {
			api.WriteProblem(w, r, err)
			return
		}
		writeJSON(w, map[string]bool{"success": true})
	})
	api.Preflight(srv.Router, counts)
}

// serveSettings tells the library for browsers where to send events: to the host
// that it asked.
func (s *Service) serveSettings(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "writeKey")
	if _, err := s.principal(key); err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	scheme := "https"
	if forwarded := r.Header.Get("X-Forwarded-Proto"); forwarded == "http" || forwarded == "" && r.TLS == nil {
		scheme = "http"
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	writeJSON(w, map[string]any{
		"integrations": map[string]any{
			"Segment.io": map[string]any{
				"apiKey": key, "apiHost": r.Host + "/v1", "protocol": scheme, "versionSettings": map[string]any{"version": "4.4.7", "componentTypes": []string{"browser"}},
			},
		},
		"plan":                      map[string]any{"track": map[string]any{"__default": map[string]any{"enabled": true, "integrations": map[string]any{}}}},
		"edgeFunction":              map[string]any{},
		"analyticsNextEnabled":      true,
		"enabledMiddleware":         map[string]any{},
		"metrics":                   map[string]any{"sampleRate": 0},
		"legacyVideoPluginsEnabled": false,
		"remotePlugins":             []any{},
	})
}

// writeJSON answers 200 with a value that encodes.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a caller who went away cannot be told
}
