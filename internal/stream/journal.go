package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// errLost says that the lease on a journal has passed, or may have passed, to another process.
var errLost = errors.New("stream: the sink is run by another process")

// entry is the journal of one sink: what is stored, what is being stored and who does it. It lives under
// the key <topic>.<sink> of the journal bucket.
type entry struct {
	// Epoch is drawn when the journal begins. It is part of the tokens, so that a new journal over an old
	// store (the stream's files were deleted) never repeats a token.
	Epoch string `json:"epoch"`
	// Done is the sequence up to which everything is in the store.
	Done uint64 `json:"done"`
	// To is the end of the range that is being stored, [Done+1, To]; equal to Done when there is none.
	To uint64 `json:"to"`
	// Owner runs the sink; empty when it has stopped.
	Owner string `json:"owner,omitempty"`
	// Beat rises with every write, so that no two of an owner's writes are equal.
	Beat uint64 `json:"beat"`
}

// journal is the journal of one sink as its owner, or a candidate, sees it. Every write is a compare-and-swap
// on the revision, so two processes can never both believe that they stored a range.
//
// Ownership is a lease: the owner writes at least every quarter of it, and whoever sees no write for the
// whole of it takes over. Only durations on the observer's own clock count, so clocks need not agree.
type journal struct {
	s     *Stream
	topic *Topic
	key   string
	owner string
	lease time.Duration

	mu       sync.Mutex
	entry    entry
	revision uint64
	written  time.Time // when the last write that succeeded was begun
}

func (t *Topic) newJournal(sink string, lease time.Duration) *journal {
	return &journal{s: t.s, topic: t, key: t.name + "." + sink, owner: t.s.instance + "/" + nuid.Next(), lease: lease}
}

// furthestJournalled returns the highest sequence that a journal of the topic mentions.
func (s *Stream) furthestJournalled(ctx context.Context, topic string) (uint64, error) {
	keys, err := s.journal.ListKeysFiltered(ctx, topic+".*")
	if err != nil {
		return 0, fmt.Errorf("listing the journals of %s: %w", topic, fromClient(err))
	}
	var furthest uint64
	for key := range keys.Keys() {
		e, _, err := s.readEntry(ctx, key)
		if err != nil {
			return 0, err
		}
		furthest = max(furthest, e.Done, e.To)
	}
	return furthest, nil
}

// readEntry returns the entry under key and its revision, 0 when there is none.
func (s *Stream) readEntry(ctx context.Context, key string) (entry, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	kv, err := s.journal.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return entry{}, 0, nil
	}
	if err != nil {
		return entry{}, 0, fmt.Errorf("reading journal %s: %w", key, fromClient(err))
	}
	var e entry
	if err := json.Unmarshal(kv.Value(), &e); err != nil {
		return entry{}, 0, fmt.Errorf("reading journal %s: %w", key, err)
	}
	return e, kv.Revision(), nil
}

// acquire waits until this owner has the lease and returns the entry. Meanwhile it calls observe with every
// entry that it sees. It ends with the context's error or ErrClosed.
func (j *journal) acquire(ctx context.Context, observe func(entry)) (entry, error) {
	pause := newBackoff(50*time.Millisecond, 5*time.Second)
	var seen uint64
	var since time.Time
	for {
		if j.s.isClosing() {
			return entry{}, ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return entry{}, err
		}
		e, revision, err := j.s.readEntry(ctx, j.key)
		if err == nil {
			observe(e)
			if revision == 0 {
				e, err = j.beginning(ctx)
			}
		}
		if err == nil {
			free := e.Owner == "" || j.isDead(e.Owner) || (revision == seen && time.Since(since) >= j.lease)
			if free {
				err = j.claim(ctx, e, revision)
				if err == nil {
					return e, nil
				}
				if errors.Is(err, errLost) { // another candidate was quicker
					pause.sleep(ctx)
					continue
				}
			}
			if revision != seen {
				seen, since = revision, time.Now()
			}
		}
		if err != nil {
			if ctx.Err() == nil {
				j.s.log.Warn("cannot take up a sink; trying again", "sink", j.key, "error", err)
			}
			pause.sleep(ctx)
			continue
		}
		pause.reset()
		wait := time.NewTimer(j.lease / 4)
		select {
		case <-wait.C:
		case <-ctx.Done():
		case <-j.s.done:
		}
		wait.Stop()
	}
}

