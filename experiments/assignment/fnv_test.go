package assignment

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"testing"
)

// conformance reads one kind of GrowthBook's conformance cases.
func conformance(t *testing.T, kind string) [][]json.RawMessage {
	t.Helper()
	data, err := os.ReadFile("../../../shared/data/growthbook_cases.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("growthbook_cases.json is not there: GrowthBook's conformance cases are not checked")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var rows [][]json.RawMessage
	if err := json.Unmarshal(file[kind], &rows); err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	if len(rows) == 0 {
		t.Fatalf("no cases of %s", kind)
	}
	return rows
}

// scan reads the columns of a row.
func scan(t *testing.T, row []json.RawMessage, into ...any) {
	t.Helper()
	if len(row) != len(into) {
		t.Fatalf("a row of %d columns, want %d", len(row), len(into))
	}
	for i := range row {
		if err := json.Unmarshal(row[i], into[i]); err != nil {
			t.Fatalf("column %d, %s: %v", i, row[i], err)
		}
	}
}

func same(a, b []Range) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Abs(a[i].From-b[i].From) > 1e-9 || math.Abs(a[i].To-b[i].To) > 1e-9 {
			return false
		}
	}
	return true
}

func ranges(pairs [][2]float64) []Range {
	out := make([]Range, len(pairs))
	for i, p := range pairs {
		out[i] = Range{p[0], p[1]}
	}
	return out
}

func TestConformanceOfHashes(t *testing.T) {
	t.Parallel()
	for _, row := range conformance(t, "hash") {
		var seed, value string
		var version int
		var want *float64
		scan(t, row, &seed, &value, &version, &want)
		for _, encoding := range []Encoding{UTF8, UTF16} {
			got, ok := encoding.FNV(seed, value, version)
			if ok != (want != nil) || ok && got != *want {
				t.Errorf("hash(%q, %q, %d) = %g, %t, want %s", seed, value, version, got, ok, row[3])
			}
		}
	}
}

func TestConformanceOfRanges(t *testing.T) {
	t.Parallel()
	for _, row := range conformance(t, "getBucketRange") {
		var name string
		var in []json.RawMessage
		var want [][2]float64
		scan(t, row, &name, &in, &want)
		var n int
		var coverage float64
		var weights []float64
		scan(t, in, &n, &coverage, &weights)
		if got := BucketRanges(n, coverage, weights); !same(got, ranges(want)) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for _, row := range conformance(t, "chooseVariation") {
		var name string
		var n float64
		var pairs [][2]float64
		var want int
		scan(t, row, &name, &n, &pairs, &want)
		if got := Choose(n, ranges(pairs)); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	for _, row := range conformance(t, "getEqualWeights") {
		var n int
		var want []float64
		scan(t, row, &n, &want)
		got := EqualWeights(n)
		if len(got) != len(want) {
			t.Errorf("%d equal weights are %v, want %v", n, got, want)
			continue
		}
		for i := range got {
			if math.Abs(got[i]-want[i]) > 5e-9 {
				t.Errorf("%d equal weights are %v, want %v", n, got, want)
			}
		}
	}
}

func TestConformanceOfNamespaces(t *testing.T) {
	t.Parallel()
	for _, row := range conformance(t, "inNamespace") {
		var name, id string
		var namespace []json.RawMessage
		var want bool
		scan(t, row, &name, &id, &namespace, &want)
		var key string
		var r Range
		scan(t, namespace, &key, &r.From, &r.To)
		if got := InNamespace(id, key, r); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

// The figures are of GrowthBook's SDKs for JavaScript and for Go.
func TestEncodingsDiffer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		encoding Encoding
		want     float64
	}{{UTF16, 0.8663}, {UTF8, 0.9593}} {
		if got, ok := c.encoding.FNV("seed", "é", 2); !ok || got != c.want {
			t.Errorf("encoding %d: %g, %t, want %g", c.encoding, got, ok, c.want)
		}
	}
	// A pair of surrogates is two units: "😀" is D83D DE00.
	want := uint32(fnvOffset)
	for _, unit := range []uint32{0xd83d, 0xde00} {
		want = (want ^ unit) * fnvPrime
	}
	if got := UTF16.fnv1a(fnvOffset, "😀"); got != want {
		t.Errorf("a character outside the basic plane hashes to %d, want %d", got, want)
	}
}
