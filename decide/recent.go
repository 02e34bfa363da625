package decide

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// recentRecords is how many decisions are kept in memory: enough for a live
// view and for looking up a decision before it is in ClickHouse.
const recentRecords = 5000

// recent holds the last decisions of this process.
type recent struct {
	mu   sync.RWMutex
	ring []*Record
	next int
	byID map[string]*Record
	// horizon is an id: of the decisions of this process that are younger, every one
	// is here. Older ones may have been pushed out, or be logged from elsewhere.
	horizon string
}

// newRecent has room for size records of decisions made from now on.
func newRecent(size int, now time.Time) *recent {
	var start ulid.ULID
	_ = start.SetTime(ulid.Timestamp(now)) // fails for times after the year 10889
	return &recent{ring: make([]*Record, size), byID: make(map[string]*Record, size), horizon: start.String()}
}

// add takes ownership of the record, which must not change any more. A record that
// is there already stays as it is.
func (r *recent) add(rec *Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.byID[rec.DecisionID]; ok {
		return
	}
	if old := r.ring[r.next]; old != nil {
		delete(r.byID, old.DecisionID)
		r.horizon = max(r.horizon, old.DecisionID)
	}
	r.ring[r.next] = rec
	r.byID[rec.DecisionID] = rec
	r.next = (r.next + 1) % len(r.ring)
}

func (r *recent) get(id string) (*Record, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	rec, ok := r.byID[id]
	return rec, ok
}

// list returns at most limit records that match, newest first by their ids, which
// is not the order in which they came. complete says that this process made no
// other ones as young as these.
func (r *recent) list(limit int, match func(*Record) bool) (out []*Record, complete bool) {
	r.mu.RLock()
	for _, rec := range r.ring {
		if rec != nil && match(rec) {
			out = append(out, rec)
		}
	}
	horizon := r.horizon
	r.mu.RUnlock()
	slices.SortFunc(out, func(a, b *Record) int { return cmp.Compare(b.DecisionID, a.DecisionID) })
	if len(out) > limit {
		out = out[:limit]
	}
	return out, len(out) == limit && limit > 0 && out[limit-1].DecisionID > horizon
}
