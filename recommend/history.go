package recommend

import (
	"hash/maphash"
	"slices"
	"sync"

	"quintet/recommend/interactions"
)

const (
	// maxHistory is how many of the latest events of a person are kept for serving.
	maxHistory = 50
	// historyShards share the people, so that readers rarely wait for one another.
	historyShards = 64
	// maxRemembered bounds the people whose history is kept; beyond it others are
	// forgotten until the next build reads them again.
	maxRemembered = 1_000_000
)

// did is one thing that a person did with an item.
type did struct {
	item   string
	at     int64 // seconds since 1970
	weight float32
	bought bool
}

// histories are the latest events of people, by the id of the person.
type histories struct {
	seed maphash.Seed
	// While the log is read it can still show people who are being erased: who is
	// forgotten meanwhile is not learned again.
	reads struct {
		mu        sync.RWMutex
		running   int
		forgotten map[string]bool
	}
	shards [historyShards]struct {
		mu     sync.RWMutex
		people map[string][]did
	}
}

func newHistories() *histories {
	h := &histories{seed: maphash.MakeSeed()}
	for i := range h.shards {
		h.shards[i].people = make(map[string][]did)
	}
	return h
}

func (h *histories) shard(person string) int {
	return int(maphash.String(h.seed, person) % historyShards)
}

// add notes an event. The order is that of time; one that is there already, as after a
// build that read it too, counts once.
func (h *histories) add(person string, d did) {
	s := &h.shards[h.shard(person)]
	s.mu.Lock()
	defer s.mu.Unlock()
	list, known := s.people[person]
	if !known && len(s.people) >= maxRemembered/historyShards {
		for other := range s.people { // any: the next build knows them again
			delete(s.people, other)
			break
		}
	}
	at := len(list)
	for at > 0 && list[at-1].at > d.at {
		at--
	}
	for i := at - 1; i >= 0 && list[i].at == d.at; i-- {
		if list[i].item == d.item {
			return
		}
	}
	// Readers hold what they got: the list is copied, not changed.
	next := slices.Insert(slices.Clip(list), at, d)
	if len(next) > maxHistory {
		next = next[len(next)-maxHistory:]
	}
	s.people[person] = next
}

// of are the events of a person, oldest first. They must not be changed.
func (h *histories) of(person string) []did {
	s := &h.shards[h.shard(person)]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.people[person]
}

// reading says that the log is being read, until the function that it returns is called.
func (h *histories) reading() (done func()) {
	h.reads.mu.Lock()
	defer h.reads.mu.Unlock()
	h.reads.running++
	return func() {
		h.reads.mu.Lock()
		defer h.reads.mu.Unlock()
		if h.reads.running--; h.reads.running == 0 {
			h.reads.forgotten = nil
		}
	}
}

// forget removes a person, for the reads that are under way as well.
func (h *histories) forget(person string) {
	h.reads.mu.Lock()
	defer h.reads.mu.Unlock()
	if h.reads.running > 0 {
		if h.reads.forgotten == nil {
			h.reads.forgotten = make(map[string]bool)
		}
		h.reads.forgotten[person] = true
	}
	s := &h.shards[h.shard(person)]
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.people, person)
}

// events numbers a history as a model does; items that it does not know are left out.
func events(list []did, items *interactions.Vocabulary) []interactions.Event {
	out := make([]interactions.Event, 0, len(list))
	for _, d := range list {
		if n := items.Number(d.item); n != interactions.Unknown {
			out = append(out, interactions.Event{At: d.at, Item: n, Weight: d.weight})
		}
	}
	return out
}

// learn is add for what a build reads, newest first: a history that is full has no room
// for what is older.
func (h *histories) learn(person string, d did) {
	// Held to the end, so that nobody is forgotten between looking and adding.
	h.reads.mu.RLock()
	defer h.reads.mu.RUnlock()
	if h.reads.forgotten[person] {
		return
	}
	s := &h.shards[h.shard(person)]
	s.mu.RLock()
	list, known := s.people[person]
	full := len(list) >= maxHistory && list[0].at >= d.at || !known && len(s.people) >= maxRemembered/historyShards
	s.mu.RUnlock()
	if !full {
		h.add(person, d)
	}
}
