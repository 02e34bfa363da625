package profiles

import (
	"math/bits"
	"sync"
)

const (
	windowShards = 256
	// smallestTable is the number of slots that a shard begins with.
	smallestTable = 64
	// fullest is the share of slots in use at which a table grows, in percent; a
	// grown one is two thirds as full.
	fullest, regrown = 85, 60
	// dayTags is how many days can be told apart in a slot. More than a window's, so
	// that an old entry is not taken for a new one.
	dayTags = 15
	// filterBits is how many bits of a filter an id has: with seven probes one new id
	// in 120 is taken for a known one.
	filterBits, filterProbes = 10, 7
)

// window keeps the fingerprints of the message ids of the last days. It answers
// "not there" for certain, and "there" but for one new id in ten billion at 100
// million ids.
//
// A slot is 60 bits of fingerprint and 4 that tell the day, in 256 tables with
// open addressing; with the room for growth an id takes 9.4 to 13.3 bytes, 100
// million take about 1.1 GB. What does not fit into the bound goes, oldest day
// first, into Bloom filters of 1.25 bytes for an id, so that one new id in 120
// costs a question to ClickHouse. The filters may take a quarter of the bound;
// beyond, the oldest of them are given up, and ids of that time are only
// recognised by the engine of the table of events.
type window struct {
	shards [windowShards]windowShard
	slots  int // most of one table
	filter int // most bytes of the filters of one shard
}

type windowShard struct {
	mu      sync.Mutex
	today   int64 // the latest day that it was told of
	slots   []uint64
	used    int
	filters []bloom // oldest first
	lost    int64   // the last day that was given up, 0 without one
}

// bloom is the ids of one day that were moved out of a table.
type bloom struct {
	day  int64
	bits []uint64
}

// newWindow makes a window of at most memory bytes.
func newWindow(memory int64) *window {
	return &window{
		slots:  int(max(memory*3/4/windowShards/8, smallestTable)),
		filter: int(max(memory/4/windowShards, 256)),
	}
}

func slotOf(h uint64, day int64) uint64 { return h&^15 | uint64(day%dayTags+1) }

// dayIn is the day of a slot, taken to be the latest possible one.
func dayIn(slot uint64, today int64) int64 {
	tag := int64(slot&15) - 1
	return today - ((today-tag)%dayTags+dayTags)%dayTags
}

func (w *window) shard(h uint64) *windowShard { return &w.shards[h>>56] }

// place is where the probing for h begins in a table. It is not in the order of h: ids
// that come sorted, as ClickHouse tells them at the start, would pile up at the
// beginning of a table that grows with them, and each would be probed for behind all
// before it.
func place(h uint64, slots int) int {
	const golden = 0x9E3779B97F4A7C15                // 2^64 divided by the golden ratio
	hi, _ := bits.Mul64(h&^15*golden, uint64(slots)) // without what a slot tells the day with
	return int(hi)
}

// has says whether the fingerprint may be one of the last days.
func (w *window) has(h uint64, today int64) bool {
	s := w.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(today, w)
	if i, found := s.find(h); found && s.today-dayIn(s.slots[i], s.today) <= duplicateDays {
		return true
	}
	for _, f := range s.filters {
		if s.today-f.day <= duplicateDays && f.has(h) {
			return true
		}
	}
	return false
}

// turn begins a day: what has expired goes, so that no slot becomes so old that
// its day could be taken for a later one.
func (s *windowShard) turn(today int64, w *window) {
	if today <= s.today {
		return
	}
	before := s.today
	s.today = today
	switch {
	case s.used == 0:
	case today-before > duplicateDays:
		clear(s.slots)
		s.used = 0
	default:
		s.grow(w.slots, w.filter)
	}
	s.dropFilters(w.filter)
}

// add notes a fingerprint of the day. One that is there keeps its first day, as
// long as that counts.
func (w *window) add(h uint64, day int64) {
	s := w.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(day, w)
	if s.today-day > duplicateDays {
		return
	}
	i, found := s.find(h)
	if found {
		if s.today-dayIn(s.slots[i], s.today) > duplicateDays {
			s.slots[i] = slotOf(h, day)
		}
		return
	}
	if (s.used+1)*100 > len(s.slots)*fullest {
		s.grow(w.slots, w.filter)
		i, _ = s.find(h)
	}
	s.slots[i] = slotOf(h, day)
	s.used++
}

