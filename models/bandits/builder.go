package bandits

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// MaxActions bounds the actions of one posterior, MaxNumbers what it holds in all:
// d(d+1)/2 numbers for each action, 8 bytes each.
const (
	MaxActions = 10_000
	MaxNumbers = 1 << 27
)

// Options are the hyper-parameters of a build. Tiles do not depend on them, so
// they can be changed without reading an event again. Zero values mean the
// defaults given.
type Options struct {
	// Dimension of the feature vectors; required.
	Dimension int `json:"-"`
	// Fingerprint of the encoder, carried into the posterior.
	Fingerprint string `json:"-"`

	// Ridge is the precision λ of the prior in units of pseudo-observations per
	// feature; default 1.
	Ridge float64 `json:"ridge,omitempty"`
	// PseudoDecisions n0 is how many decisions' worth of what the other actions
	// taught an action starts from; default 10, negative for none.
	PseudoDecisions float64 `json:"pseudoDecisions,omitempty"`
	// HalfLife in days after which a decision counts half; 0 for no forgetting.
	HalfLife float64 `json:"halfLife,omitempty"`

	// Noise is the reward's variance expected before any data; default 0.25, the
	// largest that a yes/no reward can have.
	Noise float64 `json:"noise,omitempty"`
	// NoiseDecisions is how many decisions that expectation is worth; default 10.
	NoiseDecisions float64 `json:"noiseDecisions,omitempty"`
	// NoiseMin and NoiseMax clamp the estimate; defaults 1e-4 and 1e12. The lower
	// one keeps some exploration alive where rewards happen to be all equal.
	NoiseMin float64 `json:"noiseMin,omitempty"`
	NoiseMax float64 `json:"noiseMax,omitempty"`

	// Maturity is F(age in days): the share of a decision's reward that has
	// arrived by then, in (0, 1]. Nil means that rewards come at once. Days
	// younger than F = 0.05 are left out, since dividing by so little is noise.
	Maturity func(age int) float64 `json:"-"`
}

// minMaturity is the share of arrived rewards below which a tile is left out.
const minMaturity = 0.05

func (o Options) withDefaults() Options {
	set := func(x *float64, value float64) {
		if *x == 0 {
			*x = value
		}
	}
	set(&o.Ridge, 1)
	set(&o.PseudoDecisions, 10)
	set(&o.Noise, 0.25)
	set(&o.NoiseDecisions, 10)
	set(&o.NoiseMin, 1e-4)
	set(&o.NoiseMax, 1e12)
	return o
}

// Validate reports the first option outside of its range, by its JSON name.
func (o Options) Validate() error {
	o = o.withDefaults()
	if o.Dimension < 1 || o.Dimension > MaxDimension {
		return fmt.Errorf("dimension must be from 1 to %d, not %d", MaxDimension, o.Dimension)
	}
	return o.ValidateParameters()
}

// ValidateParameters is [Options.Validate] without the dimension, for options
// that are stored before their encoder is compiled.
func (o Options) ValidateParameters() error {
	o = o.withDefaults()
	for _, c := range []struct {
		name     string
		x        float64
		from, to float64
	}{
		{"ridge", o.Ridge, 1e-6, 1e9},
		{"pseudoDecisions", max(o.PseudoDecisions, 0), 0, 1e9},
		{"halfLife", o.HalfLife, 0, 36500},
		{"noise", o.Noise, 1e-12, 1e18},
		{"noiseDecisions", o.NoiseDecisions, 1e-6, 1e9},
		{"noiseMin", o.NoiseMin, 1e-12, 1e18},
		{"noiseMax", o.NoiseMax, o.NoiseMin, 1e24},
	} {
		if !(c.x >= c.from && c.x <= c.to) { // also refuses NaN
			return fmt.Errorf("%s must be from %g to %g, not %g", c.name, c.from, c.to, c.x)
		}
	}
	if math.IsNaN(o.PseudoDecisions) {
		return errors.New("pseudoDecisions must be a number")
	}
	return nil
}

// Builder sums tiles with their weights and solves for the posterior. It is for
// one goroutine.
//
// For action a with features φ, rewards r, weights g = γ^age and c = g·F(age):
//
//	Λ_a = Λ0 + Σ c φφᵀ    h_a = Λ0 μ0 + Σ g r φ    μ_a = Λ_a⁻¹ h_a
//
// The weights forget towards the prior (Λ0 is not discounted), so an action that
// is no longer chosen becomes uncertain again, and F keeps the equations
// unbiased while rewards are still on their way.
//
// The prior of an action is what all other actions taught, as if by n0 decisions
// (a power prior: their likelihood raised to n0/N). With S and s the weighted
// sums of φφᵀ and rφ over the other actions and N their weighted decisions:
//
//	μ0 = (λI + S)⁻¹ s    Λ0 = λI + min(1, n0/N)·S
//
// An action without data has just this prior, taught by all the others.
//
// σ² is the residual variance of the weighted fit, shrunk to that of the pooled
// fit of all actions, and that to Options.Noise, by NoiseDecisions each.
type Builder struct {
	options Options
	asOf    Day
	total   sums
	arms    map[string]*sums
}

