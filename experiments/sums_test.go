package experiments

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"quintet/experiments/stats"
	"quintet/internal/clickhouse"
)

// world is a small generated log, kept in Go as well, so that what the statements
// add up can be computed again by other means.
type world struct {
	people []*subject
	at     time.Time
}

type subject struct {
	id, arm   string
	exposed   float64 // hours
	happened  []happening
	decisions []float64 // hours; costs a quarter each
	history   float64   // trait; NaN without
	country   string
}

type happening struct {
	name    string
	hours   float64
	revenue float64
	item    string
}

// makeWorld writes a log of n people and returns it.
func makeWorld(t *testing.T, db *clickhouse.Database, n int, seed uint64) *world {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 4))
	at := func(hours float64) time.Time {
		return testEpoch.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Millisecond)
	}
	w := &world{at: at(200)}
	for i := range n {
		p := &subject{id: fmt.Sprint("w", i), arm: []string{"a", "b"}[random.IntN(2)], exposed: float64(random.IntN(4000)) / 40, history: math.NaN()}
		if random.Float64() < .8 {
			p.history = math.Round(math.Exp(3+random.NormFloat64())*100) / 100
			p.country = []string{"DE", "FR", "IT"}[random.IntN(3)]
		}
		for range random.IntN(5) {
			p.happened = append(p.happened, happening{
				name: []string{"View", "Cart", "Buy"}[random.IntN(3)], hours: p.exposed - 60 + float64(random.IntN(6000))/40,
				revenue: math.Round(math.Exp(2+1.2*random.NormFloat64())*100) / 100, item: []string{"tea", "book", "it's"}[random.IntN(3)],
			})
		}
		for range random.IntN(3) {
			p.decisions = append(p.decisions, p.exposed+float64(random.IntN(1200))/10)
		}
		w.people = append(w.people, p)
	}
	insert(t, db, exposureColumns, 2*n, func(i int) []any { // everyone once more, later
		p := w.people[i/2]
		return []any{"world", p.arm, p.id, at(p.exposed + float64(i%2)*7)}
	})
	insert(t, db, "events (message_id, type, event, profile_id, timestamp, received_at, traits)", n, func(i int) []any {
		p := w.people[i]
		if math.IsNaN(p.history) {
			return nil
		}
		return []any{"i" + p.id, "identify", "$identify", p.id, at(p.exposed - 1), at(p.exposed - 1), fmt.Sprintf(`{"history":%g,"country":%q}`, p.history, p.country)}
	})
	insert(t, db, "events (message_id, type, event, profile_id, timestamp, received_at, traits)", n, func(i int) []any {
		p := w.people[i] // what is known later does not count
		return []any{"j" + p.id, "identify", "$identify", p.id, at(p.exposed + 1), at(p.exposed + 1), `{"history":1e6,"country":"XX"}`}
	})
	type row struct {
		of   *subject
		i, j int
	}
	var happened, decided []row
	for i, p := range w.people {
		for j := range p.happened {
			happened = append(happened, row{p, i, j})
		}
		for j := range p.decisions {
			decided = append(decided, row{p, i, j})
		}
	}
	insert(t, db, "events (message_id, type, event, profile_id, timestamp, received_at, numbers, properties)", len(happened), func(i int) []any {
		r := happened[i]
		h := r.of.happened[r.j]
		return []any{fmt.Sprint("h", r.i, "-", r.j), "track", h.name, r.of.id, at(h.hours), at(h.hours),
			map[string]float64{"revenue": h.revenue}, fmt.Sprintf(`{"revenue":%g,"item":%q}`, h.revenue, h.item)}
	})
	insert(t, db, knownDecisions, len(decided), func(i int) []any {
		r := decided[i]
		d := at(r.of.decisions[r.j])
		return []any{fmt.Sprint("d", r.i, "-", r.j), d, d, "home-hero", r.of.id, .25, []string{}, []string{}}
	})
	return w
}

// within are the happenings of a name in a window after (or before) the exposure,
// of what had happened by a moment, in their order.
func (p *subject) within(name string, from, to float64, until time.Time) (list []happening) {
	ms := func(hours float64) int64 { return testEpoch.Add(time.Duration(hours * float64(time.Hour))).UnixMilli() }
	for _, h := range p.happened {
		offset := float64(ms(h.hours)-ms(p.exposed)) / 3_600_000
		if (name == "" || h.name == name) && offset >= from && offset < to && ms(h.hours) <= until.UnixMilli() {
			h.hours = offset
			list = append(list, h)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].hours < list[j].hours })
	return list
}

