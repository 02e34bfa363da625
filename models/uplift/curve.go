package uplift

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Curve holds what treating the rows with the highest effects first brings. Outcomes are
// compared between one treatment and control.
type Curve struct {
	// Scikit-uplift's convention divides by the perfect curve's area; it is defined for
	// outcomes 0 and 1 and NaN otherwise.
	SkliftQini, SkliftAUUC float64
	// Causalml's convention divides by the curve's end.
	CausalmlAUUC, CausalmlQini float64
}

// ranked are rows of two arms in the order of their score.
type ranked struct {
	y       []float64
	treated []bool
	score   []float64
}

func rank(y []float64, treated []bool, score []float64) *ranked {
	order := make([]int, len(y))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	r := &ranked{}
	for _, i := range order {
		r.y, r.treated, r.score = append(r.y, y[i]), append(r.treated, treated[i]), append(r.score, score[i])
	}
	return r
}

// sums are running counts over the first rows.
type sums struct{ nt, nc, yt, yc float64 }

func (s *sums) add(y float64, treated bool, w float64) {
	if treated {
		s.nt += w
		s.yt += w * y
	} else {
		s.nc += w
		s.yc += w * y
	}
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func (s *sums) qini() float64   { return s.yt - ratio(s.yc*s.nt, s.nc) }
func (s *sums) lift() float64   { return ratio(s.yt, s.nt) - ratio(s.yc, s.nc) }
func (s *sums) uplift() float64 { return s.lift() * (s.nt + s.nc) }

// area integrates f by trapezoids at the ends of ties. weights may be nil.
func (r *ranked) area(f func(s *sums) float64, weights []float64) (area, end, width float64) {
	var s sums
	var lastX, lastY float64
	for i := range r.y {
		w := 1.0
		if weights != nil {
			w = weights[i]
		}
		s.add(r.y[i], r.treated[i], w)
		if i+1 < len(r.y) && r.score[i+1] == r.score[i] {
			continue
		}
		x, y := s.nt+s.nc, f(&s)
		area += (x - lastX) * (y + lastY) / 2
		lastX, lastY = x, y
	}
	return area, lastY, lastX
}

// beyond is the area above the straight line to the curve's end.
func (r *ranked) beyond(f func(s *sums) float64, weights []float64) float64 {
	area, end, width := r.area(f, weights)
	return area - end*width/2
}

// Areas computes the areas under the curves of one treatment against control in both
// conventions.
func Areas(y []float64, treated []bool, score []float64) Curve {
	r := rank(y, treated, score)
	c := Curve{SkliftQini: math.NaN(), SkliftAUUC: math.NaN()}
	binary := true
	var responders, others float64 // control responders, treated non-responders
	for i, v := range y {
		binary = binary && (v == 0 || v == 1)
		if v == 1 && !treated[i] {
			responders++
		}
		if v == 0 && treated[i] {
			others++
		}
	}
	if binary {
		perfectQini, perfectUplift := make([]float64, len(y)), make([]float64, len(y))
		for i, v := range y {
			t := 0.0
			if treated[i] {
				t = 1
			}
			perfectQini[i] = v*t - v*(1-t)
			if v == t {
				perfectUplift[i] = 2
			}
			if responders > others {
				perfectUplift[i] += v
			} else {
				perfectUplift[i] += t
			}
		}
		c.SkliftQini = r.beyond((*sums).qini, nil) / rank(y, treated, perfectQini).beyond((*sums).qini, nil)
		c.SkliftAUUC = r.beyond((*sums).uplift, nil) / rank(y, treated, perfectUplift).beyond((*sums).uplift, nil)
	}
	c.CausalmlAUUC, c.CausalmlQini = r.causalml()
	return c
}

// causalml takes the mean of the curves at 0, 1, ... n rows, each divided by its end. A
// place where an arm has no row yet is interpolated, as pandas does.
//
// Unlike scikit-uplift, causalml counts rows that tie one by one, so that their order
// matters to the fourth digit; here the last comes first.
func (r *ranked) causalml() (auuc, qini float64) {
	r = r.tiesReversed()
	var s sums
	n := len(r.y)
	lifts, qinis := make([]float64, n+1), make([]float64, n+1)
	for i := range r.y {
		s.add(r.y[i], r.treated[i], 1)
		lifts[i+1], qinis[i+1] = math.NaN(), math.NaN()
		if s.nt > 0 && s.nc > 0 {
			lifts[i+1], qinis[i+1] = s.lift(), s.qini()
		}
	}
	interpolate(lifts)
	interpolate(qinis)
	for i := range lifts {
		auuc += lifts[i] * float64(i)
		qini += qinis[i]
	}
	auuc /= math.Abs(lifts[n]*float64(n)) * float64(n+1)
	qini = qini/(math.Abs(qinis[n])*float64(n+1)) - .5*sign(qinis[n])
	return auuc, qini
}

func (r *ranked) tiesReversed() *ranked {
	out := &ranked{slices.Clone(r.y), slices.Clone(r.treated), r.score}
	for from := 0; from < len(r.y); {
		to := from + 1
		for to < len(r.y) && r.score[to] == r.score[from] {
			to++
		}
		slices.Reverse(out.y[from:to])
		slices.Reverse(out.treated[from:to])
		from = to
	}
	return out
}

func sign(v float64) float64 {
	if v < 0 {
		return -1
	}
	return 1
}

func interpolate(v []float64) {
	last := 0
	for i := 1; i < len(v); i++ {
		if math.IsNaN(v[i]) {
			continue
		}
		for j := last + 1; j < i; j++ {
			v[j] = v[last] + (v[i]-v[last])*float64(j-last)/float64(i-last)
		}
		last = i
	}
}

// AtShare is the difference of the mean outcomes of treated and control among the share
// of rows with the highest score.
func AtShare(y []float64, treated []bool, score []float64, share float64) float64 {
	r := rank(y, treated, score)
	var s sums
	for i := range int(float64(len(y)) * share) {
		s.add(r.y[i], r.treated[i], 1)
	}
	return s.lift()
}

// Point is one of the curve that is drawn: what the effect per person of all is when the
// share with the highest scores is treated, with its 95 % interval.
type Point struct {
	Share  float64 `json:"share"`
	Gain   float64 `json:"gain" doc:"Outcome per person of all that treating this share adds"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Random float64 `json:"random" doc:"What treating as many at random adds"`
}

// Interval is a figure with the 95 % interval of the bootstrap.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Judgement is all that is said about scores on held-out rows of one treatment.
type Judgement struct {
	Rows       int      `json:"rows"`
	Effect     Interval `json:"effect" doc:"Average effect"`
	SkliftQini *float64 `json:"skliftQini,omitempty" doc:"Qini coefficient as scikit-uplift defines it: over the perfect curve; of outcomes yes or no only"`
	SkliftAUUC *float64 `json:"skliftAuuc,omitempty"`
	// Of causalml.
	CausalmlQini float64 `json:"causalmlQini" doc:"Qini as causalml defines it: over the curve's end"`
	CausalmlAUUC float64 `json:"causalmlAuuc"`
	// Qini is in outcomes per person, which needs no convention.
	Qini    Interval  `json:"qini" doc:"Area between the Qini curve and random targeting, in outcome per person; above zero when ranking helps"`
	At      []ShareAt `json:"at" nullable:"false" doc:"Uplift among the share with the highest scores"`
	Deciles []Decile  `json:"deciles" nullable:"false"`
	Curve   []Point   `json:"curve" nullable:"false"`
	Slope   Interval  `json:"slope" doc:"Slope of the actual on the predicted effect: 1 is calibrated, 0 means that it tells nothing"`
}

// ShareAt is uplift at k.
type ShareAt struct {
	Share float64 `json:"share"`
	Interval
}

// Decile is a tenth of the rows by score, the highest first.
type Decile struct {
	Decile    int     `json:"decile"`
	Rows      int     `json:"rows"`
	Predicted float64 `json:"predicted"`
	Interval
}

// Judge evaluates scores on rows that the model was not fitted on, with a bootstrap over
// rows. e is the share of treated among the rows' two arms by design.
func Judge(y []float64, treated []bool, score []float64, replicates int, seed uint64) Judgement {
	r := rank(y, treated, score)
	n := len(y)
	j := Judgement{Rows: n}
	c := Areas(y, treated, score)
	j.CausalmlAUUC, j.CausalmlQini = c.CausalmlAUUC, c.CausalmlQini
	if !math.IsNaN(c.SkliftQini) {
		j.SkliftQini, j.SkliftAUUC = &c.SkliftQini, &c.SkliftAUUC
	}
	figures := r.figures(nil)
	random := rand.New(rand.NewPCG(seed, 0x75706c))
	samples := make([][]float64, 0, replicates)
	weights := make([]float64, n)
	for range replicates {
		for i := range weights {
			weights[i] = poisson(random)
		}
		samples = append(samples, r.figures(weights))
	}
	at := 0
	next := func() Interval {
		v := Interval{Value: figures[at]}
		column := make([]float64, len(samples))
		for k, s := range samples {
			column[k] = s[at]
		}
		slices.Sort(column)
		if len(column) > 0 {
			v.Low, v.High = column[len(column)/40], column[len(column)-1-len(column)/40]
		}
		at++
		return v
	}
	j.Effect, j.Qini, j.Slope = next(), next(), next()
	for _, k := range shares {
		j.At = append(j.At, ShareAt{k, next()})
	}
	for d := range 10 {
		from, to := d*n/10, (d+1)*n/10
		row := Decile{Decile: d + 1, Rows: to - from, Interval: next()}
		for _, v := range r.score[from:to] {
			row.Predicted += v / float64(to-from)
		}
		j.Deciles = append(j.Deciles, row)
	}
	for p := 1; p <= curvePoints; p++ {
		v := next()
		share := float64(p) / curvePoints
		j.Curve = append(j.Curve, Point{Share: share, Gain: v.Value, Low: v.Low, High: v.High, Random: j.Effect.Value * share})
	}
	return j
}

var shares = []float64{.1, .2, .3, .5}

const curvePoints = 20

// figures are all numbers of a judgement that have an interval, in one pass.
func (r *ranked) figures(weights []float64) []float64 {
	n := len(r.y)
	var all sums
	out := make([]float64, 3, 40)
	ats, deciles, curve := make([]float64, 0, 8), make([]float64, 0, 10), make([]float64, 0, curvePoints)
	var decile sums
	var xs, es, ws []float64
	total := 0.0
	predicted := 0.0
	for i := range r.y {
		w := 1.0
		if weights != nil {
			w = weights[i]
		}
		total += w
		all.add(r.y[i], r.treated[i], w)
		decile.add(r.y[i], r.treated[i], w)
		predicted += r.score[i]
		done := i + 1
		for _, k := range shares {
			if done == int(float64(n)*k) {
				ats = append(ats, all.lift())
			}
		}
		for p := 1; p <= curvePoints; p++ {
			if done == p*n/curvePoints {
				curve = append(curve, all.lift()*float64(p)/curvePoints)
			}
		}
		d := len(deciles)
		if d < 10 && done == (d+1)*n/10 {
			deciles = append(deciles, decile.lift())
			xs = append(xs, predicted/float64(done-d*n/10))
			es, ws = append(es, decile.lift()), append(ws, decile.nt+decile.nc)
			decile, predicted = sums{}, 0
		}
	}
	out[0] = all.lift()
	out[1] = r.beyond((*sums).uplift, weights) / (total * total)
	out[2] = slopeOf(xs, es, ws)
	return append(append(append(out, ats...), deciles...), curve...)
}

func slopeOf(x, y, w []float64) float64 {
	var sw, sx, sy float64
	for i := range x {
		sw += w[i]
		sx += w[i] * x[i]
		sy += w[i] * y[i]
	}
	var xy, xx float64
	for i := range x {
		xy += w[i] * (x[i] - sx/sw) * (y[i] - sy/sw)
		xx += w[i] * (x[i] - sx/sw) * (x[i] - sx/sw)
	}
	return ratio(xy, xx)
}

// poisson draws from Poisson(1), the weight of a row in a bootstrap sample.
func poisson(r *rand.Rand) float64 {
	u := r.Float64()
	p := math.Exp(-1)
	k := 0.0
	for c := p; u > c && k < 12; c += p {
		k++
		p /= k
	}
	return k
}
