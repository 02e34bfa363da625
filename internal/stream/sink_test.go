package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// memoryStore is a store that keeps each token once, as ClickHouse does, and checks what a sink promises.
type memoryStore struct {
	mu      sync.Mutex
	ranges  map[string]Batch // by token
	repeats int
	faults  []string
	fail    func(b Batch) error // may be nil; called after the batch was stored
}

func newMemoryStore() *memoryStore { return &memoryStore{ranges: map[string]Batch{}} }

func (m *memoryStore) store(_ context.Context, b Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.Messages = slices.Clone(b.Messages)
	if before, ok := m.ranges[b.Token()]; ok {
		m.repeats++
		if !slices.EqualFunc(before.Messages, b.Messages, func(a, c Message) bool {
			return a.Sequence == c.Sequence && a.Index == c.Index && string(a.Data) == string(c.Data)
		}) {
			m.faults = append(m.faults, "token "+b.Token()+" came again with other messages")
		}
	}
	if len(b.Messages) == 0 || b.Messages[0].Sequence < b.From || b.Messages[len(b.Messages)-1].Sequence > b.To {
		m.faults = append(m.faults, "range "+b.Token()+" does not fit its messages")
	}
	m.ranges[b.Token()] = b
	if m.fail != nil {
		return m.fail(b)
	}
	return nil
}

// check verifies that the ranges lie side by side from first to last and hold every message once, and
// returns the messages.
func (m *memoryStore) check(t testing.TB, first, last uint64) []Message {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, fault := range m.faults {
		t.Error(fault)
	}
	ranges := make([]Batch, 0, len(m.ranges))
	for _, b := range m.ranges {
		ranges = append(ranges, b)
	}
	slices.SortFunc(ranges, func(a, b Batch) int { return int(a.From) - int(b.From) })
	next := first
	var messages []Message
	for _, b := range ranges {
		if b.From != next {
			t.Fatalf("range %s follows %d", b.Token(), next-1)
		}
		next = b.To + 1
		for _, message := range b.Messages {
			if n := len(messages); n > 0 && (messages[n-1].Sequence > message.Sequence ||
				messages[n-1].Sequence == message.Sequence && messages[n-1].Index != message.Index-1) {
				t.Fatalf("message %d.%d comes after %d.%d", message.Sequence, message.Index, messages[n-1].Sequence, messages[n-1].Index)
			}
			messages = append(messages, message)
		}
	}
	if next != last+1 {
		t.Fatalf("the ranges end at %d instead of %d", next-1, last)
	}
	return messages
}

func waitFor(t testing.TB, k *Sink, seq uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 45*time.Second)
	defer cancel()
	if err := k.WaitFor(ctx, seq); err != nil {
		t.Fatal(err)
	}
}

func TestSinkStoresEverythingOnceAcrossRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := newMemoryStore()
	var last uint64
	for round := range 3 {
		s := openEmbedded(t, Options{DataDir: dir})
		topic := openTopic(t, s, "EVENTS")
		sink := NewSink(topic, "store", store.store, SinkOptions{MaxMessages: 17, MaxWait: 20 * time.Millisecond})
		stop := running(t, sink.Run)
		for i := range 100 {
			last = publishAll(t, topic, fmt.Sprintf("%d-%d", round, i))
		}
		waitFor(t, sink, last)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got := sink.Position(); got != last {
			t.Errorf("position %d instead of %d", got, last)
		}
		if stats := sink.Stats(); stats.Messages != 100 || stats.Ranges < 6 || stats.Leases != 1 || stats.Missing != 0 {
			t.Errorf("%+v", stats)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	messages := store.check(t, 1, last)
	if len(messages) != 300 || string(messages[299].Data) != "2-99" {
		t.Errorf("%d messages", len(messages))
	}
}

func TestSinkTokens(t *testing.T) {
	t.Parallel()
	if got := (Batch{Topic: "EVENTS", From: 1, To: 20}).Token(); got != "EVENTS:1-20" {
		t.Error(got)
	}
	if got := (Batch{Topic: "EVENTS", Epoch: "x7", From: 18446744073709551614, To: 18446744073709551615}).Token(); got != "EVENTS:18446744073709551614-18446744073709551615~x7" {
		t.Error(got)
	}
}

// A failing store sees the same range again and nothing else, and what came meanwhile afterwards.
func TestSinkOutageAndCatchUp(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	store := newMemoryStore()
	var down atomic.Bool
	down.Store(true)
	var tokens []string
	store.fail = func(b Batch) error {
		if down.Load() {
			tokens = append(tokens, b.Token())
			return errors.New("connection refused")
		}
		return nil
	}
	sink := NewSink(topic, "store", store.store, SinkOptions{MaxMessages: 100, MaxWait: 10 * time.Millisecond})
	running(t, sink.Run)
	publishAll(t, topic, "first")
	eventually(t, "the store was asked three times", func() bool {
		store.mu.Lock()
		defer store.mu.Unlock()
		return len(tokens) >= 3
	})
	var last uint64
	for i := range 1000 {
		last = publishAll(t, topic, fmt.Sprint(i))
	}
	if got := sink.Position(); got != 0 {
		t.Errorf("position %d while the store is down", got)
	}
	messages, age, err := sink.Lag(testContext(t))
	if err != nil || messages != 1001 || age < 100*time.Millisecond || age > time.Minute {
		t.Errorf("lag %d messages, %s, %v", messages, age, err)
	}
	down.Store(false)
	waitFor(t, sink, last)
	store.check(t, 1, last)
	if len(slices.Compact(tokens)) != 1 {
		t.Errorf("tokens while down: %v", tokens)
	}
	if stats := sink.Stats(); stats.Retries != uint64(store.repeats) || stats.Retries < 3 {
		t.Errorf("%+v with %d repeats", stats, store.repeats)
	}
	if messages, age, err := sink.Lag(testContext(t)); messages != 0 || age != 0 || err != nil {
		t.Errorf("lag afterwards %d, %s, %v", messages, age, err)
	}
}

func TestSinkDrainsWhenStopped(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	store := newMemoryStore()
	// Half an hour of waiting for more: only the stop can flush.
	sink := NewSink(topic, "store", store.store, SinkOptions{MaxWait: 30 * time.Minute})
	stop := running(t, sink.Run)
	last := publishAll(t, topic, "a", "b", "c")
	eventually(t, "the sink owns its journal", func() bool { return sink.Stats().Leases == 1 })
	time.Sleep(300 * time.Millisecond) // the messages reach the sink
	if got := sink.Position(); got != 0 {
		t.Fatalf("position %d before the stop", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	store.check(t, 1, last)
	if got := sink.Position(); got != last {
		t.Errorf("position %d", got)
	}
}

// A store that hangs is cut off at the drain's deadline, and the next run stores the same range.
func TestSinkDrainHasADeadline(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	publishAll(t, topic, "a", "b")
	hanging := make(chan string, 1)
	sink := NewSink(topic, "store", func(ctx context.Context, b Batch) error {
		hanging <- b.Token()
		<-ctx.Done()
		return ctx.Err()
	}, SinkOptions{MaxWait: time.Millisecond, MaxMessages: 2, DrainTimeout: 200 * time.Millisecond})
	stop := running(t, sink.Run)
	token := <-hanging
	started := time.Now()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); took < 150*time.Millisecond || took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
	last := publishAll(t, topic, "c")
	store := newMemoryStore()
	again := NewSink(topic, "store", store.store, SinkOptions{MaxWait: time.Millisecond})
	running(t, again.Run)
	waitFor(t, again, last)
	store.check(t, 1, last)
	if _, ok := store.ranges[token]; !ok {
		t.Errorf("the interrupted range %s was not stored as it was", token)
	}
}

// Two processes run the same sink: each range is stored by one of them, and when the owner goes, the other
// takes over.
func TestTwoSinksShareATopic(t *testing.T) {
	t.Parallel()
	srv := startServer(t, t.TempDir(), -1)
	defer srv.Shutdown()
	store := newMemoryStore()
	store.fail = func(Batch) error {
		if rand.N(4) == 0 {
			return errors.New("stored, but the answer was lost")
		}
		return nil
	}
	options := SinkOptions{MaxMessages: 50, MaxWait: 5 * time.Millisecond, Lease: time.Second}
	var sinks [2]*Sink
	var stops [2]func() error
	var topic *Topic
	for i := range sinks {
		topic = openTopic(t, openStream(t, Options{URL: srv.ClientURL()}), "EVENTS")
		sinks[i] = NewSink(topic, "store", store.store, options)
		stops[i] = running(t, sinks[i].Run)
	}
	var last uint64
	for i := range 500 {
		last = publishAll(t, topic, fmt.Sprint(i))
	}
	waitFor(t, sinks[0], last)
	waitFor(t, sinks[1], last) // the one that only watches learns of it too
	owner := 0
	if sinks[1].Stats().Leases > 0 {
		owner = 1
	}
	if other := sinks[1-owner].Stats(); other.Leases != 0 || other.Messages != 0 {
		t.Errorf("both ran: %+v and %+v", sinks[0].Stats(), sinks[1].Stats())
	}
	if err := stops[owner](); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		last = publishAll(t, topic, fmt.Sprint(i))
	}
	waitFor(t, sinks[1-owner], last)
	if sinks[1-owner].Stats().Leases != 1 {
		t.Error("nobody took over")
	}
	if messages := store.check(t, 1, last); len(messages) != 1000 {
		t.Errorf("%d messages", len(messages))
	}
}

// An owner that cannot write its journal in time stops storing before another may take over.
func TestSinkGivesUpALostLease(t *testing.T) {
	t.Parallel()
	srv := startServer(t, t.TempDir(), -1)
	defer srv.Shutdown()
	topic := openTopic(t, openStream(t, Options{URL: srv.ClientURL()}), "EVENTS")
	publishAll(t, topic, "a")
	stopped := make(chan error, 10)
	begun := make(chan struct{}, 10)
	sink := NewSink(topic, "store", func(ctx context.Context, b Batch) error {
		begun <- struct{}{}
		<-ctx.Done()
		stopped <- context.Cause(ctx)
		return ctx.Err()
	}, SinkOptions{MaxWait: time.Millisecond, Lease: time.Second, DrainTimeout: time.Millisecond})
	running(t, sink.Run)
	<-begun
	// Another process takes the lease by force.
	e, revision, err := topic.s.readEntry(testContext(t), "EVENTS.store")
	if err != nil || e.To != 1 || e.Done != 0 {
		t.Fatalf("%+v %v", e, err)
	}
	thief := topic.newJournal("store", time.Hour)
	if err := thief.claim(testContext(t), e, revision); err != nil {
		t.Fatal(err)
	}
	select {
	case cause := <-stopped:
		if !errors.Is(cause, errLost) {
			t.Errorf("stopped because of %v", cause)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the store goes on without the lease")
	}
}

func TestSinkAfterATrimOfWhatItHadNotStored(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	store := newMemoryStore()
	o := SinkOptions{MaxWait: 5 * time.Millisecond}
	sink := NewSink(topic, "store", store.store, o)
	stop := running(t, sink.Run)
	waitFor(t, sink, publishAll(t, topic, "1", "2", "3"))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	last := publishAll(t, topic, "4", "5", "6", "7", "8")
	if err := topic.TrimTo(testContext(t), 7); err != nil {
		t.Fatal(err)
	}
	sink = NewSink(topic, "store", store.store, o)
	running(t, sink.Run)
	waitFor(t, sink, last)
	if missing := sink.Stats().Missing; missing != 3 {
		t.Errorf("%d missing instead of 3", missing)
	}
	if messages := store.check(t, 1, last); len(messages) != 5 {
		t.Errorf("%d messages", len(messages))
	}
	// A sink that begins on a trimmed topic misses nothing: there was nothing for it.
	fresh := newMemoryStore()
	other := NewSink(topic, "other", fresh.store, o)
	running(t, other.Run)
	waitFor(t, other, last)
	fresh.check(t, 7, last)
	if missing := other.Stats().Missing; missing != 0 {
		t.Errorf("%d missing for a new sink", missing)
	}
}

func TestSinkRefusesWhatItCannotRun(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	nothing := func(context.Context, Batch) error { return nil }
	if err := NewSink(topic, "a.b", nothing, SinkOptions{}).Run(testContext(t)); err == nil {
		t.Error("a bad name ran")
	}
	sink := NewSink(topic, "store", nothing, SinkOptions{})
	running(t, sink.Run)
	eventually(t, "it runs", func() bool { return sink.running.Load() })
	if err := sink.Run(testContext(t)); err == nil {
		t.Error("it ran twice")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := sink.WaitFor(ctx, 99); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestSinkEndsWithTheStream(t *testing.T) {
	t.Parallel()
	s := openEmbedded(t, Options{})
	topic := openTopic(t, s, "EVENTS")
	sink := NewSink(topic, "store", func(context.Context, Batch) error { return errors.New("down") }, SinkOptions{MaxWait: time.Millisecond})
	publishAll(t, topic, "x")
	result := make(chan error, 1)
	go func() { result <- sink.Run(context.Background()) }()
	eventually(t, "a retry", func() bool { return sink.Stats().Retries > 0 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("still running")
	}
}
