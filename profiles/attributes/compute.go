package attributes

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/clickhouse"
	"quintet/profiles/identity"
	"quintet/profiles/lifecycle"
)

// run is one computation.
type run struct {
	*Service
	table   lifecycle.Table
	at      time.Time
	id      uint64
	through uint64 // sequence up to which ClickHouse had every event when the run began
	cuts    lifecycle.Cuts
	result  Status
	live    []string             // counters that were computed
	counted map[identity.ID]bool // people with events that counters no longer add
}

// heavy bounds what a query over the whole log may take: half of the processors when
// nobody else wants them.
func heavy(ctx context.Context) context.Context {
	return chgo.Context(ctx, chgo.WithSettings(clickhouse.Spilling(chgo.Settings{
		"max_threads":                     max(1, runtime.GOMAXPROCS(0)/2),
		"os_thread_priority":              10, // behind what somebody waits for
		"max_partitions_per_insert_block": 0,
		"max_execution_time":              int(runDeadline.Seconds()),
	})))
}

func (r *run) logOf() lifecycle.Log { return lifecycle.Log{Commerce: r.table.Commerce, Until: r.at} }

func (r *run) compute(ctx context.Context) error {
	r.result = Status{ComputedAt: r.at, Attributes: []AttributeStatus{}}
	if err := r.facts(ctx, r.logOf(), r.id); err != nil {
		return err
	}
	var err error
	if r.cuts, err = r.readCuts(ctx, &r.table, r.id); err != nil {
		return err
	}
	for _, e := range extras {
		query := e.sql(r.logOf(), r.id)
		if query == "" {
			continue
		}
		if err := r.exec(ctx, e.name, fmt.Sprintf("INSERT INTO person_values (run, person_id, attributes) SELECT %d, person_id, attributes FROM (%s)", r.id, query)); err != nil {
			return fmt.Errorf("computing %s: %w", e.name, err)
		}
	}
	if err := r.predicted(ctx); err != nil {
		return err
	}
	if err := r.defined(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	r.counted = r.counters.settled(r.through)
	r.mu.Unlock()
	started := time.Now()
	if err := r.apply(ctx); err != nil {
		return err
	}
	r.log.Debug("computed a part of attributes", "part", "apply", "seconds", time.Since(started).Seconds())
	r.mu.Lock()
	for _, key := range r.live {
		r.counters.ready[key] = true
	}
	r.mu.Unlock()
	board, err := r.makeBoard(ctx)
	if err != nil {
		return err
	}
	r.board.Store(board)
	return nil
}

// predicted takes what models say of people.
func (r *run) predicted(ctx context.Context) error {
	if r.scores == nil {
		return nil
	}
	query := r.scores()
	if query == "" {
		return nil
	}
	if err := r.exec(ctx, "scores", fmt.Sprintf("INSERT INTO person_values (run, person_id, attributes) SELECT %d, person_id, attributes FROM (%s)", r.id, query)); err != nil {
		return fmt.Errorf("taking the scores of models: %w", err)
	}
	return nil
}

// exec runs a statement over the log and notes how long it took.
func (s *Service) exec(ctx context.Context, what, sql string) error {
	started := time.Now()
	err := s.db.Read.Exec(heavy(ctx), sql)
	s.log.Debug("computed a part of attributes", "part", what, "seconds", time.Since(started).Seconds())
	return err
}

// facts puts the facts of everybody as of the log's moment under a run's id.
func (s *Service) facts(ctx context.Context, l lifecycle.Log, id uint64) error {
	columns := make([]string, 0, len(lifecycle.BaseFacts()))
	for _, f := range lifecycle.BaseFacts() {
		columns = append(columns, string(f))
	}
	all := strings.Join(columns, ", ") + ", firstSeenAt, lastSeenAt, firstOrderAt, lastOrderAt"
	err := s.exec(ctx, "facts", fmt.Sprintf("INSERT INTO person_facts (run, person_id, %s) SELECT %d, person_id, %s FROM (\n%s\n)", all, id, all, l.Facts()))
	if err != nil {
		return fmt.Errorf("gathering facts as of %s: %w", l.Until.Format(time.RFC3339), err)
	}
	return nil
}

// readCuts finds the bounds between scores among the customers of a run.
func (s *Service) readCuts(ctx context.Context, t *lifecycle.Table, id uint64) (lifecycle.Cuts, error) {
	var n uint64
	var days, orders, spend, percentiles []float64
	err := s.db.Read.QueryRow(heavy(ctx), lifecycle.CutsQuery("person_facts", fmt.Sprintf("run = %d", id))).Scan(&n, &days, &orders, &spend, &percentiles)
	if err != nil {
		return lifecycle.Cuts{}, fmt.Errorf("finding the bounds between scores: %w", err)
	}
	if n == 0 {
		return t.RFM.NewCuts(nil, nil, nil), nil
	}
	return t.RFM.CutsFrom(days, orders, spend, percentiles), nil
}

// classified selects the rows of a run with where each person stands: the columns
// of person_facts, the derived facts, rfm, rfm_segment, stage, segment and losses.
func classified(t *lifecycle.Table, c *lifecycle.Cuts, id uint64, where string) string {
	q := t.SQL(c)
	return fmt.Sprintf(`SELECT *, if(orders > 0, concat(toString(toUInt8(recency)), toString(toUInt8(frequency)), toString(toUInt8(monetary))), '') AS rfm,
  %s AS rfm_segment, %s AS stage, %s AS segment, %s AS losses
FROM (SELECT *, %s FROM person_facts WHERE run = %d%s)`, q.RFMSegment, q.Stage, q.Segment, q.Losses, strings.Join(q.Derived, ", "), id, where)
}

// maxDefinedRows bounds the result of one defined attribute.
const maxDefinedRows = 2_000_000

// defined computes what managers have defined. What fails is noted and does not
// keep the others from being computed.
func (r *run) defined(ctx context.Context) error {
	for _, d := range r.definitions.List("", maxDefinitions) {
		if d.Value.Paused {
			continue
		}
		status := AttributeStatus{Key: d.Key}
		started := time.Now()
		values, err := r.valuesOf(ctx, &d.Value, &status)
		if err == nil {
			err = r.insertValues(ctx, d.Key, values)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			status.Error = err.Error()
			r.log.Warn("cannot compute an attribute", "attribute", d.Key, "error", err)
			if err := r.keepValues(ctx, d.Key); err != nil {
				return err
			}
		} else if d.Value.Kind == CounterKind {
			r.live = append(r.live, d.Key)
		}
		status.People, status.Seconds = len(values.people), time.Since(started).Seconds()
		r.result.Attributes = append(r.result.Attributes, status)
	}
	return nil
}

// values are of one attribute, one for each person.
type values struct{ people, encoded []string }

func (r *run) valuesOf(ctx context.Context, a *Attribute, status *AttributeStatus) (values, error) {
	var out values
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	add := func(person, value string, times uint64) error {
		if times > 1 {
			status.Dropped += int(times - 1)
		}
		if _, ok := sound(value); !ok {
			status.Dropped++
			return nil
		}
		if len(out.people) == maxDefinedRows {
			return fmt.Errorf("there are more than %d people with a value", maxDefinedRows)
		}
		out.people, out.encoded = append(out.people, person), append(out.encoded, value)
		return nil
	}
	var person, value string
	if a.Kind == SQLKind {
		id, err := r.idColumn(ctx, a.SQL)
		if err != nil {
			return out, err
		}
		rows, err := r.db.QueryGuarded(ctx, guarded(a.SQL, id))
		if err != nil {
			return out, err
		}
		defer rows.Close()
		var times uint64
		for rows.Next() {
			if err := rows.Scan(&person, &value, &times); err != nil {
				return out, err
			}
			if err := add(person, value, times); err != nil {
				return out, err
			}
		}
		return out, rows.Err()
	}
	through := uint64(0)
	if a.Kind == CounterKind {
		through = r.through
	}
	rows, err := r.db.Read.Query(heavy(ctx), a.sql(r.at, through))
	if err != nil {
		return out, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&person, &value); err != nil {
			return out, err
		}
		if err := add(person, value, 1); err != nil {
			return out, err
		}
	}
	return out, rows.Err()
}

