package segments

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"pgregory.net/rapid"

	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// database has the tables that rules read, from the migrations of their owners.
func database(t testing.TB) *clickhouse.Database {
	t.Helper()
	db := enginetest.ClickHouse(t)
	if err := db.Migrate(t.Context(),
		clickhouse.MigrationSet{Name: "experiments", Files: os.DirFS("../../experiments/migrations/clickhouse")},
		clickhouse.MigrationSet{Name: "profiles", Files: os.DirFS("../migrations/clickhouse")}); err != nil {
		t.Fatal(err)
	}
	return db
}

var tables = Tables{People: "people", Events: "events", Persons: "person_map", Members: "segment_membership"}

var rounds = flag.Int("rounds", 12, "rounds of the comparison of both evaluators")

// TestBothEvaluatorsAgree compares, for every generated person, what memory and
// ClickHouse say of many generated rules.
func TestBothEvaluatorsAgree(t *testing.T) {
	t.Parallel()
	db := database(t)
	asked, held, round := 0, 0, 0
	failed := false
	rapid.Check(t, func(rt *rapid.T) {
		// Each round is a few thousand comparisons and takes a third of a second. A
		// longer search: go test -run Agree -rounds 1000 -rapid.checks 1000.
		if round++; round > *rounds && !failed {
			return
		}
		for _, table := range []string{"people", "events", "segment_membership", "person_map"} {
			if err := db.Read.Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
				rt.Fatal(err)
			}
		}
		var people []*somebody
		for i := range 20 {
			people = append(people, person(rt, i))
		}
		insert(t, db, people)

		others := map[string]*Rule{"rule-a": parse(rt, rule(rt, 1, false))}
		others["rule-b"] = parse(rt, obj{"any": []any{obj{"segment": "rule-a"}, rule(rt, 1, false)}})
		var sources []obj
		var rules []*Rule
		for range 30 {
			sources = append(sources, rule(rt, 3, true))
			rules = append(rules, parse(rt, sources[len(sources)-1]))
		}
		// One slot for each pattern, whatever rule it comes from.
		var patterns []*Pattern
		slots := map[string]int{}
		for _, r := range append(slices.Collect(maps.Values(others)), rules...) {
			r.Bind(func(p *Pattern) int {
				if _, ok := slots[p.Key()]; !ok {
					slots[p.Key()] = len(patterns)
					patterns = append(patterns, p)
				}
				return slots[p.Key()]
			})
		}

		b := NewBuilder(tables, now, 0, func(key string) (Definition, bool) {
			r, ok := others[key]
			return Definition{Rule: r}, ok || key == "list-a"
		})
		columns := make([]string, len(rules))
		for i, r := range rules {
			c, err := r.Condition(b)
			if err != nil {
				rt.Fatal(err)
			}
			columns[i] = "toUInt8(" + c + ")"
		}
		ctx := chgo.Context(t.Context(), chgo.WithParameters(b.Params))
		rows, err := db.Read.Query(ctx, "SELECT person_id, ["+strings.Join(columns, ",\n")+"] FROM people FINAL ORDER BY person_id")
		if err != nil {
			rt.Fatalf("%v", err)
		}
		defer rows.Close()
		n := 0
		for ; rows.Next(); n++ {
			var id string
			var answers []uint8
			if err := rows.Scan(&id, &answers); err != nil {
				rt.Fatal(err)
			}
			p := people[n]
			p.place(patterns)
			p.subject.Segments = &inSegments{&p.subject, p.lists, others, now}
			for i, r := range rules {
				asked++
				got := r.Match(&p.subject, now)
				if got {
					held++
				}
				if got != (answers[i] == 1) {
					failed = true
					source, _ := json.Marshal(sources[i])
					events, _ := json.MarshalIndent(p.events, "", " ")
					rt.Fatalf("%s: memory says %v, ClickHouse %v\n%s\ntraits %v\nattributes %v\nidentifiers %q\nconsents %v\nevents %s\n%s", id, got, answers[i] == 1, source,
						p.subject.Traits, p.subject.Attributes, p.subject.Identifiers, p.subject.Consents, events, columns[i])
				}
			}
		}
		if err := rows.Err(); err != nil {
			rt.Fatal(err)
		}
		if n != len(people) {
			rt.Fatalf("ClickHouse has %d people of %d", n, len(people))
		}
	})
	t.Logf("%d answers compared, %d of them yes", asked, held)
	if held == 0 || held == asked {
		t.Error("the rules tell nobody apart")
	}
}
