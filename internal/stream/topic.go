package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// Topic is an append-only sequence of messages: a JetStream stream with one subject that refuses new
// messages when it is full. It is safe for concurrent use.
type Topic struct {
	s       *Stream
	name    string // as the caller knows it
	subject string // also the name of the JetStream stream
	stream  jetstream.Stream
	commits *committer
	trimmed atomic.Uint64 // everything below this sequence is known to be gone
	sealed  bool          // made by an earlier version: single messages cannot be erased
}

// fillerHeader marks messages that only take up a sequence. Readers skip them.
const fillerHeader = "Quintet-Filler"

// Topic makes sure that the topic exists with the limits of the options, and returns it. name is 1 to 64
// letters, digits, - and _, for example "EVENTS". Calls with the same name return the same Topic.
//
// Open a topic before anything publishes to it: sequences that a sink has already stored but that the topic
// lost (a machine without SyncAlways lost power) are passed over here, so that none is used twice.
func (s *Stream) Topic(ctx context.Context, name string) (*Topic, error) {
	if !namePattern.MatchString(name) {
		return nil, fmt.Errorf("topic name %q: need 1 to 64 letters, digits, - or _", name)
	}
	s.mu.Lock()
	t := s.topics[name]
	s.mu.Unlock()
	if t != nil {
		return t, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 4*callTimeout)
	defer cancel()
	t = &Topic{s: s, name: name, subject: s.opts.Prefix + name}
	t.commits = newCommitter(t)
	config := jetstream.StreamConfig{
		Name:        t.subject,
		Subjects:    []string{t.subject},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    s.opts.MaxBytes,
		Storage:     jetstream.FileStorage,
		Replicas:    s.opts.Replicas,
		AllowDirect: true,
	}
	var err error
	if t.stream, err = s.js.CreateOrUpdateStream(ctx, config); isSealed(err) {
		// The server never takes back that messages cannot be deleted.
		config.DenyDelete, t.sealed = true, true
		if t.stream, err = s.js.CreateOrUpdateStream(ctx, config); err == nil {
			s.log.Warn("an earlier version made this topic so that single messages cannot be erased, which the server does not take back: "+
				"the erasure of a person trims it up to their last message", "topic", name)
		}
	}
	if err = fromClient(err); errors.Is(err, ErrFull) {
		return nil, fmt.Errorf("opening topic %s: the server does not have the %d bytes that a topic may take (stream limit): %w", name, s.opts.MaxBytes, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening topic %s: %w", name, err)
	}
	// The journals first, the topic's last sequence after: the other way round, a message stored in
	// between would look as if it were lost.
	journalled, err := s.furthestJournalled(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("opening topic %s: %w", name, err)
	}
	if err := t.AdvancePast(ctx, journalled); err != nil {
		return nil, fmt.Errorf("opening topic %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.topics[name]; first != nil {
		return first, nil
	}
	s.topics[name] = t
	return t, nil
}

// Name returns the name that the topic was opened with.
func (t *Topic) Name() string { return t.name }

// Publish appends one message and returns its sequence, counted from 1, once the message is durable. Any
// number of goroutines may call it; data may be used again when it returns. It waits five seconds at most,
// or as long as ctx allows. The error is or wraps ErrFull, ErrTooLarge, ErrUnavailable or ErrClosed.
func (t *Topic) Publish(ctx context.Context, data []byte) (uint64, error) {
	seq, err := t.s.pub.publish(ctx, t.subject, nil, data)
	if err != nil {
		return 0, fmt.Errorf("publishing to %s: %w", t.name, err)
	}
	return seq, nil
}

// State returns the sequences of the first and the last message and the size of all in bytes. An empty
// topic has first = last+1, a topic that was never written first = last = 0 or first = 1, last = 0.
func (t *Topic) State(ctx context.Context) (first, last uint64, bytes uint64, err error) {
	state, err := t.state(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	return state.FirstSeq, state.LastSeq, state.Bytes, nil
}

func (t *Topic) state(ctx context.Context) (jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := t.stream.Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, fmt.Errorf("reading the state of %s: %w", t.name, fromClient(err))
	}
	return info.State, nil
}

// timeOf returns when the message with this sequence was published, or an error wrapping
// jetstream.ErrMsgNotFound.
func (t *Topic) timeOf(ctx context.Context, seq uint64) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m, err := t.stream.GetMsg(ctx, seq)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading message %d of %s: %w", seq, t.name, err)
	}
	return m.Time, nil
}

