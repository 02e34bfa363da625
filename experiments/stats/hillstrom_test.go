package stats

import (
	"encoding/csv"
	"strconv"
	"testing"
)

// TestHillstromAdjusted compares adjusted and stratified figures of the
// published e-mail experiment (men's e-mail against none) with statsmodels 0.15
// and NumPy 1.26: CUPED on the money spent in the year before; regression on
// that, recency, what was bought before and whether the customer is new; the
// nine strata of zip code and channel.
func TestHillstromAdjusted(t *testing.T) {
	t.Parallel()
	rows, err := csv.NewReader(dataFile(t, "hillstrom.csv")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, c := range []struct {
		outcome                         string
		cuped, covariates, strata       [2]float64 // estimate and standard error
		adjusted, regressed, stratified float64    // share of the variance that goes
	}{
		{"spend", [2]float64{0.7674384994278023, 0.14521504219411457}, [2]float64{0.7685160220303909, 0.14515795826501365},
			[2]float64{0.7689969197744958, 0.14512043691149693}, 0.000434, 0.001220, 0.001736},
		{"visit", [2]float64{0.07641114745941807, 0.0033783604804229414}, [2]float64{0.07647829682528468, 0.0033439885736772194},
			[2]float64{0.07622576370752512, 0.003377803680412383}, 0.004441, 0.024596, 0.004769},
	} {
		arms := map[string]int{"No E-Mail": 0, "Mens E-Mail": 1}
		var adjusted [2]Adjusted
		var several [2]Covariates
		var shapes [2]Shape
		var cells [2]map[string]Mean
		several[0].Ridge, several[1].Ridge = 1e-12, 1e-12
		cells[0], cells[1] = map[string]Mean{}, map[string]Mean{}
		for _, row := range rows[1:] {
			i, ok := arms[row[column["segment"]]]
			if !ok {
				continue
			}
			number := func(name string) float64 {
				v, err := strconv.ParseFloat(row[column[name]], 64)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			y := number(c.outcome)
			adjusted[i].add(unit{y: y, x: number("history")})
			several[i].Add(y, number("history"), number("recency"), number("mens"), number("womens"), number("newbie"))
			shapes[i].Add(y)
			cell := row[column["zip_code"]] + row[column["channel"]]
			cells[i][cell] = cells[i][cell].Plus(Mean{N: 1, Sum: y, SumSquares: y * y})
		}
		plain, err := Compare(adjusted[0].plain(), adjusted[1].plain(), AbsoluteScale, Options{})
		if err != nil {
			t.Fatal(err)
		}
		check := func(name string, e Effect, err error, want [2]float64, share float64) {
			t.Helper()
			gone := 1 - e.StandardError*e.StandardError/plain.StandardError/plain.StandardError
			if err != nil || !relativelyNear(e.Estimate, want[0], 1e-9) || !relativelyNear(e.StandardError, want[1], 1e-9) || !near(gone, share, 1e-6) {
				t.Errorf("%s, %s: %.12g ± %.12g (%v), want %v; %.6f of the variance goes, want %.6f", c.outcome, name, e.Estimate, e.StandardError, err, want, gone, share)
			}
		}
		e, err := Compare(adjusted[0], adjusted[1], AbsoluteScale, Options{})
		check("CUPED", e, err, c.cuped, c.adjusted)
		e, err = Compare(several[0], several[1], AbsoluteScale, Options{})
		check("several covariates", e, err, c.covariates, c.regressed)
		var strata []Stratum
		for cell := range cells[0] {
			strata = append(strata, Stratum{cells[0][cell], cells[1][cell]})
		}
		s, err := PostStratify(strata, AbsoluteScale, Options{})
		check("strata", s.Effect, err, c.strata, c.stratified)
		if s.Strata != 9 {
			t.Errorf("%s: %d strata", c.outcome, s.Strata)
		}
		a, err := Adequate(shapes[0], shapes[1])
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: skewness %.2f needs %d units an arm, the smaller has %d", c.outcome, a.Skewness, a.Needed, a.Units)
		if a.Enough() != (c.outcome == "visit") {
			t.Errorf("%s: judged %+v", c.outcome, a)
		}
	}
}
