package experiments

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"quintet/experiments/assignment"
	"quintet/internal/problem"
)

// The figures are python-xxhash 3: (xxh64(salt + b"\0" + unit).intdigest() >> 11) / 2**53.
// They are what other languages must reproduce and must never change.
func TestBucketIsTheDocumentedFunction(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		salt, unit string
		want       float64
	}{
		{"hero", "u42", 0.06116934438171784},
		{"hero-2026", "01j9z3k7w8v5n4m2x1c0b9a8s7", 0.8419010048532715},
		{"universal-holdout", "user@example.com", 0.9707593133031219},
		{"é", "пользователь 7", 0.8467159088515771},
		{"a", "", 0.894834528816398},
		{"ab", "c", 0.5812294225236248},
		{"a", "bc", 0.19756685262808737},
		{"long-salt-long-salt-long-salt-long-salt-long-salt-", "unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-unit-", 0.23831847086731361},
	} {
		if got := Bucket(c.salt, c.unit); got != c.want {
			t.Errorf("Bucket(%q, %q) = %.17g, want %.17g", c.salt, c.unit, got, c.want)
		}
	}
}

func TestAssignRanges(t *testing.T) {
	t.Parallel()
	tenths := []float64{.1, .1, .1, .1, .1, .1, .1, .1, .1, .1}
	for _, c := range []struct {
		bucket  float64
		weights []float64
		want    int
	}{
		{0, []float64{.5, .5}, 0},
		{math.Nextafter(.5, 0), []float64{.5, .5}, 0},
		{.5, []float64{.5, .5}, 1},
		{0, []float64{0, 1}, 1},
		{.999, []float64{1, 0}, 0},
		{math.Nextafter(1, 0), tenths, 9}, // the ten tenths sum to less than one
		{math.Nextafter(1, 0), []float64{.5, .4999995, 0}, 1},
		{.3, nil, -1},
		{.3, []float64{0, 0}, -1},
		{.3, []float64{math.NaN(), 1}, 1},
	} {
		if got := assignment.Weighted(c.bucket, c.weights); got != c.want {
			t.Errorf("bucket %.17g of %v is %d, want %d", c.bucket, c.weights, got, c.want)
		}
	}
}

// units gives n identifiers of the shapes that people have.
func units(n int) []string {
	out := make([]string, n)
	for i := range out {
		switch i % 3 {
		case 0:
			out[i] = fmt.Sprint(i)
		case 1:
			out[i] = fmt.Sprintf("user-%07d@example.com", i)
		default:
			out[i] = fmt.Sprintf("пользователь %d", i)
		}
	}
	return out
}

func chiSquaredP(observed []int, expected float64) float64 {
	var x float64
	for _, n := range observed {
		x += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	return distuv.ChiSquared{K: float64(len(observed) - 1)}.Survival(x)
}

func TestBucketsAreUniform(t *testing.T) {
	t.Parallel()
	people := units(200_000)
	for _, salt := range []string{"a", "hero-2026", "universal-holdout", "Überraschung", strings.Repeat("long", 40)} {
		bins := make([]int, 1000)
		for _, u := range people {
			b := Bucket(salt, u)
			if b < 0 || b >= 1 {
				t.Fatalf("bucket %g", b)
			}
			bins[int(b*1000)]++
		}
		if p := chiSquaredP(bins, float64(len(people))/1000); p < 1e-4 {
			t.Errorf("salt %q: buckets are not uniform, p = %g", salt, p)
		}
	}
}

// Where a person is under one salt must say nothing about another, even when
// the salts are nearly the same.
func TestSaltsAreIndependent(t *testing.T) {
	t.Parallel()
	people := units(200_000)
	for _, pair := range [][2]string{{"exp-1", "exp-2"}, {"a", "aa"}, {"universal-holdout", "hero-2026"}, {"x", "X"}} {
		const side = 20
		cells := make([]int, side*side)
		for _, u := range people {
			cells[int(Bucket(pair[0], u)*side)*side+int(Bucket(pair[1], u)*side)]++
		}
		if p := chiSquaredP(cells, float64(len(people))/side/side); p < 1e-4 {
			t.Errorf("%v: buckets depend on one another, p = %g", pair, p)
		}
	}
}

func TestSharesFollowWeights(t *testing.T) {
	t.Parallel()
	people := units(100_000)
	weights := []float64{.5, .3, .15, 0, .05}
	counts := make([]int, len(weights))
	for _, u := range people {
		counts[Assign("shares", u, weights)]++
	}
	for i, w := range weights {
		n := float64(len(people))
		if z := math.Abs(float64(counts[i]) - n*w); z > 4.5*math.Sqrt(n*w*(1-w)) {
			t.Errorf("variant %d of weight %g has %d of %g units", i, w, counts[i], n)
		}
	}
}

func TestHoldout(t *testing.T) {
	t.Parallel()
	small, large := Holdout{Share: .05, Salt: "universal-holdout"}, Holdout{Share: .08, Salt: "universal-holdout"}
	held := 0
	for _, u := range units(100_000) {
		if small.Holds(u) {
			held++
			if !large.Holds(u) {
				t.Fatalf("%s left the holdout when its share grew", u)
			}
		}
		if (Holdout{Salt: "universal-holdout"}).Holds(u) {
			t.Fatalf("%s is held out of a share of zero", u)
		}
	}
	if held < 4700 || held > 5300 {
		t.Errorf("%d of 100,000 are held out at 5 %%", held)
	}
}

func TestHoldoutValidation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		holdout Holdout
		field   string // empty: valid
	}{
		{Holdout{Share: .05}, ""},
		{Holdout{Share: 0, Salt: "s"}, ""},
		{Holdout{Share: 1, Salt: "s"}, "share"},
		{Holdout{Share: -.1, Salt: "s"}, "share"},
		{Holdout{Share: math.NaN(), Salt: "s"}, "share"},
		{Holdout{Share: .1, Salt: "a\x00b"}, "salt"},
		{Holdout{Share: .1, Salt: "\xff"}, "salt"},
		{Holdout{Share: .1, Salt: strings.Repeat("s", 257)}, "salt"},
	} {
		c.holdout.normalise(UniversalHoldout)
		wantField(t, fmt.Sprintf("%+v", c.holdout), c.holdout.validate(), c.field)
	}
}

