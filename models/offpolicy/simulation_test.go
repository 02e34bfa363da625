package offpolicy

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// world is a population of four kinds of people and six actions with known click rates.
type world struct {
	rates           [4][6]float64
	logging, target [4][6]float64
}

func newWorld() *world {
	rng := rand.New(rand.NewPCG(11, 7))
	w := new(world)
	for x := range w.rates {
		var best int
		for a := range w.rates[x] {
			w.rates[x][a] = 0.05 + 0.3*rng.Float64()
			if w.rates[x][a] > w.rates[x][best] {
				best = a
			}
		}
		for a := range w.rates[x] {
			// The log prefers what does poorly and explores; the target prefers the best.
			w.logging[x][a] = 0.04 + (1-6*0.04)*(0.5-w.rates[x][a])
			w.target[x][a] = 0.02
		}
		var sum float64
		for _, p := range w.logging[x] {
			sum += p
		}
		for a := range w.logging[x] {
			w.logging[x][a] /= sum
		}
		w.target[x][best] += 1 - 6*0.02
	}
	return w
}

func (w *world) truth() float64 {
	var v float64
	for x := range w.rates {
		for a, p := range w.target[x] {
			v += p * w.rates[x][a] / float64(len(w.rates))
		}
	}
	return v
}

// log makes decisions by several of each person; the model of the reward is off by a factor.
func (w *world) log(rng *rand.Rand, decisions, perPerson int, bias float64) Log {
	l := make(Log, decisions)
	x := 0
	for i := range l {
		if i%perPerson == 0 {
			x = rng.IntN(len(w.rates)) // one person stays of one kind
		}
		u, a := rng.Float64(), 0
		for a < 5 && u >= w.logging[x][a] {
			u -= w.logging[x][a]
			a++
		}
		d := &l[i]
		if perPerson > 1 {
			d.Person = uint64(i/perPerson) + 1
		}
		d.Propensity, d.Target = w.logging[x][a], w.target[x][a]
		if rng.Float64() < w.rates[x][a] {
			d.Reward = 1
		}
		d.Expected = bias * w.rates[x][a]
		for b, p := range w.target[x] {
			d.Value += p * bias * w.rates[x][b]
		}
	}
	return l
}

// The interval of what policy A would bring, from a log of policy B, covers A's true value as often as it says.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	const simulations = 3000
	w := newWorld()
	truth := w.truth()
	for _, c := range []struct {
		name      string
		estimator Estimator
		perPerson int
	}{
		{"ips", IPS, 1}, {"snips", SNIPS, 1}, {"dr", DR, 1}, {"sndr", SNDR, 1}, {"dr, persons", DR, 5}, {"snips, persons", SNIPS, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, uint64(len(c.name))))
			covered, bernstein, sequence := 0, 0, 0
			var mean float64
			for range simulations {
				l := w.log(rng, 2500, c.perPerson, 0.7)
				e := c.estimator(l)
				mean += e.Value / simulations
				if i, err := e.Normal(0.05); err != nil {
					t.Fatal(err)
				} else if i.Lower <= truth && truth <= i.Upper {
					covered++
				}
				if i, err := e.Sequence(0.05, 2500); err != nil {
					t.Fatal(err)
				} else if i.Lower <= truth && truth <= i.Upper {
					sequence++
				}
				if c.name == "ips" {
					if i, err := e.Bernstein(0.05, 0, 1/0.04); err != nil {
						t.Fatal(err)
					} else if i.Lower <= truth && truth <= i.Upper {
						bernstein++
					}
				}
			}
			if covered < 0.94*simulations || covered > 0.96*simulations {
				t.Errorf("the normal interval covers %d of %d", covered, simulations)
			}
			if sequence < 0.98*simulations || c.name == "ips" && bernstein < 0.99*simulations {
				t.Errorf("the sequence covers %d, the Bernstein interval %d of %d", sequence, bernstein, simulations)
			}
			if math.Abs(mean-truth) > 0.002 {
				t.Errorf("the mean estimate is %.5f, the truth %.5f", mean, truth)
			}
			t.Logf("covers %.3f, always-valid %.3f; mean %.5f, truth %.5f", float64(covered)/simulations, float64(sequence)/simulations, mean, truth)
		})
	}
}

func TestBootstrapAgreesWithTheNormalInterval(t *testing.T) {
	t.Parallel()
	l := newWorld().log(rand.New(rand.NewPCG(1, 2)), 5000, 4, 1)
	for _, estimator := range []Estimator{IPS, SNIPS, DR} {
		e := estimator(l)
		normal, err := e.Normal(0.05)
		if err != nil {
			t.Fatal(err)
		}
		boot, err := e.Bootstrap(l, 0.05, 2000, 9)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := e.Bootstrap(l, 0.05, 2000, 9); again != boot {
			t.Error("the same seed gives another interval")
		}
		if width := normal.Upper - normal.Lower; math.Abs(boot.Lower-normal.Lower) > 0.1*width || math.Abs(boot.Upper-normal.Upper) > 0.1*width {
			t.Errorf("%s: bootstrap %v, normal %v", e.Estimator, boot, normal)
		}
	}
}

