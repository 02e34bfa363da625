package attributes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/profiles"
	"quintet/profiles/identity"
	"quintet/profiles/lifecycle"
)

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Definitions *definitions.Store
	ClickHouse  *clickhouse.Database
	Profiles    *profiles.Service
	// Interval is the least time between two runs; two minutes when zero. A run that
	// takes long makes the time longer: runs take a tenth of the time at most.
	Interval time.Duration
	// Now is the clock; time.Now unless set.
	Now func() time.Time
	// Scores selects person_id and attributes, a JSON object, of what models predict of
	// people; nil, or an empty text, when there is nothing.
	Scores func() string
}

const (
	defaultInterval = 2 * time.Minute
	// maxIdle is the time after which people are computed again although nothing
	// came in: days pass.
	maxIdle = time.Hour
	// runShare is how many times longer than a run the pause after it is at least.
	runShare = 9
	// runDeadline bounds one run.
	runDeadline = 30 * time.Minute
)

// tableKey is the key of the one table of the lifecycle.
const tableKey = "default"

// Service computes attributes and answers for the lifecycle.
type Service struct {
	log         *slog.Logger
	db          *clickhouse.Database
	profiles    *profiles.Service
	definitions *definitions.Collection[Attribute]
	table       *definitions.Collection[lifecycle.Table]
	interval    time.Duration
	now         func() time.Time
	scores      func() string

	computing sync.Mutex // one run at a time
	wake      chan struct{}
	status    atomic.Pointer[Status]
	board     atomic.Pointer[Board]
	matrices  matrixCache
	watcher   func(person identity.ID)

	mu       sync.Mutex // guards what follows, and the order of changes to memory
	known    map[identity.ID]known
	counters counters
	shared   *sharer
}

func (s *Service) setCounters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters.set(s.definitions.Snapshot())
}

// known is what the last run found of a person.
type known struct {
	history uint64 // hash of what makes a row of history
	all     uint64 // hash of everything
	since   int64  // when the last row of history was written, in Unix milliseconds
}

// Status says how the last run went.
type Status struct {
	ComputedAt time.Time         `json:"computedAt" doc:"The moment as of which everybody was computed"`
	Seconds    float64           `json:"seconds" doc:"How long the run took"`
	People     int               `json:"people"`
	Changed    int               `json:"changed" doc:"People whose attributes changed by more than the passing of days"`
	Moves      int               `json:"moves" doc:"Moves between stages and segments that were written as events"`
	Attributes []AttributeStatus `json:"attributes" nullable:"false" doc:"The defined attributes"`
}

// AttributeStatus says how one defined attribute went.
type AttributeStatus struct {
	Key     string  `json:"key"`
	People  int     `json:"people" doc:"People who have a value"`
	Dropped int     `json:"dropped,omitempty" doc:"Rows that were left out: a second one of the same person, or a value of more than 4096 bytes of JSON"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty" doc:"Why there is no value; the old ones stay"`
}

// Open loads the definitions and puts what was computed last into memory.
func Open(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		log: d.Logger, db: d.ClickHouse, profiles: d.Profiles, interval: d.Interval, now: d.Now, scores: d.Scores,
		wake: make(chan struct{}, 1), known: map[identity.ID]known{}, shared: newSharer(),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.interval <= 0 {
		s.interval = defaultInterval
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.definitions, err = definitions.NewCollection(d.Definitions, "attributes", s.check); err != nil {
		return nil, fmt.Errorf("loading attributes: %w", err)
	}
	if s.table, err = definitions.NewCollection(d.Definitions, "lifecycle", checkTable); err != nil {
		return nil, fmt.Errorf("loading the lifecycle: %w", err)
	}
	if err := s.restore(ctx); err != nil {
		return nil, fmt.Errorf("loading computed attributes: %w", err)
	}
	s.setCounters()
	s.definitions.OnChange(func() {
		s.setCounters()
		s.Wake()
	})
	s.table.OnChange(s.Wake)
	s.profiles.Observe(s)
	return s, nil
}

func checkTable(_ context.Context, _ string, t *lifecycle.Table) error {
	t.Normalise()
	return t.Validate()
}

// Table is the table of the lifecycle that is in force.
func (s *Service) Table() lifecycle.Table {
	v, _ := s.table.Get(tableKey)
	t := v.Value
	t.Normalise()
	return t
}

// OnChange has f called with each person whose attributes in memory have changed.
// It is set before [Service.Run], and f must return fast.
func (s *Service) OnChange(f func(person identity.ID)) { s.watcher = f }

// Wake asks for a run as soon as there may be one.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Status is how the last run went; nil before the first.
func (s *Service) Status() *Status { return s.status.Load() }

// settle is how long changes of definitions are gathered before a run.
const settle = 2 * time.Second

// Run computes everybody again and again until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	// The first run counts what memory has already been told.
	if err := s.profiles.Flush(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("computing attributes before ClickHouse has every event; the next run has them", "error", err)
	}
	var stored uint64
	var last time.Time
	for {
		pause := s.interval
		if now := s.profiles.Stored(); now != stored || last.IsZero() || s.now().Sub(last) >= maxIdle {
			started := time.Now()
			err := s.Compute(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				s.log.Warn("cannot compute attributes; memory keeps what it has, and it is tried again", "error", err)
			default:
				stored, last = now, s.now()
			}
			pause = max(pause, runShare*time.Since(started))
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-s.wake:
			timer.Stop()
			last = time.Time{} // definitions changed: everybody is to be computed
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(settle):
			}
		}
	}
}

