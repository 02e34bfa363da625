package stats

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// TestSplitFalseAlarms draws 200,000 split experiments that are as they should
// be and counts alarms: at the level of 0.001 that reports use the standard error
// is 0.00007, at 0.05 it is 0.0005.
func TestSplitFalseAlarms(t *testing.T) {
	t.Parallel()
	simulation(t)
	const runs, words = 200_000, 40 // 2,560 units
	r := rand.New(rand.NewPCG(1, 2))
	alarms, fives, phased := 0, 0, 0
	for range runs {
		// Bits are fair coins; the conjunction of two is a coin of one in four.
		var half, quarter int64
		for range words {
			half += int64(bits.OnesCount64(r.Uint64()))
			quarter += int64(bits.OnesCount64(r.Uint64() & r.Uint64()))
		}
		const units = 64 * words
		check, err := CheckSplit([]int64{half, units - half}, []float64{0.5, 0.5})
		if err != nil {
			t.Fatal(err)
		}
		if check.Mismatch {
			alarms++
		}
		if check.PValue < 0.05 {
			fives++
		}
		// The same weights forgotten would alarm every time: a quarter of one
		// phase, half of the other.
		check, err = CheckPhases([]SplitPhase{
			{Observed: []int64{half, units - half}, Weights: []float64{0.5, 0.5}},
			{Observed: []int64{quarter, units - quarter}, Weights: []float64{0.25, 0.75}},
		}, SplitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if check.PValue < 0.05 {
			phased++
		}
	}
	t.Logf("alarms at 0.001: %.5f, p below 0.05: %.4f, with two phases %.4f", float64(alarms)/runs, float64(fives)/runs, float64(phased)/runs)
	if share := float64(alarms) / runs; math.Abs(share-0.001) > 4*0.00007 {
		t.Errorf("false alarms in %.5f, want 0.001", share)
	}
	// Counts are whole numbers, which moves the level a little off 0.05.
	if share := float64(fives) / runs; math.Abs(share-0.05) > 0.003 {
		t.Errorf("p below 0.05 in %.5f", share)
	}
	// Summing expected counts over phases of different weights overstates the
	// variance a little, so that the check errs on the quiet side.
	if share := float64(phased) / runs; share > 0.052 || share < 0.04 {
		t.Errorf("with two phases p is below 0.05 in %.5f", share)
	}
}

func TestCheckPhases(t *testing.T) {
	t.Parallel()
	// 1,000 at half and half, 2,000 at one to three, and a third arm that came
	// with the last phase: expected 500+500+800, 500+1500+800, 400.
	check, err := CheckPhases([]SplitPhase{
		{Observed: []int64{510, 490, 0}, Weights: []float64{0.5, 0.5, 0}},
		{Observed: []int64{480, 1520, 0}, Weights: []float64{0.25, 0.75, 0}},
		{Observed: []int64{790, 815, 395}, Weights: []float64{0.4, 0.4, 0.2}},
	}, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1800, 2800, 400} {
		if !near(check.Expected[i], want, 1e-9) {
			t.Errorf("arm %d expects %g, want %g", i, check.Expected[i], want)
		}
	}
	wantChi := 20.*20/1800 + 25.*25/2800 + 5.*5/400
	if !near(check.ChiSquared, wantChi, 1e-12) || check.DegreesOfFreedom != 2 || !check.Passed() {
		t.Errorf("%+v, want χ² %g of 2 degrees", check, wantChi)
	}
	// Units of an arm before it had any weight leaked, though it has weight now.
	check, err = CheckPhases([]SplitPhase{
		{Observed: []int64{500, 500, 7}, Weights: []float64{0.5, 0.5, 0}},
		{Observed: []int64{400, 400, 200}, Weights: []float64{0.4, 0.4, 0.2}},
	}, SplitOptions{})
	if err != nil || check.Leaked != 7 || !check.Leak || check.Mismatch {
		t.Errorf("%+v, %v: seven units leaked", check, err)
	}
	// A bandit is checked earlier.
	early := []SplitPhase{{Observed: []int64{6, 6}, Weights: []float64{0.5, 0.5}}}
	if _, err := CheckPhases(early, SplitOptions{}); AsProblem(err) == nil || AsProblem(err).Reason != TooFewUnits {
		t.Errorf("six units an arm: %v", err)
	}
	if _, err := CheckPhases(early, SplitOptions{Minimum: MinimumExpectedBandit}); err != nil {
		t.Errorf("six units an arm of a bandit: %v", err)
	}
}

// TestCheckDimension: one value loses a tenth of an arm, which the total does not
// show, and only that value alarms.
func TestCheckDimension(t *testing.T) {
	t.Parallel()
	half := []float64{0.5, 0.5}
	phase := func(a, b int64) []SplitPhase {
		return []SplitPhase{{Observed: []int64{a, b}, Weights: half}}
	}
	values := []SplitValue{
		{"chrome", phase(50_400, 50_000)}, {"firefox", phase(10_000, 10_100)},
		{"safari", phase(3_000, 2_700)}, {"opera", phase(3, 4)},
	}
	checks, err := CheckDimension(values, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, false, true, false} {
		if checks[i].Check.Mismatch != want {
			t.Errorf("%s: mismatch %t (p %g)", checks[i].Value, checks[i].Check.Mismatch, checks[i].Check.PValue)
		}
	}
	if checks[3].Problem == nil || checks[3].Problem.Reason != TooFewUnits {
		t.Errorf("opera: %v", checks[3].Problem)
	}
	total, err := CheckSplit([]int64{63_403, 62_804}, half)
	if err != nil || total.Mismatch {
		t.Errorf("all together: %+v, %v", total, err)
	}
}

func TestCheckExposure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mixed, total int64
		alarm        bool
	}{{0, 0, false}, {9, 100, false}, {10, 1000, true}, {10, 1001, false}, {500, 20_000, true}} {
		got, err := CheckExposure(c.mixed, c.total)
		if err != nil || got.Alarm != c.alarm {
			t.Errorf("%d of %d: %+v, %v", c.mixed, c.total, got, err)
		}
	}
}

