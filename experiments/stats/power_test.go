package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// TestPowerSimulated runs experiments and compares how often they see the effect
// with what the plan says. Means and variances of the arms are drawn from the
// distributions that they have for normal units. 10,000 runs give a standard
// error of 0.005 at most.
func TestPowerSimulated(t *testing.T) {
	t.Parallel()
	simulation(t)
	const runs = 10_000
	for name, c := range map[string]struct {
		plan Plan
		arm  int // units
		seed uint64
	}{
		"lift":      {Plan{Mean: 5, Variance: 9, Effect: 0.02}, 7500, 1},
		"loss":      {Plan{Mean: 5, Variance: 9, Effect: -0.024}, 7500, 2},
		"absolute":  {Plan{Mean: 5, Variance: 9, Effect: 0.02, Absolute: true}, 7500, 3},
		"one-sided": {Plan{Mean: 5, Variance: 9, Effect: 0.02, OneSided: true}, 7500, 4},
		"nothing":   {Plan{Mean: 5, Variance: 9}, 7500, 5},
		"belief":    {Plan{Mean: 5, Variance: 9, Effect: 0.02, Prior: &NormalPrior{Mean: 0.004, StandardDeviation: 0.016}}, 7500, 6},
	} {
		r := rand.New(rand.NewPCG(c.seed, 4))
		draw := func(mean float64) Estimate {
			n := float64(c.arm)
			return Estimate{
				N: int64(c.arm), Mean: mean + 3/math.Sqrt(n)*r.NormFloat64(),
				Variance: 9 * (1 + math.Sqrt(2/(n-1))*r.NormFloat64()),
			}
		}
		seen := 0
		for range runs {
			test := Relative
			if c.plan.Absolute {
				test = Absolute
			}
			o := Options{}
			if c.plan.OneSided {
				o.Alternative = Greater
			}
			e, err := test(draw(5), draw(5*(1+c.plan.Effect)), o)
			if err != nil {
				t.Fatal(err)
			}
			if b := c.plan.Prior; b != nil {
				// The posterior's interval, written out.
				precision := 1/(e.StandardError*e.StandardError) + 1/(b.StandardDeviation*b.StandardDeviation)
				mean := (e.Estimate/(e.StandardError*e.StandardError) + b.Mean/(b.StandardDeviation*b.StandardDeviation)) / precision
				e.Lower, e.Upper = mean-1.959964/math.Sqrt(precision), mean+1.959964/math.Sqrt(precision)
			}
			if e.Lower > 0 || e.Upper < 0 {
				seen++
			}
		}
		want, err := c.plan.PowerAt(float64(2 * c.arm))
		if err != nil {
			t.Fatal(err)
		}
		share := float64(seen) / runs
		t.Logf("%s: seen in %.4f, planned %.4f", name, share, want)
		if math.Abs(share-want) > 4*math.Sqrt(want*(1-want)/runs)+0.002 {
			t.Errorf("%s: seen in %.4f of the runs, the plan says %.4f", name, share, want)
		}
	}
}

// TestPowerWatched compares the chance of an always-valid success at any of many
// looks with drawn experiments.
func TestPowerWatched(t *testing.T) {
	t.Parallel()
	const runs, looks, units = 20_000, 40, 4000
	p := Plan{Mean: 2, Variance: 4, Effect: 0.12, Absolute: true, Tuning: 3000}
	want, err := p.PowerWatched(units, looks)
	if err != nil {
		t.Fatal(err)
	}
	single, err := p.PowerAt(units)
	if err != nil {
		t.Fatal(err)
	}
	var width [looks]float64
	s := Sequence{Tuning: 3000}
	for i := range looks {
		n := float64(units) / looks * float64(i+1)
		if width[i], err = s.HalfWidth(math.Sqrt(2*4/(n/2)), n); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(6, 6))
	seen := 0
	for range runs {
		var sum float64 // of differences of pairs, whose variance is 8
		for i := range looks {
			pairs := float64(units) / 2 / looks
			sum += pairs*0.24 + math.Sqrt(8*pairs)*r.NormFloat64()
			if math.Abs(sum/(pairs*float64(i+1))) > width[i] {
				seen++
				break
			}
		}
	}
	share := float64(seen) / runs
	t.Logf("seen at one of %d looks in %.4f, by integration %.4f; the published convention says %.4f", looks, share, want, single)
	if math.Abs(share-want) > 4*math.Sqrt(want*(1-want)/runs) {
		t.Errorf("seen in %.4f of the runs, by integration %.4f", share, want)
	}
}

