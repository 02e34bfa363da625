package decide

import "sync"

// recentRecords is how many decisions are kept in memory: enough for a live
// view and for looking up a decision before it is in ClickHouse.
const recentRecords = 5000

// recent holds the last decisions of this process, newest first on reading.
type recent struct {
	mu   sync.RWMutex
	ring []*Record
	next int
	byID map[string]*Record
}

func newRecent(size int) *recent {
	return &recent{ring: make([]*Record, size), byID: make(map[string]*Record, size)}
}

// add takes ownership of the record, which must not change any more.
func (r *recent) add(rec *Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.ring[r.next]; old != nil {
		delete(r.byID, old.DecisionID)
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

// list returns at most limit records that match, newest first.
func (r *recent) list(limit int, match func(*Record) bool) []*Record {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []*Record
	for i := 1; i <= len(r.ring) && len(out) < limit; i++ {
		rec := r.ring[(r.next-i+len(r.ring))%len(r.ring)]
		if rec == nil {
			break
		}
		if match(rec) {
			out = append(out, rec)
		}
	}
	return out
}
