package flags

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/experiments/growthbook"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// versioned makes definitions of JSON by key, as they are after validation.
func flagsOf(t testing.TB, source map[string]string) map[string]definitions.Versioned[Flag] {
	t.Helper()
	out := make(map[string]definitions.Versioned[Flag], len(source))
	for key, text := range source {
		v := definitions.Versioned[Flag]{Key: key, Version: 3}
		if err := json.Unmarshal([]byte(text), &v.Value); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		v.Value.normalise(key)
		if bad := v.Value.validate(key); len(bad) > 0 {
			t.Fatalf("%s: %v", key, bad)
		}
		out[key] = v
	}
	return out
}

func trialsOf(t testing.TB, source map[string]string) map[string]definitions.Versioned[experiments.Experiment] {
	t.Helper()
	out := make(map[string]definitions.Versioned[experiments.Experiment], len(source))
	for key, text := range source {
		v := definitions.Versioned[experiments.Experiment]{Key: key, Version: 5}
		if err := json.Unmarshal([]byte(text), &v.Value); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if v.Value.Salt == "" {
			v.Value.Salt = key
		}
		if v.Value.Status == "" {
			v.Value.Status = experiments.Running
		}
		out[key] = v
	}
	return out
}

func stateOf(t testing.TB, flags, trials map[string]string) *State {
	t.Helper()
	e := trialsOf(t, trials)
	plan := experiments.Compile(experiments.Sources{
		Experiments: e,
		Holdouts: map[string]definitions.Versioned[experiments.Holdout]{
			"all":  {Key: "all", Value: experiments.Holdout{Share: .5, Salt: "all", Ranges: &experiments.HoldoutRanges{Held: assignment.Range{To: .5}, Comparison: &assignment.Range{From: .5, To: 1}}}},
			"none": {Key: "none", Value: experiments.Holdout{Share: 0, Salt: "none", Ranges: &experiments.HoldoutRanges{}}},
		},
		Layers: map[string]definitions.Versioned[experiments.Layer]{"shop": {Key: "shop", Value: experiments.Layer{Salt: "shop", Hash: "growthbook"}}},
	})
	return Compile(flagsOf(t, flags), plan, e, nil, noon)
}

const halves = `{"unit": "userId", "hash": "growthbook", "variants": [{"key": "a", "weight": 0.5, "control": true}, {"key": "b", "weight": 0.5}]}`

// everybody knows each user as a profile of their own, with traits.
type everybody struct{ traits map[string]any }

