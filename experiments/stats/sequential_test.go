package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestSequencePublished has the figures of GrowthBook's own tests
// (packages/stats/tests/frequentist/test_tests.py).
func TestSequencePublished(t *testing.T) {
	t.Parallel()
	control := Mean{N: 3000, Sum: 1396.87, SumSquares: 52377.9767}
	treatment := Mean{N: 3461, Sum: 2422.7, SumSquares: 134698.29}
	for name, c := range map[string]struct {
		control, treatment Sample
		test               func(Estimate, Estimate, Options) (Effect, error)
		sequence           Sequence
		lower, upper, p    float64
	}{
		"relative mean": {control, treatment, Relative, Sequence{Tuning: 1000}, -0.55844, 1.56516, 1},
		"relative proportion": {Proportion{N: 3000, Successes: 1396}, Proportion{N: 3461, Successes: 2422}, Relative,
			Sequence{Tuning: 5000}, 0.40098, 0.60675, 0},
		"greater": {control, treatment, Absolute, Sequence{Alternative: Greater}, -0.12656844172804982, math.Inf(1), 0.46316491943359384},
	} {
		a, err := c.control.Estimate()
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.treatment.Estimate()
		if err != nil {
			t.Fatal(err)
		}
		e, err := c.test(a, b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := AlwaysValid(e, c.sequence)
		if err != nil {
			t.Fatal(err)
		}
		if !near(got.Lower, c.lower, 5e-6) || !near(got.Upper, c.upper, 5e-6) || !near(got.PValue, c.p, 5e-6) {
			t.Errorf("%s: [%.7f, %.7f], p %.7f; published [%.7f, %.7f], p %.7f", name, got.Lower, got.Upper, got.PValue, c.lower, c.upper, c.p)
		}
	}
}

// TestSequenceOfPeers pins the figures by which the peers' methods differ.
func TestSequenceOfPeers(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{100, 20_000, 3_000_000} {
		z, err := StatsigMultiplier(Estimate{N: n / 2, Mean: 1, Variance: 3}, Estimate{N: n / 2, Mean: 2, Variance: 5}, 0.05)
		if err != nil || math.Abs(z-3.58) > 0.005 {
			t.Errorf("at %d units the multiplier is %.4f (%v), it is 3.58 at any size", n, z, err)
		}
	}
	z, err := Sequence{Tuning: 10_000}.HalfWidth(1, 20_000)
	if err != nil || math.Abs(z-3.06) > 0.005 {
		t.Errorf("at 20,000 units the sequence needs %.4f standard errors (%v), published 3.06", z, err)
	}
}

// TestEppoIsTheSequence: Howard's normal mixture and the asymptotic sequence are
// one bound.
func TestEppoIsTheSequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		se := rapid.Float64Range(1e-6, 1e6).Draw(t, "se")
		n := float64(rapid.Int64Range(1, 1e9).Draw(t, "n"))
		tuning := rapid.Float64Range(10, 1e7).Draw(t, "tuning")
		alpha := rapid.Float64Range(1e-4, 0.5).Draw(t, "alpha")
		ours, err := Sequence{Alpha: alpha, Tuning: tuning}.HalfWidth(se, n)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := EppoHalfWidth(se, n, tuning, alpha)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(ours-theirs) > 1e-12*ours {
			t.Fatalf("%.17g and %.17g", ours, theirs)
		}
	})
}

// TestSequenceAgreesWithItself: p is below the level exactly where the interval
// leaves zero out, and the sequence is wider than a fixed interval.
func TestSequenceAgreesWithItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := Effect{
			Estimate:      rapid.Float64Range(-1, 1).Draw(t, "estimate"),
			StandardError: rapid.Float64Range(1e-3, 1).Draw(t, "se"),
			N:             rapid.Int64Range(2, 1e8).Draw(t, "n"),
		}
		s := Sequence{
			Alpha:       rapid.Float64Range(0.001, 0.3).Draw(t, "alpha"),
			Tuning:      rapid.Float64Range(100, 1e6).Draw(t, "tuning"),
			Alternative: Alternative(rapid.IntRange(0, 2).Draw(t, "alternative")),
		}
		got, err := AlwaysValid(e, s)
		if err != nil {
			t.Fatal(err)
		}
		out := got.Lower > 0 || got.Upper < 0
		if math.Abs(got.PValue-s.Alpha) > 1e-3*s.Alpha && out != (got.PValue < s.Alpha) {
			t.Fatalf("interval [%g, %g] at level %g, p %g", got.Lower, got.Upper, s.Alpha, got.PValue)
		}
		fixed := 2 * normalSurvival((got.Upper-got.Lower)/2/e.StandardError)
		if s.Alternative == TwoSided && fixed > s.Alpha {
			t.Fatalf("the sequence is narrower than a fixed interval: %g > %g", fixed, s.Alpha)
		}
	})
}