// wantField checks that a validation complains about a field, or about nothing.
func wantField(t *testing.T, name string, bad problem.Invalid, field string) {
	t.Helper()
	switch {
	case field == "" && len(bad) > 0:
		t.Errorf("%s: %v", name, bad)
	case field != "" && !slices.ContainsFunc(bad, func(f problem.Field) bool { return f.Field == field && f.Rule != "" }):
		t.Errorf("%s: got %v, want a complaint about %s", name, bad, field)
	}
}

func TestCheckWeights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		weights []float64
		field   string // empty: valid
	}{
		{[]float64{.5, .5}, ""},
		{[]float64{1, 0}, ""},
		{[]float64{1. / 3, 1. / 3, 1. / 3}, ""},
		{[]float64{.5, .5 + 9e-7}, ""},
		{[]float64{.5, .5 + 2e-6}, "variants"},
		{[]float64{.6, .5}, "variants"},
		{[]float64{.4, .5}, "variants"},
		{[]float64{1}, "variants"},
		{nil, "variants"},
		{make([]float64, 101), "variants"},
		{[]float64{1.5, -.5}, "variants[1].weight"},
		{[]float64{math.NaN(), 1}, "variants[0].weight"},
		{[]float64{0, math.Inf(1)}, "variants[1].weight"},
	} {
		var bad problem.Invalid
		checkWeights(&bad, c.weights)
		wantField(t, fmt.Sprint(c.weights), bad, c.field)
	}
}

// Any bytes get a variant of positive weight, and always the same one.
func TestAssignIsAPureFunction(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		salt, unit := rapid.String().Draw(t, "salt"), string(rapid.SliceOf(rapid.Byte()).Draw(t, "unit"))
		raw := rapid.SliceOfN(rapid.Float64Range(0, 1), 2, 12).Draw(t, "weights")
		var sum float64
		for _, w := range raw {
			sum += w
		}
		if sum < 1e-3 {
			t.Skip("no weight")
		}
		for i := range raw {
			raw[i] /= sum
		}
		var bad problem.Invalid
		if checkWeights(&bad, raw); len(bad) > 0 {
			t.Fatal(bad)
		}
		got := Assign(salt, unit, raw)
		if got < 0 || raw[got] == 0 || Assign(salt, unit, raw) != got {
			t.Fatalf("variant %d of %v", got, raw)
		}
	})
}

func TestAssignDoesNotAllocate(t *testing.T) {
	weights := []float64{.25, .25, .25, .25}
	unit, holdout := "01j9z3k7w8v5n4m2x1c0b9a8s7", Holdout{Share: .05, Salt: "universal-holdout"}
	if n := testing.AllocsPerRun(1000, func() {
		_ = Assign("home-hero-2026", unit, weights)
		_ = holdout.Holds(unit)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkAssign(b *testing.B) {
	weights := []float64{.25, .25, .25, .25}
	b.ReportAllocs()
	for b.Loop() {
		_ = Assign("home-hero-2026", "01j9z3k7w8v5n4m2x1c0b9a8s7", weights)
	}
}

func BenchmarkHoldout(b *testing.B) {
	h := Holdout{Share: .05, Salt: "universal-holdout"}
	b.ReportAllocs()
	for b.Loop() {
		_ = h.Holds("01j9z3k7w8v5n4m2x1c0b9a8s7")
	}
}
