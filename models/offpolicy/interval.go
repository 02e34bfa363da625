package offpolicy

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval holds the value with a probability of at least its level, where its method's conditions hold.
type Interval struct{ Lower, Upper float64 }

// ErrOnePerson is the error for an interval over fewer than two persons.
var ErrOnePerson = errors.New("an interval needs at least two persons")

func checkAlpha(alpha float64) error {
	if !(alpha > 0 && alpha < 1) {
		return fmt.Errorf("alpha must be above 0 and below 1, not %v", alpha)
	}
	return nil
}

// Normal is the interval of the central limit theorem at level 1 − alpha: right for many decisions with bounded
// weights.
func (e *Estimate) Normal(alpha float64) (Interval, error) {
	if err := checkAlpha(alpha); err != nil {
		return Interval{}, err
	}
	if e.Persons < 2 {
		return Interval{}, ErrOnePerson
	}
	half := distuv.UnitNormal.Quantile(1-alpha/2) * e.StandardError
	return Interval{e.Value - half, e.Value + half}, nil
}

// Sequence is the interval that holds at all sizes of a growing log at once, so that it may be looked at whenever
// one likes: the asymptotic confidence sequence of Waudby-Smith et al., "Time-uniform central limit theory and
// asymptotic confidence sequences", Annals of Statistics 2024, tightest near tightest persons.
func (e *Estimate) Sequence(alpha, tightest float64) (Interval, error) {
	if err := checkAlpha(alpha); err != nil {
		return Interval{}, err
	}
	if !(tightest >= 1) || math.IsInf(tightest, 1) {
		return Interval{}, fmt.Errorf("the size at which a sequence is tightest must be at least 1, not %v", tightest)
	}
	if e.Persons < 2 {
		return Interval{}, ErrOnePerson
	}
	n := float64(e.Persons)
	rho2 := (-2*math.Log(alpha) + math.Log(-2*math.Log(alpha)+1)) / tightest
	half := e.StandardError * math.Sqrt(n) * math.Sqrt(2*(n*rho2+1)/(n*n*rho2)*math.Log(math.Sqrt(n*rho2+1)/alpha))
	return Interval{e.Value - half, e.Value + half}, nil
}

// Bernstein is the interval of the empirical Bernstein bound (Maurer and Pontil, COLT 2009), which holds for every
// size of the log. low and high are what a decision can add to the estimate: for [IPS] of rewards from 0 to r under
// an exploration floor p, 0 and r/p. Decisions have to be independent.
func (e *Estimate) Bernstein(alpha, low, high float64) (Interval, error) {
	if err := checkAlpha(alpha); err != nil {
		return Interval{}, err
	}
	n := float64(len(e.influence))
	if n < 2 {
		return Interval{}, ErrOnePerson
	}
	var squares float64
	for i, v := range e.influence {
		if !(v >= low && v <= high) {
			return Interval{}, fmt.Errorf("decision %d adds %v, which is outside of %v to %v", i, v, low, high)
		}
		squares += (v - e.Value) * (v - e.Value)
	}
	t := math.Log(4 / alpha) // two sides, two events each
	half := math.Sqrt(2*squares/(n-1)*t/n) + 7*(high-low)*t/(3*(n-1))
	return Interval{max(low, e.Value-half), min(high, e.Value+half)}, nil
}

// MaxResamples bounds a bootstrap.
const MaxResamples = 10_000

// Bootstrap is the percentile interval over resamples of the persons, drawn from seed. For estimators that
// normalise it resamples their linearisation.
func (e *Estimate) Bootstrap(l Log, alpha float64, resamples int, seed uint64) (Interval, error) {
	if err := checkAlpha(alpha); err != nil {
		return Interval{}, err
	}
	if resamples < 100 || resamples > MaxResamples {
		return Interval{}, fmt.Errorf("resamples must be 100 to %d, not %d", MaxResamples, resamples)
	}
	if len(l) != len(e.influence) {
		return Interval{}, fmt.Errorf("an estimate of %d decisions has no bootstrap over %d", len(e.influence), len(l))
	}
	type person struct{ sum, decisions float64 }
	var persons []person
	places := make(map[uint64]int)
	for i := range l {
		at, known := places[l[i].Person]
		if !known || l[i].Person == 0 {
			at = len(persons)
			places[l[i].Person] = at
			persons = append(persons, person{})
		}
		persons[at].sum += e.influence[i] - e.Value
		persons[at].decisions++
	}
	if len(persons) < 2 {
		return Interval{}, ErrOnePerson
	}
	rng := rand.New(rand.NewPCG(seed, 0x6f66666c696e65))
	values := make([]float64, resamples)
	for b := range values {
		var sum, decisions float64
		for range persons {
			p := &persons[rng.IntN(len(persons))]
			sum, decisions = sum+p.sum, decisions+p.decisions
		}
		values[b] = e.Value + sum/decisions
	}
	slices.Sort(values)
	at := func(p float64) float64 {
		return values[min(resamples-1, max(0, int(math.Ceil(p*float64(resamples)))-1))]
	}
	return Interval{at(alpha / 2), at(1 - alpha/2)}, nil
}
