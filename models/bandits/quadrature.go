package bandits

import (
	"math"
	"slices"
)

const (
	minSpread = 1e-9 // smallest standard deviation, relative to the mean's size if that is above 1

	lowest = 4.8 // an arm's draw lies below its mean by more deviations with a probability of 8e-7 …
	exit   = 5.3 // … and above it by more with one of 6e-8, beyond which the arm is let go

	unlikely  = 20.0 // the integral starts where the largest draw lies below with a probability of 2^-20 …
	nearly    = 4.0  // … or by this factor less in bits, as the search for that place stops early
	maxSearch = 6    // steps of that search

	panelWidth = 2.5 // of a panel, in an arm's deviations
	tailFrom   = 1.5 // from so many deviations above an arm's mean on …
	tailGrowth = 3.0 // … panels may be wider for its sake by this, times what is above
)

// Quadrature computes the probability of each of K independent Gaussian scores to
// be the largest. It owns the scratch memory, so that repeated use does not
// allocate; it is for one goroutine at a time.
type Quadrature struct {
	cells  *logTable
	powers *[powerSteps]float64
	live   []arm // those whose distribution function is not yet 1
	// slopes are, for each live arm, the derivatives at the nodes of a panel.
	slopes [][panelNodes]float64
	masses []float64
}

// arm is one score with what the panels need of it.
type arm struct {
	mean, spread float64
	inverse      float64 // 1/spread
	z            float64 // of the panel's beginning
	mass         float64 // found so far
	index        int
}

// NewQuadrature returns a Quadrature with room for k arms (it grows on demand).
func NewQuadrature(k int) *Quadrature {
	q := &Quadrature{cells: normalTable(), powers: powers()}
	q.grow(k)
	return q
}

func (q *Quadrature) grow(k int) {
	q.live = slices.Grow(q.live[:0], k)
	q.slopes = slices.Grow(q.slopes[:0], k)[:k]
	q.masses = slices.Grow(q.masses[:0], k)[:k]
}

// Best writes into out the probability that a draw from N(mean[k], sd[k]²) is the
// largest of all, with an error below 1e-5:
//
//	p_k = ∫ P(t) r_k(t) dt,   P = Π_j Φ((t-m_j)/s_j),   r_k = d ln Φ((t-m_k)/s_k) / dt
//
// P is the distribution function of the largest draw, so that the integral starts
// where P is a millionth. There all arms that still matter have their mean within
// a few of their own deviations, so that going up from there means going from
// narrow arms to wide ones: panels of eight Gauss-Legendre nodes grow with the
// narrowest arm whose distribution function has not reached 1, and that arm is
// left out from then on.
//
// Sums over arms are made in fixed point, so that their order does not matter: the
// result sums to 1, equal arms get equal probabilities to the last bit, and
// permuting the arms permutes the result.
//
// It returns false, and the uniform distribution, if a mean or a deviation is not
// finite or a deviation is negative. The three slices must have one length.
func (q *Quadrature) Best(mean, sd, out []float64) bool {
	k := len(out)
	if k == 0 {
		return true
	}
	if len(mean) != k || len(sd) != k {
		uniform(out)
		return false
	}
	lo := math.Inf(-1)
	for i, m := range mean {
		// The bound keeps every difference finite.
		if !(math.Abs(m) <= 1e300) || !(sd[i] >= 0 && sd[i] <= 1e300) {
			uniform(out)
			return false
		}
		if low := m - float64(lowest*spread(m, sd[i])); low > lo {
			lo = low
		}
	}
	if k == 1 {
		out[0] = 1
		return true
	}
	q.grow(k)
	least := q.gather(mean, sd, lo)
	q.integrate(q.begin(lo, least))
	if !q.share(out) {
		uniform(out)
		return false
	}
	return true
}

func spread(mean, sd float64) float64 {
	least := minSpread
	if m := math.Abs(mean); m > 1 {
		least = float64(minSpread * m)
	}
	if sd < least {
		return least
	}
	return sd
}

// gather lists the arms that can be the largest. It returns the smallest standard
// deviation among them.
func (q *Quadrature) gather(mean, sd []float64, lo float64) (least float64) {
	least = math.Inf(1)
	for i, m := range mean {
		s := spread(m, sd[i])
		inverse := 1 / s
		q.masses[i] = 0
		if float64((lo-m)*inverse) >= exit {
			continue
		}
		q.live = append(q.live, arm{mean: m, spread: s, inverse: inverse, index: i})
		if s < least {
			least = s
		}
	}
	return least
}