func (e everybody) Know(namespace, value string) Known {
	return Known{
		Profile: "p-" + namespace + "-" + value, Traits: e.traits, Segments: func() []string { return []string{"vip"} },
		Identifier: func(i int) (string, string, bool) { return "email", value + "@example.org", i == 0 },
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	st := stateOf(t, map[string]string{
		"plain":    `{"type": "number", "default": 5}`,
		"off":      `{"type": "boolean", "default": true, "enabled": false}`,
		"later":    `{"type": "boolean", "default": true, "startAt": "2026-06-01T12:00:01Z"}`,
		"over":     `{"type": "boolean", "default": true, "endAt": "2026-06-01T12:00:00Z"}`,
		"now":      `{"type": "boolean", "default": true, "startAt": "2026-06-01T12:00:00Z", "endAt": "2026-06-01T12:00:01Z"}`,
		"forced":   `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f"}]}`,
		"matched":  `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f", "condition": {"country": "at"}}]}`,
		"trait":    `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f", "condition": {"plan": "pro"}}]}`,
		"segment":  `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f", "condition": {"segments": {"$in": ["vip"]}}}]}`,
		"context":  `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f", "condition": {"context.country": "at", "userId": "u1"}}]}`,
		"nobody":   `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f", "coverage": 0}]}`,
		"share":    `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f", "coverage": 0.999999}]}`,
		"device":   `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f", "coverage": 0.999999, "unit": "device"}]}`,
		"split":    `{"type": "json", "default": {}, "rules": [{"key": "r", "experiment": "halves", "values": {"a": [1], "b": [2]}}]}`,
		"partly":   `{"type": "string", "default": "d", "rules": [{"key": "r", "experiment": "one", "values": {"a": "A"}}]}`,
		"draft":    `{"type": "string", "default": "d", "rules": [{"key": "r", "experiment": "draft", "values": {"a": "A"}}, {"key": "s", "value": "s"}]}`,
		"parent":   `{"type": "string", "default": "d", "prerequisites": [{"flag": "forced", "condition": {"value": "f"}}], "rules": [{"key": "r", "value": "f"}]}`,
		"orphan":   `{"type": "string", "default": "d", "prerequisites": [{"flag": "forced", "condition": {"value": "x"}}], "rules": [{"key": "r", "value": "f"}]}`,
		"offchild": `{"type": "string", "default": "d", "prerequisites": [{"flag": "off", "condition": {"value": true}}], "rules": [{"key": "r", "value": "f"}]}`,
		"held":     `{"type": "string", "default": "d", "holdouts": ["all"], "rules": [{"key": "r", "experiment": "one", "values": {"b": "B"}}, {"key": "s", "value": "shipped"}]}`,
		"free":     `{"type": "string", "default": "d", "holdouts": ["none"], "rules": [{"key": "r", "value": "f"}]}`,
		"expired":  `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "f", "endAt": "2026-05-01T00:00:00Z"}, {"key": "s", "value": "s", "startAt": "2026-05-01T00:00:00Z"}]}`,
	}, map[string]string{
		"halves": halves, "draft": strings.Replace(halves, "{", `{"status": "draft", `, 1),
		"one": `{"unit": "userId", "hash": "growthbook", "variants": [{"key": "a", "weight": 0, "control": true}, {"key": "b", "weight": 1}]}`,
	})
	// Where u1 is in the holdout and in the experiment comes from their own hashes.
	shipped, heldOut := `"shipped"`, assignment.Bucket("all", "p-userId-u1") < .5
	if heldOut {
		shipped = `"d"`
	}
	half := `[1]`
	if b, _ := assignment.FNV("halves", "u1", 2); b >= .5 {
		half = `[2]`
	}
	for key, want := range map[string]struct {
		value  string
		reason Reason
	}{
		"plain": {"5", Static}, "off": {"", Off}, "later": {"", Off}, "over": {"", Off}, "now": {"true", Static}, "forced": {`"f"`, Static},
		"matched": {`"f"`, TargetingMatch}, "trait": {`"f"`, TargetingMatch}, "segment": {`"f"`, TargetingMatch}, "context": {`"f"`, TargetingMatch},
		"nobody": {`"d"`, Fallback}, "share": {`"f"`, Split}, "device": {`"d"`, Fallback}, "split": {half, Split}, "partly": {`"d"`, Split},
		"draft": {`"s"`, Static}, "parent": {`"f"`, Static}, "orphan": {`"d"`, Fallback}, "offchild": {`"d"`, Fallback},
		"free": {`"f"`, Static}, "expired": {`"s"`, Static}, "held": {shipped, map[bool]Reason{true: Fallback, false: Static}[heldOut]},
	} {
		s := NewSubject("u1", map[string]any{"country": "at"}, everybody{map[string]any{"plan": "pro"}})
		got, ok := st.Evaluate(key, s, noon, nil, nil)
		if !ok || string(got.Value) != want.value || got.Reason != want.reason || got.Version != 3 {
			t.Errorf("%s: %s, %s, %t, want %s, %s", key, got.Value, got.Reason, ok, want.value, want.reason)
		}
	}
	if _, ok := st.Evaluate("none", NewSubject("u1", nil, nil), noon, nil, nil); ok {
		t.Error("a flag that there is not has a value")
	}
	if st.until != noon.Add(time.Second) {
		t.Errorf("the state is good until %s", st.until)
	}
}

func TestExposuresOfAnEvaluation(t *testing.T) {
	t.Parallel()
	forced := strings.Replace(halves, "{", `{"forced": [{"unit": "tester", "variant": "b"}, {"unit": "email:mail@example.org", "variant": "b"}], `, 1)
	st := stateOf(t, map[string]string{
		"split": `{"type": "string", "default": "d", "holdouts": ["none"], "rules": [{"key": "r", "experiment": "halves", "values": {"a": "A", "b": "B"}}]}`,
		"child": `{"type": "boolean", "default": false, "prerequisites": [{"flag": "split", "condition": {"value": {"$in": ["A", "B"]}}}], "rules": [{"key": "r", "value": true}], "exposures": "tracking"}`,
	}, map[string]string{"halves": forced})
	for user, want := range map[string]int{"u1": 2, "tester": 1, "mail": 1, "": 0} {
		var seen []Exposure
		e, _ := st.Evaluate("child", NewSubject(user, nil, everybody{}), noon, nil, &seen)
		if len(seen) != want || user != "" && string(e.Value) != "true" {
			t.Errorf("%q: %+v, %s", user, seen, e.Value)
		}
		for _, x := range seen {
			if x.Flag != "split" || x.Tracked || x.Unit == "" || x.Experiment == "halves" && x.Version != 5 {
				t.Errorf("%+v", x)
			}
		}
	}
	// Somebody tries a page out.
	var seen []Exposure
	o := &Overrides{Variations: map[string]int{"halves": 1}, Values: map[string]json.RawMessage{"child": json.RawMessage(`"x"`)}}
	if e, _ := st.Evaluate("split", NewSubject("u1", nil, nil), noon, o, &seen); string(e.Value) != `"B"` || len(seen) != 0 {
		t.Errorf("%s, %v", e.Value, seen)
	}
	if e, _ := st.Evaluate("child", NewSubject("u1", nil, nil), noon, o, &seen); string(e.Value) != `"x"` {
		t.Errorf("%s", e.Value)
	}
}

// What waits for itself is off, and ends.
func TestCircles(t *testing.T) {
	t.Parallel()
	flags := map[string]string{
		"a": `{"type": "boolean", "default": true, "prerequisites": [{"flag": "b", "condition": {"value": true}}], "rules": [{"key": "r", "value": true}]}`,
		"b": `{"type": "boolean", "default": true, "rules": [{"key": "r", "experiment": "e", "values": {"a": true}}]}`,
		"c": `{"type": "boolean", "default": true, "prerequisites": [{"flag": "b", "condition": {"value": true}}], "rules": [{"key": "r", "value": true}]}`,
	}
	st := stateOf(t, flags, map[string]string{"e": strings.Replace(halves, "{", `{"prerequisites": [{"flag": "a", "variants": ["true"]}], `, 1)})
	for key, off := range map[string]bool{"a": true, "b": true, "c": false} {
		if e, _ := st.Evaluate(key, NewSubject("u1", nil, nil), noon, nil, nil); (e.Reason == Off) != off {
			t.Errorf("%s: %+v", key, e)
		}
	}
}

// A flag that SDKs evaluate by themselves has the value that the server gives it.
func TestLocalIsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		conditions := []string{`{"country": "at"}`, `{"context.country": {"$in": ["at", "de"]}}`, `{"userId": {"$ne": "u3"}, "age": {"$gt": 20}}`, `{"$or": [{"context.age": 30}, {"$not": {"targetingKey": "u5"}}]}`}
		condition := func(name string) string {
			return rapid.SampledFrom(append(conditions, "{}", "null")).Draw(r, name)
		}
		w := float64(rapid.IntRange(0, 100).Draw(r, "weight")) / 100
		extra := rapid.SampledFrom([]string{"", `"layers": [{"layer": "shop", "from": 0.2, "to": 0.7}],`, `"forced": [{"unit": "u7", "variant": "b"}, {"unit": "userId:u9", "variant": "a"}], "blocked": ["u8", "userId:u10"],`, `"unit": "device",`}).Draw(r, "extra")
		if !strings.Contains(extra, `"unit": "device"`) {
			extra += `"unit": "userId",`
		}
		trial := fmt.Sprintf(`{%s "hash": "growthbook", "salt": "seed", "coverage": %g, "audience": %s,
			"variants": [{"key": "a", "weight": %g, "control": true}, {"key": "b", "weight": %g}, {"key": "c", "weight": %g, "dropped": %t}]}`,
			extra, rapid.SampledFrom([]float64{.1, .5, 1}).Draw(r, "coverage"), condition("audience"), w/2, w/2, 1-w, rapid.Bool().Draw(r, "dropped"))
		st := stateOf(t, map[string]string{
			"f": fmt.Sprintf(`{"type": "string", "default": "d", "prerequisites": [{"flag": "g", "condition": {"value": true}}], "rules": [
				{"key": "one", "experiment": "e", "values": {"a": "A", "b": "B"}, "condition": %s},
				{"key": "two", "value": "two", "coverage": %g, "condition": %s}, {"key": "three", "value": "three", "condition": %s}]}`,
				condition("one"), rapid.SampledFrom([]float64{0, .3, 1}).Draw(r, "share"), condition("two"), condition("three")),
			"g": fmt.Sprintf(`{"type": "boolean", "default": false, "rules": [{"key": "r", "value": true, "condition": %s}]}`, condition("parent")),
		}, map[string]string{"e": trial})
		payload, why := st.Local()
		if len(payload.Features) != 2 {
			r.Fatalf("%v", why)
		}
		data, err := json.Marshal(payload)
		if err != nil {
			r.Fatal(err)
		}
		loaded := new(growthbook.Payload)
		if err := json.Unmarshal(data, loaded); err != nil {
			r.Fatal(err)
		}
		features := growthbook.Compile(loaded)
		for i := range 40 {
			user := fmt.Sprint("u", i)
			attributes := clientOf(i)
			s := NewSubject(user, attributes, nil)
			want, _ := st.Evaluate("f", s, noon, nil, nil)
			local := maps.Clone(attributes)
			local[IDAttribute] = user
			if got := features.Evaluate("f", &growthbook.Context{Attributes: local}); string(got.Value) != string(want.Value) {
				r.Fatalf("%s: the server gives %s (%s), an SDK %s (%s) of %s", user, want.Value, want.Rule, got.Value, got.RuleID, data)
			} else if got.ExperimentResult != nil && want.Trial != nil && got.ExperimentResult.Key != want.Variant {
				r.Fatalf("%s: variant %s and %s", user, want.Variant, got.ExperimentResult.Key)
			}
		}
	})
}

