package retention

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/profiles"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

var now = time.Date(2026, 6, 15, 3, 4, 5, 0, time.UTC)

type bed struct {
	*testing.T
	db      *clickhouse.Database
	service *Service
}

func newBed(t *testing.T) *bed {
	t.Helper()
	pool, db := enginetest.Postgres(t), enginetest.ClickHouse(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations(), profiles.PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	// Packages that this one must not import: their migrations are read as files.
	set := func(name, dir string) clickhouse.MigrationSet {
		return clickhouse.MigrationSet{Name: name, Files: os.DirFS(dir)}
	}
	if err := db.Migrate(t.Context(), set("experiments", "../../experiments/migrations/clickhouse"), profiles.ClickHouseMigrations(), set("decide", "../../decide/migrations/clickhouse"), set("lists", "../../recommend/lists/migrations")); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(Deps{Logger: enginetest.Logger(t), Definitions: store, Postgres: pool, ClickHouse: db})
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return now }
	return &bed{t, db, s}
}

func (b *bed) exec(sql string) {
	b.Helper()
	if err := b.db.Read.Exec(b.Context(), sql); err != nil {
		b.Fatalf("%s: %v", sql, err)
	}
}

func (b *bed) count(sql string) (n uint64) {
	b.Helper()
	if err := b.db.Read.QueryRow(b.Context(), sql).Scan(&n); err != nil {
		b.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (b *bed) rule(key string, r Rule) error {
	_, err := b.service.rules.Put(b.Context(), key, r, "test", -1)
	return err
}

// Rules remove what is due and nothing else, as counted by SQL of its own.
func TestRulesAreApplied(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	// One event of each name a day, for 100 days.
	b.exec(`INSERT INTO events (message_id, type, event, profile_id, timestamp, received_at, numbers, properties, traits, context)
		SELECT concat(event, toString(number)), 'track', event, 'p', toDateTime64('2026-06-15 01:00:00', 3, 'UTC') - toIntervalDay(number), now(), map('revenue', 5.), '{"revenue":5,"note":"text"}', '{}', '{"ip":"203.0.113.1"}'
		FROM numbers(100) ARRAY JOIN ['Viewed', 'Order Completed', 'It''s \\ odd', 'Other'] AS event SETTINGS max_partitions_per_insert_block = 0`)
	b.exec(`INSERT INTO decisions (decision_id, decided_at, decision_point, profile_id, context, traits, audience, experiments, variants, experiment_units)
		SELECT toString(number), toDateTime64('2026-06-15 01:00:00', 3, 'UTC') - toIntervalDay(number), 'hero', 'p', '{"utm":"x"}', '{}', '{"plan":"paid"}', ['e'], ['a'], ['device-7'] FROM numbers(100) SETTINGS max_partitions_per_insert_block = 0`)
	for key, r := range map[string]Rule{
		"views":  {Event: "Viewed", Days: 30},
		"odd":    {Event: `It's \ odd`, Days: 60, Paused: true},
		"orders": {Event: "Order Completed", Days: 10, Remove: Details},
		"rest":   {Event: AllOthers, Days: 70},
		"logged": {Of: Decisions, Days: 40, Remove: Details},
		"gone":   {Of: Decisions, Days: 80},
	} {
		if err := b.rule(key, r); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	// The 30 days before today are kept: of the days 0 to 99 those from 31 on go, and so on.
	want := map[string]uint64{"views": 69, "odd": 39, "orders": 89, "rest": 2 * 29, "logged": 59, "gone": 19}
	plan := func() map[string]uint64 {
		effects, err := b.service.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string]uint64{}
		for _, e := range effects {
			rows[e.Key] = e.Rows
		}
		return rows
	}
	if got := plan(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the plan is %v, want %v", got, want)
	}
	if n := b.count("SELECT count() FROM events"); n != 400 {
		t.Errorf("the plan left %d events", n)
	}
	run, err := b.service.Apply(t.Context(), byItself)
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Results) != 5 || run.Results[0].Remove != Rows {
		t.Errorf("%+v", run.Results)
	}
	for sql, want := range map[string]uint64{
		"SELECT count() FROM events WHERE event = 'Viewed'":                                                   31,
		"SELECT toUInt64(dateDiff('day', min(timestamp), max(timestamp))) FROM events WHERE event = 'Viewed'": 30,
		"SELECT count() FROM events WHERE event = 'Other'":                                                    71,
		"SELECT count() FROM events WHERE startsWith(event, 'It')":                                            100, // paused, and not of the others
		"SELECT count() FROM events WHERE event = 'Order Completed'":                                          71,  // the rows are the others'
		"SELECT count() FROM events WHERE event = 'Order Completed' AND properties != '{}'":                   11,
		"SELECT count() FROM events WHERE event = 'Order Completed' AND context != '{}'":                      11,
		"SELECT toUInt64(sum(numbers['revenue'])) FROM events WHERE event = 'Order Completed'":                355,
		"SELECT count() FROM events WHERE event != 'Order Completed' AND properties = '{}'":                   0,
		"SELECT count() FROM decisions":                                                                       81,
		"SELECT count() FROM decisions WHERE context != '{}'":                                                 41,
		"SELECT count() FROM decisions WHERE audience != '{}'":                                                41,
		"SELECT count() FROM decisions WHERE has(experiment_units, 'device-7')":                               41,
		"SELECT count() FROM decisions WHERE length(experiment_units) = 1":                                    81,
		"SELECT toUInt64(max(decided_at) = toDateTime64('2026-06-15 01:00:00', 3, 'UTC')) FROM decisions":     1,
	} {
		if got := b.count(sql); got != want {
			t.Errorf("%s = %d, want %d", sql, got, want)
		}
	}
	delete(want, "odd")
	after := plan()
	delete(after, "odd")
	for key, rows := range after {
		if rows != 0 {
			t.Errorf("after it was applied, %s would remove %d rows", key, rows)
		}
	}
	runs, _, err := b.service.Runs(t.Context(), "", 10)
	if err != nil || len(runs) != 1 || runs[0].StartedBy != byItself || len(runs[0].Results) != 5 {
		t.Errorf("%+v, %v", runs, err)
	}
}

// A month that goes as a whole is dropped; one that goes in part is not.
func TestMonthsAreDroppedWhole(t *testing.T) {
	t.Parallel()
	all := step{rule: Rule{Of: Events, Event: AllOthers, Remove: Rows}, before: time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)}
	one := all
	one.where = "event = 'x'"
	for _, c := range []struct {
		step   step
		months []string
		drops  int
		rest   int
	}{{all, []string{"202602", "202603"}, 1, 1}, {all, []string{"202601", "202602"}, 2, 0}, {all, []string{"202604"}, 0, 1}, {one, []string{"202601", "202603"}, 0, 1}} {
		text := strings.Join(c.step.changes(&c.step.tables()[0], c.months), "\n")
		if drops, rest := strings.Count(text, "DROP PARTITION"), strings.Count(text, "DELETE WHERE"); drops != c.drops || rest != c.rest {
			t.Errorf("%v of %q:\n%s", c.months, c.step.where, text)
		}
	}
	// The table in the order of the people is cut into years.
	years := strings.Join(all.changes(&all.tables()[1], []string{"2025", "2026"}), "\n")
	if want := "ALTER TABLE timeline DROP PARTITION ID '2025'\nALTER TABLE timeline DELETE WHERE timestamp < "; !strings.HasPrefix(years, want) || strings.Count(years, "\n") != 1 {
		t.Errorf("of years:\n%s", years)
	}
}

