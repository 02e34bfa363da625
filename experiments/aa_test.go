package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"quintet/experiments/assignment"
	"quintet/experiments/stats"
	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
	"quintet/internal/problem"
)

// pastPerson is what a person of the drawn history did, in hours after testEpoch.
type pastPerson struct {
	id    string
	first float64
	buys  []pastOrder
	visit int
}

type pastOrder struct{ at, revenue float64 }

// drawHistory puts people with skewed revenue into the log: a visit first, more
// visits after it, and orders of some, of which a few come after the window.
func drawHistory(t *testing.T, db *clickhouse.Database, n int) []pastPerson {
	t.Helper()
	r := rand.New(rand.NewPCG(42, 7))
	people := make([]pastPerson, n)
	var rows [][]any
	event := func(name, who string, hours float64, numbers map[string]float64) {
		at := testEpoch.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Millisecond)
		rows = append(rows, []any{fmt.Sprint("m", len(rows)), "track", name, who, at, numbers})
	}
	for i := range people {
		p := pastPerson{id: fmt.Sprint("person-", i), first: 24 * 10 * r.Float64()}
		event("Visit", p.id, p.first, nil)
		p.visit = 1 + r.IntN(4)
		for range p.visit - 1 {
			event("Visit", p.id, p.first+20*r.Float64(), nil)
		}
		for range r.IntN(4) {
			if r.Float64() < 0.6 {
				continue
			}
			o := pastOrder{at: p.first + 60*r.Float64(), revenue: math.Round(1000*r.ExpFloat64()) / 8}
			p.buys = append(p.buys, o)
			event("Order Completed", p.id, o.at, map[string]float64{"revenue": o.revenue})
		}
		people[i] = p
	}
	insert(t, db, eventColumns, len(rows), func(i int) []any { return rows[i] })
	return people
}

// TestReplayAA compares a replay with one that is computed in Go from the drawn
// people: the arms by Bucket, the sums by adding up, every p-value by itself.
func TestReplayAA(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	people := drawHistory(t, db, 3000)
	s.now = func() time.Time { return testEpoch.Add(20 * 24 * time.Hour) }
	put(t, s.metrics, "revenue", Metric{Kind: MeanKind, Event: "Order Completed", Property: "revenue", WindowHours: 48})
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Order Completed", WindowHours: 48})
	put(t, s.metrics, "per-visit", Metric{Kind: RatioKind, Event: "Order Completed", Property: "revenue", Denominator: "event:Visit", WindowHours: 48})
	put(t, s.metrics, "capped", Metric{Kind: MeanKind, Event: "Order Completed", Property: "revenue", WindowHours: 48, Cap: &Cap{Value: 100}})
	const replays = 60
	value := func(metric string, p pastPerson) (y, d float64) {
		for _, o := range p.buys {
			if o.at < p.first+48 {
				y += o.revenue
			}
		}
		switch {
		case metric == "buyers" && y > 0:
			y = 1
		case metric == "capped":
			y = math.Min(y, 100)
		}
		return y, float64(p.visit)
	}
	for _, metric := range []string{"revenue", "buyers", "per-visit", "capped"} {
		t.Run(metric, func(t *testing.T) {
			got, err := s.ReplayAA(t.Context(), metric, ReplayOptions{Replays: replays, Days: 30})
			if err != nil {
				t.Fatal(err)
			}
			if got.People != 3000 || got.Sampled || got.Replays != replays {
				t.Errorf("%d people, %d replays, sampled %t", got.People, got.Replays, got.Sampled)
			}
			var p []float64
			for i := range replays {
				var arms [2]stats.Ratio
				for _, person := range people {
					a := &arms[assignment.Weighted(assignment.Bucket(fmt.Sprintf("%s/aa/%d", metric, i), person.id), []float64{0.5, 0.5})]
					y, d := value(metric, person)
					a.N++
					a.Numerator += y
					a.NumeratorSquares += y * y
					a.Denominator += d
					a.DenominatorSquares += d * d
					a.Products += y * d
				}
				sample := func(a stats.Ratio) stats.Sample {
					switch metric {
					case "buyers":
						return stats.Proportion{N: a.N, Successes: int64(a.Numerator)}
					case "per-visit":
						return a
					}
					return stats.Mean{N: a.N, Sum: a.Numerator, SumSquares: a.NumeratorSquares}
				}
				e, err := stats.Compare(sample(arms[0]), sample(arms[1]), stats.AbsoluteScale, stats.Options{})
				if err != nil {
					t.Fatal(err)
				}
				p = append(p, e.PValue)
			}
			want, err := stats.CheckUniform(p, 0)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got.Distance-want.Distance) > 1e-9 || math.Abs(got.PValue-want.PValue) > 1e-9 || got.Rejected != want.Rejected || fmt.Sprint(got.Deciles) != fmt.Sprint(want.Deciles[:]) {
				t.Errorf("the replay has %+v, computed in Go %+v", got, want)
			}
			if !got.Passed {
				t.Errorf("not uniform: %s", got.Detail)
			}
		})
	}
}

