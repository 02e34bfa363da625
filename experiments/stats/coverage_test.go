package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// unit is one simulated unit: a metric, a covariate of before, numerator and
// denominator of a ratio now and before, and a stratum.
type unit struct {
	y, x, m, d, mPre, dPre float64
	stratum                int
}

// world draws units. Lift moves the treated units' mean by a known amount.
type world struct {
	draw func(r *rand.Rand, treated bool, lift float64) unit
	// mean is the control's mean, so that a relative effect is known too.
	mean float64
	// covariates asks for the sums of several covariates as well.
	covariates bool
}

var worlds = map[string]world{
	// Correlated normal values in three strata of different level.
	"normal": {mean: 10, covariates: true, draw: func(r *rand.Rand, treated bool, lift float64) unit {
		s := r.IntN(3)
		x := r.NormFloat64()
		y := 10 + 2*float64(s-1) + 1.5*x + r.NormFloat64()
		if treated {
			y += lift
		}
		return unit{y: y, x: x, stratum: s}
	}},
	// Visits that convert, and whether the person converted before.
	"conversion": {mean: 0.2, draw: func(r *rand.Rand, treated bool, lift float64) unit {
		var u unit
		loyal := r.Float64() < 0.3
		u.stratum = r.IntN(2)
		rate, before := 0.1, 0.15
		if loyal {
			rate, before = 13.0/30, 0.7
		}
		if treated {
			rate += lift
		}
		if r.Float64() < before {
			u.x = 1
		}
		if r.Float64() < rate {
			u.y = 1
		}
		return u
	}},
	// Money spent: log-normal, skewness 2.9.
	"revenue": {mean: math.Exp(0.245), draw: func(r *rand.Rand, treated bool, lift float64) unit {
		z := r.NormFloat64()
		x := math.Exp(0.5*z + 0.3*r.NormFloat64())
		y := math.Exp(0.5*z + math.Sqrt(0.24)*r.NormFloat64())
		if treated {
			y += lift
		}
		return unit{y: y, x: x}
	}},
	// A total over a total: items bought by visits, related within a person.
	"ratio": {mean: 0.5, draw: func(r *rand.Rand, treated bool, lift float64) unit {
		s := r.IntN(2)
		taste := 0.1 * r.NormFloat64()
		rate := 0.5 + 0.1*float64(2*s-1) + taste
		d, dPre := float64(1+r.IntN(5)), float64(1+r.IntN(5))
		u := unit{d: d, dPre: dPre, stratum: s, mPre: dPre*rate + 0.3*r.NormFloat64(), m: d*rate + 0.3*r.NormFloat64()}
		if treated {
			u.m += lift * d
		}
		return u
	}},
}

type armSums struct {
	mean       Mean
	adjusted   Adjusted
	covariates Covariates
	ratio      AdjustedRatio
	strata     [3]struct {
		adjusted Adjusted
		ratio    AdjustedRatio
	}
}

func (a *Adjusted) add(u unit) {
	a.N++
	a.Sum += u.y
	a.SumSquares += u.y * u.y
	a.CovariateSum += u.x
	a.CovariateSquares += u.x * u.x
	a.Products += u.x * u.y
}

func (a *AdjustedRatio) add(u unit) {
	a.N++
	a.Numerator += u.m
	a.Denominator += u.d
	a.NumeratorSquares += u.m * u.m
	a.DenominatorSquares += u.d * u.d
	a.Products += u.m * u.d
	a.PreNumerator += u.mPre
	a.PreDenominator += u.dPre
	a.PreNumeratorSquares += u.mPre * u.mPre
	a.PreDenominatorSquares += u.dPre * u.dPre
	a.PreProducts += u.mPre * u.dPre
	a.NumeratorPreNumerator += u.m * u.mPre
	a.NumeratorPreDenominator += u.m * u.dPre
	a.DenominatorPreNumerator += u.d * u.mPre
	a.DenominatorPreDenominator += u.d * u.dPre
}

