package stats

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkCompare(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	w, ratios := worlds["normal"], worlds["ratio"]
	x, y := w.arm(random, 500, false, 0), w.arm(random, 500, true, 1)
	rx, ry := ratios.arm(random, 500, false, 0), ratios.arm(random, 500, true, 0.1)
	for _, c := range []struct {
		name string
		a, b Sample
	}{
		{"mean", x.mean, y.mean},
		{"CUPED", x.adjusted, y.adjusted},
		{"covariates=2", x.covariates, y.covariates},
		{"ratio", rx.ratio.plain(), ry.ratio.plain()},
		{"CUPED ratio", rx.ratio, ry.ratio},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Compare(c.a, c.b, RelativeScale, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPostStratify(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	w := worlds["normal"]
	strata := make([]Stratum, 1000)
	for i := range strata {
		strata[i] = Stratum{w.arm(random, 20, false, 0).adjusted, w.arm(random, 20, true, 1).adjusted}
	}
	b.Run("CUPED/strata=1000", func(b *testing.B) {
		for b.Loop() {
			if _, err := PostStratify(strata, RelativeScale, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBestArm(b *testing.B) {
	arms := []Estimate{{N: 1000, Mean: 1, Variance: 4}, {N: 1000, Mean: 1.1, Variance: 4}, {N: 900, Mean: 1.05, Variance: 5}, {N: 90, Mean: 1, Variance: 4}}
	b.Run("arms=4", func(b *testing.B) {
		for b.Loop() {
			if _, err := BestArm(arms, BestArmOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
