package lifetime

import (
	"context"
	"math"
)

// BGNBD has purchases at a rate that differs among people as Gamma(R, Alpha), and after
// each a chance to leave that differs as Beta(A, B).
type BGNBD struct {
	R, Alpha, A, B float64
}

var bgnbdNames = []string{"r", "alpha", "a", "b"}

// NewBGNBD takes parameters in the order of [Estimate].
func NewBGNBD(p []float64) BGNBD { return BGNBD{p[0], p[1], p[2], p[3]} }

// LogLikelihood is that of one customer.
func (m BGNBD) LogLikelihood(c Customer) float64 {
	x := float64(c.Repeats)
	a1 := lgamma(m.R+x) - lgamma(m.R) + m.R*math.Log(m.Alpha)
	a2 := lbeta(m.A, m.B+x) - lbeta(m.A, m.B) - (m.R+x)*math.Log(m.Alpha+c.Age)
	if c.Repeats == 0 {
		return a1 + a2
	}
	a3 := lbeta(m.A+1, m.B+x-1) - lbeta(m.A, m.B) - (m.R+x)*math.Log(m.Alpha+c.Last)
	return a1 + logAdd(a2, a3)
}

// Alive is the probability that the customer has not left.
func (m BGNBD) Alive(c Customer) float64 {
	if c.Repeats == 0 {
		return 1 // in this model people leave right after a repeat purchase
	}
	x := float64(c.Repeats)
	return 1 / (1 + m.A/(m.B+x-1)*math.Exp((m.R+x)*math.Log((m.Alpha+c.Age)/(m.Alpha+c.Last))))
}

// Expected is the number of purchases that the customer makes within t from now.
func (m BGNBD) Expected(c Customer, t float64) float64 {
	x := float64(c.Repeats)
	u := m.R + x
	z := t / (m.Alpha + c.Age + t)
	h := hyper2F1(u, m.B+x, m.A+m.B+x-1, z)
	v := (m.A + m.B + x - 1) / (m.A - 1) * (1 - math.Exp(u*math.Log((m.Alpha+c.Age)/(m.Alpha+c.Age+t)))*h)
	if math.Abs(m.A-1) < 1e-6 { // the limit, from both sides
		lower, upper := m, m
		lower.A, upper.A = 1-2e-6, 1+2e-6
		return (lower.Expected(c, t) + upper.Expected(c, t)) / 2
	}
	return math.Max(0, v*m.Alive(c))
}

// New is the number of repeat purchases that somebody new makes within t.
func (m BGNBD) New(t float64) float64 {
	z := t / (m.Alpha + t)
	h := hyper2F1(m.R, m.B, m.A+m.B-1, z)
	return (m.A + m.B - 1) / (m.A - 1) * (1 - math.Exp(m.R*math.Log(m.Alpha/(m.Alpha+t)))*h)
}

// Probability is that of n repeat purchases of somebody new within t.
func (m BGNBD) Probability(n int, t float64) float64 {
	x := float64(n)
	first := lbeta(m.A, m.B+x) - lbeta(m.A, m.B) + lgamma(m.R+x) - lgamma(m.R) - lgamma(x+1) +
		m.R*math.Log(m.Alpha/(m.Alpha+t)) + x*math.Log(t/(m.Alpha+t))
	p := math.Exp(first)
	if n == 0 {
		return p
	}
	inner := 0.0
	for j := range n {
		k := float64(j)
		inner += math.Exp(lgamma(m.R+k) - lgamma(m.R) - lgamma(k+1) + k*math.Log(t/(m.Alpha+t)))
	}
	inner *= math.Exp(m.R * math.Log(m.Alpha/(m.Alpha+t)))
	return p + math.Exp(lbeta(m.A+1, m.B+x-1)-lbeta(m.A, m.B))*math.Max(0, 1-inner)
}

// FitBGNBD fits the model to groups of customers.
func FitBGNBD(ctx context.Context, groups []Group) (*Estimate, error) {
	age := meanAge(groups)
	starts := [][]float64{{.3, age / 8, .8, 2.5}, {1, age / 2, .5, 5}, {.1, age / 30, 1.5, 1.5}}
	return maximise(ctx, bgnbdNames, starts, groups, func(p []float64) func(Customer) float64 { return NewBGNBD(p).LogLikelihood })
}
