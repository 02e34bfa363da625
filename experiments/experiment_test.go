package experiments

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"quintet/experiments/assignment"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// halves is a valid experiment of two equal arms.
func halves() Experiment {
	return Experiment{DecisionPoint: "home-hero", Variants: []Variant{
		{Key: "a", Weight: .5, Control: true},
		{Key: "b", Weight: .5, Policy: json.RawMessage(`{"type":"bandit"}`)},
	}}
}

func TestExperimentValidation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		edit  func(e *Experiment)
		field string // empty: valid
	}{
		{"as it is", func(*Experiment) {}, ""},
		{"no decision point", func(e *Experiment) { e.DecisionPoint = "" }, ""},
		{"half of the people", func(e *Experiment) { e.Coverage = .5 }, ""},
		{"weights of 1.1", func(e *Experiment) { e.Variants[1].Weight = .6 }, "variants"},
		{"one variant", func(e *Experiment) { e.Variants = e.Variants[:1] }, "variants"},
		{"no variant", func(e *Experiment) { e.Variants = nil }, "variants"},
		{"negative weight", func(e *Experiment) { e.Variants[0].Weight, e.Variants[1].Weight = -.5, 1.5 }, "variants[0].weight"},
		{"same key twice", func(e *Experiment) { e.Variants[1].Key = "a" }, "variants[1].key"},
		{"empty key", func(e *Experiment) { e.Variants[1].Key = "" }, "variants[1].key"},
		{"key of control characters", func(e *Experiment) { e.Variants[1].Key = "a\nb" }, "variants[1].key"},
		{"key too long", func(e *Experiment) { e.Variants[1].Key = strings.Repeat("k", 65) }, "variants[1].key"},
		{"no control", func(e *Experiment) { e.Variants[0].Control = false }, "variants"},
		{"two controls", func(e *Experiment) { e.Variants[1].Control = true }, "variants"},
		{"policy that is not JSON", func(e *Experiment) { e.Variants[1].Policy = json.RawMessage(`{`) }, "variants[1].policy"},
		{"coverage above one", func(e *Experiment) { e.Coverage = 1.01 }, "coverage"},
		{"negative coverage", func(e *Experiment) { e.Coverage = -1 }, "coverage"},
		{"NaN coverage", func(e *Experiment) { e.Coverage = math.NaN() }, "coverage"},
		{"unknown status", func(e *Experiment) { e.Status = "paused" }, "status"},
		{"zero byte in the salt", func(e *Experiment) { e.Salt = "a\x00" }, "salt"},
		{"name too long", func(e *Experiment) { e.Name = strings.Repeat("é", 201) }, "name"},
		{"hypothesis that is not text", func(e *Experiment) { e.Hypothesis = "\xff" }, "hypothesis"},
		{"metric twice", func(e *Experiment) { e.Metrics = []string{"m", "n", "m"} }, "metrics[2]"},
		{"too many metrics", func(e *Experiment) { e.Metrics = make([]string, 51) }, "metrics"},
		{"decision point too long", func(e *Experiment) { e.DecisionPoint = strings.Repeat("p", 65) }, "decisionPoint"},
	} {
		e := halves()
		c.edit(&e)
		e.normalise("hero")
		wantField(t, c.name, e.validate(), c.field)
	}
}

func TestStartedExperimentKeepsItsAssignment(t *testing.T) {
	t.Parallel()
	started := halves()
	started.normalise("hero")
	started.Coverage = .5
	now := time.Now()
	started.StartedAt = &now
	for _, c := range []struct {
		name  string
		edit  func(e *Experiment)
		field string // empty: allowed
	}{
		{"nothing", func(*Experiment) {}, ""},
		{"names", func(e *Experiment) { e.Name, e.Variants[1].Name = "new", "new" }, ""},
		{"policy written differently", func(e *Experiment) { e.Variants[1].Policy = json.RawMessage(` { "type" : "bandit" } `) }, ""},
		{"wider coverage", func(e *Experiment) { e.Coverage = .6 }, ""},
		{"narrower coverage", func(e *Experiment) { e.Coverage = .4 }, "coverage"},
		{"salt", func(e *Experiment) { e.Salt = "other" }, "salt"},
		{"decision point", func(e *Experiment) { e.DecisionPoint = "checkout" }, "decisionPoint"},
		{"weights", func(e *Experiment) { e.Variants[0].Weight, e.Variants[1].Weight = .4, .6 }, "variants[0].weight"},
		{"order", func(e *Experiment) { e.Variants[0], e.Variants[1] = e.Variants[1], e.Variants[0] }, "variants[0].key"},
		{"another variant", func(e *Experiment) { e.Variants = append(e.Variants, Variant{Key: "c"}) }, "variants"},
		{"policy", func(e *Experiment) { e.Variants[1].Policy = json.RawMessage(`{"type":"fixed"}`) }, "variants[1].policy"},
		{"control", func(e *Experiment) { e.Variants[0].Control, e.Variants[1].Control = false, true }, "variants[0].control"},
	} {
		e := halves()
		e.normalise("hero")
		e.Coverage = .5
		c.edit(&e)
		var bad problem.Invalid
		e.keepStarted(&started, &bad)
		wantField(t, c.name, bad, c.field)
		bad = nil
		e.keepStarted(&Experiment{}, &bad)
		wantField(t, c.name+" of a draft", bad, "")
	}
}

