package decide

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"quintet/internal/api"
)

var requestTexts = []string{
	`{"decision":"hero","user":{"userId":"u1"},"context":{"device":"mobile","n":1e308,"m":-0.5,"on":true,"off":false,"none":null},"limit":3}`,
	" {\n\t\"user\" : { \"userId\" : \"u1\" , \"email\":\"ü@example.org\" } , \"decision\" : \"hero\" } \r\n",
	`{}`, `{"user":{}}`, `{"context":{}}`, `{"limit":0}`, `{"limit":50}`, `{"context":{"a":-0,"b":0,"c":0.0,"d":1E+2,"e":12e-3}}`,
	`{"user":{"a":"1","a":"2"}}`, `{"context":{"a":1,"a":"x"}}`, `{"context":{"":""}}`, `{"context":{"x":"€𝄞"}}`,
}

// What the parser for requests leaves to encoding/json.
var otherTexts = []string{
	``, ` `, `null`, `[]`, `"x"`, `{`, `{"decision"`, `{"decision":}`, `{"decision":"x",}`, `{"decision":"x"}}`, `{"decision":"x"} x`,
	`{"Decision":"x"}`, `{"decision":"x","decision":"y"}`, `{"user":{"a":"1"},"user":{"b":"2"}}`, `{"user":null}`, `{"user":{"a":null}}`,
	`{"user":{"a":1}}`, `{"user":[]}`, `{"decision":null}`, `{"decision":1}`, `{"other":1}`, `{"context":null}`, `{"context":{"a":[1]}}`,
	`{"context":{"a":{"b":{}}}}`, `{"context":{"a":01}}`, `{"context":{"a":1.}}`, `{"context":{"a":.5}}`, `{"context":{"a":+1}}`,
	`{"context":{"a":1e}}`, `{"context":{"a":1e999}}`, `{"context":{"a":NaN}}`, `{"context":{"a":tru}}`, `{"context":{"a":nullx}}`,
	`{"context":{"a":"\u0041"}}`, `{"context":{"a":"\ud800"}}`, "{\"context\":{\"a\":\"\x01\"}}", "{\"context\":{\"a\":\"\xff\"}}",
	`{"limit":-1}`, `{"limit":1.5}`, `{"limit":1e1}`, `{"limit":01}`, `{"limit":"1"}`, `{"limit":99999999999999999999}`, `{"limit":null}`,
	`{"context":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100) + `}`, "\xef\xbb\xbf{}",
}

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for _, text := range requestTexts {
		if !agrees(t, text) {
			t.Errorf("%s is left to encoding/json", text)
		}
	}
	for _, text := range otherTexts {
		if agrees(t, text) {
			t.Errorf("%s is not left to encoding/json", text)
		}
	}
}

// agrees parses a text, compares the result with that of encoding/json and says
// whether there was one.
func agrees(t *testing.T, text string) bool {
	t.Helper()
	// Maps that were used before must not show through.
	got := Request{User: map[string]string{}, Context: map[string]any{}}
	if !parseRequest(text, &got) {
		return false
	}
	var want Request
	if err := api.UnmarshalJSON([]byte(text), &want); err != nil {
		t.Errorf("%q is read, and should be refused: %v", text, err)
		return true
	}
	// The text of both, as DeepEqual takes 0 and -0 for the same.
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if !reflect.DeepEqual(got, want) || string(a) != string(b) {
		t.Errorf("%q is read as %s, want %s", text, a, b)
	}
	return true
}

func FuzzParseRequest(f *testing.F) {
	for _, text := range append(requestTexts, otherTexts...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { agrees(t, text) })
}

func BenchmarkParseRequest(b *testing.B) {
	text := fmt.Sprintf(`{"context":{"device":"mobile","hour":%d,"page":"home"},"decision":"hero","user":{"userId":"u-00017"}}`, 17)
	req := Request{User: map[string]string{}, Context: map[string]any{}}
	b.ReportAllocs()
	for b.Loop() {
		req.reset()
		if !parseRequest(text, &req) {
			b.Fatal("not read")
		}
	}
}
