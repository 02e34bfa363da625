package lifetime

import (
	"os"
	"slices"
	"testing"
)

// Segments that differ get parameters of their own, which predict better and whose
// intervals hold the truth; segments that do not differ get none but by chance.
func TestSegments(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fits several worlds")
	}
	worlds := 2
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		worlds = 60
	}
	fast, slow, spend := BGNBD{1.2, 6, 1.2, 3}, BGNBD{.4, 9, .8, 4}, GammaGamma{5, 4, 20}
	inside, total, false1, better := 0, 0, 0, 0
	for w := range worlds {
		seed := uint64(10 * w)
		a, laterA := world(600, fast, spend, 30, seed+1)
		b, laterB := world(600, slow, spend, 30, seed+2)
		few, laterFew := world(20, slow, spend, 30, seed+3)
		customers, later := slices.Concat(a, b, few), slices.Concat(laterA, laterB, laterFew)
		segments := slices.Concat(slices.Repeat([]string{"regulars"}, 600), slices.Repeat([]string{""}, 600), slices.Repeat([]string{"few"}, 20))
		f, err := Fit(t.Context(), KindBGNBD, customers)
		if err != nil {
			t.Fatal(err)
		}
		pooled := f.Test(customers, later, 30)
		test, err := f.FitSegments(t.Context(), customers, segments)
		if err != nil {
			t.Fatal(err)
		}
		if !test.Kept || !slices.Equal(test.Segments, []string{"regulars"}) || test.Freedom != 7 {
			t.Fatalf("%+v", test)
		}
		if err := f.Check(); err != nil {
			t.Error(err)
		}
		own := f.TestSegments(customers, later, segments, 30)
		if own.MAE < pooled.MAE { // of single purchases, so that chance has a part in it
			better++
		}
		if own.Customers != 1220 || own.Actual != pooled.Actual || own.Baseline-pooled.Baseline > 1e-9 {
			t.Errorf("by segment %+v, together %+v", own, pooled)
		}
		for segment, truth := range map[string]BGNBD{"regulars": fast, "": slow} {
			e := f.In(segment).Purchase
			for i, want := range []float64{truth.R, truth.Alpha, truth.A, truth.B} {
				low, high := e.Interval(i)
				total++
				if low <= want && want <= high {
					inside++
				}
			}
		}
		if f.In("few").Purchase != f.In("").Purchase {
			t.Error("a segment of few has parameters of its own")
		}
		forecasts, err := f.ForecastAll(t.Context(), customers, segments, 30)
		if err != nil || forecasts[0] != f.In("regulars").Forecaster(30).Forecast(customers[0]) || forecasts[700] != f.In("").Forecaster(30).Forecast(customers[700]) {
			t.Errorf("%+v %v", forecasts[0], err)
		}
		// The same customers in segments that say nothing.
		alike, _ := world(600, slow, spend, 30, seed+4)
		same, err := Fit(t.Context(), KindBGNBD, alike)
		if err != nil {
			t.Fatal(err)
		}
		test, err = same.FitSegments(t.Context(), alike, slices.Repeat([]string{"x", ""}, 300))
		if err != nil {
			t.Fatal(err)
		}
		if test.Kept {
			false1++
		}
	}
	t.Logf("%d of %d parameters within their 95 %% interval, %d of %d tests of segments that do not differ say that they do; held-out purchases are predicted better in %d", inside, total, false1, worlds, better)
	if inside < total*85/100 || better < worlds*85/100 || false1 > max(1, worlds/20) {
		t.Error("intervals or tests do not hold their rate")
	}
}
