package experiments

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"quintet/experiments/assignment"
	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/problem"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// open gives a service on fresh databases that have the schemas of the packages
// whose tables a report reads.
func open(t *testing.T) (*Service, *clickhouse.Database) {
	t.Helper()
	ctx := t.Context()
	db := enginetest.ClickHouse(t)
	err := db.Migrate(ctx, ClickHouseMigrations(),
		clickhouse.MigrationSet{Name: "profiles", Files: os.DirFS("../profiles/migrations/clickhouse")},
		clickhouse.MigrationSet{Name: "decide", Files: os.DirFS("../decide/migrations/clickhouse")})
	if err != nil {
		t.Fatal(err)
	}
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(ctx, pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(ctx, pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Deps{Logger: enginetest.Logger(t), Definitions: store, Postgres: pool, ClickHouse: db,
		DecisionPointExists: func(key string) bool { return key == "home-hero" }})
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

var testEpoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func insert(t *testing.T, db *clickhouse.Database, into string, n int, row func(i int) []any) {
	t.Helper()
	batch, err := db.Write.PrepareBatch(t.Context(), "INSERT INTO "+into)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if values := row(i); values != nil {
			if err := batch.Append(values...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

const (
	exposureColumns = "exposures (experiment, variant, unit, exposed_at)"
	eventColumns    = "events (message_id, type, event, profile_id, timestamp, numbers)"
	decisionColumns = "decisions (decision_id, decided_at, decision_point, profile_id, contact_cost, experiments, variants)"
)

func put[T any](t *testing.T, c *definitions.Collection[T], key string, v T) definitions.Versioned[T] {
	t.Helper()
	out, err := c.Put(t.Context(), key, v, "test", 0)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return out
}

// TestReportOfHillstrom puts the published e-mail experiment into the log and
// reads it back through definitions, SQL and statistics.
func TestReportOfHillstrom(t *testing.T) {
	t.Parallel()
	f, err := os.Open(enginetest.SharedFile(t, "hillstrom.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range records[0] {
		column[name] = i
	}
	records = records[1:]
	s, db := open(t)
	arms := map[string]string{"No E-Mail": "none", "Mens E-Mail": "mens", "Womens E-Mail": "womens"}
	insert(t, db, exposureColumns, len(records), func(i int) []any {
		return []any{"hillstrom", arms[records[i][column["segment"]]], fmt.Sprint("c", i), testEpoch}
	})
	for outcome, event := range map[string]string{"visit": "Visit", "conversion": "Order Completed"} {
		insert(t, db, eventColumns, len(records), func(i int) []any {
			if records[i][column[outcome]] != "1" {
				return nil
			}
			numbers := map[string]float64{}
			if outcome == "conversion" {
				numbers["revenue"], err = strconv.ParseFloat(records[i][column["spend"]], 64)
				if err != nil {
					t.Fatal(err)
				}
			}
			return []any{fmt.Sprint(outcome, i), "track", event, fmt.Sprint("c", i), testEpoch.Add(time.Hour), numbers}
		})
	}
	put(t, s.metrics, "visit", Metric{Kind: ProportionKind, Event: "Visit"})
	put(t, s.metrics, "conversion", Metric{Kind: ProportionKind, Event: "Order Completed"})
	put(t, s.metrics, "spend", Metric{Kind: MeanKind, Event: "Order Completed", Property: "revenue"})
	put(t, s.experiments, "hillstrom", Experiment{Metrics: []string{"visit", "conversion", "spend"}, Variants: []Variant{
		{Key: "none", Weight: 1. / 3, Control: true}, {Key: "mens", Weight: 1. / 3}, {Key: "womens", Weight: 1. / 3}}})

	r, err := s.Report(t.Context(), "hillstrom", "")
	if err != nil {
		t.Fatal(err)
	}
	if !r.ChecksPassed || !r.Checks[0].Made || r.Arms[0].Units != 21306 || r.Arms[1].Units != 21307 || r.Arms[2].Units != 21387 {
		t.Errorf("checks %+v of arms %+v", r.Checks, r.Arms)
	}
	want := [][2][3]float64{ // estimate, lower, upper of men's and women's
		{{0.07658956365, 0.06995330335, 0.08322582396}, {0.04523310659, 0.03889364222, 0.05157257096}},
		{{0.00680500652, 0.005000113104, 0.008609899935}, {0.003111057511, 0.00149863012, 0.004723484902}},
		{{0.7698271559, 0.4851397326, 1.054514579}, {0.4244122159, 0.1689567899, 0.679867642}},
	}
	for i, m := range r.Metrics {
		for j, e := range m.Effects {
			got := [3]float64{e.Absolute.Estimate, e.Absolute.Lower, e.Absolute.Upper}
			for k := range got {
				if math.Abs(got[k]-want[i][j][k]) > 1e-9 {
					t.Errorf("%s of %s: %v, want %v", m.Key, e.Variant, got, want[i][j])
					break
				}
			}
		}
		if m.Arms[0].Matured != 21306 {
			t.Errorf("%s: %d of the control matured", m.Key, m.Arms[0].Matured)
		}
	}
}

// The rules of what counts, one person each.
func TestReportCountsWhatItShould(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	at := func(hours float64) time.Time { return testEpoch.Add(time.Duration(hours * float64(time.Hour))) }
	type event struct {
		name  string
		hours float64
		value float64 // NaN: no property
		id    string
	}
	type person struct {
		exposures [][2]any // variant, hours
		events    []event
		decisions []float64 // hours; 0.25 each
		elsewhere []float64 // at another decision point
	}
	nan := math.NaN()
	people := map[string]person{
		"before":     {exposures: [][2]any{{"a", 0.}}, events: []event{{"Buy", -.001, 100, "1"}}, decisions: []float64{0}},
		"at once":    {exposures: [][2]any{{"a", 0.}}, events: []event{{"Buy", 0, 1, "2"}}, decisions: []float64{0, 1}},
		"inside":     {exposures: [][2]any{{"a", 5.}, {"a", 0.}}, events: []event{{"Buy", 23.9999, 2, "3"}, {"Other", 1, 50, "4"}}, decisions: []float64{0}},
		"too late":   {exposures: [][2]any{{"a", 0.}}, events: []event{{"Buy", 24, 100, "5"}}, decisions: []float64{0, 24}, elsewhere: []float64{1}},
		"twice sent": {exposures: [][2]any{{"b", 0.}, {"b", 0.}}, events: []event{{"Buy", 1, 4, "6"}, {"Buy", 1, 4, "6"}, {"Buy", 2, 8, "7"}}, decisions: []float64{0}},
		"no value":   {exposures: [][2]any{{"b", 0.}}, events: []event{{"Buy", 1, nan, "8"}}, decisions: []float64{0}},
		"young":      {exposures: [][2]any{{"b", 90.}}, events: []event{{"Buy", 90.5, 16, "9"}}, decisions: []float64{90}},
		"future":     {exposures: [][2]any{{"b", 200.}}, events: []event{{"Buy", 201, 100, "10"}}, decisions: []float64{200}},
		"mixed":      {exposures: [][2]any{{"b", 0.}, {"a", 1.}}, events: []event{{"Buy", 2, 100, "11"}}, decisions: []float64{0}},
		"quiet":      {exposures: [][2]any{{"a", 0.}}},
		"silent":     {exposures: [][2]any{{"b", 0.}}},
	}
	n := 0
	for unit, p := range people {
		insert(t, db, exposureColumns, len(p.exposures), func(i int) []any {
			return []any{"rules", p.exposures[i][0], unit, at(p.exposures[i][1].(float64))}
		})
		insert(t, db, eventColumns, len(p.events), func(i int) []any {
			e := p.events[i]
			numbers := map[string]float64{}
			if !math.IsNaN(e.value) {
				numbers["worth.it's"] = e.value
			}
			return []any{e.id, "track", e.name, unit, at(e.hours), numbers}
		})
		insert(t, db, decisionColumns, len(p.decisions)+len(p.elsewhere), func(i int) []any {
			n++
			point, hours := "home-hero", p.elsewhere
			if i < len(p.decisions) {
				hours = p.decisions
			} else {
				point, i = "checkout", i-len(p.decisions)
			}
			return []any{fmt.Sprint("d", n), at(hours[i]), point, unit, .25, []string{}, []string{}}
		})
	}
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Buy", WindowHours: 24})
	put(t, s.metrics, "buys", Metric{Kind: MeanKind, Event: "Buy", WindowHours: 24})
	put(t, s.metrics, "worth", Metric{Kind: MeanKind, Event: "Buy", Property: "worth.it's", WindowHours: 24, SubtractContactCost: true})
	put(t, s.metrics, "per-decision", Metric{Kind: RatioKind, Event: "Buy", Property: "worth.it's", WindowHours: 24})
	put(t, s.metrics, "per-other", Metric{Kind: RatioKind, Event: "Buy", WindowHours: 24, Denominator: "event:Other"})
	e := halves()
	e.Metrics = []string{"buyers", "buys", "worth", "per-decision", "per-other"}
	put(t, s.experiments, "rules", e)
	r, err := s.ReportAt(t.Context(), "rules", ReportOptions{At: at(100)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Arms[0].Units != 5 || r.Arms[1].Units != 4 {
		t.Errorf("arms: %+v\n%s", r.Arms, r.SQL[0])
	}
	if mixed := r.Checks[1]; !mixed.Made || !strings.HasPrefix(mixed.Detail, "1 of 10") {
		t.Errorf("multiple exposure: %+v", mixed)
	}
	sums := map[string][2]float64{ // a, b
		"buyers":       {2, 3},
		"buys":         {2, 4},
		"worth":        {3 - 5*.25, 28 - 3*.25},
		"per-decision": {3, 28},
		"per-other":    {2, 4},
	}
	denominators := map[string][2]float64{"per-decision": {5, 3}, "per-other": {1, 0}}
	for _, m := range r.Metrics {
		for i, arm := range m.Arms {
			if arm.Sum == nil || *arm.Sum != sums[m.Key][i] {
				t.Errorf("%s of %s: sum %v, want %g", m.Key, arm.Variant, arm.Sum, sums[m.Key][i])
			}
			if want, ok := denominators[m.Key]; ok && (arm.Denominator == nil || *arm.Denominator != want[i]) {
				t.Errorf("%s of %s: denominator %v, want %g", m.Key, arm.Variant, arm.Denominator, want[i])
			}
			if matured := []int64{5, 3}[i]; arm.Matured != matured {
				t.Errorf("%s of %s: %d matured, want %d", m.Key, arm.Variant, arm.Matured, matured)
			}
		}
	}
	if notes := strings.Join(r.Metrics[2].Notes, " "); !strings.Contains(notes, "1 of 6") {
		t.Errorf("notes on missing values: %q", notes)
	}
	if p := r.Metrics[4].Arms[1].Problem; !strings.Contains(p, "denominators sum to 0") {
		t.Errorf("a ratio over nothing: %q", p)
	}
	// Before anything happened.
	if r, err := s.ReportAt(t.Context(), "rules", ReportOptions{At: at(-1)}); err != nil || r.Arms[0].Units != 0 || r.Metrics[0].Effects[0].Problem == "" {
		t.Errorf("report of the past: %+v, %v", r, err)
	}
	if one, err := s.Report(t.Context(), "rules", "buyers"); err != nil || len(one.Metrics) != 1 || one.Metrics[0].Key != "buyers" {
		t.Errorf("one metric: %+v, %v", one, err)
	}
}

// The sums of one query are those of the raw values, whatever the values.
func TestReportSumsAgainstRawValues(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	random := rand.New(rand.NewPCG(1, 2))
	const people = 3000
	values := map[string][]float64{}
	spent := make([]float64, people)
	for i := range spent {
		arm := []string{"a", "b"}[i%2]
		if random.Float64() < .4 {
			spent[i] = math.Round(math.Exp(3+random.NormFloat64())*100) / 100
		}
		values[arm] = append(values[arm], spent[i])
	}
	insert(t, db, exposureColumns, people, func(i int) []any {
		return []any{"raw", []string{"a", "b"}[i%2], fmt.Sprint(i), testEpoch}
	})
	insert(t, db, eventColumns, people, func(i int) []any {
		if spent[i] == 0 {
			return nil
		}
		return []any{fmt.Sprint(i), "track", "Buy", fmt.Sprint(i), testEpoch.Add(time.Minute), map[string]float64{"revenue": spent[i]}}
	})
	put(t, s.metrics, "revenue", Metric{Kind: MeanKind, Event: "Buy", Property: "revenue"})
	e := halves()
	e.Metrics = []string{"revenue"}
	put(t, s.experiments, "raw", e)
	r, err := s.Report(t.Context(), "raw", "")
	if err != nil {
		t.Fatal(err)
	}
	for i, arm := range []string{"a", "b"} {
		var sum, squares float64
		for _, v := range values[arm] {
			sum += v
		}
		n := float64(len(values[arm]))
		for _, v := range values[arm] {
			squares += (v - sum/n) * (v - sum/n)
		}
		got, se := r.Metrics[0].Arms[i], math.Sqrt(squares/(n-1)/n)
		if got.Units != int64(n) || math.Abs(*got.Mean-sum/n) > 1e-9 || math.Abs(*got.StandardError-se) > 1e-9 {
			t.Errorf("%s: mean %g ± %g of %d, want %g ± %g of %g", arm, *got.Mean, *got.StandardError, got.Units, sum/n, se, n)
		}
	}
}

func TestExposuresComeFromDecisionsAndEvents(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	insert(t, db, decisionColumns, 40, func(i int) []any {
		arm := []string{HoldoutVariant, TreatedVariant, TreatedVariant, TreatedVariant}[i%4]
		return []any{fmt.Sprint(i), testEpoch, "home-hero", fmt.Sprint("p", i), 0., []string{UniversalExperiment, "hero"}, []string{arm, []string{"a", "b"}[i%2]}}
	})
	insert(t, db, "events (message_id, type, event, profile_id, timestamp, properties)", 10, func(i int) []any {
		return []any{fmt.Sprint(i), "track", "Experiment Viewed", fmt.Sprint("q", i), testEpoch, `{"experiment_id":"hero","variation_id":"b"}`}
	})
	put(t, s.holdouts, UniversalHoldout, Holdout{Share: .25})
	put(t, s.metrics, "count", Metric{Kind: MeanKind, Event: "Buy"})
	put(t, s.metrics, "worth", Metric{Kind: MeanKind, Event: "Buy", Property: "p"})
	put(t, s.experiments, "hero", halves())
	r, err := s.Report(t.Context(), "hero", "")
	if err != nil || r.Arms[0].Units != 20 || r.Arms[1].Units != 30 {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = s.Report(t.Context(), UniversalExperiment, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Metrics) != 2 || r.Arms[0].Variant != HoldoutVariant || !r.Arms[0].Control || r.Arms[0].Units != 10 || r.Arms[1].Units != 30 || !r.Checks[0].Made || !r.ChecksPassed {
		t.Errorf("%+v", r)
	}
	if m := s.HoldoutMetric(); m != "worth" {
		t.Errorf("the holdout is judged by %q", m)
	}
}

func TestLifeOfAnExperiment(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ctx := t.Context()
	if h, ok := s.holdouts.Get(UniversalHoldout); !ok || h.Value.Share != defaultHoldoutShare || h.Value.Salt != UniversalExperiment {
		t.Errorf("the universal holdout is %+v", h)
	}
	v := put(t, s.experiments, "first", halves())
	if v.Value.Status != Draft || v.Value.Salt != "first" || v.Value.Coverage != 1 {
		t.Errorf("a new experiment is %+v", v.Value)
	}
	put(t, s.experiments, "second", halves())
	elsewhere := halves()
	elsewhere.DecisionPoint = "nowhere"
	put(t, s.experiments, "third", elsewhere)
	forged := halves()
	forged.Status = Running
	status := func(err error) int {
		var p *problem.Error
		var bad problem.Invalid
		switch {
		case err == nil:
			return 0
		case errors.As(err, &p):
			return p.GetStatus()
		case errors.As(err, &bad):
			return http.StatusUnprocessableEntity
		}
		return http.StatusInternalServerError
	}
	start := func(key string) func() error {
		return func() error { _, err := s.Start(ctx, key, "test"); return err }
	}
	stop := func(key string) func() error {
		return func() error { _, err := s.Stop(ctx, key, "test"); return err }
	}
	replace := func(key string, e Experiment) func() error {
		return func() error { _, err := s.experiments.Put(ctx, key, e, "test", 0); return err }
	}
	other := halves()
	other.Variants[0].Weight, other.Variants[1].Weight = .4, .6
	lost := halves()
	lost.Metrics = []string{"lost"}
	for i, step := range []struct {
		name string
		do   func() error
		want int
		says string
	}{
		{"start what is not there", start("zero"), 404, "zero"},
		{"stop a draft", stop("first"), 409, "not started"},
		{"start at an unknown decision point", start("third"), 422, "decisionPoint"},
		{"start by PUT", replace("first", forged), 422, "status"},
		{"a metric that is not there", replace("first", lost), 422, "metrics[0]"},
		{"the reserved key", replace(UniversalExperiment, halves()), 422, "path.key"},
		{"start", start("first"), 0, ""},
		{"start again", start("first"), 0, ""},
		{"start a second one", start("second"), 409, "first"},
		{"change the weights", replace("first", other), 422, "variants[0].weight"},
		{"put the same again", replace("first", halves()), 0, ""},
		{"stop", stop("first"), 0, ""},
		{"stop again", stop("first"), 0, ""},
		{"start after stop", start("first"), 409, "stopped"},
		{"start the second", start("second"), 0, ""},
	} {
		err := step.do()
		if status(err) != step.want || (err != nil && !strings.Contains(err.Error(), step.says)) {
			t.Errorf("step %d, %s: %v, want %d", i, step.name, err, step.want)
		}
	}
	first, _ := s.experiments.Get("first")
	if first.Value.Status != Stopped || first.Value.StartedAt == nil || first.Value.StoppedAt == nil {
		t.Errorf("after its life the experiment is %+v", first.Value)
	}
	if got, _ := s.Plan().Assign("home-hero", assignment.Bare("u"), time.Now(), nil, nil); len(got) != 1 || got[0].Experiment != "second" {
		t.Errorf("the plan assigns %+v", got)
	}
	for _, key := range []string{"zero"} {
		if _, err := s.Report(ctx, key, ""); status(err) != 404 {
			t.Errorf("report of %s: %v", key, err)
		}
	}
	if _, err := s.Report(ctx, "first", "lost"); status(err) != 422 {
		t.Errorf("report on a metric that is not there: %v", err)
	}
	put(t, s.metrics, "soon-gone", Metric{Kind: MeanKind, Event: "Buy"})
	gone := halves()
	gone.Metrics = []string{"soon-gone"}
	put(t, s.experiments, "first", gone)
	if err := s.metrics.Delete(ctx, "soon-gone", "test"); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Report(ctx, "first", ""); err != nil || len(r.Metrics) != 1 || r.Metrics[0].Problem == "" {
		t.Errorf("report on a deleted metric: %+v, %v", r, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Report(cancelled, "first", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a report that nobody waits for: %v", err)
	}
}

// An analyst can recompute every assignment in SQL by the documented expression.
func TestBucketInSQL(t *testing.T) {
	t.Parallel()
	db := enginetest.ClickHouse(t)
	for _, unit := range append(units(30), "", "it's", "ж\\") {
		var got float64
		sql := "SELECT bitShiftRight(xxHash64(concat(" + literal("hero-2026") + ", '\\0', " + literal(unit) + ")), 11) / 9007199254740992"
		if err := db.Read.QueryRow(t.Context(), sql).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := Bucket("hero-2026", unit); got != want {
			t.Errorf("%q: SQL has %.17g, Go %.17g", unit, got, want)
		}
	}
}

// Whatever a name holds, the engine reads back the same bytes.
func TestLiteralsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	db := enginetest.ClickHouse(t)
	names := []string{"", "'", `\`, `\'`, "\x00\x01\x7f\n\t", "--", "/*", "?", "{x:String}", "$1", ":name", "@p", "бант🎀", `\x41`, "a\u2028b"}
	random := rand.New(rand.NewPCG(7, 7))
	for range 60 {
		raw := make([]rune, random.IntN(12))
		for i := range raw {
			raw[i] = []rune("a'\\\x00\n%;-{}?🎀é\x7f\"`")[random.IntN(16)]
		}
		names = append(names, string(raw))
	}
	for _, name := range names {
		var got string
		if err := db.Read.QueryRow(t.Context(), "SELECT "+literal(name)).Scan(&got); err != nil || got != name {
			t.Errorf("%q came back as %q (%v)", name, got, err)
		}
	}
}
