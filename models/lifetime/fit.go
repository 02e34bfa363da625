package lifetime

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Estimate is what a fit found: the parameters, the log-likelihood, and how uncertain the
// logarithms of the parameters are.
type Estimate struct {
	Names         []string  `json:"names"`
	Parameters    []float64 `json:"parameters"`
	LogLikelihood float64   `json:"logLikelihood"`
	// Covariance is that of the log-parameters, row by row; nil where the maximum is on
	// the edge and has none.
	Covariance []float64 `json:"covariance,omitempty"`
	// Penalised says that the likelihood alone has no maximum, as where hardly anybody
	// leaves, and that the logarithms of the parameters were held near usual ones.
	Penalised bool `json:"penalised,omitempty"`
}

// Interval is the 95 % interval of parameter i.
func (e *Estimate) Interval(i int) (low, high float64) {
	p := e.Parameters[i]
	if e.Covariance == nil {
		return 0, math.Inf(1)
	}
	s := math.Sqrt(e.Covariance[i*len(e.Parameters)+i])
	return p * math.Exp(-1.959964*s), p * math.Exp(1.959964*s)
}

// Draws gives n parameter vectors from the normal approximation of the log-parameters,
// always the same ones; a single one, the maximum, when there is no covariance.
func (e *Estimate) Draws(n int, seed uint64) [][]float64 {
	k := len(e.Parameters)
	var chol mat.Cholesky
	if e.Covariance == nil || !chol.Factorize(mat.NewSymDense(k, slices.Clone(e.Covariance))) {
		return [][]float64{e.Parameters}
	}
	var l mat.TriDense
	chol.LTo(&l)
	r := rand.New(rand.NewPCG(seed, 0x6c6966))
	out := make([][]float64, n)
	z := make([]float64, k)
	for d := range out {
		for i := range z {
			z[i] = r.NormFloat64()
		}
		out[d] = make([]float64, k)
		for i := range k {
			v := math.Log(e.Parameters[i])
			for j := 0; j <= i; j++ {
				v += l.At(i, j) * z[j]
			}
			out[d][i] = math.Exp(v)
		}
	}
	return out
}

// Check refuses an estimate that could not have come from a fit.
func (e *Estimate) Check(parameters int) error {
	if len(e.Parameters) != parameters || (e.Covariance != nil && len(e.Covariance) != parameters*parameters) {
		return fmt.Errorf("an estimate with %d parameters, where %d belong", len(e.Parameters), parameters)
	}
	for _, v := range e.Parameters {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("a parameter of %v", v)
		}
	}
	return nil
}

// heldBy is the standard deviation of the normal prior of log-parameters around the first
// start that stands in where the likelihood has no maximum of its own: e^±3 for 95 %.
const heldBy = 1.5

// searched bounds the groups among which the maximum is searched for from all starts,
// approached those with which it is approached from the best of them; only the last steps
// are taken with all groups.
const (
	searched   = 500
	approached = 20_000
)

// likelihood gives the log-likelihood of one customer under parameters.
type likelihood func(p []float64) func(c Customer) float64

// maximise finds the maximum of a log-likelihood over positive parameters from several
// starts, first by simplex, which no overflow stops, then by BFGS, and takes the best.
// Where the parameters run away it holds them near the first start.
func maximise(ctx context.Context, names []string, starts [][]float64, groups []Group, of likelihood) (*Estimate, error) {
	e, err := climb(ctx, names, starts, groups, of, nil)
	if !errors.Is(err, ErrNotConverged) {
		return e, err
	}
	e, err = climb(ctx, names, starts, groups, of, func(x []float64) float64 {
		squares := 0.0
		for i, v := range x {
			d := (v - math.Log(starts[0][i])) / heldBy
			squares += d * d
		}
		return squares / 2
	})
	if err != nil {
		return nil, err
	}
	e.Penalised = true
	each := of(e.Parameters)
	e.LogLikelihood = sum(groups, each)
	return e, nil
}

// objective is the mean of the negative log-likelihood over groups in the logarithm of
// the parameters, with a penalty if there is one.
func objective(groups []Group, centre []float64, of likelihood, penalty func(x []float64) float64) (f func(x []float64) float64, total float64) {
	for i := range groups {
		total += groups[i].Count
	}
	return func(x []float64) float64 {
		p := make([]float64, len(x))
		for i, v := range x {
			if math.Abs(v-math.Log(centre[i])) > 20 { // far from anything that is estimated
				return math.Inf(1)
			}
			p[i] = math.Exp(v)
		}
		v := -sum(groups, of(p)) / total
		if penalty != nil {
			v += penalty(x) / total
		}
		if math.IsNaN(v) {
			return math.Inf(1)
		}
		return v
	}, total
}

