package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

// What many callers append is there once, in the order in which each caller appended it, under the sequence
// that the caller was told, and several records share a message.
func TestAppendFromManyGoroutines(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	const goroutines, each = 64, 200
	told := make([][]uint64, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			var data []byte
			for i := range each {
				// Used again each time: Append must have copied it. Sizes reach beyond what is grouped.
				data = append(data[:0], fmt.Sprintf("%d %d ", g, i)...)
				data = append(data, make([]byte, (g*each+i)%(maxGrouped+500))...)
				seq, err := topic.Append(testContext(t), data)
				if err != nil {
					t.Error(err)
					return
				}
				clear(data)
				told[g] = append(told[g], seq)
			}
		})
	}
	wg.Wait()
	next := make([]int, goroutines)
	var before Message
	for _, m := range readAll(t, topic, 1, goroutines*each) {
		var g, i int
		if _, err := fmt.Sscanf(string(m.Data), "%d %d ", &g, &i); err != nil {
			t.Fatalf("%.20q: %v", m.Data, err)
		}
		if i != next[g] || told[g][i] != m.Sequence {
			t.Fatalf("record %d of caller %d is at %d, the caller was told %d, and %d was due", i, g, m.Sequence, told[g][i], next[g])
		}
		if want := len(fmt.Sprintf("%d %d ", g, i)) + (g*each+i)%(maxGrouped+500); len(m.Data) != want {
			t.Fatalf("record of %d bytes instead of %d", len(m.Data), want)
		}
		if follows := m.Sequence == before.Sequence && m.Index == before.Index+1; !follows && (m.Sequence != before.Sequence+1 || m.Index != 0) {
			t.Fatalf("%d.%d follows %d.%d", m.Sequence, m.Index, before.Sequence, before.Index)
		}
		before = m
		next[g]++
	}
	if before.Sequence > goroutines*each/2 {
		t.Errorf("%d records took %d messages", goroutines*each, before.Sequence)
	}
}

// A record that comes alone is a message like one of Publish.
func TestAppendAlone(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	for i := range 20 {
		seq, err := topic.Append(testContext(t), []byte(strconv.Itoa(i)))
		if err != nil || seq != uint64(i+1) {
			t.Fatalf("record %d: sequence %d, %v", i, seq, err)
		}
	}
	if _, err := topic.Append(testContext(t), nil); err != nil {
		t.Fatal(err)
	}
	for i, m := range readAll(t, topic, 1, 21)[:20] {
		if string(m.Data) != strconv.Itoa(i) || m.Index != 0 {
			t.Fatalf("%+v", m)
		}
	}
	raw, err := topic.stream.GetMsg(testContext(t), 1)
	if err != nil || raw.Header[groupHeader] != nil {
		t.Errorf("header %v, %v", raw.Header, err)
	}
}

// held makes everything that is appended gather until release is called, as behind a message on its way.
func held(topic *Topic) (release func()) {
	c := topic.commits
	c.mu.Lock()
	c.flying += maxGroupsInFlight
	c.mu.Unlock()
	return func() {
		for range maxGroupsInFlight {
			c.landed()
		}
	}
}

func (c *committer) waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range c.queue {
		n += len(g.records) - g.gone
	}
	return n
}

// appendHeld appends each record from a goroutine of its own, in order, while topic is held.
func appendHeld(t *testing.T, topic *Topic, contexts []context.Context, records []string) []chan error {
	t.Helper()
	results := make([]chan error, len(records))
	for i, record := range records {
		results[i] = make(chan error, 1)
		before := topic.commits.waiting()
		go func() {
			_, err := topic.Append(contexts[i], []byte(record))
			results[i] <- err
		}()
		eventually(t, "the record is in the queue", func() bool { return topic.commits.waiting() == before+1 })
	}
	return results
}

// Who gives up in time takes the record back, and those beside it are stored.
func TestAppendWithdraws(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	release := held(topic)
	ctx, cancel := context.WithCancel(testContext(t))
	stays := testContext(t)
	results := appendHeld(t, topic, []context.Context{stays, ctx, stays, ctx, stays}, []string{"a", "b", "c", "d", ""})
	cancel()
	for _, i := range []int{1, 3} {
		if err := <-results[i]; !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("the record that was given up: %v", err)
		}
	}
	release()
	for _, i := range []int{0, 2, 4} {
		if err := <-results[i]; err != nil {
			t.Error(err)
		}
	}
	publishAll(t, topic, "last")
	var got []string
	for _, m := range readAll(t, topic, 1, 4) {
		got = append(got, fmt.Sprintf("%d.%d %s", m.Sequence, m.Index, m.Data))
	}
	if want := []string{"1.0 a", "1.1 c", "1.2 ", "2.0 last"}; !slices.Equal(got, want) {
		t.Errorf("%q instead of %q", got, want)
	}
}