// sums are weighted tile sums of one action.
type sums struct {
	n, r2  float64
	rx, xx []float64
}

// NewBuilder starts a build for the given day, from which ages are counted.
func NewBuilder(options Options, asOf Day) (*Builder, error) {
	if err := options.Validate(); err != nil {
		return nil, fmt.Errorf("building posterior: %w", err)
	}
	options = options.withDefaults()
	return &Builder{options: options, asOf: asOf, total: newSums(options.Dimension), arms: make(map[string]*sums)}, nil
}

func newSums(d int) sums {
	return sums{rx: make([]float64, d), xx: make([]float64, PackedLen(d))}
}

// Weights are c (for decisions) and g (for rewards) of a tile of the given day.
// A day after asOf, as clock skew makes, has age 0.
func (b *Builder) Weights(day Day) (c, g float64) {
	age := max(0, int(b.asOf)-int(day))
	g = 1
	if b.options.HalfLife > 0 {
		g = math.Exp2(-float64(age) / b.options.HalfLife)
	}
	if b.options.Maturity == nil {
		return g, g
	}
	f := b.options.Maturity(age)
	if !(f >= minMaturity) {
		return 0, 0
	}
	return g * min(f, 1), g
}

// Add adds a tile; the tile is not kept. Tiles of one action and day may come in
// any number of parts.
func (b *Builder) Add(t Tile) error {
	c, g := b.Weights(t.Day)
	return b.add(t, c, g)
}

// AddWeighted adds a tile whose sums already carry the weights of their days (see
// [Builder.Weights]: c on N and SumXX, g on the rewards), however many days it
// covers. It lets the database do the summing. The tile is not kept.
func (b *Builder) AddWeighted(t Tile) error { return b.add(t, 1, 1) }

func (b *Builder) add(t Tile, c, g float64) error {
	if err := t.Validate(b.options.Dimension); err != nil {
		return err
	}
	arm := b.arms[t.Action]
	if arm == nil {
		if len(b.arms) >= MaxActions {
			return fmt.Errorf("tile of action %q: a posterior must not have more than %d actions", t.Action, MaxActions)
		}
		if (len(b.arms)+1)*PackedLen(b.options.Dimension) > MaxNumbers {
			return fmt.Errorf("tile of action %q: %d actions with %d features need more than %d numbers; use fewer features",
				t.Action, len(b.arms)+1, b.options.Dimension, MaxNumbers)
		}
		s := newSums(b.options.Dimension)
		arm = &s
		b.arms[t.Action] = arm
	}
	for _, s := range []*sums{arm, &b.total} {
		s.n += c * t.N
		s.r2 += g * t.SumR2
		axpy(s.rx, g, t.SumRX)
		axpy(s.xx, c, t.SumXX)
	}
	return nil
}

// Build solves for the posterior of all actions added so far.
func (b *Builder) Build() (*Model, error) {
	o := b.options
	pooled, err := b.prior(&b.total)
	if err != nil {
		return nil, fmt.Errorf("building posterior: prior: %w", err)
	}
	pooledNoise := shrinkNoise(&b.total, pooled.mean, o.Noise, o.NoiseDecisions)
	priorArm, err := b.solve(pooled, nil, pooledNoise)
	if err != nil {
		return nil, fmt.Errorf("building posterior: prior: %w", err)
	}
	arms := make(map[string]*Arm, len(b.arms))
	for action, s := range b.arms {
		others, err := b.prior(b.others(s))
		if err != nil {
			return nil, fmt.Errorf("building posterior: action %q: %w", action, err)
		}
		arm, err := b.solve(others, s, pooledNoise)
		if err != nil {
			return nil, fmt.Errorf("building posterior: action %q: %w", action, err)
		}
		arms[action] = arm
	}
	p, err := newModel(o.Fingerprint, o.Dimension, b.asOf, *priorArm, arms)
	if err != nil {
		return nil, fmt.Errorf("building posterior: %w", err)
	}
	return p, nil
}

// others are the sums of all actions but one: its own data must not count twice.
func (b *Builder) others(s *sums) *sums {
	o := sums{n: b.total.n - s.n, r2: b.total.r2 - s.r2, rx: slices.Clone(b.total.rx), xx: slices.Clone(b.total.xx)}
	if len(b.arms) == 1 || o.n <= 1e-9*b.total.n {
		// Nothing but the rounding of the difference is left.
		empty := newSums(b.options.Dimension)
		return &empty
	}
	axpy(o.rx, -1, s.rx)
	axpy(o.xx, -1, s.xx)
	return &o
}

// prior of an action: mean μ0, precision Λ0 = λI + scale·xx and h0 = Λ0 μ0.
type prior struct {
	mean, h []float64
	xx      []float64
	scale   float64
}

