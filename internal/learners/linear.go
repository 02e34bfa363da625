package learners

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Linear is a fitted linear or logistic regression on columns that were standardised.
type Linear struct {
	// Logistic says that the prediction is a probability.
	Logistic bool `json:"logistic,omitempty"`
	// Intercept and Weights are those of standardised columns.
	Intercept float64   `json:"intercept"`
	Weights   []float64 `json:"weights"`
	// Means and Scales standardise: (x - mean) / scale. A missing value is the mean.
	Means  []float64 `json:"means"`
	Scales []float64 `json:"scales"`
}

// Logistic is logistic regression with an L2 penalty: it minimises the sum of log-losses
// plus Penalty/2 times the squared norm of the weights of standardised columns. The
// intercept is not penalised. L-BFGS of gonum finds the minimum.
type Logistic struct {
	// Penalty is 1 unless set; it is 1/C in the terms of scikit-learn.
	Penalty float64
	// Iterations bounds the optimiser; 200 unless set.
	Iterations int
}

// Name implements [Learner].
func (l Logistic) Name() string { return fmt.Sprintf("logistic (L2 %g)", orDefault(l.Penalty, 1)) }

// Ridge is linear regression with an L2 penalty on the weights of standardised columns,
// solved exactly by Cholesky.
type Ridge struct {
	// Penalty is 1 unless set.
	Penalty float64
}

// Name implements [Learner].
func (l Ridge) Name() string { return fmt.Sprintf("linear (L2 %g)", orDefault(l.Penalty, 1)) }

func orDefault(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// standardise makes columns of mean 0 and standard deviation 1, with 0 for what is
// missing, and the linear model without weights that remembers how. The layout is by
// row, as both fits walk rows.
func standardise(m *Matrix, weights []float64) (*Linear, []float32) {
	n, p := m.Rows(), len(m.Columns)
	l := &Linear{Weights: make([]float64, p), Means: make([]float64, p), Scales: make([]float64, p)}
	x := make([]float32, n*p)
	parallel(p*smallBlock, func(_, from, to int) {
		for j := (from + smallBlock - 1) / smallBlock; j*smallBlock < to; j++ {
			l.Means[j], l.Scales[j] = moments(m.Columns[j], weights)
		}
	})
	parallel(n, func(_, from, to int) {
		for j, c := range m.Columns {
			mean, scale := l.Means[j], 1/l.Scales[j]
			for i := from; i < to; i++ {
				if v := c[i]; v == v {
					x[i*p+j] = float32((float64(v) - mean) * scale)
				}
			}
		}
	})
	return l, x
}

func moments(c []float32, weights []float64) (mean, scale float64) {
	var w, sum float64
	for i, v := range c {
		if v == v {
			wi := weight(weights, i)
			w += wi
			sum += wi * float64(v)
		}
	}
	if w == 0 {
		return 0, 1
	}
	mean = sum / w
	sum = 0
	for i, v := range c {
		if v == v {
			d := float64(v) - mean
			sum += weight(weights, i) * d * d
		}
	}
	scale = math.Sqrt(sum / w)
	if scale < 1e-12 {
		scale = 1
	}
	return mean, scale
}

func weight(weights []float64, i int) float64 {
	if weights == nil {
		return 1
	}
	return weights[i]
}

func checkShape(m *Matrix, y, weights []float64) error {
	if m.Rows() != len(y) || (weights != nil && len(weights) != len(y)) {
		return fmt.Errorf("%w: %d rows, %d labels, %d weights", ErrShape, m.Rows(), len(y), len(weights))
	}
	return nil
}

// Fit implements [Learner]; labels are 0 and 1.
func (l Logistic) Fit(ctx context.Context, m *Matrix, y, weights []float64) (Model, error) {
	if err := checkShape(m, y, weights); err != nil {
		return nil, err
	}
	if err := CheckBinary(y); err != nil {
		return nil, err
	}
	model, x := standardise(m, weights)
	model.Logistic = true
	problem := &logisticProblem{x: x, y: y, weights: weights, p: len(m.Columns), penalty: orDefault(l.Penalty, 1), ctx: ctx}
	problem.gradients = make([][]float64, blocksOf(len(y)))
	for b := range problem.gradients {
		problem.gradients[b] = make([]float64, problem.p+2)
	}
	start := make([]float64, problem.p+1)
	var ones, total float64
	for i, v := range y {
		ones += weight(weights, i) * v
		total += weight(weights, i)
	}
	start[problem.p] = math.Log(ones / (total - ones))
	problem.scale = 1 / total
	settings := &optimize.Settings{MajorIterations: int(orDefault(float64(l.Iterations), 200)), GradientThreshold: 1e-7,
		Converger: &optimize.FunctionConverge{Relative: 1e-11, Iterations: 5}}
	result, err := optimize.Minimize(optimize.Problem{Func: problem.value, Grad: problem.gradient, Status: problem.status}, start, settings, &optimize.LBFGS{Store: 10})
	if ctx.Err() != nil {
		return nil, fmt.Errorf("fitting a logistic regression: %w", ctx.Err())
	}
	// A line search that can go no lower has arrived; its error says no more than that.
	if result == nil || (err != nil && !errors.Is(err, optimize.ErrLinesearcherFailure) && !errors.Is(err, optimize.ErrNoProgress)) {
		return nil, fmt.Errorf("%w: %w", ErrNotConverged, err)
	}
	for _, v := range result.X {
		if math.IsNaN(v) {
			return nil, ErrNotConverged
		}
	}
	copy(model.Weights, result.X[:problem.p])
	model.Intercept = result.X[problem.p]
	return model, nil
}

// logisticProblem gives value and gradient in one pass and remembers both, as gonum asks
// for one after the other at the same place.
type logisticProblem struct {
	ctx       context.Context
	x         []float32
	y         []float64
	weights   []float64
	p         int
	penalty   float64
	scale     float64 // the objective is a mean, which keeps the line search well scaled
	at        []float64
	f         float64
	grad      []float64
	gradients [][]float64
}

func (o *logisticProblem) status() (optimize.Status, error) {
	if err := o.ctx.Err(); err != nil {
		return optimize.Failure, err
	}
	return optimize.NotTerminated, nil
}

func (o *logisticProblem) value(b []float64) float64 {
	o.pass(b)
	return o.f
}

func (o *logisticProblem) gradient(grad, b []float64) {
	o.pass(b)
	copy(grad, o.grad)
}

func (o *logisticProblem) pass(b []float64) {
	if o.at != nil && equal(o.at, b) {
		return
	}
	o.at = append(o.at[:0], b...)
	p := o.p
	parallel(len(o.y), func(block, from, to int) {
		g := o.gradients[block]
		clear(g)
		for i := from; i < to; i++ {
			row := o.x[i*p : (i+1)*p]
			z := dot(b[:p], row) + b[p]
			w := weight(o.weights, i)
			// ln(1+e^z) - y z, without overflow.
			g[p+1] += w * (math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) - o.y[i]*z)
			e := w * (Sigmoid(z) - o.y[i])
			for j, v := range row {
				g[j] += e * float64(v)
			}
			g[p] += e
		}
	})
	if o.grad == nil {
		o.grad = make([]float64, p+1)
	}
	clear(o.grad)
	o.f = 0
	for _, g := range o.gradients {
		for j := range o.grad {
			o.grad[j] += g[j]
		}
		o.f += g[p+1]
	}
	for j := range p {
		o.f += o.penalty / 2 * b[j] * b[j]
		o.grad[j] += o.penalty * b[j]
	}
	o.f *= o.scale
	for j := range o.grad {
		o.grad[j] *= o.scale
	}
}

