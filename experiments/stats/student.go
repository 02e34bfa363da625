package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// From here on the incomplete beta function loses digits (1e-9 relative at 1e6
// degrees of freedom, 1e-5 at 1e12) while the normal expansions gain them.
const manyDegrees = 1e5

// studentSurvival is P(T > t) for Student's t with df degrees of freedom,
// accurate in relative terms far into the upper tail.
func studentSurvival(t, df float64) float64 {
	if df < manyDegrees {
		return distuv.StudentsT{Sigma: 1, Nu: df}.Survival(t)
	}
	// Hill, Algorithm 395 (CACM 1970), eq. for the equivalent normal deviate.
	a := df - 0.5
	b := 48 * a * a
	w2 := a * math.Log1p(t*t/df)
	w := math.Sqrt(w2)
	z := w + w*(w2+3)/b - w*(((4*w2+33)*w2+240)*w2+855)/(10*b*(b+0.8*w2*w2+100))
	return normalSurvival(math.Copysign(z, t))
}

// studentQuantile is the t with P(T ≤ t) = p.
func studentQuantile(p, df float64) float64 {
	if df < manyDegrees {
		return distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(p)
	}
	// Cornish-Fisher in 1/df (Abramowitz and Stegun 26.7.5).
	z := distuv.UnitNormal.Quantile(p)
	z2 := z * z
	g1 := z * (z2 + 1) / 4
	g2 := z * ((5*z2+16)*z2 + 3) / 96
	return z + (g1+g2/df)/df
}

func normalSurvival(z float64) float64 { return 0.5 * math.Erfc(z/math.Sqrt2) }
