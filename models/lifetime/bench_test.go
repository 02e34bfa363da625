package lifetime

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// TestSpeed fits models to a million customers and forecasts each, and prints each as a
// ratio to one likelihood of all of them in the same run:
//
//	QUINTET_BENCH_ROWS=1000000 go test ./models/lifetime -run TestSpeed -v
func TestSpeed(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("QUINTET_BENCH_ROWS"))
	if err != nil {
		t.Skip("set QUINTET_BENCH_ROWS to measure")
	}
	truth, spend := BGNBD{.6, 42, 1.2, 3}, GammaGamma{5, 4, 20}
	customers, _ := world(n, truth, spend, 0, 1)
	for i := range customers { // times in whole days, as from the log
		c := &customers[i]
		c.Last, c.Age = float64(int(7*c.Last)), float64(int(7*c.Age)+1)
	}
	groups := groupsOf(t, customers)
	started := time.Now()
	sum(groups, truth.LogLikelihood)
	baseline := time.Since(started)
	t.Logf("one BG/NBD likelihood of %d customers in %d groups takes %v", n, len(groups), baseline)
	report := func(what string, took, limit time.Duration) {
		t.Logf("%-36s %6.2f s (%5.0f likelihoods)", what, took.Seconds(), took.Seconds()/baseline.Seconds())
		if n >= 1_000_000 && took > limit {
			t.Errorf("%s takes %v", what, took)
		}
	}
	for _, kind := range []string{KindBGNBD, KindParetoNBD} {
		started = time.Now()
		f, err := FitPurchase(t.Context(), kind, customers)
		if err != nil {
			t.Fatal(err)
		}
		report("fitting "+kind, time.Since(started), time.Minute)
		started = time.Now()
		if f.Spend, err = FitSpend(t.Context(), customers); err != nil {
			t.Fatal(err)
		}
		report("fitting the value of purchases", time.Since(started), time.Minute)
		started = time.Now()
		if _, err := f.Forecaster(60).ForecastAll(t.Context(), customers); err != nil {
			t.Fatal(err)
		}
		report("forecasts with "+kind, time.Since(started), 10*time.Second)
	}
}
