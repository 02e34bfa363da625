package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"quintet/internal/problem"
)

type embedded struct {
	Inner string `json:"inner"`
}

// sample has what makes finding a field hard: embedding, tags, maps, own decoders.
type sample struct {
	embedded
	Plain    string
	Renamed  int                `json:"other"`
	Hidden   int                `json:"-"`
	Pointer  **float64          `json:"pointer"`
	Map      map[string]part    `json:"map"`
	Numbers  map[int]float64    `json:"numbers"`
	Bytes    []byte             `json:"bytes"`
	Fixed    [2]int8            `json:"fixed"`
	Small    uint8              `json:"small"`
	When     time.Time          `json:"when"`
	Raw      json.RawMessage    `json:"raw"`
	Own      picky              `json:"own"`
	Any      any                `json:"any"`
	Matrix   [][]float64        `json:"matrix"`
	Optional *sample            `json:"optional"`
	Values   map[string]float64 `json:"values"`
}

// picky decodes itself and names its own field.
type picky struct{}

func (*picky) UnmarshalJSON(data []byte) error {
	if string(data) == `"bad"` {
		return problem.Invalid{{Field: "kind", Rule: "must be good"}}
	}
	return nil
}

func TestWrongTypesAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body string
		want []string
	}{
		{`{"inner":1}`, []string{"body.inner must be a string"}},
		{`{"INNER":1,"plain":true}`, []string{"body.INNER must be a string", "body.plain must be a string"}},
		{`{"other":"x"}`, []string{"body.other must be a whole number"}},
		{`{"other":1.5}`, []string{"body.other must be a whole number of at most 64 bits"}},
		{`{"pointer":"x"}`, []string{"body.pointer must be a number"}},
		{`{"map":{"a":{"weight":1},"b c":{"weight":"x"},"":{"weight":[]}}}`, []string{`body.map[""].weight must be a number`, `body.map["b c"].weight must be a number`}},
		{`{"map":[]}`, []string{"body.map must be an object"}},
		{`{"bytes":"***"}`, []string{"body.bytes must be a base64 string"}},
		{`{"fixed":[1,300]}`, []string{"body.fixed[1] must be a whole number of at most 8 bits"}},
		{`{"small":-1}`, []string{"body.small must be a whole number, not negative, of at most 8 bits"}},
		{`{"when":"2026-02-31T00:00:00Z"}`, []string{"body.when must be a time such as 2026-01-31T12:00:00Z"}},
		{`{"own":"bad"}`, []string{"body.own.kind must be good"}},
		{`{"matrix":[[1],[2,"x"],3]}`, []string{"body.matrix[1][1] must be a number", "body.matrix[2] must be an array"}},
		{`{"optional":{"optional":{"inner":{}}}}`, []string{"body.optional.optional.inner must be a string"}},
		{`{"any":{"x":[0,1e400]}}`, []string{"body.any.x[1] must be a number within the range of a 64-bit float"}},
		{`{"query.x":1,"values":{"query.x":"no"}}`, []string{`body.values["query.x"] must be a number`}},
		{`"text"`, []string{"body must be an object"}},
	} {
		err := UnmarshalJSON([]byte(c.body), new(sample))
		var invalid problem.Invalid
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		var got []string
		for _, f := range invalid {
			got = append(got, f.Location()+" "+f.Rule)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.body, got, c.want)
		}
	}
	for _, fine := range []string{`{"unknown":1}`, `{"when":null,"map":null,"own":"good"}`, ` {} `, `{"raw":{"x":1e999}}`, `null`} {
		if err := UnmarshalJSON([]byte(fine), new(sample)); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
	if err := UnmarshalJSON([]byte(`{"hidden":1,"optional":{"-":2,"x":3}}`), new(sample), RefuseUnknown()); err == nil ||
		err.Error() != "body.hidden is not a known field; body.optional.- is not a known field; body.optional.x is not a known field" {
		t.Errorf("unknown fields: %v", err)
	}
	var numbers problem.Invalid
	if err := UnmarshalJSON([]byte(`{"numbers":{"x":1}}`), new(sample)); !errors.As(err, &numbers) || numbers[0].Location() != "body.numbers" {
		t.Errorf("a key that is no number: %v", err)
	}
}

func TestManyWrongFieldsAreBounded(t *testing.T) {
	t.Parallel()
	var invalid problem.Invalid
	err := UnmarshalJSON([]byte(`{"matrix":[[`+strings.Repeat(`"x",`, 5000)+`0]]}`), new(sample))
	if !errors.As(err, &invalid) || len(invalid) != maxFound {
		t.Errorf("%d fields", len(invalid))
	}
}

func TestDecodeJSONLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		length  int
		chunked bool
		status  int
	}{{100, false, 0}, {101, false, 413}, {100, true, 0}, {101, true, 413}, {10_000, true, 413}} {
		body := `"` + strings.Repeat("x", c.length-2) + `"`
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		if c.chunked {
			r.ContentLength = -1
		}
		var v string
		err := DecodeJSON(r, 100, &v)
		if c.status == 0 && (err != nil || len(v) != 98) || c.status != 0 && problem.From(err).GetStatus() != c.status {
			t.Errorf("%+v: %v", c, err)
		}
	}
	content, err := ReadBody(&http.Request{}, 10)
	if err != nil || len(content) != 0 {
		t.Errorf("no body: %q, %v", content, err)
	}
}

