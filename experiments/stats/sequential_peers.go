package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// EppoTuning is the number of units at which Eppo's sequential interval is
// tightest.
const EppoTuning = 10_000

// EppoHalfWidth is the half-width of Eppo's sequential interval: the two-sided
// normal mixture of Howard, Ramdas, McAuliffe and Sekhon (Annals of Statistics
// 2021, eq. 14) at the intrinsic time n, with the mixture tuned to tuning units
// (0 means EppoTuning). It is algebraically the asymptotic confidence sequence
// of [Sequence] with ρ_H = 1/ρ², computed here by its own formula so that the
// two can be compared.
func EppoHalfWidth(standardError, units, tuning, alpha float64) (float64, error) {
	if tuning == 0 {
		tuning = EppoTuning
	}
	s, err := Sequence{Alpha: alpha, Tuning: tuning}.resolve()
	if err != nil {
		return 0, err
	}
	if !finite(standardError, units) || standardError <= 0 || units <= 0 {
		return 0, problem(InvalidOption, "standardError", "standard error and units must be finite and above 0, not %g and %g", standardError, units)
	}
	b := -2 * math.Log(s.Alpha)
	rho := tuning / (b + math.Log(b+1))
	boundary := math.Sqrt((units + rho) * math.Log((units+rho)/(rho*s.Alpha*s.Alpha)))
	return standardError * boundary / math.Sqrt(units), nil
}

// StatsigMultiplier is the Z* of Statsig's documented mixture sequential
// probability ratio test, which takes the place of 1.96 in an interval:
// √((V+τ)/τ·(−2ln(α/2)−ln(V/(V+τ)))) with V the squared standard error of the
// difference and τ = z²(s_t²+s_c²)/(n_t+n_c).
//
// Since τ shrinks like V the multiplier does not depend on the number of units:
// it is 3.58 for a 50/50 split at 5 %. It is here for comparison; reports use
// [AlwaysValid], which is narrower from the first thousands of units on.
func StatsigMultiplier(control, treatment Estimate, alpha float64) (float64, error) {
	alpha, err := Options{Alpha: alpha}.alpha()
	if err != nil {
		return 0, err
	}
	if err := testable(control, treatment); err != nil {
		return 0, err
	}
	z := distuv.UnitNormal.Quantile(1 - alpha/2)
	v := control.Variance/float64(control.N) + treatment.Variance/float64(treatment.N)
	tau := z * z * (control.Variance + treatment.Variance) / (float64(control.N) + float64(treatment.N))
	return math.Sqrt((v + tau) / tau * (-2*math.Log(alpha/2) - math.Log(v/(v+tau)))), nil
}

// Options of a Bayes factor.
const (
	// DefaultEffectScale is the prior standard deviation of the effect in
	// standard deviations of the metric, √2/2.
	DefaultEffectScale = math.Sqrt2 / 2
	// StrongEvidence is the Bayes factor at which an experiment may stop.
	StrongEvidence = 20
)

// BayesFactor is how much likelier the data are under a normal prior on the
// effect, of scale standard deviations of the metric (0 means
// DefaultEffectScale), than under no effect: √(1/(1+n_e r²))·exp(t²n_e r²/(2(1+n_e r²)))
// with n_e = n_A n_B/(n_A+n_B) and t the effect over its standard error (the
// formula that Bucketeer documents). By Ville's inequality the chance that it
// ever reaches [StrongEvidence] without an effect is at most one in twenty. It
// is +Inf when it is beyond floating point.
func BayesFactor(e Effect, control, treatment int64, scale float64) (float64, error) {
	if scale == 0 {
		scale = DefaultEffectScale
	}
	if !finite(scale) || scale < 0 {
		return 0, problem(InvalidOption, "scale", "the scale must be finite and above 0, not %g", scale)
	}
	if control < 1 || treatment < 1 {
		return 0, problem(TooFewUnits, "units", "both arms need units, they have %d and %d", control, treatment)
	}
	if err := sequenceInput(e); err != nil {
		return 0, err
	}
	effective := 1 / (1/float64(control) + 1/float64(treatment))
	t := e.Estimate / e.StandardError
	g := effective * scale * scale
	return math.Exp(t*t*g/(2*(1+g)) - 0.5*math.Log1p(g)), nil
}
