package offpolicy

import (
	"math"
	"math/rand/v2"
	"testing"
)

// In a world in which a place's reward depends on what stands above it, the methods that allow that find the truth
// and the one that does not is off.
func TestSlates(t *testing.T) {
	t.Parallel()
	// Two places, two items. The reward of the second place is halved where the same item stands above.
	rate := func(first, second, place int) float64 {
		if place == 0 {
			return []float64{0.3, 0.5}[first]
		}
		r := []float64{0.2, 0.4}[second]
		if first == second {
			r /= 2
		}
		return r
	}
	logging := [2]float64{0.5, 0.5}
	target := func(first int, place int) [2]float64 { // the target avoids repeats
		if place == 0 {
			return [2]float64{0.2, 0.8}
		}
		if first == 0 {
			return [2]float64{0.1, 0.9}
		}
		return [2]float64{0.9, 0.1}
	}
	marginal := [2]float64{0.2*0.1 + 0.8*0.9, 0.2*0.9 + 0.8*0.1}
	var truth float64
	for a, p := range target(0, 0) {
		truth += p * rate(a, 0, 0)
		for b, q := range target(a, 1) {
			truth += p * q * rate(a, b, 1)
		}
	}
	second := func(a int) (v float64) { // what the target's second place brings
		for b, q := range target(a, 1) {
			v += q * rate(a, b, 1)
		}
		return v
	}
	var whole float64
	for a, p := range target(0, 0) {
		whole += p * (rate(a, 0, 0) + second(a))
	}
	rng := rand.New(rand.NewPCG(5, 6))
	draw := func(p float64) int {
		if rng.Float64() < p {
			return 0
		}
		return 1
	}
	reward := func(p float64) float64 { return float64(1 - draw(p)) }
	slates := make([]Slate, 60_000)
	for i := range slates {
		a, b := draw(logging[0]), draw(logging[0])
		slates[i] = Slate{Positions: []Position{
			{Reward: reward(rate(a, b, 0)), Propensity: 0.5, Target: target(0, 0)[a], MarginalPropensity: 0.5, MarginalTarget: target(0, 0)[a],
				Expected: 0.9 * (rate(a, b, 0) + second(a)), Value: 0.9 * whole},
			{Reward: reward(rate(a, b, 1)), Propensity: 0.5, Target: target(a, 1)[b], MarginalPropensity: 0.5, MarginalTarget: marginal[b],
				Expected: 0.9 * rate(a, b, 1), Value: 0.9 * second(a)},
		}}
	}
	errors := map[SlateMethod]float64{}
	for method, name := range slateNames {
		e, err := EvaluateSlates(slates, method)
		if err != nil {
			t.Fatal(err)
		}
		if e.Estimator != name {
			t.Errorf("%s is called %s", name, e.Estimator)
		}
		errors[method] = e.StandardError
		off := math.Abs(e.Value-truth) / e.StandardError
		if method == Independent {
			if off < 5 {
				t.Errorf("places that depend on one another: %s gives %v, %.1f standard errors from %v", name, e.Value, off, truth)
			}
		} else if off > 4 {
			t.Errorf("%s: %v, %.1f standard errors from %v", name, e.Value, off, truth)
		}
	}
	if !(errors[CascadeDR] < errors[Cascade] && errors[Cascade] < errors[WholeSlate]) {
		t.Errorf("standard errors %v", errors)
	}
	if _, err := EvaluateSlates([]Slate{{Positions: []Position{{}}}}, Cascade); err == nil {
		t.Error("a place without a propensity was evaluated")
	}
	if _, err := EvaluateSlates(slates, 9); err == nil {
		t.Error("an unknown method")
	}
}

func TestMarginal(t *testing.T) {
	t.Parallel()
	groups := []int{0, 0, 1, 1}
	p, q, err := Marginal(1, groups, []float64{0.1, 0.2, 0.3, 0.4}, []float64{0.4, 0.4, 0.1, 0.1})
	if err != nil || math.Abs(p-0.3) > 1e-15 || math.Abs(q-0.8) > 1e-15 {
		t.Errorf("%v, %v (%v)", p, q, err)
	}
	if _, _, err := Marginal(4, groups, make([]float64, 4), make([]float64, 4)); err == nil {
		t.Error("a chosen action that is none")
	}
	if _, _, err := Marginal(0, groups, make([]float64, 3), make([]float64, 4)); err == nil {
		t.Error("lists of different lengths")
	}
}

// Slope keeps a shrunk estimate while it agrees with those of less bias, and no longer.
func TestSlope(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(8, 8))
	w := newWorld()
	for _, c := range []struct {
		bias   float64 // of the model
		lambda float64 // largest that may be chosen
		least  float64
	}{{1, 1, 0}, {0.2, math.Inf(1), 3}} {
		e, err := ShrunkBySlope(w.log(rng, 20_000, 1, c.bias), []float64{1000, 100, 30, 10, 3, 1, 0.3, 0}, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		if e.Parameter > c.lambda || e.Parameter < c.least {
			t.Errorf("with a model that is off by %v λ is %v", c.bias, e.Parameter)
		}
	}
	if _, err := ShrunkBySlope(nil, []float64{1, 2}, 0.05); err == nil {
		t.Error("rising lambdas")
	}
}
