package condition

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"quintet/internal/problem"
)

// The published cases of GrowthBook's SDKs, where they are beside the repository. A
// file of the same form can be named by GROWTHBOOK_CASES.
func TestPublishedCases(t *testing.T) {
	t.Parallel()
	name := os.Getenv("GROWTHBOOK_CASES")
	if name == "" {
		name = "../../../shared/data/growthbook_cases.json"
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Skipf("the published cases are not there: %v", err)
	}
	var file struct {
		EvalCondition [][]json.RawMessage `json:"evalCondition"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.EvalCondition) < 100 {
		t.Fatalf("%d cases", len(file.EvalCondition))
	}
	for _, row := range file.EvalCondition {
		var name string
		var attributes Map
		var want bool
		groups := make(map[string][]any)
		into := []any{&name, new(json.RawMessage), &attributes, &want, &groups}
		for i, cell := range row {
			if err := json.Unmarshal(cell, into[i]); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		c, err := ParseLenient(row[1])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sets := make(Groups)
		for id, values := range groups {
			sets[id] = NewSet(values)
		}
		if got := c.Matches(attributes, sets); got != want {
			t.Errorf("%s: %s of %v is %t", name, row[1], attributes, got)
		}
		// What is refused when somebody writes it is understood by no SDK alike.
		if strict, err := Parse(row[1]); err == nil && strict.Matches(attributes, sets) != want {
			t.Errorf("%s: the strict form differs", name)
		}
	}
}

// The answers are those of the SDK for JavaScript, version 1.8.
func TestConversions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		condition, attributes string
		want                  bool
	}{
		{`{"x": 0}`, `{}`, true}, // null counts as zero
		{`{"x": 0}`, `{"x": ""}`, true},
		{`{"x": 5}`, `{"x": " 5 "}`, true},
		{`{"x": 5}`, `{"x": [5]}`, true},
		{`{"x": 5}`, `{"x": {"a": 5}}`, false},
		{`{"x": 31}`, `{"x": "0x1f"}`, true},
		{`{"x": 31}`, `{"x": "1_0"}`, false},
		{`{"x": "5"}`, `{"x": 5}`, true},
		{`{"x": "1e+21"}`, `{"x": 1e21}`, true},
		{`{"x": "1e-7"}`, `{"x": 0.0000001}`, true},
		{`{"x": "0.000001"}`, `{"x": 0.000001}`, true},
		{`{"x": "null"}`, `{}`, true},
		{`{"x": "1,,a"}`, `{"x": [1, null, "a"]}`, true},
		{`{"x": "[object Object]"}`, `{"x": {}}`, true},
		{`{"x": true}`, `{"x": []}`, true},
		{`{"x": true}`, `{"x": "false"}`, true},
		{`{"x": false}`, `{"x": 0}`, true},
		{`{"x": {"$gt": "10"}}`, `{"x": 9}`, false},
		{`{"x": {"$gt": "10"}}`, `{"x": "9"}`, true}, // two texts
		{`{"x": {"$gt": 1}}`, `{"x": "a"}`, false},
		{`{"x": {"$lte": 1}}`, `{"x": "a"}`, false},
		{`{"x": {"$gte": 2}}`, `{"x": [2]}`, true},
		{`{"x": {"$eq": 5}}`, `{"x": "5"}`, false},
		{`{"x": {"$in": [null]}}`, `{}`, true},
		{`{"x": {"$nin": [1]}}`, `{}`, true},
		{`{"x": {"$regex": "^null$"}}`, `{}`, true},
		{`{"x": {"$regex": "^a/b$"}}`, `{"x": "a/b"}`, true},
		{`{"x": {"$elemMatch": {"$lt": 1}}}`, `{"x": [0]}`, true},
		{`{"x": {"$elemMatch": {"$eq": null}}}`, `{"x": [null]}`, false},
		{`{"x": {"$elemMatch": {"a.b": 1}}}`, `{"x": [{"a": {"b": 2}}, {"a": {"b": 1}}]}`, true},
		{`{"x.1": "b"}`, `{"x": ["a", "b"]}`, true},
		{`{"x.length": 2}`, `{"x": ["a", "b"]}`, true},
		{`{"x.9": null}`, `{"x": ["a", "b"]}`, true},
		{`{"x": {"$alli": ["A"]}}`, `{"x": ["a"]}`, true},
		{`{"x": {"$all": [5]}}`, `{"x": ["5"]}`, true},
		{`{"x": {"$size": "1"}}`, `{"x": ["5"]}`, true},
		{`{"x": {"$veq": "2"}}`, `{"x": 2}`, true},
		{`{"x": {"$vlt": "0.0.1"}}`, `{}`, true},
		{`{"x": {"$notInGroup": "none"}}`, `{"x": 1}`, true},
		{`{"x": {"$not": {"$never": 1}}}`, `{"x": 1}`, true},
		{`{"x": ["a", {"b": [1]}]}`, `{"x": ["a", {"b": [1]}]}`, true},
		{`{"x": {"b": 1, "a": 2}}`, `{"x": {"a": 2, "b": 1}}`, true},
		{`null`, `{}`, true},
		{``, `{}`, true},
	} {
		var attributes Map
		if err := json.Unmarshal([]byte(c.attributes), &attributes); err != nil {
			t.Fatal(err)
		}
		got, err := ParseLenient([]byte(c.condition))
		if err != nil {
			t.Errorf("%s: %v", c.condition, err)
		} else if got.Matches(attributes, nil) != c.want {
			t.Errorf("%s of %s is not %t", c.condition, c.attributes, c.want)
		}
	}
}

// Attributes may come from Go and not from JSON.
func TestGoValues(t *testing.T) {
	t.Parallel()
	attributes := Map{"n": 7, "i": int64(8), "segments": []string{"new", "churned"}, "j": json.Number("9")}
	for source, want := range map[string]bool{
		`{"n": {"$gt": 6}, "i": 8, "j": {"$in": [9]}}`:    true,
		`{"segments": {"$in": ["churned"]}}`:              true,
		`{"segments": {"$ini": ["CHURNED"]}}`:             true,
		`{"segments": {"$nin": ["loyal"]}}`:               true,
		`{"segments": {"$in": ["loyal"]}}`:                false,
		`{"segments": {"$all": ["new", "churned"]}}`:      true,
		`{"segments": {"$elemMatch": {"$regex": "^ch"}}}`: true,
		`{"segments": ["new", "churned"]}`:                true,
		`{"segments": ["churned", "new"]}`:                false,
		`{"segments": {"$size": 2, "$type": "array"}}`:    true,
		`{"segments.0": "new"}`:                           true,
	} {
		c, err := Parse([]byte(source))
		if err != nil {
			t.Error(err)
		} else if got := c.Matches(attributes, nil); got != want {
			t.Errorf("%s is %t", source, got)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, field, rule string }{
		{`[]`, "", "must be an object"},
		{`{"a": }`, "", "must be a JSON object"},
		{`{"a": 1e999}`, "", "must be a JSON object"},
		{`{"$and": {"a": 1}}`, "$and", "must be an array"},
		{`{"$or": [{"a": 1}, 5]}`, "$or[1]", "must be a condition"},
		{`{"$not": []}`, "$not", "must be a condition"},
		{`{"$gt": 5}`, "$gt", "must be within an attribute"},
		{`{"": 5}`, `[""]`, "must be the name"},
		{`{"a..b": 5}`, "a..b", "must be the name"},
		{`{"age": {"$gt": 5, "lt": 9}}`, "age", "only operators"},
		{`{"$and": [{"age": {"$gte": 5}}, {"age": {"$less": 9}}]}`, "$and[1].age.$less", "is not an operator"},
		{`{"age": {"$gt": true}}`, "age.$gt", "must be a number or a text"},
		{`{"age": {"$lt": [1]}}`, "age.$lt", "must be a number or a text"},
		{`{"age": {"$eq": [1]}}`, "age.$eq", "must be a text, a number"},
		{`{"age": {"$in": 5}}`, "age.$in", "must be an array"},
		{`{"age": {"$nini": [1, [2]]}}`, "age.$nini[1]", "must be a text, a number"},
		{`{"age": {"$all": 5}}`, "age.$all", "must be an array"},
		{`{"age": {"$size": -1}}`, "age.$size", "whole number"},
		{`{"age": {"$size": "3"}}`, "age.$size", "whole number"},
		{`{"age": {"$exists": 1}}`, "age.$exists", "true or false"},
		{`{"age": {"$type": "int"}}`, "age.$type", "string, number"},
		{`{"age": {"$regex": "("}}`, "age.$regex", "regular expression"},
		{`{"age": {"$regex": "a(?=b)"}}`, "age.$regex", "look-around"},
		{`{"age": {"$regexi": 5}}`, "age.$regexi", "regular expression"},
		{`{"age": {"$elemMatch": 5}}`, "age.$elemMatch", "operators, or a condition"},
		{`{"age": {"$elemMatch": {"b": {"$x": 1}}}}`, "age.$elemMatch.b.$x", "is not an operator"},
		{`{"age": {"$inGroup": 5}}`, "age.$inGroup", "saved group"},
		{`{"age": {"$vgt": null}}`, "age.$vgt", "version"},
		{`{"age": {"$not": {"$x": null}}}`, "age.$not.$x", "is not an operator"},
	} {
		_, err := Parse([]byte(c.source))
		var bad problem.Invalid
		if !errors.As(err, &bad) || bad[0].Field != c.field || !strings.Contains(bad[0].Rule, c.rule) {
			t.Errorf("%s: %v", c.source, err)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	list := func(n int) string {
		return strings.TrimSuffix(strings.Repeat("1,", n), ",")
	}
	wide := make(map[string]int)
	for i := range MaxTerms + 1 {
		wide[fmt.Sprint("a", i)] = i
	}
	many, err := json.Marshal(wide)
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{
		"deep":   strings.Repeat(`{"$not":`, MaxDepth+1) + "{}" + strings.Repeat("}", MaxDepth+1),
		"and":    strings.Repeat(`{"$and":[`, 40) + "{}" + strings.Repeat("]}", 40),
		"deeper": strings.Repeat(`{"$and":[`, 4000) + "{}" + strings.Repeat("]}", 4000),
		"inner":  `{"a":` + strings.Repeat(`{"$not":`, 40) + "1" + strings.Repeat("}", 41),
		"many":   string(many),
		"values": `{"a": {"$in": [` + list(6000) + `]}, "b": {"$all": [` + list(6000) + `]}}`,
		"bytes":  `{"a": "` + strings.Repeat("a", MaxBytes) + `"}`,
	} {
		for _, parse := range []func([]byte) (*Condition, error){Parse, ParseLenient} {
			if c, err := parse([]byte(source)); err == nil {
				t.Errorf("%s: is accepted as %v", name, c)
			} else if err != nil && !strings.Contains(err.Error(), "must be") && !strings.Contains(err.Error(), "must have") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte(`{"$or": [{"context.hour": 5}, {"plan": "a"}], "tags": {"$elemMatch": {"inner": 1}}, "id": {"$inGroup": "vip"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Names(), c.GroupNames()); got != "[context id plan tags] [vip]" {
		t.Errorf("%s", got)
	}
	var none *Condition
	if none.Names() != nil || none.Source() != nil || !none.Matches(Map{}, nil) || !none.MatchesValue(nil, nil) {
		t.Error("no condition is not everybody")
	}
}

func benchmarkCondition(t testing.TB) (*Condition, Map) {
	c, err := Parse([]byte(`{"country": {"$in": ["at", "de", "ch"]}, "age": {"$gte": 18, "$lt": 65}, "plan": "pro",
		"$or": [{"version": {"$vgte": "2.10.0"}}, {"segments": {"$in": ["beta"]}}], "$not": {"email": {"$regex": "@example\\.com$"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return c, Map{"country": "de", "age": 41.0, "plan": "pro", "version": "2.9.1", "segments": []string{"new", "beta"}, "email": "a@example.org"}
}

func TestMatchesWithoutAllocating(t *testing.T) {
	c, attributes := benchmarkCondition(t)
	if n := testing.AllocsPerRun(100, func() {
		if !c.Matches(attributes, nil) {
			t.Fatal("does not match")
		}
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkMatches(b *testing.B) {
	c, attributes := benchmarkCondition(b)
	b.ReportAllocs()
	for b.Loop() {
		c.Matches(attributes, nil)
	}
}

// Whatever is parsed can be asked, and the strict form means the same.
func FuzzParse(f *testing.F) {
	f.Add(`{"a": {"$gt": 5}, "$or": [{"b.c": "x"}, {"d": {"$elemMatch": {"e": {"$in": [1]}}}}]}`, `{"a": 6, "b": {"c": "x"}, "d": [{"e": 1}]}`)
	f.Add(`{"v": {"$vgte": "1.2.3-rc.1+b"}, "s": {"$size": {"$lt": 3}}}`, `{"v": "v2", "s": [null]}`)
	f.Add(`{"r": {"$regexi": "^A/"}, "n": {"$not": {"$exists": false}}}`, `{"r": 5, "n": null}`)
	f.Fuzz(func(t *testing.T, source, attributes string) {
		lenient, err := ParseLenient([]byte(source))
		if err != nil {
			return
		}
		var a Map
		if json.Unmarshal([]byte(attributes), &a) != nil {
			return
		}
		got := lenient.Matches(a, nil)
		if strict, err := Parse([]byte(source)); err == nil && strict.Matches(a, nil) != got {
			t.Errorf("the strict form of %s is %t of %s", source, !got, attributes)
		}
		if lenient != nil && !json.Valid(lenient.Source()) {
			t.Error("the source is no JSON")
		}
	})
}
