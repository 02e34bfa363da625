package stats

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"
)

// moments is gbstats' EffectMoments, post-stratified where the case says so.
func (c publishedCase) moments(config gbConfig) (difference, error) {
	pairs, err := c.pairs()
	if err != nil {
		return difference{}, err
	}
	options := Options{Unchecked: true}
	strata := make([]Stratum, len(pairs))
	for i, p := range pairs {
		a, errA := p[0].sample()
		b, errB := p[1].sample()
		if errA != nil || errB != nil {
			return difference{}, fmt.Errorf("stratum %d: %v, %v", i, errA, errB)
		}
		strata[i] = Stratum{a, b}
	}
	whole := strata[0]
	for _, next := range strata[1:] {
		if whole, err = whole.plus(next); err != nil {
			return difference{}, err
		}
	}
	if d, given, err := withThetas(pairs, whole, config.scale()); given {
		return d, err
	}
	d, err := compare(whole.Control, whole.Treatment, config.scale(), options)
	if err != nil {
		return d, err
	}
	stratify := strings.Contains(strings.ToLower(c.Method+" "+c.Kind), "stratif")
	if config.PostStratify != nil {
		stratify = *config.PostStratify
	}
	if !stratify {
		return d, nil
	}
	// Where strata cannot be compared, gbstats compares without.
	if s, err := PostStratify(strata, config.scale(), options); err == nil {
		d.estimate, d.variance = s.Estimate, s.StandardError*s.StandardError
	}
	return d, nil
}

// withThetas compares with the slopes that a case gives, as gbstats does when
// both statistics have one.
func withThetas(pairs [][2]*gbStatistic, whole Stratum, s Scale) (difference, bool, error) {
	if len(pairs) != 1 || pairs[0][0].Theta == nil || pairs[0][1].Theta == nil {
		return difference{}, false, nil
	}
	thetaA, thetaB := *pairs[0][0].Theta, *pairs[0][1].Theta
	switch a := whole.Control.(type) {
	case Adjusted:
		b, ok := whole.Treatment.(Adjusted)
		if !ok {
			return difference{}, true, kindsDiffer(a, whole.Treatment)
		}
		k := adjustedContrast(a.joint(), b.joint(), []float64{thetaA})
		other := adjustedContrast(a.joint(), b.joint(), []float64{thetaB})
		k.adjustTreatment = other.adjustTreatment
		k.estimate = b.joint().mean(0) - thetaB*b.joint().mean(1) - a.joint().mean(0) + thetaA*a.joint().mean(1)
		d, err := k.difference(s)
		return d, true, err
	case AdjustedRatio:
		b, ok := whole.Treatment.(AdjustedRatio)
		if !ok || thetaA != thetaB {
			return difference{}, true, kindsDiffer(a, whole.Treatment)
		}
		d, err := ratioContrast(a.joint(), b.joint(), thetaA).difference(s)
		return d, true, err
	}
	return difference{}, false, nil
}

// units is gbstats' pairwise sample size.
func (c publishedCase) treated() float64 {
	pairs, err := c.pairs()
	if err != nil {
		return 0
	}
	var n float64
	for _, p := range pairs {
		n += float64(p[1].N)
	}
	return n
}

// published are the figures of a result that gbstats names.
type published map[string]float64

// run gives the figures of a case.
func (c publishedCase) run() (published, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	if run, ok := c.method(); ok {
		d, err := c.moments(config)
		if err != nil {
			return nil, err
		}
		if d.baseline == 0 {
			return nil, zeroBaseline() // gbstats refuses absolute effects too
		}
		p, err := run(d, config)
		if err != nil {
			return nil, err
		}
		if config.DifferenceType == "scaled" {
			err = c.scaled(p, config)
		}
		return p, err
	}
	if strings.HasPrefix(c.Method, "Bandits") || c.Kind == "bandit" {
		return c.bandit(config)
	}
	return nil, fmt.Errorf("unknown kind %q with method %q", c.Kind, c.Method)
}

// method is the longest known method that the case's method or kind names.
func (c publishedCase) method() (run func(difference, gbConfig) (published, error), ok bool) {
	longest := 0
	for name, candidate := range methodsOfMoments {
		if len(name) > longest && (strings.Contains(c.Method, name) || strings.Contains(c.Kind, name)) {
			run, ok, longest = candidate, true, len(name)
		}
	}
	return run, ok
}

