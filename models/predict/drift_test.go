package predict

import (
	"math"
	"math/rand/v2"
	"testing"

	"quintet/internal/learners"
)

// The index is that of Siddiqi (2006): the sum over tenths of the difference of shares
// times the logarithm of their ratio.
func TestDrift(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	people := func(n int, mean, missing float64, devices ...string) *learners.Table {
		out := &learners.Table{Columns: []learners.Column{{Name: "orders"}, {Name: "device", Categories: []string{}}, {Name: "daysSinceFirstEvent"}}}
		for range n {
			v := float32(mean + random.NormFloat64())
			if random.Float64() < missing {
				v = float32(math.NaN())
			}
			c := out.Columns
			c[0].Numbers, c[1].Categories, c[2].Numbers = append(c[0].Numbers, v), append(c[1].Categories, devices[random.IntN(len(devices))]), append(c[2].Numbers, float32(mean*100))
		}
		return out
	}
	reference := distributions(people(20_000, 0, .1, "mobile", "desktop", ""))
	of := func(list []Drift, column string) float64 {
		for _, d := range list {
			if d.Column == column {
				return d.PSI
			}
		}
		return math.NaN()
	}
	for _, c := range []struct {
		what            string
		table           *learners.Table
		orders, devices [2]float64 // bounds of the index
	}{
		{"the same people", people(20_000, 0, .1, "mobile", "desktop", ""), [2]float64{0, .005}, [2]float64{0, .005}},
		// The divergence of two normal distributions a standard deviation apart is 1; nine in
		// ten have a value, and tenths keep most of it.
		{"a standard deviation up", people(20_000, 1, .1, "mobile", "desktop", ""), [2]float64{.75, .9}, [2]float64{0, .005}},
		// .4 ln 5 of who is missing and 10 x .04 ln(9/5) of the tenths: .879.
		{"half are missing", people(20_000, 0, .5, "mobile", "desktop", ""), [2]float64{.82, .94}, [2]float64{0, .005}},
		// Of three thirds two become sixths, and the rest two thirds: (2 x 1/6 + 1/3) ln 2 = .462.
		{"a new device", people(20_000, 0, .1, "mobile", "desktop", "", "watch", "watch", "watch"), [2]float64{0, .005}, [2]float64{.4, .5}},
		{"nobody", &learners.Table{}, [2]float64{math.NaN(), math.NaN()}, [2]float64{math.NaN(), math.NaN()}},
	} {
		got := drift(reference, c.table)
		for column, want := range map[string][2]float64{"orders": c.orders, "device": c.devices} {
			if v := of(got, column); math.IsNaN(want[0]) != math.IsNaN(v) || v < want[0] || v > want[1] {
				t.Errorf("%s: %s has %.4f, want %v", c.what, column, v, want)
			}
		}
		if v := of(got, "daysSinceFirstEvent"); !math.IsNaN(v) {
			t.Errorf("%s: the age of the log counts as drift, %v", c.what, v)
		}
	}
}