func TestMetricValidation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		metric Metric
		field  string // empty: valid
	}{
		{"proportion", Metric{Kind: ProportionKind, Event: "Order Completed"}, ""},
		{"mean of a count", Metric{Kind: MeanKind, Event: "Order Completed"}, ""},
		{"mean net of contacts", Metric{Kind: MeanKind, Event: "Order Completed", Property: "margin", SubtractContactCost: true}, ""},
		{"ratio per decision", Metric{Kind: RatioKind, Event: "Order Completed", Property: "margin"}, ""},
		{"ratio per event", Metric{Kind: RatioKind, Event: "Order Completed", Denominator: "event:Session"}, ""},
		{"no kind", Metric{Event: "e"}, "kind"},
		{"unknown kind", Metric{Kind: "median", Event: "e"}, "kind"},
		{"no event", Metric{Kind: MeanKind}, "event"},
		{"event too long", Metric{Kind: MeanKind, Event: strings.Repeat("e", 257)}, "event"},
		{"event with a zero byte", Metric{Kind: MeanKind, Event: "a\x00"}, "event"},
		{"property that is not text", Metric{Kind: MeanKind, Event: "e", Property: "\xff"}, "property"},
		{"proportion of a property", Metric{Kind: ProportionKind, Event: "e", Property: "p"}, "property"},
		{"proportion net of contacts", Metric{Kind: ProportionKind, Event: "e", SubtractContactCost: true}, "subtractContactCost"},
		{"negative window", Metric{Kind: MeanKind, Event: "e", WindowHours: -1}, "windowHours"},
		{"NaN window", Metric{Kind: MeanKind, Event: "e", WindowHours: math.NaN()}, "windowHours"},
		{"window of years", Metric{Kind: MeanKind, Event: "e", WindowHours: 9000}, "windowHours"},
		{"unknown direction", Metric{Kind: MeanKind, Event: "e", Direction: "up"}, "direction"},
		{"denominator of a mean", Metric{Kind: MeanKind, Event: "e", Denominator: "decisions"}, "denominator"},
		{"unknown denominator", Metric{Kind: RatioKind, Event: "e", Denominator: "sessions"}, "denominator"},
		{"denominator without a name", Metric{Kind: RatioKind, Event: "e", Denominator: "event:"}, "denominator"},
	} {
		c.metric.normalise()
		wantField(t, c.name, c.metric.validate(), c.field)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	running, draft, stopped, elsewhere, external := halves(), halves(), halves(), halves(), halves()
	for i, e := range []*Experiment{&running, &draft, &stopped, &elsewhere, &external} {
		e.Status = []Status{Running, Draft, Stopped, Running, Running}[i]
		e.normalise(fmt.Sprint("salt-", i))
	}
	elsewhere.DecisionPoint, external.DecisionPoint = "checkout", ""
	half := halves()
	half.Status, half.DecisionPoint, half.Coverage = Running, "half", .5
	half.normalise("half")
	plan := Compile(Sources{Experiments: map[string]definitions.Versioned[Experiment]{
		"running": {Key: "running", Version: 7, Value: running}, "draft": {Key: "draft", Value: draft},
		"stopped": {Key: "stopped", Value: stopped}, "elsewhere": {Key: "elsewhere", Value: elsewhere},
		"external": {Key: "external", Value: external}, "half": {Key: "half", Value: half},
	}})
	at := func(point, unit string) []Assignment {
		got, _ := plan.Assign(point, assignment.Bare(unit), time.Now(), nil, nil)
		return got
	}
	counts := map[string]int{}
	in := 0
	for _, u := range units(10_000) {
		got := at("home-hero", u)
		if len(got) != 1 || got[0].Experiment != "running" || got[0].Version != 7 {
			t.Fatalf("%s: %+v", u, got)
		}
		want := running.Variants[Assign(running.Salt, u, running.Weights())]
		if got[0].Variant != want.Key || got[0].Control != want.Control || string(got[0].Policy) != string(want.Policy) {
			t.Fatalf("%s: %+v, want %+v", u, got[0], want)
		}
		counts[got[0].Variant]++
		if part := at("half", u); len(part) == 1 {
			in++
			counts["half "+part[0].Variant]++
		}
		if none := at("nowhere", u); len(none) != 0 {
			t.Fatalf("%+v at a decision point without experiments", none)
		}
	}
	if in < 4800 || in > 5200 || counts["half a"] < 2300 || counts["half b"] < 2300 {
		t.Errorf("coverage of a half: %d of 10,000 take part, %v", in, counts)
	}
	if got, _ := (*Plan)(nil).Assign("home-hero", assignment.Bare("u"), time.Now(), nil, nil); len(got) != 0 {
		t.Errorf("a nil plan assigns %+v", got)
	}
}

func TestPlanDoesNotAllocate(t *testing.T) {
	e := halves()
	e.Status, e.Coverage = Running, .99
	e.normalise("hero")
	plan := Compile(Sources{Experiments: map[string]definitions.Versioned[Experiment]{"hero": {Key: "hero", Value: e}}})
	var room [4]Assignment
	var out [4]Exclusion
	var subject assignment.Subject = assignment.Bare("user-1")
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() { _, _ = plan.Assign("home-hero", subject, now, room[:0], out[:0]) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
