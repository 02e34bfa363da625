package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Batch is one range of a topic, to be stored as a whole.
type Batch struct {
	// Topic is the name of the topic, and Epoch an identifier of the sink's journal.
	Topic, Epoch string
	// From and To are the first and the last sequence of the range. The range begins right behind the one
	// before it. Sequences that hold nothing (filled or trimmed) are in it but not among the messages.
	From, To uint64
	// Messages, ascending and never empty. The slice is used again after the StoreFunc has returned; the
	// data of the messages is not.
	Messages []Message
}

// Token identifies the range for ever: "<topic>:<from>-<to>", with "~<epoch>" behind it when there is one.
// The same token always means the same messages. It is what the store deduplicates by.
func (b Batch) Token() string {
	token := make([]byte, 0, 64)
	token = append(append(token, b.Topic...), ':')
	token = append(strconv.AppendUint(token, b.From, 10), '-')
	token = strconv.AppendUint(token, b.To, 10)
	if b.Epoch != "" {
		token = append(append(token, '~'), b.Epoch...)
	}
	return string(token)
}

// StoreFunc stores a batch. It must be idempotent by the batch's token: it is called again with the same
// batch after an error, and after a crash that came before the sink could note that the batch was stored.
// A message that the store can never take is its own to set aside; an error means "the same again, later".
type StoreFunc func(ctx context.Context, b Batch) error

// SinkOptions configure NewSink; the zero value is usable.
type SinkOptions struct {
	// MaxMessages is how many records a range holds, passed only by a single message with more; default 5000.
	MaxMessages int
	// MaxBytes of message data in one range, passed only by a single larger message; default 16 MiB. Up to
	// twice as much again is read ahead.
	MaxBytes int
	// MaxWait is how long a range waits for more after its first message; default 500 ms.
	MaxWait time.Duration
	// DrainTimeout is how long the range under way may take after ctx has ended; default 10 s.
	DrainTimeout time.Duration
	// Lease is how long the owner of a sink may be silent before another process takes over; default 10 s.
	Lease time.Duration
	// Logger; default that of the Stream.
	Logger *slog.Logger
}

func (o *SinkOptions) complete(t *Topic) {
	setDefault(&o.MaxMessages, 5000)
	setDefault(&o.MaxBytes, 16<<20)
	setDefault(&o.MaxWait, 500*time.Millisecond)
	setDefault(&o.DrainTimeout, 10*time.Second)
	setDefault(&o.Lease, 10*time.Second)
	if o.Logger == nil {
		o.Logger = t.s.log
	}
}

// Sink moves a topic, in order, into a store, in journalled ranges. Before the store sees the range
// [from, to], the journal says so; after it is stored, the journal says that it is done. After a crash in
// between, exactly the same range is stored again with the same token, and the store's deduplication by
// token makes it once.
//
// Several processes may run the sink of one name on one topic: the journal gives one of them the lease, and
// the others take over when it stops or dies.
type Sink struct {
	topic   *Topic
	name    string
	store   StoreFunc
	o       SinkOptions
	log     *slog.Logger
	running atomic.Bool

	messages, ranges, retries, missing, leases atomic.Uint64

	mu      sync.Mutex
	done    uint64
	advance chan struct{} // closed and replaced when done rises

	learnt   chan struct{} // closed when done is what the journal says
	learning sync.Once
}

// SinkStats are counts since the Sink was made.
type SinkStats struct {
	// Messages and Ranges that were stored, by this process.
	Messages, Ranges uint64
	// Retries of the store after an error.
	Retries uint64
	// Missing messages: trimmed before they were read, and therefore never stored.
	Missing uint64
	// Leases is how often this process became the owner.
	Leases uint64
}

// NewSink makes a sink; Run runs it. name, of 1 to 64 letters, digits, - and _, keys its journal: it must
// stay the same for the same store, and differ from that of any other sink on the topic. A bad name is
// reported by Run.
func NewSink(t *Topic, name string, store StoreFunc, o SinkOptions) *Sink {
	o.complete(t)
	return &Sink{
		topic: t, name: name, store: store, o: o,
		log:     o.Logger.With("topic", t.name, "sink", name),
		advance: make(chan struct{}),
		learnt:  make(chan struct{}),
	}
}

var sinkPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Run stores what is in the topic and what comes, until ctx ends. A range whose store fails is tried again,
// the same range, with pauses that grow to 30 seconds, for ever. When ctx ends, the range under way is
// finished and what was gathered for the next one is stored, both within DrainTimeout; what is cut off by
// that is stored by the next Run. It returns nil after ctx has ended, and ErrClosed when the Stream is
// closed under it.
func (k *Sink) Run(ctx context.Context) error {
	if !sinkPattern.MatchString(k.name) {
		return fmt.Errorf("sink name %q: need 1 to 64 letters, digits, - or _", k.name)
	}
	if !k.running.CompareAndSwap(false, true) {
		return fmt.Errorf("sink %s of %s is already running", k.name, k.topic.name)
	}
	defer k.running.Store(false)
	for {
		j := k.topic.newJournal(k.name, k.o.Lease)
		e, err := j.acquire(ctx, func(e entry) { k.setDone(e.Done) })
		if err == nil {
			k.leases.Add(1)
			k.log.Debug("sink begins", "done", e.Done, "underWay", e.To)
			err = k.own(ctx, j, e)
		}
		switch {
		case errors.Is(err, ErrClosed):
			return fmt.Errorf("sink %s of %s: %w", k.name, k.topic.name, err)
		case ctx.Err() != nil:
			if err != nil && !errors.Is(err, ctx.Err()) {
				k.log.Warn("sink stopped with a range under way; it will be stored again", "error", err)
			}
			return nil
		case err != nil:
			k.log.Warn("sink gave up its lease", "error", err)
		}
	}
}

// own runs the sink for as long as the lease is held.
func (k *Sink) own(ctx context.Context, j *journal, e entry) error {
	drain, releaseDrain := drainContext(ctx, k.o.DrainTimeout)
	defer releaseDrain()
	work, stopWork := context.WithCancelCause(drain)
	defer stopWork(nil)
	read, stopRead := context.WithCancel(ctx)
	defer stopRead()

	var beating sync.WaitGroup
	beating.Go(func() {
		if err := k.keepLease(work, j); err != nil {
			stopWork(err)
			stopRead()
		}
	})
	err := k.drive(read, work, j, e)
	if cause := context.Cause(work); errors.Is(cause, errLost) {
		err = cause
	}
	stopWork(nil)
	beating.Wait()
	if !errors.Is(err, errLost) && !k.topic.s.isClosing() {
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if rerr := j.release(release); rerr != nil && !k.topic.s.isClosing() {
			k.log.Warn("cannot give back the lease of a sink", "error", rerr)
		}
	}
	return err
}

