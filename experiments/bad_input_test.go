package experiments

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// Values that allow no figure lead to a report that says so, and to no
// recommendation, from the log to every format.
func TestNoFigureIsMadeUp(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	const people = 200
	arm := func(i int) string { return []string{"a", "b"}[i%2] }
	insert(t, db, exposureColumns, people, func(i int) []any { return []any{"bad", arm(i), fmt.Sprint("p", i), testEpoch} })
	insert(t, db, exposureColumns, people/2+1, func(i int) []any {
		a := "a"
		if i == 0 {
			a = "b"
		}
		return []any{"lonely", a, fmt.Sprint("p", i), testEpoch}
	})
	insert(t, db, eventColumns, people, func(i int) []any {
		numbers := map[string]float64{"same": 5, "fine": float64(i % 7), "negative": -1 - float64(i%3)}
		switch i {
		case 10:
			numbers["infinite"], numbers["nan"] = math.Inf(1), math.NaN()
		case 11, 12, 13:
			numbers["infinite"], numbers["nan"] = float64(i), float64(i)
		}
		return []any{fmt.Sprint("e", i), "track", "Buy", fmt.Sprint("p", i), testEpoch.Add(time.Hour), numbers}
	})
	put(t, s.metrics, "constant", Metric{Kind: MeanKind, Event: "Buy", Property: "same"})
	put(t, s.metrics, "infinite", Metric{Kind: MeanKind, Event: "Buy", Property: "infinite"})
	put(t, s.metrics, "no-number", Metric{Kind: MeanKind, Event: "Buy", Property: "nan"})
	put(t, s.metrics, "below-zero", Metric{Kind: RatioKind, Event: "Buy", Property: "fine", Denominator: "event:Buy", DenominatorProperty: "negative"})
	put(t, s.metrics, "nobody-did", Metric{Kind: ProportionKind, Event: "Never"})
	put(t, s.metrics, "fine", Metric{Kind: MeanKind, Event: "Buy", Property: "fine"})
	e := halves()
	e.DecisionPoint = ""
	e.Metrics = []string{"constant", "infinite", "no-number", "below-zero", "nobody-did"}
	e.Guardrails = []Guardrail{{Metric: "constant", Action: StopAction}, {Metric: "infinite", Margin: .1, Action: StopAction}}
	put(t, s.experiments, "bad", e)
	lonely := halves()
	lonely.DecisionPoint, lonely.Metrics, lonely.Variants[0].Weight, lonely.Variants[1].Weight = "", []string{"fine"}, .99, .01
	put(t, s.experiments, "lonely", lonely)
	for _, c := range []struct{ experiment, metric, says string }{
		{"bad", "constant", "same value"},
		{"bad", "below-zero", "denominators sum to -"},
		{"bad", "nobody-did", "same value"},
		{"lonely", "fine", "two units"},
	} {
		r, err := s.ReportAt(t.Context(), c.experiment, ReportOptions{Metric: c.metric})
		if err != nil {
			t.Fatalf("%s: %v", c.metric, err)
		}
		effect := r.Metrics[0].Effects[0]
		if effect.Absolute != nil || effect.Relative != nil || effect.PValue != nil || effect.Sequential != nil || effect.Decisive != nil || effect.Projection != nil {
			t.Errorf("%s of %s has figures: %+v", c.metric, c.experiment, effect)
		}
		if !strings.Contains(effect.Problem, c.says) {
			t.Errorf("%s of %s says %q, want %q", c.metric, c.experiment, effect.Problem, c.says)
		}
		if a := r.Recommendation.Action; a == ShipVariant || a == KeepControl || a == DropVariant {
			t.Errorf("%s of %s recommends %+v", c.metric, c.experiment, r.Recommendation)
		}
		for _, g := range r.Guardrails {
			if g.State != GuardrailUnknown && g.State != GuardrailOpen {
				t.Errorf("the guardrail %+v knows what cannot be known", g)
			}
		}
		for _, f := range Formats() {
			if text := write(t, r, f); strings.Contains(text, "NaN,") || strings.Contains(text, "+Inf") {
				t.Errorf("%s of %s as %s:\n%s", c.metric, c.experiment, f, text)
			}
		}
	}
	// One that is infinite, or no number, is left out, and the report is not to be
	// believed.
	for _, metric := range []string{"infinite", "no-number"} {
		r, err := s.ReportAt(t.Context(), "bad", ReportOptions{Metric: metric})
		if err != nil || r.ChecksPassed || r.Recommendation.Action != FixFirst || !strings.Contains(strings.Join(r.Metrics[0].Notes, " "), "no finite number") {
			t.Errorf("%s: %+v, %v", metric, r, err)
		}
		if a := r.Metrics[0].Arms[0]; a.Sum == nil || *a.Sum != 12 || a.Sums.NotFinite != 1 {
			t.Errorf("%s: %+v", metric, a)
		}
	}
	// A whole report of such metrics, and what acts upon it.
	r, err := s.ReportAt(t.Context(), "bad", ReportOptions{})
	if err != nil || len(r.Metrics) != 5 || r.Recommendation.Action == ShipVariant {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := s.Start(t.Context(), "bad", "me"); err != nil {
		t.Fatal(err)
	}
	(&watch{service: s, next: map[string]time.Time{}}).tick(t.Context())
	if v := current(t, s, "bad"); v.Value.Status != Running {
		t.Errorf("a guardrail acted on nothing: %+v", v.Value.Change)
	}
}

// Shares that do not fit, people before the start and events without a value fail
// their checks, and nothing is recommended then.
func TestChecksComeFirst(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	now := testEpoch
	s.now = func() time.Time { return now }
	const people = 2000
	fill := func(experiment string, arm func(i int) string, at func(i int) time.Time, value func(i int) map[string]float64) {
		insert(t, db, exposureColumns, people, func(i int) []any {
			return []any{experiment, arm(i), fmt.Sprint(experiment, i), at(i)}
		})
		insert(t, db, eventColumns, people, func(i int) []any {
			if arm(i) == "a" && i%10 < 5 || i%10 == 7 {
				return nil
			}
			return []any{fmt.Sprint(experiment, i), "track", "Buy", fmt.Sprint(experiment, i), at(i).Add(time.Hour), value(i)}
		})
		e := halves()
		e.DecisionPoint, e.Metrics = "", []string{"buyers", "revenue"}
		put(t, s.experiments, experiment, e)
		if _, err := s.Start(t.Context(), experiment, "me"); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Buy", WindowHours: 24})
	put(t, s.metrics, "revenue", Metric{Kind: RevenueKind, Event: "Buy", WindowHours: 24})
	even := func(i int) string { return []string{"a", "b"}[i/2%2] }
	after := func(i int) time.Time { return testEpoch.Add(time.Duration(1+i%100) * time.Minute) }
	priced := func(i int) map[string]float64 { return map[string]float64{"revenue": float64(1 + i%5)} }
	fill("good", even, after, priced)
	fill("uneven", func(i int) string { return []string{"a", "b", "b"}[i%3] }, after, priced)
	fill("early", even, func(i int) time.Time { return testEpoch.Add(time.Duration(i%100-50) * time.Minute) }, priced)
	fill("valueless", even, after, func(i int) map[string]float64 {
		if i%3 == 0 {
			return map[string]float64{}
		}
		return priced(i)
	})
	now = testEpoch.Add(72 * time.Hour)
	for _, c := range []struct{ experiment, fails string }{
		{"good", ""}, {"uneven", SampleRatioCheck}, {"early", EarlyExposureCheck}, {"valueless", MissingValuesCheck},
	} {
		r, err := s.ReportAt(t.Context(), c.experiment, ReportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, check := range r.Checks {
			if !check.Passed {
				failed = append(failed, check.Name)
			}
		}
		if strings.Join(failed, " ") != c.fails || r.ChecksPassed != (c.fails == "") {
			t.Errorf("%s fails %v, want %q: %+v", c.experiment, failed, c.fails, r.Checks)
		}
		want := FixFirst
		if c.fails == "" {
			want = ShipVariant
		}
		if r.Recommendation.Action != want {
			t.Errorf("%s: %+v, want %s", c.experiment, r.Recommendation, want)
		}
		if c.fails != "" {
			for _, f := range []Format{TextFormat, MarkdownFormat, HTMLFormat} {
				text := strings.ToLower(write(t, r, f))
				if alarm, figures := strings.Index(text, "a check failed"), strings.Index(text, "proportion"); alarm < 0 || alarm > figures {
					t.Errorf("%s as %s does not begin with the alarm:\n%s", c.experiment, f, text)
				}
			}
		}
	}
}

// Where an arm was dropped the split is judged by what held when people came.
func TestSampleRatioByPhase(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	e := halves()
	e.Variants = []Variant{{Key: "a", Weight: .4, Control: true}, {Key: "b", Weight: .3}, {Key: "c", Weight: .3}}
	put(t, s.experiments, "hero", e)
	if _, err := s.Start(t.Context(), "hero", "me"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	first := time.Now().UTC().Truncate(time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	if _, err := s.Drop(t.Context(), "hero", "c", Actor{By: "me"}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	second := time.Now().UTC().Truncate(time.Millisecond)
	insert(t, db, exposureColumns, 1000, func(i int) []any {
		return []any{"hero", []string{"a", "a", "a", "a", "b", "b", "b", "c", "c", "c"}[i%10], fmt.Sprint("x", i), first}
	})
	insert(t, db, exposureColumns, 700, func(i int) []any {
		return []any{"hero", []string{"a", "a", "a", "a", "b", "b", "b"}[i%7], fmt.Sprint("y", i), second}
	})
	r, err := s.ReportAt(t.Context(), "hero", ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	split := r.Checks[0]
	if !split.Passed || !split.Made || *split.PValue < .99 || math.Abs(split.Arms[2].Expected-300) > 1e-9 || !strings.Contains(split.Detail, "2 phases") {
		t.Errorf("%+v", split)
	}
	// People in the dropped arm after it was dropped have leaked into it.
	insert(t, db, exposureColumns, 30, func(i int) []any { return []any{"hero", "c", fmt.Sprint("z", i), second} })
	if r, err = s.ReportAt(t.Context(), "hero", ReportOptions{}); err != nil || r.Checks[0].Passed || !strings.Contains(r.Checks[0].Detail, "30 people") {
		t.Errorf("%+v, %v", r.Checks[0], err)
	}
}
