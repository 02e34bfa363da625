package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"quintet/experiments/assignment"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// complaint is the rule that an error breaks about a field; empty when it breaks none.
func complaint(err error, field string) string {
	var bad problem.Invalid
	if !errors.As(err, &bad) {
		return ""
	}
	for _, f := range bad {
		if f.Field == field {
			return f.Rule
		}
	}
	return ""
}

func TestTargetingValidation(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 600)
	for name, c := range map[string]struct {
		edit  func(e *Experiment)
		field string // empty: valid
	}{
		"nothing":                 {func(*Experiment) {}, ""},
		"everything":              {func(e *Experiment) { e.Targeting = everything() }, ""},
		"unit with a colon":       {func(e *Experiment) { e.Unit = "a:b" }, "unit"},
		"unit with a space":       {func(e *Experiment) { e.Unit = "a b" }, "unit"},
		"unknown hash":            {func(e *Experiment) { e.Hash = "md5" }, "hash"},
		"audience is no JSON":     {func(e *Experiment) { e.Audience = json.RawMessage(`{`) }, "audience"},
		"audience too large":      {func(e *Experiment) { e.Audience = json.RawMessage(`"` + strings.Repeat("x", maxAudience) + `"`) }, "audience"},
		"prerequisite of nothing": {func(e *Experiment) { e.Prerequisites = []Prerequisite{{Variants: []string{"a"}}} }, "prerequisites[0].experiment"},
		"prerequisite of two": {func(e *Experiment) {
			e.Prerequisites = []Prerequisite{{Experiment: "a", Flag: "b", Variants: []string{"a"}}}
		}, "prerequisites[0].experiment"},
		"prerequisite twice": {func(e *Experiment) {
			e.Prerequisites = []Prerequisite{{Experiment: "a", Variants: []string{"a"}}, {Experiment: "a", Variants: []string{"b"}}}
		}, "prerequisites[1].experiment"},
		"prerequisite of no arm":  {func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "a"}} }, "prerequisites[0].variants"},
		"prerequisite arm twice":  {func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "a", Variants: []string{"a", "a"}}} }, "prerequisites[0].variants[1]"},
		"layer over 100 %":        {func(e *Experiment) { e.Layers = []LayerRange{{"l", 0, 1.1}} }, "layers[0].to"},
		"layer below 0":           {func(e *Experiment) { e.Layers = []LayerRange{{"l", -.1, 1}} }, "layers[0].from"},
		"layer the wrong way":     {func(e *Experiment) { e.Layers = []LayerRange{{"l", .5, .4}} }, "layers[0].to"},
		"overlap with itself":     {func(e *Experiment) { e.Layers = []LayerRange{{"l", 0, .5}, {"l", .4, .6}} }, "layers[1]"},
		"two parts that touch":    {func(e *Experiment) { e.Layers = []LayerRange{{"l", 0, .5}, {"l", .5, .6}, {"m", 0, .6}} }, ""},
		"layer without a key":     {func(e *Experiment) { e.Layers = []LayerRange{{"", 0, .5}} }, "layers[0].layer"},
		"holdout twice":           {func(e *Experiment) { e.Holdouts = []string{"a", "a"} }, "holdouts[1]"},
		"forced into nothing":     {func(e *Experiment) { e.Forced = []Forced{{"u", "z"}} }, "forced[0].variant"},
		"forced nobody":           {func(e *Experiment) { e.Forced = []Forced{{"", "a"}} }, "forced[0].unit"},
		"forced twice":            {func(e *Experiment) { e.Forced = []Forced{{"u", "a"}, {"u", "b"}} }, "forced[1].unit"},
		"forced and blocked":      {func(e *Experiment) { e.Forced, e.Blocked = []Forced{{"u", "a"}}, []string{"u"} }, "blocked[0]"},
		"blocked somebody long":   {func(e *Experiment) { e.Blocked = []string{long} }, "blocked[0]"},
		"too many blocked":        {func(e *Experiment) { e.Blocked = make([]string, maxUnitList+1) }, "blocked"},
		"bucket version below 0":  {func(e *Experiment) { e.BucketVersion = -1 }, "bucketVersion"},
		"least above bucket":      {func(e *Experiment) { e.BucketVersion, e.MinBucketVersion = 1, 2 }, "minBucketVersion"},
		"dropped control":         {func(e *Experiment) { e.Variants[0].Dropped = true }, "variants[0].dropped"},
		"nothing left to compare": {func(e *Experiment) { e.Variants[1].Dropped = true }, "variants"},
		"weights off by more":     {func(e *Experiment) { e.Variants[1].Weight += 2e-6 }, "variants"},
		"weights off by less":     {func(e *Experiment) { e.Variants[1].Weight += 9e-7 }, ""},
	} {
		e := halves()
		c.edit(&e)
		e.normalise("e")
		wantField(t, name, e.validate(), c.field)
	}
}

