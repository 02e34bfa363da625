package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxInFlight bounds the messages sent and not yet acknowledged; further callers wait their turn. It
	// stays below the 10,000 messages that the server queues in front of a stream.
	maxInFlight = 2048
	// publishTimeout is how long a caller waits at most, for its turn and for the acknowledgement.
	publishTimeout = 5 * time.Second
)

// publisher sends messages and waits for their acknowledgements over one connection. Many callers share
// it: the connection gathers what they write at the same time into one flush, the server answers each,
// and one subscription hands every answer to the caller who waits for it.
//
// It does what the client library's asynchronous publish does, with a fixed set of reusable slots instead
// of a future, two channels and a map entry for each message.
type publisher struct {
	nc     *nats.Conn
	sub    *nats.Subscription
	prefix string // of the reply subjects, with the dot
	slots  []*slot
	free   chan *slot
	closed chan struct{}
	once   sync.Once
}

// outcome is what became of a message: its sequence, or why there is none.
type outcome struct {
	seq uint64
	err error
	// stale says that a late answer may still come for this reply subject, so it must not be used again.
	stale bool
}

// slot is one message in flight. Its reply subject carries its number and a generation, so that an answer
// that comes after its caller gave up finds nobody.
type slot struct {
	index      int
	generation uint64
	reply      string
	result     chan outcome // of one: at most one outcome a round
	timer      *time.Timer

	mu      sync.Mutex
	waiting bool
}

// newPublisher makes a publisher that publishes once it has a connection.
func newPublisher() *publisher {
	p := &publisher{
		prefix: nats.NewInbox() + ".",
		slots:  make([]*slot, maxInFlight),
		free:   make(chan *slot, maxInFlight),
		closed: make(chan struct{}),
	}
	for i := range p.slots {
		s := &slot{index: i, result: make(chan outcome, 1), timer: time.NewTimer(time.Hour)}
		s.timer.Stop()
		p.renew(s)
		p.slots[i] = s
		p.free <- s
	}
	return p
}

// attach gives the publisher its connection. It comes before the first publish.
func (p *publisher) attach(nc *nats.Conn) error {
	sub, err := nc.Subscribe(p.prefix+"*", p.acknowledged)
	if err != nil {
		return fmt.Errorf("subscribing to acknowledgements: %w", err)
	}
	// There are never more answers outstanding than slots, so the limit guards against a foreign flood only.
	if err := sub.SetPendingLimits(4*maxInFlight, 16<<20); err != nil {
		return fmt.Errorf("limiting pending acknowledgements: %w", err)
	}
	p.nc, p.sub = nc, sub
	return nil
}

// renew gives the slot a reply subject that was never used. The caller holds the slot.
func (p *publisher) renew(s *slot) {
	s.mu.Lock()
	s.generation++
	s.reply = p.prefix + strconv.Itoa(s.index) + "-" + strconv.FormatUint(s.generation, 36)
	s.mu.Unlock()
}

// publish sends one message and returns its sequence once it is stored. header is nil for
// none. data may be used again when it returns.
func (p *publisher) publish(ctx context.Context, subject string, header nats.Header, data []byte) (uint64, error) {
	s, err := p.take(ctx)
	if err != nil {
		return 0, err
	}
	out := p.send(ctx, s, subject, header, data)
	if out.stale {
		p.renew(s)
	}
	p.free <- s
	return out.seq, out.err
}

func (p *publisher) take(ctx context.Context) (*slot, error) {
	select {
	case s := <-p.free:
		return s, nil
	default:
	}
	timer := time.NewTimer(publishTimeout)
	defer timer.Stop()
	select {
	case s := <-p.free:
		return s, nil
	case <-timer.C:
		return nil, fmt.Errorf("%w: %d messages in flight", ErrUnavailable, maxInFlight)
	case <-p.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

func (p *publisher) send(ctx context.Context, s *slot, subject string, header nats.Header, data []byte) outcome {
	s.mu.Lock()
	s.waiting = true
	s.mu.Unlock()

	var err error
	if header == nil {
		err = p.nc.PublishRequest(subject, s.reply, data)
	} else {
		err = p.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: s.reply, Header: header, Data: data})
	}
	if err != nil {
		return s.giveUp(fromClient(err))
	}
	s.timer.Reset(publishTimeout)
	defer s.timer.Stop()
	select {
	case out := <-s.result:
		return out
	case <-s.timer.C:
		return s.giveUp(fmt.Errorf("%w: no acknowledgement within %s", ErrUnavailable, publishTimeout))
	case <-p.closed:
		return s.giveUp(ErrClosed)
	case <-ctx.Done():
		return s.giveUp(fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err()))
	}
}