// keepLease writes the journal now and then, whatever the store is doing, until ctx ends.
func (k *Sink) keepLease(ctx context.Context, j *journal) error {
	ticker := time.NewTicker(k.o.Lease / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := j.beat(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// drive stores range after range. read ends when no more is to be read, work when storing is to stop too.
func (k *Sink) drive(read, work context.Context, j *journal, e entry) error {
	r, err := k.topic.newReader(e.Done+1, k.o.MaxMessages, k.o.MaxBytes)
	if err != nil {
		return err
	}
	defer r.close()
	var buf []Message
	if e.To > e.Done { // the owner before was interrupted: the same range again
		k.log.Info("storing an interrupted range again", "from", e.Done+1, "to", e.To)
		if buf, err = r.fillTo(read, buf, e.To); err != nil {
			return err
		}
		k.countMissing(r, e.To)
		if err := k.storeRange(work, j, Batch{Topic: k.topic.name, Epoch: e.Epoch, From: e.Done + 1, To: e.To, Messages: buf}); err != nil {
			return err
		}
		e.Done = e.To
	}
	for read.Err() == nil {
		clear(buf)
		if buf, err = r.fill(read, buf[:0], k.o.MaxMessages, k.o.MaxBytes, k.o.MaxWait); err != nil {
			return err
		}
		to := buf[len(buf)-1].Sequence
		k.countMissing(r, to)
		if err := j.begin(work, to); err != nil {
			return err
		}
		if err := k.storeRange(work, j, Batch{Topic: k.topic.name, Epoch: e.Epoch, From: e.Done + 1, To: to, Messages: buf}); err != nil {
			return err
		}
		e.Done = to
	}
	return read.Err()
}

// countMissing notes what was trimmed before this sink could read it.
func (k *Sink) countMissing(r *reader, before uint64) {
	if r.missing > 0 {
		k.missing.Add(r.missing)
		k.log.Error("messages were trimmed before they were stored", "missing", r.missing, "before", before)
		r.missing = 0
	}
}

// storeRange stores the batch, however often it takes, and notes that it is done.
func (k *Sink) storeRange(ctx context.Context, j *journal, b Batch) error {
	pause := newBackoff(100*time.Millisecond, 30*time.Second)
	for attempt := 1; len(b.Messages) > 0; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := k.store(ctx, b)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		if k.topic.s.isClosing() {
			return fmt.Errorf("%w: %w", ErrClosed, err)
		}
		k.retries.Add(1)
		k.log.Warn("cannot store a range; trying again", "token", b.Token(), "messages", len(b.Messages), "attempt", attempt, "error", err)
		pause.sleep(ctx)
	}
	if err := j.done(ctx); err != nil {
		return err
	}
	k.messages.Add(uint64(len(b.Messages)))
	k.ranges.Add(1)
	k.setDone(b.To)
	return nil
}

func (k *Sink) setDone(seq uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.learning.Do(func() { close(k.learnt) })
	if seq > k.done {
		k.done = seq
		close(k.advance)
		k.advance = make(chan struct{})
	}
}

// Position returns the sequence up to which everything is stored, 0 before Run has learnt it. In a process
// that does not own the sink it follows behind by up to a quarter of the lease.
func (k *Sink) Position() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.done
}

// WaitFor returns when everything up to seq is stored. It ends early with the context's error, or with
// ErrClosed.
func (k *Sink) WaitFor(ctx context.Context, seq uint64) error {
	for {
		k.mu.Lock()
		done, advance := k.done, k.advance
		k.mu.Unlock()
		if done >= seq {
			return nil
		}
		select {
		case <-advance:
		case <-ctx.Done():
			return fmt.Errorf("waiting for sink %s of %s to reach %d (it is at %d): %w", k.name, k.topic.name, seq, done, ctx.Err())
		case <-k.topic.s.done:
			return ErrClosed
		}
	}
}

// learnTimeout is how long Lag waits for a sink that has just been started.
const learnTimeout = time.Second

// Lag returns how many messages wait to be stored, and for how long the oldest of them has waited. Before the
// sink has read its journal, which is soon after Run begins, everything would count as not stored: then it
// waits, and fails after a second.
func (k *Sink) Lag(ctx context.Context) (messages uint64, age time.Duration, err error) {
	select {
	case <-k.learnt:
	default:
		timer := time.NewTimer(learnTimeout)
		defer timer.Stop()
		select {
		case <-k.learnt:
		case <-timer.C:
			return 0, 0, fmt.Errorf("sink %s of %s has not read its journal yet", k.name, k.topic.name)
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("waiting for sink %s of %s to read its journal: %w", k.name, k.topic.name, ctx.Err())
		}
	}
	done := k.Position()
	state, err := k.topic.state(ctx)
	if err != nil {
		return 0, 0, err
	}
	if state.LastSeq <= done {
		return 0, 0, nil
	}
	oldest, err := k.topic.timeOf(ctx, max(done+1, state.FirstSeq))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		oldest = state.LastTime // trimmed in this moment
	case err != nil:
		return 0, 0, fromClient(err)
	}
	return state.LastSeq - done, max(time.Since(oldest), 0), nil
}

// Stats returns what the sink has done in this process.
func (k *Sink) Stats() SinkStats {
	return SinkStats{
		Messages: k.messages.Load(), Ranges: k.ranges.Load(), Retries: k.retries.Load(),
		Missing: k.missing.Load(), Leases: k.leases.Load(),
	}
}
