package importing

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read lists the rows of a file as "line:number a=… " and "line:number !reason".
func read(t testing.TB, content string, o ReadOptions) ([]string, error) {
	t.Helper()
	f, err := OpenFile(write(t, "f", content), o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	for {
		row, err := f.Next()
		var bad *BadRow
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case errors.As(err, &bad):
			out = append(out, fmt.Sprintf("%d:%d !%s", bad.Row.Line, bad.Row.Number, bad.Reason))
		case err != nil:
			return out, err
		default:
			v, _ := row.Lookup("a")
			out = append(out, fmt.Sprintf("%d:%d %v", row.Line, row.Number, v))
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxLine+10)
	cases := map[string]struct {
		content string
		o       ReadOptions
		want    string
	}{
		"plain":            {"a,b\n1,2\n3,4\n", ReadOptions{Format: CSV}, "2:1 1|3:2 3"},
		"lines in a cell":  {"b,a\n\"x\ny\",1\nz,2\n", ReadOptions{Format: CSV}, "2:1 1|4:2 2"},
		"a mark of UTF-8":  {"\xef\xbb\xbfa,b\n1,2\n", ReadOptions{Format: CSV}, "2:1 1"},
		"semicolons":       {"a;b\n1;2\n", ReadOptions{Format: CSV, Delimiter: ';'}, "2:1 1"},
		"cells missing":    {"a,b\n1\n2,3\n", ReadOptions{Format: CSV}, "2:1 !has 1 fields, the header has 2|3:2 2"},
		"a stray quote":    {"a,b\n1\"2,3\n2,3\n", ReadOptions{Format: CSV}, "2:1 !not a row of CSV: bare \" in non-quoted-field|3:2 2"},
		"not UTF-8":        {"a,b\n\xff,2\n3,4\n", ReadOptions{Format: CSV}, "2:1 !not UTF-8: set encoding in the mapping, such as windows-1251|3:2 3"},
		"Cyrillic":         {"a,b\n\xcf\xf0\xe8\xe2\xe5\xf2,2\n", ReadOptions{Format: CSV, Encoding: "windows-1251"}, "2:1 Привет"},
		"quotes in quotes": {"a,b\r\n\"say \"\"a, b\"\"\",2\r\n3,4\r\n", ReadOptions{Format: CSV}, `2:1 say "a, b"|3:2 3`},
		"an open quote":    {"a,b\n1,\"2\n3,4\n5,\"6,7\"\n", ReadOptions{Format: CSV}, "2:1 !not a row of CSV: a quotation mark is not closed|3:2 3|4:3 5"},
		"a quote closed by another row's": {"a,b\n1,\"2\n3,4\n5,\"6\n7,8\n", ReadOptions{Format: CSV},
			"2:1 !not a row of CSV: extraneous or missing \" in quoted-field|3:2 3|4:3 !not a row of CSV: a quotation mark is not closed|5:4 7"},
		"a long row":            {"a,b\n" + long + ",1\n3,4\n", ReadOptions{Format: CSV}, fmt.Sprintf("2:1 !longer than %d bytes|3:2 3", MaxLine)},
		"UTF-16":                {"\xff\xfea\x00,\x00b\x00\n\x001\x00,\x002\x00", ReadOptions{Format: CSV, Encoding: "utf-16le"}, "2:1 1"},
		"no end of line at all": {"a,b\n1,2\n3,4", ReadOptions{Format: CSV}, "2:1 1|3:2 3"},
		"objects":               {"{\"a\":1}\n\n{\"a\":{\"b\":2}}\r\n{\"a\":12345678901234567890}", ReadOptions{Format: NDJSON}, "1:1 1|3:2 map[b:2]|4:3 12345678901234567890"},
		"no objects":            {"[1]\n{\"a\":1}{}\nx\nnull\n{\"a\":2}\n", ReadOptions{Format: NDJSON}, "1:1 !not a JSON object|2:2 !more than one JSON value in the line|3:3 !not a JSON object|4:4 !not a JSON object|5:5 2"},
		"a line too long":       {"{\"a\":\"" + long + "\"}\n{\"a\":2}\n", ReadOptions{Format: NDJSON}, fmt.Sprintf("1:1 !longer than %d bytes|2:2 2", MaxLine)},
		"an ill-formed one":     {"{\"a\":\"\xff\"}\n{\"a\":2}\n", ReadOptions{Format: NDJSON}, "1:1 !not UTF-8: set encoding in the mapping, such as windows-1251|2:2 2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, tc.content, tc.o)
			if err != nil || strings.Join(got, "|") != tc.want {
				t.Fatalf("got %q, %v\nwant %q", strings.Join(got, "|"), err, tc.want)
			}
		})
	}
}

// A mark that is never closed costs its own line, not the megabyte behind it.
func TestLongOpenQuote(t *testing.T) {
	t.Parallel()
	got, err := read(t, "a\n\"1\n"+strings.Repeat("x\n", MaxLine/2), ReadOptions{Format: CSV})
	if err != nil || len(got) != MaxLine/2+1 || !strings.Contains(got[0], "not closed within") || got[1] != "3:2 x" {
		t.Fatalf("%d rows, %v", len(got), err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		content string
		o       ReadOptions
		says    string
	}{
		"empty":            {"", ReadOptions{Format: CSV}, "empty"},
		"UTF-16":           {"\xff\xfea\x00,\x00", ReadOptions{Format: CSV}, "UTF-16"},
		"a column twice":   {"a,a\n1,2\n", ReadOptions{Format: CSV}, "twice"},
		"a bad header":     {"a,\"b\n1,2\n", ReadOptions{Format: CSV}, "header"},
		"unknown encoding": {"a\n1\n", ReadOptions{Format: CSV, Encoding: "klingon"}, "klingon"},
	}
	for name, tc := range cases {
		if _, err := read(t, tc.content, tc.o); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v does not say %q", name, err, tc.says)
		}
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	path := write(t, "f.csv", "a,b\n1,2\nbad\n3,4\n")
	s, err := Look(path, ReadOptions{Format: CSV}, nil)
	if err != nil || s.Rows != 3 || len(s.Hash) != 64 || strings.Join(s.Columns, ",") != "a,b" {
		t.Fatalf("%+v %v", s, err)
	}
}

// FuzzRows: whatever the bytes, reading ends, rows count up, and what is handed
// on is UTF-8 within the limit.
func FuzzRows(f *testing.F) {
	f.Add([]byte("a,b\n1,\"2\n3\"\n\xff,\"\n"), false)
	f.Add([]byte("{\"a\":1}\n{\"a\":\n[]\n"), true)
	f.Fuzz(func(t *testing.T, content []byte, ndjson bool) {
		o := ReadOptions{Format: CSV}
		if ndjson {
			o.Format = NDJSON
		}
		file, err := OpenFile(write(t, "f", string(content)), o)
		if err != nil {
			return
		}
		defer file.Close()
		for number := int64(1); ; number++ {
			row, err := file.Next()
			var bad *BadRow
			if errors.As(err, &bad) {
				row = &bad.Row
			} else if err != nil {
				return
			}
			if row.Number != number || row.Line < 1 {
				t.Fatalf("row %d of line %d, want row %d", row.Number, row.Line, number)
			}
			if bad == nil && !utf8.ValidString(row.Text()) {
				t.Fatalf("row %d is not UTF-8", number)
			}
		}
	})
}