func (w world) arm(r *rand.Rand, n int, treated bool, lift float64) *armSums {
	var a armSums
	for range n {
		u := w.draw(r, treated, lift)
		if u.d > 0 {
			a.strata[u.stratum].ratio.add(u)
			continue
		}
		a.strata[u.stratum].adjusted.add(u)
		if w.covariates {
			a.covariates.Add(u.y, u.x, u.x*u.x)
		}
	}
	for i := range a.strata {
		a.adjusted = a.adjusted.Plus(a.strata[i].adjusted)
		a.ratio = a.ratio.Plus(a.strata[i].ratio)
	}
	a.mean = Mean{N: a.adjusted.N, Sum: a.adjusted.Sum, SumSquares: a.adjusted.SumSquares}
	return &a
}

type interval struct {
	name     string
	relative bool
	run      func(a, b *armSums) (Effect, error)
}

func compared(sums func(*armSums) Sample, s Scale) func(a, b *armSums) (Effect, error) {
	return func(a, b *armSums) (Effect, error) { return Compare(sums(a), sums(b), s, Options{}) }
}

func stratified(strata int, s Scale, pick func(*armSums, int) Sample) func(a, b *armSums) (Effect, error) {
	return func(a, b *armSums) (Effect, error) {
		list := make([]Stratum, strata)
		for i := range list {
			list[i] = Stratum{pick(a, i), pick(b, i)}
		}
		got, err := PostStratify(list, s, Options{})
		if err == nil && got.Strata != strata {
			err = fmt.Errorf("%d strata", got.Strata)
		}
		return got.Effect, err
	}
}

func mean(a *armSums) Sample          { return a.mean }
func proportion(a *armSums) Sample    { return Proportion{N: a.mean.N, Successes: int64(a.mean.Sum)} }
func adjusted(a *armSums) Sample      { return a.adjusted }
func binary(a *armSums) Sample        { b := a.adjusted; b.Binary = true; return b }
func covariates(a *armSums) Sample    { return a.covariates }
func ratio(a *armSums) Sample         { return a.ratio.plain() }
func adjustedRatio(a *armSums) Sample { return a.ratio }

func stratumMean(a *armSums, i int) Sample          { return a.strata[i].adjusted.plain() }
func stratumAdjusted(a *armSums, i int) Sample      { return a.strata[i].adjusted }
func stratumRatio(a *armSums, i int) Sample         { return a.strata[i].ratio.plain() }
func stratumAdjustedRatio(a *armSums, i int) Sample { return a.strata[i].ratio }

func fiellers(a, b *armSums) (Effect, error) {
	x, _ := a.mean.Estimate()
	y, _ := b.mean.Estimate()
	return Fieller(x, y, Options{})
}

func flatPrior(a, b *armSums) (Effect, error) {
	e, err := Compare(a.mean, b.mean, AbsoluteScale, Options{})
	if err != nil {
		return e, err
	}
	p, err := e.Posterior(Prior{}, BayesOptions{})
	e.Lower, e.Upper = p.Lower, p.Upper
	return e, err
}

// toplines is the interval of the total in units of one person's effect: 250
// units a day, of which half the experiment's tenth was treated.
func toplines(a, b *armSums) (Effect, error) {
	e, err := Compare(a.mean, b.mean, AbsoluteScale, Options{})
	if err != nil {
		return e, err
	}
	i, err := Topline(e, Reach{Treated: b.mean.N, Days: float64(b.mean.N) / 250, Allocation: 0.1, Share: 0.5})
	e.Lower, e.Upper = i.Projected.Lower/5000, i.Projected.Upper/5000
	return e, err
}

