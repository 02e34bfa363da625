package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Message is one record of a topic.
type Message struct {
	// Sequence in the topic, from 1 and rising; it never changes. Records that were appended together have it
	// in common, and readers hand them over together.
	Sequence uint64
	// Index of the record among those with its sequence, from 0.
	Index int
	// Time at which the server stored it.
	Time time.Time
	// Data as it was published. It belongs to whoever was handed the message.
	Data []byte
}

// raw is a message as the topic holds it, with the number of records in it.
type raw struct {
	Message
	records int
}

const (
	requestExpires   = 30 * time.Second
	requestHeartbeat = time.Second
	// silence is how long the server may say nothing before the consumer is given up.
	silence           = 3 * requestHeartbeat
	inactiveThreshold = time.Minute
	maxWindow         = 2500
)

// reader reads a topic in order from a sequence, each message once, across reconnects and restarts of the
// server. It is used by one goroutine.
//
// It asks an ephemeral consumer for messages in windows, up to two of them under way so that the next is on
// its way while one is consumed: that bounds what waits in memory, and is faster than the client library's
// own ordered consumer, which spends locks, timers and allocations on every message.
// The consumer numbers what it delivers; a hole in these numbers, silence, or a lost connection make the
// reader start a new consumer behind the last message that it has handed out.
type reader struct {
	topic  *Topic
	log    *slog.Logger
	window int // messages in one request

	sub   *nats.Subscription
	msgs  chan *nats.Msg
	inbox string

	next    uint64 // the stream sequence that comes next
	done    uint64 // up to which it does not matter what is missing
	missing uint64 // messages that were trimmed before they were read, so far
	carry   []raw

	consumer   string // name, "" when there is none
	abandoned  string // the one before, to be deleted
	generation uint64
	prefix     string          // of the reply subjects of this consumer's requests
	request    string          // subject that requests go to
	delivered  uint64          // the consumer's number of the last message
	pending    int             // messages asked for that have not come
	asked      uint64          // requests so far
	body       []byte          // of every request
	lost       <-chan struct{} // closed when the connection was replaced

	fresh   bool      // something was received since heard was set
	heard   time.Time // when the server last said something
	retryAt time.Time
	pause   *backoff
	health  *time.Timer
	wait    *time.Timer
}