func (p *subject) sum(name string, from, to float64, until time.Time) (y float64) {
	for _, h := range p.within(name, from, to, until) {
		y += h.revenue
	}
	return y
}

func (p *subject) cost(to float64, until time.Time) (n float64) {
	for _, d := range p.decisions {
		if d-p.exposed < to && !testEpoch.Add(time.Duration(d*float64(time.Hour))).After(until) {
			n++
		}
	}
	return n
}

func (p *subject) passed(hours float64, until time.Time) bool {
	return !testEpoch.Add(time.Duration((p.exposed + hours) * float64(time.Hour))).Truncate(time.Millisecond).After(until)
}

// worldMetrics are one metric of each kind with the value of a person, and whether
// the person counts.
func worldMetrics() ([]Metric, []func(p *subject, until time.Time) (y, d float64, counts bool)) {
	const w = 48
	metrics := []Metric{
		{Kind: ProportionKind, Event: "Buy", WindowHours: w},
		{Kind: CountKind, Event: "Buy", WindowHours: w, WindowFromHours: 6},
		{Kind: MeanKind, Event: "Buy", Property: "revenue", WindowHours: w},
		{Kind: RevenueKind, Event: "Buy", WindowHours: w, Filter: []PropertyCondition{{Property: "item", Operator: PropertyIn, Value: []any{"tea", "it's"}}, {Property: "revenue", Operator: PropertyAbove, Value: 5.}}},
		{Kind: MarginKind, Event: "Buy", Property: "revenue", WindowHours: w},
		{Kind: RatioKind, Event: "Buy", Property: "revenue", WindowHours: w, Denominator: "event:View"},
		{Kind: RetentionKind, Event: "View", FromDays: 1, ToDays: 3},
		{Kind: FunnelKind, WindowHours: w, Steps: []FunnelStep{{Event: "View"}, {Event: "Cart"}, {Event: "Buy"}}},
		{Kind: TimeToEventKind, Event: "Buy", WindowHours: w},
		{Kind: MeanKind, Event: "Buy", Property: "revenue", WindowHours: w, Cap: &Cap{Value: 20}},
	}
	all := func(f func(p *subject, until time.Time) float64) func(*subject, time.Time) (float64, float64, bool) {
		return func(p *subject, until time.Time) (float64, float64, bool) { return f(p, until), 0, true }
	}
	return metrics, []func(*subject, time.Time) (float64, float64, bool){
		all(func(p *subject, u time.Time) float64 { return float64(min(1, len(p.within("Buy", 0, w, u)))) }),
		all(func(p *subject, u time.Time) float64 { return float64(len(p.within("Buy", 6, w, u))) }),
		all(func(p *subject, u time.Time) float64 { return p.sum("Buy", 0, w, u) }),
		all(func(p *subject, u time.Time) (y float64) {
			for _, h := range p.within("Buy", 0, w, u) {
				if h.item != "book" && h.revenue > 5 {
					y += h.revenue
				}
			}
			return y
		}),
		all(func(p *subject, u time.Time) float64 { return p.sum("Buy", 0, w, u) - p.cost(w, u)/4 }),
		func(p *subject, u time.Time) (float64, float64, bool) {
			return p.sum("Buy", 0, w, u), float64(len(p.within("View", 0, w, u))), true
		},
		func(p *subject, u time.Time) (float64, float64, bool) {
			return float64(min(1, len(p.within("View", 24, 72, u)))), 0, p.passed(72, u)
		},
		all(func(p *subject, u time.Time) float64 {
			step := 0
			for _, h := range p.within("", 0, w, u) {
				if step < 3 && h.name == []string{"View", "Cart", "Buy"}[step] {
					step++
				}
			}
			return float64(step / 3)
		}),
		func(p *subject, u time.Time) (float64, float64, bool) {
			if list := p.within("Buy", 0, w, u); len(list) > 0 {
				return list[0].hours, 0, p.passed(w, u)
			}
			return w, 0, p.passed(w, u)
		},
		all(func(p *subject, u time.Time) float64 { return min(20, p.sum("Buy", 0, w, u)) }),
	}
}

