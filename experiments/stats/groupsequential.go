package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// MaximumLooks bounds the planned looks of a group-sequential design. Boundaries
// of more looks differ little from those of a confidence sequence, which needs
// no plan.
const MaximumLooks = 100

// SpendingKind names how a group-sequential design spends its level.
type SpendingKind string

// The spending functions, of the share t of the planned information.
const (
	// PowerSpending spends α·t^φ (Kim and DeMets 1987; Spotify's default with
	// φ = 2).
	PowerSpending SpendingKind = "power"
	// OBrienFlemingSpending spends 2−2Φ(z_{α/2}/√t) per side: next to nothing
	// early on (Lan and DeMets 1983).
	OBrienFlemingSpending SpendingKind = "obrien-fleming"
	// PocockSpending spends α·ln(1+(e−1)t): about the same bound at every look
	// (Lan and DeMets 1983).
	PocockSpending SpendingKind = "pocock"
)

// Spending is a spending function. The zero value is α·t².
type Spending struct {
	Kind SpendingKind
	Phi  float64 // exponent of PowerSpending, above 0; 0 means 2
}

// Spent is the part of a one-sided level that may be used up by the share t of
// the planned information.
func (s Spending) Spent(level, t float64) (float64, error) {
	switch {
	case !(level > 0 && level < 1):
		return 0, problem(InvalidOption, "alpha", "the level must be above 0 and below 1, not %g", level)
	case !(t >= 0 && t <= 1):
		return 0, problem(InvalidOption, "looks", "a look must be a share of the planned information of 0 to 1, not %g", t)
	case t == 0:
		return 0, nil
	}
	switch s.Kind {
	case "", PowerSpending:
		phi := s.Phi
		if phi == 0 {
			phi = 2
		}
		if !finite(phi) || phi < 0 {
			return 0, problem(InvalidOption, "phi", "the exponent must be finite and above 0, not %g", phi)
		}
		return level * math.Pow(t, phi), nil
	case OBrienFlemingSpending:
		return 2 * normalSurvival(distuv.UnitNormal.Quantile(1-level/2)/math.Sqrt(t)), nil
	case PocockSpending:
		return level * math.Log1p((math.E-1)*t), nil
	}
	return 0, problem(InvalidOption, "spending", "unknown spending function %q", s.Kind)
}

// GroupDesign is a group-sequential plan: the looks and how the level is spent
// on them.
type GroupDesign struct {
	Alpha       float64     // overall level; 0 means 0.05
	Alternative Alternative // two-sided designs spend Alpha/2 on either side
	Spending    Spending
	// Looks are the shares of the planned units at which somebody looks, in
	// increasing order, above 0 and at most 1. They need not be those that were
	// planned: with spending functions (Lan and DeMets) only the share at the
	// end must be fixed beforehand.
	Looks []float64
}

// Boundary is what one look demands.
type Boundary struct {
	Look    float64 // share of the planned information
	Z       float64 // stop when the effect over its standard error is beyond this; +Inf when nothing is spent
	Nominal float64 // p-value of a single test at Z, with as many sides as the design
	Spent   float64 // level used up by this look and all before it, all sides
}

// Boundaries computes the boundary of every look by recursive numerical
// integration of the density of the running sum over the region in which the
// experiment went on (Armitage, McPherson and Rowe 1969), with Gauss-Legendre
// nodes. Z is good to five digits or more.
func (d GroupDesign) Boundaries() ([]Boundary, error) {
	alpha, err := Options{Alpha: d.Alpha}.alpha()
	if err != nil {
		return nil, err
	}
	sides, err := d.sides()
	if err != nil {
		return nil, err
	}
	if err := looksInOrder(d.Looks); err != nil {
		return nil, err
	}
	walk := newWalk(d.Looks, 0, d.Alternative == TwoSided)
	bounds := make([]Boundary, len(d.Looks))
	var spent float64
	for i, t := range d.Looks {
		due, err := d.Spending.Spent(alpha/sides, t)
		if err != nil {
			return nil, err
		}
		z := math.Inf(1)
		if step := due - spent; step > 0 {
			if z = walk.solve(i, step); !math.IsInf(z, 1) {
				spent = due
			}
		}
		walk.proceed(i, z)
		bounds[i] = Boundary{Look: t, Z: z, Nominal: sides * normalSurvival(z), Spent: sides * spent}
	}
	return bounds, nil
}

