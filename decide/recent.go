package decide

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	// recentRecords is how many decisions are kept in memory: enough for a live
	// view and for looking up a decision before it is in ClickHouse.
	recentRecords = 5000
	// recentBytes bounds the memory that they take, encoded. A decision among a
	// thousand actions is large.
	recentBytes = 64 << 20
)

// recent holds the last decisions of this process, encoded as they are in the
// stream: a pile of records would be much of what the garbage collector has to
// look at, and the few that are read are quickly decoded.
type recent struct {
	mu    sync.RWMutex
	ring  []kept
	next  int
	bytes int // of all buffers
	byID  map[ulid.ULID]int
	limit int // of bytes
	seed  maphash.Seed
	// horizon is an id: of the decisions of this process that are younger, every one
	// is here. Older ones may have been pushed out, or be logged from elsewhere.
	horizon ulid.ULID
}

// kept is one place of the ring, empty without data.
type kept struct {
	id            ulid.ULID
	point, person uint64 // hashes, to filter by
	data          []byte
}

// newRecent has room for size records of decisions made from now on.
func newRecent(size int, now time.Time) *recent {
	r := &recent{ring: make([]kept, size), byID: make(map[ulid.ULID]int, size), limit: recentBytes, seed: maphash.MakeSeed()}
	_ = r.horizon.SetTime(ulid.Timestamp(now)) // fails for times after the year 10889
	return r
}

// add keeps a copy of the encoded record. A record that is there already stays as
// it is, and one whose id is no ULID is not kept.
func (r *recent) add(rec *Record, data []byte) {
	id, err := ulid.ParseStrict(rec.DecisionID)
	if err != nil {
		return
	}
	point, person := maphash.String(r.seed, rec.Decision), maphash.String(r.seed, rec.ProfileID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.byID[id]; ok {
		return
	}
	place := &r.ring[r.next]
	r.forget(place)
	if cap(place.data) < len(data) || cap(place.data) > 2*len(data)+1024 {
		r.bytes -= cap(place.data)
		place.data = make([]byte, 0, len(data)+len(data)/8)
		r.bytes += cap(place.data)
	}
	place.id, place.point, place.person, place.data = id, point, person, append(place.data[:0], data...)
	r.byID[id] = r.next
	r.next = (r.next + 1) % len(r.ring)
	// The oldest follow the place that was filled.
	for i := r.next; r.bytes > r.limit && &r.ring[i] != place; i = (i + 1) % len(r.ring) {
		old := &r.ring[i]
		r.forget(old)
		r.bytes -= cap(old.data)
		old.data = nil
	}
}

// forget empties a place and leaves its buffer.
func (r *recent) forget(place *kept) {
	if len(place.data) == 0 {
		return
	}
	delete(r.byID, place.id)
	if place.id.Compare(r.horizon) > 0 {
		r.horizon = place.id
	}
	place.data = place.data[:0]
}

// erase removes the decisions about profiles, without a trace in memory that is used
// again, and returns how many there were.
func (r *recent) erase(profiles []string) (n int) {
	people := map[uint64]bool{}
	for _, id := range profiles {
		people[maphash.String(r.seed, id)] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.ring {
		place := &r.ring[i]
		if len(place.data) == 0 || !people[place.person] {
			continue
		}
		clear(place.data)
		r.forget(place)
		n++
	}
	return n
}

// has says whether a decision is here.
func (r *recent) has(id string) bool {
	key, err := ulid.ParseStrict(id)
	if err != nil {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.byID[key]
	return ok
}

// get decodes a decision that is here.
func (r *recent) get(id string) (*Record, bool) {
	key, err := ulid.ParseStrict(id)
	if err != nil {
		return nil, false
	}
	r.mu.RLock()
	i, ok := r.byID[key]
	var data []byte
	if ok {
		data = slices.Clone(r.ring[i].data)
	}
	r.mu.RUnlock()
	if !ok {
		return nil, false
	}
	rec, err := decodeRecord(data)
	if err != nil || rec.DecisionID != id { // a ULID has other spellings, which are not its id
		return nil, false
	}
	return rec, true
}

// list returns at most limit records that the filter selects, newest first by their
// ids, which is not the order in which they came. complete says that this process
// made no other ones as young as these.
func (r *recent) list(f *Filter) (out []*Record, complete bool) {
	point, person := maphash.String(r.seed, f.Decision), maphash.String(r.seed, f.ProfileID)
	var found []kept
	var text [ulid.EncodedSize]byte
	r.mu.RLock()
	for i := range r.ring {
		k := &r.ring[i]
		if len(k.data) == 0 || f.Decision != "" && k.point != point || f.ProfileID != "" && k.person != person {
			continue
		}
		_ = k.id.MarshalTextTo(text[:]) // fails for a short buffer
		if f.Before == "" || string(text[:]) < f.Before {
			found = append(found, *k)
		}
	}
	r.mu.RUnlock()
	slices.SortFunc(found, func(a, b kept) int { return b.id.Compare(a.id) })
	found = found[:min(len(found), f.Limit)]

	r.mu.RLock()
	for i := range found {
		found[i].data = nil // the place's own, which is used again
		if place, ok := r.byID[found[i].id]; ok {
			found[i].data = slices.Clone(r.ring[place].data)
		}
	}
	horizon := r.horizon // at least the youngest of those that were pushed out meanwhile
	r.mu.RUnlock()
	complete = f.Limit > 0 && len(found) == f.Limit && found[f.Limit-1].id.Compare(horizon) > 0
	for _, k := range found {
		if k.data == nil {
			continue
		}
		// A name may share its hash with the one that is asked for.
		if rec, err := decodeRecord(k.data); err == nil && f.match(rec) {
			out = append(out, rec)
		} else {
			complete = false
		}
	}
	return out, complete
}