// checkCoverage asks that the share of intervals which hold the truth is from
// 94 to 96 %.
func checkCoverage(t *testing.T, name string, truth float64, covered, runs int) {
	t.Helper()
	share := float64(covered) / float64(runs)
	t.Logf("%-28s effect %6.3f: %.2f %% of %d", name, truth, 100*share, runs)
	if share < 0.94 || share > 0.96 {
		t.Errorf("%s, effect %g: the interval covers in %.2f %% of %d experiments", name, truth, 100*share, runs)
	}
}

// Every interval covers the truth in 94 to 96 of 100 experiments, whether the
// treatment does something or not. All estimators of a world see the same data.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a simulation of sums in one goroutine has nothing for the race detector")
	}
	for _, c := range []struct {
		world        string
		nA, nB, runs int
		lift         float64
		intervals    []interval
	}{
		{"normal", 150, 200, 4000, 1, []interval{
			{"mean", false, compared(mean, AbsoluteScale)},
			{"mean, relative", true, compared(mean, RelativeScale)},
			{"mean, Fieller", true, fiellers},
			{"mean, flat prior", false, flatPrior},
			{"topline", false, toplines},
			{"CUPED", false, compared(adjusted, AbsoluteScale)},
			{"CUPED, relative", true, compared(adjusted, RelativeScale)},
			{"several covariates", false, compared(covariates, AbsoluteScale)},
			{"several covariates, relative", true, compared(covariates, RelativeScale)},
			{"strata", false, stratified(3, AbsoluteScale, stratumMean)},
			{"strata, relative", true, stratified(3, RelativeScale, stratumMean)},
			{"strata and CUPED", false, stratified(3, AbsoluteScale, stratumAdjusted)},
			{"strata and CUPED, relative", true, stratified(3, RelativeScale, stratumAdjusted)},
		}},
		{"conversion", 500, 500, 4000, 0.1, []interval{
			{"proportion", false, compared(proportion, AbsoluteScale)},
			{"proportion, relative", true, compared(proportion, RelativeScale)},
			{"proportion, CUPED", false, compared(binary, AbsoluteScale)},
			{"proportion, CUPED, relative", true, compared(binary, RelativeScale)},
			{"proportion, strata", false, stratified(2, AbsoluteScale, stratumMean)},
		}},
		{"revenue", 3000, 3000, 4000, 0.2, []interval{
			{"revenue", false, compared(mean, AbsoluteScale)},
			{"revenue, relative", true, compared(mean, RelativeScale)},
			{"revenue, CUPED", false, compared(adjusted, AbsoluteScale)},
			{"revenue, CUPED, relative", true, compared(adjusted, RelativeScale)},
		}},
		{"ratio", 250, 350, 4000, 0.1, []interval{
			{"ratio", false, compared(ratio, AbsoluteScale)},
			{"ratio, relative", true, compared(ratio, RelativeScale)},
			{"ratio, CUPED", false, compared(adjustedRatio, AbsoluteScale)},
			{"ratio, CUPED, relative", true, compared(adjustedRatio, RelativeScale)},
			{"ratio, strata", false, stratified(2, AbsoluteScale, stratumRatio)},
			{"ratio, strata and CUPED", true, stratified(2, RelativeScale, stratumAdjustedRatio)},
		}},
	} {
		t.Run(c.world, func(t *testing.T) {
			t.Parallel()
			w := worlds[c.world]
			for _, lift := range []float64{0, c.lift} {
				random := rand.New(rand.NewPCG(20, math.Float64bits(lift)))
				covered := make([]int, len(c.intervals))
				for range c.runs {
					a, b := w.arm(random, c.nA, false, 0), w.arm(random, c.nB, true, lift)
					for i, in := range c.intervals {
						e, err := in.run(a, b)
						if err != nil {
							t.Fatalf("%s: %v", in.name, err)
						}
						truth := lift
						if in.relative {
							truth /= w.mean
						}
						if e.Lower <= truth && truth <= e.Upper {
							covered[i]++
						}
					}
				}
				for i, in := range c.intervals {
					truth := lift
					if in.relative {
						truth /= w.mean
					}
					checkCoverage(t, in.name, truth, covered[i], c.runs)
				}
			}
		})
	}
}

