package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oklog/ulid/v2"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
)

const (
	// lookInterval is how often the service looks whether a run is due.
	lookInterval = 10 * time.Minute
	// hourOfRun is the hour, UTC, from which the daily run is due.
	hourOfRun = 2
	// runTimeout bounds one run, planTimeout one plan.
	runTimeout  = 4 * time.Hour
	planTimeout = 50 * time.Second
	byItself    = "system"
)

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Definitions *definitions.Store
	Postgres    *pgxpool.Pool
	ClickHouse  *clickhouse.Database
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Service applies the rules.
type Service struct {
	log      *slog.Logger
	rules    *definitions.Collection[Rule]
	postgres *pgxpool.Pool
	db       *clickhouse.Database
	now      func() time.Time
}

// Open loads the rules.
func Open(d Deps) (*Service, error) {
	s := &Service{log: d.Logger.With("part", "retention"), postgres: d.Postgres, db: d.ClickHouse, now: d.Now}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	s.rules, err = definitions.NewCollection(d.Definitions, "retention", validator(func() map[string]definitions.Versioned[Rule] { return s.rules.Snapshot() }))
	if err != nil {
		return nil, fmt.Errorf("loading rules of retention: %w", err)
	}
	return s, nil
}

// Effect is what a rule does, or would do.
type Effect struct {
	Key    string    `json:"key" doc:"Key of the rule"`
	Of     Subject   `json:"of" enum:"events,decisions"`
	Event  string    `json:"event,omitempty"`
	Remove Extent    `json:"remove" enum:"rows,details"`
	Before time.Time `json:"before" doc:"What happened before is due"`
	Rows   uint64    `json:"rows" doc:"Rows that go, or lose their details"`
	Months int       `json:"months" doc:"Months of the log that they are in"`
	Paused bool      `json:"paused,omitempty"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Effect) SchemaName() string { return "RetentionEffect" }

// Run is one application of all rules.
type Run struct {
	ID         string    `json:"id"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
	StartedBy  string    `json:"startedBy" doc:"Who asked; system for the daily run"`
	Results    []Effect  `json:"results" nullable:"false"`
	Error      string    `json:"error,omitempty" doc:"Why it broke off; the next one goes on"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Run) SchemaName() string { return "RetentionRun" }

// Plan tells what a run would do now, paused rules included. Nothing is changed. What two
// rules remove is counted for both.
func (s *Service) Plan(ctx context.Context) ([]Effect, error) {
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	effects := []Effect{}
	for _, st := range steps(s.rules.Snapshot(), s.now()) {
		months, rows, err := s.due(ctx, &st, &st.tables()[0])
		if err != nil {
			return nil, err
		}
		effects = append(effects, st.effect(len(months), rows))
	}
	return effects, nil
}

func (s *step) effect(months int, rows uint64) Effect {
	return Effect{Key: s.key, Of: s.rule.Of, Event: s.rule.Event, Remove: s.rule.Remove, Before: s.before, Rows: rows, Months: months, Paused: s.rule.Paused}
}

// due are the partitions of a table with rows for a step, and how many rows there are.
func (s *Service) due(ctx context.Context, st *step, t *table) (partitions []string, rows uint64, err error) {
	found, err := s.db.Read.Query(ctx, fmt.Sprintf("SELECT _partition_id, count() FROM %s WHERE %s GROUP BY _partition_id ORDER BY _partition_id", t.name, st.condition(t)))
	if err != nil {
		return nil, 0, fmt.Errorf("counting what is due by the rule %s: %w", st.key, err)
	}
	defer found.Close()
	for found.Next() {
		var partition string
		var n uint64
		if err := found.Scan(&partition, &n); err != nil {
			return nil, 0, fmt.Errorf("counting what is due by the rule %s: %w", st.key, err)
		}
		partitions, rows = append(partitions, partition), rows+n
	}
	return partitions, rows, found.Err()
}

// Apply removes what is due, and keeps what it did. It returns nil when another process is
// at it.
func (s *Service) Apply(ctx context.Context, by string) (*Run, error) {
	connection, err := s.postgres.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("applying rules of retention: %w", err)
	}
	defer connection.Release()
	var mine bool
	if err := connection.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtext('retention'))`).Scan(&mine); err != nil || !mine {
		return nil, err
	}
	defer func() {
		_, _ = connection.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(hashtext('retention'))`) // a lost connection has no lock
	}()
	run := &Run{ID: ulid.Make().String(), StartedAt: s.now().UTC(), StartedBy: by, Results: []Effect{}}
	failure := s.apply(ctx, run)
	if failure != nil {
		run.Error = failure.Error()
	}
	run.FinishedAt = s.now().UTC()
	return run, errors.Join(failure, s.keep(context.WithoutCancel(ctx), run))
}

func (s *Service) apply(ctx context.Context, run *Run) error {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"mutations_sync": 2, "max_execution_time": int(runTimeout.Seconds()), "max_threads": 2}))
	for _, st := range steps(s.rules.Snapshot(), s.now()) {
		if st.rule.Paused {
			continue
		}
		effect, err := s.applyStep(ctx, &st)
		if err != nil {
			return err
		}
		run.Results = append(run.Results, effect)
		if effect.Rows > 0 {
			s.log.Info("removed what was due", "rule", st.key, "rows", effect.Rows, "remove", st.rule.Remove)
		}
	}
	return nil
}

// applyStep changes every table that has what the step is about. Each is asked what is
// due in it, so that one is made up for that was not reached before a run broke off.
func (s *Service) applyStep(ctx context.Context, st *step) (effect Effect, err error) {
	for i, t := range st.tables() {
		if !st.concerns(&t) {
			continue
		}
		partitions, rows, err := s.due(ctx, st, &t)
		if err != nil {
			return effect, err
		}
		if i == 0 {
			effect = st.effect(len(partitions), rows)
		}
		for _, statement := range st.changes(&t, partitions) {
			if err := s.db.Read.Exec(ctx, statement); err != nil {
				return effect, fmt.Errorf("applying the rule %s to %s: %w", st.key, t.name, err)
			}
		}
	}
	return effect, nil
}

func (s *Service) keep(ctx context.Context, run *Run) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	results, err := json.Marshal(run.Results)
	if err != nil {
		return fmt.Errorf("encoding a run of retention: %w", err)
	}
	if _, err := s.postgres.Exec(ctx, `INSERT INTO retention_runs (run_id, started_at, finished_at, started_by, results, error) VALUES ($1, $2, $3, $4, $5, left($6, 2000))`,
		run.ID, run.StartedAt, run.FinishedAt, run.StartedBy, results, run.Error); err != nil {
		return fmt.Errorf("keeping a run of retention: %w", err)
	}
	return nil
}

// Runs are the latest runs, newest first, before an id, and the cursor of the next page.
func (s *Service) Runs(ctx context.Context, after string, limit int) ([]Run, string, error) {
	rows, err := s.postgres.Query(ctx, `SELECT run_id, started_at, finished_at, started_by, results, error FROM retention_runs
		WHERE $1 = '' OR run_id < $1 ORDER BY run_id DESC LIMIT $2`, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing runs of retention: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Run, error) {
		var r Run
		var results []byte
		if err := row.Scan(&r.ID, &r.StartedAt, &r.FinishedAt, &r.StartedBy, &results, &r.Error); err != nil {
			return r, err
		}
		r.StartedAt, r.FinishedAt = r.StartedAt.UTC(), r.FinishedAt.UTC()
		return r, json.Unmarshal(results, &r.Results)
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing runs of retention: %w", err)
	}
	if len(list) <= limit {
		return list, "", nil
	}
	return list[:limit], list[limit-1].ID, nil
}

// dueToday says whether the run of this day has yet to be made.
func (s *Service) dueToday(ctx context.Context) (bool, error) {
	now := s.now().UTC()
	if now.Hour() < hourOfRun || len(s.rules.Snapshot()) == 0 {
		return false, nil
	}
	var done bool
	err := s.postgres.QueryRow(ctx, `SELECT EXISTS (SELECT FROM retention_runs WHERE started_at >= $1 AND started_by = $2 AND error = '')`,
		now.Truncate(24*time.Hour), byItself).Scan(&done)
	return !done, err
}

// Run applies the rules every day until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		due, err := s.dueToday(ctx)
		if err == nil && due {
			_, err = s.Apply(ctx, byItself)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("cannot remove what is due; it is tried again", "error", err, "in", lookInterval.String())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
