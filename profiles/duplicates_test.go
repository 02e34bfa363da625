package profiles

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/internal/stream"
)

// Whatever is added on whatever day: within seven days a fingerprint is found, a
// day later it is not, and the table stays within its bound.
func TestWindowKeepsSevenDays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWindow(rapid.SampledFrom([]int64{1 << 20, 256 << 20}).Draw(t, "memory"))
		seed := rapid.Uint64().Draw(t, "seed")
		random := rand.New(rand.NewPCG(seed, 1))
		first := map[uint64]int64{}
		day := rapid.Int64Range(0, 40_000).Draw(t, "day")
		for range rapid.IntRange(1, 12).Draw(t, "days") {
			for range rapid.IntRange(0, 8000).Draw(t, "ids") {
				h := random.Uint64()
				if random.IntN(10) == 0 {
					h &= 0xff<<56 | 0xfff // crowded
				}
				w.add(h, day)
				if at, ok := first[h>>4]; !ok || day-at > duplicateDays {
					first[h>>4] = day
				}
			}
			for h, at := range first {
				if found := w.has(h<<4, day); !found && day-at <= duplicateDays {
					t.Fatalf("%x of day %d is gone on day %d", h, at, day)
				}
			}
			day += rapid.SampledFrom([]int64{0, 1, 1, 1, 2, 9, 30}).Draw(t, "later")
		}
		if size, _, lost := w.size(); size > max(1<<20, 16*int64(len(first))+windowShards*8*smallestTable) || lost != 0 {
			t.Fatalf("%d bytes for %d ids, lost day %d", size, len(first), lost)
		}
	})
	w := newWindow(1 << 20)
	w.add(1<<60, 100)
	for _, later := range []int64{0, 7, 8, 15, 16, 31} {
		if got := w.has(1<<60, 100+later); got != (later <= duplicateDays) {
			t.Errorf("%d days later: %v", later, got)
		}
	}
}

// Beyond its bound the window takes some new ids for known ones and forgets none,
// until the filters are full as well; then it says which days it lost.
func TestWindowBeyondItsBound(t *testing.T) {
	t.Parallel()
	const memory = 4 << 20 // room for about 330,000 ids
	w := newWindow(memory)
	random := rand.New(rand.NewPCG(1, 2))
	ids := make([][]uint64, 5)
	for day := range ids {
		for range 150_000 {
			h := random.Uint64()
			ids[day] = append(ids[day], h)
			w.add(h, int64(100+day))
		}
	}
	for day := range ids {
		for _, h := range ids[day] {
			if !w.has(h, 104) {
				t.Fatalf("an id of day %d is forgotten", day)
			}
		}
	}
	wrong := 0
	for range 200_000 {
		if w.has(random.Uint64(), 104) {
			wrong++
		}
	}
	size, kept, lost := w.size()
	if share := float64(wrong) / 200_000; size > memory || lost != 0 || share > 0.05 || share == 0 {
		t.Errorf("%d bytes, %d ids in tables, day %d lost, %.2f %% of new ids have to be asked for", size, kept, lost, 100*share)
	}
	for day := int64(105); day < 108; day++ {
		for range 400_000 {
			w.add(random.Uint64(), day)
		}
	}
	if size, _, lost := w.size(); size > memory || lost == 0 {
		t.Errorf("%d bytes of %d, day %d lost", size, memory, lost)
	}
}

func TestMemoryOfTheWindow(t *testing.T) {
	t.Parallel()
	const ids = 4_000_000
	w := newWindow(1 << 30)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range ids {
		w.add(random.Uint64(), int64(100+i/(ids/7)))
	}
	size, kept, _ := w.size()
	if perID := float64(size) / ids; perID > 14 || kept < ids-100 {
		t.Errorf("%.1f bytes an id, %d kept", perID, kept)
	} else {
		t.Logf("%.1f bytes an id", perID)
	}
}

func hashesOf(d *duplicates, ids []string) []messageHash {
	out := make([]messageHash, len(ids))
	for i, id := range ids {
		out[i] = d.hash(id)
	}
	return out
}

// Calls that have the same ids at the same time: one of them writes, the others
// wait and find repeats; when it fails, the next one writes.
func TestSameIDsAtTheSameTime(t *testing.T) {
	t.Parallel()
	d := newDuplicates(1000, 1<<20)
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = fmt.Sprint("id-", i)
	}
	var written, failures atomic.Int64
	var all sync.WaitGroup
	for caller := range 40 {
		all.Go(func() {
			mine := append([]string(nil), ids...)
			rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			mine = mine[:10+caller%30]
			hashes, known := hashesOf(d, mine), make([]bool, len(mine))
			c, err := d.take(t.Context(), mine, hashes, known)
			if err != nil {
				t.Error(err)
				return
			}
			defer d.release(c, hashes)
			if failures.Add(1) <= 5 {
				return // the stream was full
			}
			for i := range mine {
				if !known[i] {
					d.settle(mine[i:i+1], hashes[i:i+1], 1)
					written.Add(1)
				}
			}
		})
	}
	all.Wait()
	hashes, known := hashesOf(d, ids), make([]bool, len(ids))
	if _, err := d.take(t.Context(), ids, hashes, known); err != nil {
		t.Fatal(err)
	}
	settled := 0
	for _, k := range known {
		if k {
			settled++
		}
	}
	if int(written.Load()) != settled || settled < 40 {
		t.Errorf("%d ids were written, %d are known", written.Load(), settled)
	}
	waiting, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	clear(known)
	for i := range ids {
		if _, ok := d.pending[hashes[i]]; ok {
			if _, err := d.take(waiting, ids, hashes, known); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a call that waits for ever: %v", err)
			}
			break
		}
	}
}