func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-9*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
}

// checkWorld compares the sums of a cell with those of the people themselves.
func checkWorld(t *testing.T, w *world, c *SumsCell, until time.Time, with func(p *subject) bool) {
	t.Helper()
	_, values := worldMetrics()
	for i, value := range values {
		var n, nonZero int64
		var y, yy, d, dd, yd float64
		for _, p := range w.people {
			if p.arm != c.Variant || !with(p) || !p.passed(0, until) {
				continue
			}
			v, u, counts := value(p, until)
			if !counts {
				continue
			}
			n++
			if v != 0 {
				nonZero++
			}
			y, yy, d, dd, yd = y+v, yy+v*v, d+u, dd+u*u, yd+v*u
		}
		s := &c.Metrics[i]
		if s.Units != n || !near(s.Y, y) || !near(s.YY, yy) || !near(s.D, d) || !near(s.DD, dd) || !near(s.YD, yd) || (s.Kind != TimeToEventKind && s.NonZero != nonZero) {
			t.Errorf("%s %v day %s, metric %d (%s): %d units %d non-zero Σy %g Σy² %g Σd %g Σd² %g Σyd %g,\nwant %d %d %g %g %g %g %g", c.Variant, c.Values, c.Day.Format(time.DateOnly), i, s.Kind,
				s.Units, s.NonZero, s.Y, s.YY, s.D, s.DD, s.YD, n, nonZero, y, yy, d, dd, yd)
		}
	}
}

func worldRequest(w *world, metrics []Metric) SumsRequest {
	for i := range metrics {
		metrics[i].normalise()
	}
	return SumsRequest{Experiment: "world", DecisionPoint: "home-hero", Metrics: metrics, At: w.at, AsOf: w.at}
}

func everyone(*subject) bool { return true }

