package recommend

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/recommend/interactions"
)

// newShop is a service with a catalogue of shoes and hats in memory.
func newShop(t *testing.T) *Service {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations(), PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Deps{Definitions: store, Postgres: pool, Logger: enginetest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	items := map[string]Item{}
	for i := range 10 {
		items[fmt.Sprint("shoe-", i)] = Item{Name: fmt.Sprint("Shoe ", i), Category: "clothes/shoes", Price: 50 + float64(i), Cost: 40, Attributes: map[string]any{"brand": fmt.Sprint("b", i%2)}}
		items[fmt.Sprint("hat-", i)] = Item{Name: fmt.Sprint("Hat ", i), Category: "clothes/hats", Price: 20 + float64(i), Cost: 5, Attributes: map[string]any{"brand": "h"}}
	}
	if err := s.items.PutMany(t.Context(), items, "me"); err != nil {
		t.Fatal(err)
	}
	return s
}

// learn builds of people who like shoes or hats: shoe-n goes with shoe-n+1.
func (s *Service) learnTaste(t *testing.T) {
	t.Helper()
	var b interactions.Builder
	start := time.Now().Add(-40 * 24 * time.Hour).Unix()
	for p := range 400 {
		kind := []string{"shoe", "hat"}[p%2]
		for n := range 6 {
			if err := b.Add(fmt.Sprint("p", p), fmt.Sprint(kind, "-", (p/2+n)%10), 1, start+int64(p)*60+int64(n)*5*86400); err != nil {
				t.Fatal(err)
			}
		}
	}
	for key := range s.items.Snapshot() {
		if _, err := b.KnowItem(key); err != nil {
			t.Fatal(err)
		}
	}
	b.SortItems(strings.Compare)
	catalogue := map[string]*Item{}
	for key, v := range s.items.Snapshot() {
		catalogue[key] = &v.Value
	}
	now := time.Now()
	bundle, report, _, err := build(t.Context(), b.Build(), catalogue, now, halfLife)
	if err != nil {
		t.Fatal(err)
	}
	version, err := s.save(t.Context(), bundle, report, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.follow(t.Context()); err != nil || s.current.Load().version.Version != version {
		t.Fatalf("the build was not taken up: %v", err)
	}
}

func (s *Service) list(t *testing.T, q Query) *List {
	t.Helper()
	l, err := s.Recommend(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func kinds(l *List) (shoes, hats int) {
	for _, r := range l.Items {
		if strings.HasPrefix(r.ID, "shoe") {
			shoes++
		} else {
			hats++
		}
	}
	return shoes, hats
}

func TestRecommend(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	// Nothing was learned: the catalogue itself is shown.
	if l := s.list(t, Query{Limit: 5}); len(l.Items) != 5 || l.Version != 0 || l.Items[0].Reason != reasonFresh {
		t.Errorf("before anything was learned: %+v", l)
	}
	s.learnTaste(t)
	if r := s.current.Load().version.Report; r.Personal == "" || len(r.Taken) == 0 || r.Items != 20 {
		t.Fatalf("the report of the build: %+v", r)
	}

	// One click is enough, at once.
	s.Saw("new", "Product Viewed", time.Now(), `{"product_id":"hat-3"}`)
	l := s.list(t, Query{Person: "new", Limit: 4})
	if shoes, hats := kinds(l); !l.Personal || hats < 3 || shoes > 1 {
		t.Errorf("who looked at a hat gets %d shoes and %d hats: %+v", shoes, hats, l.Items)
	}
	if l.Items[0].Reason == reasonPopular || len(l.Items[0].Because) == 0 && l.Items[0].ID != "hat-3" {
		t.Errorf("the first has the reason %s because of %v", l.Items[0].Reason, l.Items[0].Because)
	}
	// Beside an item stands what the same people had, and not the item itself.
	for _, r := range s.list(t, Query{Items: []string{"shoe-4"}, Limit: 3}).Items {
		if r.ID == "shoe-4" || !strings.HasPrefix(r.ID, "shoe") {
			t.Errorf("beside shoe-4 stands %s", r.ID)
		}
	}
	// What was bought goes, what is shown already too.
	s.Saw("new", "Order Completed", time.Now(), `{"products":[{"product_id":"hat-4"},{"sku":"hat-5"}]}`)
	for _, r := range s.list(t, Query{Person: "new", Limit: 20, Shown: []string{"hat-6"}}).Items {
		if r.ID == "hat-4" || r.ID == "hat-5" || r.ID == "hat-6" {
			t.Errorf("%s is recommended again", r.ID)
		}
	}
	// Sold out is gone at once.
	first := s.list(t, Query{Person: "new", Limit: 1}).Items[0]
	v, _ := s.items.Get(first.ID)
	gone := v.Value
	gone.Stock = new(0)
	if _, err := s.items.Put(t.Context(), first.ID, gone, "me", 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.list(t, Query{Person: "new", Limit: 20}).Items {
		if r.ID == first.ID {
			t.Errorf("%s is sold out and recommended", r.ID)
		}
	}
	// A new item is there at once, for those who like its category first of all.
	if _, err := s.items.Put(t.Context(), "hat-new", Item{Name: "New hat", Category: "clothes/hats", Price: 30}, "me", 0); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range s.list(t, Query{Person: "new", Limit: 10}).Items {
		found = found || r.ID == "hat-new" && r.Reason == reasonFresh
	}
	if !found {
		t.Error("a new hat is not recommended to who looks at hats")
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.learnTaste(t)
	put := func(key string, p Placement) {
		t.Helper()
		if _, err := s.placements.Put(t.Context(), key, p, "me", 0); err != nil {
			t.Fatal(err)
		}
	}
	put("hats", Placement{Kind: Home, Categories: []string{"clothes/hats"}, MaxPrice: 25})
	for _, r := range s.list(t, Query{Placement: "hats", Limit: 20}).Items {
		if r.Category != "clothes/hats" || r.Price > 25 {
			t.Errorf("%s does not fit the rules", r.ID)
		}
	}
	put("pinned", Placement{Kind: Home, Pin: []string{"shoe-7", "nothing"}, Boost: []Boost{{Category: "clothes/hats", Factor: 100}}})
	l := s.list(t, Query{Placement: "pinned", Limit: 4})
	if shoes, _ := kinds(l); l.Items[0].ID != "shoe-7" || l.Items[0].Reason != reasonPinned || shoes != 1 {
		t.Errorf("pinned and boosted: %+v", l.Items)
	}
	put("margin", Placement{Kind: Home, Goal: ByMargin})
	for i, r := range s.list(t, Query{Placement: "margin", Limit: 20}).Items {
		if math.Abs(r.Score-r.Probability*r.Margin) > 1e-12 {
			t.Errorf("item %d: the score %g is not %g x %g", i, r.Score, r.Probability, r.Margin)
		}
	}
	put("fair", Placement{Kind: Home, PerSupplier: 2})
	count := map[string]int{}
	for _, r := range s.list(t, Query{Placement: "fair", Limit: 20}).Items {
		v, _ := s.items.Get(r.ID)
		count[supplier(&v.Value)]++
	}
	for name, n := range count {
		if n > 2 {
			t.Errorf("%d items of %s", n, name)
		}
	}
	put("varied", Placement{Kind: Home, Diversity: 0.9})
	s.Saw("v", "Product Viewed", time.Now(), `{"product_id":"hat-3"}`)
	if shoes, hats := kinds(s.list(t, Query{Person: "v", Placement: "varied", Limit: 6})); shoes == 0 || hats == 0 {
		t.Errorf("%d shoes and %d hats are not varied", shoes, hats)
	}
	for _, bad := range []Query{{Placement: "none"}, {Placement: "product"}, {Limit: 201}, {Limit: -1}, {Placement: "cart", Items: make([]string, 201)}} {
		if _, err := s.Recommend(t.Context(), bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, bad := range []Placement{{}, {Kind: Home, Goal: "x"}, {Kind: Home, Exploration: 0.6}, {Kind: Home, Diversity: math.NaN()}, {Kind: Home, MinPrice: 5, MaxPrice: 4},
		{Kind: Home, Boost: []Boost{{Factor: 2}}}, {Kind: Home, Boost: []Boost{{Item: "x", Factor: math.Inf(1)}}}, {Kind: Home, Pin: []string{""}}} {
		if _, err := s.placements.Put(t.Context(), "bad", bad, "me", 0); err == nil {
			t.Errorf("the placement %+v was taken", bad)
		}
	}
}

// The draws of exploration come as often as their propensities say.
func TestPropensities(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.learnTaste(t)
	if _, err := s.placements.Put(t.Context(), "explore", Placement{Kind: Home, Exploration: 0.4}, "me", 0); err != nil {
		t.Fatal(err)
	}
	const n = 20_000
	counts, expected := map[string]float64{}, map[string]float64{}
	for i := range n {
		l := s.list(t, Query{Placement: "explore", Limit: 2, ID: fmt.Sprint("draw-", i)})
		counts[l.Items[0].ID]++
		expected[l.Items[0].ID] = l.Items[0].Propensity * n
	}
	chi, sum := 0.0, 0.0
	for id, e := range expected {
		chi += (counts[id] - e) * (counts[id] - e) / e
		sum += e
	}
	if len(expected) != 20 || math.Abs(sum-n) > 1e-6 {
		t.Fatalf("%d items were drawn, with probabilities that sum to %g", len(expected), sum/n)
	}
	if chi > 43.8 { // the 99.9th percentile of chi-squared with 19 degrees of freedom
		t.Errorf("chi-squared %.1f with 19 degrees of freedom", chi)
	}
	a, b := s.list(t, Query{Placement: "explore", ID: "same"}), s.list(t, Query{Placement: "explore", ID: "same"})
	if fmt.Sprint(a.Items) != fmt.Sprint(b.Items) {
		t.Error("the same id draws another list")
	}
}

func TestFalling(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 50).Draw(t, "values")
		fit := falling(values)
		sum, fitted := 0.0, 0.0
		for i := range values {
			sum, fitted = sum+values[i], fitted+fit[i]
			if i > 0 && fit[i] > fit[i-1]+1e-12 {
				t.Fatalf("%v rises at %d", fit, i)
			}
		}
		if len(fit) != len(values) || math.Abs(sum-fitted) > 1e-9 {
			t.Fatalf("%v sums to %g, not %g", fit, fitted, sum)
		}
	})
}

func FuzzItemsNamed(f *testing.F) {
	for _, seed := range []string{`{"product_id":"a"}`, `{"sku":7}`, `{"products":[{"product_id":"a"},{"sku":"b"},3]}`, `{"products":{}}`, `[]`, ``, `{"product_id":{"a":1},"products":"x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, properties string) {
		seen := map[string]bool{}
		for _, id := range ItemsNamed(properties) {
			if id == "" || seen[id] {
				t.Fatalf("%q names %q", properties, id)
			}
			seen[id] = true
		}
	})
}

func TestItemsNamed(t *testing.T) {
	t.Parallel()
	for properties, want := range map[string]string{
		`{"product_id":"a","sku":"x"}`: "[a]",
		`{"sku":7}`:                    "[7]",
		`{"products":[{"product_id":"a"},{"sku":"b"},{"sku":"b"},3]}`: "[a b]",
		`{"product_id":"a","products":"x"}`:                           "[a]",
		`{"product_id":{"a":1}}`:                                      "[]",
		`nonsense`:                                                    "[]",
	} {
		if got := fmt.Sprint(ItemsNamed(properties)); got != want {
			t.Errorf("%s names %s, want %s", properties, got, want)
		}
	}
}

// MovieLens as a shop: a build that is served is better than what is popular.
func TestMovieLens(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join("..", "..", "shared", "data", "ml-100k", "u.data"))
	if err != nil {
		t.Skip("no MovieLens data: ", err)
	}
	defer file.Close()
	var b interactions.Builder
	if _, err := interactions.Read(file, interactions.MovieLens(), &b, nil); err != nil {
		t.Fatal(err)
	}
	l := b.Build()
	_, last := l.Span()
	_, report, _, err := build(context.Background(), l, nil, time.Unix(last, 0), halfLife)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events, %d judged, personal %q, refused %q, %.1f s", report.Events, report.Judged, report.Personal, report.Refused, report.Seconds)
	for name, figures := range report.Figures {
		t.Log(name, figures)
	}
	personal, popular := report.Figures[modelPersonal], report.Figures[modelPopular]
	if report.Judged < 20 || len(personal) == 0 || len(popular) == 0 || (report.Personal == "") != (report.Refused != "") {
		t.Errorf("the report %+v", report)
	}
}
