package sendtime

import (
	"errors"
	"fmt"
	"math"
)

// Setting says how slots are chosen.
type Setting struct {
	// Floor is the share of messages whose slot is chosen evenly among those allowed; .1
	// unless set. It is what later learning and evaluation stand on.
	Floor float64
	// Sharpness is how strongly better slots are preferred: the exponent of the rate in
	// units of its uncertainty. 4 unless set.
	Sharpness float64
}

// ErrNoSlot is the error of an empty set of allowed slots.
var ErrNoSlot = errors.New("no slot is allowed")

// Choose makes the distribution over allowed slots, in their order. The probabilities add
// up to one and none is below the floor's share.
func (m *Model) Choose(h *History, allowed []int, s Setting) ([]float64, error) {
	if len(allowed) == 0 {
		return nil, ErrNoSlot
	}
	floor, sharpness := s.Floor, s.Sharpness
	if floor == 0 {
		floor = .1
	}
	if sharpness == 0 {
		sharpness = 4
	}
	if floor < 0 || floor > 1 {
		return nil, fmt.Errorf("a floor of %v is no share", floor)
	}
	rates, weights := m.Rates(h)
	best := math.Inf(-1)
	for _, k := range allowed {
		if k < 0 || k >= Slots {
			return nil, fmt.Errorf("slot %d: slots go from 0 to %d", k, Slots-1)
		}
		best = math.Max(best, rates[k])
	}
	// Differences count in units of what an hour's rate is uncertain by.
	total := 0.0
	out := make([]float64, len(allowed))
	for i, k := range allowed {
		known := weights[k] + math.Min(m.Pseudo.Person, 100) + m.Pseudo.Slot/10
		unit := math.Sqrt(best*(1-best)/known) + 1e-9
		out[i] = math.Exp(sharpness * (rates[k] - best) / unit)
		total += out[i]
	}
	for i := range out {
		out[i] = floor/float64(len(out)) + (1-floor)*out[i]/total
	}
	return out, nil
}

// Draw gives the index that a uniform number falls on.
func Draw(probabilities []float64, uniform float64) int {
	sum := 0.0
	for i, p := range probabilities {
		sum += p
		if uniform < sum {
			return i
		}
	}
	return len(probabilities) - 1
}

// Estimate is an off-policy estimate of the rate of answers.
type Estimate struct {
	Rate      float64 `json:"rate"`
	Error     float64 `json:"standardError"`
	Effective float64 `json:"effective" doc:"Messages that the estimate stands on"`
}

// Comparison judges ways of choosing the hour on messages with logged propensities.
type Comparison struct {
	Messages int        `json:"messages"`
	Model    Estimate   `json:"model" doc:"The model's distribution"`
	Now      Estimate   `json:"now" doc:"What was logged: any hour of sending"`
	Fixed    Estimate   `json:"fixed" doc:"One hour of the day for everybody"`
	Hour     int        `json:"fixedHour" doc:"That hour, 0 to 23"`
	Gain     [3]float64 `json:"gainOverFixed" doc:"Model minus fixed hour: estimate and 95 % interval"`
	GainNow  [3]float64 `json:"gainOverNow"`
}

// Evaluate estimates by self-normalised inverse propensities what rates of answers the
// model would have, and one local hour of the day for everybody, from messages that it was not fitted to. Each message has the slots
// that were allowed when it was sent; those without a logged propensity are left out.
func Evaluate(m *Model, known map[string]*History, messages []Message, allowed func(v *Message) []int, fixed int, s Setting) (Comparison, error) {
	c := Comparison{Hour: fixed}
	var ws, fs, ys []float64
	for i := range messages {
		v := &messages[i]
		if v.Propensity <= 0 {
			continue
		}
		slots := allowed(v)
		probabilities, err := m.Choose(known[v.Person], slots, s)
		if err != nil {
			return c, err
		}
		w, f, y := 0.0, 0.0, 0.0
		for j, k := range slots {
			if k == v.Slot {
				w = probabilities[j] / v.Propensity
			}
		}
		if v.Slot%24 == fixed {
			f = 1 / v.Propensity
		}
		if v.Answered {
			y = 1
		}
		ws, fs, ys = append(ws, w), append(fs, f), append(ys, y)
	}
	c.Messages = len(ys)
	if c.Messages == 0 {
		return c, fmt.Errorf("%w: none has a logged propensity", ErrTooFew)
	}
	ones := make([]float64, len(ys))
	for i := range ones {
		ones[i] = 1
	}
	var a, b, z []float64
	c.Model, a = normalised(ws, ys)
	c.Fixed, b = normalised(fs, ys)
	c.Now, z = normalised(ones, ys)
	c.Gain = difference(c.Model.Rate-c.Fixed.Rate, a, b)
	c.GainNow = difference(c.Model.Rate-c.Now.Rate, a, z)
	return c, nil
}

// normalised is the estimate and the influence of each message on it.
func normalised(w, y []float64) (Estimate, []float64) {
	var sw, swy, sww float64
	for i := range w {
		sw += w[i]
		swy += w[i] * y[i]
		sww += w[i] * w[i]
	}
	influence := make([]float64, len(w))
	if sw == 0 {
		return Estimate{}, influence
	}
	e := Estimate{Rate: swy / sw, Effective: sw * sw / sww}
	variance := 0.0
	for i := range w {
		influence[i] = w[i] * (y[i] - e.Rate) / sw
		variance += influence[i] * influence[i]
	}
	e.Error = math.Sqrt(variance)
	return e, influence
}

func difference(v float64, a, b []float64) [3]float64 {
	variance := 0.0
	for i := range a {
		variance += (a[i] - b[i]) * (a[i] - b[i])
	}
	half := 1.959964 * math.Sqrt(variance)
	return [3]float64{v, v - half, v + half}
}
