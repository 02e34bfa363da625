package growthbook

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"quintet/experiments/assignment"
	"quintet/experiments/condition"
)

func payload(t testing.TB, source string) *Payload {
	t.Helper()
	p := new(Payload)
	if err := json.Unmarshal([]byte(source), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// A payload that is read and written again is the same.
func TestPayloadRoundTrip(t *testing.T) {
	t.Parallel()
	const source = `{"features":{"f":{"defaultValue":0,"rules":[{"id":"r","condition":{"a":1},"parentConditions":[{"id":"g","condition":{"value":true},"gate":true}],
		"coverage":0,"namespace":["n",0,0.5],"range":[0,0.1],"ranges":[[0,0.5],[0.5,1]],"variations":[null,{"x":[1]}],"meta":[{"key":"a","passthrough":true},{"name":"B"}],
		"filters":[{"seed":"s","ranges":[[0,1]],"hashVersion":2,"attribute":"u"}],"bucketVersion":0,"force":null}]}},
		"savedGroups":{"g":[1,"a"]},"contextualBandits":{"b":{"banditVersion":7,"contexts":[{"leafId":1,"condition":{},"weights":[1,0]}]}}}`
	p := payload(t, source)
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if json.Unmarshal([]byte(source), &a) != nil || json.Unmarshal(out, &b) != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("%s", out)
	}
	for _, bad := range []string{`[0]`, `["a"]`, `5`} {
		if json.Unmarshal([]byte(bad), new(Range)) == nil || json.Unmarshal([]byte(bad), new(Namespace)) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	key := NewKey()
	for _, plain := range []string{"", "a", strings.Repeat("x", 16), strings.Repeat("é", 1000)} {
		text, err := Encrypt([]byte(plain), key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Encrypt([]byte(plain), key)
		if err != nil || again == text {
			t.Error("two texts begin alike")
		}
		if got, err := Decrypt(text, key); err != nil || got != plain {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := Decrypt(text, NewKey()); err == nil && got == plain && plain != "" {
			t.Error("another key reads it")
		}
	}
	for _, bad := range []string{"", "a", "AAAA", "!"} {
		if _, err := Encrypt(nil, bad); err == nil {
			t.Errorf("the key %q is accepted", bad)
		}
	}
}

// A unit that is not ASCII is where the SDK that is followed puts it.
func TestEncodings(t *testing.T) {
	t.Parallel()
	f := Compile(payload(t, `{"features":{"f":{"rules":[{"seed":"seed","hashVersion":2,"range":[0.95,1],"force":"utf-8"},{"seed":"seed","hashVersion":2,"range":[0.86,0.87],"force":"utf-16"}]}}}`))
	for want, encoding := range map[string]assignment.Encoding{"utf-8": assignment.UTF8, "utf-16": assignment.UTF16} {
		if got := f.Evaluate("f", &Context{Attributes: condition.Map{"id": "é"}, Encoding: encoding}); string(got.Value) != `"`+want+`"` {
			t.Errorf("%s: %s", want, got.Value)
		}
	}
}

// Flags that wait for one another in a long row end, as those in a circle do.
func TestLongRows(t *testing.T) {
	t.Parallel()
	p := &Payload{Features: map[string]*Feature{}}
	for i := range 5000 {
		p.Features[fmt.Sprint(i)] = &Feature{Rules: []Rule{{
			ParentConditions: []ParentCondition{{ID: fmt.Sprint(i + 1), Condition: json.RawMessage("{}")}}, Force: json.RawMessage("1"),
		}}}
	}
	if got := Compile(p).Evaluate("0", new(Context)); got.Source != SourceRecursion {
		t.Errorf("%+v", got)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, c := range []struct {
		page     string
		patterns []URLPattern
		want     bool
	}{
		{"https://shop.example.com/a/b?x=1#top", []URLPattern{{Type: "simple", Pattern: "/a/*"}}, true},
		{"https://shop.example.com/a/b/", []URLPattern{{Type: "simple", Pattern: "*.example.com/a/b"}}, true},
		{"https://shop.example.org/a/b/", []URLPattern{{Type: "simple", Pattern: "*.example.com/a/b"}}, false},
		{"https://shop.example.com/a?x=1&y=2", []URLPattern{{Type: "simple", Pattern: "/a?y=2"}}, true},
		{"https://shop.example.com/a?x=1", []URLPattern{{Type: "simple", Pattern: "/a?y=2"}}, false},
		{"https://shop.example.com/a#b", []URLPattern{{Type: "simple", Pattern: "/a#b"}}, true},
		{"https://shop.example.com/a", []URLPattern{{Type: "simple", Pattern: "/a#b"}}, false},
		{"https://shop.example.com/a", []URLPattern{{Type: "regex", Pattern: "^/a$"}}, true},
		{"https://shop.example.com/a", []URLPattern{{Type: "regex", Pattern: "("}}, false},
		{"https://shop.example.com/a", []URLPattern{{Type: "other", Pattern: "/a"}}, false},
		{"https://shop.example.com/a", []URLPattern{{Type: "simple", Pattern: "/a", Include: &no}}, false},
		{"https://shop.example.com/b", []URLPattern{{Type: "simple", Pattern: "/a", Include: &no}}, true},
		{"https://shop.example.com/a/c", []URLPattern{{Type: "simple", Pattern: "/a/*", Include: &yes}, {Type: "simple", Pattern: "/a/c", Include: &no}}, false},
		{"", []URLPattern{{Type: "simple", Pattern: "/"}}, true},
		{"http://[::1", []URLPattern{{Type: "simple", Pattern: "/"}}, false},
	} {
		if got := targetsURL(c.page, c.patterns); got != c.want {
			t.Errorf("%s with %+v: %t", c.page, c.patterns, got)
		}
	}
}

// Whatever a payload holds, it is evaluated, and twice to the same.
func FuzzEvaluate(f *testing.F) {
	f.Add(`{"features":{"f":{"defaultValue":1,"rules":[{"variations":[1,2],"coverage":0.5,"hashVersion":2,"namespace":["n",0,1]},{"force":3,"condition":{"a":{"$gt":5}}}]}}}`, `{"id":"u","a":6}`, "http://localhost/?f=1")
	f.Add(`{"features":{"f":{"rules":[{"parentConditions":[{"id":"f","condition":{}}],"force":1}]}}}`, `{}`, "")
	f.Add(`{"features":{"f":{"rules":[{"contextualVariations":["a","b"],"contextualBanditRef":"b","minBucketVersion":3,"meta":[{"key":"x"}]}]}},"contextualBandits":{"b":{"contexts":[{"leafId":1,"condition":{"a":1},"weights":[2]}]}}}`, `{"id":5}`, "?f=0")
	f.Fuzz(func(t *testing.T, source, attributes, page string) {
		p := new(Payload)
		var a condition.Map
		if json.Unmarshal([]byte(source), p) != nil || json.Unmarshal([]byte(attributes), &a) != nil {
			return
		}
		features := Compile(p)
		for _, key := range features.Keys() {
			first := features.Evaluate(key, &Context{Attributes: a, URL: page, Sticky: map[string]*StickyDocument{}})
			again := features.Evaluate(key, &Context{Attributes: a, URL: page, Sticky: map[string]*StickyDocument{}})
			one, err := json.Marshal(first)
			two, _ := json.Marshal(again)
			if err != nil || string(one) != string(two) {
				t.Errorf("%s and %s, %v", one, two, err)
			}
		}
		features.Redirects(p.Experiments, &Context{Attributes: a, URL: page})
	})
}

func FuzzDecrypt(f *testing.F) {
	f.Add("m5ylFM6ndyOJA2OPadubkw==.Uu7ViqgKEt/dWvCyhI46q088PkAEJbnXKf3KPZjf9IEQQ+A8fojNoxw4wIbPX3aj", "Zvwv/+uhpFDznZ6SX28Yjg==")
	f.Add(".", "")
	f.Fuzz(func(t *testing.T, text, key string) {
		plain, err := Decrypt(text, key)
		if err != nil {
			return
		}
		again, err := Encrypt([]byte(plain), key)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decrypt(again, key); err != nil || back != plain {
			t.Errorf("%q becomes %q, %v", plain, back, err)
		}
	})
}
