package profiles

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// duplicateGeneration is how many message ids one of the two generations of the
// latest ones holds.
const duplicateGeneration = 500_000

const (
	// duplicateDays is for how long a message id is recognised: for seven times 24
	// hours to the second.
	duplicateDays = 7
	// confirmTime bounds the question whether an id is known.
	confirmTime = 2 * time.Second
	// defaultDuplicateMemory bounds the fingerprints, in bytes.
	defaultDuplicateMemory = 1 << 30
)

// duplicates recognises message ids that were stored within the last seven days.
//
// The latest half to one million ids are remembered as hashes of 128 bits under
// secret seeds: who is in there was stored. Of all seven days there are 60 bits of
// a fingerprint (see [window]): an id whose fingerprint is not there is new, for
// certain and without any I/O, which is what nearly all are. A fingerprint that is
// there is a repeat but for one in ten billion, and ClickHouse tells by the id
// itself. When ClickHouse cannot be asked, the message counts as a repeat.
//
// A call claims its ids before it writes them, and another call with the same
// ids, such as an attempt that overtakes the first one, waits for its outcome.
type duplicates struct {
	seeds  [2]maphash.Seed
	limit  int
	window *window
	now    func() time.Time
	// stored is the sequence of the stream up to which ClickHouse has every message.
	stored func() uint64
	// find says which of the ids ClickHouse has of the last seven days.
	find func(ctx context.Context, ids []string) (map[string]bool, error)
	// asked is told of the questions put to ClickHouse: how many ids, how many of
	// them were known, and what went wrong.
	asked func(ids, known int, err error)

	mu       sync.Mutex
	current  map[messageHash]struct{}
	previous map[messageHash]struct{}
	pending  map[messageHash]*claim
	// newest are the last sequences in current and previous.
	newest [2]uint64
	// forgotten is the sequence up to which messages may be missing above: those
	// are in ClickHouse, or will be.
	forgotten uint64
}

type messageHash [2]uint64

// claim is the ids that one call is about to write.
type claim struct{ done chan struct{} } // made when somebody waits

func newDuplicates(limit int, memory int64) *duplicates {
	if memory <= 0 {
		memory = defaultDuplicateMemory
	}
	return &duplicates{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, limit: limit, window: newWindow(memory), now: time.Now,
		stored:  func() uint64 { return 0 },
		find:    func(context.Context, []string) (map[string]bool, error) { return nil, nil },
		asked:   func(int, int, error) {},
		current: map[messageHash]struct{}{}, pending: map[messageHash]*claim{},
	}
}

func (d *duplicates) hash(messageID string) messageHash {
	return messageHash{maphash.String(d.seeds[0], messageID), maphash.String(d.seeds[1], messageID)}
}

// fingerprint is what the window keeps of an id; ClickHouse computes the same.
func fingerprint(messageID string) uint64 { return xxhash.Sum64String(messageID) }

// take claims the ids that are new and sets known[i] for the others. hashes are
// those of ids; ids that occur twice have known set for the second one already.
// Give the claim back with [duplicates.release].
func (d *duplicates) take(ctx context.Context, ids []string, hashes []messageHash, known []bool) (*claim, error) {
	c := new(claim)
	for {
		wait := d.claim(c, hashes, known)
		if wait == nil {
			break
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	day := dayOf(d.now().UnixMilli())
	var doubtful []int
	for i, id := range ids {
		if !known[i] && d.window.has(fingerprint(id), day) {
			doubtful = append(doubtful, i)
		}
	}
	if len(doubtful) > 0 {
		d.confirm(ctx, ids, known, doubtful)
		d.mu.Lock()
		for _, i := range doubtful {
			if known[i] {
				delete(d.pending, hashes[i])
			}
		}
		d.mu.Unlock()
	}
	return c, nil
}

// claim marks what the latest ids know and claims the rest, all or nothing: it
// returns what to wait for when another call has claimed one of them.
func (d *duplicates) claim(c *claim, hashes []messageHash, known []bool) (wait <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, h := range hashes {
		if known[i] {
			continue
		}
		if _, known[i] = d.current[h]; known[i] {
			continue
		}
		if _, known[i] = d.previous[h]; known[i] {
			continue
		}
		if other := d.pending[h]; other != nil {
			if other.done == nil {
				other.done = make(chan struct{})
			}
			return other.done
		}
	}
	for i, h := range hashes {
		if !known[i] {
			d.pending[h] = c
		}
	}
	return nil
}

// confirm sets known for those of the doubtful ids that were stored.
func (d *duplicates) confirm(ctx context.Context, ids []string, known []bool, doubtful []int) {
	d.mu.Lock()
	forgotten := d.forgotten
	d.mu.Unlock()
	if d.stored() >= forgotten {
		asked := make([]string, len(doubtful))
		for n, i := range doubtful {
			asked[n] = ids[i]
		}
		ctx, cancel := context.WithTimeout(ctx, confirmTime)
		defer cancel()
		found, err := d.find(ctx, asked)
		if err == nil {
			for _, i := range doubtful {
				known[i] = found[ids[i]]
			}
			d.asked(len(asked), len(found), nil)
			return
		}
		d.asked(len(asked), len(asked), err)
	}
	for _, i := range doubtful {
		known[i] = true
	}
}

// settle notes that claimed ids are durable: they are in the record of the stream
// with the sequence. Never settle one that is not: a repeat would be answered as
// stored.
func (d *duplicates) settle(ids []string, hashes []messageHash, sequence uint64) {
	day := dayOf(d.now().UnixMilli())
	for _, id := range ids {
		d.window.add(fingerprint(id), day)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range hashes {
		d.remember(h, sequence)
		delete(d.pending, h)
	}
}

// release ends a claim: what was not settled may come again.
func (d *duplicates) release(c *claim, hashes []messageHash) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range hashes {
		if d.pending[h] == c {
			delete(d.pending, h)
		}
	}
	if c.done != nil {
		close(c.done)
	}
}

func (d *duplicates) remember(h messageHash, sequence uint64) {
	if len(d.current) >= d.limit {
		d.forgotten = max(d.forgotten, d.newest[1])
		d.previous, d.current = d.current, make(map[messageHash]struct{}, d.limit/4)
		d.newest[0], d.newest[1] = 0, d.newest[0]
	}
	d.current[h] = struct{}{}
	d.newest[0] = max(d.newest[0], sequence)
}

// saw remembers a message of the stream that was received at the given time, in
// Unix milliseconds.
func (d *duplicates) saw(messageID string, sequence uint64, received int64) {
	d.window.add(fingerprint(messageID), dayOf(received))
	h := d.hash(messageID)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remember(h, sequence)
}

// beginBehind says that nothing up to the sequence will be told to saw.
func (d *duplicates) beginBehind(sequence uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgotten = max(d.forgotten, sequence)
}

// dayOf numbers the days since 1970, UTC.
func dayOf(milliseconds int64) int64 { return milliseconds / (24 * 3600 * 1000) }