func clientOf(i int) condition.Map {
	return condition.Map{"country": []string{"at", "de", "ch"}[i%3], "age": float64(10 + i), "deviceId": fmt.Sprint("d", i%9)}
}

func TestNotLocal(t *testing.T) {
	t.Parallel()
	trial := func(extra string) string { return strings.Replace(halves, "{", "{"+extra, 1) }
	rule := func(experiment string) string {
		return `{"type": "string", "default": "d", "rules": [{"key": "r", "experiment": "` + experiment + `", "values": {"a": "A"}}]}`
	}
	st := stateOf(t, map[string]string{
		"holdout": `{"type": "string", "default": "d", "holdouts": ["all"]}`,
		"person":  `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "v", "coverage": 0.5, "unit": "person"}]}`,
		"segment": `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "v", "condition": {"segments": "vip"}}]}`,
		"child":   `{"type": "string", "default": "d", "prerequisites": [{"flag": "segment", "condition": {"value": 1}}]}`,
		"xxh":     rule("xxh"), "people": rule("people"), "held": rule("held"), "after": rule("after"), "vip": rule("vip"), "ok": rule("ok"), "gone": rule("gone"), "mail": rule("mail"),
		"off": `{"type": "string", "default": "d", "enabled": false}`,
	}, map[string]string{
		"xxh":    `{"unit": "userId", "variants": [{"key": "a", "weight": 0.5, "control": true}, {"key": "b", "weight": 0.5}]}`,
		"people": `{"hash": "growthbook", "variants": [{"key": "a", "weight": 0.5, "control": true}, {"key": "b", "weight": 0.5}]}`,
		"held":   trial(`"holdouts": ["all"],`), "after": trial(`"prerequisites": [{"experiment": "ok", "variants": ["a"]}],`),
		"vip": trial(`"audience": {"segments": "vip"},`), "ok": halves, "mail": trial(`"blocked": ["email:a@example.org"],`),
	})
	payload, why := st.Local()
	if got := slices.Sorted(maps.Keys(why)); !slices.Equal(got, []string{"after", "child", "held", "holdout", "mail", "people", "person", "segment", "vip", "xxh"}) {
		t.Errorf("%v", why)
	}
	if got := slices.Sorted(maps.Keys(payload.Features)); !slices.Equal(got, []string{"gone", "ok"}) {
		t.Errorf("%v", got)
	}
}

func TestRefusedFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, field string }{
		{`{"type": "integer", "default": 1}`, "type"},
		{`{"type": "boolean", "default": 1}`, "default"},
		{`{"type": "boolean"}`, "default"},
		{`{"type": "string", "default": null}`, "default"},
		{`{"type": "number", "default": "1"}`, "default"},
		{`{"type": "json", "default": "1"}`, "default"},
		{`{"type": "number", "default": 1, "startAt": "2026-01-02T00:00:00Z", "endAt": "2026-01-01T00:00:00Z"}`, "endAt"},
		{`{"type": "number", "default": 1, "exposures": "never"}`, "exposures"},
		{`{"type": "number", "default": 1, "prerequisites": [{"flag": "f", "condition": {"value": 1}}]}`, "prerequisites[0].flag"},
		{`{"type": "number", "default": 1, "prerequisites": [{"flag": "g"}]}`, "prerequisites[0].condition"},
		{`{"type": "number", "default": 1, "holdouts": ["a", "a"]}`, "holdouts[1]"},
		{`{"type": "number", "default": 1, "rules": [{"key": "", "value": 1}]}`, "rules[0].key"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "value": 1}, {"key": "a", "value": 1}]}`, "rules[1].key"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "value": true}]}`, "rules[0].value"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a"}]}`, "rules[0].value"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "value": 1, "coverage": 1.5}]}`, "rules[0].coverage"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "value": 1, "condition": {"a": {"$x": 1}}}]}`, "rules[0].condition.a.$x"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "value": 1, "values": {"a": 1}}]}`, "rules[0].values"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "experiment": "e"}]}`, "rules[0].values"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "bandit": "p", "values": {"x": 1}}]}`, "rules[0].values"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "bandit": "p", "values": {"x": 1, "y": "b"}}]}`, "rules[0].values[y]"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "bandit": "p", "experiment": "e", "values": {"x": 1, "y": 2}}]}`, "rules[0].bandit"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "bandit": "p", "values": {"x": 1, "y": 2}, "coverage": 0.5}]}`, "rules[0].coverage"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "experiment": "e", "values": {"a": "x"}}]}`, "rules[0].values.a"},
		{`{"type": "number", "default": 1, "rules": [{"key": "a", "experiment": "e", "values": {"a": 1}, "coverage": 0.5}]}`, "rules[0].coverage"},
	} {
		var f Flag
		if err := json.Unmarshal([]byte(c.source), &f); err != nil {
			t.Fatal(err)
		}
		f.normalise("f")
		if bad := f.validate("f"); !slices.ContainsFunc(bad, func(v problem.Field) bool { return v.Field == c.field && v.Rule != "" }) {
			t.Errorf("%s: %v", c.source, bad)
		}
	}
	var bad problem.Invalid
	(&Flag{Type: Number}).keep(&Flag{Type: Text}, &bad)
	if len(bad) != 1 {
		t.Error("the type may change")
	}
}

