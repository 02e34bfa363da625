package profiles

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/stream"
	"quintet/profiles/consents"
	"quintet/profiles/identity"
	"quintet/profiles/traits"
)

// Topic is the stream topic of what people did.
const Topic = "EVENTS"

const (
	// keepBehind is how many stored messages stay in the stream: message ids are
	// learnt from them after a restart.
	keepBehind = 10_000
	// warmBytes is how much of them is read then.
	warmBytes = 64 << 20
)

// Keys finds who an API key belongs to.
type Keys interface {
	// Lookup returns the principal of the key with the secret.
	Lookup(secret string) (api.Principal, error)
}

// Deps are what the service is made of.
type Deps struct {
	Postgres   *pgxpool.Pool
	ClickHouse *clickhouse.Database
	Stream     *stream.Stream
	Logger     *slog.Logger
	Registry   prometheus.Registerer
	// Keys makes a key in the body of a call count, as clients without access to
	// headers send it; nil refuses such calls.
	Keys Keys
	// DuplicateMemory bounds what is kept of the message ids of the last seven days,
	// in bytes; 1 GiB when zero.
	DuplicateMemory int64
	// UploadDir is the directory for files that the server imports itself; empty
	// takes none.
	UploadDir string
	// Decisions shows a profile's decisions; nil shows none.
	Decisions Decisions
	// Definitions holds the declarations of traits, purposes and topics; nil has none.
	Definitions *definitions.Store
	// Sources names API keys; nil knows them by their ids only.
	Sources Sources
	// Now is the clock; time.Now unless set.
	Now func() time.Time
	// StoreWait is how long what came in waits for more before it is stored; that of
	// [stream.SinkOptions] unless set.
	StoreWait time.Duration
}

// Service takes messages in, keeps the state of profiles and answers questions
// about them.
type Service struct {
	log        *slog.Logger
	postgres   *pgxpool.Pool
	clickhouse *clickhouse.Database
	keys       Keys
	decisions  Decisions
	segments   *Segments // nil without
	store      *Store
	topic      *stream.Topic
	sink       *stream.Sink
	projector  *projector
	duplicates *duplicates
	metrics    *metrics
	scratch    sync.Pool
	hooks      *hooks   // nil where there is no store of definitions
	uploads    *uploads // nil where files are not taken
	now        func() time.Time
	people     *peopleMap
	gate       Gate    // nil without
	watcher    Watcher // nil without
	// watchFailures is how often in a row the watcher failed; the sink's goroutine counts.
	watchFailures int
	// identityRules is nil where there is no store of definitions.
	identityRules *definitions.Collection[identity.Rules]

	sources      Sources
	traits       *definitions.Collection[traits.Declaration]
	rulesChanged chan struct{}
	purposes     *definitions.Collection[consents.Purpose]
	topics       *definitions.Collection[consents.Topic]
}

// Open loads the state of all profiles from Postgres and brings it up to date
// with the stream, so that identity is settled by everything that was ever
// acknowledged. [Service.Run] keeps it so.
func Open(ctx context.Context, d Deps) (*Service, error) {
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{
		log: d.Logger, postgres: d.Postgres, clickhouse: d.ClickHouse, keys: d.Keys, decisions: d.Decisions,
		store: newStore(), duplicates: newDuplicates(duplicateGeneration, d.DuplicateMemory), now: d.Now,
	}
	s.duplicates.now = d.Now
	s.scratch.New = func() any { return new(scratch) }
	s.sources, s.rulesChanged = d.Sources, make(chan struct{}, 1)
	if err := s.openTraits(d.Definitions); err != nil {
		return nil, err
	}
	if err := s.openConsents(d.Definitions); err != nil {
		return nil, err
	}
	if err := s.openSuppressions(ctx); err != nil {
		return nil, err
	}
	if err := s.openIdentityRules(d.Definitions); err != nil {
		return nil, err
	}
	if err := s.openWebhooks(d.Definitions); err != nil {
		return nil, err
	}
	if d.UploadDir != "" {
		s.uploads = newUploads(d.UploadDir)
	}
	started := time.Now()
	position, err := s.store.load(ctx, d.Postgres, Topic)
	if err != nil {
		return nil, err
	}
	if s.topic, err = d.Stream.Topic(ctx, Topic); err != nil {
		return nil, fmt.Errorf("opening the stream of events: %w", err)
	}
	// Should the stream have lost its end, a new message must not get a sequence
	// that Postgres takes for done.
	if err := s.topic.AdvancePast(ctx, position); err != nil {
		return nil, fmt.Errorf("opening the stream of events: %w", err)
	}
	s.metrics = newMetrics(d.Registry, s.store)
	s.sink = stream.NewSink(s.topic, "clickhouse", s.storeEvents, stream.SinkOptions{MaxWait: d.StoreWait, Logger: d.Logger})
	s.projector = newProjector(s.store, s.topic, d.Postgres, d.Logger, position)
	s.people = newPeopleMap(d.Postgres, d.ClickHouse)
	s.projector.peopleMoved = s.people.moved
	s.projector.seen = s.duplicates.saw
	s.duplicates.asked = s.askedForDuplicates
	duplicateMetrics(d.Registry, s.duplicates.window)
	s.projector.refuse = s.refuse
	s.projector.dropped = func(n uint64) { s.metrics.traitsRefused.Add(float64(n)) }
	s.projector.unclear = func(n uint64) { s.metrics.consentsUnclear.Add(float64(n)) }
	s.projector.rejected = func(n uint64) { s.metrics.traitsRejected.Add(float64(n)) }
	if err := s.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("catching up with the stream of events: %w", err)
	}
	s.countIdentifiers()
	if n := s.store.Len(); n > 0 {
		s.log.Info("profiles are in memory", "profiles", n, "position", position, "seconds", time.Since(started).Seconds())
	}
	return s, nil
}