// find returns the slot of h, or the free one where it belongs.
func (s *windowShard) find(h uint64) (slot int, found bool) {
	if len(s.slots) == 0 {
		return 0, false
	}
	for i := place(h, len(s.slots)); ; i++ {
		if i == len(s.slots) {
			i = 0
		}
		if s.slots[i] == 0 {
			return i, false
		}
		if s.slots[i]>>4 == h>>4 {
			return i, true
		}
	}
}

// grow makes room: what has expired goes, then the table grows up to its bound,
// then the oldest days move into filters.
func (s *windowShard) grow(most, filterBytes int) {
	today := s.today
	var counts [dayTags]int // by age in days
	live := 0
	for _, slot := range s.slots {
		if slot == 0 {
			continue
		}
		if age := today - dayIn(slot, today); age <= duplicateDays {
			counts[age]++
			live++
		}
	}
	keep := int64(duplicateDays)      // the oldest age that stays
	if live*100 >= (most-1)*fullest { // the table cannot grow enough
		for ; live*100 > most*regrown && keep >= 0; keep-- {
			live -= counts[keep]
		}
	}
	old := s.slots
	s.slots = make([]uint64, min(max(live*100/regrown+1, smallestTable), most))
	s.used = 0
	moved := map[int64]*bloom{}
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		switch age := today - dayIn(slot, today); {
		case age > duplicateDays:
		case age > keep:
			f := moved[age]
			if f == nil {
				f = &bloom{day: today - age, bits: make([]uint64, (counts[age]*filterBits+63)/64)}
				moved[age] = f
			}
			f.add(slot)
		default:
			i, _ := s.find(slot)
			s.slots[i] = slot
			s.used++
		}
	}
	for age := int64(duplicateDays); age > keep && age >= 0; age-- {
		if f := moved[age]; f != nil {
			s.filters = append(s.filters, *f)
		}
	}
	s.dropFilters(filterBytes)
}

// dropFilters gives up the filters that have expired, and the oldest ones where
// all are too large.
func (s *windowShard) dropFilters(most int) {
	size := 0
	kept := s.filters[:0]
	for _, f := range s.filters {
		if s.today-f.day <= duplicateDays {
			kept = append(kept, f)
			size += 8 * len(f.bits)
		}
	}
	for len(kept) > 0 && size > most {
		oldest := 0
		for i, f := range kept {
			if f.day < kept[oldest].day {
				oldest = i
			}
		}
		s.lost = max(s.lost, kept[oldest].day)
		size -= 8 * len(kept[oldest].bits)
		kept = append(kept[:oldest], kept[oldest+1:]...)
	}
	clear(s.filters[len(kept):])
	s.filters = kept
}

// probes calls f with the bits of h until it returns false. The day is no part of it.
func (b *bloom) probes(h uint64, f func(word int, bit uint64) bool) bool {
	h >>= 4
	a, step := h*0x9e3779b97f4a7c15, h*0xc2b2ae3d27d4eb4f|1
	for range filterProbes {
		at, _ := bits.Mul64(a, uint64(len(b.bits)*64))
		if !f(int(at/64), 1<<(at%64)) {
			return false
		}
		a += step
	}
	return true
}

func (b *bloom) add(h uint64) {
	b.probes(h, func(word int, bit uint64) bool { b.bits[word] |= bit; return true })
}

func (b *bloom) has(h uint64) bool {
	return b.probes(h, func(word int, bit uint64) bool { return b.bits[word]&bit != 0 })
}

// size is what the window takes, how many ids are in its tables, and the last day
// of which ids were given up, 0 without one.
func (w *window) size() (bytes int64, ids int, lost int64) {
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		bytes += 8 * int64(len(s.slots))
		for _, f := range s.filters {
			bytes += 8 * int64(len(f.bits))
		}
		ids += s.used
		lost = max(lost, s.lost)
		s.mu.Unlock()
	}
	return bytes, ids, lost
}
