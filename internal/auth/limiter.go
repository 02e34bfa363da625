package auth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxTracked bounds the names and addresses that are remembered, in each of two
// generations.
const maxTracked = 10_000

// generationTime is how long a generation of attempts is filled: one that was not
// touched for longer than this may be forgotten, as its allowance is full again.
const generationTime = 15 * time.Minute

// allowance is how many attempts something has at once and how they come back.
type allowance struct {
	burst int
	every time.Duration
}

var (
	// perPair bounds the attempts of one address at one name.
	perPair = allowance{5, 30 * time.Second}
	// perAddress bounds the attempts of one address at all names.
	perAddress = allowance{20, 5 * time.Second}
	// perName bounds the attempts at one name from everywhere. It is wide, as it lets
	// strangers keep a person out, who then signs in by link.
	perName = allowance{100, 5 * time.Second}
)

// limiter slows down guessing. It forgets by generations: what was not touched
// during a whole one is dropped, so its memory is bounded.
type limiter struct {
	mu       sync.Mutex
	current  map[string]*rate.Limiter
	previous map[string]*rate.Limiter
	since    time.Time
}

func newLimiter() *limiter { return &limiter{current: map[string]*rate.Limiter{}} }

// take uses one attempt of every key. When one has none left nothing is used and
// the answer is how long to wait.
func (l *limiter) take(now time.Time, keys map[string]allowance) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) > generationTime || len(l.current) >= maxTracked {
		l.previous, l.current, l.since = l.current, map[string]*rate.Limiter{}, now
	}
	var wait time.Duration
	buckets := make([]*rate.Limiter, 0, len(keys))
	for key, a := range keys {
		b := l.current[key]
		if b == nil {
			if b = l.previous[key]; b == nil {
				b = rate.NewLimiter(rate.Every(a.every), a.burst)
			}
			l.current[key] = b
		}
		if tokens := b.TokensAt(now); tokens < 1 {
			wait = max(wait, time.Duration((1-tokens)*float64(a.every)))
		}
		buckets = append(buckets, b)
	}
	if wait > 0 {
		return wait
	}
	for _, b := range buckets {
		b.AllowN(now, 1)
	}
	return 0
}

// forgive gives the whole allowance of a key back.
func (l *limiter) forgive(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.current, key)
	delete(l.previous, key)
}