// TestContinuousPeeking looks at 2,000 experiments without an effect after every
// pair of units, 20,000 times each, and counts those in which the band ever lost
// zero. Outcomes are skewed (exponential) in half of them and rare (4 %) in the
// other. The first 50 pairs are not judged: the guarantee is asymptotic.
func TestContinuousPeeking(t *testing.T) {
	t.Parallel()
	simulation(t)
	const paths, looks, first = 2000, 20_000, 50
	sequence := Sequence{}
	oneSided := Sequence{Alternative: Greater}
	width, above := make([]float64, looks+1), make([]float64, looks+1)
	for i := first; i <= looks; i++ {
		var err error
		if width[i], err = sequence.HalfWidth(1, float64(2*i)); err != nil {
			t.Fatal(err)
		}
		if above[i], err = oneSided.HalfWidth(1, float64(2*i)); err != nil {
			t.Fatal(err)
		}
	}
	// The direct figures must be those of a report.
	e, err := AlwaysValid(Effect{StandardError: 0.3, N: 2 * 7000}, sequence)
	if err != nil || math.Abs(e.Upper-0.3*width[7000]) > 1e-12 {
		t.Fatalf("upper %g, %v", e.Upper, err)
	}
	r := rand.New(rand.NewPCG(20, 26))
	var lost, lostAbove, lostFixed int
	for path := range paths {
		var sumA, sumB, squaresA, squaresB float64
		var out, outAbove, outFixed bool
		rare := path%2 == 1
		for i := 1; i <= looks; i++ {
			var a, b float64
			if rare {
				bits := r.Uint64()
				if uint32(bits) < 171798692 { // 4 % of 2^32
					a = 1
				}
				if uint32(bits>>32) < 171798692 {
					b = 1
				}
			} else {
				a, b = r.ExpFloat64(), r.ExpFloat64()
			}
			sumA, squaresA = sumA+a, squaresA+a*a
			sumB, squaresB = sumB+b, squaresB+b*b
			if i < first {
				continue
			}
			n := float64(i)
			variance := (squaresA - sumA*sumA/n + squaresB - sumB*sumB/n) / (n - 1) / n
			if variance == 0 {
				continue
			}
			z := (sumB - sumA) / n / math.Sqrt(variance)
			out = out || math.Abs(z) > width[i]
			outAbove = outAbove || z > above[i]
			outFixed = outFixed || math.Abs(z) > 1.959964
		}
		for _, c := range []struct {
			out   bool
			count *int
		}{{out, &lost}, {outAbove, &lostAbove}, {outFixed, &lostFixed}} {
			if c.out {
				*c.count++
			}
		}
	}
	share := func(n int) float64 { return float64(n) / paths }
	t.Logf("%d paths of %d looks: the band lost the truth in %.2f %%, the one-sided band in %.2f %%, a fixed interval in %.1f %%",
		paths, looks, 100*share(lost), 100*share(lostAbove), 100*share(lostFixed))
	if share(lost) > 0.05 || share(lostAbove) > 0.05 {
		t.Errorf("the bands lose the truth in %.4f and %.4f of all paths, more than 0.05", share(lost), share(lostAbove))
	}
	if share(lost) < 0.005 {
		t.Errorf("the band lost the truth in %.4f only: it is wider than it has to be", share(lost))
	}
	if share(lostFixed) < 0.3 {
		t.Errorf("a fixed interval lost the truth in %.4f only: the paths do not test peeking", share(lostFixed))
	}
}

