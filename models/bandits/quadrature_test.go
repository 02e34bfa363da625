package bandits

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func best(t interface{ Fatalf(string, ...any) }, mean, sd []float64) []float64 {
	out := make([]float64, len(mean))
	if !NewQuadrature(len(mean)).Best(mean, sd, out) {
		t.Fatalf("Best(%v, %v) found the scores degenerate", mean, sd)
	}
	return out
}

// fineBest is an independent computation: arm by arm, the integral over the arm's
// own quantiles z of φ(z) Π Φ, by Simpson's rule with math.Erfc.
func fineBest(mean, sd []float64) []float64 {
	const cells = 16000
	out := make([]float64, len(mean))
	for k := range mean {
		h := 16.0 / cells
		for i := 0; i <= cells; i++ {
			z := -8 + h*float64(i)
			f := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
			for j := range mean {
				if j != k {
					f *= math.Erfc(-(mean[k]+z*sd[k]-mean[j])/sd[j]/math.Sqrt2) / 2
				}
			}
			switch {
			case i == 0 || i == cells:
				out[k] += f * h / 3
			case i%2 == 1:
				out[k] += f * 4 * h / 3
			default:
				out[k] += f * 2 * h / 3
			}
		}
	}
	return out
}

func TestNormalTable(t *testing.T) {
	t.Parallel()
	table := normalTable()
	at := func(x float64) (value, derivative float64) {
		c, d := table.at(position(x))
		return float64(c.value(d)), -c.slope(d)
	}
	exactly := func(x float64) (value, derivative float64) {
		cdf := math.Erfc(-x/math.Sqrt2) / 2
		value = -math.Log2(cdf)
		if x > 0 {
			value = -math.Log1p(-math.Erfc(x/math.Sqrt2)/2) / math.Ln2
		}
		return value, math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) / cdf / math.Ln2
	}
	for i := range filledCells {
		x := tableFrom + float64(i)/cellsPerUnit
		value, derivative := at(x)
		wantValue, wantDerivative := exactly(x)
		if math.Abs(value/bitUnit-wantValue) > 2e-12 || math.Abs(derivative*cellsPerUnit/bitUnit-wantDerivative) > 1e-13*(1+wantDerivative) {
			t.Errorf("at %g: %.17g and %.17g, want %.17g and %.17g", x, value/bitUnit, derivative*cellsPerUnit/bitUnit, wantValue, wantDerivative)
		}
	}
	var worstValue, worstDerivative float64
	for x := -5.0; x < 6; x += 0.000713 {
		value, derivative := at(x)
		wantValue, wantDerivative := exactly(x)
		worstValue = max(worstValue, math.Abs(value/bitUnit-wantValue))
		worstDerivative = max(worstDerivative, math.Abs(derivative*cellsPerUnit/bitUnit-wantDerivative))
		if derivative < 0 {
			t.Fatalf("Φ falls at %g", x)
		}
	}
	t.Logf("largest error of log₂Φ %.1e, of its derivative %.1e", worstValue, worstDerivative)
	if worstValue > 1e-9 || worstDerivative > 1e-7 {
		t.Errorf("largest error of log₂Φ %.1e, of its derivative %.1e", worstValue, worstDerivative)
	}
	if value, derivative := at(20); value != 0 || derivative != 0 {
		t.Errorf("at 20: %g and %g, want 0", value, derivative)
	}
	for y := 0.0; y < 60; y += 0.0137 {
		if got, want := power(powers(), int64(y*bitUnit)), math.Exp2(-y); math.Abs(got-want) > 1e-11*want {
			t.Fatalf("2^-%g = %g, want %g", y, got, want)
		}
	}
}

func TestBestEqualArmsExact(t *testing.T) {
	t.Parallel()
	for k := 1; k <= 60; k++ {
		mean, sd := make([]float64, k), make([]float64, k)
		for i := range mean {
			mean[i], sd[i] = 0.031, 0.007
		}
		for i, p := range best(t, mean, sd) {
			if p != 1/float64(k) {
				t.Fatalf("K=%d: p[%d] = %.20g, want exactly 1/K", k, i, p)
			}
		}
	}
}

