package budgets

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func TestReserveAndRelease(t *testing.T) {
	t.Parallel()
	l := NewLedger()
	l.Set([]Budget{{Key: "money", Limit: 10, From: start, Until: start.Add(time.Hour)}, {Key: "codes", Limit: 2, From: start}})
	both := []Charge{{"money", 4}, {"codes", 1}}
	for name, c := range map[string]struct {
		at   time.Time
		want Refusal
	}{"early": {start.Add(-1), NotBegun}, "late": {start.Add(time.Hour), Ended}} {
		if key, why := l.Reserve(name, both, c.at); key != "money" || why != c.want {
			t.Errorf("%s: %s %s", name, key, why)
		}
	}
	for i := range 2 {
		for range 2 { // the second time changes nothing
			if key, why := l.Reserve(fmt.Sprint(i), both, start); why != Open {
				t.Fatal(key, why)
			}
		}
	}
	if key, why := l.Reserve("3", []Charge{{"money", 1}, {"codes", 1}}, start); key != "codes" || why != Spent {
		t.Errorf("%s %s", key, why)
	}
	if s := l.Standing("money"); s.Spent != 8 || s.Left != 2 {
		t.Errorf("a refused decision was charged: %+v", s)
	}
	if key, why := l.Reserve("4", []Charge{{"money", 1.5}, {"money", 1.5}}, start); key != "money" || why != Spent {
		t.Errorf("two charges to one budget: %s %s", key, why)
	}
	if !l.Release("0") || l.Release("0") || l.Release("nobody") {
		t.Error("released twice, or what was not there")
	}
	l.Observe("0", both)
	if s := l.Standing("codes"); s.Spent != 1 {
		t.Errorf("what was given back was charged again: %+v", s)
	}
	l.Add("codes", 5)
	if s := l.Standing("codes"); s.Spent != 6 || s.Left != 0 {
		t.Errorf("%+v", s)
	}
	if why := l.Allowed(Charge{"none", 1}, start); why != Unplanned {
		t.Error(why)
	}
}

func TestConcurrentDecisionsKeepToABudget(t *testing.T) {
	t.Parallel()
	l := NewLedger()
	l.Set([]Budget{{Key: "b", Limit: 100, From: start}})
	var wg sync.WaitGroup
	var mu sync.Mutex
	held := 0
	for w := range 8 {
		wg.Go(func() {
			chance := rand.New(rand.NewPCG(1, uint64(w)))
			for n := range 500 {
				id := fmt.Sprint(w, "-", n)
				if _, why := l.Reserve(id, []Charge{{"b", 1}}, start); why != Open {
					continue
				}
				if chance.IntN(3) == 0 {
					l.Release(id)
					continue
				}
				mu.Lock()
				held++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if held != 100 || l.Standing("b").Spent != 100 {
		t.Errorf("%d decisions hold a place, %g are spent", held, l.Standing("b").Spent)
	}
}

// TestPricePaces lets people come evenly over a day, each worth a random value, and a
// budget for a tenth of them. The price must come close to the value of the ninth decile,
// spend evenly, and bring nearly what the best tenth, known afterwards, would have brought.
func TestPricePaces(t *testing.T) {
	t.Parallel()
	const people, tenth = 40_000, 4_000
	chance := rand.New(rand.NewPCG(7, 7))
	l := NewLedger()
	l.Set([]Budget{{Key: "b", Limit: tenth, From: start, Until: start.Add(24 * time.Hour), Paced: true}})
	l.Step(start)
	values := make([]float64, people)
	for i := range values {
		values[i] = chance.ExpFloat64()
	}
	won, half := 0.0, 0.0
	for i, v := range values {
		at := start.Add(time.Duration(i) * 24 * time.Hour / people)
		if i%28 == 27 {
			l.Step(at)
		}
		if i == people/2 {
			half = l.Standing("b").Spent
		}
		if v > l.Price("b") {
			if _, why := l.Reserve(fmt.Sprint(i), []Charge{{"b", 1}}, at); why == Open {
				won += v
			}
		}
	}
	s := l.Standing("b")
	sort.Sort(sort.Reverse(sort.Float64Slice(values)))
	best := 0.0
	for _, v := range values[:tenth] {
		best += v
	}
	t.Logf("spent %g of %d, %g by half of the time, price %.2f (ninth decile %.2f), value %.3f of the best", s.Spent, tenth, half, s.Price, values[tenth], won/best)
	if s.Spent < .95*tenth || s.Spent > tenth {
		t.Errorf("spent %g of %d", s.Spent, tenth)
	}
	if half < .45*tenth || half > .6*tenth {
		t.Errorf("spent %g of %d by half of the time", half, tenth)
	}
	if won < .93*best {
		t.Errorf("won %.3f of what could be won", won/best)
	}
}

// A decision that found no room elsewhere is made anew, and is charged then.
func TestWithdrawnIsChargedAnew(t *testing.T) {
	t.Parallel()
	l := NewLedger()
	now := time.Now()
	l.Set([]Budget{{Key: "few", Limit: 2, From: now.Add(-time.Hour)}})
	charges := []Charge{{Key: "few", Amount: 1}}
	for range 3 {
		if key, why := l.Reserve("a", charges, now); why != Open {
			t.Fatal(key, why)
		}
		l.Withdraw("a")
	}
	l.Withdraw("nobody")
	if s := l.Standing("few"); s.Spent != 0 {
		t.Errorf("%g is spent of what was withdrawn", s.Spent)
	}
	for _, id := range []string{"a", "a", "b"} {
		l.Reserve(id, charges, now)
	}
	if s := l.Standing("few"); s.Spent != 2 {
		t.Errorf("%g is spent by two decisions", s.Spent)
	}
	if _, why := l.Reserve("c", charges, now); why != Spent {
		t.Errorf("a budget of two has room for a third (%s)", why)
	}
}
