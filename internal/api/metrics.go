package api

import (
	"maps"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts and times requests by route, method and class of status. The
// children of the vectors are found through one map that is replaced when a
// route is first used, since looking them up by label would cost more than the
// rest of the middleware.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	panics   prometheus.Counter

	mu     sync.Mutex
	routes atomic.Pointer[map[routeKey]*routeMetrics]
}

type routeKey struct{ method, route string }

type routeMetrics struct {
	requests [6]prometheus.Counter
	duration prometheus.Observer
}

var statusClasses = [6]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

func newMetrics(registry *prometheus.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quintet_http_requests_total", Help: "HTTP requests by route, method and class of status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "quintet_http_request_duration_seconds", Help: "Time from the arrival of a request to the end of its handler, in seconds.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "method"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "quintet_http_panics_total", Help: "Handlers that panicked.",
		}),
	}
	m.routes.Store(&map[routeKey]*routeMetrics{})
	registry.MustRegister(m.requests, m.duration, m.panics)
	return m
}

// record counts one request. Paths without a route share one label, and so do
// methods that are none, so that callers cannot make new ones.
func (m *metrics) record(method, route string, status int, elapsed time.Duration) {
	if route == "" || route == "/*" {
		route = "none"
	}
	key := routeKey{method, route}
	r := (*m.routes.Load())[key]
	if r == nil {
		r = m.add(key)
	}
	class := status / 100
	if class < 1 || class > 5 {
		class = 0
	}
	r.requests[class].Inc()
	r.duration.Observe(elapsed.Seconds())
}

func (m *metrics) add(key routeKey) *routeMetrics {
	switch key.method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		key.method = "other"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := *m.routes.Load()
	if r := known[key]; r != nil {
		return r
	}
	r := &routeMetrics{duration: m.duration.WithLabelValues(key.route, key.method)}
	for i, class := range statusClasses {
		r.requests[i] = m.requests.WithLabelValues(key.route, key.method, class)
	}
	next := maps.Clone(known)
	next[key] = r
	m.routes.Store(&next)
	return r
}

// serveMetrics answers the processes of this machine, and other callers who may
// read.
func (s *Server) serveMetrics(registry *prometheus.Registry) http.Handler {
	open := promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
	guarded := s.Require(ScopeRead)(open)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fromLoopback(r) {
			open.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// fromLoopback says whether the peer is a process of this machine that speaks
// for itself. A proxy on this machine speaks for others and says so in a header.
func fromLoopback(r *http.Request) bool {
	for _, name := range [...]string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
