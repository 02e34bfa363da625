package auth

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	loginsPerMinute = 10
	maxCallers      = 10_000
)

// limiter bounds attempts to sign in, by the caller's address and in all.
type limiter struct {
	mu      sync.Mutex
	callers map[string]*rate.Limiter
	all     *rate.Limiter
}

func newLimiter() *limiter {
	return &limiter{callers: make(map[string]*rate.Limiter), all: rate.NewLimiter(20, 100)}
}

// allow takes one attempt of the request's caller.
func (l *limiter) allow(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.callers[host]
	if c == nil {
		if len(l.callers) >= maxCallers {
			clear(l.callers) // the limit over all callers still holds
		}
		c = rate.NewLimiter(rate.Every(time.Minute/loginsPerMinute), loginsPerMinute)
		l.callers[host] = c
	}
	return c.Allow() && l.all.Allow()
}