// A difference on the same log is what the two values differ by, with a smaller error.
func TestDifference(t *testing.T) {
	t.Parallel()
	w := newWorld()
	l := w.log(rand.New(rand.NewPCG(4, 2)), 4000, 1, 1)
	other := make(Log, len(l))
	copy(other, l)
	for i := range other { // nearly the same policy
		other[i].Target *= 0.98
		other[i].Value *= 0.98
	}
	of, over := DR(l), DR(other)
	d, err := Difference(l, of, over)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(d.Value-(of.Value-over.Value)) > 1e-15 || d.StandardError > of.StandardError/10 {
		t.Errorf("difference %v ± %v of values ± %v", d.Value, d.StandardError, of.StandardError)
	}
	if _, err := Difference(l[1:], of, over); err == nil {
		t.Error("estimates of other logs were compared")
	}
}

func TestLimitsOfShrinkage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "decisions")
		l := make(Log, n)
		for i := range l {
			l[i] = Decision{
				Reward: rapid.Float64Range(-5, 5).Draw(t, "reward"), Propensity: rapid.Float64Range(0.01, 1).Draw(t, "propensity"),
				Target: rapid.Float64Range(0.001, 1).Draw(t, "target"), Expected: rapid.Float64Range(-5, 5).Draw(t, "expected"),
				Value: rapid.Float64Range(-5, 5).Draw(t, "value"),
			}
		}
		same := func(name string, a, b float64) {
			if math.Abs(a-b) > 1e-9*max(1, math.Abs(a)) {
				t.Errorf("%s: %v and %v", name, a, b)
			}
		}
		same("switch at 0 is the direct method", SwitchDR(0)(l).Value, DM(l).Value)
		same("switch at infinity is doubly robust", SwitchDR(math.Inf(1))(l).Value, DR(l).Value)
		same("λ of 0 is the direct method", DRos(0)(l).Value, DM(l).Value)
		same("λ of infinity is doubly robust", DRos(math.Inf(1))(l).Value, DR(l).Value)
		for i := range l {
			l[i].Expected, l[i].Value = 0, 0
		}
		same("doubly robust without a model is IPS", DR(l).Value, IPS(l).Value)
		same("self-normalised too", SNDR(l).Value, SNIPS(l).Value)
		for i := range l {
			l[i].Target = l[i].Propensity
		}
		var mean float64
		for i := range l {
			mean += l[i].Reward / float64(n)
		}
		same("the logging policy itself", IPS(l).Value, mean)
		if o := l.Diagnose(); math.Abs(o.EffectiveSize-float64(n)) > 1e-6 {
			t.Errorf("effective size %v of %d", o.EffectiveSize, n)
		}
	})
}

// A log without a floor: one decision carries all weight.
func TestRefusesWithoutSupport(t *testing.T) {
	t.Parallel()
	l := make(Log, 10_000)
	for i := range l {
		l[i] = Decision{Propensity: 0.9, Target: 0.02}
	}
	l[17].Propensity = 1e-6
	err := l.Diagnose().Check(DefaultBounds())
	var refused *NoSupportError
	if !errors.As(err, &refused) || len(refused.Reasons) < 2 || !strings.Contains(err.Error(), "one decision has") {
		t.Fatalf("%v", err)
	}
	for i := range l {
		l[i] = Decision{Propensity: 0.5, Target: 0.5, Unreached: 0.3}
	}
	if err := l.Diagnose().Check(DefaultBounds()); !errors.As(err, &refused) || len(refused.Reasons) != 1 || !strings.Contains(err.Error(), "never be chosen") {
		t.Errorf("an unreached action: %v", err)
	}
}

func TestBadLogs(t *testing.T) {
	t.Parallel()
	good := Decision{Propensity: 0.5, Target: 0.5}
	for name, c := range map[string]struct {
		change func(*Decision)
		want   string
	}{
		"reward":     {func(d *Decision) { d.Reward = math.NaN() }, "reward"},
		"infinite":   {func(d *Decision) { d.Reward = math.Inf(1) }, "reward"},
		"zero":       {func(d *Decision) { d.Propensity = 0 }, "propensity"},
		"above one":  {func(d *Decision) { d.Propensity = 1.1 }, "propensity"},
		"negative":   {func(d *Decision) { d.Target = -0.1 }, "target"},
		"expected":   {func(d *Decision) { d.Expected = math.NaN() }, "expected reward"},
		"value":      {func(d *Decision) { d.Value = math.Inf(-1) }, "value"},
		"no overlap": {func(d *Decision) { d.Unreached = 2 }, "unreached"},
	} {
		l := Log{good, good}
		c.change(&l[1])
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), "decision 1") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Log{}).Check(); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
	one := IPS(Log{good})
	if _, err := one.Normal(0.05); !errors.Is(err, ErrOnePerson) {
		t.Errorf("one decision: %v", err)
	}
	if _, err := one.Normal(0); err == nil {
		t.Error("alpha of 0")
	}
}