func everything() Targeting {
	return Targeting{
		Unit: "deviceId", Hash: GrowthBookHash, Audience: json.RawMessage(`{"plan":"paid"}`), Prerequisites: []Prerequisite{{Experiment: "first", Variants: []string{"a"}}},
		Layers: []LayerRange{{"l", 0, .5}}, Holdouts: []string{"team"}, Forced: []Forced{{"userId:tester", "b"}}, Blocked: []string{"p1"},
		BucketVersion: 2, MinBucketVersion: 1, Sticky: true,
	}
}

func TestStartedTargetingIsFixed(t *testing.T) {
	t.Parallel()
	started := time.Now()
	for name, c := range map[string]struct {
		was   Targeting
		edit  func(e *Experiment)
		field string // empty: allowed
	}{
		"unit":                    {Targeting{}, func(e *Experiment) { e.Unit = "session" }, "unit"},
		"the same unit":           {Targeting{}, func(e *Experiment) { e.Unit = PersonUnit }, ""},
		"hash":                    {Targeting{}, func(e *Experiment) { e.Hash = GrowthBookHash }, "hash"},
		"sticky":                  {Targeting{}, func(e *Experiment) { e.Sticky = true }, "sticky"},
		"audience":                {Targeting{}, func(e *Experiment) { e.Audience = json.RawMessage(`{"a":1}`) }, "audience"},
		"audience, same value":    {Targeting{Audience: json.RawMessage(`{"a":1,"b":2}`)}, func(e *Experiment) { e.Audience = json.RawMessage(`{"b": 2, "a": 1}`) }, ""},
		"audience, but sticky":    {Targeting{Sticky: true}, func(e *Experiment) { e.Audience = json.RawMessage(`{"a":1}`) }, ""},
		"holdouts":                {Targeting{}, func(e *Experiment) { e.Holdouts = []string{"team"} }, "holdouts"},
		"prerequisites":           {Targeting{}, func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "x", Variants: []string{"a"}}} }, "prerequisites"},
		"a layer":                 {Targeting{}, func(e *Experiment) { e.Layers = []LayerRange{{"l", 0, 1}} }, "layers"},
		"another layer":           {Targeting{Layers: []LayerRange{{"l", 0, .5}}}, func(e *Experiment) { e.Layers = []LayerRange{{"m", 0, .5}} }, "layers"},
		"no layer":                {Targeting{Layers: []LayerRange{{"l", 0, .5}}}, func(e *Experiment) { e.Layers = nil }, "layers"},
		"a larger part":           {Targeting{Layers: []LayerRange{{"l", .2, .5}}}, func(e *Experiment) { e.Layers = []LayerRange{{"l", .2, .4}, {"l", .4, .7}} }, ""},
		"a smaller part":          {Targeting{Layers: []LayerRange{{"l", .2, .5}}}, func(e *Experiment) { e.Layers = []LayerRange{{"l", .2, .49}} }, "layers"},
		"a lower version":         {Targeting{BucketVersion: 2}, func(e *Experiment) { e.BucketVersion = 1 }, "bucketVersion"},
		"a higher version":        {Targeting{BucketVersion: 2}, func(e *Experiment) { e.BucketVersion = 3 }, ""},
		"forced and blocked":      {Targeting{}, func(e *Experiment) { e.Forced, e.Blocked = []Forced{{"u", "a"}}, []string{"v"} }, ""},
		"weights":                 {Targeting{}, func(e *Experiment) { e.Variants[0].Weight, e.Variants[1].Weight = .4, .6 }, "variants[0].weight"},
		"weights, but sticky":     {Targeting{Sticky: true}, func(e *Experiment) { e.Variants[0].Weight, e.Variants[1].Weight = .4, .6 }, ""},
		"an arm that was dropped": {Targeting{}, func(e *Experiment) { e.Variants[1].Dropped = false }, "variants[1].dropped"},
	} {
		was := halves()
		was.Targeting, was.StartedAt = c.was, &started
		was.Variants[1].Dropped = name == "an arm that was dropped"
		e := halves()
		e.Targeting, e.StartedAt = c.was, &started
		c.edit(&e)
		var bad problem.Invalid
		e.keepStarted(&was, &bad)
		wantField(t, name, bad, c.field)
	}
}

