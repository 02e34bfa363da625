package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

// discard is a response writer that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { clear(d.header); return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkChain compares an empty handler behind all that a hot route goes through
// with the same behind chi alone; the difference is the cost of this package.
func BenchmarkChain(b *testing.B) {
	empty := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	bare := chi.NewRouter()
	bare.Post("/v1/decide", empty)
	s := newServer(b, func(o *Options) { o.Logger = slog.New(slog.DiscardHandler) })
	s.Router.With(s.Require(ScopeDecide)).Post("/v1/decide", empty)
	for name, handler := range map[string]http.Handler{"bare": bare, "server": s.Router} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("POST", "/v1/decide", http.NoBody)
			r.Header.Set("Authorization", "Bearer decide")
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
		})
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	body := `{"decision":"home-hero","user":{"userId":"u42"},"context":{"device":"mobile","basket":12.5,"tags":["a","b"]},"limit":3}`
	type request struct {
		Decision string            `json:"decision"`
		User     map[string]string `json:"user"`
		Context  map[string]any    `json:"context"`
		Limit    int               `json:"limit"`
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var v request
		if err := DecodeJSON(httptest.NewRequest("POST", "/", strings.NewReader(body)), 1<<16, &v); err != nil {
			b.Fatal(err)
		}
	}
}
