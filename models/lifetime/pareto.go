package lifetime

import (
	"context"
	"math"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
)

// ParetoNBD has purchases at a rate that differs among people as Gamma(R, Alpha), and a
// rate of leaving, at any time, that differs as Gamma(S, Beta).
type ParetoNBD struct {
	R, Alpha, S, Beta float64
}

var paretoNames = []string{"r", "alpha", "s", "beta"}

// NewParetoNBD takes parameters in the order of [Estimate].
func NewParetoNBD(p []float64) ParetoNBD { return ParetoNBD{p[0], p[1], p[2], p[3]} }

// a0 is the logarithm of the integral over the moment of leaving between the last
// purchase and now (Fader and Hardie 2005, "A note on deriving the Pareto/NBD model").
func (m ParetoNBD) a0(c Customer) float64 {
	x := float64(c.Repeats)
	power := m.R + m.S + x
	large, other, delta := m.Alpha, m.S+1, m.Alpha-m.Beta
	if m.Alpha < m.Beta {
		large, other, delta = m.Beta, m.R+x, m.Beta-m.Alpha
	}
	if delta/(large+c.Last) > slowSeries {
		return m.integrated(c)
	}
	at := func(t float64) float64 {
		return math.Log(hyper2F1(power, other, power+1, delta/(large+t))) - power*math.Log(large+t)
	}
	last, now := at(c.Last), at(c.Age)
	if now >= last {
		return math.Inf(-1)
	}
	return last + math.Log1p(-math.Exp(now-last))
}

// slowSeries is the argument beyond which the hypergeometric series takes hundreds of
// terms, as it does when people buy often and stay long.
const slowSeries = .8

// panels are where the way from the last purchase to now is cut, in the logarithm of time
// beyond the smaller scale; most of the integral lies at its beginning.
var panels = [...]float64{0, 1. / 81, 1. / 27, 1. / 9, 1. / 3, 1}

// integrated is a0 by Gauss-Legendre quadrature of the integral that it stands for,
// (r+s+x) ∫ (alpha+y)^-(r+x) (beta+y)^-(s+1) dy from the last purchase to now.
func (m ParetoNBD) integrated(c Customer) float64 {
	x := float64(c.Repeats)
	smaller := math.Min(m.Alpha, m.Beta)
	width := math.Log((smaller + c.Age) / (smaller + c.Last))
	if width <= 0 {
		return math.Inf(-1)
	}
	// In w = ln((smaller+y)/(smaller+last)) one of the two logarithms is w itself.
	near, far, gap := m.R+x-1, m.S+1, m.Beta-m.Alpha
	if m.Beta < m.Alpha {
		near, far, gap = m.S, m.R+x, m.Alpha-m.Beta
	}
	begin := smaller + c.Last
	first := math.Log(begin)
	logOf := func(w float64) float64 {
		return -near*(first+w) - far*math.Log(begin*math.Exp(w)+gap)
	}
	// The integrand has its maximum near one end or between; it is scaled by the largest
	// of three values, which keeps it from underflowing.
	scale := math.Max(logOf(0), math.Max(logOf(width/9), logOf(width)))
	nodes, weights := legendre()
	total := 0.0
	for p := 1; p < len(panels); p++ {
		from, to := panels[p-1]*width, panels[p]*width
		half := (to - from) / 2
		for i, node := range nodes {
			total += half * weights[i] * math.Exp(logOf(from+half*(1+node))-scale)
		}
	}
	return math.Log(m.R+m.S+x) + scale + math.Log(total)
}

// legendre are the nodes and weights of 12 points on [-1, 1].
var legendre = sync.OnceValues(func() (nodes, weights []float64) {
	nodes, weights = make([]float64, 12), make([]float64, 12)
	quad.Legendre{}.FixedLocations(nodes, weights, -1, 1)
	return nodes, weights
})

// LogLikelihood is that of one customer.
func (m ParetoNBD) LogLikelihood(c Customer) float64 {
	x := float64(c.Repeats)
	front := lgamma(m.R+x) - lgamma(m.R) + m.R*math.Log(m.Alpha) + m.S*math.Log(m.Beta)
	alive := -(m.R+x)*math.Log(m.Alpha+c.Age) - m.S*math.Log(m.Beta+c.Age)
	gone := math.Log(m.S/(m.R+m.S+x)) + m.a0(c)
	return front + logAdd(alive, gone)
}

// Alive is the probability that the customer has not left.
func (m ParetoNBD) Alive(c Customer) float64 {
	x := float64(c.Repeats)
	alive := -(m.R+x)*math.Log(m.Alpha+c.Age) - m.S*math.Log(m.Beta+c.Age)
	gone := math.Log(m.S/(m.R+m.S+x)) + m.a0(c)
	return 1 / (1 + math.Exp(gone-alive))
}

// Expected is the number of purchases that the customer makes within t from now.
func (m ParetoNBD) Expected(c Customer, t float64) float64 {
	x := float64(c.Repeats)
	return (m.R + x) / (m.Alpha + c.Age) * m.lasting(m.Beta+c.Age, t) * m.Alive(c)
}

// lasting is the expected time until leaving or t, with the rate's scale at beta.
func (m ParetoNBD) lasting(beta, t float64) float64 {
	if math.Abs(m.S-1) < 1e-9 {
		return beta * math.Log1p(t/beta)
	}
	return beta / (m.S - 1) * -math.Expm1((m.S-1)*math.Log(beta/(beta+t)))
}

// New is the number of repeat purchases that somebody new makes within t.
func (m ParetoNBD) New(t float64) float64 { return m.R / m.Alpha * m.lasting(m.Beta, t) }

// paretoGroups bounds the groups that Pareto/NBD is fitted to, as its integral is slow;
// the intervals are those of so many.
const paretoGroups = 12_000

// FitParetoNBD fits the model to groups of customers.
func FitParetoNBD(ctx context.Context, groups []Group) (*Estimate, error) {
	age := meanAge(groups)
	starts := [][]float64{{.5, age / 4, .6, age / 3}, {1, age, 1, age}}
	some := thin(groups, paretoGroups)
	e, err := maximise(ctx, paretoNames, starts, some, func(p []float64) func(Customer) float64 { return NewParetoNBD(p).LogLikelihood })
	if err == nil && len(some) < len(groups) {
		e.LogLikelihood = sum(groups, NewParetoNBD(e.Parameters).LogLikelihood)
	}
	return e, err
}
