// Package stream is the durable road between what comes in and what is stored: every event and every
// decision is put into it before its caller gets an answer, and leaves it for Postgres and ClickHouse in
// order and exactly once.
//
// Underneath is NATS JetStream, a server inside this process by default (no port, files under the data
// directory), an external server or cluster when a URL is set; the same client code runs on both. External
// servers need version 2.10 or later.
//
// A [Stream] holds topics. A [Topic] is an append-only sequence of messages with a limit in bytes; when it
// is full, [Topic.Publish] returns [ErrFull], which is how back-pressure reaches the outside. With
// [Topic.Append], small records that come at the same time share a message. Three things read a topic:
//
//   - a [Sink] moves it into a store in ranges that are journalled before the store sees them, so that after
//     a crash the same range is stored again under the same token, and the store keeps one of the two;
//   - [Topic.Consume] hands batches to a consumer that saves its own position together with its state;
//   - [Topic.TrimBehind] removes what everybody has read.
//
// # What is durable when
//
// When Publish returns, the message is with the operating system (embedded) or with a quorum (external,
// Options.Replicas 3): killing the process loses nothing. Against a loss of power the embedded server calls
// fsync every ten seconds, or before each acknowledgement with Options.SyncAlways.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	// DefaultMaxBytes is the limit of a topic when Options.MaxBytes is 0: 8 GiB, some 10 million messages.
	DefaultMaxBytes = 8 << 30

	connectTimeout = 5 * time.Second
	// callTimeout bounds every call to the JetStream API whose context has no nearer deadline.
	callTimeout  = 5 * time.Second
	closeTimeout = 10 * time.Second
	journalBytes = 64 << 20
)

// Options configure Open. The zero value of every field but DataDir and URL is usable.
type Options struct {
	// DataDir is where the embedded server keeps its files. Needed when URL is empty.
	DataDir string
	// URL of an external NATS server or several, separated by commas (nats://user:password@host:4222,
	// tls://…). Empty means embedded.
	URL string
	// Prefix goes before the names of JetStream streams and buckets, so that several installations, or
	// tests, can share a server. Letters, digits, - and _; default "quintet_".
	Prefix string
	// MaxBytes is the limit of each topic in bytes; default DefaultMaxBytes.
	MaxBytes int64
	// SyncAlways makes the embedded server call fsync before it acknowledges: safe against loss of power,
	// at a cost of one disk write for each group of messages.
	SyncAlways bool
	// Replicas of each message on an external cluster: 1, 3 or 5; default 1. Embedded is always 1.
	Replicas int
	// Logger gets what the server and the consumers have to say; default slog.Default().
	Logger *slog.Logger
}

