package profiles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/stream"
	"quintet/profiles/identity"
)

const (
	// saveInterval is the usual time between two transactions.
	saveInterval = 500 * time.Millisecond
	// maxDirty is how many changed profiles and identifiers may wait for Postgres
	// before the projector stops reading.
	maxDirty = 200_000
	// maxSaveBackoff is the longest pause after a failed transaction.
	maxSaveBackoff = 10 * time.Second
)

// projector brings memory up to date with the stream and saves it to Postgres.
type projector struct {
	store *Store
	topic *stream.Topic
	pool  *pgxpool.Pool
	log   *slog.Logger
	// seen is told of every message id, so that what came in before a restart is
	// still recognised when it comes again.
	seen func(messageID string, sequence uint64, received int64)
	// refuse keeps a record that cannot be read.
	refuse func(ctx context.Context, reader string, sequence uint64, payload []byte, reason error)
	// dropped counts traits that did not fit.
	dropped func(n uint64)
	// rejected counts values that break the declaration of their trait.
	rejected func(n uint64)
	// unclear counts statements about consent that cannot be read.
	unclear func(n uint64)

	// observers are told of what was applied, by the goroutine that applies.
	observers []Observer
	observed  observed
	entries   []identity.Entry // of the record in hand
	clock     int64            // moment of the last entry of identity, in Unix milliseconds

	// peopleMoved is told when Postgres has more of the map of people.
	peopleMoved func()

	wake  chan struct{} // asks for a save now
	limit int           // of changes that wait for Postgres

	writing sync.Mutex // one save at a time; held by whoever erases rows that a save could bring back

	mu       sync.Mutex // guards everything below, and the dirt of states
	names    *interner
	rechosen []identity.ID // profiles of which observers do not know yet
	changes  changes
	read     uint64 // the last message that was handed over, old ones included
	applied  uint64 // position of memory
	saved    uint64 // position of Postgres
	moved    chan struct{}
	saving   int64 // when the oldest message of the save under way was received, 0 without one
}

func newProjector(store *Store, topic *stream.Topic, pool *pgxpool.Pool, log *slog.Logger, position uint64) *projector {
	return &projector{
		store: store, topic: topic, pool: pool, log: log.With("reader", "profiles"), names: newInterner(),
		clock: store.clock, applied: position, saved: position, moved: make(chan struct{}), wake: make(chan struct{}, 1), limit: maxDirty,
	}
}

// run projects from sequence from on until ctx ends, then saves what is left.
// Messages up to the saved position are only shown to seen.
func (p *projector) run(ctx context.Context, from uint64) error {
	saves, stop := context.WithCancel(context.WithoutCancel(ctx))
	var saver sync.WaitGroup
	saver.Go(func() { p.saveLoop(saves) })
	err := p.topic.Consume(ctx, from, stream.ConsumeOptions{Done: p.reached()}, p.handle)
	stop()
	saver.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if _, saveErr := p.save(last); saveErr != nil {
		err = errors.Join(err, fmt.Errorf("saving profiles: %w", saveErr))
	}
	return err
}

func (p *projector) handle(ctx context.Context, batch []stream.Message) error {
	for from, to := 0, 0; from < len(batch); from = to {
		if err := p.room(ctx); err != nil {
			return err
		}
		for to = from + 1; to < len(batch) && batch[to].Sequence == batch[from].Sequence; {
			to++
		}
		p.project(batch[from:to], func(m stream.Message, err error) {
			if p.refuse != nil {
				p.refuse(ctx, "profiles", m.Sequence, m.Data, err)
			}
		})
	}
	p.show()
	return nil
}

// show tells the observers what was applied since the last time.
func (p *projector) show() {
	if len(p.observed.changes) == 0 {
		return
	}
	changed := p.observed.finish()
	for _, o := range p.observers {
		o.Applied(changed)
	}
	p.observed.reset()
}

