package lifecycle

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quintet/internal/enginetest"
	"quintet/internal/problem"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// The 125 codes, worked out by hand from the published bounds: one block per
// recency score, one line per frequency score, one letter per monetary score.
const expectedSegments = `
1: HHOOO HRRRR ORRRR ORRRR ORRRR
2: SSOOO SAARR OALLL ORLLL ORLLL
3: PPPOO PPPOO PPLLL OOLLL OOLLL
4: PPPOO PPPOO PPLLL OOLCC OOLCC
5: PPPOO PPPOO PPLLL OOLCC OOLCC`

func TestAll125Codes(t *testing.T) {
	t.Parallel()
	letters := map[byte]string{
		'C': "champions", 'L': "loyal", 'P': "potential-loyalist", 'A': "need-attention", 'S': "about-to-sleep",
		'R': "at-risk", 'H': "hibernating", 'O': "other",
	}
	rfm := DefaultRFM()
	checked := 0
	for _, line := range strings.Split(strings.TrimSpace(expectedSegments), "\n") {
		fields := strings.Fields(line)
		r := int(fields[0][0] - '0')
		for f, row := range fields[1:] {
			for m := range row {
				s := Scores{r, f + 1, m + 1}
				if got := rfm.Segment(s); got != letters[row[m]] {
					t.Errorf("code %s is %s, want %s", s.Code(), got, letters[row[m]])
				}
				checked++
			}
		}
	}
	if checked != 125 {
		t.Errorf("%d codes are expected, not 125", checked)
	}
	if got := rfm.Unreachable(); !slices.Equal(got, []string{"new", "promising", "cant-lose", "lost"}) {
		t.Errorf("unreachable: %q", got)
	}
}

// With the smallest boxes first, all eleven names are given.
func TestOrderDecides(t *testing.T) {
	t.Parallel()
	rfm := DefaultRFM()
	order := []string{"champions", "new", "promising", "cant-lose", "loyal", "potential-loyalist", "need-attention", "about-to-sleep", "lost", "at-risk", "hibernating"}
	slices.SortFunc(rfm.Segments, func(a, b Box) int { return slices.Index(order, a.Key) - slices.Index(order, b.Key) })
	for code, want := range map[Scores]string{{5, 1, 1}: "new", {3, 1, 1}: "promising", {1, 5, 5}: "cant-lose", {1, 1, 1}: "lost", {2, 1, 2}: "about-to-sleep"} {
		if got := rfm.Segment(code); got != want {
			t.Errorf("%s is %s, want %s", code.Code(), got, want)
		}
	}
	if got := rfm.Unreachable(); !slices.Equal(got, []string{"hibernating"}) { // the same box as lost
		t.Errorf("unreachable: %q", got)
	}
}

func TestScores(t *testing.T) {
	t.Parallel()
	rfm := DefaultRFM()
	// Ten customers; orders are tied, six of them at 1.
	days := []float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}
	orders := []float64{1, 1, 1, 1, 1, 1, 2, 2, 3, 9}
	spend := []float64{5, 5, 5, 5, 5, 5, 5, 5, 5, 5}
	c := rfm.NewCuts(days, orders, spend)
	for i, want := range []Scores{
		{5, 1, 1}, {5, 1, 1}, {4, 1, 1}, {4, 1, 1}, {3, 1, 1}, {3, 1, 1}, {2, 4, 1}, {2, 4, 1}, {1, 5, 1}, {1, 5, 1},
	} {
		if got := c.Score(days[i], orders[i], spend[i]); got != want {
			t.Errorf("customer %d scores %v, want %v", i, got, want)
		}
	}
	if q := c.Quantile(5); q != 0 {
		t.Errorf("nobody is surpassed by the common spend, got %g", q)
	}
	if q := c.Quantile(6); q != 0.99 {
		t.Errorf("everybody is surpassed, got %g", q)
	}
	fixed := RFM{Method: Fixed, RecencyDays: []float64{365, 180, 90, 30}, Orders: []float64{2, 3, 5, 10}, Spend: []float64{50, 100, 200, 500}}
	c = fixed.NewCuts(days, orders, spend)
	for _, tt := range []struct {
		days, orders, spend float64
		want                Scores
	}{{366, 1, 49.99, Scores{1, 1, 1}}, {365, 2, 50, Scores{2, 2, 2}}, {90, 4, 199, Scores{4, 3, 3}}, {30, 10, 500, Scores{5, 5, 5}}, {0, 99, 1e9, Scores{5, 5, 5}}} {
		if got := c.Score(tt.days, tt.orders, tt.spend); got != tt.want {
			t.Errorf("%v scores %v", tt, got)
		}
	}
}

