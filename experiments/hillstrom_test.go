package experiments

import (
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"quintet/internal/enginetest"
	"quintet/internal/problem"
)

// hillstromJSON is written by testdata/hillstrom.py with NumPy, SciPy, pandas and
// statsmodels, from the single rows of the published data set.
//
//go:embed testdata/hillstrom.json
var hillstromJSON []byte

type hillstromFigure struct {
	Estimate, Lower, Upper, StandardError, PValue, Value float64
	Units, People                                        int64
}

// TestHillstromInDepth compares what the report makes of the published e-mail
// experiment by CUPED, by dimension, of quantiles and always-valid with figures that
// were computed from its rows by other means.
func TestHillstromInDepth(t *testing.T) {
	t.Parallel()
	var want struct {
		CUPED, Regression, Dimension, Quantile, QuantileEffect, AlwaysValid map[string]hillstromFigure
		Skewness                                                            map[string]float64
	}
	if err := json.Unmarshal(hillstromJSON, &want); err != nil {
		t.Fatal(err)
	}
	s := hillstromService(t)
	put(t, s.experiments, "hillstrom", Experiment{Metrics: []string{"visit", "conversion", "spend", "typical-order"},
		Analysis: &Analysis{NStar: 30000, Cuped: &Cuped{Covariates: []string{"history"}}, Dimensions: []string{"trait.channel"}},
		Variants: []Variant{{Key: "none", Weight: 1. / 3, Control: true}, {Key: "mens", Weight: 1. / 3}, {Key: "womens", Weight: 1. / 3}}})
	r, err := s.ReportAt(t.Context(), "hillstrom", ReportOptions{Dimension: "trait.channel"})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		compared++
		if !(math.Abs(got-want) <= tolerance*math.Max(math.Abs(want), 1e-3)) {
			t.Errorf("%s is %.12g, by other means %.12g", what, got, want)
		}
	}
	if !r.ChecksPassed {
		t.Errorf("checks: %+v", r.Checks)
	}
	for _, m := range r.Metrics[:3] {
		for _, e := range m.Effects {
			name := m.Key + " " + e.Variant
			f := want.CUPED[name]
			near(name+" cuped", e.Adjusted.Absolute.Estimate, f.Estimate, 1e-9)
			near(name+" cuped lower", e.Adjusted.Absolute.Lower, f.Lower, 1e-9)
			near(name+" cuped upper", e.Adjusted.Absolute.Upper, f.Upper, 1e-9)
			near(name+" cuped error", e.Adjusted.Absolute.StandardError, f.StandardError, 1e-9)
			near(name+" cuped p", *e.Adjusted.PValue, f.PValue, 1e-6)
			near(name+" by regression", e.Adjusted.Absolute.Estimate, want.Regression[name].Estimate, 1e-3)
			near(name+" error by regression", e.Adjusted.Absolute.StandardError, want.Regression[name].StandardError, 1e-3)
			near(name+" always valid, lower", e.Sequential.Absolute.Lower, want.AlwaysValid[name].Lower, 1e-9)
			near(name+" always valid, upper", e.Sequential.Absolute.Upper, want.AlwaysValid[name].Upper, 1e-9)
		}
	}
	for _, value := range r.Dimension.Values {
		for _, m := range value.Metrics {
			for _, e := range m.Effects {
				name := fmt.Sprintf("%s %s %s", m.Key, e.Variant, value.Value)
				if f, ok := want.Dimension[name]; ok {
					near(name, e.Absolute.Estimate, f.Estimate, 1e-9)
					near(name+" lower", e.Absolute.Lower, f.Lower, 1e-9)
					near(name+" upper", e.Absolute.Upper, f.Upper, 1e-9)
					near(name+" p", *e.PValue, f.PValue, 1e-6)
				}
			}
		}
	}
	order := &r.Metrics[3]
	for _, a := range order.Arms {
		near("typical order of "+a.Variant, *a.Mean, want.Quantile[a.Variant].Value, 1e-9)
		near("error of the typical order of "+a.Variant, *a.StandardError, want.Quantile[a.Variant].StandardError, 1e-9)
	}
	for _, e := range order.Effects {
		near("typical order "+e.Variant, e.Absolute.Estimate, want.QuantileEffect[e.Variant].Estimate, 1e-9)
		near("error of typical order "+e.Variant, e.Absolute.StandardError, want.QuantileEffect[e.Variant].StandardError, 1e-9)
	}
	if wanted := 6*9 + 12*4 + 3*2 + 2*2; compared != wanted {
		t.Errorf("%d figures were compared, want %d", compared, wanted)
	}
	// A metric as skewed as spend asks for more people than there are, and is no reason
	// to recommend anything.
	for _, e := range r.Metrics[2].Effects {
		if e.Enough == nil || e.Enough.Enough || *e.Enough.Skewness < 15 {
			t.Errorf("spend of %s: %+v", e.Variant, e.Enough)
		}
	}
	if r.Recommendation.Action != ShipVariant || r.Recommendation.Variant != "mens" {
		t.Errorf("%+v", r.Recommendation)
	}
}

