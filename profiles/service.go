package profiles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/stream"
	"quintet/profiles/tracking"
)

// Topic is the stream topic of tracking records.
const Topic = "EVENTS"

const (
	// warmRecords is how many records of the stream's end are read at the start to
	// recognise messages that are sent again.
	warmRecords = 20_000
	// keepBehind is how many stored records stay in the stream, for that.
	keepBehind = warmRecords
	// openTimeout bounds loading and catching up.
	openTimeout = 10 * time.Minute
)

// Deps are what the service is made of.
type Deps struct {
	Postgres   *pgxpool.Pool
	ClickHouse *clickhouse.Database
	Stream     *stream.Stream
	Logger     *slog.Logger
	Registry   prometheus.Registerer
}

// Service takes tracking calls and keeps profiles.
type Service struct {
	log        *slog.Logger
	postgres   *pgxpool.Pool
	clickhouse *clickhouse.Database
	topic      *stream.Topic
	sink       *stream.Sink
	store      *Store
	projector  *projector
	recent     *recentMessages
	metrics    *metrics
	now        func() time.Time
	decisions  func(ctx context.Context, profileID string, limit int) ([]Decision, error)
}

// Open loads all profiles into memory and catches up with the stream, so that
// identity is settled by all that was ever acknowledged. [Service.Run] starts the
// readers.
func Open(ctx context.Context, d Deps) (*Service, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s := &Service{
		log: d.Logger, postgres: d.Postgres, clickhouse: d.ClickHouse, store: newStore(), recent: newRecentMessages(recentIDs),
		metrics: newMetrics(d.Registry), now: time.Now,
		decisions: func(context.Context, string, int) ([]Decision, error) { return nil, nil },
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	var err error
	if s.topic, err = d.Stream.Topic(ctx, Topic); err != nil {
		return nil, fmt.Errorf("opening the stream of events: %w", err)
	}
	position, err := s.store.load(ctx, d.Postgres, Topic)
	if err != nil {
		return nil, err
	}
	// A stream that lost its end must not hand out sequences that Postgres has seen.
	if err := s.topic.AdvancePast(ctx, position); err != nil {
		return nil, fmt.Errorf("continuing the stream of events: %w", err)
	}
	s.projector = newProjector(s.store, s.topic, d.Postgres, s.log, position)
	s.projector.seen, s.projector.refuse = s.recent.add, s.refuse
	s.projector.dropped = func(n uint64) { s.metrics.droppedTraits.Add(float64(n)) }
	if err := s.catchUp(ctx, position); err != nil {
		return nil, fmt.Errorf("catching up with the stream of events: %w", err)
	}
	s.sink = stream.NewSink(s.topic, "clickhouse", s.storeEvents, stream.SinkOptions{Logger: s.log})
	return s, nil
}

var errCaughtUp = errors.New("caught up")

// catchUp brings memory to the end of the stream.
func (s *Service) catchUp(ctx context.Context, position uint64) error {
	first, last, _, err := s.topic.State(ctx)
	if err != nil {
		return err
	}
	from := max(first, 1)
	if position+1 > warmRecords {
		from = max(from, position+1-warmRecords)
	}
	if last == 0 || from > last {
		return nil
	}
	ctx, done := context.WithCancelCause(ctx)
	defer done(nil)
	saving, stop := context.WithCancel(ctx)
	defer stop()
	go s.projector.saveLoop(saving) // its bound on unsaved changes holds here as well
	err = s.topic.Consume(ctx, from, stream.ConsumeOptions{}, func(ctx context.Context, batch []stream.Message) error {
		if err := s.projector.handle(ctx, batch); err != nil {
			return err
		}
		if batch[len(batch)-1].Sequence >= last {
			done(errCaughtUp)
		}
		return nil
	})
	if errors.Is(context.Cause(ctx), errCaughtUp) {
		return nil
	}
	return errors.Join(err, ctx.Err())
}

// Store is the profiles in memory.
func (s *Service) Store() *Store { return s.store }

// ShowDecisions has profile reads include a person's last decisions, which
// another package keeps.
func (s *Service) ShowDecisions(last func(ctx context.Context, profileID string, limit int) ([]Decision, error)) {
	s.decisions = last
}

// Run moves events to ClickHouse and profiles to Postgres until the context ends,
// then finishes what it has begun.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.sink.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("moving events to ClickHouse: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		s.projector.mu.Lock()
		from := s.projector.applied + 1
		s.projector.mu.Unlock()
		if err := s.projector.run(ctx, from); err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("projecting profiles: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// Flush waits until everything acknowledged so far is in Postgres and ClickHouse.
func (s *Service) Flush(ctx context.Context) error {
	_, last, _, err := s.topic.State(ctx)
	if err != nil {
		return fmt.Errorf("reading the end of the stream: %w", err)
	}
	return errors.Join(s.projector.waitFor(ctx, last), s.sink.WaitFor(ctx, last))
}

// EventsLag is how far ClickHouse is behind the stream.
func (s *Service) EventsLag(ctx context.Context) (messages uint64, age time.Duration, err error) {
	return s.sink.Lag(ctx)
}

// ProfilesLag is how far Postgres is behind the stream.
func (s *Service) ProfilesLag(ctx context.Context) (messages uint64, age time.Duration, err error) {
	return s.projector.lag(ctx)
}

// Trim removes from the stream, now and then, what both stores have.
func (s *Service) Trim(ctx context.Context) error {
	return s.topic.TrimBehind(ctx, keepBehind, s.sink.Position, s.projector.position)
}

// Routes registers the tracking API and the reads of profiles.
func (s *Service) Routes(srv *api.Server) {
	for _, kind := range []tracking.Type{tracking.Identify, tracking.Track, tracking.Page, tracking.Screen, tracking.Group, tracking.Alias, tracking.Batch} {
		path := "/v1/" + kind.String()
		srv.Router.With(srv.Require(api.ScopeIngest)).Post(path, s.serve(kind))
		api.Document(srv.API, huma.Operation{
			OperationID: kind.String(), Method: http.MethodPost, Path: path, Tags: []string{"Tracking"}, Summary: "Segment tracking API: " + kind.String(),
			Description: "Answers after every accepted message is durable. A message with an id that was sent before changes nothing.",
			Errors:      []int{400, 401, 403, 413, 422, 429},
		}, api.ScopeIngest, bodyOf(kind), Accepted{})
	}
	s.readRoutes(srv.API)
}
