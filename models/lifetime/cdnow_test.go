package lifetime

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cdnow rebuilds the summary of the CDNOW sample: distinct purchase days up to the end of
// September 1997 in weeks, and the purchase days after it.
func cdnow(t testing.TB) (customers []Customer, holdout []int) {
	t.Helper()
	f, err := os.Open("../../../shared/data/cdnow_sample.txt")
	if err != nil {
		t.Skip("the data set cdnow_sample.txt is not there; see shared/data")
	}
	defer f.Close()
	cut := time.Date(1997, 9, 30, 0, 0, 0, 0, time.UTC)
	type purchase struct {
		day   time.Time
		value float64
	}
	var order []string
	people := map[string][]purchase{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		day, err := time.Parse("20060102", fields[2])
		if err != nil {
			t.Fatal(err)
		}
		value, err := strconv.ParseFloat(fields[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		id := fields[1]
		if people[id] == nil {
			order = append(order, id)
		}
		days := people[id]
		if n := len(days); n > 0 && days[n-1].day.Equal(day) {
			days[n-1].value += value
		} else {
			days = append(days, purchase{day, value})
		}
		people[id] = days
	}
	for _, id := range order {
		var c Customer
		later := 0
		first := people[id][0].day
		for i, p := range people[id] {
			switch {
			case p.day.After(cut):
				later++
			case i > 0:
				c.Repeats++
				c.Last = p.day.Sub(first).Hours() / 24 / 7
				c.Value += p.value
			}
		}
		if c.Repeats > 0 {
			c.Value /= float64(c.Repeats)
		}
		c.Age = cut.Sub(first).Hours() / 24 / 7
		customers, holdout = append(customers, c), append(holdout, later)
	}
	return customers, holdout
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s is %.7g, want %.7g ± %g", what, got, want, tolerance)
	}
}

func groupsOf(t testing.TB, customers []Customer) []Group {
	t.Helper()
	groups, err := Groups(customers)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

func TestCDNOWBGNBD(t *testing.T) {
	t.Parallel()
	customers, holdout := cdnow(t)
	total := 0
	for _, c := range customers {
		total += c.Repeats
	}
	if len(customers) != 2357 || total != 2457 {
		t.Fatalf("%d customers with %d repeats", len(customers), total)
	}
	e, err := FitBGNBD(t.Context(), groupsOf(t, customers))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{.242593, 4.413531, .792886, 2.425753} {
		near(t, e.Names[i], e.Parameters[i], want, 1e-3)
		if low, high := e.Interval(i); !(low < want && want < high && high < 4*low) {
			t.Errorf("the interval of %s is %.3f to %.3f", e.Names[i], low, high)
		}
	}
	near(t, "log-likelihood", e.LogLikelihood, -9582.4256, .05)
	m := NewBGNBD(e.Parameters)
	predicted, actual := 0.0, 0
	var mae, rmse float64
	for i, c := range customers {
		v := m.Expected(c, 39)
		predicted += v
		actual += holdout[i]
		mae += math.Abs(v-float64(holdout[i])) / 2357
		rmse += (v - float64(holdout[i])) * (v - float64(holdout[i])) / 2357
	}
	if actual != 1882 {
		t.Errorf("%d purchases in the hold-out, want 1882", actual)
	}
	near(t, "hold-out prediction", predicted, 1653.42, .1)
	near(t, "MAE", mae, .78546, 1e-3)
	near(t, "RMSE", math.Sqrt(rmse), 1.60801, 1e-3)
	one := Customer{Repeats: 2, Last: 30.428571428571427, Age: 38.857142857142854}
	near(t, "expected", m.Expected(one, 39), 1.22591, 1e-3)
	near(t, "alive", m.Alive(one), .726609, 1e-3)
	published := BGNBD{.243, 4.414, .793, 2.426}
	for _, c := range [][2]float64{{.1429, .0078}, {1, .0532}, {3, .1506}, {31.8571, 1.0405}, {32, 1.0437}, {78, 1.8576}} {
		near(t, "E[X(t)]", m.New(c[0]), c[1], 5e-4)
	}
	near(t, "P(X(39)=0)", published.Probability(0, 39), .5737864, 1e-4)
	for i, want := range []float64{.0019995214, .0015170236, .0011633150, .0009003148, .0007023638, .0005517902, .0004361913, .0003467171, .0002769613, .0002222260} {
		near(t, "P(X(30)=n)", published.Probability(11+i, 30), want, 1e-5)
	}
	mass := 0.0
	for n := range 400 {
		mass += published.Probability(n, 30)
	}
	near(t, "sum of probabilities", mass, 1, 1e-6)
}

func TestCDNOWParetoNBD(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("hypergeometric series of 2,357 customers")
	}
	customers, _ := cdnow(t)
	e, err := FitParetoNBD(t.Context(), groupsOf(t, customers))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{.553276, 10.577612, .606214, 11.667917} {
		near(t, e.Names[i], e.Parameters[i], want, 1e-3)
	}
	near(t, "log-likelihood", e.LogLikelihood, -9594.9739, .05)
}

func TestParetoNBDPublished(t *testing.T) {
	t.Parallel()
	m := ParetoNBD{.5534, 10.5802, .6061, 11.6562}
	c := Customer{Repeats: 26, Last: 30.86, Age: 31}
	near(t, "expected", m.Expected(c, 52), 25.46, .01)
	near(t, "alive", m.Alive(c), .9979, 1e-4)
	m = ParetoNBD{.55, 10.56, .61, 11.64}
	for i, want := range []float64{.05077821, .09916088, .14542507, .18979930, .23247466, .27361274, .31335159, .35181024, .38909211} {
		near(t, "E[X(t)]", m.New(float64(i+1)), want, 1e-6)
	}
}

// Both ways to the integral come to the same, where both are quick enough.
func TestParetoIntegral(t *testing.T) {
	t.Parallel()
	for _, m := range []ParetoNBD{{.55, 10.56, .61, 11.66}, {.5, 3, .6, 60}, {2, 90, 1.4, 12}, {.3, 1.2, .8, 4}} {
		for _, c := range []Customer{{Repeats: 0, Age: 40}, {Repeats: 3, Last: 10, Age: 40}, {Repeats: 26, Last: 30.86, Age: 31}, {Repeats: 60, Last: 5, Age: 300}} {
			large, other, delta := m.Alpha, m.S+1, m.Alpha-m.Beta
			if m.Alpha < m.Beta {
				large, other, delta = m.Beta, m.R+float64(c.Repeats), m.Beta-m.Alpha
			}
			power := m.R + m.S + float64(c.Repeats)
			at := func(t float64) float64 {
				return series2F1(power, other, power+1, delta/(large+t)) * math.Exp(-power*math.Log((large+t)/(large+c.Last)))
			}
			want := math.Log(at(c.Last)-at(c.Age)) - power*math.Log(large+c.Last)
			near(t, "integral", m.integrated(c), want, 1e-7*math.Max(1, math.Abs(want)))
		}
	}
}

func TestCDNOWGammaGamma(t *testing.T) {
	t.Parallel()
	customers, _ := cdnow(t)
	e, err := FitGammaGamma(t.Context(), customers)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{6.248802, 3.744588, 15.447749} {
		near(t, e.Names[i], e.Parameters[i], want, math.Max(1, want)*1e-3)
	}
	// The reference's optimiser stopped a little before the maximum.
	reference, ours := 0.0, 0.0
	for _, c := range customers {
		if c.Repeats > 0 {
			reference += GammaGamma{6.248802, 3.744588, 15.447749}.LogLikelihood(c)
			ours += NewGammaGamma(e.Parameters).LogLikelihood(c)
		}
	}
	if ours < reference-1e-9 {
		t.Errorf("log-likelihood %.9f is below %.9f of the reference's parameters", ours, reference)
	}
	near(t, "log-likelihood", e.LogLikelihood, -4055.9232, .05)
	near(t, "mean", NewGammaGamma(e.Parameters).Mean(), 35.1710, .01)
	m := NewGammaGamma(e.Parameters)
	for i, want := range []float64{24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17} {
		near(t, "expected value", m.Expected(customers[i]), want, .02)
	}
}
