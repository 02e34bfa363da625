package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/integrate/quad"
)

// MinimumPerArm is the number of units every arm needs before the traffic of a
// bandit follows the data (GrowthBook).
const MinimumPerArm = 100

// BestArmOptions of [BestArm]. The zero value has the prior N(0, 10⁴) on every
// arm's mean, the floor 0.01 and no minimum of units; it integrates adaptively.
type BestArmOptions struct {
	// Prior on every arm's mean, in the metric's unit; its Scale is not read.
	// The zero value means N(0, 10⁴). The prior of a metric with large values
	// must be wider than they are.
	Prior   Prior
	Inverse bool // less is better
	// Floor is the weight that every arm keeps, in [0, 1/arms). Zero means
	// 0.01; set NoFloor for none.
	Floor   float64
	NoFloor bool
	// MinimumUnits refuses to judge while an arm has fewer units.
	MinimumUnits int64
	// Hermite is a number of Gauss-Hermite nodes per arm to integrate with in
	// place of the adaptive rule. GrowthBook has 128. It is exact for arms of
	// similar precision; an arm that is known a hundred times better than
	// another falls between the nodes.
	Hermite int
}

// BestArms says which arm is likely to be the best one.
type BestArms struct {
	Probability []float64 // that the arm is the best; sums to 1
	Weight      []float64 // the share of traffic to give it: f + (1 − Kf)·Probability
	Mean        []float64 // posterior mean of the arm
	Deviation   []float64 // posterior standard deviation
}

// BestArm gives the probability of each arm to be the best, P = ∫φᵢ∏Φⱼ over
// independent normal posteriors of the arms' means, and the weights of Thompson
// sampling with an additive floor. Arms without two units or without variance
// are judged by the prior.
//
// Problems: TooFewUnits, NotFinite, InvalidOption.
func BestArm(arms []Estimate, o BestArmOptions) (BestArms, error) {
	k := len(arms)
	if k < 2 {
		return BestArms{}, problem(TooFewUnits, "arms", "a choice needs two arms or more, there are %d", k)
	}
	floor, err := o.floor(k)
	if err != nil {
		return BestArms{}, err
	}
	prior := o.Prior
	if prior == (Prior{}) {
		prior = Prior{Proper: true, Variance: 1e4}
	}
	if !prior.Proper || !finite(prior.Mean, prior.Variance) || prior.Variance <= 0 {
		return BestArms{}, problem(InvalidOption, "prior", "the arms' prior must be proper, with a finite mean and a variance above zero")
	}
	b := BestArms{Mean: make([]float64, k), Deviation: make([]float64, k), Weight: make([]float64, k)}
	for i, a := range arms {
		if a.N < o.MinimumUnits {
			return BestArms{}, problem(TooFewUnits, fmt.Sprintf("arms[%d]", i), "%d units; every arm needs %d", a.N, o.MinimumUnits)
		}
		b.Mean[i], b.Deviation[i] = prior.Mean, math.Sqrt(prior.Variance)
		if a.N < 2 {
			continue
		}
		if !finite(a.Mean, a.Variance) || a.Variance < 0 {
			return BestArms{}, problem(NotFinite, fmt.Sprintf("arms[%d]", i), "mean or variance is NaN, infinite or negative")
		}
		if a.Variance > 0 {
			precision := float64(a.N)/a.Variance + 1/prior.Variance
			b.Mean[i] = (float64(a.N)/a.Variance*a.Mean + prior.Mean/prior.Variance) / precision
			b.Deviation[i] = math.Sqrt(1 / precision)
		}
	}
	b.Probability, err = ProbabilityBest(b.Mean, b.Deviation, o.Inverse, o.Hermite)
	if err != nil {
		return BestArms{}, err
	}
	for i, p := range b.Probability {
		b.Weight[i] = floor + (1-float64(k)*floor)*p
	}
	return b, nil
}

func (o BestArmOptions) floor(k int) (float64, error) {
	floor := o.Floor
	switch {
	case o.NoFloor:
		return 0, nil
	case floor == 0:
		floor = 0.01
	}
	if !(floor > 0 && floor < 1/float64(k)) {
		return 0, problem(InvalidOption, "floor", "the floor must be from 0 to below 1/%d, not %g", k, floor)
	}
	return floor, nil
}

// ProbabilityBest is the probability of each of several independent normal
// variables to be the largest (the smallest if inverse). Hermite above zero
// asks for that many Gauss-Hermite nodes, normalised to sum to 1; zero
// integrates adaptively.
func ProbabilityBest(means, deviations []float64, inverse bool, hermite int) ([]float64, error) {
	if len(means) != len(deviations) || len(means) < 1 {
		return nil, problem(InvalidOption, "deviations", "%d deviations for %d means", len(deviations), len(means))
	}
	if hermite < 0 || hermite > 1024 {
		return nil, problem(InvalidOption, "hermite", "the number of nodes must be from 0 to 1024, not %d", hermite)
	}
	sign := 1.0
	if inverse {
		sign = -1
	}
	m := make([]float64, len(means))
	for i := range means {
		if !finite(means[i], deviations[i]) || deviations[i] <= 0 {
			return nil, problem(NotFinite, fmt.Sprintf("means[%d]", i), "a mean or deviation is not finite, or the deviation not above zero")
		}
		m[i] = sign * means[i]
	}
	out := make([]float64, len(means))
	var total float64
	for i := range out {
		if hermite > 0 {
			out[i] = bestByHermite(m, deviations, i, hermite)
		} else {
			out[i] = bestByPanels(m, deviations, i)
		}
		total += out[i]
	}
	if !(total > 0) {
		return nil, problem(NotFinite, "", "the probabilities are outside the range of floating point")
	}
	if hermite == 0 {
		for i := range out {
			out[i] /= total
		}
	}
	return out, nil
}

// below is ∏ Φ over the arms but one.
func below(x float64, m, s []float64, arm int) float64 {
	p := 1.0
	for i := range m {
		if i != arm {
			p *= normalSurvival((m[i] - x) / s[i])
		}
	}
	return p
}

func bestByHermite(m, s []float64, arm, nodes int) float64 {
	x, w := make([]float64, nodes), make([]float64, nodes)
	quad.Hermite{}.FixedLocations(x, w, math.Inf(-1), math.Inf(1))
	var sum float64
	for i := range x {
		sum += w[i] * below(m[arm]+math.Sqrt2*s[arm]*x[i], m, s, arm)
	}
	return sum / math.Sqrt(math.Pi)
}

// bestByPanels integrates over panels none of which is wider than 1.5 standard
// deviations of any arm whose Φ still changes there.
func bestByPanels(m, s []float64, arm int) float64 {
	const reach, step, nodes = 9, 1.5, 16
	low, high := m[arm]-reach*s[arm], m[arm]+reach*s[arm]
	cuts := []float64{low, high}
	for i := range m {
		for z := -float64(reach); z <= reach; z += step {
			if x := m[i] + z*s[i]; x > low && x < high {
				cuts = append(cuts, x)
			}
		}
	}
	slices.Sort(cuts)
	var x, w [nodes]float64
	var sum float64
	for c := 1; c < len(cuts); c++ {
		if cuts[c] <= cuts[c-1] {
			continue
		}
		quad.Legendre{}.FixedLocations(x[:], w[:], cuts[c-1], cuts[c])
		for i := range x {
			z := (x[i] - m[arm]) / s[arm]
			sum += w[i] * math.Exp(-z*z/2) / (s[arm] * math.Sqrt(2*math.Pi)) * below(x[i], m, s, arm)
		}
	}
	return sum
}
