package clickhouse

import (
	"encoding/json"
	"fmt"
	"net"
	"reflect"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// What goes in through a batch comes out as it was, for every type that the
// tables use.
func TestTypesGoThere(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	at := time.Date(2026, 11, 22, 18, 0, 0, 123456789, time.UTC)
	text, number := "optional", int64(-7)
	var noText *string
	type row struct {
		kind string
		in   []any // one value a row
	}
	columns := []row{
		{"UInt8", []any{uint8(0), uint8(255), uint8(7)}},
		{"UInt64", []any{uint64(0), uint64(1<<64 - 1), uint64(7)}},
		{"Int32", []any{int32(0), int32(-1 << 31), int32(7)}},
		{"Float32", []any{float32(0), float32(-1.5), float32(3.25)}},
		{"Float64", []any{float64(0), -1.5e300, 0.1}},
		{"Bool", []any{true, false, true}},
		{"String", []any{"", "naïve ☃ \x00\xff'`\"", string(make([]byte, 70_000))}},
		{"FixedString(4)", []any{"abcd", "wxyz", "0000"}},
		{"LowCardinality(String)", []any{"a", "b", "a"}},
		{"LowCardinality(Nullable(String))", []any{&text, noText, &text}},
		{"Nullable(String)", []any{&text, noText, &text}},
		{"Nullable(Int64)", []any{&number, (*int64)(nil), &number}},
		{"Array(String)", []any{[]string{}, []string{"a", ""}, []string{"b"}}},
		{"Array(Array(UInt16))", []any{[][]uint16{}, [][]uint16{{1, 2}, {}}, [][]uint16{{3}}}},
		{"Array(LowCardinality(String))", []any{[]string{"x"}, []string{}, []string{"x", "y"}}},
		{"Array(Nullable(Int64))", []any{[]*int64{&number, nil}, []*int64{}, []*int64{nil}}},
		{"Array(Float32)", []any{[]float32{1, 2}, []float32{}, []float32{-1}}},
		{"Map(String, String)", []any{map[string]string{}, map[string]string{"a": "b"}, map[string]string{"c": ""}}},
		{"Map(LowCardinality(String), Float64)", []any{map[string]float64{"p": 0.5}, map[string]float64{}, map[string]float64{"q": 1}}},
		{"DateTime('UTC')", []any{at.Truncate(time.Second), time.Unix(0, 0).UTC(), at.Truncate(time.Second)}},
		{"DateTime64(3, 'UTC')", []any{at.Truncate(time.Millisecond), time.UnixMilli(1).UTC(), at.Truncate(time.Millisecond)}},
		{"DateTime64(9, 'UTC')", []any{at, at.Add(1), at}},
		{"Date", []any{at.Truncate(24 * time.Hour), time.Unix(0, 0).UTC(), at.Truncate(24 * time.Hour)}},
		{"UUID", []any{uuid.MustParse("00000000-0000-0000-0000-000000000001"), uuid.Nil, uuid.MustParse("f47ac10b-58cc-4372-a567-0e02b2c3d479")}},
		{"Decimal(18, 4)", []any{decimal.RequireFromString("1.5"), decimal.RequireFromString("-12345678901234.5678"), decimal.Zero}},
		{"Enum8('a' = 1, 'b' = 2)", []any{"a", "b", "a"}},
		{"Tuple(String, UInt8)", []any{[]any{"a", uint8(1)}, []any{"", uint8(0)}, []any{"b", uint8(2)}}},
		{"IPv4", []any{net.IPv4(127, 0, 0, 1).To4(), net.IPv4(0, 0, 0, 0).To4(), net.IPv4(8, 8, 8, 8).To4()}},
		{"SimpleAggregateFunction(sum, UInt64)", []any{uint64(1), uint64(2), uint64(3)}},
	}
	create := "CREATE TABLE t (n UInt8"
	for i, c := range columns {
		create += fmt.Sprintf(", c%d %s", i, c.kind)
	}
	mustExec(t, d, create+") ENGINE = MergeTree ORDER BY n")
	batch, err := d.Write.PrepareBatch(testContext(t), "INSERT INTO t")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		values := []any{uint8(n)}
		for _, c := range columns {
			values = append(values, c.in[n])
		}
		if err := batch.Append(values...); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	for i, c := range columns {
		rows, err := d.Read.Query(testContext(t), fmt.Sprintf("SELECT c%d FROM t ORDER BY n", i))
		if err != nil {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		for n := 0; rows.Next(); n++ {
			got := reflect.New(rows.ColumnTypes()[0].ScanType())
			if err := rows.Scan(got.Interface()); err != nil {
				t.Errorf("%s: %v", c.kind, err)
				break
			}
			if !same(got.Elem().Interface(), c.in[n]) {
				t.Errorf("%s: row %d is %#v, want %#v", c.kind, n, got.Elem().Interface(), c.in[n])
			}
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%s: %v", c.kind, err)
		}
		rows.Close()
	}
}

// same compares values that may be times or decimals, of which equal ones can
// look different in memory.
func same(got, want any) bool {
	switch w := want.(type) {
	case time.Time:
		g, ok := got.(time.Time)
		return ok && g.Equal(w)
	case decimal.Decimal:
		g, ok := got.(decimal.Decimal)
		return ok && g.Equal(w)
	case net.IP:
		return fmt.Sprint(got) == w.String()
	}
	return reflect.DeepEqual(got, want)
}

func TestJSONGoesThere(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	const document = `{"a":1,"nested":{"list":[1,2,3],"text":"x"}}`
	mustExec(t, d, "CREATE TABLE t (n UInt8, plain String, j JSON) ENGINE = MergeTree ORDER BY n")
	batch, err := d.Write.PrepareBatch(testContext(t), "INSERT INTO t")
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Append(uint8(1), document, document); err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	var plain, j, text string
	ctx := chgo.Context(testContext(t), chgo.WithSettings(chgo.Settings{"output_format_native_write_json_as_string": 1}))
	if err := d.Read.QueryRow(ctx, "SELECT plain, j, toString(j.nested.text) FROM t").Scan(&plain, &j, &text); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal([]byte(j), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(document), &want); err != nil {
		t.Fatal(err)
	}
	if plain != document || text != "x" || !reflect.DeepEqual(got, want) {
		t.Errorf("plain %s, JSON %s, text %s", plain, j, text)
	}
}

// A large result comes in many blocks, each framed on its own.
func TestManyBlocks(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	const n = 1_000_000
	rows, err := d.Read.Query(testContext(t), "SELECT number, toString(number), if(number % 3 = 0, NULL, number) FROM numbers(1000000)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	next := uint64(0)
	for rows.Next() {
		var number uint64
		var text string
		var third *uint64
		if err := rows.Scan(&number, &text, &third); err != nil {
			t.Fatal(err)
		}
		if number != next || text != fmt.Sprint(next) || (third == nil) != (next%3 == 0) {
			t.Fatalf("row %d is %d %q %v", next, number, text, third)
		}
		next++
	}
	if err := rows.Err(); err != nil || next != n {
		t.Fatalf("%d rows, error %v", next, err)
	}
}

func TestReframeRefusesBrokenData(t *testing.T) {
	t.Parallel()
	whole := []byte{1, 2, 1, 'n', 5, 'U', 'I', 'n', 't', '8', 7, 8}
	out, err := reframe(whole, 54454)
	want := append(append(append([]byte{}, blockInfo...), whole[:10]...), 0, 7, 8)
	if err != nil || !reflect.DeepEqual(out, want) {
		t.Fatalf("reframed to %v, %v; want %v", out, err, want)
	}
	if out, err = reframe(whole, 54405); err != nil || len(out) != len(whole)+len(blockInfo) {
		t.Fatalf("an older revision gave %v, %v", out, err)
	}
	for n := 1; n < len(whole); n++ {
		if _, err := reframe(whole[:n], 54454); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(whole))
		}
	}
}