// insertValues keeps the values of one attribute until they are applied.
func (r *run) insertValues(ctx context.Context, key string, v values) error {
	const chunk = 100_000
	for from := 0; from < len(v.people); from += chunk {
		batch, err := r.db.Write.PrepareBatch(ctx, "INSERT INTO person_values (run, person_id, attributes)")
		if err != nil {
			return fmt.Errorf("preparing an insert of values: %w", err)
		}
		for i := from; i < min(from+chunk, len(v.people)); i++ {
			if err := batch.Append(r.id, v.people[i], fmt.Sprintf("{%q:%s}", key, v.encoded[i])); err != nil {
				return fmt.Errorf("adding a value: %w", err)
			}
		}
		if err := batch.Send(); err != nil {
			return fmt.Errorf("inserting %d values: %w", len(v.people), err)
		}
	}
	return nil
}

// keepValues takes the values of an attribute that failed from the history.
func (r *run) keepValues(ctx context.Context, key string) error {
	quoted := lifecycle.Literal(key)
	err := r.exec(ctx, key, fmt.Sprintf(`INSERT INTO person_values (run, person_id, attributes)
SELECT %d, person_id, concat('{', toJSONString(%s), ':', raw, '}') FROM (
  SELECT person_id, JSONExtractRaw(argMax(attributes, computed_at), %s) AS raw FROM profile_attributes GROUP BY person_id
) WHERE raw != ''`, r.id, quoted, quoted))
	if err != nil {
		return fmt.Errorf("keeping the old values of %s: %w", key, err)
	}
	return nil
}