// room waits until there are few enough changes that Postgres does not have.
func (p *projector) room(ctx context.Context) error {
	for {
		p.mu.Lock()
		full := len(p.changes.states)+len(p.changes.links)+len(p.changes.consents)+len(p.changes.suppressed) >= p.limit
		moved := p.moved
		p.mu.Unlock()
		if !full {
			return nil
		}
		p.hurry()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *projector) hurry() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// project applies the records of one sequence. Handed over twice, they are
// applied once. What cannot be read, or its end, goes to refuse.
func (p *projector) project(records []stream.Message, refuse func(stream.Message, error)) {
	p.mu.Lock()
	var bad []error
	sequence := records[0].Sequence
	old := sequence <= p.applied
	told := 0 // entries of identity
	for _, m := range records {
		bad = append(bad, p.projectRecord(m, old, &told))
	}
	p.read = sequence
	p.applied = max(p.applied, sequence)
	p.mu.Unlock()
	for i, err := range bad {
		if err != nil && !old { // set aside when it was applied, and perhaps discarded since
			refuse(records[i], err)
		}
	}
}

// nobody is the profile of messages all of whose identifiers are blocked.
var nobody identity.ID

func (p *projector) projectRecord(m stream.Message, old bool, told *int) error {
	var h recordHeader
	d, err := decodeRecord(m.Data, &h)
	var it item
	for i := 0; err == nil && i < h.items; i++ {
		if err = d.next(&h, &it); err != nil {
			break
		}
		if p.seen != nil {
			p.seen(it.messageID, m.Sequence, h.received)
		}
		if !old && it.profile != nobody {
			p.store.apply(&h, &it, p.names, &p.changes)
			if len(p.observers) > 0 {
				p.observed.applied(&h, &it, p.store.PersonOf(it.profile), m.Sequence, &p.changes)
			}
		}
	}
	p.showRechosen()
	if old {
		return nil
	}
	if err == nil {
		if p.entries, err = d.entries(&h, p.entries); err == nil {
			p.settle(&h, m.Sequence, *told, p.entries)
			*told += len(p.entries)
		}
	}
	if p.changes.refused > 0 {
		if p.dropped != nil {
			p.dropped(p.changes.refused)
		}
		p.changes.refused = 0
	}
	if p.changes.rejected > 0 && p.rejected != nil {
		p.rejected(p.changes.rejected)
	}
	if p.changes.unclear > 0 && p.unclear != nil {
		p.unclear(p.changes.unclear)
	}
	p.changes.rejected, p.changes.unclear = 0, 0
	if p.changes.oldest == 0 {
		p.changes.oldest = max(h.received, 1)
	}
	return err
}

// saveLoop saves at intervals while there is something to save.
func (p *projector) saveLoop(ctx context.Context) {
	pause := saveInterval
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-p.wakeUnless(pause > saveInterval):
			timer.Stop()
		}
		worked, err := p.save(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = min(pause*2, maxSaveBackoff)
			p.log.Warn("cannot save profiles; memory goes on, and the same is tried again", "error", err, "pause", pause)
		case worked:
			pause = saveInterval
		}
	}
}

// wakeUnless keeps a failing Postgres from being asked without a pause.
func (p *projector) wakeUnless(failing bool) <-chan struct{} {
	if failing {
		return nil
	}
	return p.wake
}

