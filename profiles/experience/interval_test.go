package experience

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func near(t *testing.T, name string, got Interval, value, lower, upper, tolerance float64) {
	t.Helper()
	for _, pair := range [][2]float64{{got.Value, value}, {got.Lower, lower}, {got.Upper, upper}} {
		if !(math.Abs(pair[0]-pair[1]) <= tolerance) {
			t.Errorf("%s is %v, want %g [%g, %g]", name, got, value, lower, upper)
			return
		}
	}
}

// The intervals agree with published ones.
func TestPublishedIntervals(t *testing.T) {
	t.Parallel()
	// Newcombe (1998), Two-sided confidence intervals for the single proportion,
	// table I, method 3.
	near(t, "81 of 263", Wilson(81, 263), 81./263, 0.2553, 0.3662, 5e-5)
	near(t, "15 of 148", Wilson(15, 148), 15./148, 0.0624, 0.1605, 5e-5)
	near(t, "0 of 20", Wilson(0, 20), 0, 0, 0.1611, 5e-5)
	near(t, "1 of 29", Wilson(1, 29), 1./29, 0.0061, 0.1718, 5e-5)
	// NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.2, ZARR13.DAT.
	n, mean, sd := 195., 9.261460, 0.2278881e-01
	near(t, "ZARR13", Mean(n*mean, sd*sd*(n-1)+n*mean*mean, n), mean, 9.258242, 9.264679, 1e-6)
	// Exact Poisson intervals as in Ulm (1990), American Journal of Epidemiology 131,
	// and the usual tables: 0, 1, 10 and 100 events.
	near(t, "0 events", Poisson(0), 0, 0, 3.6889, 5e-5)
	near(t, "1 event", Poisson(1), 1, 0.0253, 5.5716, 5e-5)
	near(t, "10 events", Poisson(10), 10, 4.7954, 18.3904, 5e-5)
	near(t, "100 events", Poisson(100), 100, 81.3640, 121.6272, 5e-4)
	near(t, "1000 for 10", Per(1000, 10), 100, 1000/18.3904, 1000/4.7954, 5e-3)
}

// The score is the mean of answers that are worth 100, 0 and -100, and its
// variance the plain one of those, with n in the denominator.
func TestPromotersIsAMean(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		promoters := rapid.IntRange(0, 50).Draw(t, "promoters")
		detractors := rapid.IntRange(0, 50).Draw(t, "detractors")
		passives := rapid.IntRange(0, 50).Draw(t, "passives")
		n := float64(promoters + detractors + passives)
		if n == 0 {
			return
		}
		mean := 100 * float64(promoters-detractors) / n
		squares := 0.
		for value, count := range map[float64]int{100: promoters, 0: passives, -100: detractors} {
			squares += float64(count) * (value - mean) * (value - mean)
		}
		half := 1.959963984540054 * math.Sqrt(squares/n/n)
		got := Promoters(float64(promoters), float64(detractors), n)
		want := Interval{mean, max(-100, mean-half), min(100, mean+half)}
		if math.Abs(got.Value-want.Value)+math.Abs(got.Lower-want.Lower)+math.Abs(got.Upper-want.Upper) > 1e-6 {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// With one order for each customer a ratio is a mean; and the sums give what a
// computation over the residuals gives.
func TestRatio(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1000), 2, 50).Draw(t, "values")
		counts := rapid.SliceOfN(rapid.IntRange(1, 5), len(values), len(values)).Draw(t, "counts")
		var one, several RatioSums
		for i, y := range values {
			d := float64(counts[i])
			one.N, one.Y, one.D, one.YY, one.DD, one.YD = one.N+1, one.Y+y, one.D+1, one.YY+y*y, one.DD+1, one.YD+y
			several.N, several.Y, several.D, several.YY, several.DD, several.YD = several.N+1, several.Y+y, several.D+d, several.YY+y*y, several.DD+d*d, several.YD+y*d
		}
		a, b := Ratio(one), Mean(one.Y, one.YY, one.N)
		if math.Abs(a.Value-b.Value) > 1e-9 || math.Abs(a.Upper-b.Upper) > 1e-4 {
			t.Fatalf("%v, want %v", a, b)
		}
		r, residual := several.Y/several.D, 0.
		for i, y := range values {
			e := y - r*float64(counts[i])
			residual += e * e
		}
		half := studentQuantile(several.N-1) * math.Sqrt(residual*several.N/(several.N-1)) / several.D
		if got := Ratio(several); math.Abs(got.Upper-r-half) > 1e-4 {
			t.Fatalf("%v, want %g ± %g", got, r, half)
		}
	})
}

func TestNothingToReport(t *testing.T) {
	t.Parallel()
	for name, i := range map[string]Interval{
		"share": Wilson(0, 0), "score": Promoters(0, 0, 0), "mean": Mean(0, 0, 0), "ratio": Ratio(RatioSums{}), "cost": Per(10, 0),
	} {
		if !math.IsNaN(i.Value) || !math.IsNaN(i.Lower) || !math.IsNaN(i.Upper) {
			t.Errorf("%s of nothing is %v", name, i)
		}
	}
	if i := Mean(5, 25, 1); i.Value != 5 || !math.IsNaN(i.Lower) {
		t.Errorf("the mean of one is %v", i)
	}
}
