package quality

import (
	"math"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quintet/profiles"
)

const (
	// lagSteps is how many buckets of lag there are to a doubling: edges lie 9 % apart.
	lagSteps = 8
	// maxLagBucket is that of 2^32 ms, seven weeks.
	maxLagBucket = 32 * lagSteps
)

// lagBucket is the bucket of a lag in milliseconds.
func lagBucket(milliseconds int64) uint16 {
	if milliseconds <= 0 {
		return 0
	}
	return uint16(min(maxLagBucket, math.Ceil(lagSteps*math.Log2(float64(milliseconds)+1))))
}

// lagEdge is the greatest lag in a bucket, in milliseconds.
func lagEdge(bucket uint16) float64 { return math.Exp2(float64(bucket)/lagSteps) - 1 }

// lags counts lags by bucket.
type lags map[uint16]uint64

func (l lags) total() (n uint64) {
	for _, count := range l {
		n += count
	}
	return n
}

// quantile is the lag in milliseconds that the share q of events does not pass, as
// the upper edge of its bucket: at most 9 % too much. It is NaN without events.
func (l lags) quantile(q float64) float64 {
	total := l.total()
	if total == 0 {
		return math.NaN()
	}
	rank := max(1, uint64(math.Ceil(q*float64(total))))
	for bucket := uint16(0); bucket <= maxLagBucket; bucket++ {
		if n := l[bucket]; n >= rank {
			return lagEdge(bucket)
		} else { //nolint:revive // the rank shrinks by the bucket
			rank -= n
		}
	}
	return lagEdge(maxLagBucket)
}

// within is the share of events whose lag is at most a time; NaN without events.
func (l lags) within(limit time.Duration) float64 {
	total, in := l.total(), uint64(0)
	if total == 0 {
		return math.NaN()
	}
	for bucket, n := range l {
		if lagEdge(bucket) <= float64(limit.Milliseconds()) {
			in += n
		}
	}
	return float64(in) / float64(total)
}

// lagWatch measures how long events take from their receipt to their profile in
// memory.
type lagWatch struct {
	now       func() time.Time
	histogram prometheus.Histogram
	buckets   [2048]uint16 // of lags up to two seconds, which are nearly all

	mu     sync.Mutex
	counts map[string]lags
}

func newLagWatch(now func() time.Time, registry prometheus.Registerer) *lagWatch {
	w := &lagWatch{now: now, counts: map[string]lags{}, histogram: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "quintet_event_to_profile_seconds", Help: "Time from the receipt of an event to its profile in memory.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	})}
	for i := range w.buckets {
		w.buckets[i] = lagBucket(int64(i))
	}
	if registry != nil {
		registry.MustRegister(w.histogram)
	}
	return w
}

// Applied is part of [profiles.Observer].
func (w *lagWatch) Applied(changed []profiles.Change) {
	now := w.now().UnixMilli()
	w.mu.Lock()
	defer w.mu.Unlock()
	var source string
	var of lags
	for i := range changed {
		e := changed[i].Event
		if e == nil || e.Source == profiles.NoteSource || e.Again {
			continue
		}
		lag := max(0, now-e.Received)
		if of == nil || e.Source != source {
			if source, of = e.Source, w.counts[e.Source]; of == nil {
				of = lags{}
				w.counts[strings.Clone(e.Source)] = of
			}
		}
		if lag < int64(len(w.buckets)) {
			of[w.buckets[lag]]++
		} else {
			of[lagBucket(lag)]++
		}
		w.histogram.Observe(float64(lag) / 1000)
	}
}

// take is what was counted since the last time.
func (w *lagWatch) take() map[string]lags {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.counts
	w.counts = map[string]lags{}
	return taken
}
