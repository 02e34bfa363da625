package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// made is a report as the service makes it, from given sums.
func made(e *Experiment, metrics []Metric, rows []SumsCell) *Report {
	r := &Report{Experiment: "hero", Status: Running, At: time.UnixMilli(0).UTC(), Analysis: e.analysis()}
	b := &reportBuilder{experiment: e, report: r, metrics: metrics}
	for i := range metrics {
		metrics[i].normalise()
		r.Metrics = append(r.Metrics, MetricReport{Key: metrics[i].Event, Kind: metrics[i].Kind, Role: GoalRole, Direction: metrics[i].Direction, WindowHours: metrics[i].WindowHours})
		b.places = append(b.places, i)
		for j := range rows {
			if len(rows[j].Metrics) <= i {
				rows[j].Metrics = append(rows[j].Metrics, Sums{})
			}
			rows[j].Metrics[i].Kind, rows[j].Metrics[i].Units = metrics[i].Kind, rows[j].Units
		}
	}
	b.arms = b.inOrder(rows)
	for i, v := range e.Variants {
		r.Arms = append(r.Arms, ReportArm{Variant: v.Key, Control: v.Control, Weight: v.Weight, Units: b.arms[i].Units, Mixed: b.arms[i].Mixed})
	}
	for _, step := range []func(context.Context) error{b.check, b.compare, b.conclude} {
		if err := step(context.Background()); err != nil {
			panic(err)
		}
	}
	return r
}

func TestReportFigures(t *testing.T) {
	t.Parallel()
	e := halves()
	metrics := []Metric{{Kind: ProportionKind, Event: "visit"}, {Kind: MeanKind, Event: "spend", Property: "amount"},
		{Kind: RatioKind, Event: "ratio", Property: "margin"}}
	r := made(&e, metrics, []SumsCell{
		{Variant: "b", Units: 30, Metrics: []Sums{{NonZero: 16, Y: 16, YY: 16}, {Y: 60, YY: 200, NonZero: 20, Events: 25, Missing: 2}, {Y: 60, YY: 200, D: 90, DD: 320, YD: 220, NonZero: 20}}},
		{Variant: "a", Units: 28, Metrics: []Sums{{NonZero: 14, Y: 14, YY: 14}, {Y: 40, YY: 120, NonZero: 20, Events: 22}, {Y: 40, YY: 120, D: 80, DD: 280, YD: 150, NonZero: 20}}},
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
		control, treated SumsCell
		problem          string // of the effect
		relative         string // problem of the relative effect
	}{
		{"nobody", MeanKind, SumsCell{}, SumsCell{}, "no unit", ""},
		{"one person", MeanKind, SumsCell{Units: 1, Metrics: []Sums{{Y: 1, YY: 1}}}, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 19}}}, "two units", ""},
		{"all the same", MeanKind, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 9}}}, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 19}}}, "same value", ""},
		{"NaN", MeanKind, SumsCell{Units: 9, Metrics: []Sums{{Y: math.NaN(), YY: 9}}}, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 19}}}, "NaN", ""},
		{"infinite", MeanKind, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 19}}}, SumsCell{Units: 9, Metrics: []Sums{{Y: math.Inf(1), YY: 9}}}, "infinite", ""},
		{"baseline of zero", MeanKind, SumsCell{Units: 9, Metrics: []Sums{{Y: 0, YY: 9}}}, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 19}}}, "", "zero"},
		{"baseline like zero", MeanKind, SumsCell{Units: 9, Metrics: []Sums{{Y: .1, YY: 9}}}, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 19}}}, "", "cannot be told from zero"},
		{"no denominator", RatioKind, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 19}}}, SumsCell{Units: 9, Metrics: []Sums{{Y: 9, YY: 19, D: 9, DD: 9, YD: 9}}}, "denominators sum to 0", ""},
		{"nobody converts", ProportionKind, SumsCell{Units: 9, Metrics: []Sums{{}}}, SumsCell{Units: 9, Metrics: []Sums{{NonZero: 3}}}, "same value", ""},
	} {
		c.control.Variant, c.treated.Variant = "a", "b"
		metrics := []Metric{mean[0]}
		metrics[0].Kind = c.kind
		r := made(&e, metrics, []SumsCell{c.control, c.treated})
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
		rows           []SumsCell
		ratio, mixed   bool // passed
		made           bool
		ratioSays      string
		controlChecked int64
	}{
		{"even", []SumsCell{{Variant: "a", Units: 500}, {Variant: "b", Units: 510}}, true, true, true, "promise (p", 500},
		{"broken", []SumsCell{{Variant: "a", Units: 500}, {Variant: "b", Units: 700}}, false, true, true, "no figure below", 500},
		{"one arm missing", []SumsCell{{Variant: "b", Units: 700}}, false, true, true, "no figure below", 0},
		{"young", []SumsCell{{Variant: "a", Units: 3}, {Variant: "b", Units: 7}}, true, true, false, "Not enough", 3},
		{"nobody", nil, true, true, false, "Not enough", 0},
		{"unknown variant", []SumsCell{{Variant: "a", Units: 500}, {Variant: "b", Units: 510}, {Variant: "c", Units: 9}}, false, true, true, "9 people", 500},
		{"mixed", []SumsCell{{Variant: "a", Units: 500, Mixed: 6}, {Variant: "b", Units: 510, Mixed: 6}}, true, false, true, "promise", 500},
		{"a few mixed", []SumsCell{{Variant: "a", Units: 500, Mixed: 5}, {Variant: "b", Units: 510, Mixed: 4}}, true, true, true, "promise", 500},
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
