package bandits

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// auditModel is a posterior over k actions that has learned from a few decisions, so
// that some actions stand out and others are hardly known.
func auditModel(t testing.TB, k, dimension int, rng *rand.Rand) (*Model, []string) {
	t.Helper()
	b, err := NewBuilder(Options{Dimension: dimension}, 0)
	if err != nil {
		t.Fatal(err)
	}
	actions := make([]string, k)
	for a := range actions {
		actions[a] = fmt.Sprint("action ", a)
		tile := NewTile(actions[a], 0, dimension)
		for range 1 + rng.IntN(200) {
			tile.Observe(auditFeatures(dimension, rng), .1*float64(a%5)+.3*rng.NormFloat64())
		}
		if err := b.Add(tile); err != nil {
			t.Fatal(err)
		}
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m, actions
}

func auditFeatures(dimension int, rng *rand.Rand) (x Vector) {
	for i := range dimension {
		if rng.IntN(2) == 0 {
			x.append(uint32(i), 1)
		}
	}
	return x
}

// TestPropensityAudit draws decisions as the service does, by the hash of their ids, and
// compares how often each action was chosen with the probabilities that were logged:
// for every policy. QUINTET_TEST_FULL=1 draws a million decisions of every policy.
func TestPropensityAudit(t *testing.T) {
	t.Parallel()
	decisions := 20_000
	switch {
	case full():
		decisions = 1_000_000
	case testing.Short():
		decisions = 2000
	}
	rng := rand.New(rand.NewPCG(11, 17))
	model, actions := auditModel(t, 12, 8, rng)
	for _, c := range []struct {
		name   string
		policy Policy
	}{
		{"thompson", Thompson{Model: model, Alpha: DefaultAlpha, Floor: .02}},
		{"thompson without a floor", Thompson{Model: model, Alpha: 1}},
		{"squarecb", SquareCB{Model: model, Gamma: 40, Floor: .01}},
		{"beta", Beta{Model: model, Alpha: 1, Floor: .02}},
		{"greedy", Greedy{Model: model, Floor: .1}},
		{"uniform", Uniformly{}},
		{"fixed", Fixed{Action: actions[3]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, 5))
			audit := newAudit(len(actions))
			var w Workspace
			for n := range decisions {
				// The candidates and the person change from decision to decision.
				from := rng.IntN(4)
				candidates := Candidates{Actions: actions[from:], Features: auditFeatures(model.Dimension, rng)}
				if c.name == "beta" { // for slots without context, and slow where it is asked anew
					from = n / 500 % 4
					candidates = Candidates{Actions: actions[from:], Features: Vector{Indices: []uint32{0}, Values: []float64{1}}}
				}
				if c.name == "fixed" {
					candidates.Actions = actions
					from = 0
				}
				d, err := c.policy.Distribution(candidates, &w)
				if err != nil || d.Degenerate {
					t.Fatal(d.Degenerate, err)
				}
				k, propensity := d.Draw(Uniform(fmt.Sprint(c.name, n), "audit", "action"))
				if propensity != d.Q[k] {
					t.Fatalf("decision %d logs %g, its distribution says %g", n, propensity, d.Q[k])
				}
				audit.add(from, d.Q, k)
			}
			audit.judge(t)
		})
	}
}

// audit compares choices with the probabilities that were logged for them.
type audit struct {
	surplus []float64 // by action: times chosen less the sum of its probabilities
	// covariance of the surplus where the log is true: Σ diag(q) - qqᵀ, since an action
	// that is chosen keeps the others of its decision from being it.
	covariance *mat.SymDense
	// residuals are counts of where the choices lie in their distributions, from 0 to 1,
	// anywhere within what the chosen action has of it: even, where the log is true.
	residuals [50]float64
	rng       *rand.Rand
	n         float64
}

func newAudit(actions int) *audit {
	return &audit{surplus: make([]float64, actions), covariance: mat.NewSymDense(actions, nil), rng: rand.New(rand.NewPCG(2026, 11))}
}

// add takes one decision: the probabilities of the actions from the given one on, and
// which was chosen.
func (a *audit) add(from int, q []float64, chosen int) {
	var before float64
	for i, p := range q {
		a.surplus[from+i] -= p
		a.covariance.SetSym(from+i, from+i, a.covariance.At(from+i, from+i)+p)
		for j := range i + 1 {
			a.covariance.SetSym(from+i, from+j, a.covariance.At(from+i, from+j)-p*q[j])
		}
		if i < chosen {
			before += p
		}
	}
	a.surplus[from+chosen]++
	at := before + a.rng.Float64()*q[chosen]
	a.residuals[min(int(at*float64(len(a.residuals))), len(a.residuals)-1)]++
	a.n++
}

// judge fails the test where choices like these are less likely than one in ten thousand.
func (a *audit) judge(t *testing.T) {
	t.Helper()
	judge := func(what string, statistic, freedom float64) {
		t.Helper()
		p := distuv.ChiSquared{K: freedom}.Survival(statistic)
		t.Logf("%s: chi-squared %.2f with %g degrees of freedom, p = %.4f", what, statistic, freedom, p)
		if !(p >= 1e-4) {
			t.Errorf("the choices do not follow the probabilities that were logged: %s, p = %g", what, p)
		}
	}
	// The surpluses add up to nothing, so that one of those that vary says no more.
	var varying []int
	for i, surplus := range a.surplus {
		if a.covariance.At(i, i) > 1 {
			varying = append(varying, i)
		} else if math.Abs(surplus) > 6 {
			t.Errorf("action %d: chosen %+g times more than was logged, which varies by less than one", i, surplus)
		}
	}
	if k := len(varying) - 1; k > 0 {
		covariance, surplus := mat.NewSymDense(k, nil), mat.NewVecDense(k, nil)
		for i := range k {
			surplus.SetVec(i, a.surplus[varying[i]])
			for j := range i + 1 {
				covariance.SetSym(i, j, a.covariance.At(varying[i], varying[j]))
			}
		}
		var chol mat.Cholesky
		if !chol.Factorize(covariance) {
			t.Fatal("the covariance of the choices is singular")
		}
		var solved mat.VecDense
		if err := chol.SolveVecTo(&solved, surplus); err != nil {
			t.Fatal(err)
		}
		judge("counts of actions", mat.Dot(surplus, &solved), float64(k))
	}
	var statistic float64
	expected := a.n / float64(len(a.residuals))
	for _, count := range a.residuals {
		statistic += (count - expected) * (count - expected) / expected
	}
	judge("places in the distributions", statistic, float64(len(a.residuals)-1))
}
