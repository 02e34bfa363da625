package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// MaxCovariates is how many covariates one comparison may have.
const MaxCovariates = 64

// Covariates holds the sums of a metric y together with several covariates x
// known before the experiment: metrics of the weeks before, and properties at
// assignment as values 0 and 1. Sums add over groups of units: see Plus.
//
// Products is the upper triangle, by rows, of the matrix of Σvw over the values
// v, w in the order y, x₁ … x_k: Σy², Σyx₁ … Σyx_k, Σx₁², Σx₁x₂ …; its length
// is (k+1)(k+2)/2.
type Covariates struct {
	N             int64     // units
	Sum           float64   // Σy
	CovariateSums []float64 // Σx₁ … Σx_k
	Products      []float64
	// Ridge is the penalty λ of the slopes, in units of each covariate's own
	// variance, so that it does not depend on the covariates' units: the slopes
	// solve (C + λ·diag C)θ = cov(x, y). Zero means [DefaultRidge]; it must be
	// the same in both arms.
	Ridge float64
}

// DefaultRidge keeps the slopes of covariates that say the same thing twice
// finite and costs next to no variance reduction.
const DefaultRidge = 1e-6

// Add takes in one unit. The covariates must be as many in every call.
func (c *Covariates) Add(y float64, x ...float64) {
	if c.N == 0 {
		c.CovariateSums = make([]float64, len(x))
		c.Products = make([]float64, triangle(len(x)+1))
	}
	c.N++
	c.Sum += y
	c.Products[0] += y * y
	i := 1
	for _, v := range x {
		c.Products[i] += y * v
		i++
	}
	for a, v := range x {
		c.CovariateSums[a] += v
		for _, w := range x[a:] {
			c.Products[i] += v * w
			i++
		}
	}
}

// Plus adds the units of other, which must have the same covariates; an empty
// one adds nothing.
func (c Covariates) Plus(other Covariates) (Covariates, error) {
	switch {
	case other.N == 0:
		return c, nil
	case c.N == 0:
		return other, nil
	case len(c.CovariateSums) != len(other.CovariateSums) || c.Ridge != other.Ridge:
		return Covariates{}, problem(KindsDiffer, "covariates", "%d covariates (ridge %g) and %d (ridge %g)",
			len(c.CovariateSums), c.Ridge, len(other.CovariateSums), other.Ridge)
	}
	if err := c.shape(); err != nil {
		return Covariates{}, err
	}
	if err := other.shape(); err != nil {
		return Covariates{}, err
	}
	j := c.joint().plus(other.joint())
	return Covariates{N: j.n, Sum: j.sums[0], CovariateSums: j.sums[1:], Products: j.products, Ridge: c.Ridge}, nil
}

// Estimate gives the unadjusted mean of y.
func (c Covariates) Estimate() (Estimate, error) {
	if err := c.shape(); err != nil {
		return Estimate{}, err
	}
	return c.plain().Estimate()
}

func (c Covariates) plain() Mean {
	return Mean{N: c.N, Sum: c.Sum, SumSquares: c.Products[0]}
}

func (c Covariates) shape() error {
	k := len(c.CovariateSums)
	switch {
	case c.N < 1:
		return problem(TooFewUnits, "", "the arm has no unit")
	case k > MaxCovariates:
		return problem(InvalidOption, "covariates", "%d covariates; at most %d are allowed", k, MaxCovariates)
	case len(c.Products) != triangle(k+1):
		return problem(InvalidOption, "products", "%d products for %d covariates; there must be %d", len(c.Products), k, triangle(k+1))
	case c.Ridge < 0 || !finite(c.Ridge):
		return problem(InvalidOption, "ridge", "the penalty must be a finite number of 0 or more, not %g", c.Ridge)
	}
	return nil
}

func (c Covariates) joint() joint {
	names := make([]string, len(c.CovariateSums)+1)
	names[0] = "metric"
	for i := range c.CovariateSums {
		names[i+1] = "covariate " + string(rune('1'+i%9))
	}
	return joint{n: c.N, names: names, sums: append([]float64{c.Sum}, c.CovariateSums...), products: c.Products}
}