// Everybody whose record is in a message that is refused gets the reason, and nothing of it is stored.
func TestAppendWhenFull(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{MaxBytes: 1 << 17}), "EVENTS")
	filler := make([]byte, 8000)
	for {
		if _, err := topic.Append(testContext(t), filler); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	release := held(topic)
	ctx := testContext(t)
	results := appendHeld(t, topic, slices.Repeat([]context.Context{ctx}, 5), slices.Repeat([]string{string(filler)}, 5))
	release()
	for _, result := range results {
		if err := <-result; !errors.Is(err, ErrFull) {
			t.Errorf("%v", err)
		}
	}
	_, last, _, err := topic.State(testContext(t))
	if err != nil || last > 20 {
		t.Errorf("last %d, %v", last, err)
	}
}

func TestAppendIsBounded(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	release := held(topic)
	var wg sync.WaitGroup
	var stored atomic.Int64
	const callers = maxPending + 300
	for range callers {
		wg.Go(func() {
			if _, err := topic.Append(testContext(t), make([]byte, 300)); err != nil {
				t.Error(err)
				return
			}
			stored.Add(1)
		})
	}
	eventually(t, "the queue is full", func() bool { return topic.commits.waiting() == maxPending })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, err := topic.Append(ctx, []byte("x")); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beyond the bound: %v", err)
	}
	c := topic.commits
	c.mu.Lock()
	for i, g := range c.queue {
		if len(g.records) > maxGroupRecords || len(g.bytes) > maxGroupBytes+maxGrouped {
			t.Errorf("group %d has %d records of %d bytes", i, len(g.records), len(g.bytes))
		}
	}
	c.mu.Unlock()
	release()
	wg.Wait()
	if got := readAll(t, topic, 1, int(stored.Load())); len(got) != callers {
		t.Errorf("%d records", len(got))
	}
}

