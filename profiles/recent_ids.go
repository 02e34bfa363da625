package profiles

import (
	"crypto/sha256"
	"sync"
)

// recentIDs is how many message ids one generation of [recentMessages] holds.
const recentIDs = 500_000

// recentMessages remembers the ids of messages that are in the stream, so that a
// client's repeated attempt is not stored twice. It forgets the oldest; behind it
// ClickHouse's table removes repeats for good.
type recentMessages struct {
	mu       sync.Mutex
	now, old map[[16]byte]struct{}
	size     int
}

func newRecentMessages(size int) *recentMessages {
	return &recentMessages{now: make(map[[16]byte]struct{}), size: size}
}

func messageKey(id string) (key [16]byte) {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:16])
}

// has says whether a message is known to be in the stream.
func (r *recentMessages) has(id string) bool {
	key := messageKey(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, now := r.now[key]
	_, old := r.old[key]
	return now || old
}

// add notes a message that is in the stream. Before that it must not be noted:
// a repeat that overtakes the first attempt has to be stored, as that may fail.
func (r *recentMessages) add(id string) {
	key := messageKey(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.now) >= r.size {
		r.old, r.now = r.now, make(map[[16]byte]struct{}, r.size)
	}
	r.now[key] = struct{}{}
}