var methodsOfMoments = map[string]func(difference, gbConfig) (published, error){
	"TwoSidedTTest":                           frequentist(TwoSided),
	"OneSidedTreatmentGreaterTTest":           frequentist(Greater),
	"OneSidedTreatmentLesserTTest":            frequentist(Less),
	"SequentialTwoSidedTTest":                 sequentially(TwoSided),
	"SequentialOneSidedTreatmentGreaterTTest": sequentially(Greater),
	"SequentialOneSidedTreatmentLesserTTest":  sequentially(Less),
	"EffectBayesianABTest":                    bayesian,
	"EffectMoments":                           momentsOnly,
	"EffectMomentsPostStratification":         momentsOnly,
	"PostStratification":                      momentsOnly,
	"post_stratify":                           frequentist(TwoSided),
}

func momentsOnly(d difference, _ gbConfig) (published, error) {
	e, err := d.infer(Options{})
	return published{"expected": e.Estimate, "stddev": e.StandardError, "n": float64(e.N)}, err
}

func frequentist(a Alternative) func(difference, gbConfig) (published, error) {
	return func(d difference, c gbConfig) (published, error) {
		d.estimate -= c.TestValue
		e, err := d.infer(Options{Alpha: c.Alpha, Alternative: a})
		return published{"expected": e.Estimate + c.TestValue, "stddev": e.StandardError, "lower": e.Lower + c.TestValue,
			"upper": e.Upper + c.TestValue, "p_value": e.PValue, "n": float64(e.N)}, err
	}
}

func sequentially(a Alternative) func(difference, gbConfig) (published, error) {
	return func(d difference, c gbConfig) (published, error) {
		plain, err := d.infer(Options{Alpha: c.Alpha})
		if err != nil {
			return nil, err
		}
		s := Sequence{Alpha: c.Alpha, Alternative: a, Tuning: c.Tuning}
		if c.Rho != nil {
			// The N* that has this ρ.
			s.Tuning *= s.rho() * s.rho() / *c.Rho / *c.Rho
		}
		e, err := AlwaysValid(plain, s)
		if err != nil {
			return nil, err
		}
		p := published{"expected": e.Estimate, "stddev": e.StandardError, "lower": e.Lower, "upper": e.Upper, "p_value": e.PValue, "n": float64(e.N)}
		if a != TwoSided {
			// gbstats stops its bisection when the bound is within 1e-6 of zero.
			p["p_value"] = upstreamBisection(e, s)
		}
		return p, nil
	}
}

func upstreamBisection(e Effect, s Sequence) float64 {
	rho := s.rho()
	towards := e.Estimate
	if s.Alternative == Less {
		towards = -towards
	}
	cleared := func(a float64) float64 { return towards - s.halfWidth(e.StandardError, float64(e.N), rho, a) }
	low, high := 1e-5, 0.4999
	if cleared(low) > 0 {
		return low
	}
	if cleared(high) < 0 {
		return high
	}
	mid := 0.5 * (low + high)
	for range 100 {
		distance := cleared(mid)
		if distance < 0 {
			low = mid
		} else {
			high = mid
		}
		mid = 0.5 * (low + high)
		if math.Abs(distance) < 1e-6 {
			break
		}
	}
	return mid
}

func bayesian(d difference, c gbConfig) (published, error) {
	e, err := d.infer(Options{Alpha: c.Alpha})
	if err != nil {
		return nil, err
	}
	prior := c.PriorEffect
	if prior == nil {
		prior = c.Prior
	}
	belief := prior.prior()
	if strings.HasPrefix(c.PriorType, "absolute") {
		belief.Scale = AbsolutePrior
		if e.Relative {
			belief.Scale = PriorAsGiven
		}
	}
	p, err := e.Posterior(belief, BayesOptions{Alpha: c.Alpha, Inverse: c.Inverse})
	return published{"expected": p.Mean, "stddev": p.StandardError, "lower": p.Lower, "upper": p.Upper, "chance_to_win": p.ChanceToWin,
		"risk[0]": p.RiskControl, "risk[1]": p.RiskTreatment, "n": float64(e.N)}, err
}