// A fingerprint decides nothing: ClickHouse is asked for the id itself, once it has
// all that memory has forgotten.
func TestFingerprintIsConfirmed(t *testing.T) {
	t.Parallel()
	d := newDuplicates(2, 1<<20)
	stored, fails := uint64(0), false
	d.stored = func() uint64 { return stored }
	d.find = func(_ context.Context, ids []string) (map[string]bool, error) {
		if fails {
			return nil, errors.New("away")
		}
		found := map[string]bool{}
		for _, id := range ids {
			found[id] = id == "old"
		}
		return found, nil
	}
	day := dayOf(d.now().UnixMilli())
	d.window.add(fingerprint("old"), day)
	d.window.add(fingerprint("twin"), day) // as if another id had its fingerprint
	ask := func(id string) bool {
		ids, known := []string{id}, []bool{false}
		hashes := hashesOf(d, ids)
		c, err := d.take(t.Context(), ids, hashes, known)
		if err != nil {
			t.Fatal(err)
		}
		d.release(c, hashes)
		return known[0]
	}
	if !ask("old") || ask("twin") || ask("new") {
		t.Error("ClickHouse is not believed")
	}
	for i := range 5 { // memory holds two to four
		d.saw(fmt.Sprint("m", i), uint64(10+i), d.now().UnixMilli())
	}
	if !ask("twin") || ask("new") {
		t.Error("while ClickHouse is behind, a known fingerprint is a repeat")
	}
	if stored = 14; ask("twin") || !ask("old") {
		t.Error("ClickHouse has caught up and is not believed")
	}
	if fails = true; !ask("twin") || ask("new") {
		t.Error("while ClickHouse does not answer, a known fingerprint is a repeat")
	}
}

// What came before a restart is a repeat after it, in the log and in the count of
// the profile, also when memory is small and the stream has been trimmed.
func TestRepeatsAcrossRestarts(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	send := func(from, to int) (accepted, repeated float64) {
		var body string
		for i := from; i < to; i++ {
			body += fmt.Sprintf(`,{"type":"track","event":"E","userId":"u","messageId":"m%d"}`, i)
		}
		status, out := b.call("POST", "/v1/batch", `{"batch":[`+body[1:]+`]}`)
		if status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		repeated, _ = out["repeated"].(float64)
		return out["accepted"].(float64), repeated
	}
	send(0, 100)
	b.flush()
	send(100, 150) // perhaps not stored when the service stops
	b.open()
	b.service.duplicates.mu.Lock()
	clear(b.service.duplicates.current) // as if a million others had come since
	clear(b.service.duplicates.previous)
	b.service.duplicates.mu.Unlock()
	b.flush()
	if accepted, repeated := send(50, 200); accepted != 150 || repeated != 100 {
		t.Errorf("after a restart %v of %v are repeats", repeated, accepted)
	}
	b.flush()
	if n := b.count("SELECT count() FROM events"); n != 200 {
		t.Errorf("%d rows", n)
	}
	if _, p := b.call("GET", "/v1/profiles/userId:u", ""); p["eventCount"] != 200.0 {
		t.Errorf("the profile has %v events", p["eventCount"])
	}
	// Seven days and an hour later an id is free again.
	b.service.now = func() time.Time { return time.Now().Add((7*24 + 1) * time.Hour) }
	b.service.duplicates.now = b.service.now
	b.service.duplicates.mu.Lock()
	clear(b.service.duplicates.current)
	b.service.duplicates.mu.Unlock()
	if accepted, repeated := send(0, 10); accepted != 10 || repeated != 0 {
		t.Errorf("a week later %v of %v are repeats", repeated, accepted)
	}
}

// Ids are learnt in the order of their fingerprints. They must not lie in one row, or
// learning them takes a time that grows with the square of their number.
func TestSortedFingerprintsDoNotPileUp(t *testing.T) {
	t.Parallel()
	w := newWindow(64 << 20)
	const n = 20_000
	for i := range uint64(n) { // the lower half of one shard's
		w.add(7<<56|i*(1<<55/n), 20_000)
	}
	slots := w.shards[7].slots
	longest, run := 0, 0
	for _, slot := range slots {
		if run++; slot == 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	if w.shards[7].used != n || longest > len(slots)/20 {
		t.Errorf("%d of %d ids in %d slots, %d of them in one row", w.shards[7].used, n, len(slots), longest)
	}
	for i := range uint64(n) {
		if !w.has(7<<56|i*(1<<55/n), 20_000) {
			t.Fatalf("id %d is not known", i)
		}
	}
}