// The sums of every kind of metric are those of the raw log: as a whole, by day,
// by phase and by dimension.
func TestSumsAreThoseOfThePeople(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	w := makeWorld(t, db, 400, 11)
	metrics, _ := worldMetrics()
	for i := range metrics {
		metrics[i].normalise()
		if err := metrics[i].validate().Err(); err != nil {
			t.Fatalf("metric %d: %v", i, err)
		}
	}
	r := worldRequest(w, metrics)
	table, err := s.Sums(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Cells) != 2 {
		t.Fatalf("%d cells", len(table.Cells))
	}
	for i := range table.Cells {
		checkWorld(t, w, &table.Cells[i], w.at, everyone)
	}
	if c := table.Caps[9]; c == nil || *c != 20 || table.Cells[0].Metrics[9].Capped == 0 || table.Cells[0].Metrics[9].UncappedY <= table.Cells[0].Metrics[9].Y {
		t.Errorf("the cap is %v of %+v", c, table.Cells[0].Metrics[9])
	}
	if f := table.Cells[0].Metrics[7].Funnel; len(f) != 3 || f[0] < f[1] || f[1] < f[2] || f[2] != table.Cells[0].Metrics[7].NonZero {
		t.Errorf("the funnel is %v", f)
	}

	r.By = Breakdown{Kind: ByDay}
	if table, err = s.Sums(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	days := map[time.Time]bool{}
	for i := range table.Cells {
		c := &table.Cells[i]
		days[c.Day] = true
		until := c.Day.Add(24*time.Hour - time.Millisecond)
		if until.After(w.at) {
			until = w.at
		}
		checkWorld(t, w, c, until, everyone)
	}
	if len(days) != 9 {
		t.Errorf("%d days", len(days))
	}

	border := testEpoch.Add(50 * time.Hour)
	r.By = Breakdown{Kind: ByPhase, Phases: []time.Time{border}}
	if table, err = s.Sums(t.Context(), r); err != nil || len(table.Cells) != 4 {
		t.Fatalf("%d cells, %v", len(table.Cells), err)
	}
	for i := range table.Cells {
		c := &table.Cells[i]
		checkWorld(t, w, c, w.at, func(p *subject) bool { return (p.exposed >= 50) == (c.Phase == 1) })
	}

	r.By = Breakdown{Kind: ByDimension, Dimensions: []string{"trait.country"}}
	if table, err = s.Sums(t.Context(), r); err != nil || len(table.Cells) != 8 {
		t.Fatalf("%d cells, %v", len(table.Cells), err)
	}
	for i := range table.Cells {
		c := &table.Cells[i]
		checkWorld(t, w, c, w.at, func(p *subject) bool {
			return p.country == c.Values[0] || (p.country == "" && c.Values[0] == UnknownValue)
		})
	}
}

// Covariates: the metric's own past, of a ratio both parts, and a trait.
func TestSumsOfCovariates(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	w := makeWorld(t, db, 300, 12)
	metrics := []Metric{
		{Kind: MeanKind, Event: "Buy", Property: "revenue", WindowHours: 48},
		{Kind: RatioKind, Event: "Buy", Property: "revenue", WindowHours: 48, Denominator: "event:View"},
	}
	r := worldRequest(w, metrics)
	r.Covariates = &CovariateRequest{Days: 2, Traits: []string{"history"}}
	table, err := s.Sums(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range table.Cells {
		c := &table.Cells[i]
		want := stats.Covariates{}
		var past stats.AdjustedRatio
		var missing int64
		for _, p := range w.people {
			if p.arm != c.Variant {
				continue
			}
			y, x := p.sum("Buy", 0, 48, w.at), p.sum("Buy", -48, 0, w.at)
			h := p.history
			if math.IsNaN(h) {
				h, missing = 0, missing+1
			}
			want.Add(y, x, h)
			d, e := float64(len(p.within("View", 0, 48, w.at))), float64(len(p.within("View", -48, 0, w.at)))
			past.N++
			past.Numerator, past.PreNumerator, past.NumeratorPreNumerator = past.Numerator+y, past.PreNumerator+x, past.NumeratorPreNumerator+x*y
			past.Denominator, past.PreDenominator = past.Denominator+d, past.PreDenominator+e
			past.DenominatorPreNumerator, past.NumeratorPreDenominator = past.DenominatorPreNumerator+d*x, past.NumeratorPreDenominator+y*e
			past.PreProducts, past.DenominatorPreDenominator = past.PreProducts+x*e, past.DenominatorPreDenominator+d*e
		}
		got := c.Metrics[0].Adjusted().(stats.Covariates)
		if got.N != want.N || !near(got.Sum, want.Sum) || !slices.EqualFunc(got.CovariateSums, want.CovariateSums, near) || !slices.EqualFunc(got.Products, want.Products, near) {
			t.Errorf("%s: %+v, want %+v", c.Variant, got, want)
		}
		if m := c.Metrics[0].Covariates[1].Missing; m != missing {
			t.Errorf("%s: the trait is missing of %d, want %d", c.Variant, m, missing)
		}
		ratio := c.Metrics[1].Adjusted().(stats.AdjustedRatio)
		for name, pair := range map[string][2]float64{
			"Σm′": {ratio.PreNumerator, past.PreNumerator}, "Σd′": {ratio.PreDenominator, past.PreDenominator},
			"Σmm′": {ratio.NumeratorPreNumerator, past.NumeratorPreNumerator}, "Σdd′": {ratio.DenominatorPreDenominator, past.DenominatorPreDenominator},
			"Σdm′": {ratio.DenominatorPreNumerator, past.DenominatorPreNumerator}, "Σmd′": {ratio.NumeratorPreDenominator, past.NumeratorPreDenominator},
			"Σm′d′": {ratio.PreProducts, past.PreProducts},
		} {
			if !near(pair[0], pair[1]) {
				t.Errorf("%s: %s is %g, want %g", c.Variant, name, pair[0], pair[1])
			}
		}
	}
}

// Quantiles of people and of events, and a cap that is a quantile over both arms.
func TestSumsOfQuantiles(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	w := makeWorld(t, db, 700, 13)
	revenue := Metric{Kind: QuantileKind, Event: "Buy", Property: "revenue", WindowHours: 90}
	people, some, events := revenue, revenue, revenue
	people.Quantile = &QuantileOf{Level: .9}
	some.Quantile = &QuantileOf{Level: .5, IgnoreZeros: true}
	events.Quantile = &QuantileOf{Level: .75, Of: QuantileOfEvents}
	capped := Metric{Kind: MeanKind, Event: "Buy", Property: "revenue", WindowHours: 90, Cap: &Cap{Quantile: .95}}
	cappedSome := capped
	cappedSome.Cap = &Cap{Quantile: .8, IgnoreZeros: true}
	table, err := s.Sums(t.Context(), worldRequest(w, []Metric{people, some, events, capped, cappedSome}))
	if err != nil {
		t.Fatal(err)
	}
	at := func(values []float64, level float64) float64 { // type 7, written another way
		sort.Float64s(values)
		h := level * float64(len(values)-1)
		low, high := values[int(math.Floor(h))], values[int(math.Ceil(h))]
		return low*(1-(h-math.Floor(h))) + high*(h-math.Floor(h))
	}
	var pooled, pooledSome []float64
	for i := range table.Cells {
		c := &table.Cells[i]
		var all, nonZero []float64
		var clusters [][]float64
		for _, p := range w.people {
			if p.arm != c.Variant {
				continue
			}
			v := p.sum("Buy", 0, 90, w.at)
			all = append(all, v)
			if v != 0 {
				nonZero = append(nonZero, v)
			}
			var own []float64
			for _, h := range p.within("Buy", 0, 90, w.at) {
				own = append(own, h.revenue)
			}
			clusters = append(clusters, own)
		}
		pooled, pooledSome = append(pooled, all...), append(pooledSome, nonZero...)
		wantPeople, err1 := stats.QuantileOf(all, .9)
		wantSome, err2 := stats.QuantileOf(nonZero, .5)
		wantEvents, err3 := stats.ClusteredQuantileOf(clusters, .75)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
		for j, want := range []stats.Quantile{wantPeople, wantSome, wantEvents} {
			got := c.Metrics[j].Quantile
			if got == nil || got.N != want.N || got.Grid != want.Grid || !near(got.Value, want.Value) || !near(got.Lower, want.Lower) || !near(got.Upper, want.Upper) {
				t.Errorf("%s, quantile %d: %+v, want %+v", c.Variant, j, got, want)
				continue
			}
			if want.Clusters != nil && *got.Clusters != *want.Clusters {
				t.Errorf("%s: clusters %+v, want %+v", c.Variant, *got.Clusters, *want.Clusters)
			}
		}
	}
	for i, want := range []float64{at(pooled, .95), at(pooledSome, .8)} {
		if got := table.Caps[3+i]; got == nil || !near(*got, want) {
			t.Errorf("cap %d is %v, want %g", i, got, want)
			continue
		}
		var capped, whole float64
		for _, p := range w.people {
			v := p.sum("Buy", 0, 90, w.at)
			capped, whole = capped+min(v, want), whole+v
		}
		a, b := &table.Cells[0].Metrics[3+i], &table.Cells[1].Metrics[3+i]
		if !near(a.Y+b.Y, capped) || !near(a.UncappedY+b.UncappedY, whole) {
			t.Errorf("capped to %g: %g of %g, want %g of %g", want, a.Y+b.Y, a.UncappedY+b.UncappedY, capped, whole)
		}
	}
}

// What is no number is counted and not added; a name that nobody ever sent is told.
func TestSumsOfWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	insert(t, db, exposureColumns, 20, func(i int) []any {
		return []any{"world", []string{"a", "b"}[i%2], fmt.Sprint("n", i), testEpoch}
	})
	values := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1, 2, 3}
	insert(t, db, eventColumns, len(values), func(i int) []any {
		return []any{fmt.Sprint(i), "track", "Buy", "n0", testEpoch.Add(time.Minute), map[string]float64{"revenue": values[i]}}
	})
	at := testEpoch.Add(time.Hour)
	metrics := []Metric{
		{Kind: MeanKind, Event: "Buy", Property: "revenue"},
		{Kind: MeanKind, Event: "Bought", Property: "revenue"},
		{Kind: RatioKind, Event: "Buy", Property: "revenue", Denominator: "event:Veiw"},
		{Kind: FunnelKind, Steps: []FunnelStep{{Event: "Buy"}, {Event: "Unbuy"}}},
	}
	table, err := s.Sums(t.Context(), SumsRequest{Experiment: "world", Metrics: metrics, At: at, AsOf: at})
	if err != nil {
		t.Fatal(err)
	}
	if m := table.Cells[0].Metrics[0]; m.Y != 6 || m.YY != 36 || m.NotFinite != 3 || m.Events != 6 || m.Missing != 0 {
		t.Errorf("%+v", m)
	}
	if got := fmt.Sprint(table.Unseen); got != "[[] [Bought] [Veiw] [Unbuy]]" {
		t.Errorf("unseen: %s", got)
	}
	put(t, s.metrics, "typo", metrics[1])
	e := halves()
	e.Metrics = []string{"typo"}
	put(t, s.experiments, "world", e)
	r, err := s.Report(t.Context(), "world", "")
	if err != nil || r.Metrics[0].Problem == "" {
		t.Errorf("a report on an event that nobody sent: %+v, %v", r, err)
	}
}