func (d GroupDesign) sides() (float64, error) {
	switch d.Alternative {
	case TwoSided:
		return 2, nil
	case Greater, Less:
		return 1, nil
	}
	return 0, problem(InvalidOption, "alternative", "unknown alternative %d", d.Alternative)
}

func looksInOrder(looks []float64) error {
	if len(looks) == 0 {
		return problem(InvalidOption, "looks", "a design needs a look")
	}
	if len(looks) > MaximumLooks {
		return problem(InvalidOption, "looks", "at most %d looks, not %d", MaximumLooks, len(looks))
	}
	last := 0.0
	for i, t := range looks {
		if !(t > last && t <= 1) {
			return problem(InvalidOption, "looks", "look %d is at %g: looks must be shares in increasing order, above 0 and at most 1", i+1, t)
		}
		last = t
	}
	return nil
}

// Judge states what the last of the design's looks says about an effect: the
// repeated confidence interval Estimate ± Z·StandardError (Jennison and Turnbull
// 1984), which holds its level at all looks together, and the repeated p-value,
// the smallest level at which this look would have stopped the experiment.
// Looks are those made so far, this one last.
func (d GroupDesign) Judge(e Effect) (Effect, Boundary, error) {
	if err := sequenceInput(e); err != nil {
		return Effect{}, Boundary{}, err
	}
	bounds, err := d.Boundaries()
	if err != nil {
		return Effect{}, Boundary{}, err
	}
	bound := bounds[len(bounds)-1]
	z := e.Estimate / e.StandardError
	half := bound.Z * e.StandardError
	switch d.Alternative {
	case Greater:
		e.Lower, e.Upper = e.Estimate-half, math.Inf(1)
	case Less:
		e.Lower, e.Upper = math.Inf(-1), e.Estimate+half
		z = -z
	default:
		e.Lower, e.Upper = e.Estimate-half, e.Estimate+half
		z = math.Abs(z)
	}
	e.PValue, err = d.repeatedP(z)
	return e, bound, err
}

// repeatedP searches the level at which the last boundary is z, on the scale of
// normal quantiles, where boundary and quantile are nearly a straight line.
func (d GroupDesign) repeatedP(z float64) (float64, error) {
	sides, err := d.sides()
	if err != nil {
		return 0, err
	}
	const certain = 8 // normal quantile of the smallest level that is told apart from 0
	low, high := distuv.UnitNormal.Quantile(1-0.999/sides), float64(certain)
	excess := func(q float64) (float64, error) {
		d.Alpha = sides * normalSurvival(q)
		bounds, err := d.Boundaries()
		if err != nil {
			return 0, err
		}
		return bounds[len(bounds)-1].Z - z, nil
	}
	atLow, err := excess(low)
	if err != nil {
		return 0, err
	}
	if atLow >= 0 {
		return 1, nil
	}
	atHigh, err := excess(high)
	if err != nil {
		return 0, err
	}
	if atHigh <= 0 {
		return sides * normalSurvival(high), nil
	}
	// Regula falsi with the Illinois rule; an infinite boundary halves instead.
	for range 60 {
		q := (low + high) / 2
		if !math.IsInf(atHigh, 1) {
			q = low - atLow*(high-low)/(atHigh-atLow)
		}
		at, err := excess(q)
		if err != nil {
			return 0, err
		}
		if math.Abs(at) < 1e-6 || high-low < 1e-9 {
			return math.Min(1, sides*normalSurvival(q)), nil
		}
		if at < 0 {
			low, atLow = q, at
			if !math.IsInf(atHigh, 1) {
				atHigh /= 2
			}
		} else {
			high, atHigh = q, at
			atLow /= 2
		}
	}
	return math.Min(1, sides*normalSurvival((low+high)/2)), nil
}
