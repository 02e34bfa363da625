package stats

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
)

// The running sum of an experiment, on the scale on which it is a Brownian
// motion over the share of information, is followed no further than this many
// standard deviations: beyond lies less than 1e-17 of all experiments.
const walkReach = 8.5

// walk is the density of the running sum among the experiments that went on
// after every look so far, held at quadrature nodes.
type walk struct {
	looks   []float64
	drift   float64 // mean of the running sum at information 1
	both    bool    // stops below −bound as well as above bound
	nodes   []float64
	density []float64 // weight included; empty before the first look: all mass in 0
}

func newWalk(looks []float64, drift float64, both bool) *walk {
	return &walk{looks: looks, drift: drift, both: both}
}

// interval is the time from the look before i to look i.
func (w *walk) interval(i int) float64 {
	if i == 0 {
		return w.looks[0]
	}
	return w.looks[i] - w.looks[i-1]
}

// beyond is the chance of going on until look i and then being above z there.
func (w *walk) beyond(i int, z float64) float64 {
	sd := math.Sqrt(w.interval(i))
	mean := w.drift * w.interval(i)
	bound := z * math.Sqrt(w.looks[i])
	if i == 0 {
		return normalSurvival((bound - mean) / sd)
	}
	var p float64
	for j, u := range w.nodes {
		p += w.density[j] * normalSurvival((bound-u-mean)/sd)
	}
	return p
}

// below is the chance of going on until look i and then being below −z there.
func (w *walk) below(i int, z float64) float64 {
	sd := math.Sqrt(w.interval(i))
	mean := w.drift * w.interval(i)
	bound := z * math.Sqrt(w.looks[i])
	if i == 0 {
		return normalSurvival((bound + mean) / sd)
	}
	var p float64
	for j, u := range w.nodes {
		p += w.density[j] * normalSurvival((bound+u+mean)/sd)
	}
	return p
}

// solve finds the z that is exceeded at look i with probability p; +Inf where p
// is less than this walk can tell from nothing.
func (w *walk) solve(i int, p float64) float64 {
	low, high := -walkReach, walkReach
	if w.both {
		low = 0
	}
	if w.beyond(i, high) >= p {
		return math.Inf(1)
	}
	if w.beyond(i, low) <= p {
		return low
	}
	for high-low > 1e-10 {
		mid := (low + high) / 2
		if w.beyond(i, mid) > p {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// proceed takes out the experiments that stop at look i with bound z.
func (w *walk) proceed(i int, z float64) {
	if i+1 == len(w.looks) {
		return
	}
	t := w.looks[i]
	mean, reach := w.drift*t, walkReach*math.Sqrt(t)
	high := math.Min(z*math.Sqrt(t), mean+reach)
	low := mean - reach
	if w.both {
		low = math.Max(low, -z*math.Sqrt(t))
	}
	if high <= low {
		w.nodes, w.density = nil, nil
		return
	}
	// The density here is as smooth as the last step made it, and the next step
	// smooths over its own width: panels of one and a half times the smaller of
	// the two, with eight nodes, leave an error far below 1e-9.
	smooth := 1.5 * math.Sqrt(math.Min(w.interval(i), w.interval(i+1)))
	panels := int(math.Ceil((high - low) / smooth))
	const order = 8
	var x, weight [order]float64
	nodes := make([]float64, 0, panels*order)
	density := make([]float64, 0, panels*order)
	sd, shift := math.Sqrt(w.interval(i)), w.drift*w.interval(i)
	width := (high - low) / float64(panels)
	quad.Legendre{}.FixedLocations(x[:], weight[:], 0, width)
	for p := range panels {
		from := low + float64(p)*width
		for k := range order {
			s := from + x[k]
			var f float64
			if i == 0 {
				f = normalDensity((s-shift)/sd) / sd
			} else {
				for j, u := range w.nodes {
					if d := (s - u - shift) / sd; math.Abs(d) < walkReach {
						f += w.density[j] * normalDensity(d)
					}
				}
				f /= sd
			}
			nodes = append(nodes, s)
			density = append(density, weight[k]*f)
		}
	}
	w.nodes, w.density = nodes, density
}

func normalDensity(z float64) float64 {
	return math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
}

// Crossing is the chance of stopping at one look.
type Crossing struct {
	Look         float64
	Upper, Lower float64 // beyond z, and beyond −z where the design is two-sided
}

// CrossingProbabilities gives the chance of stopping at each look with bounds z
// when the effect over its standard error has mean drift at the planned end
// (0 when there is no effect). Its sum is the level at drift 0 and the power
// elsewhere. With both false only the upper bounds stop.
func CrossingProbabilities(looks, z []float64, drift float64, both bool) ([]Crossing, error) {
	if err := looksInOrder(looks); err != nil {
		return nil, err
	}
	if len(z) != len(looks) {
		return nil, problem(InvalidOption, "z", "%d bounds for %d looks", len(z), len(looks))
	}
	if !finite(drift) {
		return nil, problem(NotFinite, "drift", "the drift is NaN or infinite")
	}
	for i, b := range z {
		if math.IsNaN(b) || both && b < 0 {
			return nil, problem(InvalidOption, "z", "bound %d is %g: two-sided bounds are 0 or more", i+1, b)
		}
	}
	w := newWalk(looks, drift, both)
	out := make([]Crossing, len(looks))
	for i, t := range looks {
		out[i] = Crossing{Look: t, Upper: w.beyond(i, z[i])}
		if both {
			out[i].Lower = w.below(i, z[i])
		}
		w.proceed(i, z[i])
	}
	return out, nil
}

// Power is the chance that the design stops in favour of an effect whose mean
// over its standard error would be drift with all planned units.
func (d GroupDesign) Power(drift float64) (float64, error) {
	bounds, err := d.Boundaries()
	if err != nil {
		return 0, err
	}
	z := make([]float64, len(bounds))
	for i, b := range bounds {
		z[i] = b.Z
	}
	if d.Alternative == Less {
		drift = -drift
	}
	crossings, err := CrossingProbabilities(d.Looks, z, drift, d.Alternative == TwoSided)
	if err != nil {
		return 0, err
	}
	var power float64
	for _, c := range crossings {
		power += c.Upper + c.Lower
	}
	return power, nil
}

// Drift is the mean of the effect over its standard error at the planned end with
// which the design has the power: the sum of quantiles of a fixed test, made
// larger by the price of the looks.
func (d GroupDesign) Drift(power float64) (float64, error) {
	level, err := d.Power(0)
	if err != nil {
		return 0, err
	}
	if !(power > level && power < 1) {
		return 0, problem(InvalidOption, "power", "the power must be above the level %g and below 1, not %g", level, power)
	}
	sign := 1.0
	if d.Alternative == Less {
		sign = -1
	}
	low, high := 0.0, 20.0
	for high-low > 1e-9 {
		mid := (low + high) / 2
		at, err := d.Power(sign * mid)
		if err != nil {
			return 0, err
		}
		if at < power {
			low = mid
		} else {
			high = mid
		}
	}
	return sign * high, nil
}