// begin is where the integral starts. At t, where P is at most Φ(-lowest), it
// follows the tangent of √-log₂P upwards: that is convex, as it is for each arm, so
// that the tangent never reaches beyond the place where P is 2^-unlikely.
func (q *Quadrature) begin(t, least float64) float64 {
	cells := q.cells
	for range maxSearch {
		var bits, slope int64
		narrowest := math.Inf(1)
		for i := range q.live {
			a := &q.live[i]
			z := float64((t - a.mean) * a.inverse)
			if z >= exit {
				continue
			}
			c, d := cells.at(position(z))
			bits += c.value(d)
			slope -= int64(float64(float64(c.slope(d)*a.inverse) * least))
			if a.spread < narrowest {
				narrowest = a.spread
			}
		}
		height := float64(float64(bits) * (1.0 / bitUnit))
		if height <= unlikely+nearly || slope <= 0 {
			break
		}
		root := math.Sqrt(height)
		steepness := float64(float64(slope)*(cellsPerUnit*(1.0/bitUnit))) / least
		t += float64(2*root*(root-math.Sqrt(unlikely))) / steepness
		least = narrowest
	}
	return t
}

// integrate goes up from t in panels until no arm is left.
func (q *Quadrature) integrate(t float64) {
	for {
		width, end := q.advance(t)
		if len(q.live) == 0 {
			return
		}
		left := end - t
		if left < width {
			width = left
		}
		q.panel(width)
		if width == left {
			break
		}
		t += width
	}
	for i := range q.live {
		q.masses[q.live[i].index] = q.live[i].mass
	}
}

// advance lets go of the arms that lie below t, and says how wide the next panel
// may be and where the last arm ends.
func (q *Quadrature) advance(t float64) (width, end float64) {
	width, end = math.Inf(1), t
	kept := 0
	for i := range q.live {
		a := &q.live[i]
		z := float64((t - a.mean) * a.inverse)
		if z >= exit {
			q.masses[a.index] = a.mass
			continue
		}
		a.z = z
		deviations := panelWidth
		if z > tailFrom {
			deviations += float64(tailGrowth * (z - tailFrom))
		}
		if w := float64(deviations * a.spread); w < width {
			width = w
		}
		if e := a.mean + float64(exit*a.spread); e > end {
			end = e
		}
		if kept != i {
			q.live[kept] = *a
		}
		kept++
	}
	q.live = q.live[:kept]
	return width, end
}

// panel adds the integral over the next width to the masses.
func (q *Quadrature) panel(width float64) {
	cells := q.cells
	var bits [panelNodes]int64
	slopes := q.slopes[:len(q.live)]
	for i := range slopes {
		a, out := &q.live[i], &slopes[i]
		from, by := position(a.z), float64(float64(width*a.inverse)*cellsPerUnit)
		// Written out eight times: a loop costs a fifth more.
		bits[0], out[0] = cells.add(bits[0], from+float64(by*panelAt[0]))
		bits[1], out[1] = cells.add(bits[1], from+float64(by*panelAt[1]))
		bits[2], out[2] = cells.add(bits[2], from+float64(by*panelAt[2]))
		bits[3], out[3] = cells.add(bits[3], from+float64(by*panelAt[3]))
		bits[4], out[4] = cells.add(bits[4], from+float64(by*panelAt[4]))
		bits[5], out[5] = cells.add(bits[5], from+float64(by*panelAt[5]))
		bits[6], out[6] = cells.add(bits[6], from+float64(by*panelAt[6]))
		bits[7], out[7] = cells.add(bits[7], from+float64(by*panelAt[7]))
	}
	var weights [panelNodes]float64
	for g := range panelNodes {
		// Derivatives are by cell and in units of bits.
		weights[g] = float64(float64(panelWeight[g]*width)*(-math.Ln2*cellsPerUnit/bitUnit)) * power(q.powers, bits[g])
	}
	for i := range slopes {
		a, s := &q.live[i], &slopes[i]
		even := float64(s[0]*weights[0]) + float64(s[2]*weights[2]) + float64(s[4]*weights[4]) + float64(s[6]*weights[6])
		odd := float64(s[1]*weights[1]) + float64(s[3]*weights[3]) + float64(s[5]*weights[5]) + float64(s[7]*weights[7])
		a.mass += float64((even + odd) * a.inverse)
	}
}

// share normalises the masses into out. They add up to nearly 1.
func (q *Quadrature) share(out []float64) bool {
	const unit = 1 << 52
	masses := q.masses[:len(out)]
	var total int64
	for i, mass := range masses {
		if !(mass >= 0 && mass < 2) {
			return false
		}
		whole := int64(float64(mass * unit))
		masses[i] = float64(whole)
		total += whole
	}
	if total <= 0 {
		return false
	}
	sum := float64(total)
	for i, mass := range masses {
		out[i] = mass / sum
	}
	return true
}

func uniform(out []float64) {
	for i := range out {
		out[i] = 1 / float64(len(out))
	}
}
