package learners

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Calibration maps a predicted probability to the one that held for such rows: a
// monotone, piecewise linear function through points (Zadrozny and Elkan 2002: isotonic
// regression, here on at most 64 groups, so that single rows make no steps).
type Calibration struct {
	From []float64 `json:"from"`
	To   []float64 `json:"to"`
}

const calibrationGroups = 64

// Calibrate learns from predictions of rows that the model was not fitted on.
func Calibrate(y, predicted []float64) (*Calibration, error) {
	if err := CheckBinary(y); err != nil {
		return nil, fmt.Errorf("calibrating: %w", err)
	}
	order := descending(predicted)
	slices.Reverse(order)
	// A group needs some labels of either kind to have a rate.
	groups := min(calibrationGroups, max(2, len(y)/40))
	type block struct{ x, y, w float64 }
	var stack []block
	for g := range groups {
		from, to := g*len(order)/groups, (g+1)*len(order)/groups
		var b block
		for _, i := range order[from:to] {
			b.x += predicted[i]
			b.y += y[i]
			b.w++
		}
		if b.w == 0 {
			continue
		}
		// Pool adjacent violators: a group below the one before it joins it.
		for len(stack) > 0 && stack[len(stack)-1].y/stack[len(stack)-1].w >= b.y/b.w {
			last := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			b = block{b.x + last.x, b.y + last.y, b.w + last.w}
		}
		stack = append(stack, b)
	}
	c := &Calibration{}
	for _, b := range stack {
		x, p := b.x/b.w, (b.y+.5)/(b.w+1)
		if k := len(c.From); k > 0 && x <= c.From[k-1] {
			continue
		} else if k > 0 {
			p = max(p, c.To[k-1])
		}
		c.From, c.To = append(c.From, x), append(c.To, p)
	}
	return c, nil
}

// Apply maps one probability. Beyond the outermost points the ratio to them is kept, so
// that the order of rows stays.
func (c *Calibration) Apply(p float64) float64 {
	if c == nil || len(c.From) == 0 {
		return p
	}
	k, _ := slices.BinarySearch(c.From, p)
	last := len(c.From) - 1
	switch {
	case k == 0:
		if c.From[0] <= 0 {
			return c.To[0]
		}
		return c.To[0] * math.Max(p, 0) / c.From[0]
	case k > last:
		if c.From[last] >= 1 {
			return c.To[last]
		}
		return 1 - (1-c.To[last])*(1-math.Min(p, 1))/(1-c.From[last])
	}
	share := (p - c.From[k-1]) / (c.From[k] - c.From[k-1])
	return c.To[k-1] + share*(c.To[k]-c.To[k-1])
}

func (c *Calibration) check() error {
	if c == nil {
		return nil
	}
	if len(c.From) != len(c.To) {
		return fmt.Errorf("%w: a calibration with %d and %d places", ErrArtefact, len(c.From), len(c.To))
	}
	for i := range c.From {
		if math.IsNaN(c.From[i]) || c.To[i] < 0 || c.To[i] > 1 || (i > 0 && (c.From[i] <= c.From[i-1] || c.To[i] < c.To[i-1])) {
			return fmt.Errorf("%w: a calibration that does not rise", ErrArtefact)
		}
	}
	return nil
}

// Reliability compares probabilities with what came of them.
type Reliability struct {
	Bins  []ReliabilityBin `json:"bins" nullable:"false"`
	Error float64          `json:"error" doc:"Expected calibration error: the mean distance between prediction and share over the bins"`
	Noise float64          `json:"noise" doc:"What the error of a perfectly calibrated model stays under in 95 of 100 samples of this size"`
	P     float64          `json:"p" doc:"How likely a perfectly calibrated model deviates as much (Hosmer-Lemeshow on held-out rows)"`
	Slope float64          `json:"slope" doc:"Slope of the outcome's log-odds on the predicted; 1 is calibrated, less is overconfident"`
}

// ReliabilityBin is a tenth of the rows by their prediction.
type ReliabilityBin struct {
	Rows      int     `json:"rows"`
	Predicted float64 `json:"predicted"`
	Actual    float64 `json:"actual"`
	Low       float64 `json:"low" doc:"95 % interval of the share (Wilson)"`
	High      float64 `json:"high"`
}

// Reliable makes the figures of a reliability plot from rows that neither the model nor
// its calibration was fitted on.
func Reliable(y, predicted []float64) Reliability {
	order := descending(predicted)
	slices.Reverse(order)
	n := len(y)
	var r Reliability
	var statistic, variance float64
	groups := min(10, n)
	for g := range groups {
		var b ReliabilityBin
		var spread float64
		for _, i := range order[g*n/groups : (g+1)*n/groups] {
			b.Rows++
			b.Predicted += predicted[i]
			b.Actual += y[i]
			spread += predicted[i] * (1 - predicted[i])
		}
		if spread > 0 {
			d := b.Actual - b.Predicted
			statistic += d * d / spread
		}
		k := float64(b.Rows)
		r.Error += math.Abs(b.Actual-b.Predicted) / float64(n)
		// The mean of |N(0, s)| is s √(2/π), its variance s² (1 − 2/π).
		r.Noise += math.Sqrt(spread*2/math.Pi) / float64(n)
		variance += spread * (1 - 2/math.Pi) / float64(n) / float64(n)
		b.Predicted /= k
		b.Actual /= k
		b.Low, b.High = wilson(b.Actual, k)
		r.Bins = append(r.Bins, b)
	}
	r.Noise += 1.645 * math.Sqrt(variance)
	r.P = distuv.ChiSquared{K: float64(max(groups, 1))}.Survival(statistic)
	r.Slope = slope(y, predicted)
	return r
}

func wilson(p, n float64) (low, high float64) {
	const z = 1.959963984540054
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return math.Max(0, centre-half), math.Min(1, centre+half)
}

// slope fits y ~ sigmoid(a + b logit(p)) by Newton's method.
func slope(y, predicted []float64) float64 {
	a, b := 0.0, 1.0
	for range 25 {
		var ga, gb, haa, hab, hbb float64
		for i, p := range predicted {
			p = min(max(p, 1e-6), 1-1e-6)
			x := math.Log(p / (1 - p))
			q := Sigmoid(a + b*x)
			w := q * (1 - q)
			ga += y[i] - q
			gb += (y[i] - q) * x
			haa += w
			hab += w * x
			hbb += w * x * x
		}
		det := haa*hbb - hab*hab
		if det <= 1e-12 {
			return math.NaN()
		}
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		a, b = a+da, b+db
		if math.Abs(da)+math.Abs(db) < 1e-9 {
			break
		}
	}
	return b
}

func sortedBy[T any](values []T, key func(T) float64) {
	slices.SortStableFunc(values, func(a, b T) int { return cmp.Compare(key(b), key(a)) })
}