// Strata of a trait that has nothing to do with the split change the estimate little
// and the interval hardly at all.
func TestHillstromByStrata(t *testing.T) {
	t.Parallel()
	s := hillstromService(t)
	put(t, s.experiments, "hillstrom", Experiment{Metrics: []string{"visit", "spend", "typical-order"}, Analysis: &Analysis{PostStratify: []string{"trait.channel"}},
		Variants: []Variant{{Key: "none", Weight: 1. / 3, Control: true}, {Key: "mens", Weight: 1. / 3}, {Key: "womens", Weight: 1. / 3}}})
	r, err := s.ReportAt(t.Context(), "hillstrom", ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Metrics[:2] {
		for _, e := range m.Effects {
			if e.Adjusted == nil || e.Adjusted.Absolute == nil || *e.Adjusted.VarianceReduction < -.01 || *e.Adjusted.VarianceReduction > .1 ||
				math.Abs(e.Adjusted.Absolute.Estimate-e.Absolute.Estimate) > .1*e.Absolute.StandardError || !e.Decisive.Adjusted || !strings.Contains(e.Adjusted.By, "trait.channel") {
				t.Errorf("%s of %s: %+v", m.Key, e.Variant, e.Adjusted)
			}
		}
	}
	if e := r.Metrics[2].Effects[0]; e.Adjusted != nil {
		t.Errorf("a quantile has no strata: %+v", e.Adjusted)
	}
	spend := r.Metrics[1].Distribution
	if len(spend) != 3 || spend[0].People != 122 || math.Abs(*spend[0].Quantile[2].Value-88.365) > 1e-9 || math.Abs(*spend[1].Quantile[4].Value-262.79) > 1e-9 {
		t.Errorf("orders spread as %+v", spend)
	}
	var bad problem.Invalid
	if _, err := s.ReportAt(t.Context(), "hillstrom", ReportOptions{Dimension: "colour"}); !errors.As(err, &bad) || bad[0].Field != "query.dimension" {
		t.Errorf("a dimension that is none: %v", err)
	}
}

// hillstromService has the data set in its log: profiles with traits, exposures,
// visits and orders.
func hillstromService(t *testing.T) *Service {
	t.Helper()
	f, err := os.Open(enginetest.SharedFile(t, "hillstrom.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	rows = rows[1:]
	cell := func(i int, name string) string { return rows[i][column[name]] }
	arms := map[string]string{"No E-Mail": "none", "Mens E-Mail": "mens", "Womens E-Mail": "womens"}
	s, db := open(t)
	unit := func(i int) string { return fmt.Sprint("c", i) }
	insert(t, db, exposureColumns, len(rows), func(i int) []any {
		return []any{"hillstrom", arms[cell(i, "segment")], unit(i), testEpoch}
	})
	insert(t, db, "events (message_id, type, event, profile_id, timestamp, traits)", len(rows), func(i int) []any {
		traits := fmt.Sprintf(`{"history":%s,"channel":%q}`, cell(i, "history"), cell(i, "channel"))
		return []any{fmt.Sprint("i", i), "identify", "$identify", unit(i), testEpoch.Add(-time.Hour), traits}
	})
	insert(t, db, eventColumns, len(rows), func(i int) []any {
		if cell(i, "visit") != "1" {
			return nil
		}
		return []any{fmt.Sprint("v", i), "track", "Visited", unit(i), testEpoch.Add(time.Hour), map[string]float64{}}
	})
	insert(t, db, eventColumns, len(rows), func(i int) []any {
		spend, err := strconv.ParseFloat(cell(i, "spend"), 64)
		if err != nil || spend == 0 {
			return nil
		}
		return []any{fmt.Sprint("o", i), "track", "Order Completed", unit(i), testEpoch.Add(2 * time.Hour), map[string]float64{"revenue": spend}}
	})
	put(t, s.metrics, "visit", Metric{Kind: ProportionKind, Event: "Visited"})
	put(t, s.metrics, "conversion", Metric{Kind: ProportionKind, Event: "Order Completed"})
	put(t, s.metrics, "spend", Metric{Kind: RevenueKind, Event: "Order Completed"})
	put(t, s.metrics, "typical-order", Metric{Kind: QuantileKind, Event: "Order Completed", Property: "revenue", Quantile: &QuantileOf{Level: .5, IgnoreZeros: true}})
	return s
}

// A report as of a moment is the same, byte for byte, after more has come in and the
// definitions have changed.
func TestReportOfThePastStays(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	insertPeople(t, s, [3]float64{.2, .3, .25}, 3000)
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Buy", WindowHours: 24})
	e := halves()
	e.Variants = []Variant{{Key: "a", Weight: .4, Control: true}, {Key: "b", Weight: .3}, {Key: "c", Weight: .3}}
	e.Metrics, e.DecisionPoint = []string{"buyers"}, ""
	put(t, s.experiments, "guarded", e)
	now := time.Now().UTC()
	past := ReportOptions{AsOf: now}
	before := map[Format]string{}
	take := func(f Format) string {
		r, err := s.ReportAt(t.Context(), "guarded", past)
		if err != nil {
			t.Fatal(err)
		}
		return write(t, r, f)
	}
	for _, f := range Formats() {
		before[f] = take(f)
	}
	time.Sleep(5 * time.Millisecond)
	insert(t, db, "exposures (experiment, variant, unit, exposed_at, received_at)", 100, func(i int) []any {
		return []any{"guarded", "a", fmt.Sprint("new", i), testEpoch, now.Add(time.Minute)}
	})
	insert(t, db, "events (message_id, type, event, profile_id, timestamp, received_at, numbers)", 500, func(i int) []any {
		return []any{fmt.Sprint("late", i), "track", "Buy", fmt.Sprint("g", i), testEpoch.Add(time.Hour), now.Add(time.Minute), map[string]float64{}}
	})
	e.Name, e.Metrics, e.Guardrails = "Renamed", []string{"buyers", "later"}, []Guardrail{{Metric: "later"}}
	put(t, s.metrics, "later", Metric{Kind: MeanKind, Event: "Buy"})
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Else", WindowHours: 48})
	put(t, s.experiments, "guarded", e)
	for f, was := range before {
		if is := take(f); is != was {
			t.Errorf("%s has become\n%s\nand was\n%s", f, is, was)
		}
	}
	if r, err := s.ReportAt(t.Context(), "guarded", ReportOptions{}); err != nil || r.Name != "Renamed" || len(r.Metrics) != 2 || !strings.Contains(write(t, r, TextFormat), `No event named "Else"`) {
		t.Errorf("the report of now: %+v, %v", r, err)
	}
}
