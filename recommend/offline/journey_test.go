package offline_test

import (
	"encoding/csv"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"quintet/internal/enginetest"
	"quintet/recommend/baskets"
	"quintet/recommend/interactions"
)

// journey are the purchases of The Complete Journey, by the type of the product.
func journey(t *testing.T) *interactions.Log {
	t.Helper()
	each := func(name string, f func(row map[string]string)) {
		in, err := os.Open(enginetest.SharedFile(t, "completejourney", name))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		r := csv.NewReader(in)
		header, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		for {
			fields, err := r.Read()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			row := make(map[string]string)
			for i, h := range header {
				row[h] = fields[i]
			}
			f(row)
		}
	}
	types := make(map[string]string)
	each("products.csv", func(row map[string]string) { types[row["product_id"]] = row["product_type"] })
	var b interactions.Builder
	each("transactions_sample.csv", func(row map[string]string) {
		at, err := time.Parse(time.DateTime, row["transaction_timestamp"])
		if err != nil {
			t.Fatal(err)
		}
		if what := types[row["product_id"]]; what != "" {
			if err := b.Add(row["household_id"], what, 1, at.Unix()); err != nil {
				t.Fatal(err)
			}
		}
	})
	return b.Build()
}

// What a supermarket knows anyway comes out of its baskets.
func TestCompleteJourney(t *testing.T) {
	t.Parallel()
	l := journey(t)
	m, err := baskets.Train(t.Context(), l, baskets.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	pairs := 0
	for item := range int32(m.Items()) {
		for _, p := range m.Together(item) {
			pairs++
			// Being together is mutual, and more lift than all baskets allow is none.
			for _, back := range m.Together(p.Item) {
				if back.Item == item && (back.Count != p.Count || back.Lift != p.Lift) {
					t.Errorf("%s and %s: %+v, the other way %+v", l.Items().ID(item), l.Items().ID(p.Item), p, back)
				}
			}
		}
	}
	if pairs < 100 {
		t.Errorf("%d pairs are found in %d purchases", pairs, l.Len())
	}
	for what, want := range map[string][]string{
		"HAMBURGER BUNS":       {"HOT DOG BUNS", "CATSUP"},
		"BABY FOOD - BEGINNER": {"BABY FOOD JUNIOR ALL BRANDS"},
	} {
		var names []string
		for _, p := range m.Together(l.Items().Number(what)) {
			names = append(names, l.Items().ID(p.Item))
		}
		names = names[:min(5, len(names))]
		for _, w := range want {
			if !slices.Contains(names, w) {
				t.Errorf("with %s go %q, want %s among them", what, names, w)
			}
		}
	}
}
