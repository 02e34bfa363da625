package profiles

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/profiles/identity"
)

// mutationSettings make a mutation end before its statement does.
var mutationSettings = chgo.Settings{"mutations_sync": 2, "max_execution_time": 3600, "max_partitions_per_insert_block": 0}

// NameErased puts profiles into the table that mutations read whom they are about from.
func (s *Service) NameErased(ctx context.Context, profiles []identity.ID) error {
	list := make([]ErasedProfile, len(profiles))
	for i, id := range profiles {
		list[i].Text = id.String()
	}
	return s.nameErased(ctx, list)
}

func (s *Service) nameErased(ctx context.Context, profiles []ErasedProfile) error {
	batch, err := s.clickhouse.Write.PrepareBatch(ctx, "INSERT INTO erasing (id, replacement, salt)")
	if err != nil {
		return fmt.Errorf("naming who is erased: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	for i := range profiles {
		if err := batch.Append(profiles[i].Text, profiles[i].Replacement, profiles[i].Salt); err != nil {
			return fmt.Errorf("naming who is erased: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("naming who is erased: %w", err)
	}
	return nil
}

// forgetNames empties the table that mutations read whom they are about from.
func (s *Service) forgetNames(ctx context.Context) error {
	if err := s.clickhouse.Read.Exec(ctx, "TRUNCATE TABLE erasing"); err != nil {
		return fmt.Errorf("forgetting who was erased: %w", err)
	}
	return nil
}

const erasedNow = "(SELECT id FROM erasing)"

// replaced is the SQL for the id that takes the place of the one in a column.
func (e *Eraser) replaced(column string) string {
	return fmt.Sprintf("joinGet('%s.erasing', 'replacement', %s)", e.clickhouse.Name, column)
}

// erasedMessages are the rows of message_ids that are the person's.
const erasedMessages = "message_id IN (SELECT message_id FROM events WHERE profile_id IN " + erasedNow + ")"

// countLog counts what ClickHouse has of the person.
func (e *Eraser) countLog(ctx context.Context, j *Erasure) error {
	tables, err := e.personalTables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		n, err := e.countRows(ctx, t.name, t.where())
		if err != nil {
			return err
		}
		e.note(j, "clickhouse", t.name, n)
	}
	n, err := e.countRows(ctx, "message_ids", erasedMessages)
	if err != nil {
		return err
	}
	e.note(j, "clickhouse", "message_ids", n)
	return nil
}

// eraseLog removes the person from the tables of ClickHouse. Where results stay, rows are
// written again under the ids that take their place, then the person's own are removed:
// broken off in between it can be done again, as rows that are written twice count once.
func (e *Eraser) eraseLog(ctx context.Context, j *Erasure) error {
	ctx = chgo.Context(ctx, chgo.WithSettings(mutationSettings))
	tables, err := e.personalTables(ctx)
	if err != nil {
		return err
	}
	if err := e.keepResults(ctx, j.subject.Mode); err != nil {
		return err
	}
	// Ids of messages are found through the events, so they go first.
	if err := e.mutate(ctx, "message_ids", "DELETE WHERE "+erasedMessages); err != nil {
		return err
	}
	for _, t := range tables {
		if t.name == "decisions" && j.subject.Mode != ErasePurging {
			continue // its key has nothing personal, so that rows can be changed in place
		}
		if err := e.mutate(ctx, t.name, "DELETE WHERE "+t.where()); err != nil {
			return err
		}
	}
	return nil
}

// keepResults writes what stays under the ids that take the person's place.
func (e *Eraser) keepResults(ctx context.Context, mode ErasureMode) error {
	db := e.clickhouse.Read
	// Whom profiles of others belonged to once is theirs to keep.
	others := ""
	if mode == ErasePurging {
		others = " AND profile_id NOT IN " + erasedNow
	}
	person := func(column string) string {
		return fmt.Sprintf("if(%s IN %s, %s, %s)", column, erasedNow, e.replaced(column), column)
	}
	if err := db.Exec(ctx, fmt.Sprintf(`INSERT INTO person_map (profile_id, person_id, valid_from, stamp)
		SELECT %s, %s, valid_from, stamp FROM person_map WHERE (profile_id IN %s OR person_id IN %[3]s)%s`,
		person("profile_id"), person("person_id"), erasedNow, others)); err != nil {
		return fmt.Errorf("keeping whom profiles belong to: %w", err)
	}
	if mode == ErasePurging {
		return nil
	}
	var n uint64
	var first time.Time
	if err := db.QueryRow(ctx, `SELECT count(), min(at) FROM (
		SELECT exposed_at AS at FROM exposures WHERE unit IN `+erasedNow+` UNION ALL SELECT decided_at FROM decisions WHERE profile_id IN `+erasedNow+`)`).Scan(&n, &first); err != nil {
		return fmt.Errorf("looking for the first result: %w", err)
	}
	if n == 0 && mode != EraseAnonymising {
		return nil
	}
	since := ""
	if mode != EraseAnonymising {
		since = fmt.Sprintf(" AND timestamp >= fromUnixTimestamp64Milli(%d, 'UTC')", first.UnixMilli())
	}
	// What the service itself wrote about the person goes; what they did stays as numbers.
	if err := db.Exec(ctx, fmt.Sprintf(`INSERT INTO events (message_id, type, event, profile_id, user_id, anonymous_id, timestamp, received_at, decision_id, numbers, properties, traits, context, source, sequence, item)
		SELECT hex(sipHash128(joinGet('%s.erasing', 'salt', profile_id), message_id)), type, event, %s, '', '', timestamp, received_at, decision_id, numbers, '{}', '{}', '{}', source, sequence, item
		FROM events FINAL WHERE profile_id IN %s AND type = 'track' AND source != '%s'%s`, e.clickhouse.Name, e.replaced("profile_id"), erasedNow, NoteSource, since)); err != nil {
		return fmt.Errorf("keeping events as numbers: %w", err)
	}
	if err := db.Exec(ctx, fmt.Sprintf(`INSERT INTO exposures (experiment, variant, unit, exposed_at, received_at, decision_id, source, sequence)
		SELECT experiment, variant, %s, exposed_at, received_at, decision_id, source, sequence FROM exposures WHERE unit IN %s`, e.replaced("unit"), erasedNow)); err != nil {
		return fmt.Errorf("keeping exposures: %w", err)
	}
	return e.mutate(ctx, "decisions", fmt.Sprintf("UPDATE profile_id = %s, context = '{}', traits = '{}', audience = '{}', experiment_units = arrayMap(x -> '', experiment_units), excluded_units = arrayMap(x -> '', excluded_units), source = 'erased' WHERE profile_id IN %s", e.replaced("profile_id"), erasedNow))
}

func (e *Eraser) mutate(ctx context.Context, table, what string) error {
	if err := e.clickhouse.Read.Exec(ctx, "ALTER TABLE `"+table+"` "+what); err != nil {
		return fmt.Errorf("erasing from the table %s: %w", table, err)
	}
	return nil
}

func (e *Eraser) countRows(ctx context.Context, table, where string) (int64, error) {
	var n uint64
	if err := e.clickhouse.Read.QueryRow(ctx, "SELECT count() FROM `"+table+"` WHERE "+where).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting rows of the table %s: %w", table, err)
	}
	return int64(n), nil
}

// logTable is a table of ClickHouse that has ids of profiles or texts.
type logTable struct {
	name string
	ids  []string // columns with ids of profiles
	text []string // columns with texts
}

// where is what the rows of the person fulfil.
func (t *logTable) where() string {
	conditions := make([]string, len(t.ids))
	for i, column := range t.ids {
		conditions[i] = column + " IN " + erasedNow
	}
	return strings.Join(conditions, " OR ")
}

// idColumns are those that hold ids of profiles, in whichever table.
var idColumns = []string{"profile_id", "person_id", "unit"}

// logTables are the tables that keep data.
func (e *Eraser) logTables(ctx context.Context) ([]logTable, error) {
	rows, err := e.clickhouse.Read.Query(ctx, `SELECT c.table, c.name, c.type FROM system.columns AS c
		INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
		WHERE c.database = currentDatabase() AND t.engine LIKE '%MergeTree' AND NOT startsWith(c.table, 'goose_') ORDER BY c.table, c.position`)
	if err != nil {
		return nil, fmt.Errorf("listing tables: %w", err)
	}
	defer rows.Close()
	var tables []logTable
	for rows.Next() {
		var table, column, kind string
		if err := rows.Scan(&table, &column, &kind); err != nil {
			return nil, fmt.Errorf("listing tables: %w", err)
		}
		if len(tables) == 0 || tables[len(tables)-1].name != table {
			tables = append(tables, logTable{name: table})
		}
		t := &tables[len(tables)-1]
		if slices.Contains(idColumns, column) {
			t.ids = append(t.ids, column)
		}
		if strings.Contains(kind, "String") {
			t.text = append(t.text, "`"+column+"`")
		}
	}
	return tables, rows.Err()
}

// personalTables are those whose rows are of people.
func (e *Eraser) personalTables(ctx context.Context) ([]logTable, error) {
	all, err := e.logTables(ctx)
	return slices.DeleteFunc(all, func(t logTable) bool { return len(t.ids) == 0 }), err
}

// maxNeedles is how many texts ClickHouse looks for at a time.
const maxNeedles = 200

// checkLog looks for the person in every table of ClickHouse.
func (e *Eraser) checkLog(ctx context.Context, sub *ErasureSubject) ([]ErasureCheck, error) {
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"max_execution_time": 3600, "max_threads": 2}))
	tables, err := e.logTables(ctx)
	if err != nil {
		return nil, err
	}
	var checks []ErasureCheck
	for _, t := range tables {
		check := ErasureCheck{Store: "clickhouse", What: t.name}
		if len(t.ids) > 0 {
			if check.Rows, err = e.countRows(ctx, t.name, t.where()); err != nil {
				return nil, err
			}
		}
		if len(t.text) > 0 {
			columns := make([]string, len(t.text))
			for i, column := range t.text {
				columns[i] = "multiSearchAny(toString(" + column + "), ?)"
			}
			for part := range slices.Chunk(sub.Needles(), maxNeedles) {
				var n uint64
				arguments := make([]any, len(columns))
				for i := range arguments {
					arguments[i] = part
				}
				if err := e.clickhouse.Read.QueryRow(ctx, "SELECT count() FROM `"+t.name+"` WHERE "+strings.Join(columns, " OR "), arguments...).Scan(&n); err != nil {
					return nil, fmt.Errorf("searching the table %s: %w", t.name, err)
				}
				check.Mentions += int64(n)
			}
		}
		checks = append(checks, check)
	}
	return checks, nil
}
