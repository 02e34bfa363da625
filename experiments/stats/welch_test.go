package stats

import (
	"math"
	"testing"
)

func sampleOf(values ...float64) Estimate {
	var m Moments
	for _, v := range values {
		m.Add(v)
	}
	e, err := m.Estimate()
	if err != nil {
		panic(err)
	}
	return e
}

// The figures are scipy.stats.ttest_ind(equal_var=False), SciPy 1.17.
func TestAbsoluteAgainstSciPy(t *testing.T) {
	t.Parallel()
	control := sampleOf(3.1, 4.2, 5.9, 2.2, 8.8)
	treatment := sampleOf(7.7, 1.5, 9.1, 6.6, 12.0, 3.3)
	const low90, high90 = -1.7303524208216112, 5.450352420821607
	for _, c := range []struct {
		name            string
		options         Options
		p, lower, upper float64
	}{
		{"two-sided 95 %", Options{}, 0.36622783836269057, -2.575973078043628, 6.295973078043625},
		{"two-sided 90 %", Options{Alpha: 0.1}, 0.36622783836269057, low90, high90},
		{"greater", Options{Alternative: Greater}, 0.18311391918134529, low90, math.Inf(1)},
		{"less", Options{Alternative: Less}, 0.8168860808186547, math.Inf(-1), high90},
	} {
		got, err := Absolute(control, treatment, c.options)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !near(got.PValue, c.p, 1e-10) || !near(got.Lower, c.lower, 1e-9) || !near(got.Upper, c.upper, 1e-9) ||
			!near(got.DegreesOfFreedom, 8.730744288058828, 1e-10) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// Survival and quantile beside scipy.stats.t.
func TestStudentAgainstSciPy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ df, q975, sf2, sf22 float64 }{
		{1, 12.7062047361747, 0.147583617650433, 0.0140628983241388},
		{2.5, 3.57465484200368, 0.078695747878983, 0.000294201033728004},
		{100, 1.98397151852355, 0.0241060893655668, 2.05163377154172e-41},
		{42000, 1.96002046878848, 0.0227533457325288, 6.50154893976369e-113},
		{1e5, 1.95998770753461, 0.0227514817287533, 2.65123085670947e-113},
		{1e6, 1.95996635681411, 0.0227502669256596, 1.47090943816247e-113},
		{1e9, 1.95996398691233, 0.0227501320831566, 1.37749035817648e-113},
		{1e12, 1.95996398454243, 0.0227501319483142, 1.3773999427148e-113},
	} {
		for _, f := range []struct {
			name      string
			got, want float64
		}{
			{"quantile", studentQuantile(0.975, c.df), c.q975},
			{"survival at 2", studentSurvival(2, c.df), c.sf2},
			{"survival at -2", studentSurvival(-2, c.df), 1 - c.sf2},
			{"survival at 22.62", studentSurvival(22.62, c.df), c.sf22},
		} {
			if !near(f.got, f.want, 2e-9*f.want) {
				t.Errorf("df %g: %s is %.15g, want %.15g", c.df, f.name, f.got, f.want)
			}
		}
	}
}