// What an experiment refers to must be there, and must leave room for it.
func TestReferences(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ctx := t.Context()
	put(t, s.layers, "checkout", Layer{})
	put(t, s.layers, "devices", Layer{Unit: "device"})
	put(t, s.layers, "book", Layer{Hash: GrowthBookHash})
	put(t, s.layers, "inner", Layer{Parent: &LayerRange{"checkout", .8, 1}})
	put(t, s.holdouts, "team", Holdout{Share: .1})
	at := func(days int) *time.Time { v := s.now().AddDate(0, 0, days); return &v }
	with := func(edit func(e *Experiment)) Experiment { e := halves(); edit(&e); return e }
	put(t, s.experiments, "first", with(func(e *Experiment) { e.Layers, e.StartAt = []LayerRange{{"checkout", 0, .5}}, at(3) }))
	put(t, s.experiments, "second", with(func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "first", Variants: []string{"b"}}} }))
	put(t, s.experiments, "unplanned", halves())
	for name, c := range map[string]struct {
		key   string
		edit  func(e *Experiment)
		field string // empty: valid
		says  []string
	}{
		"fits":                    {"new", func(e *Experiment) { e.Layers = []LayerRange{{"checkout", .5, .8}} }, "", nil},
		"overlaps":                {"new", func(e *Experiment) { e.Layers = []LayerRange{{"checkout", .4, .8}} }, "layers[0]", []string{"0 to 0.5 of layer checkout", "experiment first", "experiment new", "checkout"}},
		"overlaps a nested layer": {"new", func(e *Experiment) { e.Layers = []LayerRange{{"checkout", .7, .9}} }, "layers[0]", []string{"layer inner", "experiment new"}},
		"a layer over 100 %":      {"new", func(e *Experiment) { e.Layers = []LayerRange{{"checkout", 0, 1}} }, "layers", []string{"100 %", "experiment first", "experiment new", "170"}},
		"unknown layer":           {"new", func(e *Experiment) { e.Layers = []LayerRange{{"nowhere", 0, 1}} }, "layers[0].layer", nil},
		"layer of another unit":   {"new", func(e *Experiment) { e.Layers = []LayerRange{{"devices", 0, 1}} }, "layers[0].layer", []string{"device"}},
		"layer of another hash":   {"new", func(e *Experiment) { e.Hash, e.Layers = GrowthBookHash, []LayerRange{{"checkout", .5, .6}} }, "layers[0].layer", []string{"growthbook"}},
		"layer of the hash":       {"new", func(e *Experiment) { e.Hash, e.Layers = GrowthBookHash, []LayerRange{{"book", .5, .6}} }, "", nil},
		"unknown holdout":         {"new", func(e *Experiment) { e.Holdouts = []string{"team", "other"} }, "holdouts[1]", nil},
		"the universal holdout":   {"new", func(e *Experiment) { e.Holdouts = []string{UniversalHoldout} }, "holdouts[0]", nil},
		"known holdout":           {"new", func(e *Experiment) { e.Holdouts = []string{"team"} }, "", nil},
		"audience":                {"new", func(e *Experiment) { e.Audience = json.RawMessage(`{"plan":{"$nope":1}}`) }, "audience.plan.$nope", nil},
		"unknown prerequisite":    {"new", func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "x", Variants: []string{"a"}}} }, "prerequisites[0].experiment", nil},
		"unknown variant": {"new", func(e *Experiment) {
			e.Prerequisites = []Prerequisite{{Experiment: "first", Variants: []string{"a", "z"}}}
		}, "prerequisites[0].variants[1]", nil},
		"itself":       {"new", func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "new", Variants: []string{"a"}}} }, "prerequisites[0].experiment", nil},
		"a circle":     {"first", func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "second", Variants: []string{"a"}}} }, "prerequisites[0].experiment", []string{"come back"}},
		"unknown flag": {"new", func(e *Experiment) { e.Prerequisites = []Prerequisite{{Flag: "x", Variants: []string{"true"}}} }, "prerequisites[0].flag", nil},
		"before what it requires": {"new", func(e *Experiment) {
			e.StartAt, e.Prerequisites = at(2), []Prerequisite{{Experiment: "first", Variants: []string{"a"}}}
		}, "prerequisites[0].experiment", []string{"start before"}},
		"before something open": {"new", func(e *Experiment) {
			e.StartAt, e.Prerequisites = at(2), []Prerequisite{{Experiment: "unplanned", Variants: []string{"a"}}}
		}, "prerequisites[0].experiment", nil},
		"after what it requires": {"new", func(e *Experiment) {
			e.StartAt, e.Prerequisites = at(4), []Prerequisite{{Experiment: "first", Variants: []string{"a"}}}
		}, "", nil},
		"the key of a holdout": {UniversalComparison, func(*Experiment) {}, "path.key", nil},
	} {
		_, err := s.experiments.Put(ctx, c.key, with(c.edit), "test", 0)
		rule := complaint(err, c.field)
		if (c.field == "") != (err == nil) || c.field != "" && rule == "" {
			t.Errorf("%s: %v, want a complaint about %q", name, err, c.field)
		}
		for _, word := range c.says {
			if !strings.Contains(rule, word) {
				t.Errorf("%s: %q does not say %q", name, rule, word)
			}
		}
		if err == nil {
			if err := s.experiments.Delete(ctx, c.key, "test"); err != nil {
				t.Fatal(err)
			}
		}
	}
	// An experiment that has no start date is refused when it is started too early.
	if _, err := s.Start(ctx, "second", "test"); !strings.Contains(complaint(err, "prerequisites[0].experiment"), "must be running") {
		t.Errorf("started before what it requires: %v", err)
	}
}