// A preview is the metric over people as they came, and says what is missing.
func TestPreview(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	w := makeWorld(t, db, 300, 15)
	s.now = func() time.Time { return w.at.Add(30 * 24 * time.Hour) }
	m := Metric{Kind: MeanKind, Event: "Buy", Property: "revenue", WindowHours: 400, Cap: &Cap{Quantile: .9}}
	p, err := s.Preview(t.Context(), m, 60)
	if err != nil {
		t.Fatal(err)
	}
	// From their first event on, which is the identify call or a happening before it, all counts.
	var n, nonZero int64
	var values []float64
	for _, q := range w.people {
		n++
		var y float64
		for _, h := range q.happened {
			if h.name == "Buy" {
				y += h.revenue
			}
		}
		if y != 0 {
			nonZero++
		}
		values = append(values, y)
	}
	sort.Float64s(values)
	h := .9 * float64(len(values)-1)
	bound := values[int(h)] + (h-math.Floor(h))*(values[int(h)+1]-values[int(h)])
	var sum float64
	for _, v := range values {
		sum += min(v, bound)
	}
	if p.People != n || p.Mean == nil || !near(*p.Mean, sum/float64(n)) || p.Zeros == nil || !near(*p.Zeros, 1-float64(nonZero)/float64(n)) || p.Cap == nil || !near(*p.Cap, bound) {
		t.Errorf("%+v, want %d people, mean %g, cap %g", p, n, sum/float64(n), bound)
	}
	if last := p.Quantiles[len(p.Quantiles)-1]; last.Level != 1 || last.Value != values[len(values)-1] {
		t.Errorf("quantiles: %+v", p.Quantiles)
	}
	if p, err = s.Preview(t.Context(), Metric{Kind: CountKind, Event: "Byu"}, 60); err != nil || len(p.Unseen) != 1 || p.Problem == "" {
		t.Errorf("a preview of an event that nobody sent: %+v, %v", p, err)
	}
	if _, err = s.Preview(t.Context(), Metric{Kind: "median", Event: "Buy"}, 0); err == nil {
		t.Error("a preview of a bad metric")
	}
	put(t, s.metrics, "spend", m)
	put(t, s.experiments, "world", halves())
	for _, q := range []Metric{{Kind: QuantileKind, Event: "Buy", Property: "revenue", Quantile: &QuantileOf{Level: .9}}, {Kind: FunnelKind, Steps: []FunnelStep{{Event: "View"}, {Event: "Buy"}}}, {Kind: RetentionKind, Event: "View", FromDays: 1, ToDays: 9}} {
		if p, err := s.Preview(t.Context(), q, 60); err != nil || p.Mean == nil || *p.Mean < 0 {
			t.Errorf("%s: %+v, %v", q.Kind, p, err)
		}
	}
	statement, err := s.Statement("spend", "world", w.at)
	if err != nil || len(statement.Columns) == 0 || slices.Contains(statement.Columns, "sum") {
		t.Fatalf("%+v, %v", statement, err)
	}
	rows, err := db.Read.Query(t.Context(), statement.SQL)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row resultRow
		if err := rows.Scan(&row.row, &row.arm, &row.cell, &row.units, &row.mixed, &row.numbers); err != nil {
			t.Fatal(err)
		}
		if row.row == sumsRow && len(row.numbers) != len(statement.Columns) {
			t.Errorf("%d numbers for the columns %q", len(row.numbers), statement.Columns)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}
