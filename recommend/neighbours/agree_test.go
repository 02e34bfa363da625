package neighbours_test

import (
	"fmt"
	"math"
	"os"
	"testing"

	"quintet/internal/enginetest"
	"quintet/recommend/interactions"
	"quintet/recommend/neighbours"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// ClickHouse and memory come to the same table.
func TestQueryAgreesWithMemory(t *testing.T) {
	t.Parallel()
	db := enginetest.ClickHouse(t)
	l := purchases(t, 200)
	if err := db.Read.Exec(t.Context(), "CREATE TABLE purchases (unit String, item String, at Int64) ENGINE = MergeTree ORDER BY unit"); err != nil {
		t.Fatal(err)
	}
	batch, err := db.Read.PrepareBatch(t.Context(), "INSERT INTO purchases")
	if err != nil {
		t.Fatal(err)
	}
	for p := range l.People().Len() {
		for _, e := range l.Events(p) {
			if err := batch.Append(l.People().ID(int32(p)), l.Items().ID(e.Item), e.At); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	for _, measure := range []neighbours.Measure{neighbours.Cosine, neighbours.Lift} {
		// A Latest that cuts nobody: the query cuts items, the log events.
		s := neighbours.Settings{Measure: measure, Shrinkage: 4, Neighbours: 5, Together: 3, Weighting: interactions.Weighting{Binary: true, Latest: 1000}}
		model, err := neighbours.Train(t.Context(), l, s)
		if err != nil {
			t.Fatal(err)
		}
		sql, err := neighbours.Query{Source: "SELECT unit, item, at FROM purchases", Settings: s}.SQL()
		if err != nil {
			t.Fatal(err)
		}
		rows, err := db.Read.Query(t.Context(), sql)
		if err != nil {
			t.Fatalf("%v in\n%s", err, sql)
		}
		defer rows.Close()
		got, n := make(map[string]float64), 0
		for rows.Next() {
			var item, other string
			var together uint64
			var value float64
			if err := rows.Scan(&item, &other, &together, &value); err != nil {
				t.Fatal(err)
			}
			if together < 3 {
				t.Errorf("%s and %s are only %d times together", item, other, together)
			}
			got[item+" "+other] = value
			n++
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		want := 0
		for item := range int32(model.Items()) {
			others, values := model.Row(item)
			for i, other := range others {
				want++
				key := fmt.Sprintf("%s %s", l.Items().ID(item), l.Items().ID(other))
				value, ok := got[key]
				// The last of a row may be another of the same value.
				if !ok && i < len(others)-1 || ok && math.Abs(value-float64(values[i])) > 1e-6 {
					t.Errorf("%s: %s is %v in ClickHouse, %v in memory", measure, key, value, values[i])
				}
			}
		}
		if n != want || n == 0 {
			t.Errorf("%s: %d pairs in ClickHouse, %d in memory", measure, n, want)
		}
	}
}
