package stats

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func drawValues(t *rapid.T, label string) []float64 {
	return rapid.SliceOfN(rapid.Float64Range(-1e4, 1e4), 3, 60).Draw(t, label)
}

func meanOf(values []float64, scale, move float64) Mean {
	m := Mean{N: int64(len(values))}
	for _, v := range values {
		y := v*scale + move
		m.Sum += y
		m.SumSquares += y * y
	}
	return m
}

// effects computes both tests, or skips inputs that are rightly refused.
func effects(t *rapid.T, control, treatment Sample) (absolute, relative Effect) {
	a, errA := control.Estimate()
	b, errB := treatment.Estimate()
	if errA != nil || errB != nil || a.Variance == 0 || b.Variance == 0 || math.Abs(a.Mean) < 1e-3 {
		t.Skip("no test on these")
	}
	absolute, errA = Absolute(a, b, Options{})
	relative, errB = Relative(a, b, Options{})
	if errA != nil || errB != nil {
		t.Fatalf("%v, %v", errA, errB)
	}
	return absolute, relative
}

func same(got, want float64) bool {
	return math.Abs(got-want) <= 1e-6*math.Max(1, math.Max(math.Abs(got), math.Abs(want)))
}

func TestScaleLeavesRelativeEffectsAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawValues(t, "control"), drawValues(t, "treatment")
		k := rapid.Float64Range(0.01, 100).Draw(t, "scale")
		a1, r1 := effects(t, meanOf(x, 1, 0), meanOf(y, 1, 0))
		a2, r2 := effects(t, meanOf(x, k, 0), meanOf(y, k, 0))
		if !same(a2.Estimate, k*a1.Estimate) || !same(a2.Lower, k*a1.Lower) || !same(a2.Upper, k*a1.Upper) || !same(a2.PValue, a1.PValue) {
			t.Fatalf("absolute: %+v is not %g times %+v", a2, k, a1)
		}
		if !same(r2.Estimate, r1.Estimate) || !same(r2.Lower, r1.Lower) || !same(r2.Upper, r1.Upper) {
			t.Fatalf("relative: %+v against %+v", r2, r1)
		}
	})
}

func TestMovingBothArmsLeavesTheDifferenceAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawValues(t, "control"), drawValues(t, "treatment")
		move := rapid.Float64Range(-1e3, 1e3).Draw(t, "move")
		a1, _ := effects(t, meanOf(x, 1, 0), meanOf(y, 1, 0))
		a2, _ := effects(t, meanOf(x, 1, move), meanOf(y, 1, move))
		if !same(a1.Estimate, a2.Estimate) || !same(a1.Lower, a2.Lower) || !same(a1.PValue, a2.PValue) {
			t.Fatalf("%+v against %+v", a2, a1)
		}
	})
}

func TestSwappingArmsMirrorsTheDifference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawValues(t, "control"), drawValues(t, "treatment")
		a1, _ := effects(t, meanOf(x, 1, 0), meanOf(y, 1, 0))
		a2, _ := effects(t, meanOf(y, 1, 0), meanOf(x, 1, 0))
		if !same(a1.Estimate, -a2.Estimate) || !same(a1.Lower, -a2.Upper) || !same(a1.PValue, a2.PValue) {
			t.Fatalf("%+v against %+v", a1, a2)
		}
		same1, _ := effects(t, meanOf(x, 1, 0), meanOf(x, 1, 0))
		if same1.Estimate != 0 || same1.PValue != 1 {
			t.Fatalf("an arm against itself: %+v", same1)
		}
	})
}

func TestMergingMomentsIsAddingAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawValues(t, "first"), drawValues(t, "second")
		var all, first, second Moments
		for _, v := range x {
			all.Add(v)
			first.Add(v)
		}
		for _, v := range y {
			all.Add(v)
			second.Add(v)
		}
		first.Merge(second)
		a, errA := all.Estimate()
		b, errB := first.Estimate()
		if errA != nil || errB != nil || a.N != b.N || !same(a.Mean, b.Mean) || !same(a.Variance, b.Variance) {
			t.Fatalf("%+v (%v) against %+v (%v)", a, errA, b, errB)
		}
	})
}

// Whatever the sums, the answer is a problem or finite figures that agree with
// one another; nothing panics.
func TestAnySumsGiveFiguresOrAProblem(t *testing.T) {
	t.Parallel()
	number := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-100, 100),
		rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64}))
	arm := func(t *rapid.T, label string) Sample {
		n := rapid.Int64Range(-2, 1000).Draw(t, label+" n")
		switch rapid.IntRange(0, 2).Draw(t, label+" kind") {
		case 0:
			return Mean{N: n, Sum: number.Draw(t, "sum"), SumSquares: number.Draw(t, "squares"), Shift: number.Draw(t, "shift")}
		case 1:
			return Proportion{N: n, Successes: rapid.Int64Range(-2, 1000).Draw(t, "successes")}
		default:
			return Ratio{N: n, Numerator: number.Draw(t, "m"), Denominator: number.Draw(t, "d"),
				NumeratorSquares: number.Draw(t, "mm"), DenominatorSquares: number.Draw(t, "dd"), Products: number.Draw(t, "md")}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var arms [2]Estimate
		for i, label := range []string{"control", "treatment"} {
			e, err := arm(t, label).Estimate()
			if err != nil {
				if AsProblem(err) == nil {
					t.Fatalf("%v is not a problem", err)
				}
				continue
			}
			if !finite(e.Mean) || e.Variance < 0 {
				t.Fatalf("estimate %+v", e)
			}
			arms[i] = e
		}
		for name, test := range map[string]func(Estimate, Estimate, Options) (Effect, error){"absolute": Absolute, "relative": Relative} {
			e, err := test(arms[0], arms[1], Options{})
			if err != nil {
				if AsProblem(err) == nil {
					t.Fatalf("%s: %v is not a problem", name, err)
				}
				continue
			}
			if !finite(e.Estimate, e.StandardError, e.Lower, e.Upper, e.PValue, e.DegreesOfFreedom) ||
				e.Lower > e.Estimate || e.Estimate > e.Upper || e.PValue < 0 || e.PValue > 1 || e.StandardError <= 0 {
				t.Fatalf("%s: %+v from %+v", name, e, arms)
			}
		}
	})
}