// Compute computes everybody as of now. One run is under way at a time.
func (s *Service) Compute(ctx context.Context) error {
	s.computing.Lock()
	defer s.computing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, runDeadline)
	defer cancel()
	r := &run{Service: s, table: s.Table(), at: s.now().UTC().Truncate(time.Millisecond), id: uint64(time.Now().UnixNano()), through: s.profiles.Stored()}
	started := time.Now()
	defer func() {
		if err := s.drop(ctx, r.id); err != nil {
			s.log.Warn("removing the material of a computation; the next one does", "error", err)
		}
	}()
	if err := r.compute(ctx); err != nil {
		return fmt.Errorf("computing attributes: %w", err)
	}
	r.result.Seconds = time.Since(started).Seconds()
	s.status.Store(&r.result)
	s.log.Info("attributes are computed", "people", r.result.People, "changed", r.result.Changed, "moves", r.result.Moves, "seconds", r.result.Seconds)
	return nil
}

// Forget removes what was computed of people from memory and from the history. Their
// profiles must be gone from memory and the events from the log, or the next run
// computes them anew.
func (s *Service) Forget(ctx context.Context, people ...identity.ID) error {
	s.computing.Lock() // a run that is under way would write the person back
	defer s.computing.Unlock()
	gone := make(map[identity.ID]bool, len(people))
	s.mu.Lock()
	for _, person := range people {
		delete(s.known, person)
		gone[person] = true
	}
	s.counters.keep(func(e *entry) bool { return !gone[e.person] })
	s.mu.Unlock()
	// The text of a mutation stays on the disk: it names nobody.
	if err := s.profiles.NameErased(ctx, people); err != nil {
		return err
	}
	if err := s.db.Read.Exec(ctx, "ALTER TABLE profile_attributes DELETE WHERE person_id IN (SELECT id FROM erasing) SETTINGS mutations_sync = 2"); err != nil {
		return fmt.Errorf("removing the attributes of people: %w", err)
	}
	return nil
}

// forgotten is the age of a run whose process must have ended.
const forgotten = 2 * runDeadline

// drop removes the material of a run, and of runs that ended without doing so.
func (s *Service) drop(ctx context.Context, runs ...uint64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	var errs []error
	for _, table := range []string{"person_facts", "person_values"} {
		rows, err := s.db.Read.Query(ctx, "SELECT DISTINCT partition FROM system.parts WHERE active AND database = currentDatabase() AND table = ?", table)
		if err != nil {
			return fmt.Errorf("listing the runs in %s: %w", table, err)
		}
		gone := map[string]bool{}
		for _, id := range runs {
			gone[fmt.Sprint(id)] = true
		}
		var drop []string
		for rows.Next() {
			var partition string
			if err := rows.Scan(&partition); err != nil {
				errs = append(errs, err)
				break
			}
			var id uint64
			if _, err := fmt.Sscan(partition, &id); err == nil && (gone[partition] || time.Since(time.Unix(0, int64(id))) > forgotten) {
				drop = append(drop, partition)
			}
		}
		errs = append(errs, rows.Err(), rows.Close())
		for _, partition := range drop {
			errs = append(errs, s.db.Read.Exec(ctx, fmt.Sprintf("ALTER TABLE %s DROP PARTITION %s", table, partition)))
		}
	}
	return errors.Join(errs...)
}
