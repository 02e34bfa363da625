package stats

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// dataFile opens a file of the shared data folder that lies beside the
// repository, and skips the test where there is none.
func dataFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not beside the repository", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func near(got, want, tolerance float64) bool {
	return got == want || math.Abs(got-want) <= tolerance
}

// TestHillstrom compares with SciPy 1.17 on the published e-mail experiment
// (ttest_ind's Welch formulas; the variance of visit and conversion is p(1−p)).
func TestHillstrom(t *testing.T) {
	t.Parallel()
	f := dataFile(t, "hillstrom.csv")
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	type arm struct{ segment, outcome string }
	sums := map[arm]*Mean{}
	for _, row := range rows[1:] {
		for _, outcome := range []string{"visit", "conversion", "spend"} {
			key := arm{row[column["segment"]], outcome}
			if sums[key] == nil {
				sums[key] = &Mean{}
			}
			y, err := strconv.ParseFloat(row[column[outcome]], 64)
			if err != nil {
				t.Fatal(err)
			}
			sums[key].N++
			sums[key].Sum += y
			sums[key].SumSquares += y * y
		}
	}
	estimate := func(a arm) Estimate {
		t.Helper()
		var s Sample = *sums[a]
		if a.outcome != "spend" {
			s = Proportion{N: sums[a].N, Successes: int64(sums[a].Sum)}
		}
		e, err := s.Estimate()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, c := range []struct {
		segment, outcome                string
		delta, se, lower, upper, p, df  float64
		relative, relLow, relHigh, relP float64
	}{
		{"Mens E-Mail", "visit", 0.07658956365, 0.003385808355, 0.06995330335, 0.08322582396, 1.34834e-112, 40593.68821, 0.7214046168, 0.6384137545, 0.8043954791, 7.26223e-65},
		{"Mens E-Mail", "conversion", 0.00680500652, 0.0009208511755, 0.005000113104, 0.008609899935, 1.49986e-13, 37486.66938, 1.188421876, 0.7215273001, 1.655316452, 6.09622e-07},
		{"Mens E-Mail", "spend", 0.7698271559, 0.1452465602, 0.4851397326, 1.054514579, 1.16381e-07, 36671.15798, 1.17928877, 0.5442847607, 1.81429278, 0.000272971},
		{"Womens E-Mail", "visit", 0.04523310659, 0.003234386358, 0.03889364222, 0.05157257096, 2.42133e-44, 41792.92666, 0.4260550703, 0.3543987369, 0.4977114036, 2.45059e-31},
		{"Womens E-Mail", "conversion", 0.003111057511, 0.0008226578153, 0.00149863012, 0.004723484902, 0.000155973, 40913.77468, 0.5433130437, 0.1932303308, 0.8933957566, 0.00235264},
		{"Womens E-Mail", "spend", 0.4244122159, 0.1303328585, 0.1689567899, 0.679867642, 0.0011294, 40064.88441, 0.6501518639, 0.1491124609, 1.151191267, 0.0109836},
	} {
		control, treatment := estimate(arm{"No E-Mail", c.outcome}), estimate(arm{c.segment, c.outcome})
		abs, err := Absolute(control, treatment, Options{})
		if err != nil {
			t.Fatal(err)
		}
		rel, err := Relative(control, treatment, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, figure := range []struct {
			name      string
			got, want float64
		}{
			{"absolute", abs.Estimate, c.delta}, {"standard error", abs.StandardError, c.se},
			{"lower", abs.Lower, c.lower}, {"upper", abs.Upper, c.upper},
			{"p", abs.PValue, c.p}, {"degrees", abs.DegreesOfFreedom, c.df},
			{"relative", rel.Estimate, c.relative}, {"relative lower", rel.Lower, c.relLow},
			{"relative upper", rel.Upper, c.relHigh}, {"relative p", rel.PValue, c.relP},
		} {
			if !near(figure.got, figure.want, 5e-6*math.Abs(figure.want)) {
				t.Errorf("%s %s: %s is %.10g, SciPy has %.10g", c.segment, c.outcome, figure.name, figure.got, figure.want)
			}
		}
	}
	var counts []int64
	for _, s := range []string{"No E-Mail", "Mens E-Mail", "Womens E-Mail"} {
		counts = append(counts, sums[arm{s, "visit"}].N)
	}
	split, err := CheckSplit(counts, []float64{1. / 3, 1. / 3, 1. / 3})
	if err != nil || !split.Passed() {
		t.Errorf("split of %v: %+v, %v", counts, split, err)
	}
}