func TestBestTwoArms(t *testing.T) {
	t.Parallel()
	for _, ratio := range []float64{1, 1.5, 3, 10, 100, 1000} {
		for _, gap := range []float64{0, 0.1, 0.5, 1, 2, 4, 8} {
			s1, s2 := 0.01, 0.01*ratio
			total := math.Hypot(s1, s2)
			mean, sd := []float64{0.05 + gap*total, 0.05}, []float64{s1, s2}
			want := math.Erfc(-gap/math.Sqrt2) / 2
			if got := best(t, mean, sd)[0]; math.Abs(got-want) > 2e-6 {
				t.Errorf("σ ratio %g, gap %g: p = %.6f, want %.6f", ratio, gap, got, want)
			}
		}
	}
}

func TestBestReferenceCase(t *testing.T) {
	t.Parallel()
	mean, sd := []float64{.05, .0501, .03}, []float64{2e-5, 2e-5, .02}
	got, fine := best(t, mean, sd), mixedBest(mean, sd)
	// The published figures come from a grid with an error of 4e-5.
	for i, want := range []float64{.000171, .842416, .157413} {
		if math.Abs(got[i]-want) > 1e-4 || math.Abs(got[i]-fine[i]) > 2e-6 {
			t.Errorf("p[%d] = %.6f, want about %.6f, precisely %.7f", i, got[i], want, fine[i])
		}
	}
}

func TestBestAgainstFineQuadrature(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for _, spreadOf := range []float64{1, 3, 7} {
		var worst, sum float64
		const rounds = 12
		for range rounds {
			k := 2 + rng.IntN(9)
			mean, sd := make([]float64, k), make([]float64, k)
			for i := range mean {
				sd[i] = 0.01 * math.Exp(-spreadOf*rng.Float64())
				mean[i] = 0.04 + 0.01*rng.NormFloat64()
			}
			got, want := best(t, mean, sd), fineBest(mean, sd)
			var e float64
			for i := range got {
				e = max(e, math.Abs(got[i]-want[i]))
			}
			worst, sum = max(worst, e), sum+e
		}
		t.Logf("σ ratios up to e^%g: largest error %.1e, mean of the largest %.1e", spreadOf, worst, sum/rounds)
		if worst > 5e-6 || sum/rounds > 2e-6 {
			t.Errorf("σ ratios up to e^%g: largest error %.2e, mean %.2e", spreadOf, worst, sum/rounds)
		}
	}
}

// mixedBest is another independent computation, for many arms of any widths:
// Simpson's rule on the densities over cells between all arms' own quantiles, six
// to a half deviation of every arm, with math.Erfc and math.Exp.
func mixedBest(mean, sd []float64) []float64 {
	const cells = 6
	lo, narrowest := math.Inf(-1), slices.Min(sd)
	for j, m := range mean {
		lo = max(lo, m-8*sd[j])
	}
	var all []float64
	for j, m := range mean {
		for z := -8.0; z <= 8; z += .5 {
			if t := m + z*sd[j]; t >= lo {
				all = append(all, t)
			}
		}
	}
	slices.Sort(all)
	edges := all[:1]
	for _, t := range all {
		if t > edges[len(edges)-1]+.05*narrowest {
			edges = append(edges, t)
		}
	}
	out := make([]float64, len(mean))
	for i := 1; i < len(edges); i++ {
		h := (edges[i] - edges[i-1]) / cells
		for g := range cells + 1 {
			t := edges[i-1] + h*float64(g)
			all := h / 3 * []float64{1, 4, 2, 4, 2, 4, 1}[g]
			for j, m := range mean {
				all *= math.Erfc(-(t-m)/sd[j]/math.Sqrt2) / 2
			}
			for j, m := range mean {
				if z := (t - m) / sd[j]; z < 10 && all > 1e-40 {
					out[j] += all * math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) / sd[j] / (math.Erfc(-z/math.Sqrt2) / 2)
				}
			}
		}
	}
	return out
}

