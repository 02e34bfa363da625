package recommend

import (
	"errors"
	"math"
	"os"
	"testing"

	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/problem"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

func TestItems(t *testing.T) {
	t.Parallel()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Deps{Definitions: store})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		item  Item
		field string
	}{
		{"good", Item{Name: "Shoe", Price: 10, Cost: 4, Stock: new(3)}, ""},
		{"no name", Item{Name: " "}, "name"},
		{"negative price", Item{Name: "x", Price: -1}, "price"},
		{"cost is not a number", Item{Name: "x", Cost: math.NaN()}, "cost"},
		{"negative stock", Item{Name: "x", Stock: new(-1)}, "stock"},
	} {
		_, err := s.Items().Put(t.Context(), "sku", tt.item, "me", 0)
		var bad problem.Invalid
		switch {
		case tt.field == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.field != "" && (!errors.As(err, &bad) || bad[0].Field != tt.field):
			t.Errorf("%s: %v, want a problem at %s", tt.name, err, tt.field)
		}
	}
	if !s.InStock("sku") || s.InStock("unknown") {
		t.Error("an item with three pieces is in stock, an unknown one is not")
	}
	if _, err := s.Items().Put(t.Context(), "sku", Item{Name: "Shoe", Stock: new(0)}, "me", 0); err != nil {
		t.Fatal(err)
	}
	if s.InStock("sku") {
		t.Error("a sold-out item is in stock")
	}
}
