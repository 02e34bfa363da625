package stream

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTrimTo(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	if err := topic.TrimTo(testContext(t), 5); err != nil {
		t.Fatalf("an empty topic: %v", err)
	}
	publishAll(t, topic, "1", "2", "3", "4")
	for _, c := range []struct{ to, first uint64 }{{0, 1}, {1, 1}, {3, 3}, {2, 3}, {100, 5}} {
		if err := topic.TrimTo(testContext(t), c.to); err != nil {
			t.Fatal(err)
		}
		first, last, _, err := topic.State(testContext(t))
		if err != nil || first != c.first || last != 4 {
			t.Errorf("trimmed to %d: first %d, last %d, %v", c.to, first, last, err)
		}
	}
	// The trim beyond the end neither skipped a sequence nor made later trims do nothing.
	if seq := publishAll(t, topic, "5", "6"); seq != 6 {
		t.Errorf("sequence %d", seq)
	}
	if err := topic.TrimTo(testContext(t), 6); err != nil {
		t.Fatal(err)
	}
	if first, _, _, _ := topic.State(testContext(t)); first != 6 {
		t.Errorf("first %d", first)
	}
}

func TestTrimBehind(t *testing.T) {
	t.Parallel()
	// What is idle is trimmed once it fills an eighth of the limit: 16 messages here.
	topic := openTopic(t, openEmbedded(t, Options{MaxBytes: 1 << 20}), "EVENTS")
	for range 100 {
		publishAll(t, topic, strings.Repeat("x", 8<<10))
	}
	if err := topic.TrimBehind(testContext(t), 0); err == nil {
		t.Error("trimmed without consumers")
	}
	var fast, slow atomic.Uint64
	fast.Store(90)
	round := func() {
		if err := topic.trimBehind(testContext(t), 10, []func() uint64{fast.Load, slow.Load}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ slow, first uint64 }{{0, 1}, {10, 1}, {20, 1}, {40, 31}, {45, 31}, {95, 81}} {
		slow.Store(c.slow)
		round()
		if first, last, _, _ := topic.State(testContext(t)); first != c.first || last != 100 {
			t.Errorf("slow at %d: first %d instead of %d, last %d", c.slow, first, c.first, last)
		}
	}
	fast.Store(100)
	slow.Store(100)
	stop := running(t, func(ctx context.Context) error { return topic.TrimBehind(ctx, 0, fast.Load, slow.Load) })
	eventually(t, "the loop trimmed", func() bool {
		first, _, _, _ := topic.State(testContext(t))
		return first == 101
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What is kept behind the consumers leaves room for what comes, however much that is asked to be.
func TestTheTailLeavesRoom(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{MaxBytes: 1 << 20}), "EVENTS")
	data := make([]byte, 10_000)
	var last uint64
	for {
		seq, err := topic.Publish(testContext(t), data)
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	behind := func(position uint64) (first uint64) {
		t.Helper()
		if err := topic.trimBehind(testContext(t), 10_000, []func() uint64{func() uint64 { return position }}); err != nil {
			t.Fatal(err)
		}
		first, _, _, err := topic.State(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	if first := behind(10); first != 1 {
		t.Errorf("with a short tail the first message is %d", first)
	}
	if kept := last - behind(last) + 1; kept < 20 || kept > 30 {
		t.Errorf("%d messages of 10 kB are kept in a topic of 1 MiB, want about a quarter", kept)
	}
	if _, err := topic.Publish(testContext(t), data); err != nil {
		t.Errorf("after trimming: %v", err)
	}
}

// A topic that is full because its consumer lags takes messages again once the consumer went on.
func TestBackPressureEnds(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{MaxBytes: 1 << 20}), "EVENTS")
	store := newMemoryStore()
	var down atomic.Bool
	down.Store(true)
	store.fail = func(Batch) error {
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}
	sink := NewSink(topic, "store", store.store, SinkOptions{MaxMessages: 20, MaxWait: 5 * time.Millisecond})
	running(t, sink.Run)
	running(t, func(ctx context.Context) error { return topic.TrimBehind(ctx, 0, sink.Position) })
	data := make([]byte, 10_000)
	var last uint64
	refused := 0
	deadline := time.Now().Add(40 * time.Second)
	for last < 300 && time.Now().Before(deadline) {
		seq, err := topic.Publish(testContext(t), data)
		switch {
		case err == nil:
			last = seq
		case errors.Is(err, ErrFull):
			refused++
			down.Store(false)
			time.Sleep(20 * time.Millisecond)
		default:
			t.Fatal(err)
		}
	}
	if last != 300 || refused == 0 {
		t.Fatalf("%d messages taken, %d refused", last, refused)
	}
	waitFor(t, sink, last)
	if messages := store.check(t, 1, last); len(messages) != 300 {
		t.Errorf("%d messages", len(messages))
	}
}

// After the loss of a topic's end, no sequence that a consumer has seen is used again, and what other
// consumers have not yet read is still there.
func TestAdvancePast(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]string{"empty": nil, "with messages": {"a", "b", "c"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
			publishAll(t, topic, before...)
			for _, position := range []uint64{500, 500, 2} {
				if err := topic.AdvancePast(testContext(t), position); err != nil {
					t.Fatal(err)
				}
				if _, last, _, _ := topic.State(testContext(t)); last != 500 {
					t.Fatalf("last %d", last)
				}
			}
			if seq := publishAll(t, topic, "next"); seq != 501 {
				t.Errorf("the next message is %d", seq)
			}
			got := readAll(t, topic, 1, len(before)+1)
			for i, want := range append(before, "next") {
				if string(got[i].Data) != want {
					t.Errorf("message %d: %q", i, got[i].Data)
				}
			}
		})
	}
}

// The sinks' journals stay when a topic loses everything: it goes on behind them.
func TestTopicGoesOnBehindItsSinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openEmbedded(t, Options{DataDir: dir})
	topic := openTopic(t, s, "EVENTS")
	store := newMemoryStore()
	sink := NewSink(topic, "store", store.store, SinkOptions{MaxWait: time.Millisecond})
	stop := running(t, sink.Run)
	last := publishAll(t, topic, "a", "b", "c")
	waitFor(t, sink, last)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.js.DeleteStream(testContext(t), topic.subject); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	topic = openTopic(t, openEmbedded(t, Options{DataDir: dir}), "EVENTS")
	if seq := publishAll(t, topic, "d"); seq != last+1 {
		t.Fatalf("the next sequence is %d, behind %d", seq, last)
	}
	sink = NewSink(topic, "store", store.store, SinkOptions{MaxWait: time.Millisecond})
	running(t, sink.Run)
	waitFor(t, sink, last+1)
	if messages := store.check(t, 1, last+1); string(messages[3].Data) != "d" || sink.Stats().Missing != 0 {
		t.Errorf("%v, %+v", messages, sink.Stats())
	}
}

// A range whose end is now fillers only is finished all the same.
func TestInterruptedRangeThatLostItsEnd(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	publishAll(t, topic, "a", "b")
	j := topic.newJournal("store", time.Minute)
	if _, err := j.acquire(testContext(t), func(entry) {}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.begin(testContext(t), 10), j.release(testContext(t))); err != nil {
		t.Fatal(err)
	}
	if err := topic.AdvancePast(testContext(t), 10); err != nil {
		t.Fatal(err)
	}
	store := newMemoryStore()
	sink := NewSink(topic, "store", store.store, SinkOptions{})
	running(t, sink.Run)
	waitFor(t, sink, 10)
	if messages := store.check(t, 1, 10); len(messages) != 2 {
		t.Errorf("%d messages", len(messages))
	}
}
