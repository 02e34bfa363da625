package stream

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// groupHeader marks a message that holds several records; its value is their number. The body is one
// record after the other, each a varint of its length and its bytes. A message without it is one record.
const groupHeader = "Quintet-Records"

const (
	// maxGroupRecords and maxGroupBytes bound what one message of several records holds.
	maxGroupRecords = 256
	maxGroupBytes   = 256 << 10
	// maxGrouped is the largest record that waits for others: the message of a larger one costs little
	// beside its bytes.
	maxGrouped = 8 << 10
	// maxPending bounds the records that wait for their group and for its acknowledgement; further callers
	// wait their turn.
	maxPending = 2048
	// maxGroupsInFlight is how many messages of a topic may be on their way at once. With one, a group
	// gathers for as long as the message before it takes, which makes the largest groups.
	maxGroupsInFlight = 1
)

// committer makes one message of the records that come while another message is on its way: what a message
// costs the server, the connections and the scheduler is then shared by all of them. A record that comes
// when nothing is on its way does not wait.
type committer struct {
	topic *Topic
	free  chan *pending

	mu     sync.Mutex
	flying int      // messages on their way
	queue  []*group // that wait; the last one gathers
	spare  []*group // to be used again
}

// pending is a caller that waits for the record that it has in a group.
type pending struct {
	group  *group
	index  int // of the record in the group
	result chan outcome
	timer  *time.Timer
}

// group is a message in the making, or on its way.
type group struct {
	bytes   []byte
	records []grouped
	sent    bool
	gone    int // records that were withdrawn
}

// grouped is one record of a group: where its bytes are, and who waits for it, nil when nobody does any more.
type grouped struct {
	start, end int // without the length in front
	waiter     *pending
}

func newCommitter(t *Topic) *committer {
	c := &committer{topic: t, free: make(chan *pending, maxPending)}
	for range maxPending {
		c.free <- nil // made when first used
	}
	return c
}

// Append makes a record durable and returns the sequence of the message that holds it. Records that are
// appended at the same time share a message, and so a sequence; readers get them one by one, in the order in
// which they were appended, with [Message.Index] counting those of one message. Otherwise it is like
// [Topic.Publish], and its errors are the same. A caller who gives up while the record still waits for its
// message withdraws it.
func (t *Topic) Append(ctx context.Context, record []byte) (uint64, error) {
	if len(record) > maxGrouped {
		return t.Publish(ctx, record)
	}
	if err := ctx.Err(); err != nil { // or it could be stored for a caller whose time was over before
		return 0, fmt.Errorf("appending to %s: %w: %w", t.name, ErrUnavailable, err)
	}
	seq, err := t.commits.append(ctx, record)
	if err != nil {
		return 0, fmt.Errorf("appending to %s: %w", t.name, err)
	}
	return seq, nil
}

func (c *committer) append(ctx context.Context, record []byte) (uint64, error) {
	c.mu.Lock()
	if c.flying < maxGroupsInFlight && len(c.queue) == 0 {
		c.flying++
		c.mu.Unlock()
		seq, err := c.topic.s.pub.publish(ctx, c.topic.subject, nil, record)
		c.landed()
		return seq, err
	}
	c.mu.Unlock()
	p, err := c.take(ctx)
	if err != nil {
		return 0, err
	}
	out := c.wait(ctx, p, record)
	c.free <- p
	return out.seq, out.err
}

// take returns a free place in the queue, within the time that a caller has.
func (c *committer) take(ctx context.Context) (*pending, error) {
	var p *pending
	select {
	case p = <-c.free:
	default:
		timer := time.NewTimer(publishTimeout)
		defer timer.Stop()
		select {
		case p = <-c.free:
		case <-timer.C:
			return nil, fmt.Errorf("%w: %d records waiting", ErrUnavailable, maxPending)
		case <-c.topic.s.pub.closed:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
	}
	if p == nil {
		p = &pending{result: make(chan outcome, 1), timer: time.NewTimer(time.Hour)}
		p.timer.Stop()
	}
	return p, nil
}

// wait puts the record into the queue and returns what became of it.
func (c *committer) wait(ctx context.Context, p *pending, record []byte) outcome {
	c.join(p, record)
	var expired <-chan time.Time
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > publishTimeout {
		p.timer.Reset(publishTimeout)
		defer p.timer.Stop()
		expired = p.timer.C
	}
	select {
	case out := <-p.result:
		return out
	case <-expired:
		return c.giveUp(p, fmt.Errorf("%w: no acknowledgement within %s", ErrUnavailable, publishTimeout))
	case <-ctx.Done():
		return c.giveUp(p, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err()))
	}
}