// Wherever narrow and wide arms compete, however many, the error is as small.
func TestBestMixedSpreads(t *testing.T) {
	t.Parallel()
	shapes := map[string]func(rng *rand.Rand, i int) (mean, sd float64){
		"one width": func(rng *rand.Rand, _ int) (float64, float64) { return .04 + .005*rng.NormFloat64(), .005 },
		"widths within a factor of e": func(rng *rand.Rand, _ int) (float64, float64) {
			return .04 + .005*rng.NormFloat64(), .01 * math.Exp(-rng.Float64())
		},
		"widths within a factor of e^3": func(rng *rand.Rand, _ int) (float64, float64) {
			return .04 + .005*rng.NormFloat64(), .01 * math.Exp(-3*rng.Float64())
		},
		"means as far apart as the widths, within a factor of e^7": func(rng *rand.Rand, _ int) (float64, float64) {
			s := .01 * math.Exp(-7*rng.Float64())
			return .04 + s*rng.NormFloat64(), s
		},
		"narrow arms on top of each other, every fourth wide": func(rng *rand.Rand, i int) (float64, float64) {
			s := 1e-4 * math.Exp(-2*rng.Float64())
			if i%4 == 0 {
				s = .01
			}
			return .04 + s*rng.NormFloat64(), s
		},
		"every second a step": func(rng *rand.Rand, i int) (float64, float64) {
			return .04 + .005*rng.NormFloat64(), []float64{.005, 1e-5}[i%2]
		},
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, 7))
			var worst float64
			for _, k := range []int{2, 3, 5, 10, 20, 50, 200} {
				for range max(1, 30/k) {
					mean, sd := make([]float64, k), make([]float64, k)
					for i := range mean {
						mean[i], sd[i] = shape(rng, i)
					}
					want := mixedBest(mean, sd)
					for i, got := range best(t, mean, sd) {
						worst = max(worst, math.Abs(got-want[i]))
					}
				}
			}
			t.Logf("largest error %.1e", worst)
			if worst > 1e-5 {
				t.Errorf("largest error %.2e", worst)
			}
		})
	}
}

func TestBestDegenerate(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct{ mean, sd []float64 }{
		{[]float64{0, nan, 1}, []float64{1, 1, 1}},
		{[]float64{0, 1, 1}, []float64{1, nan, 1}},
		{[]float64{0, inf, 1}, []float64{1, 1, 1}},
		{[]float64{0, 1, 1}, []float64{1, inf, 1}},
		{[]float64{0, 1, 1}, []float64{1, -1, 1}},
		{[]float64{0, 1, 1}, []float64{1, 1}},
		{[]float64{nan}, []float64{1}},
	} {
		out := make([]float64, len(c.mean))
		if NewQuadrature(0).Best(c.mean, c.sd, out) {
			t.Errorf("Best(%v, %v) accepted", c.mean, c.sd)
		}
		for i, p := range out {
			if p != 1/float64(len(out)) {
				t.Errorf("Best(%v, %v): p[%d] = %g, want uniform", c.mean, c.sd, i, p)
			}
		}
	}
	if !NewQuadrature(0).Best(nil, nil, nil) {
		t.Error("no arms must be accepted")
	}
	if got := best(t, []float64{3}, []float64{0}); got[0] != 1 {
		t.Errorf("one arm: p = %g, want 1", got[0])
	}
	if got := best(t, []float64{3, 4, 4, 1}, []float64{0, 0, 0, 0}); got[0] != 0 || got[1] != .5 || got[2] != .5 || got[3] != 0 {
		t.Errorf("without variance: p = %v, want 0 .5 .5 0", got)
	}
}

// scores draws K arms of widely differing scales.
func scores(t *rapid.T) (mean, sd []float64) {
	k := rapid.IntRange(1, 25).Draw(t, "arms")
	scale := math.Pow(10, float64(rapid.IntRange(-6, 9).Draw(t, "scale")))
	for i := range k {
		mean = append(mean, scale*rapid.Float64Range(-1, 1).Draw(t, fmt.Sprint("mean", i)))
		sd = append(sd, scale*math.Exp(-rapid.Float64Range(0, 12).Draw(t, fmt.Sprint("sd", i))))
	}
	return mean, sd
}

func TestBestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		mean, sd := scores(t)
		p := best(t, mean, sd)
		if err := CheckDistribution(p, 0); err != nil {
			t.Fatal(err)
		}
		// Permuting arms permutes the distribution, to the last bit.
		order := rapid.Permutation(indices(len(mean))).Draw(t, "order")
		m2, s2 := make([]float64, len(mean)), make([]float64, len(mean))
		for i, from := range order {
			m2[i], s2[i] = mean[from], sd[from]
		}
		for i, got := range best(t, m2, s2) {
			if got != p[order[i]] {
				t.Fatalf("arm %d has %.17g after permuting, %.17g before", order[i], got, p[order[i]])
			}
		}
		// A larger mean never makes an arm less likely (but for the quadrature's error).
		k := rapid.IntRange(0, len(mean)-1).Draw(t, "raised")
		mean[k] += sd[k] * rapid.Float64Range(0, 3).Draw(t, "by")
		if raised := best(t, mean, sd); raised[k] < p[k]-1e-5 {
			t.Fatalf("raising the mean of arm %d lowered its probability from %g to %g", k, p[k], raised[k])
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