func TestLayersAreKept(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	put(t, s.layers, "top", Layer{})
	put(t, s.layers, "inner", Layer{Parent: &LayerRange{"top", 0, .5}})
	e := halves()
	e.Layers = []LayerRange{{"inner", 0, 1}}
	put(t, s.experiments, "e", e)
	for name, c := range map[string]struct {
		key   string
		layer Layer
		field string
	}{
		"the same":               {"inner", Layer{Name: "Named", Parent: &LayerRange{"top", 0, .6}}, ""},
		"a larger part":          {"inner", Layer{Parent: &LayerRange{"top", 0, .6}}, ""},
		"a smaller part":         {"inner", Layer{Parent: &LayerRange{"top", .1, .6}}, "parent"},
		"no parent":              {"inner", Layer{}, "parent"},
		"another salt":           {"inner", Layer{Salt: "x", Parent: &LayerRange{"top", 0, .6}}, "salt"},
		"another hash":           {"inner", Layer{Hash: GrowthBookHash, Parent: &LayerRange{"top", 0, .6}}, "hash"},
		"another unit":           {"inner", Layer{Unit: "device", Parent: &LayerRange{"top", 0, .6}}, "unit"},
		"another salt above":     {"top", Layer{Salt: "x"}, "salt"},
		"a circle":               {"top", Layer{Parent: &LayerRange{"inner", 0, .5}}, "parent.layer"},
		"itself":                 {"alone", Layer{Parent: &LayerRange{"alone", 0, .5}}, "parent.layer"},
		"unknown parent":         {"alone", Layer{Parent: &LayerRange{"x", 0, .5}}, "parent.layer"},
		"the room of another":    {"alone", Layer{Parent: &LayerRange{"top", .4, .7}}, "parent"},
		"parent of another unit": {"alone", Layer{Unit: "device", Parent: &LayerRange{"top", .7, .8}}, "unit"},
		"no part":                {"alone", Layer{Parent: &LayerRange{"top", .7, .7}}, "parent.to"},
		"unknown hash":           {"alone", Layer{Hash: "crc"}, "hash"},
	} {
		_, err := s.layers.Put(t.Context(), c.key, c.layer, "test", 0)
		if (c.field == "") != (err == nil) || c.field != "" && complaint(err, c.field) == "" {
			t.Errorf("%s: %v, want a complaint about %q", name, err, c.field)
		}
	}
}