func TestAppendHonoursItsContext(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	release := held(topic)
	for range 3 * maxPending { // would run out of places if one leaked
		if _, err := topic.Append(ctx, []byte("x")); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	release()
	if _, err := topic.Append(testContext(t), []byte("y")); err != nil {
		t.Fatal(err)
	}
}

func TestAppendWithoutAServer(t *testing.T) {
	t.Parallel()
	srv := startServer(t, t.TempDir(), -1)
	defer srv.Shutdown()
	topic := openTopic(t, openStream(t, Options{URL: srv.ClientURL()}), "EVENTS")
	release := held(topic)
	ctx := testContext(t)
	results := appendHeld(t, topic, slices.Repeat([]context.Context{ctx}, 3), []string{"a", "b", "c"})
	srv.Shutdown()
	srv.WaitForShutdown()
	release()
	for _, result := range results {
		if err := <-result; !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
}

func TestAppendAfterClose(t *testing.T) {
	t.Parallel()
	s := openEmbedded(t, Options{})
	topic := openTopic(t, s, "EVENTS")
	release := held(topic)
	results := appendHeld(t, topic, []context.Context{testContext(t)}, []string{"a"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	release()
	if err := <-results[0]; !errors.Is(err, ErrClosed) {
		t.Errorf("what waited: %v", err)
	}
	if _, err := topic.Append(testContext(t), []byte("b")); !errors.Is(err, ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
}

// Records that share a message stay together in batches and ranges, and single messages of earlier
// versions stand beside them.
func TestReadersKeepAMessageTogether(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	publishAll(t, topic, "old")
	for _, n := range []int{3, 4, 1, 12, 2} {
		release := held(topic)
		results := appendHeld(t, topic, slices.Repeat([]context.Context{testContext(t)}, n), slices.Repeat([]string{"new"}, n))
		release()
		for _, result := range results {
			if err := <-result; err != nil {
				t.Fatal(err)
			}
		}
	}
	last := publishAll(t, topic, "old")
	store := newMemoryStore()
	sink := NewSink(topic, "store", store.store, SinkOptions{MaxMessages: 5, MaxWait: 100 * time.Millisecond})
	running(t, sink.Run)
	waitFor(t, sink, last)
	var got []string
	for _, m := range store.check(t, 1, last) {
		got = append(got, fmt.Sprintf("%d.%d", m.Sequence, m.Index))
	}
	want := []string{"1.0"}
	for s, n := range []int{3, 4, 1, 12, 2} {
		for i := range n {
			want = append(want, fmt.Sprintf("%d.%d", s+2, i))
		}
	}
	if want = append(want, "7.0"); !slices.Equal(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
	sizes := map[string]int{}
	for token, b := range store.ranges {
		sizes[token[:len(token)-len(b.Epoch)-1]] = len(b.Messages)
	}
	for token, n := range map[string]int{"EVENTS:1-2": 4, "EVENTS:3-4": 5, "EVENTS:5-5": 12, "EVENTS:6-7": 3} {
		if sizes[token] != n {
			t.Errorf("ranges %v", sizes)
		}
	}
	if stats := sink.Stats(); stats.Messages != 24 {
		t.Errorf("%+v", stats)
	}
}

// A frame that does not fit its bytes is handed over as it is.
func TestSplitDamaged(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	bodies := []struct {
		count, data string
		parts       int
	}{
		{"2", "\x01a\x02bc", 2}, {"2", "\x01a\x03bc", 1}, {"2", "\x01a", 1}, {"2", "\x01a\x02bcd", 1}, {"2", "", 1},
		{"x", "\x01a\x02bc", 1}, {"-2", "\x01a", 1}, {"999999999999", "\x01a", 1}, {"2", "\x01a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1},
	}
	total := 0
	for _, b := range bodies {
		if _, err := topic.s.pub.publish(testContext(t), topic.subject, nats.Header{groupHeader: []string{b.count}}, []byte(b.data)); err != nil {
			t.Fatal(err)
		}
		total += b.parts
	}
	parts := map[uint64]int{}
	for _, m := range readAll(t, topic, 1, total) {
		parts[m.Sequence]++
		if b := bodies[m.Sequence-1]; b.parts == 1 && string(m.Data) != b.data {
			t.Errorf("%q was handed over as %q", b.data, m.Data)
		}
	}
	for i, b := range bodies {
		if parts[uint64(i+1)] != b.parts {
			t.Errorf("%q: %d records", b.data, parts[uint64(i+1)])
		}
	}
}

// Whatever is gathered and withdrawn, what is sent is what the others gave, in order.
func TestGroupRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := &group{}
		var want [][]byte
		for _, record := range rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 1, 40).Draw(t, "records") {
			p := &pending{group: g, index: len(g.records)}
			g.bytes = binary.AppendUvarint(g.bytes, uint64(len(record)))
			start := len(g.bytes)
			g.bytes = append(g.bytes, record...)
			g.records = append(g.records, grouped{start, len(g.bytes), p})
			if rapid.Bool().Draw(t, "withdrawn") {
				g.records[p.index].waiter = nil
				g.gone++
				continue
			}
			want = append(want, record)
		}
		g.withdraw()
		if len(want) == 0 {
			if len(g.records) != 0 {
				t.Fatalf("%d records are left", len(g.records))
			}
			return
		}
		header, body := g.message()
		got := split(nil, Message{Sequence: 7, Data: body}, recordsOf(header))
		if len(got) != len(want) {
			t.Fatalf("%d records instead of %d", len(got), len(want))
		}
		for i, m := range got {
			if !slices.Equal(m.Data, want[i]) || m.Sequence != 7 || m.Index != i || g.records[i].waiter.index != i {
				t.Fatalf("record %d is %+v instead of %v", i, m, want[i])
			}
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("\x01a\x02bc"), 2)
	f.Add([]byte("\x01a\x80"), 3)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		got := split(nil, Message{Data: data}, max(n, 1))
		switch {
		case len(got) == 1 && slices.Equal(got[0].Data, data):
		case len(got) == n:
			var again []byte
			for _, m := range got {
				again = append(binary.AppendUvarint(again, uint64(len(m.Data))), m.Data...)
			}
			if len(again) > len(data) { // a length may be written in more bytes than it needs
				t.Errorf("%q was split into %d bytes", data, len(again))
			}
		default:
			t.Errorf("%q gives %d records", data, len(got))
		}
	})
}

// BenchmarkAppend measures durable records by callers that wait for each acknowledgement.
func BenchmarkAppend(b *testing.B) {
	for _, goroutines := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			topic := openTopic(b, openEmbedded(b, Options{}), "EVENTS")
			data := make([]byte, 1200)
			for i := range data {
				data[i] = byte(rand.N(256))
			}
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range goroutines {
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if _, err := topic.Append(context.Background(), data); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			_, last, _, err := topic.State(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/float64(last), "records/message")
		})
	}
}
