package lifetime

import (
	"context"
	"fmt"
	"math"
)

// GammaGamma has the value of a purchase vary around each person's mean as Gamma with
// shape P, and these means among people so that P times Q and V describe them.
type GammaGamma struct {
	P, Q, V float64
}

var gammaNames = []string{"p", "q", "v"}

// NewGammaGamma takes parameters in the order of [Estimate].
func NewGammaGamma(p []float64) GammaGamma { return GammaGamma{p[0], p[1], p[2]} }

// LogLikelihood is that of one customer with repeats.
func (m GammaGamma) LogLikelihood(c Customer) float64 {
	x, v := float64(c.Repeats), c.Value
	return lgamma(m.P*x+m.Q) - lgamma(m.P*x) - lgamma(m.Q) + m.Q*math.Log(m.V) +
		(m.P*x-1)*math.Log(v) + m.P*x*math.Log(x) - (m.P*x+m.Q)*math.Log(x*v+m.V)
}

// Mean is the population's mean value of a purchase; +Inf for Q <= 1, where it has none.
func (m GammaGamma) Mean() float64 {
	if m.Q <= 1 {
		return math.Inf(1)
	}
	return m.P * m.V / (m.Q - 1)
}

// Expected is the value of the customer's next purchase: between what they paid and the
// population's mean.
func (m GammaGamma) Expected(c Customer) float64 {
	x := float64(c.Repeats)
	if x == 0 {
		return m.Mean()
	}
	return m.P * (m.V + x*c.Value) / (m.P*x + m.Q - 1)
}

// FitGammaGamma fits the model to customers with repeats and a value; the others are
// left out.
func FitGammaGamma(ctx context.Context, customers []Customer) (*Estimate, error) {
	var groups []Group
	mean := 0.0
	for i, c := range customers {
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("customer %d: %w", i, err)
		}
		if c.Repeats > 0 && c.Value > 0 && !math.IsInf(c.Value, 0) {
			groups = append(groups, Group{Customer: c, Count: 1})
			mean += c.Value
		}
	}
	if len(groups) < MinRepeaters {
		return nil, fmt.Errorf("%w: %d with repeats and a value, and at least %d are needed", ErrTooFew, len(groups), MinRepeaters)
	}
	mean /= float64(len(groups))
	starts := [][]float64{{6, 4, mean / 2}, {1, 3, 2 * mean}}
	return maximise(ctx, gammaNames, starts, groups, func(p []float64) func(Customer) float64 { return NewGammaGamma(p).LogLikelihood })
}