var (
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

func (o *Options) complete() error {
	if o.Prefix == "" {
		o.Prefix = "quintet_"
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Replicas == 0 || o.URL == "" {
		o.Replicas = 1
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case !prefixPattern.MatchString(o.Prefix):
		return fmt.Errorf("stream prefix %q: need 1 to 64 letters, digits, - or _", o.Prefix)
	case o.MaxBytes < 1<<16:
		return fmt.Errorf("stream limit of %d bytes: need at least %d", o.MaxBytes, 1<<16)
	case o.Replicas != 1 && o.Replicas != 3 && o.Replicas != 5:
		return fmt.Errorf("stream replicas %d: need 1, 3 or 5", o.Replicas)
	}
	return nil
}

// Stream is a connection to JetStream, embedded or external. It is safe for concurrent use.
type Stream struct {
	opts     Options
	server   *server.Server // nil when external
	control  *nats.Conn     // publishes, acknowledgements, API calls: small messages, low latency
	bulk     *nats.Conn     // what readers read, so that it never stands in front of an acknowledgement
	js       jetstream.JetStream
	journal  jetstream.KeyValue
	pub      *publisher
	instance string // differs for every Open
	log      *slog.Logger

	done chan struct{} // closed by Close

	mu          sync.Mutex
	reconnected chan struct{} // closed and replaced whenever the bulk connection comes back
	topics      map[string]*Topic
	closing     bool
}

// Open starts the embedded server, or connects to the external one, and makes sure that the journal of the
// sinks exists. It returns an error wrapping ErrUnavailable when the external server does not answer.
func Open(ctx context.Context, o Options) (*Stream, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Stream{
		opts:        o,
		instance:    nuid.Next(),
		log:         o.Logger.With("component", "stream"),
		done:        make(chan struct{}),
		reconnected: make(chan struct{}),
		topics:      map[string]*Topic{},
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stream) open(ctx context.Context) (err error) {
	if s.opts.URL == "" {
		if s.server, err = startEmbedded(s.opts); err != nil {
			return err
		}
	}
	s.pub = newPublisher()
	if s.control, err = s.connect("control", s.pub.failAll, nil); err != nil {
		return err
	}
	if err = s.pub.attach(s.control); err != nil {
		return err
	}
	if s.bulk, err = s.connect("bulk", nil, s.announceReconnect); err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.control, jetstream.WithDefaultTimeout(callTimeout)); err != nil {
		return fmt.Errorf("opening JetStream: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	s.journal, err = s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:      s.opts.Prefix + "JOURNAL",
		Description: "positions of the sinks and the range that each has under way",
		History:     1,
		MaxBytes:    journalBytes,
		Storage:     jetstream.FileStorage,
		Replicas:    s.opts.Replicas,
	})
	if err != nil {
		return fmt.Errorf("opening the journal of the sinks: %w", fromClient(err))
	}
	return nil
}

func (s *Stream) connect(purpose string, onLost func(error), onBack func()) (*nats.Conn, error) {
	log := s.log.With("connection", purpose)
	lost := func(nc *nats.Conn, err error) {
		if nc.IsClosed() || s.isClosing() {
			err = ErrClosed
		} else {
			log.Warn("connection to NATS lost", "error", err)
			err = fmt.Errorf("%w: connection lost: %w", ErrUnavailable, errOrUnknown(err))
		}
		if onLost != nil {
			onLost(err)
		}
	}
	options := []nats.Option{
		nats.Name("quintet " + purpose),
		nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, time.Second),
		// Nothing is kept for later while the connection is down: its caller is told, and decides.
		nats.ReconnectBufSize(-1),
		// The client would close for good after two refusals, as a server gives that is just being set up.
		nats.IgnoreAuthErrorAbort(),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(lost),
		nats.ReconnectHandler(func(*nats.Conn) {
			log.Info("connection to NATS is back")
			if onBack != nil {
				onBack()
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("NATS reports a problem", "error", err)
		}),
	}
	if s.server != nil {
		options = append(options, nats.InProcessServer(s.server))
	}
	nc, err := nats.Connect(s.opts.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("%w: connecting to NATS at %s: %w", ErrUnavailable, s.Address(), err)
	}
	return nc, nil
}

func errOrUnknown(err error) error {
	if err == nil {
		return errors.New("no reason given")
	}
	return err
}

// Address says where JetStream is, without passwords, for messages to people.
func (s *Stream) Address() string {
	if s.opts.URL == "" {
		return "embedded in " + s.opts.DataDir
	}
	if u, err := url.Parse(s.opts.URL); err == nil {
		return u.Redacted()
	}
	return "the configured URL"
}

// Embedded says whether the server runs inside this process.
func (s *Stream) Embedded() bool { return s.opts.URL == "" }

// Ping asks JetStream for an answer. Its error wraps ErrUnavailable or ErrClosed.
func (s *Stream) Ping(ctx context.Context) error {
	if s.isClosing() {
		return ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := s.js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("asking JetStream for its state: %w", fromClient(err))
	}
	return nil
}

// Close refuses new messages, waits for those in flight, closes the connections and stops the embedded
// server, which flushes its files. Stop sinks and consumers first, by their contexts: afterwards they end
// with ErrClosed. A second call does nothing.
func (s *Stream) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	close(s.done)
	s.mu.Unlock()

	var err error
	if s.pub != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		err = s.pub.close(ctx)
		cancel()
	}
	for _, nc := range []*nats.Conn{s.bulk, s.control} {
		if nc != nil {
			nc.Close()
		}
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	return err
}

func (s *Stream) isClosing() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// announceReconnect wakes the readers: what they had asked for went down with the old connection.
func (s *Stream) announceReconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.reconnected)
	s.reconnected = make(chan struct{})
}

// nextReconnect returns a channel that is closed when the bulk connection next comes back.
func (s *Stream) nextReconnect() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reconnected
}
