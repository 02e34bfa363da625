package decide

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"quintet/experiments"
	"quintet/experiments/assignment"
)

// Bounds of what sticky experiments keep in memory.
const (
	// keptUnits is the most units of all sticky experiments together. Behind it nothing
	// more is kept: who comes later is assigned by hash each time.
	keptUnits  = 4_000_000
	keptShards = 64
)

// keeper holds the variants that units of sticky experiments got first. A unit is
// known by 64 bits of a hash: with four million of them, two share one with a
// probability of less than one in a million.
type keeper struct {
	limit   int64
	size    atomic.Int64
	ledgers atomic.Pointer[map[string]*ledger] // by experiment
	growing sync.Mutex
}

// ledger is what one experiment keeps.
type ledger struct {
	shards [keptShards]struct {
		sync.RWMutex
		units map[uint64]uint32
	}
}

func newKeeper(limit int64) *keeper {
	k := &keeper{limit: limit}
	k.ledgers.Store(&map[string]*ledger{})
	return k
}

func keptID(unit string) uint64 { return xxhash.Sum64String(unit) }

// packed is a variant below 2⁸ and a bucket version below 2²⁴.
func packed(k assignment.Kept) uint32 { return uint32(k.Version)<<8 | uint32(k.Variant) }
func unpacked(v uint32) assignment.Kept {
	return assignment.Kept{Variant: int(v & 0xff), Version: int(v >> 8)}
}

// get is what an experiment keeps for a unit. A nil keeper keeps nothing.
func (k *keeper) get(experiment, unit string) (assignment.Kept, bool) {
	if k == nil {
		return assignment.Kept{}, false
	}
	l := (*k.ledgers.Load())[experiment]
	if l == nil {
		return assignment.Kept{}, false
	}
	id := keptID(unit)
	shard := &l.shards[id%keptShards]
	shard.RLock()
	v, ok := shard.units[id]
	shard.RUnlock()
	return unpacked(v), ok
}

// room says whether one more can be kept.
func (k *keeper) room() bool { return k != nil && k.size.Load() < k.limit }

// add keeps a variant unless one of the same or of a later bucket version is kept.
func (k *keeper) add(experiment, unit string, kept assignment.Kept) {
	l := (*k.ledgers.Load())[experiment]
	if l == nil {
		l = k.open(experiment)
	}
	id := keptID(unit)
	shard := &l.shards[id%keptShards]
	shard.Lock()
	defer shard.Unlock()
	if was, ok := shard.units[id]; ok {
		if unpacked(was).Version < kept.Version {
			shard.units[id] = packed(kept)
		}
		return
	}
	if k.size.Load() >= k.limit {
		return
	}
	if shard.units == nil {
		shard.units = make(map[uint64]uint32)
	}
	shard.units[id] = packed(kept)
	k.size.Add(1)
}

// open begins the ledger of an experiment.
func (k *keeper) open(experiment string) *ledger {
	k.growing.Lock()
	defer k.growing.Unlock()
	all := *k.ledgers.Load()
	if l := all[experiment]; l != nil {
		return l
	}
	next := maps.Clone(all)
	l := new(ledger)
	next[experiment] = l
	k.ledgers.Store(&next)
	return l
}

// retain lets go of experiments that keep nothing any more.
func (k *keeper) retain(keeps func(experiment string) bool) {
	k.growing.Lock()
	defer k.growing.Unlock()
	all := *k.ledgers.Load()
	var next map[string]*ledger
	for key, l := range all {
		if keeps(key) {
			continue
		}
		if next == nil {
			next = maps.Clone(all)
		}
		delete(next, key)
		k.size.Add(-l.len())
	}
	if next != nil {
		k.ledgers.Store(&next)
	}
}

func (l *ledger) len() (n int64) {
	for i := range l.shards {
		l.shards[i].RLock()
		n += int64(len(l.shards[i].units))
		l.shards[i].RUnlock()
	}
	return n
}

// erase removes units and returns how many there were.
func (k *keeper) erase(units []string) (n int) {
	for _, l := range *k.ledgers.Load() {
		for _, u := range units {
			id := keptID(u)
			shard := &l.shards[id%keptShards]
			shard.Lock()
			if _, ok := shard.units[id]; ok {
				delete(shard.units, id)
				k.size.Add(-1)
				n++
			}
			shard.Unlock()
		}
	}
	return n
}

// keep remembers what a recorded decision assigned.
func (s *Service) keep(plan *experiments.Plan, rec *Record) {
	for i := range rec.Experiments {
		e := &rec.Experiments[i]
		if e.How != howKeep {
			continue
		}
		t := plan.Trial(e.Key)
		if t == nil {
			continue
		}
		for v := range t.Variants {
			if t.Variants[v].Key == e.Variant {
				s.keeper.add(e.Key, e.unit(rec), assignment.Kept{Variant: v, Version: t.BucketVersion})
			}
		}
	}
}

// unit is what was assigned.
func (e *Enrolment) unit(rec *Record) string {
	if e.Unit != "" {
		return e.Unit
	}
	return rec.ProfileID
}
