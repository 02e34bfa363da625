package experiments

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// made is a report as the service makes it, from given sums.
func made(e *Experiment, metrics []Metric, rows []armSums) *Report {
	r := &Report{Experiment: "hero", Status: Running, At: time.UnixMilli(0).UTC()}
	arms := r.fillArms(e, rows)
	r.check(e, rows)
	for i, m := range metrics {
		m.normalise()
		out := MetricReport{Key: m.Event, Kind: m.Kind, WindowHours: m.WindowHours}
		out.fill(&m, e, arms, i)
		r.Metrics = append(r.Metrics, out)
	}
	return r
}

func TestReportFigures(t *testing.T) {
	t.Parallel()
	e := halves()
	metrics := []Metric{{Kind: ProportionKind, Event: "visit"}, {Kind: MeanKind, Event: "spend", Property: "amount"},
		{Kind: RatioKind, Event: "ratio", Property: "margin"}}
	r := made(&e, metrics, []armSums{
		{variant: "b", units: 30, metrics: []sums{{nonZero: 16, y: 16, yy: 16}, {y: 60, yy: 200, nonZero: 20, events: 25, missing: 2}, {y: 60, yy: 200, d: 90, dd: 320, yd: 220, nonZero: 20}}},
		{variant: "a", units: 28, metrics: []sums{{nonZero: 14, y: 14, yy: 14}, {y: 40, yy: 120, nonZero: 20, events: 22}, {y: 40, yy: 120, d: 80, dd: 280, yd: 150, nonZero: 20}}},
	})
	if !r.ChecksPassed || r.Arms[0].Variant != "a" || !r.Arms[0].Control || r.Arms[1].Units != 30 {
		t.Errorf("arms %+v, checks %+v", r.Arms, r.Checks)
	}
	visit := r.Metrics[0].Effects[0]
	// GrowthBook's published case of 14/28 against 16/30.
	if visit.Relative == nil || math.Abs(visit.Relative.Estimate-0.06667) > 5e-6 || math.Abs(visit.Relative.Lower+0.47767) > 5e-6 ||
		math.Abs(visit.Absolute.Estimate-(16./30-.5)) > 1e-12 {
		t.Errorf("visit: %+v", visit)
	}
	spend := r.Metrics[1]
	if *spend.Arms[1].Mean != 2 || math.Abs(spend.Effects[0].Absolute.Estimate-(2-40./28)) > 1e-12 {
		t.Errorf("spend: %+v", spend)
	}
	if len(spend.Notes) == 0 || !strings.Contains(spend.Notes[0], "2 of 47") {
		t.Errorf("notes of spend: %q", spend.Notes)
	}
	if ratio := r.Metrics[2]; ratio.Arms[0].Mean == nil || *ratio.Arms[0].Mean != .5 || *ratio.Arms[0].Denominator != 80 || ratio.Effects[0].Absolute == nil {
		t.Errorf("ratio: %+v", ratio)
	}
	var text bytes.Buffer
	if err := WriteText(&text, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hero", "sample-ratio", "a (control)", "+6.7 %", "visit, proportion within 14 days", "no numeric property"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
}

// Figures that cannot be computed are absent and say why; the report is JSON
// whatever the sums.
func TestReportSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	e := halves()
	mean := []Metric{{Kind: MeanKind, Event: "spend", Property: "amount"}}
	for _, c := range []struct {
		name             string
		kind             Kind
		control, treated armSums
		problem          string // of the effect
		relative         string // problem of the relative effect
	}{
		{"nobody", MeanKind, armSums{}, armSums{}, "no unit", ""},
		{"one person", MeanKind, armSums{units: 1, metrics: []sums{{y: 1, yy: 1}}}, armSums{units: 9, metrics: []sums{{y: 9, yy: 19}}}, "two units", ""},
		{"all the same", MeanKind, armSums{units: 9, metrics: []sums{{y: 9, yy: 9}}}, armSums{units: 9, metrics: []sums{{y: 9, yy: 19}}}, "same value", ""},
		{"NaN", MeanKind, armSums{units: 9, metrics: []sums{{y: math.NaN(), yy: 9}}}, armSums{units: 9, metrics: []sums{{y: 9, yy: 19}}}, "NaN", ""},
		{"infinite", MeanKind, armSums{units: 9, metrics: []sums{{y: 9, yy: 19}}}, armSums{units: 9, metrics: []sums{{y: math.Inf(1), yy: 9}}}, "infinite", ""},
		{"baseline of zero", MeanKind, armSums{units: 9, metrics: []sums{{y: 0, yy: 9}}}, armSums{units: 9, metrics: []sums{{y: 9, yy: 19}}}, "", "zero"},
		{"baseline like zero", MeanKind, armSums{units: 9, metrics: []sums{{y: .1, yy: 9}}}, armSums{units: 9, metrics: []sums{{y: 9, yy: 19}}}, "", "cannot be told from zero"},
		{"no denominator", RatioKind, armSums{units: 9, metrics: []sums{{y: 9, yy: 19}}}, armSums{units: 9, metrics: []sums{{y: 9, yy: 19, d: 9, dd: 9, yd: 9}}}, "denominators sum to 0", ""},
		{"nobody converts", ProportionKind, armSums{units: 9, metrics: []sums{{}}}, armSums{units: 9, metrics: []sums{{nonZero: 3}}}, "same value", ""},
	} {
		c.control.variant, c.treated.variant = "a", "b"
		metrics := []Metric{mean[0]}
		metrics[0].Kind = c.kind
		r := made(&e, metrics, []armSums{c.control, c.treated})
		effect := r.Metrics[0].Effects[0]
		if (effect.Absolute == nil) != (c.problem != "") || !strings.Contains(effect.Problem, c.problem) {
			t.Errorf("%s: %+v", c.name, effect)
		}
		if effect.Absolute != nil && (effect.Relative != nil || !strings.Contains(effect.RelativeProblem, c.relative)) {
			t.Errorf("%s: relative %+v", c.name, effect)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := WriteText(&bytes.Buffer{}, r); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	e := halves()
	for _, c := range []struct {
		name           string
		rows           []armSums
		ratio, mixed   bool // passed
		made           bool
		ratioSays      string
		controlChecked int64
	}{
		{"even", []armSums{{variant: "a", units: 500}, {variant: "b", units: 510}}, true, true, true, "promise (p", 500},
		{"broken", []armSums{{variant: "a", units: 500}, {variant: "b", units: 700}}, false, true, true, "no figure below", 500},
		{"one arm missing", []armSums{{variant: "b", units: 700}}, false, true, true, "no figure below", 0},
		{"young", []armSums{{variant: "a", units: 3}, {variant: "b", units: 7}}, true, true, false, "Not enough", 3},
		{"nobody", nil, true, true, false, "Not enough", 0},
		{"unknown variant", []armSums{{variant: "a", units: 500}, {variant: "b", units: 510}, {variant: "c", units: 9}}, false, true, true, "9 people", 500},
		{"mixed", []armSums{{variant: "a", units: 500, mixed: 6}, {variant: "b", units: 510, mixed: 6}}, true, false, true, "promise", 500},
		{"a few mixed", []armSums{{variant: "a", units: 500, mixed: 5}, {variant: "b", units: 510, mixed: 4}}, true, true, true, "promise", 500},
	} {
		r := made(&e, nil, c.rows)
		ratio, mixed := r.Checks[0], r.Checks[1]
		if ratio.Passed != c.ratio || ratio.Made != c.made || mixed.Passed != c.mixed || r.ChecksPassed != (c.ratio && c.mixed) ||
			!strings.Contains(ratio.Detail, c.ratioSays) {
			t.Errorf("%s: %+v", c.name, r.Checks)
		}
		if len(ratio.Arms) < 2 || ratio.Arms[0].Observed != c.controlChecked {
			t.Errorf("%s: arms %+v", c.name, ratio.Arms)
		}
	}
}