// Buffers are used again: what was decoded must not change when they are.
func TestDecodedValuesAreCopies(t *testing.T) {
	t.Parallel()
	read := func(body string) (v struct {
		Text string
		Raw  json.RawMessage
		Any  any
	}) {
		if err := DecodeJSON(httptest.NewRequest("POST", "/", strings.NewReader(body)), 1000, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := read(`{"text":"aaaa","raw":"bbbb","any":["cccc"]}`)
	for range 100 {
		read(`{"text":"xxxx","raw":"yyyy","any":["zzzz"]}`)
	}
	if first.Text != "aaaa" || string(first.Raw) != `"bbbb"` || fmt.Sprint(first.Any) != "[cccc]" {
		t.Errorf("%+v", first)
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body string
		deep bool
	}{
		{strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), false},
		{strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), true},
		{`["` + strings.Repeat("[", 500) + `\"` + strings.Repeat("{", 500) + `"]`, false},
		{"[" + strings.Repeat("[],{},", 500) + "0]", false},
	} {
		err := UnmarshalJSON([]byte(c.body), new(any))
		if (err != nil) != c.deep {
			t.Errorf("%.70s: %v", c.body, err)
		}
	}
}

// The place of a syntax error agrees with a value put there: whatever surrounds it,
// a broken value is reported at the path where a decoder finds a good one.
func TestPlaceOfASyntaxError(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// A document with exactly one marker, at a path that is known by construction.
		key := rapid.SampledFrom([]string{"a", "b", `quote"`, `back\`, "é", "x.y", "", "]"})
		path := "body"
		var before, after string
		for range rapid.IntRange(0, 6).Draw(t, "depth") {
			filler := rapid.SampledFrom([]string{`1`, `"te\"xt,[{"`, `[1,{"k":[]}]`, `{"q":"}"}`, `null`}).Draw(t, "filler")
			if rapid.Bool().Draw(t, "array") {
				index := rapid.IntRange(0, 3).Draw(t, "index")
				before += "[" + strings.Repeat(filler+" ,", index)
				after = "]" + after
				path += fmt.Sprintf("[%d]", index)
			} else {
				name := key.Draw(t, "key")
				encoded, _ := json.Marshal(name)
				before += `{"first" : ` + filler + ",\n " + string(encoded) + " :"
				after = "}" + after
				if name != "" {
					path = problem.Join(path, member(name))
				}
			}
		}
		body := before + "NaN" + after
		p := problem.From(UnmarshalJSON([]byte(body), new(any)))
		if p.GetStatus() != 400 || p.Fields[0].Location() != path {
			t.Fatalf("%s: %q, want %q", body, p.Fields[0].Location(), path)
		}
		line := 1 + strings.Count(before, "\n")
		column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
		if want := fmt.Sprintf("line %d, column %d (byte %d)", line, column, len(before)+1); !strings.Contains(p.Detail, want) {
			t.Fatalf("%s: %s, want %s", body, p.Detail, want)
		}
	})
}

// Whatever comes in, the decoder either accepts what encoding/json accepts or
// names a problem with a status of the caller's side.
func FuzzUnmarshalJSON(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x"}`, `{"parts":[{"weight":1e999}]}`, `{"context":{"a":NaN}}`, "{\"name\":\"\xff\"}", `[[[`, `"`, `{"a":1}x`, "", " ",
		`{"at":"x","own":"bad"}`, `{"map":{"":{"weight":{}}}}`, `{"` + strings.Repeat("k", 300) + `":NaN}`, `{"optional":{"optional":{"fixed":[1,2,3,"x"]}}}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, strict bool) {
		var options []DecodeOption
		if strict {
			options = append(options, RefuseUnknown())
		}
		var got sample
		err := UnmarshalJSON(data, &got, options...)
		var want sample
		decoder := json.NewDecoder(bytes.NewReader(data))
		if strict {
			decoder.DisallowUnknownFields()
		}
		plain := decoder.Decode(&want)
		if plain == nil && !json.Valid(data) {
			plain = errors.New("something follows the value")
		}
		if err == nil {
			if plain != nil {
				t.Fatalf("accepted what encoding/json refuses: %v", plain)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("decoded %+v, want %+v", got, want)
			}
			return
		}
		p := problem.From(err)
		if p.GetStatus() != 400 && p.GetStatus() != 422 || len(p.Fields) == 0 {
			t.Fatalf("%d %v", p.GetStatus(), err)
		}
		if plain == nil && utf8.Valid(data) && !tooDeep(data) {
			t.Fatalf("refused what encoding/json accepts: %v", err)
		}
		document, encodeErr := json.Marshal(p.Document("id"))
		if encodeErr != nil || len(document) > 200*1024 {
			t.Fatalf("a document of %d bytes, %v", len(document), encodeErr)
		}
	})
}