// The score by cuts is the one that the definition in words gives, computed by
// counting: 1 plus the number of k for which at least k fifths of the customers,
// counted together with their ties, are surpassed.
func TestScoresAgreeWithCounting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		value := rapid.SliceOfN(rapid.IntRange(0, 20), n, n)
		whole := func(name string) []float64 {
			var out []float64
			for _, v := range value.Draw(t, name) {
				out = append(out, float64(v))
			}
			return out
		}
		days, orders, spend := whole("days"), whole("orders"), whole("spend")
		rfm := DefaultRFM()
		c := rfm.NewCuts(days, orders, spend)
		count := func(all []float64, worse func(float64) bool, parts int) int {
			below := 0
			for _, v := range all {
				if worse(v) {
					below++
				}
			}
			return below * parts / n // how many whole parts are surpassed
		}
		for i := range n {
			want := Scores{
				1 + count(days, func(v float64) bool { return v > days[i] }, 5),
				1 + count(orders, func(v float64) bool { return v < orders[i] }, 5),
				1 + count(spend, func(v float64) bool { return v < spend[i] }, 5),
			}
			if got := c.Score(days[i], orders[i], spend[i]); got != want {
				t.Fatalf("customer %d of %d scores %v, want %v", i, n, got, want)
			}
			if got, want := c.Quantile(spend[i]), float64(count(spend, func(v float64) bool { return v < spend[i] }, 100))/100; got != want {
				t.Fatalf("quantile %g, want %g", got, want)
			}
		}
	})
}

