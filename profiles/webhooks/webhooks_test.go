package webhooks

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"quintet/internal/importing"
	"quintet/internal/problem"
)

func TestPaths(t *testing.T) {
	t.Parallel()
	var value any
	if err := json.Unmarshal([]byte(`{"a":{"b.c":[10,{"d":20}],"":5,"$x":6},"$y":7,"n":null}`), &value); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`a["b.c"][0]`: "10", `$.a["b.c"][1].d`: "20", `a["b.c"].1.d`: "20", `a.$x`: "6", `$y`: "7", `$`: "whole", ``: "whole", `n`: "null", `a[""]`: "5",
		`a.b`: "nowhere", `a["b.c"][2]`: "nowhere", `a["b.c"].x`: "nowhere", `n.x`: "nowhere", `[0]`: "nowhere",
	} {
		p, err := parsePath(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		v, ok := p.in(value)
		got, _ := json.Marshal(v)
		switch {
		case !ok:
			got = []byte("nowhere")
		case len(p) == 0:
			got = []byte("whole")
		}
		if string(got) != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"a..b", ".a.", "a.", "a[", "a[x]", "a[-1]", `a["b`, "a[0]b", "a.[0]", strings.Repeat("a.", 40) + "a"} {
		if p, err := parsePath(text); err == nil {
			t.Errorf("%s: read as %v", text, p)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	item := `{"text":"paid","n":5,"list":["a",2],"yes":true,"null":null,"form":"5.0"}`
	for _, c := range []struct {
		path, op string
		value    any
		holds    bool
	}{
		{"text", "equals", "paid", true}, {"text", "equals", "free", false}, {"n", "equals", 5.0, true}, {"form", "equals", 5.0, true}, {"yes", "equals", true, true},
		{"none", "equals", "x", false}, {"none", "notEquals", "x", true}, {"text", "notEquals", "paid", false}, {"null", "exists", nil, false}, {"null", "absent", nil, true},
		{"text", "exists", nil, true}, {"none", "absent", nil, true}, {"text", "in", []any{"free", "paid"}, true}, {"n", "in", []any{1.0}, false}, {"text", "contains", "ai", true},
		{"list", "contains", "a", true}, {"list", "contains", 2.0, true}, {"list", "contains", "b", false}, {"n", "above", 4.0, true}, {"n", "above", 5.0, false}, {"n", "below", 6.0, true},
		{"text", "above", 1.0, false}, {"list", "equals", "a", false},
	} {
		w := &Webhook{Name: "x", Messages: []Template{{When: []Condition{{c.path, c.op, c.value}}, Type: "identify", UserID: &Field{Field: importing.Field{Const: "u"}}}}}
		compiled, err := Compile(w)
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		m, err := compiled.Map("k", []byte(item), false)
		if err != nil || (len(m.Messages) == 1) != c.holds || (len(m.Skipped) == 1) == c.holds {
			t.Errorf("%v: %+v %v", c, m, err)
		}
	}
}

// Whatever a definition and a body are, nothing panics: a definition is refused
// with the field, a body or an item with the path, and what is made is JSON.
func FuzzMap(f *testing.F) {
	f.Add(`{"name":"x","items":"list","messages":[{"when":[{"path":"a.b[0]","op":"in","value":[1,"x"]}],"type":"track","event":{"from":"e","transform":["trim","lower"]},"userId":{"from":"u","default":1},"timestamp":{"from":"t","layout":"unix"},"properties":{"n":{"from":"n","type":"number"},"j":{"from":"j","type":"json"}}}]}`,
		`{"list":[{"a":{"b":[1]},"e":" E ","t":1700000000,"n":"5e3","j":"{}"}]}`, false)
	f.Add(`{"name":"x","form":"payload","messages":[{"type":"identify","externalIds":{"phone":{"from":"p","transform":["phone"]}},"traits":{"a":{"from":"a","type":"integer"}}}]}`, `payload=%7B%22p%22%3A%22%2B7%22%2C%22a%22%3A1e999%7D&x=1`, true)
	f.Add(`{"name":"x","messages":[{"type":"page","anonymousId":{"from":"a[\"b\"]"}}]}`, "{\"a\":{\"b\":\"\xff\"}}", false)
	f.Fuzz(func(t *testing.T, definition, body string, form bool) {
		var w Webhook
		if json.Unmarshal([]byte(definition), &w) != nil {
			return
		}
		c, err := Compile(&w)
		if err != nil {
			var invalid problem.Invalid
			if !errors.As(err, &invalid) || len(invalid) == 0 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		m, err := c.Map("k", []byte(body), form)
		if err != nil {
			return
		}
		for _, message := range m.Messages {
			if !json.Valid(message) {
				t.Fatalf("made %s", message)
			}
		}
		if len(m.Messages) != len(m.Items) {
			t.Fatalf("%d messages of %d items", len(m.Messages), len(m.Items))
		}
		for _, r := range m.Rejected {
			if len(r.Errors) == 0 {
				t.Fatal("rejected without a reason")
			}
		}
	})
}