func benchmarkState(t testing.TB) *State {
	flags := make(map[string]string)
	for i := range 100 {
		flags[fmt.Sprintf("flag-%02d", i)] = `{"type": "string", "default": "d", "rules": [
			{"key": "r", "value": "x", "condition": {"country": {"$in": ["ch"]}, "age": {"$gt": 90}}},
			{"key": "s", "experiment": "halves", "values": {"a": "A", "b": "B"}, "condition": {"country": {"$in": ["at", "de"]}}}]}`
	}
	return stateOf(t, flags, map[string]string{"halves": halves})
}

func TestEvaluateWithoutAllocating(t *testing.T) {
	st := benchmarkState(t)
	s := NewSubject("u1", map[string]any{"country": "at", "age": 30.0}, nil)
	if n := testing.AllocsPerRun(100, func() { st.Evaluate("flag-07", s, noon, nil, nil) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	st := benchmarkState(b)
	s := NewSubject("u1", map[string]any{"country": "at", "age": 30.0}, nil)
	b.ReportAllocs()
	for b.Loop() {
		st.Evaluate("flag-07", s, noon, nil, nil)
	}
}

// fixedWeights is a policy with two leaves.
type fixedWeights struct{ stamp string }

func (f *fixedWeights) Weights(point string, actions []string) (BanditWeights, bool) {
	if point != "hero" || !slices.Equal(actions, []string{"a/web/x", "b/web/x"}) {
		return BanditWeights{}, false
	}
	return BanditWeights{Version: 7, Otherwise: []float64{.5, .5}, Leaves: []BanditLeaf{
		{Values: map[string]any{"country": "at"}, Weights: []float64{.9, .1}}, {Values: map[string]any{"country": "de"}, Weights: []float64{0, 1}},
	}}, true
}

func (f *fixedWeights) Stamp(string) string { return f.stamp }

// A bandit chooses the same on the server and in an SDK, and its probabilities are in
// the exposures.
func TestBandit(t *testing.T) {
	t.Parallel()
	source := &fixedWeights{stamp: "1"}
	all := flagsOf(t, map[string]string{
		"f": `{"type": "string", "default": "d", "rules": [{"key": "r", "bandit": "hero", "values": {"b/web/x": "B", "a/web/x": "A"}}]}`,
		"g": `{"type": "string", "default": "d", "rules": [{"key": "r", "bandit": "none", "values": {"b": "B", "a": "A"}}]}`,
	})
	st := Compile(all, experiments.Compile(experiments.Sources{}), nil, source, noon)
	payload, why := st.Local()
	data, err := json.Marshal(payload)
	if err != nil || len(why) > 0 {
		t.Fatalf("%v, %v", err, why)
	}
	loaded := new(growthbook.Payload)
	if err := json.Unmarshal(data, loaded); err != nil {
		t.Fatal(err)
	}
	features := growthbook.Compile(loaded)
	counts := map[string]int{}
	for i := range 3000 {
		user := fmt.Sprint("u", i)
		attributes := clientOf(i)
		var seen []Exposure
		e, _ := st.Evaluate("f", NewSubject(user, attributes, nil), noon, nil, &seen)
		local := maps.Clone(attributes)
		local[IDAttribute] = user
		got := features.Evaluate("f", &growthbook.Context{Attributes: local})
		r := got.ExperimentResult
		if r == nil || string(got.Value) != string(e.Value) || r.Key != e.Variant || len(seen) != 1 || e.Reason != Split {
			t.Fatalf("%s: the server gives %s, an SDK %s; %+v", user, e.Value, got.Value, seen)
		}
		if x := seen[0]; x.Leaf != *r.LeafID || x.Probability != r.VariationWeights[r.VariationID] || x.BanditVersion != *r.BanditVersion || x.Experiment != "f/r" {
			t.Errorf("%s: %+v, %+v", user, x, r)
		}
		counts[attributes["country"].(string)+string(e.Value)]++
	}
	for what, share := range map[string]float64{`at"A"`: .9, `de"A"`: 0, `ch"A"`: .5} {
		if n := float64(counts[what]); n < 1000*share-60 || n > 1000*share+60 {
			t.Errorf("%s: %g of 1000", what, n)
		}
	}
	if e, _ := st.Evaluate("g", NewSubject("u", nil, nil), noon, nil, nil); string(e.Value) != `"d"` {
		t.Errorf("a decision point that there is not: %s", e.Value)
	}
	if e, _ := st.Evaluate("f", NewSubject("", nil, nil), noon, nil, nil); string(e.Value) != `"d"` || !st.Keyed("f") {
		t.Errorf("nobody: %s", e.Value)
	}
	source.stamp = "2"
	if !st.stale() || Compile(all, nil, nil, source, noon).Tag() == st.Tag() {
		t.Error("a new model makes no new state")
	}
}