func equal(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func dot(a []float64, b []float32) float64 {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a) && i+4 <= len(b); i += 4 {
		s0 += a[i] * float64(b[i])
		s1 += a[i+1] * float64(b[i+1])
		s2 += a[i+2] * float64(b[i+2])
		s3 += a[i+3] * float64(b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += a[i] * float64(b[i])
	}
	return s0 + s1 + s2 + s3
}

// Sigmoid is 1/(1+e^-z).
func Sigmoid(z float64) float64 {
	if z >= 0 {
		return 1 / (1 + math.Exp(-z))
	}
	e := math.Exp(z)
	return e / (1 + e)
}

// Fit implements [Learner].
func (l Ridge) Fit(ctx context.Context, m *Matrix, y, weights []float64) (Model, error) {
	if err := checkShape(m, y, weights); err != nil {
		return nil, err
	}
	if len(y) == 0 {
		return nil, ErrTooFew
	}
	model, x := standardise(m, weights)
	p := len(m.Columns)
	d := p + 1
	grams := make([][]float64, blocksOf(len(y)))
	parallel(len(y), func(block, from, to int) {
		g := make([]float64, d*d+d)
		row := make([]float64, d)
		row[p] = 1
		for i := from; i < to && (i%smallBlock != 0 || ctx.Err() == nil); i++ {
			for j, v := range x[i*p : (i+1)*p] {
				row[j] = float64(v)
			}
			w := weight(weights, i)
			for j, v := range row {
				v *= w
				out := g[j*d : j*d+j+1]
				for k := range out {
					out[k] += v * row[k]
				}
				g[d*d+j] += v * y[i]
			}
		}
		grams[block] = g
	})
	if ctx.Err() != nil {
		return nil, fmt.Errorf("fitting a linear regression: %w", ctx.Err())
	}
	a := mat.NewSymDense(d, nil)
	b := mat.NewVecDense(d, nil)
	for _, g := range grams {
		for j := range d {
			for k := 0; k <= j; k++ {
				a.SetSym(j, k, a.At(j, k)+g[j*d+k])
			}
			b.SetVec(j, b.AtVec(j)+g[d*d+j])
		}
	}
	for j := range p {
		a.SetSym(j, j, a.At(j, j)+orDefault(l.Penalty, 1))
	}
	var chol mat.Cholesky
	if !chol.Factorize(a) {
		return nil, fmt.Errorf("%w: columns depend on one another and the penalty is too small", ErrNotConverged)
	}
	var solution mat.VecDense
	if err := chol.SolveVecTo(&solution, b); err != nil {
		var condition mat.Condition
		if !errors.As(err, &condition) {
			return nil, fmt.Errorf("%w: %w", ErrNotConverged, err)
		}
	}
	for j := range p {
		model.Weights[j] = solution.AtVec(j)
	}
	model.Intercept = solution.AtVec(p)
	return model, nil
}

// Predict implements [Model].
func (l *Linear) Predict(m *Matrix, out []float64) {
	parallel(m.Rows(), func(_, from, to int) {
		part := out[from:to]
		for i := range part {
			part[i] = l.Intercept
		}
		for j, c := range m.Columns {
			w, mean := l.Weights[j]/l.Scales[j], l.Means[j]
			for i, v := range c[from:to] {
				if v == v {
					part[i] += w * (float64(v) - mean)
				}
			}
		}
		if l.Logistic {
			for i, z := range part {
				part[i] = Sigmoid(z)
			}
		}
	})
}

// Explain implements [Model]: a column contributes its weight times how far the value is
// from the mean of training.
func (l *Linear) Explain(x []float32, contributions []float64) float64 {
	for j, v := range x {
		contributions[j] = 0
		if v == v {
			contributions[j] = l.Weights[j] / l.Scales[j] * (float64(v) - l.Means[j])
		}
	}
	return l.Intercept
}
