package clickhouse

import (
	"fmt"
	"slices"
	"testing"
)

// What goes in as a parameter comes out as a text, whatever it is made of.
func TestTexts(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	odd := []string{"", "a'b\\c", "tab\tline\nnul\x00", "naïve ☃", `\N`, "[x]", string(make([]byte, 70_000))}
	// As with a server, which is asked by the client.
	external := &Database{Name: d.Name, Read: d.Read}
	for name, d := range map[string]*Database{"embedded": d, "external": external} {
		for _, text := range odd {
			list, err := d.Texts(t.Context(), "SELECT {text:String}", map[string]string{"text": text})
			if err != nil || len(list) != 1 || list[0] != text {
				t.Errorf("%s: %.20q came out as %.60s, %.200v", name, text, fmt.Sprintf("%.40q", list), err)
			}
		}
		list, err := d.Texts(t.Context(), "SELECT 'n' || toString(number) FROM numbers(3) WHERE 'n' || toString(number) IN splitByChar(' ', {names:String})", map[string]string{"names": "n2 n0 n7"})
		if err != nil || !slices.Equal(list, []string{"n0", "n2"}) {
			t.Errorf("%s: %.100q, %.200v", name, list, err)
		}
		if list, err = d.Texts(t.Context(), "SELECT 'a' WHERE 0", nil); err != nil || len(list) != 0 {
			t.Errorf("%s: of nothing there was %q, %v", name, list, err)
		}
		if _, err = d.Texts(t.Context(), "SELECT nothing FROM nowhere", nil); err == nil {
			t.Errorf("%s: a query that fails gave no error", name)
		}
	}
}

func BenchmarkShortQuery(b *testing.B) {
	d := newDatabase(b)
	b.Run("by the client", func(b *testing.B) {
		for b.Loop() {
			var text string
			if err := d.Read.QueryRow(b.Context(), "SELECT 'a'").Scan(&text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("directly", func(b *testing.B) {
		for b.Loop() {
			if _, err := d.Texts(b.Context(), "SELECT 'a'", nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