// TrimTo removes every message below seq. The caller knows that no consumer needs them any more.
func (t *Topic) TrimTo(ctx context.Context, seq uint64) error {
	if seq <= 1 || seq <= t.trimmed.Load() {
		return nil
	}
	state, err := t.state(ctx)
	if err != nil {
		return err
	}
	// JetStream takes a purge beyond the end as "go on from there": never what is meant here.
	seq = min(seq, state.LastSeq+1)
	if seq > state.FirstSeq && state.Msgs > 0 {
		if err := t.purgeBelow(ctx, seq); err != nil {
			return err
		}
	}
	for {
		was := t.trimmed.Load()
		if was >= seq || t.trimmed.CompareAndSwap(was, seq) {
			return nil
		}
	}
}

func (t *Topic) purgeBelow(ctx context.Context, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 6*callTimeout) // many files may have to go
	defer cancel()
	if err := t.stream.Purge(ctx, jetstream.WithPurgeSequence(seq)); err != nil {
		return fmt.Errorf("trimming %s to %d: %w", t.name, seq, fromClient(err))
	}
	return nil
}

// trimInterval is the pause between two looks of TrimBehind.
const trimInterval = 2 * time.Second

const (
	// keptShare bounds the tail that TrimBehind leaves: one part in so many of the topic's limit.
	keptShare = 4
	// trimShare and trimBytes say what is worth trimming: one part in so many of the limit, or so many
	// bytes. The server rewrites the block in which a purge ends, and publishers wait meanwhile, unless
	// it ends where a block does.
	trimShare = 8
	trimBytes = 256 << 20
)

// TrimBehind removes, until ctx ends, what lies more than keep messages behind the last message that every
// consumer has finished, or fewer where as many, at the topic's mean size, would fill more than a quarter of
// its limit: what is kept for a look back must never be what makes a topic full. Each position returns the
// sequence up to which one consumer is done; 0 says that it has not begun, and nothing is removed. An error in one round is logged, and the next round tries again.
// It returns nil when ctx ends and ErrClosed when the Stream is closed.
func (t *Topic) TrimBehind(ctx context.Context, keep uint64, positions ...func() uint64) error {
	if len(positions) == 0 {
		return fmt.Errorf("trimming %s: no consumer's position is given", t.name)
	}
	ticker := time.NewTicker(trimInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.s.done:
			return ErrClosed
		case <-ticker.C:
		}
		if err := t.trimBehind(ctx, keep, positions); err != nil && ctx.Err() == nil {
			t.s.log.Warn("cannot trim", "topic", t.name, "error", err)
		}
	}
}

func (t *Topic) trimBehind(ctx context.Context, keep uint64, positions []func() uint64) error {
	done := positions[0]()
	for _, position := range positions[1:] {
		done = min(done, position())
	}
	if done == 0 {
		return nil
	}
	state, err := t.state(ctx)
	if err != nil {
		return err
	}
	if state.Bytes > 0 {
		room := float64(t.s.opts.MaxBytes) / keptShare
		keep = min(keep, uint64(room*float64(state.Msgs)/float64(state.Bytes)))
	}
	if done <= keep || state.Msgs == 0 {
		return nil
	}
	first := done - keep + 1
	idle := float64(state.Bytes) / float64(state.Msgs) * (float64(first) - float64(state.FirstSeq))
	if idle < min(trimBytes, float64(t.s.opts.MaxBytes)/trimShare) {
		return nil
	}
	boundary, held := t.holdBlocks(first)
	defer held.release()
	if boundary > state.FirstSeq && float64(first-boundary) < float64(first-state.FirstSeq)/2 {
		first = boundary
	}
	return t.TrimTo(ctx, first)
}

// AdvancePast makes sure that the next message gets a sequence above seq. Nearly always that is so and it
// does nothing. It matters when the topic lost its end, or was emptied by hand, while a consumer has saved
// a position beyond: a new message under a sequence that the consumer has seen would be taken for an old
// one and dropped. Call it with saved positions before anything publishes. The gap is filled with messages
// that readers skip, and the log says so.
func (t *Topic) AdvancePast(ctx context.Context, seq uint64) error {
	state, err := t.state(ctx)
	if err != nil {
		return err
	}
	if state.LastSeq >= seq {
		return nil
	}
	missing := seq - state.LastSeq
	t.s.log.Error("topic ends before the position of a consumer: its last messages were lost; going on after that position",
		"topic", t.name, "last", state.LastSeq, "position", seq, "missing", missing)
	if state.Msgs == 0 {
		return t.purgeBelow(ctx, seq+1)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	header := nats.Header{fillerHeader: []string{"1"}}
	for range missing {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			_, err := t.s.pub.publish(groupCtx, t.subject, header, nil)
			return err
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return fmt.Errorf("advancing %s past %d: %w", t.name, seq, err)
	}
	return nil
}