func TestRelativeKeepsTheSignOfANegativeBaseline(t *testing.T) {
	t.Parallel()
	got, err := Relative(Estimate{N: 100, Mean: -2, Variance: 1}, Estimate{N: 100, Mean: -1, Variance: 1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Estimate != 0.5 || got.Lower < 0 {
		t.Errorf("a loss halved is an effect of +0.5, got %+v", got)
	}
}

// GrowthBook's figures for its delta variance (power.test.ts:22-32).
func TestDeltaVariance(t *testing.T) {
	t.Parallel()
	control, treatment := Estimate{N: 4, Mean: 7, Variance: 2}, Estimate{N: 15, Mean: 5, Variance: 0.5}
	absolute, errA := Absolute(control, treatment, Options{})
	relative, errR := Relative(control, treatment, Options{})
	if errA != nil || errR != nil {
		t.Fatal(errA, errR)
	}
	if v := absolute.StandardError * absolute.StandardError; !near(v, 0.5333333333333333, 1e-15) {
		t.Errorf("absolute: %.16g", v)
	}
	if v := relative.StandardError * relative.StandardError; !near(v, 0.005886436207135915, 1e-17) {
		t.Errorf("relative: %.16g", v)
	}
}

func TestEffectRefusals(t *testing.T) {
	t.Parallel()
	good := Estimate{N: 100, Mean: 2, Variance: 1}
	for _, c := range []struct {
		name               string
		control, treatment Estimate
		options            Options
		absolute, relative Reason
		subject            string
	}{
		{"one unit", Estimate{N: 1, Mean: 2, Variance: math.NaN()}, good, Options{}, TooFewUnits, TooFewUnits, "control"},
		{"empty treatment", good, Estimate{}, Options{}, TooFewUnits, TooFewUnits, "treatment"},
		{"no variance in one arm", good, Estimate{N: 9, Mean: 1}, Options{}, ZeroVariance, ZeroVariance, "treatment"},
		{"NaN mean", Estimate{N: 9, Mean: math.NaN(), Variance: 1}, good, Options{}, NotFinite, NotFinite, "control"},
		{"infinite variance", good, Estimate{N: 9, Mean: 1, Variance: math.Inf(1)}, Options{}, NotFinite, NotFinite, "treatment"},
		{"negative variance", good, Estimate{N: 9, Mean: 1, Variance: -1}, Options{}, ImpossibleSums, ImpossibleSums, "treatment"},
		{"zero baseline", Estimate{N: 9, Mean: 0, Variance: 1}, good, Options{}, "", ZeroBaseline, "control"},
		{"overflow", Estimate{N: 9, Mean: -1.7e308, Variance: 1}, Estimate{N: 9, Mean: 1.7e308, Variance: 1}, Options{}, NotFinite, NotFinite, ""},
		{"baseline too small", Estimate{N: 9, Mean: 1e-300, Variance: 1}, good, Options{}, "", NotFinite, ""},
		{"level of 0.05 written as 95", good, good, Options{Alpha: 95}, InvalidOption, InvalidOption, "alpha"},
		{"NaN level", good, good, Options{Alpha: math.NaN()}, InvalidOption, InvalidOption, "alpha"},
		{"unknown alternative", good, good, Options{Alternative: 9}, InvalidOption, InvalidOption, "alternative"},
	} {
		check := func(kind string, test func(Estimate, Estimate, Options) (Effect, error), want Reason) {
			effect, err := test(c.control, c.treatment, c.options)
			switch p := AsProblem(err); {
			case want == "" && err != nil:
				t.Errorf("%s: %s: %v", c.name, kind, err)
			case want == "" && !finite(effect.Estimate, effect.StandardError, effect.Lower, effect.Upper, effect.PValue, effect.DegreesOfFreedom):
				t.Errorf("%s: %s: %+v is not finite", c.name, kind, effect)
			case want != "" && (p == nil || p.Reason != want || p.Subject != c.subject || p.Detail == ""):
				t.Errorf("%s: %s: got %v, want %s of %q", c.name, kind, err, want, c.subject)
			case want != "" && effect != (Effect{}):
				t.Errorf("%s: %s: a refusal carries figures: %+v", c.name, kind, effect)
			}
		}
		check("absolute", Absolute, c.absolute)
		check("relative", Relative, c.relative)
	}
}

func TestBaselineUncertainty(t *testing.T) {
	t.Parallel()
	// t(0.975, 99)² · s²/(n·m²) = 3.93695/(100·0.04)
	got, err := BaselineUncertainty(Estimate{N: 100, Mean: 0.2, Variance: 1}, Options{})
	if err != nil || !near(got, 1.98421695158642*1.98421695158642/4, 1e-9) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := BaselineUncertainty(Estimate{N: 100, Variance: 1}, Options{}); AsProblem(err) == nil || AsProblem(err).Reason != ZeroBaseline {
		t.Errorf("zero mean: %v", err)
	}
}
