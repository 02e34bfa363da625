package profiles

import (
	"hash/maphash"
	"sync"
)

// duplicateGeneration is how many message ids one of the two generations holds.
const duplicateGeneration = 500_000

// duplicates remembers the last half to one million message ids, as hashes of
// 128 bits. It spares the stores most of what clients send twice; what it has
// forgotten, ClickHouse still recognises.
type duplicates struct {
	seeds [2]maphash.Seed
	limit int

	mu       sync.Mutex
	current  map[messageHash]struct{}
	previous map[messageHash]struct{}
}

type messageHash [2]uint64

func newDuplicates(limit int) *duplicates {
	return &duplicates{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, limit: limit, current: map[messageHash]struct{}{}}
}

func (d *duplicates) hash(messageID string) messageHash {
	return messageHash{maphash.String(d.seeds[0], messageID), maphash.String(d.seeds[1], messageID)}
}

// known sets known[i] where the id with hashes[i] was added before.
func (d *duplicates) known(hashes []messageHash, known []bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, h := range hashes {
		_, known[i] = d.current[h]
		if !known[i] {
			_, known[i] = d.previous[h]
		}
	}
}

// add remembers messages that are durable. Never add one that is not: a repeat
// would be answered as stored.
func (d *duplicates) add(hashes ...messageHash) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range hashes {
		if len(d.current) >= d.limit {
			d.previous, d.current = d.current, make(map[messageHash]struct{}, d.limit/4)
		}
		d.current[h] = struct{}{}
	}
}

// addID remembers one message by its id.
func (d *duplicates) addID(messageID string) { d.add(d.hash(messageID)) }