// TestPrePeriod: false alarms over families of five metrics come at the level,
// and a difference of a tenth of a standard deviation is seen.
func TestPrePeriod(t *testing.T) {
	t.Parallel()
	simulation(t)
	r := rand.New(rand.NewPCG(8, 1))
	const families, n = 20_000, 400
	arm := func(shift float64) Estimate {
		// The mean and variance of n normal values have known distributions.
		var chi float64
		for range 8 {
			chi += r.NormFloat64() * r.NormFloat64() // small noise about 1
		}
		return Estimate{N: n, Mean: 10 + shift + r.NormFloat64()/math.Sqrt(n), Variance: 1 + 0.01*chi}
	}
	alarms := 0
	for range families {
		var values []PrePeriod
		for range 5 {
			values = append(values, PrePeriod{Control: arm(0), Treated: arm(0)})
		}
		_, any, err := CheckPrePeriod(values, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		if any {
			alarms++
		}
	}
	share := float64(alarms) / families
	t.Logf("families with a false alarm at 0.05: %.4f", share)
	if math.Abs(share-0.049) > 0.007 { // 1−(1−0.01)^5
		t.Errorf("false alarms in %.4f of the families", share)
	}
	got, any, err := CheckPrePeriod([]PrePeriod{
		{Metric: "orders", Treatment: "b", Control: Estimate{N: 1e4, Mean: 1, Variance: 1}, Treated: Estimate{N: 1e4, Mean: 1.1, Variance: 1}},
		{Metric: "visits", Treatment: "b", Control: Estimate{N: 1e4, Mean: 1, Variance: 1}, Treated: Estimate{N: 1e4, Mean: 1.01, Variance: 1}},
		{Metric: "new", Treatment: "b", Control: Estimate{N: 1e4}, Treated: Estimate{N: 1e4}},
	}, 0)
	if err != nil || !any || !got[0].Alarm || got[1].Alarm || got[2].Problem == nil || got[2].Problem.Reason != ZeroVariance {
		t.Errorf("%+v, %t, %v", got, any, err)
	}
}

// TestNothingTestsUniform runs A/A experiments on skewed revenue: p-values are
// uniform, and those of somebody who stops at the first success are not.
func TestNothingTestsUniform(t *testing.T) {
	t.Parallel()
	simulation(t)
	const replays, n = 4000, 1000
	r := rand.New(rand.NewPCG(13, 1))
	revenue := func(n int) Mean {
		m := Mean{N: int64(n)}
		for range n {
			if bits := r.Uint32(); bits%4 != 0 {
				continue
			}
			y := 20 * r.ExpFloat64()
			m.Sum += y
			m.SumSquares += y * y
		}
		return m
	}
	p := func(a, b Mean) float64 {
		control, err := a.Estimate()
		if err != nil {
			t.Fatal(err)
		}
		treatment, err := b.Estimate()
		if err != nil {
			t.Fatal(err)
		}
		e, err := Absolute(control, treatment, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return e.PValue
	}
	var honest, peeked []float64
	for range replays {
		var a, b Mean
		least := 1.0
		for range 5 {
			a, b = a.Plus(revenue(n/5)), b.Plus(revenue(n/5))
			least = math.Min(least, p(a, b))
		}
		honest, peeked = append(honest, p(a, b)), append(peeked, least)
	}
	got, err := CheckUniform(honest, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d A/A replays: D %.4f, p %.3f, rejected %.4f [%.4f, %.4f], deciles %v",
		got.Replays, got.Distance, got.PValue, got.Rejected, got.RejectedLow, got.RejectedHigh, got.Deciles)
	if got.PValue < 0.001 || got.RejectedLow > 0.05 || got.RejectedHigh < 0.05 {
		t.Errorf("honest p-values are not uniform: %+v", got)
	}
	if got, err = CheckUniform(peeked, 0.05); err != nil || got.PValue > 1e-6 || got.RejectedLow < 0.06 {
		t.Errorf("peeking went unnoticed: %+v, %v", got, err)
	}
}

// TestKolmogorov has table values (Smirnov 1948 for the limit, Massey 1951 for n = 20)
// and the test's own false alarms.
func TestKolmogorov(t *testing.T) {
	t.Parallel()
	simulation(t)
	for _, c := range []struct{ d, n, p, tolerance float64 }{
		{1.3581 / 1e4, 1e8, 0.05, 1e-4}, {1.6276 / 1e4, 1e8, 0.01, 1e-4}, {0.8276 / 1e4, 1e8, 0.5, 1e-4},
		{0.294, 20, 0.05, 2e-3}, {0.356, 20, 0.01, 1e-3},
	} {
		if got := kolmogorovSurvival(c.d, c.n); !near(got, c.p, c.tolerance) {
			t.Errorf("P(D ≥ %g) of %g values is %.5f, want %.5f", c.d, c.n, got, c.p)
		}
	}
	r := rand.New(rand.NewPCG(2, 2))
	const runs = 20_000
	alarms := 0
	for range runs {
		p := make([]float64, 50)
		for i := range p {
			p[i] = r.Float64()
		}
		u, err := CheckUniform(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		if u.PValue < 0.05 {
			alarms++
		}
	}
	if share := float64(alarms) / runs; math.Abs(share-0.05) > 0.006 {
		t.Errorf("false alarms of the uniformity test: %.4f", share)
	}
}

func TestHealthRefusals(t *testing.T) {
	t.Parallel()
	half := []float64{0.5, 0.5}
	for name, c := range map[string]struct {
		phases  []SplitPhase
		options SplitOptions
		reason  Reason
		subject string
	}{
		"no phase":          {nil, SplitOptions{}, InvalidOption, "phases"},
		"weights not one":   {[]SplitPhase{{[]int64{9, 9}, []float64{0.5, 0.4}}}, SplitOptions{}, InvalidOption, "phases[0].weights"},
		"weight NaN":        {[]SplitPhase{{[]int64{9, 9}, half}, {[]int64{9, 9}, []float64{math.NaN(), 1}}}, SplitOptions{}, InvalidOption, "phases[1].weights"},
		"negative weight":   {[]SplitPhase{{[]int64{9, 9}, []float64{1.5, -0.5}}}, SplitOptions{}, InvalidOption, "phases[0].weights"},
		"negative count":    {[]SplitPhase{{[]int64{9, -9}, half}}, SplitOptions{}, ImpossibleSums, "phases[0].observed"},
		"arms differ":       {[]SplitPhase{{[]int64{9, 9}, half}, {[]int64{9}, []float64{1}}}, SplitOptions{}, InvalidOption, "phases[1]"},
		"counts and arms":   {[]SplitPhase{{[]int64{9}, half}}, SplitOptions{}, InvalidOption, "phases[0].weights"},
		"alarm":             {[]SplitPhase{{[]int64{9, 9}, half}}, SplitOptions{Alarm: 1}, InvalidOption, "alarm"},
		"minimum":           {[]SplitPhase{{[]int64{9, 9}, half}}, SplitOptions{Minimum: math.Inf(1)}, InvalidOption, "minimum"},
		"nobody in a split": {[]SplitPhase{{[]int64{0, 0}, half}}, SplitOptions{}, TooFewUnits, ""},
	} {
		_, err := CheckPhases(c.phases, c.options)
		wantProblem(t, name, err, c.reason, c.subject)
	}
	_, err := CheckDimension([]SplitValue{{"ios", []SplitPhase{{[]int64{9, 9}, []float64{1, 1}}}}}, SplitOptions{})
	wantProblem(t, "dimension", err, InvalidOption, "phases[0].weights")
	_, err = CheckExposure(-1, 10)
	wantProblem(t, "mixed", err, ImpossibleSums, "mixed")
	_, err = CheckExposure(11, 10)
	wantProblem(t, "more mixed than there are", err, ImpossibleSums, "mixed")
	_, _, err = CheckPrePeriod(nil, 1)
	wantProblem(t, "level", err, InvalidOption, "level")
	_, err = CheckUniform(make([]float64, 5), 0)
	wantProblem(t, "few p-values", err, TooFewUnits, "p")
	bad := make([]float64, 30)
	bad[3] = math.NaN()
	_, err = CheckUniform(bad, 0)
	wantProblem(t, "p NaN", err, NotFinite, "p")
	bad[3] = 1.5
	_, err = CheckUniform(bad, 0)
	wantProblem(t, "p above 1", err, ImpossibleSums, "p")
	_, err = CheckUniform(bad, 2)
	wantProblem(t, "level above 1", err, InvalidOption, "alpha")
}