// TestPlanAgrees: size, power and least effect of a plan invert one another.
func TestPlanAgrees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Plan{
			Mean:     rapid.Float64Range(0.05, 20).Draw(t, "mean"),
			Effect:   rapid.Float64Range(0.01, 0.5).Draw(t, "effect"),
			Absolute: rapid.Bool().Draw(t, "absolute"),
			Arms:     rapid.IntRange(2, 6).Draw(t, "arms"),
			Alpha:    rapid.Float64Range(0.005, 0.2).Draw(t, "alpha"),
			Power:    rapid.Float64Range(0.5, 0.95).Draw(t, "power"),
		}
		p.Variance = p.Mean * p.Mean * rapid.Float64Range(0.2, 5).Draw(t, "variation")
		switch rapid.IntRange(0, 4).Draw(t, "analysis") {
		case 1:
			p.Tuning = rapid.Float64Range(100, 1e5).Draw(t, "tuning")
		case 2:
			p.Prior = &NormalPrior{Mean: rapid.Float64Range(-0.1, 0.1).Draw(t, "prior mean"), StandardDeviation: rapid.Float64Range(0.05, 1).Draw(t, "prior sd")}
		case 3:
			p.OneSided = true
		case 4:
			p.Group = &GroupDesign{Spending: Spending{Kind: PocockSpending}, Looks: []float64{0.3, 0.7, 1}}
		}
		units, err := p.SampleSize()
		if err != nil {
			t.Fatal(err)
		}
		if units%int64(p.Arms) != 0 {
			t.Fatalf("%d units in %d arms", units, p.Arms)
		}
		at, err := p.PowerAt(float64(units))
		if err != nil {
			t.Fatal(err)
		}
		if at < p.Power {
			t.Fatalf("%d units have power %g, less than %g", units, at, p.Power)
		}
		if fewer := units - int64(p.Arms); fewer > 0 {
			if less, err := p.PowerAt(float64(fewer)); err != nil || less > p.Power+1e-9 {
				t.Fatalf("an arm less by one has power %g (%v)", less, err)
			}
		}
		least, err := p.MinimumEffect(float64(units))
		if err != nil {
			t.Fatal(err)
		}
		// The closed form leaves out rejections on the wrong side, and whole
		// units and the Bayesian grid round.
		if least > p.Effect*1.02+1e-4 {
			t.Fatalf("%d units see %g at least, planned for %g", units, least, p.Effect)
		}
		p.Effect = least
		if at, err = p.PowerAt(float64(units)); err != nil || at < p.Power-1e-6 {
			t.Fatalf("the least effect %g has power %g (%v)", least, at, err)
		}
	})
}

