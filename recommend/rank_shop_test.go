package recommend

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/shop"
	"quintet/recommend/interactions"
	"quintet/recommend/offline"
	"quintet/recommend/ranking"
)

// shelfTest is the generated shop with a service that learns from it.
type shelfTest struct {
	*Service
	shelf *shop.Shelf
	now   time.Time
	steps []shop.Step
	lists []Shown
	place map[string]int
}

var shelfOpened = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newShelf(t *testing.T, seed uint64, customers, items int) *shelfTest {
	t.Helper()
	s := &shelfTest{shelf: shop.NewShelf(shop.NewWorld(seed, customers), items), now: shelfOpened, place: map[string]int{}}
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations(), PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Service, err = Open(t.Context(), Deps{Definitions: store, Postgres: pool, Logger: enginetest.Logger(t), Now: func() time.Time { return s.now },
		Shown: func(_ context.Context, since time.Time, limit int) ([]Shown, error) {
			var out []Shown
			for _, l := range s.lists {
				if !l.At.Before(since) {
					out = append(out, l)
				}
			}
			return spread(out, limit), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Item{}
	for n, item := range s.shelf.Items {
		all[item.ID] = Item{Name: item.Name, Category: item.Category, Price: item.Price, Cost: item.Cost, Stock: &item.Stock}
		s.place[item.ID] = n
	}
	if err := s.items.PutMany(t.Context(), all, "me"); err != nil {
		t.Fatal(err)
	}
	return s
}

func person(customer int) string { return fmt.Sprint("c", customer) }

// did has the service see what customers do, at once.
func (s *shelfTest) did(steps []shop.Step) {
	s.steps = append(s.steps, steps...)
	for _, step := range steps {
		event := "Product Viewed"
		if step.Bought {
			event = "Order Completed"
		}
		s.Saw(person(step.Customer), event, step.At, fmt.Sprintf(`{"product_id":%q}`, s.shelf.Items[step.Item].ID))
	}
}

// learn builds, and learns a ranker, of all that was done.
func (s *shelfTest) learn(t *testing.T) *Ranker {
	t.Helper()
	l, catalogue := s.everything(t)
	bundle, report, held, err := build(t.Context(), l, catalogue, s.now, halfLife)
	if err != nil {
		t.Fatal(err)
	}
	version, err := s.save(t.Context(), bundle, report, s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.use(newSnapshot(Version{Version: version, BuiltAt: s.now, Report: *report}, bundle))
	if err := s.learnRanking(t.Context(), l, catalogue, bundle, report, held); err != nil {
		t.Fatal(err)
	}
	return s.ranker.Load()
}

// everything is all that was done, and the catalogue.
func (s *shelfTest) everything(t *testing.T) (*interactions.Log, map[string]*Item) {
	t.Helper()
	var b interactions.Builder
	for _, step := range s.steps {
		weight := 1.0
		if step.Bought {
			weight = 5
		}
		if err := b.Add(person(step.Customer), s.shelf.Items[step.Item].ID, weight, step.At.Unix()); err != nil {
			t.Fatal(err)
		}
	}
	catalogue := map[string]*Item{}
	for key, v := range s.items.Snapshot() {
		catalogue[key] = &v.Value
		if _, err := b.KnowItem(key); err != nil {
			t.Fatal(err)
		}
	}
	b.SortItems(strings.Compare)
	return b.Build(), catalogue
}

// shows lets customers who come between two moments see a list first, of which they take
// what they like and look at.
func (s *shelfTest) shows(t *testing.T, placement string, until time.Time, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 77))
	const pause = 5 * 24 * float64(time.Hour)
	for c := range s.shelf.World.Customers {
		for at := s.now.Add(time.Duration(pause * rng.ExpFloat64())); at.Before(until); at = at.Add(time.Duration(pause * rng.ExpFloat64())) {
			list := s.list(t, Query{Person: person(c), Placement: placement, At: at, ID: fmt.Sprint(seed, "-", c, "-", at.Unix())})
			shown := Shown{Person: person(c), At: at}
			for place, item := range list.Items {
				shown.Items = append(shown.Items, ShownItem{item.ID, item.Propensity})
				if rng.Float64() < shop.Look(place) {
					s.did(s.shelf.Meet(c, s.place[item.ID], at.Add(time.Duration(place+1)*time.Second), rng))
				}
			}
			s.lists = append(s.lists, shown)
		}
	}
	s.now = until
}

// worth is what the lists of a placement are worth to everybody, person by person.
func (s *shelfTest) worth(t *testing.T, placement string) (bought, profit, alike []float64) {
	t.Helper()
	for c := range s.shelf.World.Customers {
		list := s.list(t, Query{Person: person(c), Placement: placement, At: s.now, ID: "same"})
		var numbers []int
		same, pairs := 0.0, 0.0
		for i, item := range list.Items {
			numbers = append(numbers, s.place[item.ID])
			for _, other := range list.Items[:i] {
				pairs++
				if other.Category == item.Category {
					same++
				}
			}
		}
		b, p := s.shelf.Worth(c, numbers)
		bought, profit, alike = append(bought, b), append(profit, p), append(alike, same/max(pairs, 1))
	}
	return bought, profit, alike
}

// TestExpectedProfit is margin-aware ranking beside ranking for accuracy in the generated
// shop, where every list has a true worth: what it earns more, and what diversity costs.
// QUINTET_TEST_FULL=1 takes more seeds and people.
func TestExpectedProfit(t *testing.T) {
	t.Parallel()
	seeds, customers, items := 2, 500, 200
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		seeds, customers, items = 5, 3000, 500
	}
	arms := []string{"accuracy", "margin", "accuracy-varied", "margin-varied"}
	pooled := map[string][]float64{}
	for seed := range seeds {
		s := newShelf(t, uint64(seed+1), customers, items)
		for _, name := range arms {
			p := Placement{Kind: Home, Goal: ByRelevance}
			if strings.HasPrefix(name, "margin") {
				p.Goal = ByMargin
			}
			if strings.HasSuffix(name, "varied") {
				p.Diversity = 0.3
			}
			if _, err := s.placements.Put(t.Context(), name, p, "me", 0); err != nil {
				t.Fatal(err)
			}
		}
		s.did(s.shelf.Browse(shelfOpened, shelfOpened.AddDate(0, 0, 60)))
		s.now = shelfOpened.AddDate(0, 0, 60)
		r := s.learn(t)
		t.Logf("seed %d: %d steps, ranker from %s by %s; NDCG@10 %.4f, retrieval %.4f, popular %.4f; over retrieval %+.4f (%+.4f to %+.4f); refused %q; %.1f s", seed+1, len(s.steps), r.Report.From, r.Report.Method,
			r.Report.Ranker.Value, r.Report.Retrieval.Value, r.Report.Popular.Value, r.Report.OverRetrieval.Value, r.Report.OverRetrieval.Lower, r.Report.OverRetrieval.Upper, r.Report.Refused, r.Report.Seconds)
		bought, profit, alike := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
		for _, name := range arms {
			bought[name], profit[name], alike[name] = s.worth(t, name)
			t.Logf("  %-16s bought %.4f, profit %.4f a list, pairs of one category %.3f", name, mean(bought[name]), mean(profit[name]), mean(alike[name]))
		}
		for name, pair := range map[string][2][]float64{
			"profit of margin over accuracy":             {profit["margin"], profit["accuracy"]},
			"bought of margin over accuracy":             {bought["margin"], bought["accuracy"]},
			"bought of diversity over accuracy":          {bought["accuracy-varied"], bought["accuracy"]},
			"profit of diversity over margin":            {profit["margin-varied"], profit["margin"]},
			"pairs of one category, diversity, accuracy": {alike["accuracy-varied"], alike["accuracy"]},
			"pairs of one category, diversity, margin":   {alike["margin-varied"], alike["margin"]},
		} {
			base := mean(pair[1])
			for i := range pair[0] {
				pooled[name] = append(pooled[name], (pair[0][i]-pair[1][i])/base)
			}
		}
	}
	for name, differences := range pooled {
		value, half := offline.MeanInterval(differences, 0.95)
		t.Logf("%s: %+.1f%% (%+.1f%% to %+.1f%%), %d people of %d shops", name, 100*value, 100*(value-half), 100*(value+half), len(differences), seeds)
		switch name {
		case "profit of margin over accuracy":
			if value-half <= 0 {
				t.Errorf("margin-aware lists do not earn more: %+.4f ± %.4f", value, half)
			}
		case "bought of diversity over accuracy", "profit of diversity over margin":
			if value < -0.25 {
				t.Errorf("%s: %+.4f", name, value)
			}
		case "pairs of one category, diversity, accuracy":
			if value+half >= 0 {
				t.Errorf("diversity makes lists no more varied: %+.4f ± %.4f", value, half)
			}
		}
	}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}

// TestLearnedRanker has rankers learn in the generated shop, from what people did anyway
// and from lists of which places further below were looked at less and some items were
// drawn, and asks the simulator whether what the gate let through sells more.
// QUINTET_TEST_FULL=1 takes more seeds and people.
func TestLearnedRanker(t *testing.T) {
	t.Parallel()
	seeds, customers, items := 1, 1000, 200
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		seeds, customers, items = 3, 4000, 500
	}
	accepted := 0
	for seed := range seeds {
		s := newShelf(t, uint64(seed+1), customers, items)
		for name, p := range map[string]Placement{"plain": {Kind: Home}, "drawn": {Kind: Home, Exploration: 0.2}} {
			if _, err := s.placements.Put(t.Context(), name, p, "me", 0); err != nil {
				t.Fatal(err)
			}
		}
		s.did(s.shelf.Browse(shelfOpened, shelfOpened.AddDate(0, 0, 40)))
		s.now = shelfOpened.AddDate(0, 0, 40)
		s.learn(t)
		s.shows(t, "drawn", shelfOpened.AddDate(0, 0, 60), uint64(seed+1))
		r := s.learn(t)
		f := r.Report
		t.Logf("seed %d: learned from %d %s (%d candidates, %d taken) by %s in %.1f s; refused %q", seed+1, f.Lists, f.From, f.Rows, f.Taken, f.Method, f.Seconds, f.Refused)
		t.Logf("  from lists: %s", f.ListsRefused)
		t.Logf("  %s@10 %.4f, retrieval %.4f, popular %.4f; over retrieval %+.4f (%+.4f to %+.4f); predicted %.4f, observed %.4f; coverage %.3f, retrieval's %.3f", f.Ranker.Measure, f.Ranker.Value, f.Retrieval.Value, f.Popular.Value,
			f.OverRetrieval.Value, f.OverRetrieval.Lower, f.OverRetrieval.Upper, f.Predicted, f.Observed, f.Coverage, f.CoverageRetr)
		if f.From == fromInteractions && f.ListsRefused == "" || f.Judged < leastRankJudged || len(f.Influences) == 0 || !(f.Popular.Value > 0) {
			t.Errorf("the report %+v", f)
		}
		if !r.Accepted {
			continue
		}
		accepted++
		if l := s.list(t, Query{Person: person(0), Placement: "plain"}); l.Ranker != r.Version || l.Items[0].Probability < l.Items[9].Probability {
			t.Errorf("version %d of the ranker, and the list %+v", r.Version, l)
		}
		began := time.Now()
		with, _, _ := s.worth(t, "plain")
		ranked := time.Since(began)
		s.ranker.Store(nil)
		s.allowed.clear()
		began = time.Now()
		without, _, _ := s.worth(t, "plain")
		t.Logf("  a list took %v with the ranker, %v without", ranked/time.Duration(customers), time.Since(began)/time.Duration(customers))
		for i := range with {
			with[i] -= without[i]
		}
		value, half := offline.MeanInterval(with, 0.95)
		base := mean(without)
		t.Logf("  truly bought of a list: %+.1f%% (%+.1f%% to %+.1f%%) over retrieval", 100*value/base, 100*(value-half)/base, 100*(value+half)/base)
		if value+half < 0 {
			t.Errorf("the gate let a ranker through that sells less: %+.4f ± %.4f", value, half)
		}
		// Another process takes the newest up.
		if err := s.followRanker(t.Context()); err != nil || s.ranker.Load().Version != r.Version || s.ranker.Load().model == nil {
			t.Errorf("after a start the ranker is %+v, %v", s.ranker.Load(), err)
		}
		s.refuses(t)
	}
	if accepted == 0 {
		t.Error("no ranker passed the gate")
	}
}