// climb maximises the log-likelihood minus a penalty of the log-parameters, if there is one.
func climb(ctx context.Context, names []string, starts [][]float64, groups []Group, of likelihood, penalty func(x []float64) float64) (*Estimate, error) {
	status := func() (optimize.Status, error) {
		if ctx.Err() != nil {
			return optimize.Failure, ctx.Err()
		}
		return optimize.NotTerminated, nil
	}
	descend := func(f func([]float64) float64, x []float64, iterations int, flat float64) *optimize.Result {
		gradient := func(g, x []float64) { fd.Gradient(g, f, x, &fd.Settings{Formula: fd.Central}) }
		r, _ := optimize.Minimize(optimize.Problem{Func: f, Grad: gradient, Status: status}, x,
			&optimize.Settings{MajorIterations: iterations, GradientThreshold: flat}, &optimize.BFGS{})
		return r
	}
	some := thin(groups, searched)
	f, _ := objective(some, starts[0], of, penalty)
	var best []float64
	bestValue := math.Inf(1)
	for _, start := range starts {
		x := make([]float64, len(start))
		for i, v := range start {
			x[i] = math.Log(v)
		}
		if math.IsInf(f(x), 1) {
			continue
		}
		rough, _ := optimize.Minimize(optimize.Problem{Func: f, Status: status}, x, &optimize.Settings{FuncEvaluations: 250}, &optimize.NelderMead{})
		if rough != nil && !math.IsInf(rough.F, 0) {
			x = rough.X
		}
		fine := descend(f, x, 25, 1e-5)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("fitting: %w", ctx.Err())
		}
		for _, r := range []*optimize.Result{rough, fine} {
			if r != nil && r.F < bestValue {
				best, bestValue = r.X, r.F
			}
		}
	}
	if best == nil || math.IsNaN(bestValue) {
		return nil, ErrNotConverged
	}
	f, _ = objective(thin(groups, approached), starts[0], of, penalty)
	bestValue = f(best)
	if r := descend(f, best, 15, 1e-6); r != nil && r.F < bestValue {
		best = r.X
	}
	f, total := objective(groups, starts[0], of, penalty)
	best, bestValue = polish(f, best, f(best)) // by Newton's steps
	if ctx.Err() != nil {
		return nil, fmt.Errorf("fitting: %w", ctx.Err())
	}
	e := &Estimate{Names: names, LogLikelihood: -bestValue * total}
	for i, v := range best {
		if penalty == nil && math.Abs(v-math.Log(starts[0][i])) > 9 { // 8,000 times what is usual: on a ridge without a top
			return nil, fmt.Errorf("%w: the parameters run away (%v)", ErrNotConverged, best)
		}
		e.Parameters = append(e.Parameters, math.Exp(v))
	}
	hessian := mat.NewSymDense(len(best), nil)
	fd.Hessian(hessian, f, best, &fd.Settings{Step: 1e-3})
	hessian.ScaleSym(total, hessian)
	var chol mat.Cholesky
	if chol.Factorize(hessian) {
		var inverse mat.SymDense
		if chol.InverseTo(&inverse) == nil {
			for i := range best {
				for j := range best {
					e.Covariance = append(e.Covariance, inverse.At(i, j))
				}
			}
		}
	}
	return e, nil
}

// polish takes a few Newton steps with differences over larger steps, as the gradients of
// the search are too noisy to find the bottom of a flat valley.
func polish(objective func([]float64) float64, x []float64, value float64) ([]float64, float64) {
	hessian := mat.NewSymDense(len(x), nil)
	fd.Hessian(hessian, objective, x, &fd.Settings{Step: 1e-3})
	var chol mat.Cholesky
	if !chol.Factorize(hessian) {
		return x, value
	}
	gradient := make([]float64, len(x))
	for range 4 {
		fd.Gradient(gradient, objective, x, &fd.Settings{Formula: fd.Central, Step: 1e-3})
		var step mat.VecDense
		if chol.SolveVecTo(&step, mat.NewVecDense(len(x), gradient)) != nil {
			break
		}
		next := make([]float64, len(x))
		for i := range x {
			next[i] = x[i] - step.AtVec(i)
		}
		v := objective(next)
		if math.IsNaN(v) || v > value+1e-12 {
			break
		}
		x, value = next, v
	}
	return x, value
}

// sum adds f over groups on all cores.
func sum(groups []Group, f func(c Customer) float64) float64 {
	workers := max(1, min(runtime.GOMAXPROCS(0), len(groups)/256))
	parts := make([]float64, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			total := 0.0
			for i := w * len(groups) / workers; i < (w+1)*len(groups)/workers; i++ {
				total += groups[i].Count * f(groups[i].Customer)
			}
			parts[w] = total
		}()
	}
	wait.Wait()
	total := 0.0
	for _, p := range parts {
		total += p
	}
	return total
}

// thin takes about so many of the groups, evenly in their order.
func thin(groups []Group, limit int) []Group {
	step := (len(groups) + limit - 1) / limit
	if step <= 1 {
		return groups
	}
	out := make([]Group, 0, limit)
	for i := 0; i < len(groups); i += step {
		out = append(out, groups[i])
	}
	return out
}

// meanAge is the unit in which the scale parameters are of the order of one; starts are
// made of it, so that time in days fits as time in weeks does.
func meanAge(groups []Group) float64 {
	age, count := 0.0, 0.0
	for _, g := range groups {
		age += g.Count * g.Age
		count += g.Count
	}
	return math.Max(age/count, 1e-6)
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

func lbeta(a, b float64) float64 { return lgamma(a) + lgamma(b) - lgamma(a+b) }

// logAdd is ln(e^a + e^b).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// hyper2F1 is the Gauss hypergeometric function for 0 <= z < 1 and c > 0, as a series
// that is transformed where it would be slow (Abramowitz and Stegun 15.3.3).
func hyper2F1(a, b, c, z float64) float64 {
	if z > .9 && c-a-b < 0 {
		return math.Pow(1-z, c-a-b) * series2F1(c-a, c-b, c, z)
	}
	return series2F1(a, b, c, z)
}

func series2F1(a, b, c, z float64) float64 {
	term, total := 1.0, 1.0
	for n := 0.0; n < 100_000; n++ {
		term *= (a + n) * (b + n) / (c + n) * z / (n + 1)
		total += term
		if math.Abs(term) < 1e-13*math.Abs(total) {
			break
		}
	}
	return total
}
