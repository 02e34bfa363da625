package recommend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/recommend/scoring"
	"quintet/recommend/trained"
)

// Deps are what the service is made of. Without ClickHouse there is only the
// catalogue.
type Deps struct {
	Definitions *definitions.Store
	Postgres    *pgxpool.Pool
	ClickHouse  *clickhouse.Database
	Logger      *slog.Logger
	// Person finds the id of the person that a caller names: by profile id, as
	// "namespace:value" or by a user id. An error says what is wrong with the text.
	Person func(text string) (string, error)
	// Signals are the events that are learned from; those of the Segment specification
	// for shops when nil.
	Signals []Signal
	// Shown reads lists that people were shown since a moment, oldest first, at most limit:
	// what the ranker learns from. Without it, and while too little was taken from lists,
	// it learns from what people did anyway.
	Shown func(ctx context.Context, since time.Time, limit int) ([]Shown, error)
	// Lists keeps the lists that are given, and is where Shown is nil what is read in its
	// place; nil keeps none.
	Lists ListLog
	// Erasures is entered while a list for somebody is made and kept; nil where nobody is
	// erased.
	Erasures Erasures
	// Interval is how often it is looked whether a build is due; 10 s when zero.
	Interval time.Duration
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

const (
	defaultInterval = 10 * time.Second
	// learnedDays is how far back a build reads, and halfLife after how long an event
	// counts half.
	learnedDays = 365
	halfLife    = 60 * 24 * time.Hour
	// restShare is how many times longer than a build the pause after it is at least,
	// and maxAge how old a build may be when anything came in since.
	restShare = 9
	maxAge    = time.Hour
	// growth is the share of new interactions that makes a build due.
	growth = 0.05
	// settleTime is what the first of many events wait for the others, and for their way
	// into the log.
	settleTime = 300 * time.Millisecond
	// buildLimit bounds one build.
	buildLimit = 30 * time.Minute
)

// Service is the catalogue, and what recommends from it, in memory.
type Service struct {
	items      *definitions.Collection[Item]
	placements *definitions.Collection[Placement]
	feeds      *definitions.Collection[Feed]
	pool       *pgxpool.Pool
	db         *clickhouse.Database
	log        *slog.Logger
	signals    []Signal
	weights    map[string]Signal // by event
	interval   time.Duration
	now        func() time.Time
	person     func(text string) (string, error)
	shown      func(ctx context.Context, since time.Time, limit int) ([]Shown, error)

	lists    ListLog
	erasures Erasures

	histories *histories
	current   atomic.Pointer[snapshot]
	ranker    atomic.Pointer[Ranker] // the newest; nil before there was one
	allowed   allowedSets
	fresh     atomic.Pointer[[]string] // items of the catalogue, newest first
	seen      atomic.Uint64            // interactions since the service was opened
	learned   atomic.Uint64            // of seen, when the last build began
	wake      chan struct{}
	expired   atomic.Pointer[map[string]bool] // feeds whose items are not shown
	fetch     *http.Client
	wakeFeeds chan struct{}

	served  served
	started time.Time // when served began to count
}

// snapshot is one build, as it is served.
type snapshot struct {
	version Version
	bundle  *trained.Bundle
}

func newSnapshot(v Version, b *trained.Bundle) *snapshot { return &snapshot{v, b} }

// model is that of a name, or nil.
func (s *snapshot) model(name string) scoring.Model {
	if s == nil {
		return nil
	}
	return s.bundle.Models[name]
}

// Open loads the catalogue, the placements and the newest build.
func Open(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		pool: d.Postgres, db: d.ClickHouse, log: d.Logger, signals: d.Signals, interval: d.Interval, now: d.Now,
		person: d.Person, shown: d.Shown, lists: d.Lists, erasures: d.Erasures, histories: newHistories(), wake: make(chan struct{}, 1), wakeFeeds: make(chan struct{}, 1), fetch: newFetch(), weights: make(map[string]Signal),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.shown == nil && s.lists != nil {
		s.shown = s.shownSince
	}
	if s.signals == nil {
		s.signals = defaultSignals()
	}
	for _, signal := range s.signals {
		s.weights[signal.Event] = signal
	}
	if s.interval <= 0 {
		s.interval = defaultInterval
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.started = s.now()
	if s.person == nil {
		s.person = func(text string) (string, error) { return text, nil }
	}
	var err error
	if s.items, err = definitions.NewCollection(d.Definitions, "items", ValidateItem); err != nil {
		return nil, fmt.Errorf("loading items: %w", err)
	}
	if s.placements, err = definitions.NewCollection(d.Definitions, "placements", ValidatePlacement); err != nil {
		return nil, fmt.Errorf("loading placements: %w", err)
	}
	if s.feeds, err = definitions.NewCollection(d.Definitions, "feeds", ValidateFeed); err != nil {
		return nil, fmt.Errorf("loading feeds: %w", err)
	}
	s.feeds.OnChange(func() {
		select {
		case s.wakeFeeds <- struct{}{}:
		default:
		}
	})
	s.items.OnChange(s.catalogueChanged)
	s.placements.OnChange(s.allowed.clear)
	s.catalogueChanged()
	if s.pool != nil {
		snap, err := s.newest(ctx, 0)
		if err != nil {
			// The next build replaces it.
			s.log.Error("the last build of recommenders cannot be read", "error", err)
		} else if snap != nil {
			s.current.Store(snap)
		}
		if err := s.followRanker(ctx); err != nil {
			s.log.Error("the last ranker cannot be read", "error", err)
		}
	}
	return s, nil
}

// Items are the items by key.
func (s *Service) Items() *definitions.Collection[Item] { return s.items }

// InStock says whether an item can be offered: it is in the catalogue, within its
// window, not sold out, and its feed has not expired.
func (s *Service) InStock(key string) bool {
	v, ok := s.items.Get(key)
	return ok && s.offered(&v.Value, s.now())
}

// offered says whether an item can be offered to anybody at a moment.
func (s *Service) offered(item *Item, at time.Time) bool {
	if item.Stock != nil && *item.Stock == 0 || !item.available(at) {
		return false
	}
	expired := s.expired.Load()
	return item.Feed == "" || expired == nil || !(*expired)[item.Feed]
}

// newFetch is what feeds are fetched with. The deadline is that of the run.
func newFetch() *http.Client {
	return &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("more than 5 redirections")
		}
		if req.URL.Host != via[0].URL.Host {
			// What the feed's headers say is for its own server.
			for name := range via[0].Header {
				req.Header.Del(name)
			}
		}
		return nil
	}}
}

// Saw takes in an event of a person at once: what they do now is known to the next
// recommendation. properties is a JSON object or empty.
func (s *Service) Saw(person, event string, at time.Time, properties string) {
	signal, ok := s.weights[event]
	if !ok {
		return
	}
	for _, item := range ItemsNamed(properties) {
		s.histories.add(person, did{item: item, at: at.Unix(), weight: float32(signal.Weight), bought: signal.Bought})
		s.seen.Add(1)
	}
	if current := s.current.Load(); current == nil || muchNew(current, s.seen.Load()-s.learned.Load()) {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Forget removes what is kept of a person in memory.
func (s *Service) Forget(person string) { s.histories.forget(person) }

// Remembered is how many events of a person are in memory.
func (s *Service) Remembered(person string) int { return len(s.histories.of(person)) }