// Store is the state of profiles in memory.
func (s *Service) Store() *Store { return s.store }

// Run moves what comes in to ClickHouse, to memory and to Postgres until ctx
// ends, then finishes what is under way.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.sink.Run(ctx); err != nil {
			return fmt.Errorf("moving events to ClickHouse: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		if err := s.projector.run(ctx, s.projector.reached()+1); err != nil {
			return fmt.Errorf("projecting profiles: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		s.people.run(ctx, func(err error) { s.log.Warn("the map of people is behind; the same is tried again", "error", err) })
		return nil
	})
	group.Go(func() error { return s.rechoose(ctx) })
	group.Go(func() error { return s.followSuppressions(ctx) })
	return group.Wait()
}

// catchUp reads the stream from the saved position to its end. It begins a
// little before, to learn the message ids of the recent past, and of what
// ClickHouse does not have yet.
func (s *Service) catchUp(ctx context.Context) error {
	stored, err := s.learnMessages(ctx)
	if err != nil {
		return err
	}
	s.duplicates.find, s.duplicates.stored = s.findMessages, func() uint64 { return max(stored, s.sink.Position()) }
	first, last, size, err := s.topic.State(ctx)
	if err != nil {
		return err
	}
	if stored > last {
		stored = 0 // of another stream, which was lost
	}
	next := s.projector.position() + 1
	if last < first || size == 0 {
		return nil
	}
	average := max(1, size/(last-first+1))
	back := min(uint64(warmBytes)/average, keepBehind, next-1)
	from := max(first, min(next-back, stored+1))
	s.duplicates.beginBehind(from - 1)

	reading, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.projector.run(reading, from) }()
	if err := s.projector.waitRead(ctx, last); err != nil {
		s.log.Warn("the end of the stream of events cannot be read; going on without it", "error", err)
	}
	stop()
	return errors.Join(<-done, ctx.Err())
}

// Flush waits until everything acknowledged so far is in Postgres and in
// ClickHouse. [Service.Run] must be running.
func (s *Service) Flush(ctx context.Context) error {
	_, last, _, err := s.topic.State(ctx)
	if err != nil {
		return fmt.Errorf("reading the stream of events: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.sink.WaitFor(ctx, last) })
	group.Go(func() error {
		if err := s.projector.waitFor(ctx, last); err != nil {
			return err
		}
		return s.people.copy(ctx)
	})
	return group.Wait()
}

// Trim removes from the stream what both stores have, but for the recent past,
// until ctx ends.
func (s *Service) Trim(ctx context.Context) error {
	return s.topic.TrimBehind(ctx, keepBehind, s.sink.Position, s.projector.position)
}

// EventsLag is how many messages ClickHouse is behind the stream, and the age of
// the oldest of them.
func (s *Service) EventsLag(ctx context.Context) (messages uint64, age time.Duration, err error) {
	return s.sink.Lag(ctx)
}

// ProfilesLag is how many messages Postgres is behind the stream, and the age of
// the oldest of them. Memory is usually further.
func (s *Service) ProfilesLag(ctx context.Context) (messages uint64, age time.Duration, err error) {
	return s.projector.lag(ctx)
}

// maxPayload bounds what is kept of a record that cannot be read, in bytes.
const maxPayload = 1 << 20

// refuse sets a record aside that a reader cannot understand, so that those
// behind it go on. When Postgres does not take it, the log has its sequence.
func (s *Service) refuse(ctx context.Context, reader string, sequence uint64, payload []byte, reason error) {
	s.metrics.recordsRefused.WithLabelValues(reader).Inc()
	s.log.Error("a record of the stream cannot be read and is set aside", "topic", Topic, "reader", reader, "sequence", sequence, "error", reason)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	kept := payload[:min(len(payload), maxPayload)]
	sum := sha256.Sum256(kept) // several records may be one message of the stream
	_, err := s.postgres.Exec(ctx, `INSERT INTO rejected_records (topic, reader, sequence, digest, reason, payload) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`, Topic, reader, int64(sequence), sum[:16], reason.Error(), kept)
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("cannot keep a record that was set aside", "topic", Topic, "reader", reader, "sequence", sequence, "error", err)
	}
}
