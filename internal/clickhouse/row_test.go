package clickhouse

import (
	"reflect"
	"testing"
	"time"
)

// What formatRowNoNewline writes is read as it was.
func TestRow(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ctx := t.Context()
	long := string(make([]byte, 70_000))
	at := time.UnixMilli(-1234567).UTC()
	var text string
	if err := d.Read.QueryRow(ctx, `SELECT formatRowNoNewline('RowBinary', ?, toLowCardinality('naïve \0'), toDateTime64('1969-12-31 23:39:25.433', 3, 'UTC'), true,
		-0.1, toUInt64(18446744073709551615), ['a', ''], CAST([], 'Array(LowCardinality(String))'), [toUInt64(7)])`, long).Scan(&text); err != nil {
		t.Fatal(err)
	}
	r := ReadRow(text)
	got := []any{r.Text(), r.Text(), r.Milliseconds(), r.Flag(), r.Float(), r.Unsigned(), r.Texts(), r.Texts(), r.List(8), r.Unsigned()}
	want := []any{long, "naïve \x00", at, true, -0.1, uint64(1<<64 - 1), []string{"a", ""}, []string{}, 1, uint64(7)}
	if err := r.Close(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, error %v", got[1:], err)
	}

	short := ReadRow(text[:len(text)-1])
	for range 2 {
		short.Text()
	}
	if short.Close() == nil {
		t.Error("a row that was not read to its end was taken for whole")
	}
	if r = ReadRow(text[:100]); r.Text() != "" || r.Close() == nil {
		t.Error("a row that is cut off was taken for whole")
	}
}

func FuzzRow(f *testing.F) {
	f.Add("\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00")
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, text string) {
		r := ReadRow(text)
		_, _, _ = r.Text(), r.Milliseconds(), r.Flag()
		list := r.Texts()
		if len(list) > len(text) {
			t.Errorf("%d strings from %d bytes", len(list), len(text))
		}
		_, _ = r.Float(), r.List(8)
		_ = r.Close()
	})
}