// save writes what changed since the last save and reports whether there was
// anything.
func (p *projector) save(ctx context.Context) (bool, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	v, err := p.take()
	if v == nil || err != nil {
		return false, err
	}
	if err := v.write(ctx, p.pool, p.topic.Name()); err != nil {
		p.giveBack(v)
		return false, err
	}
	if len(v.suppressed) > 0 {
		if err := p.store.suppressions.catchUp(ctx, p.pool); err != nil {
			p.log.Warn("reading back suppressed addresses; the next poll does", "error", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saving = 0
	p.saved = max(p.saved, v.sequence)
	if len(v.identity.moves) > 0 && p.peopleMoved != nil {
		p.peopleMoved()
	}
	close(p.moved)
	p.moved = make(chan struct{})
	return true, nil
}

// take copies what changed. Nil means that Postgres has everything.
func (p *projector) take() (*save, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.applied == p.saved && !p.changes.rechosen {
		return nil, nil
	}
	v := &save{sequence: p.applied, rechosen: p.changes.rechosen, links: p.changes.links, consents: p.changes.consents, suppressed: p.changes.suppressed, suppressions: &p.store.suppressions, identity: p.changes.identity, states: p.changes.states, oldest: p.changes.oldest}
	v.dirts = make([]dirt, len(v.states))
	for i, st := range v.states {
		v.dirts[i] = st.dirty
		if st.dirty&(dirtCard|dirtNew) == 0 {
			v.seen.add(st)
			continue
		}
		if err := v.cards.add(st); err != nil {
			return nil, err
		}
	}
	for _, st := range v.states {
		st.dirty = 0
	}
	p.changes = changes{}
	p.saving = v.oldest
	return v, nil
}

// giveBack makes a save that failed a part of the next one.
func (p *projector) giveBack(v *save) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saving = 0
	for i, st := range v.states {
		p.changes.mark(st, v.dirts[i])
	}
	p.changes.links = append(v.links, p.changes.links...)
	p.changes.consents = append(v.consents, p.changes.consents...)
	p.changes.suppressed = append(v.suppressed, p.changes.suppressed...)
	p.changes.identity.entries = append(v.identity.entries, p.changes.identity.entries...)
	p.changes.identity.moves = append(v.identity.moves, p.changes.identity.moves...)
	p.changes.oldest = v.oldest
	p.changes.rechosen = p.changes.rechosen || v.rechosen
}

// position is the sequence up to which Postgres holds the state.
func (p *projector) position() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.saved
}

// reached is the sequence up to which memory holds the state.
func (p *projector) reached() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applied
}

// maxSilence is how long [projector.waitRead] waits without any progress: the
// last sequences of a stream can be empty, and nothing comes for them.
const maxSilence = 5 * time.Second

// waitRead returns when the message with the sequence, or one behind it, has been
// handed over.
func (p *projector) waitRead(ctx context.Context, sequence uint64) error {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	last, since := p.lastRead(), time.Now()
	for last < sequence {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if now := p.lastRead(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > maxSilence {
			return fmt.Errorf("nothing came for %s; the last message was %d of %d", maxSilence, last, sequence)
		}
	}
	return nil
}

func (p *projector) lastRead() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.read
}

// waitApplied returns when memory has the message with the sequence.
func (p *projector) waitApplied(ctx context.Context, sequence uint64) error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for p.reached() < sequence {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for profiles to be at %d: %w", sequence, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// waitFor returns when Postgres holds the state up to sequence.
func (p *projector) waitFor(ctx context.Context, sequence uint64) error {
	for {
		p.mu.Lock()
		saved, applied, moved := p.saved, p.applied, p.moved
		p.mu.Unlock()
		if saved >= sequence {
			return nil
		}
		if applied >= sequence {
			p.hurry()
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-moved:
		case <-timer.C: // memory may have got there meanwhile
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("waiting for Postgres to hold profiles up to %d (it is at %d): %w", sequence, saved, ctx.Err())
		}
		timer.Stop()
	}
}

// lag is how many messages Postgres is behind, and how old the oldest of them is.
func (p *projector) lag(ctx context.Context) (messages uint64, age time.Duration, err error) {
	_, last, _, err := p.topic.State(ctx)
	if err != nil {
		return 0, 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if last <= p.saved {
		return 0, 0, nil
	}
	oldest := p.saving
	if oldest == 0 {
		oldest = p.changes.oldest
	}
	if oldest != 0 {
		age = max(0, time.Since(instant(oldest)))
	}
	return last - p.saved, age, nil
}