// join copies the record into the group that gathers, and sees to it that the queue moves.
func (c *committer) join(p *pending, record []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var g *group
	if n := len(c.queue); n > 0 {
		g = c.queue[n-1]
	}
	if g == nil || len(g.records) >= maxGroupRecords || len(g.bytes)+len(record) > c.maxBytes() {
		g = c.fresh()
		c.queue = append(c.queue, g)
	}
	g.bytes = binary.AppendUvarint(g.bytes, uint64(len(record)))
	start := len(g.bytes)
	g.bytes = append(g.bytes, record...)
	p.group, p.index = g, len(g.records)
	g.records = append(g.records, grouped{start: start, end: len(g.bytes), waiter: p})
	if c.flying < maxGroupsInFlight {
		c.flying++
		go c.drain()
	}
}

// maxBytes is the size at which another message is begun; the server may take less than we would send.
func (c *committer) maxBytes() int {
	return min(maxGroupBytes, int(c.topic.s.control.MaxPayload())/2)
}

// fresh returns an empty group. The caller has the lock.
func (c *committer) fresh() *group {
	if n := len(c.spare); n > 0 {
		g := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return g
	}
	return &group{}
}

// giveUp ends the wait of one caller, unless the outcome came in the same moment. A record whose message is
// not on its way yet is withdrawn.
func (c *committer) giveUp(p *pending, err error) outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case out := <-p.result:
		return out
	default:
	}
	p.group.records[p.index].waiter = nil
	if !p.group.sent {
		p.group.gone++
	}
	return outcome{err: err}
}

// landed says that a message of one caller is no longer on its way.
func (c *committer) landed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.flying--
		return
	}
	go c.drain()
}

// drain sends what waits, until nothing does.
func (c *committer) drain() {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.flying--
			c.mu.Unlock()
			return
		}
		g := c.queue[0]
		c.queue = slices.Delete(c.queue, 0, 1)
		g.sent = true
		g.withdraw()
		c.mu.Unlock()

		var out outcome
		if len(g.records) > 0 {
			header, body := g.message()
			// Each caller has a deadline of its own; this ends after publishTimeout.
			out.seq, out.err = c.topic.s.pub.publish(context.Background(), c.topic.subject, header, body)
		}
		c.mu.Lock()
		for _, r := range g.records {
			if r.waiter != nil {
				r.waiter.result <- out // cannot block: one outcome for each wait
			}
		}
		if len(c.spare) < 2 {
			clear(g.records)
			*g = group{bytes: g.bytes[:0], records: g.records[:0]}
			c.spare = append(c.spare, g)
		}
		c.mu.Unlock()
	}
}

// withdraw takes out the records whose callers gave up before the message was sent.
func (g *group) withdraw() {
	if g.gone == 0 {
		return
	}
	whole, records := g.bytes, g.records
	g.bytes, g.records = make([]byte, 0, len(whole)), make([]grouped, 0, len(records))
	for _, r := range records {
		if r.waiter == nil {
			continue
		}
		g.bytes = binary.AppendUvarint(g.bytes, uint64(r.end-r.start))
		start := len(g.bytes)
		g.bytes = append(g.bytes, whole[r.start:r.end]...)
		r.waiter.index = len(g.records)
		g.records = append(g.records, grouped{start: start, end: len(g.bytes), waiter: r.waiter})
	}
}

// message is what is sent: a record by itself has no frame.
func (g *group) message() (nats.Header, []byte) {
	if len(g.records) == 1 {
		return nil, g.bytes[g.records[0].start:]
	}
	return nats.Header{groupHeader: []string{strconv.Itoa(len(g.records))}}, g.bytes
}

// recordsOf is the number of records in a message, 1 for one without a frame.
func recordsOf(header nats.Header) int {
	values := header[groupHeader]
	if len(values) != 1 {
		return 1
	}
	n, err := strconv.Atoi(values[0])
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// split appends to buf the n records of a message. When they are not what the frame says, as only a foreign
// writer could make it, the message is appended as it is, for its reader to refuse.
func split(buf []Message, m Message, n int) []Message {
	if n == 1 {
		return append(buf, m)
	}
	rest, before := m.Data, len(buf)
	for i := range n {
		size, width := binary.Uvarint(rest)
		if width <= 0 || size > uint64(len(rest)-width) {
			return append(buf[:before], m)
		}
		end := width + int(size)
		buf = append(buf, Message{Sequence: m.Sequence, Index: i, Time: m.Time, Data: rest[width:end:end]})
		rest = rest[end:]
	}
	if len(rest) > 0 {
		return append(buf[:before], m)
	}
	return buf
}