// TestBayesFactor compares with the formula written out another way (the ratio of
// two normal densities of the t statistic).
func TestBayesFactor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ t, n, r float64 }{{0, 100, 0.5}, {2, 1000, 0.707}, {-4, 50, 1}, {3, 1e6, 0.1}} {
		e := Effect{Estimate: c.t * 0.1, StandardError: 0.1, N: int64(2 * c.n)}
		got, err := BayesFactor(e, int64(c.n), int64(c.n), c.r)
		if err != nil {
			t.Fatal(err)
		}
		variance := 1 + c.n/2*c.r*c.r
		want := normalDensity(c.t/math.Sqrt(variance)) / math.Sqrt(variance) / normalDensity(c.t)
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("t %g: %g, want %g", c.t, got, want)
		}
	}
}

// TestBayesFactorFalseAlarms watches 2,000 experiments without an effect.
func TestBayesFactorFalseAlarms(t *testing.T) {
	t.Parallel()
	simulation(t)
	r := rand.New(rand.NewPCG(3, 9))
	const paths, pairs = 2000, 2000
	strong := 0
	for range paths {
		var sum float64
		for i := 1; i <= pairs; i++ {
			sum += math.Sqrt2 * r.NormFloat64()
			n := float64(i)
			bf, err := BayesFactor(Effect{Estimate: sum / n, StandardError: math.Sqrt(2 / n), N: int64(2 * i)}, int64(i), int64(i), 0)
			if err != nil {
				t.Fatal(err)
			}
			if bf >= StrongEvidence {
				strong++
				break
			}
		}
	}
	t.Logf("strong evidence for nothing in %d of %d", strong, paths)
	if strong > paths/20 {
		t.Errorf("strong evidence for nothing in %d of %d, more than one in twenty", strong, paths)
	}
}

func TestSequentialRefusals(t *testing.T) {
	t.Parallel()
	good := Effect{Estimate: 1, StandardError: 1, N: 100}
	for name, c := range map[string]struct {
		effect   Effect
		sequence Sequence
		reason   Reason
		subject  string
	}{
		"level of 1":         {good, Sequence{Alpha: 1}, InvalidOption, "alpha"},
		"negative level":     {good, Sequence{Alpha: -0.1}, InvalidOption, "alpha"},
		"level NaN":          {good, Sequence{Alpha: math.NaN()}, InvalidOption, "alpha"},
		"one-sided half":     {good, Sequence{Alpha: 0.5, Alternative: Less}, InvalidOption, "alpha"},
		"negative tuning":    {good, Sequence{Tuning: -1}, InvalidOption, "tuning"},
		"tuning NaN":         {good, Sequence{Tuning: math.NaN()}, InvalidOption, "tuning"},
		"alternative":        {good, Sequence{Alternative: 7}, InvalidOption, "alternative"},
		"no units":           {Effect{Estimate: 1, StandardError: 1}, Sequence{}, TooFewUnits, "n"},
		"no variance":        {Effect{Estimate: 1, N: 100}, Sequence{}, ZeroVariance, "standardError"},
		"estimate NaN":       {Effect{Estimate: math.NaN(), StandardError: 1, N: 100}, Sequence{}, NotFinite, "estimate"},
		"standard error inf": {Effect{StandardError: math.Inf(1), N: 100}, Sequence{}, NotFinite, "standardError"},
	} {
		_, err := AlwaysValid(c.effect, c.sequence)
		wantProblem(t, name, err, c.reason, c.subject)
	}
	_, err := EppoHalfWidth(0, 100, 0, 0.05)
	wantProblem(t, "Eppo without spread", err, InvalidOption, "standardError")
	_, err = StatsigMultiplier(Estimate{N: 1}, Estimate{N: 5}, 0.05)
	wantProblem(t, "Statsig with one unit", err, TooFewUnits, "control")
	_, err = BayesFactor(good, 0, 100, 0)
	wantProblem(t, "Bayes factor without control", err, TooFewUnits, "units")
	_, err = BayesFactor(good, 50, 50, -1)
	wantProblem(t, "Bayes factor of negative scale", err, InvalidOption, "scale")
}

func wantProblem(t *testing.T, name string, err error, reason Reason, subject string) {
	t.Helper()
	p := AsProblem(err)
	if p == nil || p.Reason != reason || p.Subject != subject {
		t.Errorf("%s: %v, want %s about %q", name, err, reason, subject)
	}
}

// simulation leaves a test of many draws out of short runs, which are those that
// look for races: there is nothing concurrent in it.
func simulation(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("many draws in one goroutine")
	}
}