// The other intervals: quantiles of persons and of clustered events,
// interactions, segments, winsorised means and proper priors.
func TestOtherIntervalsCover(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a simulation of sums in one goroutine has nothing for the race detector")
	}
	shape := func(r *rand.Rand) float64 { return math.Exp(0.6 * r.NormFloat64()) }
	sample := func(r *rand.Rand, n int, shift float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = shape(r) + shift
		}
		return out
	}
	sums := func(values []float64, l Limits) Mean {
		m := Mean{N: int64(len(values))}
		for _, v := range values {
			y := l.Apply(v)
			m.Sum += y
			m.SumSquares += y * y
		}
		return m
	}
	whole := Limits{Lower: math.Inf(-1), Upper: math.Inf(1)}
	events := func(r *rand.Rand, n int, shift float64) [][]float64 {
		out := make([][]float64, n)
		for i := range out {
			level := 0.5 * r.NormFloat64()
			out[i] = make([]float64, 1+r.IntN(6))
			for k := range out[i] {
				out[i][k] = math.Exp(level+0.4*r.NormFloat64()) + shift
			}
		}
		return out
	}
	type draw func(r *rand.Rand, lift float64) (Effect, float64, error)
	quantile := func(level float64) draw {
		return func(r *rand.Rand, lift float64) (Effect, float64, error) {
			a, errA := QuantileOf(sample(r, 450, 0), level)
			b, errB := QuantileOf(sample(r, 450, lift), level)
			if errA != nil || errB != nil {
				return Effect{}, 0, fmt.Errorf("%w, %w", errA, errB)
			}
			e, err := Compare(a, b, AbsoluteScale, Options{})
			return e, lift, err
		}
	}
	for _, c := range []struct {
		name string
		runs int
		lift float64
		draw draw
	}{
		{"median", 3000, 0.2, quantile(0.5)},
		{"90th percentile", 3000, 0.4, quantile(0.9)},
		{"median of clustered events", 2000, 0.2, func(r *rand.Rand, lift float64) (Effect, float64, error) {
			a, errA := ClusteredQuantileOf(events(r, 250, 0), 0.5)
			b, errB := ClusteredQuantileOf(events(r, 250, lift), 0.5)
			if errA != nil || errB != nil {
				return Effect{}, 0, fmt.Errorf("%w, %w", errA, errB)
			}
			e, err := Compare(a, b, AbsoluteScale, Options{})
			return e, lift, err
		}},
		{"interaction", 4000, 0.4, func(r *rand.Rand, lift float64) (Effect, float64, error) {
			cell := func(n int, shift float64) Sample { return sums(sample(r, n, shift), whole) }
			e, err := Interaction([2][2]Sample{{cell(150, 0), cell(150, 0.2)}, {cell(200, 0.1), cell(120, 0.3+lift)}}, Options{})
			return e, lift, err
		}},
		{"segment against the rest", 4000, 0.4, func(r *rand.Rand, lift float64) (Effect, float64, error) {
			s, errS := Compare(sums(sample(r, 120, 0), whole), sums(sample(r, 120, lift), whole), AbsoluteScale, Options{})
			q, errQ := Compare(sums(sample(r, 250, 0), whole), sums(sample(r, 250, 0), whole), AbsoluteScale, Options{})
			if errS != nil || errQ != nil {
				return Effect{}, 0, fmt.Errorf("%w, %w", errS, errQ)
			}
			e, err := Differential(s, q, Options{})
			return e, lift, err
		}},
		// The truth is the effect on the capped mean, so only an effect that the
		// cap leaves alone is known: none.
		{"capped mean", 3000, 0, func(r *rand.Rand, lift float64) (Effect, float64, error) {
			a, b := sample(r, 300, 0), sample(r, 300, lift)
			l, err := Cap{Upper: 0.98}.Of(a, b)
			if err != nil {
				return Effect{}, 0, err
			}
			e, err := Compare(sums(a, l), sums(b, l), AbsoluteScale, Options{})
			return e, lift, err
		}},
		// With a proper prior the interval covers on average over effects that
		// come from the prior.
		{"proper prior", 4000, 0, func(r *rand.Rand, lift float64) (Effect, float64, error) {
			truth := 0.05 + 0.1*r.NormFloat64()
			e, err := Compare(sums(sample(r, 200, 0), whole), sums(sample(r, 200, truth), whole), AbsoluteScale, Options{})
			if err != nil {
				return Effect{}, 0, err
			}
			p, err := e.Posterior(Prior{Proper: true, Mean: 0.05, Variance: 0.01, Scale: AbsolutePrior}, BayesOptions{})
			e.Lower, e.Upper = p.Lower, p.Upper
			return e, truth, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lifts := []float64{0, c.lift}
			if c.lift == 0 {
				lifts = lifts[:1]
			}
			for _, lift := range lifts {
				random := rand.New(rand.NewPCG(30, math.Float64bits(lift)))
				covered := 0
				for range c.runs {
					e, truth, err := c.draw(random, lift)
					if err != nil {
						t.Fatal(err)
					}
					if e.Lower <= truth && truth <= e.Upper {
						covered++
					}
				}
				checkCoverage(t, c.name, lift, covered, c.runs)
			}
		})
	}
}