// scaled is gbstats' scaled impact: an absolute effect times all users by day.
func (c publishedCase) scaled(p published, config gbConfig) error {
	users := c.treated()
	if config.TotalUsers != nil {
		users = *config.TotalUsers
	}
	traffic, days := 1.0, 1.0
	for _, v := range []*float64{config.TrafficB, config.Traffic} {
		if v != nil {
			traffic = *v
		}
	}
	if config.Days != nil {
		days = *config.Days
	}
	if traffic == 0 || days == 0 || users == 0 {
		return problem(InvalidOption, "reach", "nothing to scale by")
	}
	for _, name := range []string{"expected", "stddev", "lower", "upper"} {
		p[name] *= users / traffic / days
	}
	return nil
}

// bandit runs the bandits' statistics on a list of arms.
func (c publishedCase) bandit(config gbConfig) (published, error) {
	arms, err := one[manyOf](c.Input, "stats", "arms", "statistics", "variations")
	if err != nil {
		return nil, err
	}
	estimates := make([]Estimate, len(*arms))
	theta, addback, total := 0.0, 0.0, 0.0
	if first := (*arms)[0]; first.Post != nil && first.Theta != nil {
		theta = *first.Theta
	}
	for _, a := range *arms {
		total += float64(a.N)
		if a.Pre != nil {
			addback += theta * a.Pre.Sum
		}
	}
	for i, a := range *arms {
		sample, err := a.sample()
		if err != nil {
			return nil, err
		}
		e, err := estimateOf(sample, Options{Unchecked: true})
		if err != nil {
			return nil, err
		}
		if x, ok := sample.(Adjusted); ok && theta != 0 {
			j := x.joint()
			e.Mean += addback/total - theta*j.mean(1)
			if e.Variance, err = j.form([]float64{1, -theta}); err != nil {
				return nil, err
			}
		}
		estimates[i] = e
	}
	prior := config.PriorDistribution
	if prior == nil {
		prior = config.Prior
	}
	o := BestArmOptions{Prior: prior.prior(), Inverse: config.Inverse, Hermite: 128}
	if config.Floor != nil {
		o.Floor = *config.Floor
	}
	if !o.Prior.Proper {
		o.Prior = Prior{Proper: true, Variance: 1e30}
	}
	b, err := BestArm(estimates, o)
	if err != nil {
		return nil, err
	}
	floor := 0.01
	if o.Floor > 0 {
		floor = o.Floor
	}
	out := published{}
	z := distuv.UnitNormal.Quantile(1 - config.Alpha/2)
	for i, e := range estimates {
		out[fmt.Sprintf("users[%d]", i)] = float64(e.N)
		out[fmt.Sprintf("cr[%d]", i)] = e.Mean
		out[fmt.Sprintf("ci[%d][0]", i)] = e.Mean - z*b.Deviation[i]
		out[fmt.Sprintf("ci[%d][1]", i)] = e.Mean + z*b.Deviation[i]
		out[fmt.Sprintf("posterior_mean[%d]", i)] = b.Mean[i]
		out[fmt.Sprintf("posterior_variance[%d]", i)] = b.Deviation[i] * b.Deviation[i]
		out[fmt.Sprintf("best_arm_probabilities[%d]", i)] = b.Probability[i]
		weight := b.Weight[i]
		if config.TopTwo != nil && *config.TopTwo {
			weight = floor + (1-float64(len(estimates))*floor)*(b.Probability[i]+secondBest(b, i, config.Inverse))/2
		}
		out[fmt.Sprintf("bandit_weights[%d]", i)] = weight
		out[fmt.Sprintf("updated_weights[%d]", i)] = weight
	}
	return out, nil
}

// secondBest is the probability of an arm to be the second best, over the arm
// that beats it: P(all but i and j are below i) − P(all but i are).
func secondBest(b BestArms, arm int, inverse bool) (p float64) {
	for j := range b.Mean {
		if j == arm {
			continue
		}
		var means, deviations []float64
		at := 0
		for i := range b.Mean {
			if i == arm {
				at = len(means)
			}
			if i != j {
				means, deviations = append(means, b.Mean[i]), append(deviations, b.Deviation[i])
			}
		}
		without, err := ProbabilityBest(means, deviations, inverse, 0)
		if err == nil {
			p += without[at] - b.Probability[arm]
		}
	}
	return p
}
