package feeds

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func rows(t *testing.T, r io.Reader, f Format) (out []string, err error) {
	t.Helper()
	err = Read(r, f, func(row Row) error {
		if row.Reject != "" {
			out = append(out, fmt.Sprintf("%d! %s", row.Number, row.Reject))
		} else {
			out = append(out, fmt.Sprint(row.Number, " ", row.Values))
		}
		return nil
	})
	return out, err
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		format Format
		text   string
		want   []string
		fails  string
	}{
		{"csv", CSV, "\ufeffid,name\n1,Tea\n\n2,\"Pot,\nlarge\"\n", []string{"2 map[id:1 name:Tea]", "4 map[id:2 name:Pot,\nlarge]"}, ""},
		{"csv of Google", CSV, "g:id\tg:title\na\tTea\n", []string{"2 map[id:a title:Tea]"}, ""},
		{"csv with bad rows", CSV, "id;name\n1\n2;\xff\n3;\"x\n", []string{"2! has 1 fields, the header 2", "3! is not UTF-8", "4! extraneous or missing \" in quoted-field"}, ""},
		{"csv with a column twice", CSV, "id,id\n", nil, "twice"},
		{"empty csv", CSV, "", nil, "empty"},
		{"wrong encoding of the header", CSV, "id,pr\xe9\n1,2\n", nil, "not UTF-8"},
		{"ndjson", NDJSON, `{"id":1}` + "\n[]\n" + `{"id":"x"}`, []string{"1 map[id:1]", "2! is not a JSON object", "3 map[id:x]"}, ""},
		{"json", JSON, `[{"id":"a"},3,{"id":"b"}]`, []string{"1 map[id:a]", "2! is not a JSON object", "3 map[id:b]"}, ""},
		{"json in an object", JSON, `{"at":{"x":[1]},"products":[{"id":"a"}],"n":1}`, []string{"1 map[id:a]"}, ""},
		{"cut off json", JSON, `[{"id":"a"},`, []string{"1 map[id:a]"}, "element 2"},
		{"json without a list", JSON, `{"a":1}`, nil, "no list"},
		{"no json", JSON, `id,name`, nil, "not JSON"},
		{"rss", XML, `<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title><item><g:id>a</g:id><title><![CDATA[Tea & pot]]></title><g:additional_image_link>x</g:additional_image_link><g:additional_image_link>y</g:additional_image_link></item></channel></rss>`,
			[]string{"1 map[additional_image_link:[x y] id:a title:Tea & pot]"}, ""},
		{"atom", XML, `<feed><entry><id>a</id><link href="/a"/></entry><entry><id>b</id></entry></feed>`, []string{"1 map[id:a link:/a]", "2 map[id:b]"}, ""},
		{"cut off xml", XML, `<rss><item><id>a</id></item><item>`, []string{"1 map[id:a]"}, "product 2"},
		{"xml in Latin-1", XML, `<?xml version="1.0" encoding="ISO-8859-1"?><rss/>`, nil, "ISO-8859-1, want UTF-8"},
		{"no format", "yaml", ``, nil, "unknown format"},
	} {
		got, err := rows(t, strings.NewReader(tt.text), tt.format)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.fails)
		}
	}
}

// repeated is n times the same bytes.
type repeated struct {
	text []byte
	n    int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.n <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && r.n > 0 {
		c := copy(p[n:], r.text[:min(len(r.text), r.n)])
		n, r.n = n+c, r.n-c
	}
	return n, nil
}

// A row of 100 MB is one reject, or ends the feed where rows have no ends of lines; it is
// never kept.
func TestLongRows(t *testing.T) {
	t.Parallel()
	long := func() io.Reader { return &repeated{bytes.Repeat([]byte("x"), 4096), 100 << 20} }
	for format, ends := range map[Format][2]string{CSV: {"id\n1\n", "\n2\n"}, NDJSON: {"{\"id\":1}\n", "\n{\"id\":2}\n"}} {
		got, err := rows(t, io.MultiReader(strings.NewReader(ends[0]), long(), strings.NewReader(ends[1])), format)
		if err != nil || len(got) != 3 || !strings.HasSuffix(got[1], tooLong) {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
	for format, begin := range map[Format]string{JSON: `[{"id":1},{"id":"`, XML: `<rss><item><id>1</id></item><item><id>`} {
		got, err := rows(t, io.MultiReader(strings.NewReader(begin), long()), format)
		if err == nil || !strings.HasSuffix(err.Error(), "2 "+tooLong) || len(got) != 1 {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
	stop := errors.New("stop")
	if err := Read(strings.NewReader("[{},{}]"), JSON, func(Row) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of the caller became %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"id,name\n1,\"a\nb\"\n", `{"id":1}`, `[{"id":1},2]`, `{"items":[{}]}`, `<rss><item><g:id>1</g:id></item></rss>`} {
		for i := range Formats() {
			f.Add(seed, i)
		}
	}
	f.Fuzz(func(t *testing.T, text string, format int) {
		if format < 0 || format >= len(Formats()) {
			return
		}
		last := 0
		_ = Read(strings.NewReader(text), Formats()[format], func(row Row) error {
			if row.Number <= last || (row.Reject == "") == (row.Values == nil) {
				t.Fatalf("row %+v after %d", row, last)
			}
			last = row.Number
			return nil
		})
	})
}
