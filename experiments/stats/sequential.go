package stats

import "math"

// DefaultTuning is the N* of an always-valid analysis that nobody planned: the
// number of units, both arms together, at which its interval is narrowest in
// comparison with a fixed one. It is GrowthBook's default.
const DefaultTuning = 5000

// Bounds between which a one-sided always-valid p-value is searched for, as in
// GrowthBook: outside them the value is reported as the bound.
const (
	smallestOneSided = 1e-5
	largestOneSided  = 0.4999
)

// Sequence holds the options of an always-valid analysis. The zero value is a
// two-sided one at 5 % with DefaultTuning.
//
// Alpha and Tuning are chosen before the experiment starts and never changed
// while it runs: a sequence whose width is chosen after a look at the data is
// not valid.
type Sequence struct {
	Alpha       float64     // level in (0, 1), one-sided (0, 0.5); 0 means 0.05
	Alternative Alternative // TwoSided, Greater or Less
	Tuning      float64     // N* in units of both arms, above 0; 0 means DefaultTuning
}

func (s Sequence) resolve() (Sequence, error) {
	alpha, err := Options{Alpha: s.Alpha}.alpha()
	if err != nil {
		return Sequence{}, err
	}
	s.Alpha = alpha
	if s.Tuning == 0 {
		s.Tuning = DefaultTuning
	}
	switch {
	case !finite(s.Tuning) || s.Tuning < 0:
		return Sequence{}, problem(InvalidOption, "tuning", "the number of units must be finite and above 0, not %g", s.Tuning)
	case s.Alternative < TwoSided || s.Alternative > Less:
		return Sequence{}, problem(InvalidOption, "alternative", "unknown alternative %d", s.Alternative)
	case s.Alternative != TwoSided && s.Alpha >= 0.5:
		return Sequence{}, problem(InvalidOption, "alpha", "a one-sided sequence needs a level below 0.5, not %g", s.Alpha)
	}
	return s, nil
}

// AlwaysValid widens an effect's interval so that it holds its level at every
// look there ever is, however often and whenever somebody looks: the asymptotic
// confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
// (arXiv 2103.06476v7, eq. 9 two-sided, eq. 134 one-sided). The p-value is
// always valid too (eq. 155; one-sided by inverting the sequence).
//
// The effect may come from any estimator of this package; N must be the units of
// both arms. Everything but interval and p-value is taken over. The guarantee is
// asymptotic, so the first few hundred units are judged on the normal
// approximation.
func AlwaysValid(e Effect, s Sequence) (Effect, error) {
	s, err := s.resolve()
	if err != nil {
		return Effect{}, err
	}
	if err := sequenceInput(e); err != nil {
		return Effect{}, err
	}
	half, err := s.HalfWidth(e.StandardError, float64(e.N))
	if err != nil {
		return Effect{}, err
	}
	switch s.Alternative {
	case Greater:
		e.Lower, e.Upper = e.Estimate-half, math.Inf(1)
	case Less:
		e.Lower, e.Upper = math.Inf(-1), e.Estimate+half
	default:
		e.Lower, e.Upper = e.Estimate-half, e.Estimate+half
	}
	e.PValue = s.pValue(e, float64(e.N))
	return e, nil
}

// Rho is the mixture's parameter for which the sequence is tightest at N*
// (eq. 161; a one-sided sequence spends 2α).
func (s Sequence) Rho() (float64, error) {
	s, err := s.resolve()
	if err != nil {
		return 0, err
	}
	return s.rho(), nil
}

func (s Sequence) rho() float64 {
	alpha := s.Alpha
	if s.Alternative != TwoSided {
		alpha *= 2
	}
	b := -2 * math.Log(alpha)
	return math.Sqrt((b + math.Log(b+1)) / s.Tuning)
}

// HalfWidth is the distance between estimate and bound for a standard error
// that was estimated from so many units (of both arms). Planning uses fractions
// of units, so it need not be a whole number.
func (s Sequence) HalfWidth(standardError, units float64) (float64, error) {
	s, err := s.resolve()
	if err != nil {
		return 0, err
	}
	switch {
	case !finite(standardError) || standardError <= 0:
		return 0, problem(InvalidOption, "standardError", "the standard error must be finite and above 0, not %g", standardError)
	case !finite(units) || units <= 0:
		return 0, problem(InvalidOption, "units", "the number of units must be finite and above 0, not %g", units)
	}
	return s.halfWidth(standardError, units, s.rho(), s.Alpha), nil
}

// halfWidth takes ρ apart from α because a p-value is the α at which a sequence
// of fixed ρ touches zero.
func (s Sequence) halfWidth(se, units, rho, alpha float64) float64 {
	k := units*rho*rho + 1
	spread := math.Log(math.Sqrt(k) / alpha)
	if s.Alternative != TwoSided {
		spread = math.Log1p(math.Sqrt(k) / (2 * alpha))
	}
	// √(se²·n)·√(2(nρ²+1)/(nρ)²·…), with n taken out of the second root.
	return se * math.Sqrt(2*k/(units*rho*rho)*spread)
}

func (s Sequence) pValue(e Effect, units float64) float64 {
	rho := s.rho()
	if s.Alternative == TwoSided {
		k := units*rho*rho + 1
		z := e.Estimate / e.StandardError
		// −ln E, so that a large effect gives 0 and not 1/∞.
		return math.Min(1, math.Exp(0.5*math.Log(k)-rho*rho*units*z*z/(2*k)))
	}
	// How far the bound lies on the right side of zero at level a.
	towards := e.Estimate
	if s.Alternative == Less {
		towards = -towards
	}
	cleared := func(a float64) float64 { return towards - s.halfWidth(e.StandardError, units, rho, a) }
	low, high := smallestOneSided, largestOneSided
	if cleared(low) > 0 {
		return low
	}
	if cleared(high) < 0 {
		return high
	}
	// GrowthBook stops when the bound is within 1e-6 of zero, which is exact
	// enough only for a metric whose standard error is not small itself.
	near := math.Min(1e-6, 1e-3*e.StandardError)
	mid := 0.5 * (low + high)
	for range 100 {
		distance := cleared(mid)
		if distance < 0 {
			low = mid
		} else {
			high = mid
		}
		mid = 0.5 * (low + high)
		if math.Abs(distance) < near {
			break
		}
	}
	return mid
}

func sequenceInput(e Effect) error {
	switch {
	case e.N < 2:
		return problem(TooFewUnits, "n", "a sequential analysis needs two units or more, not %d", e.N)
	case !finite(e.Estimate):
		return problem(NotFinite, "estimate", "the estimate is NaN or infinite")
	case !finite(e.StandardError):
		return problem(NotFinite, "standardError", "the standard error is NaN or infinite")
	case e.StandardError <= 0:
		return problem(ZeroVariance, "standardError", "the standard error must be above 0, not %g", e.StandardError)
	}
	return nil
}
