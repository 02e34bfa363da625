package stats

import (
	"math"
)

// ProgrammeImpact is what everything that was shipped did together, measured as
// the difference between the people of a holdout, who got none of it, and an
// equally chosen arm of people who got all of it.
type ProgrammeImpact struct {
	PerUnit  Effect  // all-treated − holdout, in the metric's unit
	Relative *Effect // as a share of the holdout's mean; nil where that cannot be stated
	// Total, TotalLower and TotalUpper are PerUnit over the treated population.
	Total, TotalLower, TotalUpper float64
	Treated                       int64
	// Remaining is what the holdout still costs: PerUnit over its own units, the
	// gain that they go without.
	Remaining float64
}

// CumulativeImpact compares a holdout with its all-treated comparison arm over
// the whole time that both exist, and scales the difference to the treated
// population. The estimates must be of the metric's total per unit since the
// holdout began: adding up the effects of periods instead would count the same
// people's luck several times. Treated is the number of units outside the
// holdout, including the comparison arm.
func CumulativeImpact(holdout, comparison Estimate, treated int64, o Options) (ProgrammeImpact, error) {
	if treated < comparison.N {
		return ProgrammeImpact{}, problem(ImpossibleSums, "treated", "%d units are treated, fewer than the %d of the comparison arm", treated, comparison.N)
	}
	per, err := Absolute(holdout, comparison, o)
	if err != nil {
		return ProgrammeImpact{}, err
	}
	n := float64(treated)
	impact := ProgrammeImpact{
		PerUnit: per, Treated: treated,
		Total: n * per.Estimate, TotalLower: n * per.Lower, TotalUpper: n * per.Upper,
		Remaining: per.Estimate * float64(holdout.N),
	}
	if relative, err := Relative(holdout, comparison, o); err == nil {
		impact.Relative = &relative
	}
	if !finite(impact.Total, impact.Remaining) {
		return ProgrammeImpact{}, problem(NotFinite, "treated", "the total is outside the range of floating point")
	}
	return impact, nil
}

// Claim is what one experiment said about its own effect when it was shipped.
type Claim struct {
	Experiment string
	Effect     Effect
}

// Shrunk is a claim after the winner's curse has been taken out of it.
type Shrunk struct {
	Experiment        string
	Estimate          float64 // posterior mean
	StandardDeviation float64 // posterior
	Kept              float64 // share of the claimed distance from the mean that is kept, 0 to 1
}

// Shrinkage is a normal model of the true effects of a family of experiments,
// fitted to their estimates.
type Shrinkage struct {
	Mean   float64 // of the true effects
	Spread float64 // standard deviation of the true effects; 0 when noise explains all differences
	Shrunk []Shrunk
	// Sum of the claims and of the shrunk claims, to set beside what the holdout
	// measured.
	Claimed, Expected float64
}

// ShrinkClaims corrects the effects of a family of experiments for the winner's
// curse by empirical Bayes: estimate ~ N(effect, se²), effect ~ N(Mean, Spread²),
// with Spread by DerSimonian and Laird's moments (1986). Give it every experiment
// of the family, not only the winners, or the family's mean is too high.
func ShrinkClaims(claims []Claim) (Shrinkage, error) {
	if len(claims) < 3 {
		return Shrinkage{}, problem(TooFewUnits, "claims", "a family of effects needs three experiments or more, not %d", len(claims))
	}
	var w, wy, ww float64
	for i, c := range claims {
		e := c.Effect
		if !finite(e.Estimate, e.StandardError) {
			return Shrinkage{}, problem(NotFinite, subscript("claims", i), "estimate or standard error is NaN or infinite")
		}
		if e.StandardError <= 0 {
			return Shrinkage{}, problem(ZeroVariance, subscript("claims", i), "the standard error must be above 0, not %g", e.StandardError)
		}
		weight := 1 / (e.StandardError * e.StandardError)
		w += weight
		wy += weight * e.Estimate
		ww += weight * weight
	}
	var q float64 // Cochran's Q about the fixed-effect mean
	for _, c := range claims {
		d := (c.Effect.Estimate - wy/w) / c.Effect.StandardError
		q += d * d
	}
	spread2 := math.Max(0, (q-float64(len(claims)-1))/(w-ww/w))
	var rw, rwy float64
	for _, c := range claims {
		weight := 1 / (c.Effect.StandardError*c.Effect.StandardError + spread2)
		rw += weight
		rwy += weight * c.Effect.Estimate
	}
	out := Shrinkage{Mean: rwy / rw, Spread: math.Sqrt(spread2)}
	for _, c := range claims {
		v := c.Effect.StandardError * c.Effect.StandardError
		kept := spread2 / (spread2 + v)
		s := Shrunk{Experiment: c.Experiment, Kept: kept,
			Estimate:          out.Mean + kept*(c.Effect.Estimate-out.Mean),
			StandardDeviation: math.Sqrt(kept * v)}
		out.Shrunk = append(out.Shrunk, s)
		out.Claimed += c.Effect.Estimate
		out.Expected += s.Estimate
	}
	if !finite(out.Mean, out.Spread, out.Claimed, out.Expected) {
		return Shrinkage{}, problem(NotFinite, "claims", "the effects are outside the range of floating point")
	}
	return out, nil
}