// refuses has the gate judge a ranker that turns the order of retrieval round.
func (s *shelfTest) refuses(t *testing.T) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 9))
	rows, at := ranking.NewRows(rankColumns), slices.Index(rankColumns, "retrieval")
	for list := range 300 {
		for range 10 {
			values := make([]float32, columns)
			values[at] = float32(rng.NormFloat64())
			if err := rows.Add(ranking.Row{List: list, Values: values, Taken: rng.Float64() < 1/(1+math.Exp(float64(2+2*values[at]))), Place: ranking.NotShown, Weight: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	model, _, err := ranking.Fit(t.Context(), rows, ranking.Settings{Trees: -1})
	if err != nil {
		t.Fatal(err)
	}
	l, catalogue := s.everything(t)
	b, report, held, err := build(t.Context(), l, catalogue, s.now, halfLife)
	if err != nil {
		t.Fatal(err)
	}
	le := &lesson{log: l, catalogue: catalogue, bought: 5, build: report, held: held, content: b.Models[modelContent], halfLife: halfLife}
	r := &RankerReport{From: fromInteractions}
	if err := le.gate(t.Context(), model, r); err != nil {
		t.Fatal(err)
	}
	t.Log("  turned round: ", r.Refused)
	if !strings.Contains(r.Refused, "retrieval") || r.OverRetrieval.Upper >= 0 {
		t.Errorf("a ranker that turns retrieval round: %q, %+v", r.Refused, r.OverRetrieval)
	}
}

// Where there is too little, there is a reason and no ranker.
func TestNothingToRankBy(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 1, 20, 30)
	s.did(s.shelf.Browse(shelfOpened, shelfOpened.AddDate(0, 0, 10)))
	s.now = shelfOpened.AddDate(0, 0, 10)
	r := s.learn(t)
	if r == nil || r.Accepted || r.Report.Refused == "" {
		t.Fatalf("of %d steps a ranker was learned: %+v", len(s.steps), r)
	}
	if l := s.list(t, Query{Person: person(0)}); l.Ranker != 0 || len(l.Items) == 0 {
		t.Errorf("the list %+v", l)
	}
	if list, err := s.rankers(t.Context()); err != nil || len(list) != 1 || list[0].Report.Refused != r.Report.Refused {
		t.Errorf("%+v, %v", list, err)
	}
}
