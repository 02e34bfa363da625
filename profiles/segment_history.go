package profiles

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"quintet/profiles/identity"
	"quintet/profiles/segments"
)

const (
	// maxSeries is how many occurrences of one pattern are kept for one profile; of
	// more, the oldest eighth goes.
	maxSeries = 10_000
	// maxOccurrences is how many occurrences are kept in all, 16 bytes each.
	// A segment that needs more is asked of ClickHouse at intervals.
	maxOccurrences = 30_000_000
	// keepSlack is how much longer than a window occurrences are kept.
	keepSlack = time.Minute
)

// histories is what people did, as far as some segment asks for it: for each
// profile and pattern the times, in order.
type histories struct {
	shards [storeShards]historyShard
	total  atomic.Int64
	limit  int64
}

type historyShard struct {
	mu     sync.RWMutex
	people map[identity.ID][]series
}

// series are the occurrences of one pattern.
type series struct {
	slot        int
	occurrences []segments.Occurrence
}

func newHistories() *histories {
	h := &histories{limit: maxOccurrences}
	for i := range h.shards {
		h.shards[i].people = map[identity.ID][]series{}
	}
	return h
}

func (h *histories) shard(id identity.ID) *historyShard { return &h.shards[id[0]%storeShards] }

// add notes an occurrence; false when there is no room.
func (h *histories) add(profile identity.ID, slot int, o segments.Occurrence, keep time.Duration, now int64) bool {
	sh := h.shard(profile)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return h.addLocked(sh, profile, slot, o, keep, now)
}

func (h *histories) addLocked(sh *historyShard, profile identity.ID, slot int, o segments.Occurrence, keep time.Duration, now int64) bool {
	oldest := int64(0)
	if keep > 0 {
		if oldest = now - (keep + keepSlack).Milliseconds(); o.At < oldest {
			return true
		}
	}
	list := sh.people[profile]
	i := slices.IndexFunc(list, func(s series) bool { return s.slot == slot })
	if i < 0 {
		list = append(list, series{slot: slot})
		i = len(list) - 1
		sh.people[profile] = list
	}
	s := &list[i]
	if keep > 0 && len(s.occurrences) > 0 && s.occurrences[0].At < oldest {
		n := sort.Search(len(s.occurrences), func(j int) bool { return s.occurrences[j].At >= oldest })
		s.occurrences = slices.Delete(s.occurrences, 0, n)
		h.total.Add(-int64(n))
	}
	if h.total.Load() >= h.limit {
		return false
	}
	at := len(s.occurrences)
	if at > 0 && s.occurrences[at-1].At > o.At {
		at = sort.Search(at, func(j int) bool { return s.occurrences[j].At > o.At })
	}
	if len(s.occurrences) >= maxSeries {
		// Several at a time, as moving the rest for each one would be slow.
		const n = maxSeries / 8
		s.occurrences = slices.Delete(s.occurrences, 0, n)
		h.total.Add(-n)
		if at -= n; at < 0 {
			return true // older than all that are kept
		}
	}
	s.occurrences = slices.Insert(s.occurrences, at, o)
	h.total.Add(1)
	return true
}

// copyOf are the occurrences of a pattern for several profiles together.
func (h *histories) copyOf(profiles []identity.ID, slot int) []segments.Occurrence {
	var all []segments.Occurrence
	for _, id := range profiles {
		sh := h.shard(id)
		sh.mu.RLock()
		for _, s := range sh.people[id] {
			if s.slot == slot {
				all = append(all, s.occurrences...)
			}
		}
		sh.mu.RUnlock()
	}
	slices.SortStableFunc(all, func(a, b segments.Occurrence) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	return all
}

// sweep forgets patterns that no segment asks for any more, and what has left
// all windows. It looks at a shard at a time.
func (h *histories) sweep(keep map[int]time.Duration, now int64) {
	for i := range h.shards {
		sh := &h.shards[i]
		sh.mu.Lock()
		for id, list := range sh.people {
			kept := list[:0]
			for _, s := range list {
				span, wanted := keep[s.slot]
				n := len(s.occurrences)
				if wanted && span > 0 {
					oldest := now - (span + keepSlack).Milliseconds()
					n = sort.Search(n, func(j int) bool { return s.occurrences[j].At >= oldest })
				} else if wanted {
					n = 0
				}
				if n > 0 {
					h.total.Add(-int64(n))
					s.occurrences = slices.Clone(s.occurrences[n:])
				}
				if len(s.occurrences) > 0 {
					kept = append(kept, s)
				}
			}
			clear(list[len(kept):])
			if len(kept) == 0 {
				delete(sh.people, id)
			} else {
				sh.people[id] = kept
			}
		}
		sh.mu.Unlock()
	}
}