// beginning returns the entry of a sink that never ran: nothing of what the topic holds is stored.
func (j *journal) beginning(ctx context.Context) (entry, error) {
	state, err := j.topic.state(ctx)
	if err != nil {
		return entry{}, err
	}
	id := nuid.Next()
	done := max(state.FirstSeq, 1) - 1
	return entry{Epoch: id[len(id)-8:], Done: done, To: done}, nil
}

// isDead says that an owner cannot be alive: only one process at a time has the embedded server.
func (j *journal) isDead(owner string) bool {
	instance, _, _ := strings.Cut(owner, "/")
	return j.s.Embedded() && instance != j.s.instance
}

func (j *journal) claim(ctx context.Context, e entry, revision uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Owner = j.owner
	j.revision = revision
	j.written = time.Now()
	return j.put(ctx, e)
}

// begin records that the range up to to is about to be stored, done that it is, beat that the owner lives,
// release that it stops. Each returns errLost when the lease is not this owner's any more.
func (j *journal) begin(ctx context.Context, to uint64) error {
	return j.update(ctx, func(e *entry) { e.To = to })
}

func (j *journal) done(ctx context.Context) error {
	return j.update(ctx, func(e *entry) { e.Done = e.To })
}

func (j *journal) beat(ctx context.Context) error {
	j.mu.Lock()
	recent := time.Since(j.written) < j.lease/4
	j.mu.Unlock()
	if recent {
		return nil
	}
	return j.update(ctx, func(*entry) {})
}

func (j *journal) release(ctx context.Context) error {
	return j.update(ctx, func(e *entry) { e.Owner = "" })
}

func (j *journal) update(ctx context.Context, change func(*entry)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entry
	change(&e)
	return j.put(ctx, e)
}

// put writes the entry, trying again while the server does not answer and the lease cannot have passed on.
// An attempt that was stored although its answer was lost is recognised by reading it back. The caller has
// the lock.
func (j *journal) put(ctx context.Context, e entry) error {
	e.Beat++
	value, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding journal %s: %w", j.key, err)
	}
	ctx, cancel := context.WithDeadline(ctx, j.written.Add(j.lease*3/4))
	defer cancel()
	pause := newBackoff(20*time.Millisecond, time.Second)
	for {
		started := time.Now()
		revision, err := j.swap(ctx, value)
		if err == nil {
			j.entry, j.revision, j.written = e, revision, started
			return nil
		}
		if errors.Is(err, errLost) {
			return err
		}
		if !pause.sleep(ctx) {
			if time.Since(j.written) >= j.lease*3/4 {
				return fmt.Errorf("%w: the journal could not be written for %s: %w", errLost, j.lease*3/4, fromClient(err))
			}
			return fmt.Errorf("writing journal %s: %w", j.key, errors.Join(ctx.Err(), fromClient(err)))
		}
	}
}

// swap is one attempt to replace what is under the key, and returns the new revision.
func (j *journal) swap(ctx context.Context, value []byte) (revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, j.lease/4) // a server that went away does not answer any more
	defer cancel()
	if j.revision == 0 {
		revision, err = j.s.journal.Create(ctx, j.key, value)
	} else {
		revision, err = j.s.journal.Update(ctx, j.key, value, j.revision)
	}
	if !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return revision, err
	}
	// Somebody else, or an earlier attempt of this very write.
	current, err := j.s.journal.Get(ctx, j.key)
	switch {
	case err != nil:
		return 0, err
	case bytes.Equal(current.Value(), value):
		return current.Revision(), nil
	case current.Revision() > j.revision:
		return 0, errLost
	}
	return 0, errors.New("a replica answered that is behind")
}