// TestSizeSimulated: rates that move from 34 % to 37 % are seen as often as
// planned with the units that are asked for.
func TestSizeSimulated(t *testing.T) {
	t.Parallel()
	simulation(t)
	size, err := ProportionSize(0.34, 0.03)
	if err != nil {
		t.Fatal(err)
	}
	size.Power = 0.85
	size.ControlShare, size.TreatmentShare = 0.3, 0.7
	units, err := size.Units()
	if err != nil {
		t.Fatal(err)
	}
	const runs = 20_000
	r := rand.New(rand.NewPCG(9, 3))
	// The number of successes of thousands of units is normal to four digits.
	draw := func(n int64, p float64) Proportion {
		mean, sd := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
		return Proportion{N: n, Successes: int64(math.Round(mean + sd*r.NormFloat64()))}
	}
	seen := 0
	for range runs {
		a, err := draw(int64(0.3*float64(units)), 0.34).Estimate()
		if err != nil {
			t.Fatal(err)
		}
		b, err := draw(int64(0.7*float64(units)), 0.37).Estimate()
		if err != nil {
			t.Fatal(err)
		}
		e, err := Absolute(a, b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if e.PValue < 0.05 {
			seen++
		}
	}
	share := float64(seen) / runs
	t.Logf("%d units: seen in %.4f, planned 0.85", units, share)
	if math.Abs(share-0.85) > 0.01 {
		t.Errorf("seen in %.4f of the runs, planned 0.85", share)
	}
}

// TestSizeIsGPower: 39,904 where G*Power has 39,906 (which uses the t
// distribution).
func TestSizeIsGPower(t *testing.T) {
	t.Parallel()
	units, err := Size{Difference: 0.3, ControlVariance: 100, TreatmentVariance: 100, Power: 0.85}.Units()
	if err != nil || units != 39_904 {
		t.Errorf("%d units, %v", units, err)
	}
}

// TestSequenceTuning: an always-valid analysis with the planned N* has the plan's
// power at N* units, and no other N* does better there.
func TestSequenceTuning(t *testing.T) {
	t.Parallel()
	p := Plan{Mean: 1, Variance: 4, Effect: 0.05, Absolute: true}
	tuning, err := p.SequenceTuning()
	if err != nil {
		t.Fatal(err)
	}
	width := func(tuning, units float64) float64 {
		half, err := Sequence{Tuning: tuning}.HalfWidth(math.Sqrt(2*4/(units/2)), units)
		if err != nil {
			t.Fatal(err)
		}
		return half
	}
	se := math.Sqrt(2 * 4 / (tuning / 2))
	power := normalSurvival((width(tuning, tuning) - 0.05) / se)
	t.Logf("N* %.0f units, power of one look there %.4f", tuning, power)
	if math.Abs(power-0.8) > 0.001 {
		t.Errorf("one look at N* has power %.4f", power)
	}
	for _, other := range []float64{tuning / 2, tuning * 2} {
		if width(other, tuning) < width(tuning, tuning) {
			t.Errorf("N* of %g is narrower at %g units", other, tuning)
		}
	}
}

// TestMidway: an experiment that grows as told has the power that was asked for,
// and one that has enough needs nothing.
func TestMidway(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := Midway{
			StandardError: rapid.Float64Range(0.01, 0.2).Draw(t, "se"),
			Units:         rapid.Int64Range(100, 1e6).Draw(t, "units"),
			Target:        rapid.Float64Range(0.02, 0.3).Draw(t, "target"),
			Goals:         rapid.IntRange(1, 5).Draw(t, "goals"),
			Tests:         rapid.IntRange(1, 10).Draw(t, "tests"),
		}
		if rapid.Bool().Draw(t, "always valid") {
			m.Tuning = 5000
		}
		needed, err := m.Needed()
		if err != nil {
			t.Fatal(err)
		}
		goal := math.Pow(0.8, 1/float64(m.Goals))
		if needed.Power < goal-2e-5 || needed.Scale > 0 && needed.Power > goal+2e-5 {
			t.Fatalf("power %g after growing by %g, goal %g", needed.Power, needed.Scale, goal)
		}
		// The same experiment, grown, needs no more.
		m.StandardError /= math.Sqrt(1 + needed.Scale)
		m.Units = int64(math.Round(float64(m.Units) * (1 + needed.Scale)))
		if more, err := m.Needed(); err != nil || more.Scale > 0.01 {
			t.Fatalf("grown by %g it needs %g again (%v)", needed.Scale, more.Scale, err)
		}
	})
}

// TestGroupPlan: what five looks cost in units. The boundaries of Pocock and of
// O'Brien and Fleming themselves need 1.229 and 1.028 times the units of a fixed
// test at power 0.8 (Jennison and Turnbull 2000, tables 2.2 and 2.4); those that
// spend like them are close.
func TestGroupPlan(t *testing.T) {
	t.Parallel()
	fixed := distuv.UnitNormal.Quantile(0.975) + distuv.UnitNormal.Quantile(0.8)
	for kind, c := range map[SpendingKind]struct {
		published float64
		bound     func(look float64) float64
	}{
		PocockSpending:        {1.229, func(float64) float64 { return 2.413 }},
		OBrienFlemingSpending: {1.028, func(look float64) float64 { return 2.040 / math.Sqrt(look) }},
	} {
		z := make([]float64, 5)
		for i, look := range fifths() {
			z[i] = c.bound(look)
		}
		crossings, err := CrossingProbabilities(fifths(), z, fixed*math.Sqrt(c.published), true)
		if err != nil {
			t.Fatal(err)
		}
		var power float64
		for _, x := range crossings {
			power += x.Upper + x.Lower
		}
		if math.Abs(power-0.8) > 5e-4 {
			t.Errorf("%s: with the published units the power is %.5f", kind, power)
		}
		drift, err := GroupDesign{Spending: Spending{Kind: kind}, Looks: fifths()}.Drift(0.8)
		if err != nil {
			t.Fatal(err)
		}
		inflation := drift * drift / (fixed * fixed)
		t.Logf("spending %s: %.4f times the units of a fixed test", kind, inflation)
		if math.Abs(inflation-c.published) > 0.02 {
			t.Errorf("spending %s: %.4f times the units of a fixed test", kind, inflation)
		}
	}
	_, err := GroupDesign{Looks: fifths()}.Drift(0.01)
	wantProblem(t, "power below level", err, InvalidOption, "power")
}

