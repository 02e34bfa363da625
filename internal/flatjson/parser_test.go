package flatjson

import (
	"encoding/json"
	"reflect"
	"testing"
)

// read reads a flat object of scalars.
func read(text string) (map[string]any, bool) {
	p, out := New(text), map[string]any{}
	ok := p.Object(func(name string) bool {
		v, ok := p.Scalar()
		out[name] = v
		return ok
	})
	return out, ok && p.End()
}

func TestParser(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`{}`: true, ` { "a" : 1 , "b":"x" } `: true, `{"a":-0.5e+3,"b":true,"c":null,"d":false}`: true, `{"é":"ü"}`: true, `{"a":1,"a":2}`: true,
		``: false, `[]`: false, `{"a":01}`: false, `{"a":1.}`: false, `{"a":.5}`: false, `{"a":1e}`: false, `{"a":1e999}`: false, `{"a":"\n"}`: false,
		`{"a":"x`: false, `{"a":{}}`: false, `{"a":1,}`: false, `{"a":1}}`: false, `{"a" 1}`: false, `{a:1}`: false, `{"a":nul}`: false, "{\"a\":\"\xff\"}": false,
	} {
		if _, got := read(text); got != ok {
			t.Errorf("%s: %t", text, got)
		}
	}
	for text, want := range map[string]int{"0": 0, "17": 17, " 5": 5, "123456789": 123456789} {
		p := New(text)
		if got, ok := p.Digits(); !ok || got != want {
			t.Errorf("%s: %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "-1", "05", "x"} {
		p := New(text)
		if got, ok := p.Digits(); ok {
			t.Errorf("%s: %d", text, got)
		}
	}
}

// What is read is what encoding/json reads.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":"x","c":null}`, `{"a":-1.5e-3}`, `{"é":"\u00fc"}`, `{"a":1,"a":true}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := read(text)
		if !ok {
			return
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %v and not as %v, %v", text, got, want, err)
		}
	})
}
