package bandits

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const exampleDeclaration = `{"fields":[
	{"name":"age","source":"profile","kind":"numeric","edges":[25,35,50]},
	{"name":"recency","source":"profile","kind":"numeric","mean":6,"sd":2,"clamp":2.5},
	{"name":"discount","source":"action","kind":"categorical","values":["0","0.1","0.2"]},
	{"name":"device","source":"context","kind":"categorical","values":["mobile","desktop"]},
	{"name":"city","source":"profile","attribute":"address.city","kind":"categorical","hash":16},
	{"name":"hour","source":"context","kind":"cyclic"}],
	"crosses":[["device","discount"],["age","device"]]}`

func mustEncoder(t testing.TB, declaration string) *Encoder {
	t.Helper()
	d, err := ParseDeclaration([]byte(declaration))
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEncoder(d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The layout of exampleDeclaration: 0 intercept, 1-5 age (4 buckets, missing),
// 6-7 recency (value, missing), 8-11 device (2 values, other, missing), 12-28
// city (16 slots, missing), 29-31 hour (sin, cos, missing), 32-51 age×device,
// 52-56 discount (3 values, other, missing), 57-76 device×discount.
func TestEncode(t *testing.T) {
	t.Parallel()
	e := mustEncoder(t, exampleDeclaration)
	if e.Dimension() != 77 {
		t.Fatalf("dimension %d, want 77", e.Dimension())
	}
	oslo := 12 + hashSlot("city", "Oslo", 16)
	seven := 12 + hashSlot("city", "7", 16)
	for _, c := range []struct {
		name                     string
		profile, context, action AttributeMap
		indices                  []uint32
		values                   []float64
	}{
		{"everything missing", nil, nil, nil,
			[]uint32{0, 5, 7, 11, 28, 31, 32 + 4*4 + 3, 56, 57 + 3*5 + 4}, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{"usual values",
			AttributeMap{"age": 35.0, "recency": 7.0, "address.city": "Oslo"},
			AttributeMap{"device": "desktop", "hour": 6.0}, AttributeMap{"discount": .1},
			[]uint32{0, 3, 6, 9, oslo, 29, 30, 32 + 2*4 + 1, 53, 57 + 1*5 + 1},
			[]float64{1, 1, .5, 1, 1, 1, math.Cos(math.Pi / 2), 1, 1, 1}},
		{"unseen, clamped, out of range",
			AttributeMap{"age": 1e300, "recency": -1e308, "address.city": 7},
			AttributeMap{"device": "watch", "hour": -6}, AttributeMap{"discount": "0.3"},
			[]uint32{0, 4, 6, 10, seven, 29, 30, 32 + 3*4 + 2, 55, 57 + 2*5 + 3},
			[]float64{1, 1, -2.5, 1, 1, -1, math.Cos(math.Pi / 2), 1, 1, 1}},
		{"values of types that cannot be read are missing, zeros are left out",
			AttributeMap{"age": "35", "recency": 6, "address.city": []any{"Oslo"}},
			AttributeMap{"device": "", "hour": json.Number("0")}, AttributeMap{"discount": nil},
			[]uint32{0, 5, 11, 28, 30, 32 + 4*4 + 3, 56, 57 + 3*5 + 4}, []float64{1, 1, 1, 1, 1, 1, 1, 1}},
		{"numbers, their JSON text and booleans are categories too",
			AttributeMap{"age": json.Number("24.9"), "recency": true, "address.city": json.Number("7.0")},
			AttributeMap{"device": true, "hour": 24}, AttributeMap{"discount": json.Number("0.10")},
			[]uint32{0, 1, 6, 10, seven, 30, 32 + 2, 53, 57 + 2*5 + 1}, []float64{1, 1, -2.5, 1, 1, 1, 1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got Vector
			if err := e.Encode(c.profile, c.context, c.action, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Indices, c.indices) || !reflect.DeepEqual(got.Values, c.values) {
				t.Errorf("got  %v %v\nwant %v %v", got.Indices, got.Values, c.indices, c.values)
			}
			if err := got.Validate(e.Dimension()); err != nil {
				t.Error(err)
			}
			if got.Len() > e.MaxActive() {
				t.Errorf("%d active features, more than MaxActive %d", got.Len(), e.MaxActive())
			}
			// The two-step encoding gives the same, and the shared part comes back.
			var shared, both Vector
			if err := e.EncodeShared(c.profile, c.context, &shared); err != nil {
				t.Fatal(err)
			}
			if err := e.EncodeAction(shared, c.action, &both); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(both, got) {
				t.Errorf("shared and action part give %v, want %v", both, got)
			}
			if back := e.Shared(got); !reflect.DeepEqual(back.Indices, shared.Indices) || !reflect.DeepEqual(back.Values, shared.Values) {
				t.Errorf("the shared part of the whole is %v, want %v", back, shared)
			}
		})
	}
}

func TestEncodeTripleCross(t *testing.T) {
	t.Parallel()
	e := mustEncoder(t, `{"fields":[
		{"name":"a","source":"context","kind":"categorical","values":["x","y"]},
		{"name":"b","source":"context","kind":"numeric","mean":0,"sd":1},
		{"name":"c","source":"action","kind":"categorical","values":["u"]}],
		"crosses":[["a","b","c"]]}`)
	// a 1-4, b 5-6, c 7-9, cross 10-33 (4×2×3).
	var v Vector
	if err := e.Encode(nil, AttributeMap{"a": "y", "b": 2}, AttributeMap{"c": "w"}, &v); err != nil {
		t.Fatal(err)
	}
	want := Vector{Indices: []uint32{0, 2, 5, 8, 10 + (1*2+0)*3 + 1}, Values: []float64{1, 1, 2, 1, 2}}
	if !reflect.DeepEqual(v, want) || e.Dimension() != 34 {
		t.Errorf("got %v of dimension %d, want %v of 34", v, e.Dimension(), want)
	}
}

func TestEncodeRejectsNotFinite(t *testing.T) {
	t.Parallel()
	e := mustEncoder(t, exampleDeclaration)
	for _, c := range []struct {
		field                    string
		profile, context, action AttributeMap
	}{
		{"age", AttributeMap{"age": math.NaN()}, nil, nil},
		{"recency", AttributeMap{"recency": math.Inf(1)}, nil, nil},
		{"city", AttributeMap{"address.city": math.NaN()}, nil, nil},
		{"hour", nil, AttributeMap{"hour": json.Number("1e999")}, nil},
		{"hour", nil, AttributeMap{"hour": json.Number("NaN")}, nil},
		{"discount", nil, nil, AttributeMap{"discount": float32(math.Inf(-1))}},
	} {
		var v Vector
		err := e.Encode(c.profile, c.context, c.action, &v)
		var bad *ValueError
		if !errors.As(err, &bad) || bad.Field != c.field {
			t.Errorf("%v %v %v: error %v, want one naming %q", c.profile, c.context, c.action, err, c.field)
		}
	}
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	e := mustEncoder(t, exampleDeclaration)
	profile := Attributes(AttributeMap{"age": 41.0, "recency": 7.0, "address.city": 12345.5})
	context := Attributes(AttributeMap{"device": "desktop", "hour": 6.5})
	action := Attributes(AttributeMap{"discount": .1})
	var v Vector
	v.Grow(e.MaxActive())
	if n := testing.AllocsPerRun(100, func() {
		if err := e.Encode(profile, context, action, &v); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// A vector that went through the decision row is the same to the last bit.
func TestVectorJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "active")
		v := Vector{Indices: []uint32{}, Values: []float64{}}
		for range n {
			v.append(uint32(v.Len()*3+rapid.IntRange(0, 2).Draw(t, "step")),
				rapid.Float64Range(-1e9, 1e9).Filter(func(x float64) bool { return x != 0 }).Draw(t, "value"))
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back Vector
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(v, back) {
			t.Fatalf("%v became %v", v, back)
		}
	})
}

func TestVectorValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    Vector
		want string // in the error; empty for none
	}{
		{Vector{}, ""},
		{Vector{[]uint32{0, 3, 4}, []float64{1, 2, 3}}, ""},
		{Vector{[]uint32{0, 3, 5}, []float64{1, 2, 3}}, "outside of dimension 5"},
		{Vector{[]uint32{math.MaxUint32}, []float64{1}}, "outside of dimension 5"},
		{Vector{[]uint32{0, 0}, []float64{1, 2}}, "indices[1]"},
		{Vector{[]uint32{2, 1}, []float64{1, 2}}, "indices[1]"},
		{Vector{[]uint32{1}, []float64{math.NaN()}}, "values[0]"},
		{Vector{[]uint32{1}, nil}, "1 indices but 0 values"},
	} {
		err := c.v.Validate(5)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.v, err, c.want)
		}
	}
}

func TestDeclarationErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ declaration, field string }{
		{`{"fields":[{"source":"profile","kind":"cyclic"}]}`, "fields[0].name"},
		{`{"fields":[{"name":"a","source":"person","kind":"cyclic"}]}`, "fields[0].source"},
		{`{"fields":[{"name":"a","source":"profile","kind":"text"}]}`, "fields[0].kind"},
		{`{"fields":[{"name":"a","source":"profile","kind":"numeric"}]}`, "fields[0].edges"},
		{`{"fields":[{"name":"a","source":"profile","kind":"numeric","edges":[1,1]}]}`, "fields[0].edges[1]"},
		{`{"fields":[{"name":"a","source":"profile","kind":"numeric","edges":[1],"mean":2}]}`, "fields[0].edges"},
		{`{"fields":[{"name":"a","source":"profile","kind":"numeric","mean":2}]}`, "fields[0].sd"},
		{`{"fields":[{"name":"a","source":"profile","kind":"numeric","sd":2}]}`, "fields[0].mean"},
		{`{"fields":[{"name":"a","source":"profile","kind":"numeric","mean":2,"sd":0}]}`, "fields[0].sd"},
		{`{"fields":[{"name":"a","source":"profile","kind":"numeric","mean":2,"sd":1,"clamp":-1}]}`, "fields[0].clamp"},
		{`{"fields":[{"name":"a","source":"profile","kind":"categorical"}]}`, "fields[0].values"},
		{`{"fields":[{"name":"a","source":"profile","kind":"categorical","values":["x",""]}]}`, "fields[0].values[1]"},
		{`{"fields":[{"name":"a","source":"profile","kind":"categorical","values":["x","x"]}]}`, "fields[0].values[1]"},
		{`{"fields":[{"name":"a","source":"profile","kind":"categorical","values":["x"],"hash":3}]}`, "fields[0].hash"},
		{`{"fields":[{"name":"a","source":"profile","kind":"categorical","hash":-3}]}`, "fields[0].hash"},
		{`{"fields":[{"name":"a","source":"profile","kind":"cyclic","hash":3}]}`, "fields[0].kind"},
		{`{"fields":[{"name":"a","source":"profile","kind":"cyclic","edges":[3]}]}`, "fields[0].kind"},
		{`{"fields":[{"name":"a","source":"profile","kind":"cyclic","period":-1}]}`, "fields[0].period"},
		{`{"fields":[{"name":"a","source":"profile","kind":"cyclic"},{"name":"a","source":"context","kind":"cyclic"}]}`, "fields[1].name"},
		{`{"fields":[{"name":"a","source":"profile","kind":"cyclic"}],"crosses":[["a"]]}`, "crosses[0]"},
		{`{"fields":[{"name":"a","source":"profile","kind":"cyclic"}],"crosses":[["a","a"]]}`, "crosses[0][1]"},
		{`{"fields":[{"name":"a","source":"profile","kind":"cyclic"}],"crosses":[["a","b"]]}`, "crosses[0][1]"},
		{`{"fields":[{"name":"a","source":"profile","kind":"categorical","hash":1000},{"name":"b","source":"profile","kind":"categorical","hash":30}]}`, "declaration"},
		{`{"fields":[]} {}`, "declaration"},
	} {
		_, err := ParseDeclaration([]byte(c.declaration))
		var bad *DeclarationError
		if !errors.As(err, &bad) || bad.Field != c.field {
			t.Errorf("%s\nerror %v, want one at %s", c.declaration, err, c.field)
		}
	}
	for _, c := range []string{``, `[]`, `{"fields":[{"name":"a","source":"profile","kind":"numeric","edge":[1]}]}`, `{"fields":[{"name":7}]}`} {
		if _, err := ParseDeclaration([]byte(c)); err == nil {
			t.Errorf("%s: accepted", c)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	a := mustEncoder(t, exampleDeclaration)
	// Spelling does not matter, meaning does.
	b := mustEncoder(t, strings.Join(strings.Fields(exampleDeclaration), " "))
	c := mustEncoder(t, strings.Replace(exampleDeclaration, "25,35,50", "25,35,51", 1))
	if a.Fingerprint() != b.Fingerprint() || a.Fingerprint() == c.Fingerprint() || len(a.Fingerprint()) != 32 {
		t.Errorf("fingerprints %q %q %q", a.Fingerprint(), b.Fingerprint(), c.Fingerprint())
	}
}

func FuzzDeclaration(f *testing.F) {
	f.Add([]byte(exampleDeclaration), 3.5, "Oslo")
	f.Add([]byte(`{"fields":[{"name":"a","source":"action","kind":"cyclic","period":1e-300}]}`), -1e300, "")
	f.Add([]byte(`{"fields":[{"name":"a","source":"profile","kind":"numeric","mean":1e308,"sd":1e-308}],"crosses":[]}`), math.MaxFloat64, "7")
	f.Add([]byte(`{"crosses":[["",""]]}`), math.NaN(), "x")
	f.Fuzz(func(t *testing.T, declaration []byte, x float64, text string) {
		d, err := ParseDeclaration(declaration)
		if err != nil {
			return
		}
		e, err := NewEncoder(d)
		if err != nil {
			t.Fatalf("a valid declaration does not compile: %v", err)
		}
		for _, value := range []any{x, text, nil, x > 0} {
			var v Vector
			err := e.Encode(everything{value}, everything{value}, everything{value}, &v)
			if _, number := value.(float64); err != nil && (!number || finite(x)) {
				t.Fatalf("value %v: %v", value, err)
			}
			if err == nil {
				if err := v.Validate(e.Dimension()); err != nil {
					t.Fatal(err)
				}
				if v.Len() > e.MaxActive() {
					t.Fatalf("%d active features, MaxActive %d", v.Len(), e.MaxActive())
				}
			}
		}
	})
}

// everything has one value for every attribute.
type everything struct{ value any }

func (e everything) Attribute(string) (any, bool) { return e.value, true }

func TestFeatureNames(t *testing.T) {
	t.Parallel()
	e := mustEncoder(t, exampleDeclaration)
	for index, want := range map[int]string{
		0: "intercept", 1: "age < 25", 2: "age [25, 35)", 4: "age ≥ 50", 5: "age missing",
		6: "recency (standardised)", 8: "device = mobile", 10: "device other", 13: "city (hash 1)",
		28: "city missing", 29: "hour (sine)", 30: "hour (cosine)", 31: "hour missing",
		32 + 2*4 + 1: "age [35, 50) and device = desktop", 54: "discount = 0.2",
		57 + 2*5 + 4: "device other and discount missing", 77: "77",
	} {
		if got := e.FeatureName(index); got != want {
			t.Errorf("feature %d is %q, want %q", index, got, want)
		}
	}
	seen := map[string]int{}
	for i := range e.Dimension() {
		if j, twice := seen[e.FeatureName(i)]; twice {
			t.Errorf("features %d and %d are both %q", j, i, e.FeatureName(i))
		}
		seen[e.FeatureName(i)] = i
	}
}