// person makes facts of some numbers; the rest is as for somebody who did nothing.
func person(numbers map[Fact]float64) *Facts {
	f := NewFacts()
	for _, name := range []Fact{Registered, Events, Sessions, Views, Carts, Checkouts, Orders, Spend, Margin, OpenView, OpenCart, OpenCheckout} {
		f.Set(name, 0)
	}
	for name, v := range numbers {
		f.Set(name, v)
	}
	return f
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	table := Default()
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(table.Stages) != 5 || len(table.Segments) != 14 || len(table.Losses) != 6 || len(table.RFM.Segments) != 11 {
		t.Fatalf("%d stages, %d segments, %d losses, %d boxes", len(table.Stages), len(table.Segments), len(table.Losses), len(table.RFM.Segments))
	}
	cuts := (&RFM{Method: Fixed, RecencyDays: []float64{365, 180, 90, 30}, Orders: []float64{2, 3, 4, 5}, Spend: []float64{10, 50, 100, 200}}).
		NewCuts(nil, nil, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	for _, tt := range []struct {
		name                   string
		facts                  map[Fact]float64
		stage, segment, losses string
	}{
		{"seen once", map[Fact]float64{Events: 1, Sessions: 1, DaysSinceLastSeen: 3}, "acquire", "anonymous-visitor", "bounce"},
		{"seen today", map[Fact]float64{Events: 1, Sessions: 1, DaysSinceLastSeen: 0}, "acquire", "anonymous-visitor", ""},
		{"twice", map[Fact]float64{Events: 4, Sessions: 2, DaysSinceLastSeen: 3}, "acquire", "returning-visitor", ""},
		{"known", map[Fact]float64{Registered: 1, Events: 2, Sessions: 1}, "activate", "registered", ""},
		{"browser", map[Fact]float64{Views: 3, OpenView: 1, DaysSinceLastView: 2, Events: 3, Sessions: 1}, "activate", "product-browser", "browse-abandoned"},
		{"cart", map[Fact]float64{Views: 3, OpenView: 1, DaysSinceLastView: 2, Carts: 1, OpenCart: 1, DaysSinceLastCart: 2}, "activate", "cart-abandoner", "cart-abandoned"},
		{"cart long ago", map[Fact]float64{Carts: 1, OpenCart: 1, DaysSinceLastCart: 31}, "activate", "cart-abandoner", ""},
		{"checkout", map[Fact]float64{Carts: 1, OpenCart: 1, DaysSinceLastCart: 2, Checkouts: 1, OpenCheckout: 1, DaysSinceLastCheckout: 2}, "activate", "cart-abandoner", "checkout-abandoned"},
		{"first", map[Fact]float64{Orders: 1, Spend: 5, DaysSinceLastOrder: 30}, "first-order", "first-order", ""},
		{"due", map[Fact]float64{Orders: 1, Spend: 5, DaysSinceLastOrder: 31}, "first-order", "second-order-due", ""},
		{"repeat", map[Fact]float64{Orders: 2, Spend: 5, DaysSinceLastOrder: 80}, "grow", "repeat", ""},
		{"loyal", map[Fact]float64{Orders: 4, Spend: 5, DaysSinceLastOrder: 80}, "grow", "loyal", ""},
		{"champion", map[Fact]float64{Orders: 5, Spend: 300, DaysSinceLastOrder: 10}, "grow", "champion", ""},
		{"seasonal", map[Fact]float64{Orders: 4, Spend: 5, DaysSinceLastOrder: 80, PeakShare: 1, DaysSinceFirstOrder: 800}, "grow", "seasonal", ""},
		{"young, one quarter", map[Fact]float64{Orders: 4, Spend: 5, DaysSinceLastOrder: 80, PeakShare: 1, DaysSinceFirstOrder: 100}, "grow", "loyal", ""},
		{"discounts", map[Fact]float64{Orders: 3, Spend: 5, DaysSinceLastOrder: 80, DiscountShare: 0.9}, "grow", "seasonal", ""},
		{"cooling", map[Fact]float64{Orders: 2, Spend: 5, DaysSinceLastOrder: 91}, "reactivate", "cooling", ""},
		{"at risk", map[Fact]float64{Orders: 2, Spend: 9, DaysSinceLastOrder: 91}, "reactivate", "at-risk", ""},
		{"one and done", map[Fact]float64{Orders: 1, Spend: 9, DaysSinceLastOrder: 366}, "reactivate", "lost", "one-and-done"},
		{"lapsed", map[Fact]float64{Orders: 4, Spend: 3, DaysSinceLastOrder: 200}, "reactivate", "cooling", "lapsed-loyal"},
		{"two losses", map[Fact]float64{Orders: 4, Spend: 3, DaysSinceLastOrder: 200, OpenCart: 1, DaysSinceLastCart: 1}, "reactivate", "cooling", "cart-abandoned lapsed-loyal"},
	} {
		got := table.Classify(person(tt.facts), &cuts)
		if got.Stage != tt.stage || got.Segment != tt.segment || strings.Join(got.Losses, " ") != tt.losses {
			t.Errorf("%s: %s, %s, %q; want %s, %s, %q", tt.name, got.Stage, got.Segment, got.Losses, tt.stage, tt.segment, tt.losses)
		}
	}
}

// stageOf is the stage in which each default segment lies.
var stageOf = map[string][]string{
	"anonymous-visitor": {"acquire"}, "returning-visitor": {"acquire"}, "registered": {"activate"}, "product-browser": {"activate"},
	"cart-abandoner": {"activate"}, "first-order": {"first-order"}, "second-order-due": {"first-order"}, "repeat": {"grow"}, "loyal": {"grow"},
	"champion": {"grow"}, "seasonal": {"grow"}, "cooling": {"reactivate"}, "at-risk": {"reactivate"}, "lost": {"reactivate"},
}

func drawFacts(t *rapid.T) *Facts {
	f := NewFacts()
	whole := func(name Fact, most int) float64 {
		v := float64(rapid.IntRange(0, most).Draw(t, string(name)))
		f.Set(name, v)
		return v
	}
	whole(Registered, 1)
	whole(Events, 4)
	whole(Sessions, 3)
	for count, since := range map[Fact]Fact{Views: DaysSinceLastView, Carts: DaysSinceLastCart, Checkouts: DaysSinceLastCheckout} {
		if whole(count, 2) > 0 {
			whole(since, 60)
		}
	}
	for _, open := range []Fact{OpenView, OpenCart, OpenCheckout} {
		whole(open, 1)
	}
	whole(DaysSinceFirstSeen, 500)
	whole(DaysSinceLastSeen, 5)
	f.Set(Spend, 0)
	f.Set(Margin, 0)
	if whole(Orders, 6) > 0 {
		whole(Spend, 50)
		whole(DaysSinceLastOrder, 500)
		whole(DaysSinceFirstOrder, 900)
		f.Set(DiscountShare, float64(rapid.IntRange(0, 4).Draw(t, "share"))/4)
		f.Set(PeakShare, float64(rapid.IntRange(1, 4).Draw(t, "peak"))/4)
	}
	return f
}

func TestEverybodyHasOnePlace(t *testing.T) {
	t.Parallel()
	table := Default()
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.SliceOfN(rapid.Custom(drawFacts), 1, 30).Draw(t, "people")
		c := cutsOf(&table.RFM, people)
		for _, f := range people {
			class := table.Classify(f, &c)
			if !slices.Contains(stageOf[class.Segment], class.Stage) {
				t.Fatalf("%v is in segment %q and stage %q", f, class.Segment, class.Stage)
			}
			if (f.Get(Orders) > 0) != (class.RFMSegment != "") {
				t.Fatalf("%v has RFM segment %q", f, class.RFMSegment)
			}
		}
	})
}