// Below the size that a heavy tail needs, the interval covers too rarely, and
// Adequate says so; from that size on it covers.
func TestAdequateKnowsWhenIntervalsCover(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a simulation of sums in one goroutine has nothing for the race detector")
	}
	// One in five buys, for a log-normal sum: skewness 10.4 with σ = 1.
	spend := func(r *rand.Rand) float64 {
		if r.Float64() > 0.2 {
			return 0
		}
		return math.Exp(r.NormFloat64())
	}
	mild := func(r *rand.Rand) float64 { return math.Exp(0.5 * r.NormFloat64()) } // skewness 1.75
	for _, c := range []struct {
		name   string
		draw   func(*rand.Rand) float64
		nA, nB int
		runs   int
		enough bool // as judged
		covers bool
	}{
		{"60 and 1,200 are not", spend, 60, 1200, 3000, false, false},
		{"2,000 and 2,000 are enough", mild, 2000, 2000, 2500, true, true},
		// Between equal arms the skewness cancels: the rule is on the safe side.
		{"600 and 600 of a heavy tail", spend, 600, 600, 3000, false, true},
	} {
		random := rand.New(rand.NewPCG(40, uint64(c.nA)))
		covered, judged := 0, 0
		for range c.runs {
			var arms [2]Shape
			for i, n := range []int{c.nA, c.nB} {
				for range n {
					arms[i].Add(c.draw(random))
				}
			}
			e, err := Compare(Mean{N: arms[0].N, Sum: arms[0].Sum, SumSquares: arms[0].SumSquares},
				Mean{N: arms[1].N, Sum: arms[1].Sum, SumSquares: arms[1].SumSquares}, AbsoluteScale, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if e.Lower <= 0 && 0 <= e.Upper {
				covered++
			}
			a, err := Adequate(arms[0], arms[1])
			if err != nil {
				t.Fatal(err)
			}
			if a.Enough() == c.enough {
				judged++
			}
		}
		share, right := float64(covered)/float64(c.runs), float64(judged)/float64(c.runs)
		t.Logf("%s: covers in %.2f %%, judged so in %.1f %%", c.name, 100*share, 100*right)
		if c.covers != (share >= 0.94 && share <= 0.96) {
			t.Errorf("%s: the interval covers in %.2f %%", c.name, 100*share)
		}
		if right < 0.95 {
			t.Errorf("%s: judged so in only %.1f %%", c.name, 100*right)
		}
	}
}