// Slopes gives the slope of y on each covariate within this arm, by ridge
// regression. A covariate without spread has slope zero.
func (c Covariates) Slopes() ([]float64, error) {
	if err := c.shape(); err != nil {
		return nil, err
	}
	if err := c.joint().check(false); err != nil {
		return nil, err
	}
	return c.slopes()
}

func (c Covariates) slopes() ([]float64, error) {
	j := c.joint()
	ridge := c.Ridge
	if ridge == 0 {
		ridge = DefaultRidge
	}
	k := len(c.CovariateSums)
	slopes := make([]float64, k)
	// On the scale of correlations the system is well conditioned whatever the
	// covariates' units.
	var used []int
	deviation := make([]float64, k)
	for a := range k {
		xx, err := resolved(j.centred(a+1, a+1), j.at(a+1, a+1), "")
		if err == nil && xx > 0 {
			used = append(used, a)
			deviation[a] = math.Sqrt(xx)
		}
	}
	if len(used) == 0 {
		return slopes, nil
	}
	m := mat.NewSymDense(len(used), nil)
	v := mat.NewVecDense(len(used), nil)
	for p, a := range used {
		v.SetVec(p, j.centred(0, a+1)/deviation[a])
		for q, b := range used[p:] {
			r := j.centred(a+1, b+1) / deviation[a] / deviation[b]
			if q == 0 {
				r = 1 + ridge
			}
			m.SetSym(p, p+q, r)
		}
	}
	var factor mat.Cholesky
	if !factor.Factorize(m) {
		return nil, problem(PrecisionLost, "covariates", "the covariates say the same thing within rounding; raise the ridge penalty")
	}
	var solution mat.VecDense
	if err := factor.SolveVecTo(&solution, v); err != nil {
		return nil, problem(PrecisionLost, "covariates", "the covariates say the same thing within rounding; raise the ridge penalty")
	}
	for p, a := range used {
		slopes[a] = solution.AtVec(p) / deviation[a]
	}
	return slopes, nil
}

// compareCovariates adjusts by slopes per arm. Adjusting each arm by its own
// slopes towards the covariates' mean over both arms is the same as adjusting
// both by θ = (n_A·θ_B + n_B·θ_A)/n, which nearly minimises the variance of the
// difference whatever the split (Lin, Annals of Applied Statistics 2013).
func compareCovariates(control, treatment Covariates, s Scale, o Options) (difference, error) {
	if len(control.CovariateSums) != len(treatment.CovariateSums) || control.Ridge != treatment.Ridge {
		return difference{}, problem(KindsDiffer, "treatment", "the arms have %d and %d covariates, ridge %g and %g",
			len(control.CovariateSums), len(treatment.CovariateSums), control.Ridge, treatment.Ridge)
	}
	var slopes [2][]float64
	for i, arm := range []struct {
		name string
		sums Covariates
	}{{"control", control}, {"treatment", treatment}} {
		if err := arm.sums.shape(); err != nil {
			return difference{}, about(err, arm.name)
		}
		if err := adjustable(arm.sums.plain(), arm.sums.joint(), arm.name, o); err != nil {
			return difference{}, err
		}
		var err error
		if slopes[i], err = arm.sums.slopes(); err != nil {
			return difference{}, about(err, arm.name)
		}
	}
	thetaA, thetaB := slopes[0], slopes[1]
	nA, nB := float64(control.N), float64(treatment.N)
	theta, none := make([]float64, len(thetaA)), true
	for i := range theta {
		theta[i] = (nA*thetaB[i] + nB*thetaA[i]) / (nA + nB)
		none = none && theta[i] == 0
	}
	if none {
		return compareEstimates(control.plain(), treatment.plain(), s, o)
	}
	return adjustedContrast(control.joint(), treatment.joint(), theta).difference(s)
}
