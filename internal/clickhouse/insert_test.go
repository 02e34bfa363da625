package clickhouse

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// everyType has a column of each kind.
type everyType struct {
	text    Strings
	number  Numbers[uint64]
	real    Numbers[float64]
	at      Times
	flag    Flags
	name    Names
	texts   StringLists
	names   NameLists
	reals   NumberLists[float64]
	numbers NumberLists[uint32]
}

func (e *everyType) fields() []Field {
	return []Field{
		{Name: "text", Column: &e.text}, {Name: "number", Column: &e.number}, {Name: "real", Column: &e.real}, {Name: "at", Column: &e.at},
		{Name: "flag", Column: &e.flag}, {Name: "group", Column: &e.name}, {Name: "texts", Column: &e.texts}, {Name: "names", Column: &e.names},
		{Name: "reals", Column: &e.reals}, {Name: "numbers", Column: &e.numbers},
	}
}

// everyRow is a row as the test expects it back.
type everyRow struct {
	text, name   string
	number       uint64
	real         float64
	at           time.Time
	flag         bool
	texts, names []string
	reals        []float64
	numbers      []uint32
}

func (e *everyType) add(r everyRow) {
	e.text.Add(r.text)
	e.number.Add(r.number)
	e.real.Add(r.real)
	e.at.Add(r.at.UnixMilli())
	e.flag.Add(r.flag)
	e.name.Add(r.name)
	for _, v := range r.texts {
		e.texts.Elements.Add(v)
	}
	e.texts.End()
	e.names.Elements.Refer(e.names.Elements.Keys(r.names))
	e.names.End()
	e.reals.Elements.Add(r.reals...)
	e.reals.End()
	e.numbers.Elements.Add(r.numbers...)
	e.numbers.End()
}

const everyTable = "CREATE TABLE every (text String, number UInt64, real Float64, at DateTime64(3, 'UTC'), flag Bool, `group` LowCardinality(String), " +
	"texts Array(String), names Array(LowCardinality(String)), reals Array(Float64), numbers Array(UInt32)) " +
	"ENGINE = ReplacingMergeTree ORDER BY number SETTINGS non_replicated_deduplication_window = 100"

// What goes in comes back bit for bit, whatever the size of the dictionaries, and once for each token.
func TestInsertOnce(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{1, 300, 70_000} { // keys of 8, 16 and 32 bits
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t)
			mustExec(t, db, everyTable)
			var e everyType
			var want []everyRow
			at := time.UnixMilli(1_700_000_000_123).UTC()
			for i := range rows {
				r := everyRow{
					text: strings.Repeat("ä", i%200), name: fmt.Sprint("n", i), number: uint64(i), real: math.Nextafter(1, 2) / float64(i),
					at: at.Add(time.Duration(i) * time.Hour), flag: i%3 == 1, texts: []string{}, names: []string{}, reals: []float64{}, numbers: []uint32{},
				}
				for j := range i % 4 {
					r.texts, r.names = append(r.texts, fmt.Sprint(i, "t", j)), append(r.names, []string{"", "a", fmt.Sprint(i)}[j])
					r.reals, r.numbers = append(r.reals, math.Copysign(0, -1), float64(j)), append(r.numbers, math.MaxUint32-uint32(i))
				}
				want = append(want, r)
			}
			for range 2 { // the columns can be used again
				for _, f := range e.fields() {
					f.Reset()
				}
				for _, r := range want {
					e.add(r)
				}
			}
			for _, token := range []string{"one", "one", "two"} {
				if err := db.InsertOnce(t.Context(), "every", token, e.fields()); err != nil {
					t.Fatal(err)
				}
			}
			// Two tokens stored, one dropped; rows of the same key are merged some time.
			if n := count(t, db, "SELECT count() FROM every"); n != uint64(2*rows) && n != uint64(rows) {
				t.Errorf("%d rows", n)
			}
			found, err := db.Read.Query(t.Context(), "SELECT text, number, real, at, flag, `group`, texts, names, reals, numbers FROM every FINAL ORDER BY number")
			if err != nil {
				t.Fatal(err)
			}
			defer found.Close()
			i := 0
			for ; found.Next(); i++ {
				var got everyRow
				if err := found.Scan(&got.text, &got.number, &got.real, &got.at, &got.flag, &got.name, &got.texts, &got.names, &got.reals, &got.numbers); err != nil {
					t.Fatal(err)
				}
				if i >= rows || !reflect.DeepEqual(got, want[i]) {
					t.Fatalf("row %d is %+v", i, got)
				}
				for j, v := range got.reals {
					if math.Signbit(v) != math.Signbit(want[i].reals[j]) {
						t.Fatalf("row %d has %v", i, got.reals)
					}
				}
			}
			if err := found.Err(); err != nil || i != rows {
				t.Errorf("%d rows, %v", i, err)
			}
		})
	}
}

func TestInsertOnceRefuses(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	mustExec(t, db, everyTable)
	if err := db.InsertOnce(t.Context(), "every", "t", new(everyType).fields()); err != nil {
		t.Errorf("no rows: %v", err)
	}
	var e everyType
	e.add(everyRow{})
	e.flag.Add(true)
	if err := db.InsertOnce(t.Context(), "every", "t", e.fields()); err == nil || !strings.Contains(err.Error(), "flag") {
		t.Errorf("columns of different lengths: %v", err)
	}
	var numbers Numbers[uint64]
	numbers.Add(1)
	if err := db.InsertOnce(t.Context(), "every", "t", []Field{{Name: "missing", Column: &numbers}}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a column that the table does not have: %v", err)
	}
	if err := db.InsertOnce(t.Context(), "nowhere", "t", []Field{{Name: "number", Column: &numbers}}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a table that does not exist: %v", err)
	}
}
