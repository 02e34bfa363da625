package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCumulativeImpact simulates programmes whose true gain per person is known:
// the interval of the total holds it 95 times in a hundred.
func TestCumulativeImpact(t *testing.T) {
	t.Parallel()
	simulation(t)
	const programmes, n, population = 2000, 500, 100_000
	r := rand.New(rand.NewPCG(4, 4))
	arm := func(mean float64) Estimate {
		var m Moments
		for range n {
			m.Add(mean * r.ExpFloat64())
		}
		e, err := m.Estimate()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	held := 0
	for range programmes {
		got, err := CumulativeImpact(arm(20), arm(21.5), population, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got.TotalLower <= 1.5*population && 1.5*population <= got.TotalUpper {
			held++
		}
		if !near(got.Total, got.PerUnit.Estimate*population, 1e-6) || !near(got.Remaining, got.PerUnit.Estimate*n, 1e-9) || got.Relative == nil {
			t.Fatalf("%+v", got)
		}
	}
	share := float64(held) / programmes
	t.Logf("the interval of the total holds the truth in %.4f", share)
	if math.Abs(share-0.95) > 0.02 {
		t.Errorf("the interval holds the truth in %.4f", share)
	}
}

// TestShrinkClaims: of 200 experiments with small true effects those that look
// best are claimed too high; shrunk they are right on average, and closer.
func TestShrinkClaims(t *testing.T) {
	t.Parallel()
	simulation(t)
	r := rand.New(rand.NewPCG(10, 10))
	const families, experiments = 300, 60
	var claimed, shrunk, truth, errorClaimed, errorShrunk, spread float64
	for range families {
		var claims []Claim
		effects := make([]float64, experiments)
		for i := range experiments {
			effects[i] = 0.01 + 0.02*r.NormFloat64()
			se := 0.01 + 0.03*r.Float64()
			claims = append(claims, Claim{Effect: Effect{Estimate: effects[i] + se*r.NormFloat64(), StandardError: se}})
		}
		got, err := ShrinkClaims(claims)
		if err != nil {
			t.Fatal(err)
		}
		spread += got.Spread / families
		for i, c := range claims {
			s := got.Shrunk[i].Estimate
			errorClaimed += (c.Effect.Estimate - effects[i]) * (c.Effect.Estimate - effects[i])
			errorShrunk += (s - effects[i]) * (s - effects[i])
			if c.Effect.Estimate/c.Effect.StandardError > 1.96 { // a winner
				claimed += c.Effect.Estimate
				shrunk += s
				truth += effects[i]
			}
		}
	}
	t.Logf("winners claim %.3f times their true effect, shrunk %.3f; mean squared error %.3f of the claims'; spread %.4f of 0.02",
		claimed/truth, shrunk/truth, errorShrunk/errorClaimed, spread)
	if claimed/truth < 1.2 {
		t.Error("there is no winner's curse to correct")
	}
	if math.Abs(shrunk/truth-1) > 0.05 || errorShrunk > 0.7*errorClaimed || math.Abs(spread-0.02) > 0.003 {
		t.Errorf("shrunk effects are %.3f of the true ones", shrunk/truth)
	}
}

// TestShrinkNoise: claims that differ by less than their errors all become the
// mean.
func TestShrinkNoise(t *testing.T) {
	t.Parallel()
	var claims []Claim
	for _, y := range []float64{0.01, 0.02, 0.03} {
		claims = append(claims, Claim{Effect: Effect{Estimate: y, StandardError: 0.05}})
	}
	got, err := ShrinkClaims(claims)
	if err != nil || got.Spread != 0 || !near(got.Mean, 0.02, 1e-12) || !near(got.Expected, 0.06, 1e-12) || !near(got.Shrunk[0].Estimate, 0.02, 1e-12) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestProgrammeRefusals(t *testing.T) {
	t.Parallel()
	arm := Estimate{N: 100, Mean: 1, Variance: 1}
	_, err := CumulativeImpact(arm, arm, 99, Options{})
	wantProblem(t, "treated", err, ImpossibleSums, "treated")
	_, err = CumulativeImpact(Estimate{N: 100, Mean: 1}, arm, 1000, Options{})
	wantProblem(t, "holdout without variance", err, ZeroVariance, "control")
	claim := Claim{Effect: Effect{Estimate: 1, StandardError: 1}}
	_, err = ShrinkClaims([]Claim{claim, claim})
	wantProblem(t, "two claims", err, TooFewUnits, "claims")
	_, err = ShrinkClaims([]Claim{claim, claim, {Effect: Effect{Estimate: 1}}})
	wantProblem(t, "claim without error", err, ZeroVariance, "claims[2]")
	_, err = ShrinkClaims([]Claim{claim, {Effect: Effect{Estimate: math.NaN(), StandardError: 1}}, claim})
	wantProblem(t, "claim NaN", err, NotFinite, "claims[1]")
}
