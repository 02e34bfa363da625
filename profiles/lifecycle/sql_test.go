package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quintet/internal/enginetest"
)

// The rules in memory and in ClickHouse give the same for everybody.
func TestSQLAgreesWithMemory(t *testing.T) {
	t.Parallel()
	db := enginetest.ClickHouse(t)
	tables := []Table{Default(), Default()}
	tables[1].RFM = RFM{Method: Fixed, RecencyDays: []float64{300, 200, 100, 50}, Orders: []float64{2, 3, 4, 5}, Spend: []float64{10, 20, 30, 40}}
	tables[1].Losses = []Rule{{Key: "odd", Any: []Group{{[]Condition{is(DiscountShare, NotEqual, 0.5)}}}}}
	tables[1].Normalise()
	var columns []string
	for _, f := range BaseFacts() {
		columns = append(columns, string(f)+" Float64")
	}
	rapid.Check(t, func(rt *rapid.T) {
		table := tables[rapid.IntRange(0, 1).Draw(rt, "table")]
		people := rapid.SliceOfN(rapid.Custom(drawFacts), 1, 40).Draw(rt, "people")
		cuts := cutsOf(&table.RFM, people)
		s := table.SQL(&cuts)
		rows := make([]string, len(people))
		for i, f := range people {
			values := []string{fmt.Sprint(i)}
			for _, name := range BaseFacts() {
				values = append(values, strings.TrimSuffix(strings.TrimPrefix(number(f.Get(name)), "toFloat64('"), "')"))
			}
			rows[i] = "(" + strings.Join(values, ", ") + ")"
		}
		result, err := db.Read.Query(t.Context(), fmt.Sprintf("SELECT i, %s, %s AS rfm, %s AS stage, %s AS segment, %s AS losses FROM values('i UInt32, %s', %s) ORDER BY i",
			strings.Join(s.Derived, ", "), s.RFMSegment, s.Stage, s.Segment, s.Losses, strings.Join(columns, ", "), strings.Join(rows, ", ")))
		if err != nil {
			rt.Fatal(err)
		}
		defer result.Close()
		for result.Next() {
			var i uint32
			var derived [5]float64
			var got Class
			if err := result.Scan(&i, &derived[0], &derived[1], &derived[2], &derived[3], &derived[4], &got.RFMSegment, &got.Stage, &got.Segment, &got.Losses); err != nil {
				rt.Fatal(err)
			}
			want := table.Classify(people[i], &cuts)
			if want.RFMSegment != got.RFMSegment || want.Stage != got.Stage || want.Segment != got.Segment || !slices.Equal(want.Losses, got.Losses) {
				rt.Fatalf("in ClickHouse %+v, in memory %+v of %v", got, want, people[i])
			}
			for k, name := range []Fact{AverageOrder, SpendQuantile, Recency, Frequency, Monetary} {
				if w := people[i].Get(name); w != derived[k] && (w == w || derived[k] == derived[k]) {
					rt.Fatalf("%s is %g in ClickHouse, %g in memory", name, derived[k], w)
				}
			}
		}
		if err := result.Err(); err != nil {
			rt.Fatal(err)
		}
	})
}