func cutsOf(r *RFM, people []*Facts) Cuts {
	var days, orders, spend []float64
	for _, f := range people {
		if f.Get(Orders) > 0 {
			days, orders, spend = append(days, f.Get(DaysSinceLastOrder)), append(orders, f.Get(Orders)), append(spend, f.Get(Spend))
		}
	}
	return r.NewCuts(days, orders, spend)
}

func TestValidation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, field string
		change      func(*Table)
	}{
		{"unknown fact", "segments[0].any[0].all[0].fact", func(t *Table) { t.Segments[0].Any[0].All[0].Fact = "colour" }},
		{"unknown operator", "segments[0].any[0].all[0].is", func(t *Table) { t.Segments[0].Any[0].All[0].Is = "~" }},
		{"not a number", "stages[1].any[0].all[0].value", func(t *Table) { t.Stages[1].Any[0].All[0].Value = math.NaN() }},
		{"last has a condition", "stages[4].any", func(t *Table) { t.Stages[4].Any = t.Stages[0].Any }},
		{"an earlier one has none", "segments[3].any", func(t *Table) { t.Segments[3].Any = nil }},
		{"a loss without a condition", "losses[5].any", func(t *Table) { t.Losses[5].Any = nil }},
		{"an empty group", "losses[0].any[0].all", func(t *Table) { t.Losses[0].Any[0].All = nil }},
		{"a key twice", "losses[1].key", func(t *Table) { t.Losses[1].Key = t.Losses[0].Key }},
		{"a bad key", "segments[2].key", func(t *Table) { t.Segments[2].Key = "It's" }},
		{"a zero byte", "segments[2].name", func(t *Table) { t.Segments[2].Name = "a\x00" }},
		{"a box outside", "rfm.segments[0].recency", func(t *Table) { t.RFM.Segments[0].Recency.Max = 6 }},
		{"a box upside down", "rfm.segments[1].monetary", func(t *Table) { t.RFM.Segments[1].Monetary = Range{4, 2} }},
		{"other is taken", "rfm.other", func(t *Table) { t.RFM.Other = "loyal" }},
		{"bounds without need", "rfm.orders", func(t *Table) { t.RFM.Orders = []float64{1, 2, 3, 4} }},
		{"three bounds", "rfm.spend", func(t *Table) {
			t.RFM.Method, t.RFM.RecencyDays, t.RFM.Orders, t.RFM.Spend = Fixed, []float64{4, 3, 2, 1}, []float64{1, 2, 3, 4}, []float64{1, 2, 3}
		}},
		{"bounds that turn round", "rfm.recencyDays[2]", func(t *Table) {
			t.RFM.Method, t.RFM.RecencyDays, t.RFM.Orders, t.RFM.Spend = Fixed, []float64{4, 3, 3, 1}, []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}
		}},
		{"method", "rfm.method", func(t *Table) { t.RFM.Method = "guess" }},
		{"no order event", "commerce.orders", func(t *Table) { t.Commerce.Orders = []string{} }},
		{"an empty name", "commerce.views[0]", func(t *Table) { t.Commerce.Views = []string{""} }},
		{"a kind of touch", "commerce.messages[0].kind", func(t *Table) { t.Commerce.Messages[0].Kind = "read" }},
		{"too many", "losses", func(t *Table) {
			for range 41 {
				t.Losses = append(t.Losses, t.Losses[0])
			}
		}},
	} {
		table := Default()
		tt.change(&table)
		var bad problem.Invalid
		if err := table.Validate(); !errors.As(err, &bad) || !slices.ContainsFunc(bad, func(f problem.Field) bool { return f.Field == tt.field }) {
			t.Errorf("%s: %v, want a rule of %s", tt.name, err, tt.field)
		}
	}
}
