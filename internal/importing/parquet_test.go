package importing

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

type purchase struct {
	ID     int64     `parquet:"id"`
	Name   string    `parquet:"name"`
	At     time.Time `parquet:"at,timestamp(microsecond)"`
	Day    int32     `parquet:"day,date"`
	Price  *float64  `parquet:"price,optional"`
	Amount int64     `parquet:"amount,decimal(2:18)"`
	Raw    []byte    `parquet:"raw"`
	Tags   []string  `parquet:"tags,list"`
	Inner  struct {
		A  int32     `parquet:"a"`
		At time.Time `parquet:"at,timestamp"`
	} `parquet:"inner"`
	Big uint64 `parquet:"big"`
}

func parquetOf(t testing.TB, rows []purchase) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[purchase](&out, parquet.Compression(&parquet.Zstd))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestParquetRows(t *testing.T) {
	t.Parallel()
	price := 59.9
	at := time.Date(2026, 3, 1, 12, 30, 0, 123_456_000, time.UTC)
	rows := make([]purchase, 200)
	for i := range rows {
		rows[i].ID = int64(i)
	}
	rows[0] = purchase{ID: 7, Name: "Ёлка", At: at, Day: 20513, Price: &price, Amount: 12345, Raw: []byte{255, 1}, Tags: []string{"a", "b"}, Big: 1 << 63}
	rows[0].Inner.A, rows[0].Inner.At = -3, at
	path := filepath.Join(t.TempDir(), "orders.parquet")
	if err := os.WriteFile(path, parquetOf(t, rows), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(path, ReadOptions{Format: Parquet})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	first, err := f.Next()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"amount":123.45,"at":"2026-03-01T12:30:00.123456Z","big":9223372036854775808,"day":"2026-03-01","id":7,"inner":{"a":-3,"at":"2026-03-01T12:30:00.123Z"},"name":"Ёлка","price":59.9,"raw":"/wE=","tags":["a","b"]}`
	if first.Text() != want || first.Number != 1 {
		t.Errorf("row %d is\n%s, want\n%s", first.Number, first.Text(), want)
	}
	if v, ok := first.Lookup("inner.a"); !ok || v != json.Number("-3") {
		t.Errorf("inner.a is %v %v", v, ok)
	}
	seen := 1
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if seen++; row.Number != int64(seen) {
			t.Fatalf("row %d comes as number %d", seen, row.Number)
		}
		if _, ok := row.Lookup("price"); ok {
			t.Fatal("null is a value")
		}
	}
	if seen != len(rows) {
		t.Errorf("%d rows", seen)
	}
	survey, err := Look(path, ReadOptions{Format: Parquet}, []string{"id", "inner.a", "inner.b", "nothing"})
	if err != nil || survey.Rows != 200 || len(survey.Absent) != 2 {
		t.Errorf("%+v %v", survey, err)
	}
}

// Whatever the bytes of a file are, it is read or refused.
func FuzzParquet(f *testing.F) {
	whole := parquetOf(f, []purchase{{ID: 1, Tags: []string{"a"}}, {ID: 2, Name: "x"}})
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, err := openParquet(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		for range 1000 {
			row, err := rows.next()
			var bad *BadRow
			if err != nil && !errors.As(err, &bad) {
				return
			}
			if err == nil && !json.Valid([]byte(row.raw)) {
				t.Fatalf("row %q", row.raw)
			}
		}
	})
}