// What is made of the log for quick reading loses the same, also when a run broke off
// between the two.
func TestRulesReachTheTimelines(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.exec(`INSERT INTO events (message_id, type, event, profile_id, timestamp, received_at, properties, traits, context)
		SELECT concat(event, toString(number)), 'track', event, 'p', toDateTime64('2026-06-15 01:00:00', 3, 'UTC') - toIntervalDay(number), now(), '{"note":"text"}', '{}', '{}'
		FROM numbers(800) ARRAY JOIN ['Viewed', 'Ordered'] AS event SETTINGS max_partitions_per_insert_block = 0`)
	b.exec(`INSERT INTO decisions (decision_id, decided_at, decision_point, profile_id, context, traits)
		SELECT toString(number), toDateTime64('2026-06-15 01:00:00', 3, 'UTC') - toIntervalDay(number), 'hero', 'p', '{"utm":"x"}', '{}' FROM numbers(100) SETTINGS max_partitions_per_insert_block = 0`)
	for key, r := range map[string]Rule{
		"all": {Event: AllOthers, Days: 700}, "orders": {Event: "Ordered", Days: 10, Remove: Details},
		"logged": {Of: Decisions, Days: 40, Remove: Details}, "gone": {Of: Decisions, Days: 80},
	} {
		if err := b.rule(key, r); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	b.exec("ALTER TABLE events DELETE WHERE timestamp < '2024-06-01' SETTINGS mutations_sync = 2") // as far as a run came
	if _, err := b.service.Apply(t.Context(), byItself); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"count()", "min(timestamp)", "countIf(properties = '{}')"} {
		log, made := b.text(what, "events"), b.text(what, "timeline")
		if log != made {
			t.Errorf("%s is %s in events and %s in timeline", what, log, made)
		}
	}
	if n := b.count("SELECT count() FROM timeline WHERE properties = '{}'"); n != 701-11 {
		t.Errorf("%d events have lost their details", n)
	}
	if n := b.count("SELECT count() FROM decision_timeline"); n != 81 {
		t.Errorf("%d decisions are left", n)
	}
}