// newReader makes a reader that begins at sequence from and has at most about 2·maxMessages messages and
// 2·maxBytes bytes waiting.
func (t *Topic) newReader(from uint64, maxMessages, maxBytes int) (*reader, error) {
	r := &reader{
		topic:  t,
		log:    t.s.log.With("topic", t.name),
		window: min(max(maxMessages/2, 32), maxWindow),
		inbox:  t.s.bulk.NewInbox() + ".",
		next:   max(from, 1),
		pause:  newBackoff(20*time.Millisecond, 5*time.Second),
	}
	// A request for fewer bytes than a message has would never be answered.
	bytes := max(maxBytes/2, int(t.s.bulk.MaxPayload())+64<<10)
	var err error
	r.body, err = json.Marshal(map[string]any{
		"batch": r.window, "max_bytes": bytes, "expires": requestExpires, "idle_heartbeat": requestHeartbeat,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a request for messages: %w", err)
	}
	r.msgs = make(chan *nats.Msg, 2*r.window+64)
	if r.sub, err = t.s.bulk.ChanSubscribe(r.inbox+"*.*", r.msgs); err != nil {
		return nil, fmt.Errorf("reading %s: %w", t.name, fromClient(err))
	}
	r.health, r.wait = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	r.health.Stop()
	r.wait.Stop()
	return r, nil
}

// close ends the subscription and deletes the consumer.
func (r *reader) close() {
	r.health.Stop()
	r.wait.Stop()
	if err := r.sub.Unsubscribe(); err != nil && !r.topic.s.isClosing() {
		r.log.Debug("cannot end a subscription", "error", err)
	}
	r.abandon()
	r.deleteAbandoned()
}

// fill appends to buf the records that come: it waits for the first message as long as ctx allows, then
// gathers until there are maxRecords, maxBytes would be passed or maxWait is over. One message with more of
// either comes alone. When ctx ends it returns what it has; with nothing gathered it returns the context's
// error, or ErrClosed.
func (r *reader) fill(ctx context.Context, buf []Message, maxRecords, maxBytes int, maxWait time.Duration) ([]Message, error) {
	var deadline <-chan time.Time
	size := 0
	for len(buf) < maxRecords {
		m, ok, err := r.receive(ctx, deadline)
		if err != nil && len(buf) == 0 {
			return buf, err
		}
		if err != nil || !ok {
			break // what was gathered goes first; the next call returns the error
		}
		if len(buf) == 0 {
			r.wait.Reset(maxWait)
			defer r.wait.Stop()
			deadline = r.wait.C
		} else if size+len(m.Data) > maxBytes || len(buf)+m.records > maxRecords {
			r.carry = append(r.carry, m)
			break
		}
		size += len(m.Data)
		buf = split(buf, m.Message, m.records)
	}
	return buf, nil
}

// fillTo appends to buf every record up to sequence to that the topic still has, without other limits.
func (r *reader) fillTo(ctx context.Context, buf []Message, to uint64) ([]Message, error) {
	defer r.wait.Stop()
	for {
		r.wait.Reset(time.Second)
		m, ok, err := r.receive(ctx, r.wait.C)
		switch {
		case err != nil:
			return buf, err
		case !ok:
			// Nothing comes: the range ends in fillers, the server is slow, or the end is no longer there.
			if r.next > to {
				return buf, nil
			}
			first, last, _, err := r.topic.State(ctx)
			if err == nil && (first > to || last < to) {
				return buf, nil
			}
		case m.Sequence > to:
			r.carry = append(r.carry, m)
			return buf, nil
		default:
			if buf = split(buf, m.Message, m.records); m.Sequence == to {
				return buf, nil
			}
		}
	}
}

// receive returns the next message, or false when deadline fires first.
func (r *reader) receive(ctx context.Context, deadline <-chan time.Time) (raw, bool, error) {
	if n := len(r.carry); n > 0 {
		m := r.carry[n-1]
		r.carry = r.carry[:n-1]
		return m, true, nil
	}
	for {
		if r.consumer == "" && ctx.Err() == nil && !time.Now().Before(r.retryAt) {
			r.start(ctx)
		}
		if r.consumer != "" {
			r.ask()
		}
		var msg *nats.Msg
		select {
		case msg = <-r.msgs:
			r.fresh = true
		default:
			r.setHealth()
			select {
			case msg = <-r.msgs:
				r.fresh = true
			case <-r.health.C:
				if r.consumer != "" {
					r.drop("the server is silent")
				}
			case <-r.lost:
				r.drop("the connection was replaced")
			case <-deadline:
				return raw{}, false, nil
			case <-ctx.Done():
				return raw{}, false, ctx.Err()
			case <-r.topic.s.done:
				return raw{}, false, ErrClosed
			}
		}
		if msg != nil {
			if m, ok := r.take(msg); ok {
				return m, true, nil
			}
		}
	}
}

// setHealth makes the health timer fire when the server has been silent too long, or when it is time to try
// again to start a consumer.
func (r *reader) setHealth() {
	now := time.Now()
	if r.fresh {
		r.heard, r.fresh = now, false
	}
	if r.consumer == "" {
		r.health.Reset(max(r.retryAt.Sub(now), time.Millisecond))
	} else {
		r.health.Reset(max(r.heard.Add(silence).Sub(now), time.Millisecond))
	}
}

// start makes a consumer that begins at the next sequence. On failure it sets the time of the next attempt.
func (r *reader) start(parent context.Context) {
	ctx, cancel := context.WithTimeout(parent, callTimeout)
	defer cancel()
	r.lost = r.topic.s.nextReconnect()
	go func(lost <-chan struct{}) { // a server that went away does not answer any more
		select {
		case <-lost:
			cancel()
		case <-ctx.Done():
		}
	}(r.lost)
	name := "reader-" + nuid.Next()
	_, err := r.topic.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name:              name,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.next,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: inactiveThreshold,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		wait := r.pause.next()
		r.retryAt = time.Now().Add(wait)
		if parent.Err() == nil && !r.topic.s.isClosing() {
			r.log.Warn("cannot start reading; trying again", "from", r.next, "wait", wait, "error", err)
		}
		return
	}
	r.deleteAbandoned()
	r.generation++
	r.consumer = name
	r.prefix = r.inbox + strconv.FormatUint(r.generation, 36) + "."
	r.request = "$JS.API.CONSUMER.MSG.NEXT." + r.topic.subject + "." + name
	r.delivered, r.pending = 0, 0
	r.heard, r.fresh = time.Now(), false
}

// ask keeps between one and two windows of messages asked for.
func (r *reader) ask() {
	for r.pending <= r.window {
		r.asked++
		if err := r.topic.s.bulk.PublishRequest(r.request, r.prefix+strconv.FormatUint(r.asked, 36), r.body); err != nil {
			r.drop("cannot ask for messages: " + err.Error())
			return
		}
		r.pending += r.window
	}
}

