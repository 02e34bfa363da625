package lifetime

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// world draws customers of a known BG/NBD and what they buy after they are observed.
func world(n int, m BGNBD, spend GammaGamma, horizon float64, seed uint64) (customers []Customer, later []int) {
	r := rand.New(rand.NewPCG(seed, 9))
	gamma := func(shape, rate float64) float64 { return distuv.Gamma{Alpha: shape, Beta: rate, Src: r}.Rand() }
	for range n {
		rate := gamma(m.R, m.Alpha)
		leave := distuv.Beta{Alpha: m.A, Beta: m.B, Src: r}.Rand()
		c := Customer{Age: 20 + r.Float64()*30}
		scale := gamma(spend.Q, spend.V)
		after, at, value := 0, 0.0, 0.0
		for {
			at += r.ExpFloat64() / rate
			if at > c.Age+horizon {
				break
			}
			if at <= c.Age {
				c.Repeats++
				c.Last = at
				value += gamma(spend.P, scale)
			} else {
				after++
			}
			if r.Float64() < leave {
				break
			}
		}
		if c.Repeats > 0 {
			c.Value = value / float64(c.Repeats)
		}
		customers, later = append(customers, c), append(later, after)
	}
	return customers, later
}

// The 95 % intervals of parameters and of the sum in the hold-out hold the truth at their
// rate. QUINTET_TEST_FULL=1 runs 100 worlds instead of 3.
func TestSimulatedLifetimesAreRecovered(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fits several worlds")
	}
	worlds := 3
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		worlds = 100
	}
	truth, spend := BGNBD{.6, 6, 1.2, 3}, GammaGamma{5, 4, 20}
	want := []float64{truth.R, truth.Alpha, truth.A, truth.B}
	inside, total, sums := 0, 0, 0
	for w := range worlds {
		customers, later := world(1500, truth, spend, 26, uint64(w))
		f, err := Fit(t.Context(), KindBGNBD, customers)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range want {
			low, high := f.Purchase.Interval(i)
			total++
			if low <= v && v <= high {
				inside++
			}
		}
		for i, v := range []float64{spend.P, spend.Q, spend.V} {
			low, high := f.Spend.Interval(i)
			total++
			if low <= v && v <= high {
				inside++
			}
		}
		if b := f.Test(customers, later, 26); b.Low <= b.Actual && b.Actual <= b.High {
			sums++
		}
	}
	t.Logf("%d of %d parameters and %d of %d hold-out sums within their 95 %% interval", inside, total, sums, worlds)
	// Parameters of one world go together, so the bound is looser than a binomial one.
	if float64(inside) < .85*float64(total) || float64(sums) < .75*float64(worlds) {
		t.Error("intervals hold the truth too rarely")
	}
}

func TestImpossibleCustomers(t *testing.T) {
	t.Parallel()
	many := func(c Customer) []Customer {
		out := make([]Customer, 100)
		for i := range out {
			out[i] = Customer{Repeats: i % 3, Age: 10}
			if i%3 > 0 {
				out[i].Last = 5
			}
		}
		out[7] = c
		return out
	}
	for name, c := range map[string]Customer{
		"negative": {Repeats: -1, Age: 1}, "no number": {Age: math.NaN()}, "beyond": {Repeats: 1, Last: 3, Age: 2}, "no repeats": {Last: 1, Age: 2},
	} {
		if _, err := Groups(many(c)); !errors.Is(err, ErrCustomer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Fit(t.Context(), KindBGNBD, many(Customer{Age: 1})[:10]); !errors.Is(err, ErrTooFew) {
		t.Errorf("ten rows: %v", err)
	}
	// All bought on the same day, twice: there is nothing to tell leaving by, and either
	// an estimate comes back or it is refused, without a panic.
	same := make([]Customer, 200)
	for i := range same {
		same[i] = Customer{Repeats: 1, Last: 1, Age: 10, Value: 5}
	}
	if f, err := Fit(t.Context(), KindBGNBD, same); err == nil {
		if v := f.Forecaster(30).Forecast(same[0]); math.IsNaN(v.Purchases) || v.Purchases < 0 {
			t.Errorf("%+v", v)
		}
	}
}

// Where the likelihood has no maximum of its own the parameters are held near usual ones,
// and forecasts stay sensible, whatever the units of money and time are.
func TestRunawayIsHeld(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for name, unit := range map[string]float64{"cents": 1e-2, "roubles": 1e5} {
		var customers []Customer
		for range 80 { // nobody leaves, everybody buys at about the same rate and value
			c := Customer{Age: 365, Last: 350 + 15*r.Float64(), Repeats: 10 + r.IntN(5)}
			c.Value = unit * (1 + .001*r.NormFloat64())
			customers = append(customers, c)
		}
		for _, kind := range []string{KindBGNBD, KindParetoNBD} {
			if kind == KindParetoNBD && (unit > 1 || testing.Short()) {
				continue // time is the same in both, and its integral is slow out there
			}
			f, err := Fit(t.Context(), kind, customers)
			if err != nil {
				t.Fatalf("%s in %s: %v", kind, name, err)
			}
			if !f.Purchase.Penalised || !f.Spend.Penalised {
				t.Errorf("%s in %s: %+v %+v", kind, name, f.Purchase, f.Spend)
			}
			got := f.Forecaster(365).Forecast(customers[0])
			if got.Alive < .9 || got.Purchases < 9 || got.Purchases > 15 || got.Value < .9*unit*got.Purchases || got.Value > 1.1*unit*got.Purchases || !(got.ValueLow <= got.Value && got.Value <= got.ValueHigh) {
				t.Errorf("%s in %s: %+v", kind, name, got)
			}
		}
	}
}