func (b *bed) text(what, table string) (text string) {
	b.Helper()
	if err := b.db.Read.QueryRow(b.Context(), "SELECT toString("+what+") FROM "+table).Scan(&text); err != nil {
		b.Fatalf("%s of %s: %v", what, table, err)
	}
	return text
}

func TestRulesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	if err := b.rule("views", Rule{Event: "Viewed", Days: 30}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rule Rule
		says string
	}{
		"no event":           {Rule{Days: 1}, "event"},
		"too long an event":  {Rule{Event: strings.Repeat("x", 257), Days: 1}, "event"},
		"no days":            {Rule{Event: "x"}, "days"},
		"too many days":      {Rule{Event: "x", Days: 36_501}, "days"},
		"of what":            {Rule{Of: "people", Event: "x", Days: 1}, "of"},
		"event of decisions": {Rule{Of: Decisions, Event: "x", Days: 1}, "event"},
		"removes what":       {Rule{Event: "x", Days: 1, Remove: "some"}, "remove"},
		"two for one":        {Rule{Event: "Viewed", Days: 1}, "views"},
	} {
		if err := b.rule("another", c.rule); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.rule("view-details", Rule{Event: "Viewed", Days: 1, Remove: Details}); err != nil {
		t.Errorf("details sooner than rows: %v", err)
	}
}

// The run of a day is made once, after the hour, and again the next day.
func TestDailyRun(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	due := func(at time.Time) bool {
		t.Helper()
		b.service.now = func() time.Time { return at }
		due, err := b.service.dueToday(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	if due(now) {
		t.Error("without rules a run is due")
	}
	if err := b.rule("views", Rule{Event: "Viewed", Days: 30}); err != nil {
		t.Fatal(err)
	}
	if due(now.Add(-2*time.Hour)) || !due(now) {
		t.Error("a run is due before its hour, or not after")
	}
	if _, err := b.service.Apply(t.Context(), "user:somebody"); err != nil || !due(now) {
		t.Errorf("a run by hand counts as the daily one, %v", err)
	}
	if _, err := b.service.Apply(t.Context(), byItself); err != nil || due(now.Add(time.Hour)) || !due(now.AddDate(0, 0, 1)) {
		t.Errorf("the daily run, %v", err)
	}
}