func TestDaysLeft(t *testing.T) {
	t.Parallel()
	perDay, err := RecentPerDay([]int64{900, 587, 587, 590, 584}, 3)
	if err != nil || !near(perDay, 587, 1e-9) {
		t.Errorf("%g a day, %v", perDay, err)
	}
	// Days before the series count as none (GrowthBook's case: 579 and 604 units in two days of three).
	if perDay, err = RecentPerDay([]int64{579, 604}, 3); err != nil || !near(perDay, 1183./3, 1e-9) {
		t.Errorf("%g a day, %v", perDay, err)
	}
	for _, c := range []struct {
		units, perDay float64
		days          int
	}{{0, 0, 0}, {1, 100, 1}, {1000, 100, 10}, {1001, 100, 11}} {
		if got, err := DaysLeft(c.units, c.perDay); err != nil || got != c.days {
			t.Errorf("%g units at %g a day: %d days, %v", c.units, c.perDay, got, err)
		}
	}
}

func TestPowerRefusals(t *testing.T) {
	t.Parallel()
	good := Plan{Mean: 1, Variance: 1, Effect: 0.1}
	for name, c := range map[string]struct {
		change  func(*Plan)
		reason  Reason
		subject string
	}{
		"alpha":          {func(p *Plan) { p.Alpha = 1 }, InvalidOption, "alpha"},
		"power":          {func(p *Plan) { p.Power = 1 }, InvalidOption, "power"},
		"mean 0":         {func(p *Plan) { p.Mean = 0 }, ZeroBaseline, "mean"},
		"mean NaN":       {func(p *Plan) { p.Mean = math.NaN() }, NotFinite, "mean"},
		"no variance":    {func(p *Plan) { p.Variance = 0 }, ZeroVariance, "variance"},
		"variance":       {func(p *Plan) { p.Variance = -1 }, ImpossibleSums, "variance"},
		"variance NaN":   {func(p *Plan) { p.Variance = math.NaN() }, NotFinite, "variance"},
		"effect NaN":     {func(p *Plan) { p.Effect = math.NaN() }, NotFinite, "effect"},
		"one arm":        {func(p *Plan) { p.Arms = 1 }, InvalidOption, "arms"},
		"tuning":         {func(p *Plan) { p.Tuning = -1 }, InvalidOption, "tuning"},
		"both":           {func(p *Plan) { p.Tuning = 1; p.Prior = &NormalPrior{StandardDeviation: 1} }, InvalidOption, "tuning"},
		"group too":      {func(p *Plan) { p.Group = &GroupDesign{Looks: fifths()}; p.Tuning = 5 }, InvalidOption, "group"},
		"group":          {func(p *Plan) { p.Group = &GroupDesign{Looks: []float64{1, 0.5}} }, InvalidOption, "looks"},
		"one-sided":      {func(p *Plan) { p.OneSided = true; p.Tuning = 1 }, InvalidOption, "oneSided"},
		"prior":          {func(p *Plan) { p.Prior = &NormalPrior{} }, InvalidOption, "prior"},
		"prior infinite": {func(p *Plan) { p.Prior = &NormalPrior{StandardDeviation: math.Inf(1)} }, NotFinite, "prior"},
	} {
		p := good
		c.change(&p)
		_, err := p.PowerAt(100)
		wantProblem(t, name, err, c.reason, c.subject)
		_, err = p.SampleSize()
		wantProblem(t, name, err, c.reason, c.subject)
		_, err = p.MinimumEffect(100)
		wantProblem(t, name, err, c.reason, c.subject)
		_, _, err = p.Weeks(100, 3)
		wantProblem(t, name, err, c.reason, c.subject)
	}
	_, err := good.PowerAt(math.NaN())
	wantProblem(t, "units NaN", err, InvalidOption, "units")
	_, err = good.MinimumEffect(-1)
	wantProblem(t, "negative units", err, InvalidOption, "units")
	_, err = good.MinimumEffect(2)
	wantProblem(t, "too few units", err, TooFewUnits, "units")
	_, err = Plan{Mean: 1, Variance: 1}.SampleSize()
	wantProblem(t, "no effect", err, InvalidOption, "effect")
	_, err = Plan{Mean: 1, Variance: 1, Effect: 0.1, Power: 0.04}.SampleSize()
	wantProblem(t, "power below level", err, InvalidOption, "power")
	_, err = Plan{Mean: 1, Variance: 1, Effect: 1e-9}.SampleSize()
	wantProblem(t, "effect too small", err, TooFewUnits, "effect")
	_, err = good.PowerWatched(100, 10)
	wantProblem(t, "not always valid", err, InvalidOption, "tuning")
	_, _, err = good.Weeks(100, 0)
	wantProblem(t, "weeks", err, InvalidOption, "weeks")
	_, _, err = good.Weeks(0, 1)
	wantProblem(t, "units per week", err, InvalidOption, "unitsPerWeek")
	for name, s := range map[string]Size{
		"difference":        {ControlVariance: 1, TreatmentVariance: 1},
		"controlVariance":   {Difference: 1, TreatmentVariance: 1},
		"treatmentVariance": {Difference: 1, ControlVariance: 1, TreatmentVariance: math.NaN()},
		"shares":            {Difference: 1, ControlVariance: 1, TreatmentVariance: 1, ControlShare: 0.9, TreatmentShare: 0.2},
		"power":             {Difference: 1, ControlVariance: 1, TreatmentVariance: 1, Power: 2},
		"alpha":             {Difference: 1, ControlVariance: 1, TreatmentVariance: 1, Alpha: -1},
	} {
		_, err := s.Units()
		wantProblem(t, name, err, InvalidOption, name)
	}
	_, err = ProportionSize(0, 0.1)
	wantProblem(t, "baseline", err, InvalidOption, "baseline")
	_, err = ProportionSize(0.5, 0.6)
	wantProblem(t, "difference", err, InvalidOption, "difference")
	midway := Midway{StandardError: 0.1, Units: 100, Target: 0.1}
	for name, c := range map[string]struct {
		change  func(*Midway)
		reason  Reason
		subject string
	}{
		"no variance": {func(m *Midway) { m.StandardError = 0 }, ZeroVariance, "standardError"},
		"NaN":         {func(m *Midway) { m.StandardError = math.NaN() }, NotFinite, "standardError"},
		"units":       {func(m *Midway) { m.Units = 1 }, TooFewUnits, "units"},
		"target":      {func(m *Midway) { m.Target = 0 }, InvalidOption, "target"},
		"goals":       {func(m *Midway) { m.Goals = -1 }, InvalidOption, "goals"},
		"tests":       {func(m *Midway) { m.Tests = -1 }, InvalidOption, "tests"},
		"power":       {func(m *Midway) { m.Power = 3 }, InvalidOption, "power"},
		"alpha":       {func(m *Midway) { m.Alpha = 3 }, InvalidOption, "alpha"},
		"tuning":      {func(m *Midway) { m.Tuning = -3 }, InvalidOption, "tuning"},
		"prior":       {func(m *Midway) { m.Prior = &NormalPrior{} }, InvalidOption, "prior"},
		"far off":     {func(m *Midway) { m.Target = 1e-9 }, TooFewUnits, "target"},
	} {
		m := midway
		c.change(&m)
		_, err := m.Needed()
		wantProblem(t, name, err, c.reason, c.subject)
	}
	_, err = midway.PowerAt(-1)
	wantProblem(t, "scale", err, InvalidOption, "scale")
	_, err = DaysLeft(10, 0)
	wantProblem(t, "no traffic", err, TooFewUnits, "perDay")
	_, err = DaysLeft(math.NaN(), 1)
	wantProblem(t, "days units", err, InvalidOption, "units")
	_, err = DaysLeft(1, -1)
	wantProblem(t, "negative traffic", err, InvalidOption, "perDay")
	_, err = DaysLeft(1e12, 1)
	wantProblem(t, "too many days", err, TooFewUnits, "perDay")
	_, err = RecentPerDay([]int64{-1}, 1)
	wantProblem(t, "negative day", err, ImpossibleSums, "counts[0]")
	_, err = RecentPerDay(nil, 0)
	wantProblem(t, "no day", err, InvalidOption, "days")
}
