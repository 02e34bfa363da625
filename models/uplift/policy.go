package uplift

import (
	"fmt"
	"math"
)

// Value is what acting by a rule would bring per person, with its standard error.
type Value struct {
	Value float64 `json:"value"`
	Error float64 `json:"standardError"`
}

// Policy compares choosing each row's best action by the estimates with the best single
// action, on rows that the model was not fitted on.
type Policy struct {
	Learned Value     `json:"learned" doc:"Outcome per person when everybody gets the action with the highest estimate"`
	Shares  []float64 `json:"shares" nullable:"false" doc:"Share of people by action, nobody first"`
	Single  []Value   `json:"single" nullable:"false" doc:"Outcome per person when everybody gets one action, nobody first"`
	Best    int       `json:"best" doc:"The single action with the highest outcome"`
	// Gain compares row by row, so that what both have in common cancels.
	Gain Value `json:"gain" doc:"Learned minus best single action"`
}

// Choose gives the arm with the highest effect minus cost; 0, nobody, has effect and cost
// zero. costs may be nil.
func Choose(effects [][]float64, costs []float64, row int) int {
	best, value := 0, 0.0
	for k := range effects {
		v := effects[k][row]
		if costs != nil {
			v -= costs[k]
		}
		if v > value {
			best, value = k+1, v
		}
	}
	return best
}

// Worth evaluates a policy on held-out rows by inverse propensities; costs, one per
// treatment, are subtracted from the outcome. Given doubly robust scores of each arm
// ([Scores]) instead of nil it uses them.
func Worth(d *Data, effects [][]float64, costs []float64, scores [][]float64) Policy {
	n := len(d.Y)
	arms := d.Treatments + 1
	given := d.Shares
	if given == nil {
		given = make([]float64, arms)
		for _, a := range d.Arms {
			given[a] += 1 / float64(n)
		}
	}
	value := func(i, arm int) float64 {
		v := 0.0
		switch {
		case scores != nil:
			v = scores[arm][i]
		case d.Arms[i] == arm:
			v = d.Y[i] / given[arm]
		}
		if arm > 0 && costs != nil {
			v -= costs[arm-1]
		}
		return v
	}
	p := Policy{Shares: make([]float64, arms), Single: make([]Value, arms)}
	chosen := make([]int, n)
	for i := range chosen {
		chosen[i] = Choose(effects, costs, i)
		p.Shares[chosen[i]] += 1 / float64(n)
	}
	p.Learned = meanOf(n, func(i int) float64 { return value(i, chosen[i]) })
	for a := range arms {
		p.Single[a] = meanOf(n, func(i int) float64 { return value(i, a) })
		if p.Single[a].Value > p.Single[p.Best].Value {
			p.Best = a
		}
	}
	p.Gain = meanOf(n, func(i int) float64 { return value(i, chosen[i]) - value(i, p.Best) })
	return p
}

func meanOf(n int, f func(i int) float64) Value {
	var total, squares float64
	for i := range n {
		v := f(i)
		total += v
		squares += v * v
	}
	mean := total / float64(n)
	return Value{mean, math.Sqrt(math.Max(0, squares/float64(n)-mean*mean) / float64(n))}
}

// Gate says whether acting by the estimates may replace the best single action: only when
// the lower end of the 95 % interval (one-sided) of the gain is above zero. The reason is
// given in words.
func (p *Policy) Gate() (pass bool, reason string) {
	low := p.Gain.Value - 1.644854*p.Gain.Error
	switch {
	case p.Gain.Value <= 0:
		return false, fmt.Sprintf("choosing by the estimates brings %.4g per person, the best single action %.4g", p.Learned.Value, p.Single[p.Best].Value)
	case low <= 0:
		return false, fmt.Sprintf("the gain of %.4g per person over the best single action is not told apart from zero (95 %% lower bound %.4g)", p.Gain.Value, low)
	}
	return true, fmt.Sprintf("it brings at least %.4g per person more than the best single action", low)
}

// Kind says what addressing a person does.
type Kind string

// The four kinds of people.
const (
	Persuadable  Kind = "persuadable"    // does it when addressed
	SureThing    Kind = "sure-thing"     // does it anyway
	LostCause    Kind = "lost-cause"     // does not do it either way
	DoNotDisturb Kind = "do-not-disturb" // does it less when addressed
)

// KindOf tells people apart by the effect, the outcome expected without treatment, and
// its average. An effect counts when it is beyond threshold either way.
func KindOf(effect, untreated, average, threshold float64) Kind {
	switch {
	case effect > threshold:
		return Persuadable
	case effect < -threshold:
		return DoNotDisturb
	case untreated >= average:
		return SureThing
	}
	return LostCause
}
