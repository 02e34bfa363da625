package growthbook

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"quintet/experiments/assignment"
	"quintet/experiments/condition"
)

// situation is the context of a published case, with the payload that it has.
type situation struct {
	Payload
	Attributes       condition.Map              `json:"attributes"`
	URL              string                     `json:"url"`
	Enabled          *bool                      `json:"enabled"`
	QAMode           bool                       `json:"qaMode"`
	ForcedVariations map[string]int             `json:"forcedVariations"`
	ForcedFeatures   map[string]json.RawMessage `json:"forcedFeatures"`
	StickyDocuments  map[string]*StickyDocument `json:"stickyBucketAssignmentDocs"`
}

func (s *situation) context() *Context {
	return &Context{
		Attributes: s.Attributes, URL: s.URL, ForcedVariations: s.ForcedVariations, ForcedFeatures: s.ForcedFeatures,
		Disabled: s.Enabled != nil && !*s.Enabled, QA: s.QAMode, Sticky: s.StickyDocuments,
	}
}

// row is a case: values of several types in a list.
type row []json.RawMessage

func (r row) read(t *testing.T, into ...any) {
	t.Helper()
	for i, cell := range r {
		if i >= len(into) {
			t.Fatalf("the row has %d values: %s", len(r), cell)
		}
		if into[i] == nil {
			continue
		}
		if err := json.Unmarshal(cell, into[i]); err != nil {
			t.Fatalf("value %d of %s: %v", i, r[0], err)
		}
	}
}

// compare compares as JSON, numbers within what the cases are rounded to.
func compare(t *testing.T, name string, got, want any) {
	t.Helper()
	plain := func(v any) (out any) {
		data, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(data, &out)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if a, b := plain(got), plain(want); !near(a, b) {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		t.Errorf("%s:\n got %s\nwant %s", name, x, y)
	}
}

func near(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && math.Abs(x-y) < 1e-8
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !near(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			v, ok := y[k]
			if !ok || !near(x[k], v) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// runners run the rows of each kind.
var runners = map[string]func(*testing.T, row){
	"evalCondition": func(t *testing.T, r row) {
		var name string
		var attributes condition.Map
		var want bool
		var groups map[string][]any
		r.read(t, &name, nil, &attributes, &want, &groups)
		// As the SDKs do it, through a rule of a feature.
		f := Compile(&Payload{SavedGroups: groups, Features: map[string]*Feature{"f": {Rules: []Rule{{Condition: r[1], Force: json.RawMessage("1")}}}}})
		if got := f.Evaluate("f", &Context{Attributes: attributes}); got.On != want {
			t.Errorf("%s: %t", name, got.On)
		}
	},
	"hash": func(t *testing.T, r row) {
		var seed, value string
		var version int
		var want *float64
		r.read(t, &seed, &value, &version, &want)
		got, ok := assignment.FNV(seed, value, version)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("hash(%q, %q, %d) is %g, %t", seed, value, version, got, ok)
		}
	},
	"getBucketRange": func(t *testing.T, r row) {
		var name string
		var in row
		var want []Range
		r.read(t, &name, &in, &want)
		var n int
		var coverage float64
		var weights []float64
		in.read(t, &n, &coverage, &weights)
		got := []Range{}
		for _, one := range assignment.BucketRanges(n, coverage, weights) {
			got = append(got, Range(one))
		}
		compare(t, name, got, want)
	},
	"chooseVariation": func(t *testing.T, r row) {
		var name string
		var n float64
		var ranges []Range
		var want int
		r.read(t, &name, &n, &ranges, &want)
		if got := choose(n, ranges); got != want {
			t.Errorf("%s: %d", name, got)
		}
	},
	"getQueryStringOverride": func(t *testing.T, r row) {
		var name, key, url string
		var n int
		var want *int
		r.read(t, &name, &key, &url, &n, &want)
		got, ok := QueryStringOverride(key, url, n)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%s: %d, %t", name, got, ok)
		}
	},
	"inNamespace": func(t *testing.T, r row) {
		var name, id string
		var n Namespace
		var want bool
		r.read(t, &name, &id, &n, &want)
		if got := assignment.InNamespace(id, n.Name, assignment.Range(n.Range)); got != want {
			t.Errorf("%s: %t", name, got)
		}
	},
	"getEqualWeights": func(t *testing.T, r row) {
		var n int
		var want []float64
		r.read(t, &n, &want)
		compare(t, "equal weights", assignment.EqualWeights(n), want)
	},
	"decrypt": func(t *testing.T, r row) {
		var name, text, key string
		var want *string
		r.read(t, &name, &text, &key, &want)
		got, err := Decrypt(text, key)
		if (err == nil) != (want != nil) || want != nil && got != *want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	},
	"feature":          runFeature,
	"contextualBandit": runFeature,
	"run": func(t *testing.T, r row) {
		var name string
		var s situation
		var e Experiment
		var in, hashed bool
		var want any
		r.read(t, &name, &s, &e, &want, &in, &hashed)
		got := Compile(&s.Payload).Run(&e, s.context())
		compare(t, name, got.Value, want)
		if got.InExperiment != in || got.HashUsed != hashed {
			t.Errorf("%s: in experiment %t, hash used %t", name, got.InExperiment, got.HashUsed)
		}
	},
	"stickyBucket": func(t *testing.T, r row) {
		var name, key string
		var s situation
		var stored []*StickyDocument
		var want, documents any
		r.read(t, &name, &s, &stored, &key, &want, &documents)
		c, f := s.context(), Compile(&s.Payload)
		all := s.StickyDocuments
		if all == nil {
			all = map[string]*StickyDocument{}
		}
		for _, d := range stored {
			all[StickyKey(d.AttributeName, d.AttributeValue)] = d
		}
		c.Sticky = f.Own(c, all)
		compare(t, name, f.Evaluate(key, c).ExperimentResult, want)
		compare(t, name, c.Sticky, documents)
	},
	"urlRedirect": func(t *testing.T, r row) {
		var name string
		var s situation
		var want []Redirect
		r.read(t, &name, &s, &want)
		compare(t, name, Compile(&s.Payload).Redirects(s.Experiments, s.context()), want)
	},
}

func runFeature(t *testing.T, r row) {
	var name, key string
	var s situation
	var want map[string]any
	r.read(t, &name, &s, &key, &want)
	if _, ok := want["ruleId"]; !ok {
		want["ruleId"] = ""
	}
	compare(t, name, Compile(&s.Payload).Evaluate(key, s.context()), want)
}

// The published conformance cases of the SDKs, where they are beside the repository;
// GROWTHBOOK_CASES names another file of the same form. A kind of rows that nobody
// here can run is a failure.
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
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for kind, content := range file {
		if kind == "specVersion" {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			run, ok := runners[kind]
			if !ok {
				t.Fatal("there is nothing that runs rows of this kind")
			}
			var rows []row
			if err := json.Unmarshal(content, &rows); err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				t.Fatal("there are no rows")
			}
			for i, r := range rows {
				t.Run(strings.Trim(string(r[0]), `"`), func(t *testing.T) {
					if len(r) < 2 {
						t.Fatalf("row %d has %d values", i, len(r))
					}
					run(t, r)
				})
			}
		})
	}
}
