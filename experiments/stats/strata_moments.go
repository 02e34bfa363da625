package stats

import "gonum.org/v1/gonum/mat"

// stratumMoments holds for one stratum the estimates (control's mean, effect)
// of one value, or of numerator and denominator one after the other, and their
// covariance.
type stratumMoments struct {
	units      float64
	alpha      []float64
	covariance *mat.SymDense
}

// outcomes is how many of the joint sums' values are the metric; the others are
// covariates.
func (s Stratum) joints() (a, b joint, outcomes int, err error) {
	switch x := s.Control.(type) {
	case Adjusted:
		if y, ok := s.Treatment.(Adjusted); ok {
			return x.joint(), y.joint(), 1, nil
		}
	case AdjustedRatio:
		if y, ok := s.Treatment.(AdjustedRatio); ok {
			return x.joint(), y.joint(), 2, nil
		}
	case Ratio:
		if y, ok := s.Treatment.(Ratio); ok {
			return x.joint(), y.joint(), 2, nil
		}
	case Covariates:
		if y, ok := s.Treatment.(Covariates); ok {
			return x.joint(), y.joint(), 1, nil
		}
	default:
		x1, ok1 := jointOfMean(s.Control)
		y1, ok2 := jointOfMean(s.Treatment)
		if ok1 && ok2 {
			return x1, y1, 1, nil
		}
	}
	return joint{}, joint{}, 0, kindsDiffer(s.Control, s.Treatment)
}

func jointOfMean(s Sample) (joint, bool) {
	m, ok := asMean(s)
	if !ok {
		return joint{}, false
	}
	_, isMean := s.(Mean)
	// Sums about a shift are those of y − shift; the mean is put back by level.
	return joint{n: m.N, names: []string{"metric"}, sums: []float64{m.Sum}, products: []float64{m.SumSquares}, binary: []bool{!isMean}}, true
}

// level is the shift of a mean's sums.
func level(s Sample) float64 {
	if m, ok := s.(Mean); ok {
		return m.Shift
	}
	return 0
}

func (s Stratum) moments() (stratumMoments, error) {
	a, b, outcomes, err := s.joints()
	if err != nil {
		return stratumMoments{}, err
	}
	covariates := len(a.sums) - outcomes
	if covariates > 0 && covariatesVary(a, outcomes) && covariatesVary(b, outcomes) {
		return regressed(a, b, outcomes, s.regressionLoss())
	}
	m := stratumMoments{units: float64(a.n + b.n), alpha: make([]float64, 2*outcomes), covariance: mat.NewSymDense(2*outcomes, nil)}
	if covariates > 0 {
		a.binary, b.binary = nil, nil
	}
	nA, nB := float64(a.n), float64(b.n)
	for i := range outcomes {
		m.alpha[2*i] = a.mean(i) + level(s.Control)
		m.alpha[2*i+1] = b.mean(i) + level(s.Treatment) - m.alpha[2*i]
		for k := i; k < outcomes; k++ {
			va, vb := a.covariance(i, k)/nA, b.covariance(i, k)/nB
			m.covariance.SetSym(2*i, 2*k, va)
			m.covariance.SetSym(2*i, 2*k+1, -va)
			m.covariance.SetSym(2*i+1, 2*k, -va)
			m.covariance.SetSym(2*i+1, 2*k+1, va+vb)
		}
	}
	return m, nil
}

func covariatesVary(j joint, outcomes int) bool {
	for x := outcomes; x < len(j.sums); x++ {
		if v, err := resolved(j.centred(x, x), j.at(x, x), ""); err != nil || v <= 0 {
			return false
		}
	}
	return true
}

// regressed is ordinary least squares of every outcome on (1, treatment, x)
// within a stratum, at the stratum's mean of x, whose own error counts.
func regressed(a, b joint, outcomes, loss int) (stratumMoments, error) {
	p := len(a.sums) - outcomes
	nA, nB := float64(a.n), float64(b.n)
	n := nA + nB
	// Within-arm sums of squares and products of everything.
	within := func(i, k int) float64 { return a.centred(i, k) + b.centred(i, k) }
	pooled := a.plus(b)
	xx := mat.NewSymDense(p, nil)
	difference := mat.NewVecDense(p, nil) // x̄_B − x̄_A
	offset := mat.NewVecDense(p, nil)     // x̄ − x̄_A
	for i := range p {
		d := b.mean(outcomes+i) - a.mean(outcomes+i)
		difference.SetVec(i, d)
		offset.SetVec(i, d*nB/n)
		for k := i; k < p; k++ {
			xx.SetSym(i, k, within(outcomes+i, outcomes+k))
		}
	}
	var factor mat.Cholesky
	if !factor.Factorize(xx) {
		return stratumMoments{}, problem(PrecisionLost, "strata", "the covariates say the same thing within rounding")
	}
	var inverse mat.SymDense
	if err := factor.InverseTo(&inverse); err != nil {
		return stratumMoments{}, problem(PrecisionLost, "strata", "the covariates say the same thing within rounding")
	}
	slopes := make([]*mat.VecDense, outcomes)
	products := make([]*mat.VecDense, outcomes)
	for o := range outcomes {
		products[o] = mat.NewVecDense(p, nil)
		for i := range p {
			products[o].SetVec(i, within(o, outcomes+i))
		}
		slopes[o] = mat.NewVecDense(p, nil)
		slopes[o].MulVec(&inverse, products[o])
	}
	// The quadratic forms in (x′x)⁻¹ of the control's mean at x̄ and the effect.
	controlControl := 1/nA + mat.Inner(offset, &inverse, offset)
	controlEffect := -1/nA - mat.Inner(offset, &inverse, difference)
	effectEffect := 1/nA + 1/nB + mat.Inner(difference, &inverse, difference)
	// Var(x̄) and what it does to the control's mean at x̄.
	var spread float64 // tr((x′x)⁻¹·Var x̄)
	varX := mat.NewSymDense(p, nil)
	for i := range p {
		for k := i; k < p; k++ {
			varX.SetSym(i, k, pooled.centred(outcomes+i, outcomes+k)/(n-1)/n)
		}
	}
	for i := range p {
		for k := range p {
			spread += inverse.At(i, k) * varX.At(i, k)
		}
	}
	m := stratumMoments{units: n, alpha: make([]float64, 2*outcomes), covariance: mat.NewSymDense(2*outcomes, nil)}
	for o := range outcomes {
		m.alpha[2*o] = a.mean(o) + mat.Dot(slopes[o], offset)
		m.alpha[2*o+1] = b.mean(o) - a.mean(o) - mat.Dot(slopes[o], difference)
		for q := o; q < outcomes; q++ {
			sigma := (within(o, q) - mat.Dot(slopes[o], products[q])) / (n - float64(loss))
			m.covariance.SetSym(2*o, 2*q, sigma*(controlControl+spread)+mat.Inner(slopes[o], varX, slopes[q]))
			m.covariance.SetSym(2*o, 2*q+1, sigma*controlEffect)
			m.covariance.SetSym(2*o+1, 2*q, sigma*controlEffect)
			m.covariance.SetSym(2*o+1, 2*q+1, sigma*effectEffect)
		}
	}
	return m, nil
}