// drop gives up the consumer; a new one is started after a pause.
func (r *reader) drop(reason string) {
	r.log.Debug("starting to read anew", "from", r.next, "reason", reason)
	r.abandon()
	r.retryAt = time.Now().Add(r.pause.next())
}

func (r *reader) abandon() {
	if r.consumer != "" {
		r.abandoned, r.consumer = r.consumer, ""
	}
	r.prefix = ""
	r.lost = nil
}

// deleteAbandoned deletes the consumer that was given up. It may be gone, and the server deletes it by
// itself after a minute, so an error is of no interest.
func (r *reader) deleteAbandoned() {
	if r.abandoned == "" || r.topic.s.isClosing() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.topic.stream.DeleteConsumer(ctx, r.abandoned); err != nil {
		r.log.Debug("cannot delete a consumer", "consumer", r.abandoned, "error", err)
	}
	r.abandoned = ""
}

// take looks at what came from the server and returns the message in it, if there is one that is next.
func (r *reader) take(msg *nats.Msg) (raw, bool) {
	if r.consumer == "" {
		return raw{}, false
	}
	if msg.Reply == "" {
		r.status(msg)
		return raw{}, false
	}
	meta, ok := readDelivery(msg.Reply)
	if !ok {
		r.drop("unreadable delivery " + msg.Reply)
		return raw{}, false
	}
	if meta.consumer != r.consumer {
		return raw{}, false // one that was given up
	}
	if meta.delivered != r.delivered+1 {
		r.drop(fmt.Sprintf("delivery %d after %d", meta.delivered, r.delivered))
		return raw{}, false
	}
	r.delivered = meta.delivered
	r.pending--
	if meta.sequence < r.next {
		return raw{}, false
	}
	r.pause.reset()
	if expected := max(r.next, r.done+1); meta.sequence > expected {
		r.missing += meta.sequence - expected
	}
	r.next = meta.sequence + 1
	if msg.Header != nil && msg.Header[fillerHeader] != nil {
		return raw{}, false
	}
	m := Message{Sequence: meta.sequence, Time: time.Unix(0, meta.time).UTC(), Data: msg.Data}
	return raw{m, recordsOf(msg.Header)}, true
}

// status handles what the server says about a request.
func (r *reader) status(msg *nats.Msg) {
	if !strings.HasPrefix(msg.Subject, r.prefix) {
		return // to a consumer that was given up
	}
	code, description := msg.Header.Get("Status"), msg.Header.Get("Description")
	switch {
	case code == "100": // heartbeat
	case code == "404", code == "408",
		code == "409" && (description == "Batch Completed" || description == "Message Size Exceeds MaxBytes"):
		// The request is over: what it did not deliver will not come.
		left, err := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
		if err != nil || left < 0 {
			r.drop("a request ended without saying how: " + code + " " + description)
			return
		}
		r.pending = max(r.pending-left, 0)
	default:
		// The consumer is gone, moved or refuses.
		r.drop(strings.TrimSpace(code + " " + description))
	}
}

// delivery is what the server writes into the reply subject of a delivered message.
type delivery struct {
	consumer  string
	sequence  uint64 // in the stream
	delivered uint64 // by this consumer, from 1
	time      int64  // nanoseconds since 1970
}

// readDelivery reads a reply subject, which has one of the forms
//
//	$JS.ACK.<stream>.<consumer>.<times>.<sequence>.<delivered>.<time>.<pending>
//	$JS.ACK.<domain>.<account>.<stream>.<consumer>.<times>.<sequence>.<delivered>.<time>.<pending>[.<more>]
func readDelivery(reply string) (delivery, bool) {
	const prefix = "$JS.ACK."
	if !strings.HasPrefix(reply, prefix) {
		return delivery{}, false
	}
	rest := reply[len(prefix):]
	var skip int
	switch n := strings.Count(rest, "."); {
	case n == 6:
		skip = 1
	case n >= 8:
		skip = 3
	default:
		return delivery{}, false
	}
	for range skip {
		_, rest, _ = strings.Cut(rest, ".")
	}
	consumer, rest, _ := strings.Cut(rest, ".")
	_, rest, _ = strings.Cut(rest, ".") // times delivered
	var numbers [3]uint64
	for i := range numbers {
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		n, err := strconv.ParseUint(token, 10, 64)
		if err != nil {
			return delivery{}, false
		}
		numbers[i] = n
	}
	if numbers[0] == 0 || numbers[1] == 0 || numbers[2] > 1<<63-1 {
		return delivery{}, false
	}
	return delivery{consumer: consumer, sequence: numbers[0], delivered: numbers[1], time: int64(numbers[2])}, true
}