func TestHoldoutsKeepTheirRanges(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	u, _ := s.holdouts.Get(UniversalHoldout)
	if r := u.Value.Ranges; r == nil || r.Held != (assignment.Range{To: .05}) || r.Comparison == nil || *r.Comparison != (assignment.Range{From: .95, To: 1}) {
		t.Errorf("a new installation has %+v", u.Value)
	}
	if v := put(t, s.holdouts, "team", Holdout{Share: .2}); v.Value.Salt != "holdout:team" || *v.Value.Comparison != true || v.Value.Ranges.Comparison.From != .8 {
		t.Errorf("a named holdout is %+v", v.Value)
	}
	put(t, s.holdouts, "bare", Holdout{Share: .7, Comparison: new(false), Salt: "mine"})
	if v := put(t, s.holdouts, "bare", Holdout{Share: .8}); v.Value.Salt != "mine" || *v.Value.Comparison || v.Value.Ranges.Comparison != nil {
		t.Errorf("a holdout did not keep what was not mentioned: %+v", v.Value)
	}
	for name, c := range map[string]struct {
		h     Holdout
		field string
	}{"too large for two": {Holdout{Share: .51}, "share"}, "everybody": {Holdout{Share: 1, Comparison: new(false)}, "share"}} {
		if _, err := s.holdouts.Put(t.Context(), "other", c.h, "test", 0); complaint(err, c.field) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	counts := map[string]int{}
	for i := range 2000 {
		got, err := s.HoldoutUnit("team", fmt.Sprint("p", i))
		if err != nil {
			t.Fatal(err)
		}
		b := Bucket(got.Salt, got.Unit)
		want := "outside"
		if b < got.Ranges.Held.To {
			want = "held"
		} else if b >= got.Ranges.Comparison.From {
			want = "comparison"
		}
		if got.Side != want || got.Bucket != b {
			t.Fatalf("%+v, want %s at %g", got, want, b)
		}
		counts[want]++
	}
	if counts["held"] < 330 || counts["comparison"] < 330 {
		t.Errorf("%v of 2000 at 0.2", counts)
	}
	var missing *problem.Error
	if _, err := s.HoldoutUnit("gone", "p"); !errors.As(err, &missing) || missing.GetStatus() != 404 {
		t.Errorf("of a holdout that is not there: %v", err)
	}
}

// A plan of definitions that fit no longer assigns nobody by them.
func TestAPlanFailsClosed(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(e *Experiment){
		"no layer":        func(e *Experiment) { e.Layers = []LayerRange{{"gone", 0, 1}} },
		"no prerequisite": func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "gone", Variants: []string{"a"}}} },
		"itself":          func(e *Experiment) { e.Prerequisites = []Prerequisite{{Experiment: "e", Variants: []string{"a", "b"}}} },
		"no flag":         func(e *Experiment) { e.Prerequisites = []Prerequisite{{Flag: "gone", Variants: []string{"true"}}} },
		"audience":        func(e *Experiment) { e.Audience = json.RawMessage(`{"a":{"$nope":1}}`) },
		"hash":            func(e *Experiment) { e.Hash = "crc" },
	} {
		e := halves()
		e.Status = Running
		e.normalise("e")
		edit(&e)
		plan := Compile(Sources{Experiments: map[string]definitions.Versioned[Experiment]{"e": {Key: "e", Value: e}}})
		for i := range 50 {
			if got, _ := plan.Assign("home-hero", assignment.Bare(fmt.Sprint(i)), time.Now(), nil, nil); len(got) != 0 {
				t.Fatalf("%s: %+v", name, got)
			}
		}
	}
}

// Any JSON is a definition that is refused, or one that assigns without a panic.
func FuzzTargeting(f *testing.F) {
	full := halves()
	full.Targeting = everything()
	seed, err := json.Marshal(full)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"variants":[{"key":"a","weight":1,"control":true},{"key":"b","weight":0}],"ramp":{"steps":[{"afterHours":1,"coverage":1}]},"coverage":0.5}`))
	f.Add([]byte(`{"layers":[{"layer":"l","from":0.1,"to":0.2}],"prerequisites":[{"experiment":"e","variants":["a"]}],"hash":"growthbook-utf16"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Experiment
		if json.Unmarshal(data, &e) != nil {
			return
		}
		e.normalise("e")
		if bad := e.validate(); len(bad) > 0 {
			for _, field := range bad {
				if field.Rule == "" {
					t.Fatalf("a complaint without a rule: %+v", field)
				}
			}
			return
		}
		e.Status, e.DecisionPoint = Running, "p"
		layers := map[string]definitions.Versioned[Layer]{}
		for _, r := range e.Layers {
			layers[r.Layer] = definitions.Versioned[Layer]{Key: r.Layer, Value: Layer{Salt: "layer:" + r.Layer}}
		}
		plan := Compile(Sources{Experiments: map[string]definitions.Versioned[Experiment]{"e": {Key: "e", Value: e}}, Layers: layers})
		for _, unit := range []string{"p1", "", "é", "userId:tester"} {
			got, out := plan.Assign("p", assignment.Bare(unit), time.Now(), nil, nil)
			if len(got)+len(out) != 1 {
				t.Fatalf("%q got %+v and %+v", unit, got, out)
			}
			if len(got) == 1 && got[0].Variant == "" {
				t.Fatalf("%q got a variant without a key: %+v", unit, got)
			}
			again, _ := plan.Assign("p", assignment.Bare(unit), time.Now(), nil, nil)
			if len(again) != len(got) {
				t.Fatalf("%q got %+v and then %+v", unit, got, again)
			}
		}
	})
}