// TestReplayAmongExposed replays on the people of an experiment, and finds a metric
// on which the test cannot keep its level: nearly all of it comes from one of them.
func TestReplayAmongExposed(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	people := drawHistory(t, db, 2000)
	s.now = func() time.Time { return testEpoch.Add(30 * 24 * time.Hour) }
	put(t, s.metrics, "revenue", Metric{Kind: MeanKind, Event: "Order Completed", Property: "revenue", WindowHours: 48})
	put(t, s.experiments, "hero", Experiment{Variants: []Variant{{Key: "a", Control: true, Weight: 0.5}, {Key: "b", Weight: 0.5}}})
	insert(t, db, exposureColumns, 500, func(i int) []any {
		return []any{"hero", []string{"a", "b"}[i%2], people[i].id, testEpoch.Add(time.Duration(people[i].first * float64(time.Hour)))}
	})
	got, err := s.ReplayAA(t.Context(), "revenue", ReplayOptions{Experiment: "hero"})
	if err != nil {
		t.Fatal(err)
	}
	if got.People != 500 || got.Replays != defaultReplays || !got.Passed || got.From.Before(testEpoch) {
		t.Errorf("%+v", got)
	}
	t.Logf("%d replays among %d exposed: p %.3f, rejected %.3f", got.Replays, got.People, got.PValue, got.Rejected)
	again, err := s.ReplayAA(t.Context(), "revenue", ReplayOptions{Experiment: "hero", Salt: "other"})
	if err != nil || again.Distance == got.Distance {
		t.Errorf("another salt gives the same replays: %v", err)
	}
	insert(t, db, eventColumns, 60, func(i int) []any {
		price := 1.0
		if i == 0 {
			price = 1e6
		}
		return []any{fmt.Sprint("boat", i), "track", "Boat Bought", people[i].id, testEpoch.Add(time.Duration((people[i].first + 1) * float64(time.Hour))), map[string]float64{"price": price}}
	})
	put(t, s.metrics, "boats", Metric{Kind: MeanKind, Event: "Boat Bought", Property: "price", WindowHours: 48})
	whale, err := s.ReplayAA(t.Context(), "boats", ReplayOptions{Experiment: "hero"})
	if err != nil || whale.Passed || whale.Rejected != 0 {
		t.Errorf("one yacht among boats: %+v, %v", whale, err)
	}
}

// TestBaseline compares mean and variance with those of the drawn people.
func TestBaseline(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	people := drawHistory(t, db, 1500)
	s.now = func() time.Time { return testEpoch.Add((10*24 + 48) * time.Hour) }
	put(t, s.metrics, "revenue", Metric{Kind: MeanKind, Event: "Order Completed", Property: "revenue", WindowHours: 48})
	got, err := s.Baseline(t.Context(), "revenue", 10)
	if err != nil {
		t.Fatal(err)
	}
	var want stats.Moments
	for _, p := range people {
		y := 0.0
		for _, o := range p.buys {
			if o.at < p.first+48 {
				y += o.revenue
			}
		}
		want.Add(y)
	}
	e, err := want.Estimate()
	if err != nil {
		t.Fatal(err)
	}
	if got.People != 1500 || got.PeoplePerDay != 150 || math.Abs(got.Mean-e.Mean) > 1e-9*e.Mean || math.Abs(got.Variance-e.Variance) > 1e-9*e.Variance {
		t.Errorf("%+v, drawn %+v", got, e)
	}
}

func TestHistoryRefusals(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Order Completed"})
	put(t, s.metrics, "median", Metric{Kind: QuantileKind, Event: "Order Completed", Property: "revenue", Quantile: &QuantileOf{Level: 0.5}})
	for name, c := range map[string]struct {
		metric string
		o      ReplayOptions
		field  string
	}{
		"few replays":  {"buyers", ReplayOptions{Replays: 19}, "query.replays"},
		"many replays": {"buyers", ReplayOptions{Replays: maxReplays + 1}, "query.replays"},
		"days":         {"buyers", ReplayOptions{Days: -1}, "query.days"},
		"level":        {"buyers", ReplayOptions{Level: 2}, "query.level"},
		"quantile":     {"median", ReplayOptions{}, "path.key"},
		"nobody":       {"buyers", ReplayOptions{}, "path.key"},
	} {
		_, err := s.ReplayAA(t.Context(), c.metric, c.o)
		var bad problem.Invalid
		if !errors.As(err, &bad) || bad[0].Field != c.field {
			t.Errorf("%s: %v, want a refusal of %s", name, err, c.field)
		}
	}
	var missing *problem.Error
	if _, err := s.ReplayAA(t.Context(), "none", ReplayOptions{}); !errors.As(err, &missing) {
		t.Errorf("no such metric: %v", err)
	}
	if _, err := s.ReplayAA(t.Context(), "buyers", ReplayOptions{Experiment: "none"}); !errors.As(err, &missing) {
		t.Errorf("no such experiment: %v", err)
	}
	var bad problem.Invalid
	if _, err := s.Baseline(t.Context(), "buyers", 0); !errors.As(err, &bad) || bad[0].Field != "query.days" {
		t.Errorf("baseline of nobody: %v", err)
	}
}

func TestHistoryRoutes(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	drawHistory(t, db, 400)
	s.now = func() time.Time { return testEpoch.Add(20 * 24 * time.Hour) }
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Order Completed", WindowHours: 48})
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: tokens{}})
	s.Routes(srv)
	for path, c := range map[string]struct {
		status int
		says   string
	}{
		"/v1/metrics/buyers/aa?replays=40":      {http.StatusOK, `"replays":40`},
		"/v1/metrics/buyers/aa?replays=5":       {http.StatusUnprocessableEntity, "query.replays"},
		"/v1/metrics/buyers/aa?days=1000":       {http.StatusUnprocessableEntity, "query.days"},
		"/v1/metrics/none/aa":                   {http.StatusNotFound, "none"},
		"/v1/metrics/buyers/baseline?days=20":   {http.StatusOK, `"people":400`},
		"/v1/metrics/buyers/baseline?days=zero": {http.StatusUnprocessableEntity, "query.days"},
	} {
		if w := call(srv, "reader", "GET", path, ""); w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %d %s; want %d with %s", path, w.Code, w.Body, c.status, c.says)
		}
	}
}
