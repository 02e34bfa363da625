package profiles

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/tracking"
)

// jitsuRoutes are the paths of Jitsu's clients: one message a call, its type in
// the path, also as an image.
func (s *Service) jitsuRoutes(srv *api.Server) {
	for kind := tracking.Batch; kind <= tracking.Alias; kind++ {
		s.collect(srv, http.MethodPost, "/api/s/"+kind.String(), trackingCollector(kind))
		s.collect(srv, http.MethodPost, "/api/s/s2s/"+kind.String(), trackingCollector(kind))
		if kind == tracking.Batch {
			continue
		}
		s.collect(srv, http.MethodGet, "/api/px/"+kind.String(), pixelCollector(kind, "data"))
		s.collect(srv, http.MethodPost, "/api/px/"+kind.String(), pixelCollector(kind, "data"))
	}
	unknown := func(w http.ResponseWriter, r *http.Request) {
		api.WriteProblem(w, r, &problem.Error{
			Status: http.StatusNotFound,
			Detail: "There is no type of message " + problem.Clip(chi.URLParam(r, "type")) + "; it is one of track, identify, page, screen, group, alias.",
		})
	}
	for _, path := range []string{"/api/s/{type}", "/api/s/s2s/{type}", "/api/px/{type}"} {
		srv.Router.With(api.AnyOrigin, srv.Require(api.ScopeIngest)).Post(path, unknown)
	}
}