// giveUp ends the wait with an error, unless the outcome came in the same moment.
func (s *slot) giveUp(err error) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
	select {
	case out := <-s.result:
		return out
	default:
		return outcome{err: err, stale: true}
	}
}

// deliver hands the outcome to the waiting caller. generation 0 means whichever waits.
func (s *slot) deliver(generation uint64, out outcome) {
	s.mu.Lock()
	if s.waiting && (generation == 0 || generation == s.generation) {
		s.waiting = false
		s.result <- out // cannot block: one outcome for each round
	}
	s.mu.Unlock()
}

// acknowledged is called by the client library, one message at a time.
func (p *publisher) acknowledged(m *nats.Msg) {
	if len(m.Subject) <= len(p.prefix) {
		return
	}
	number, generation, found := strings.Cut(m.Subject[len(p.prefix):], "-")
	index, err := strconv.Atoi(number)
	if !found || err != nil || index < 0 || index >= len(p.slots) {
		return
	}
	gen, err := strconv.ParseUint(generation, 36, 64)
	if err != nil || gen == 0 {
		return
	}
	p.slots[index].deliver(gen, readAck(m))
}

// failAll ends every wait: the connection is gone, and with it the answers.
func (p *publisher) failAll(err error) {
	for _, s := range p.slots {
		s.deliver(0, outcome{err: err, stale: true})
	}
}

// close refuses new messages, waits until those in flight are answered or the context ends, and lets go.
func (p *publisher) close(ctx context.Context) error {
	var err error
	p.once.Do(func() {
		for range p.slots {
			select {
			case <-p.free: // held for good, so that nobody else can publish
			case <-ctx.Done():
				err = fmt.Errorf("%w: messages still in flight", ErrUnavailable)
			}
			if err != nil {
				break
			}
		}
		close(p.closed)
		if p.sub == nil {
			return
		}
		if uerr := p.sub.Unsubscribe(); uerr != nil && !errors.Is(uerr, nats.ErrConnectionClosed) {
			err = errors.Join(err, fmt.Errorf("ending the acknowledgement subscription: %w", uerr))
		}
	})
	return err
}

var (
	errorField    = []byte(`"error"`)
	sequenceField = []byte(`"seq":`)
)

// readAck reads the server's answer to a published message:
//
//	{"stream":"EVENTS","seq":17}    or    {"error":{...},"stream":"EVENTS","seq":0}
//
// The first form is read by hand, as it comes with every message.
func readAck(m *nats.Msg) outcome {
	if len(m.Data) == 0 {
		// Status 503: no stream listens to the subject, or JetStream is off.
		return outcome{err: fmt.Errorf("%w: no stream answers (status %q)", ErrUnavailable, m.Header.Get("Status"))}
	}
	if !bytes.Contains(m.Data, errorField) {
		if i := bytes.Index(m.Data, sequenceField); i >= 0 {
			if seq, ok := leadingUint(m.Data[i+len(sequenceField):]); ok && seq > 0 {
				return outcome{seq: seq}
			}
		}
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
		Seq   uint64              `json:"seq"`
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err != nil:
		return outcome{err: fmt.Errorf("%w: reading an acknowledgement: %w", ErrUnavailable, err)}
	case answer.Error != nil:
		return outcome{err: fromAPI(answer.Error)}
	case answer.Seq == 0:
		return outcome{err: fmt.Errorf("%w: acknowledgement without a sequence", ErrUnavailable)}
	}
	return outcome{seq: answer.Seq}
}

// leadingUint reads the decimal digits at the start of b.
func leadingUint(b []byte) (n uint64, ok bool) {
	for i, c := range b {
		if c < '0' || c > '9' {
			return n, i > 0
		}
		if i == 19 {
			return 0, false // may overflow: leave it to the JSON decoder
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(b) > 0
}