func (b *Builder) prior(s *sums) (prior, error) {
	d, ridge := b.options.Dimension, b.options.Ridge
	p := prior{mean: make([]float64, d), h: make([]float64, d), xx: s.xx}
	n0 := max(b.options.PseudoDecisions, 0)
	if s.n <= 0 || n0 == 0 {
		return p, nil
	}
	precision := mat.NewSymDense(d, nil)
	fill(precision, ridge, 1, s.xx)
	chol, err := factorize(precision, ridge)
	if err != nil {
		return p, err
	}
	if err := solveVec(chol, p.mean, s.rx); err != nil {
		return p, err
	}
	p.scale = min(1, n0/s.n)
	// S μ0 = s - λ μ0, as μ0 solves (λI + S) μ0 = s.
	for i := range d {
		p.h[i] = ridge*p.mean[i] + p.scale*(s.rx[i]-ridge*p.mean[i])
	}
	return p, nil
}

// solve adds an action's own sums, nil for none, to its prior.
func (b *Builder) solve(p prior, own *sums, pooledNoise float64) (*Arm, error) {
	o := b.options
	d := o.Dimension
	precision := mat.NewSymDense(d, nil)
	fill(precision, o.Ridge, p.scale, p.xx)
	h := slices.Clone(p.h)
	arm := &Arm{Mean: make([]float64, d), Noise: pooledNoise}
	if own != nil {
		fill(precision, 0, 1, own.xx)
		axpy(h, 1, own.rx)
		arm.Decisions = max(own.n, 0)
	}
	chol, err := factorize(precision, o.Ridge)
	if err != nil {
		return nil, err
	}
	if err := solveVec(chol, arm.Mean, h); err != nil {
		return nil, err
	}
	inverse := mat.NewSymDense(d, nil)
	if err := chol.InverseTo(inverse); err != nil && !isCondition(err) {
		return nil, fmt.Errorf("inverting the precision: %w", err)
	}
	arm.Covariance = make([]float64, 0, PackedLen(d))
	for i := range d {
		for j := range i + 1 {
			arm.Covariance = append(arm.Covariance, inverse.At(i, j))
		}
	}
	if own != nil {
		arm.Noise = shrinkNoise(own, arm.Mean, pooledNoise, o.NoiseDecisions)
	}
	arm.Noise = max(o.NoiseMin, min(o.NoiseMax, arm.Noise))
	return arm, nil
}

// shrinkNoise is the residual variance Σ(r-φᵀμ)²/n, pulled to a prior value that
// is worth the given number of decisions.
func shrinkNoise(s *sums, mean []float64, prior, worth float64) float64 {
	residual := s.r2
	for i, m := range mean {
		if m == 0 {
			continue
		}
		residual -= 2 * m * s.rx[i]
		start := PackedLen(i)
		for j, x := range s.xx[start : start+i] {
			residual += 2 * m * mean[j] * x
		}
		residual += m * m * s.xx[start+i]
	}
	n := max(s.n, 0)
	return (worth*prior + max(residual, 0)) / (worth + n)
}

// fill adds diagonal·I + scale·xx to m.
func fill(m *mat.SymDense, diagonal, scale float64, xx []float64) {
	d := m.SymmetricDim()
	raw := m.RawSymmetric() // stored as the upper triangle
	for i := range d {
		start := PackedLen(i)
		raw.Data[i*raw.Stride+i] += diagonal
		if scale == 0 {
			continue
		}
		for j := range i + 1 {
			raw.Data[j*raw.Stride+i] += scale * xx[start+j]
		}
	}
}

// maxCondition is the condition number above which a solution has hardly any
// correct digit left.
const maxCondition = 1e14

// factorize decomposes a precision matrix. The ridge makes it positive definite
// in exact arithmetic; where rounding of huge or collinear features spoils that,
// the diagonal grows until it is again. Growing costs accuracy only in
// directions in which the data say nothing.
func factorize(m *mat.SymDense, ridge float64) (*mat.Cholesky, error) {
	d := m.SymmetricDim()
	var largest float64
	for i := range d {
		largest = max(largest, m.At(i, i))
	}
	if !finite(largest) {
		return nil, errors.New("the precision matrix is not finite")
	}
	jitter := 0.0
	for range 12 {
		var chol mat.Cholesky
		if chol.Factorize(m) && chol.Cond() <= maxCondition {
			return &chol, nil
		}
		grow := max(ridge, largest*1e-14)
		if jitter > 0 {
			grow = 9 * jitter
		}
		jitter += grow
		for i := range d {
			m.SetSym(i, i, m.At(i, i)+grow)
		}
	}
	return nil, errors.New("the precision matrix is not positive definite: its tiles are not sums of products")
}

func solveVec(chol *mat.Cholesky, dst, rhs []float64) error {
	err := chol.SolveVecTo(mat.NewVecDense(len(dst), dst), mat.NewVecDense(len(rhs), rhs))
	if err != nil && !isCondition(err) {
		return fmt.Errorf("solving for the mean: %w", err)
	}
	return nil
}

// isCondition says that gonum merely warns of a bad condition number, which
// factorize has already bounded.
func isCondition(err error) bool {
	var c mat.Condition
	return errors.As(err, &c)
}

func axpy(dst []float64, a float64, x []float64) {
	if a == 0 {
		return
	}
	for i, v := range x {
		dst[i] += a * v
	}
}
