package sendtime

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/mat"
)

// Model knows the rates of answers by hour for everybody, for groups and for persons.
type Model struct {
	// Kind is "hierarchical" or "low-rank".
	Kind string `json:"kind"`
	// Global is the rate of each slot.
	Global []float64 `json:"global"`
	// Groups holds rates of groups.
	Groups map[string][]float64 `json:"groups,omitempty"`
	// Pseudo holds the pseudo-observations of the shrinkage: of slots towards the overall
	// rate, of groups towards all, of persons' level and of persons' hours.
	Pseudo Shrinkage `json:"shrinkage"`
	// Rank and Factors describe the low-rank model: a person's hours are the group's, moved
	// along these shapes over the week.
	Factors [][]float64 `json:"factors,omitempty"`
	// HeldOut is the mean log-likelihood of held-out messages by candidate.
	HeldOut []Candidate `json:"heldOut"`
	Sent    int         `json:"sent"`
	Answers int         `json:"answers"`
	People  int         `json:"people"`
}

// Shrinkage counts pseudo-observations; larger means closer to the level above.
type Shrinkage struct {
	Slot   float64 `json:"slot"`
	Group  float64 `json:"group"`
	Level  float64 `json:"level"`
	Person float64 `json:"person"`
}

// Never is a number of pseudo-observations that no data moves.
const Never = 1e12

// Candidate is a model with the likelihood that it gave to messages it had not seen.
type Candidate struct {
	Name       string  `json:"name"`
	Likelihood float64 `json:"likelihood" doc:"Mean log-likelihood of held-out messages; closer to zero is better"`
}

// History is what a person did with messages.
type History struct {
	Group    string    `json:"group,omitempty"`
	Sent     []float64 `json:"sent"`     // by slot
	Answered []float64 `json:"answered"` // by slot
}

// MinMessages and MinAnswers are the least that a model is fitted to.
const (
	MinMessages = 200
	MinAnswers  = 30
)

// Histories counts messages by person and slot.
func Histories(messages []Message) map[string]*History {
	out := map[string]*History{}
	for i := range messages {
		m := &messages[i]
		h := out[m.Person]
		if h == nil {
			h = &History{Group: m.Group, Sent: make([]float64, Slots), Answered: make([]float64, Slots)}
			out[m.Person] = h
		}
		h.Sent[m.Slot]++
		if m.Answered {
			h.Answered[m.Slot]++
		}
	}
	return out
}

// Fit learns from messages. The last fifth of the time is held out to choose the model
// and its shrinkage; the chosen model is then fitted to everything.
func Fit(ctx context.Context, messages []Message) (*Model, error) {
	answers := 0
	for i := range messages {
		if messages[i].Slot < 0 || messages[i].Slot >= Slots {
			return nil, fmt.Errorf("message %d has slot %d, and slots go from 0 to %d", i, messages[i].Slot, Slots-1)
		}
		if messages[i].Answered {
			answers++
		}
	}
	if len(messages) < MinMessages || answers < MinAnswers || answers == len(messages) {
		return nil, fmt.Errorf("%w: %d, of which %d were answered; at least %d and %d are needed, and some without an answer", ErrTooFew, len(messages), answers, MinMessages, MinAnswers)
	}
	ordered := slices.Clone(messages)
	slices.SortStableFunc(ordered, func(a, b Message) int { return a.At.Compare(b.At) })
	cut := len(ordered) * 4 / 5
	train, test := Histories(ordered[:cut]), ordered[cut:]
	var candidates []Candidate
	var best *Model
	bestLikelihood := -math.MaxFloat64
	try := func(name string, m *Model) {
		l := m.likelihood(train, test)
		candidates = append(candidates, Candidate{name, l})
		if l > bestLikelihood {
			best, bestLikelihood = m, l
		}
	}
	base := Shrinkage{Slot: 50, Group: 200, Level: 10, Person: Never}
	try("everybody alike", learn(train, Shrinkage{Slot: 50, Group: Never, Level: Never, Person: Never}))
	// One coordinate after the other, from where the one before left off.
	choose := func(name string, values []float64, set func(s *Shrinkage, v float64)) {
		from := base
		at := -math.MaxFloat64
		for _, v := range values {
			s := from
			set(&s, v)
			m := learn(train, s)
			if l := m.likelihood(train, test); l > at {
				at, base = l, s
			}
		}
		try("hierarchical, by "+name, learn(train, base))
	}
	choose("slot", []float64{10, 50, 200, 1000}, func(s *Shrinkage, v float64) { s.Slot = v })
	choose("group", []float64{50, 200, 1000, Never}, func(s *Shrinkage, v float64) { s.Group = v })
	choose("person", []float64{2, 5, 10, 30, 100}, func(s *Shrinkage, v float64) { s.Level = v })
	choose("person and hour", []float64{3, 10, 30, 100, Never}, func(s *Shrinkage, v float64) { s.Person = v })
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("fitting send times: %w", err)
	}
	for _, rank := range []int{1, 2, 4} {
		m := learn(train, base)
		if err := m.factorise(train, rank); err != nil {
			continue
		}
		try(fmt.Sprintf("low rank %d", rank), m)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("fitting send times: %w", err)
	}
	all := Histories(ordered)
	out := learn(all, best.Pseudo)
	if best.Kind == lowRank {
		if err := out.factorise(all, len(best.Factors)); err != nil {
			return nil, err
		}
	}
	out.HeldOut, out.Sent, out.Answers, out.People = candidates, len(messages), answers, len(all)
	return out, nil
}

const (
	hierarchical = "hierarchical"
	lowRank      = "low-rank"
)

func learn(histories map[string]*History, s Shrinkage) *Model {
	m := &Model{Kind: hierarchical, Pseudo: s, Global: make([]float64, Slots), Groups: map[string][]float64{}}
	all := &History{Sent: make([]float64, Slots), Answered: make([]float64, Slots)}
	groups := map[string]*History{}
	for _, h := range histories {
		g := groups[h.Group]
		if g == nil {
			g = &History{Sent: make([]float64, Slots), Answered: make([]float64, Slots)}
			groups[h.Group] = g
		}
		for k := range Slots {
			all.Sent[k] += h.Sent[k]
			all.Answered[k] += h.Answered[k]
			g.Sent[k] += h.Sent[k]
			g.Answered[k] += h.Answered[k]
		}
	}
	var sent, answered float64
	for k := range Slots {
		sent += all.Sent[k]
		answered += all.Answered[k]
	}
	overall := (answered + .5) / (sent + 1)
	for k := range Slots {
		m.Global[k] = shrink(all.Answered[k], all.Sent[k], overall, s.Slot)
	}
	for name, g := range groups {
		if name == "" || s.Group >= Never {
			continue
		}
		rates := make([]float64, Slots)
		for k := range Slots {
			rates[k] = shrink(g.Answered[k], g.Sent[k], m.Global[k], s.Group/10)
		}
		m.Groups[name] = rates
	}
	return m
}

// shrink is the mean of a Beta posterior whose prior has so many observations.
func shrink(answered, sent, prior, pseudo float64) float64 {
	if pseudo >= Never {
		return prior
	}
	return (answered + pseudo*prior) / (sent + pseudo)
}

// neighbours are how much an observation tells about the hours around it: people keep
// habits, not hours.
var neighbours = [...]float64{1, .5, .2}

// Rates are the expected rates of a person by slot, with the number of observations that
// each stands on; the history may be nil.
func (m *Model) Rates(h *History) (rates, weights []float64) {
	prior := m.Global
	rates, weights = make([]float64, Slots), make([]float64, Slots)
	if h != nil && m.Groups[h.Group] != nil {
		prior = m.Groups[h.Group]
	}
	if h == nil {
		copy(rates, prior)
		return rates, weights
	}
	// How much this person answers at all, on the scale of odds.
	var answered, expected float64
	for k, n := range h.Sent {
		answered += h.Answered[k]
		expected += n * prior[k]
	}
	level := 1.0
	if m.Pseudo.Level < Never {
		pseudo := m.Pseudo.Level * mean(prior)
		level = (answered + pseudo) / (expected + pseudo)
	}
	odds := func(p float64) float64 { return p / (1 - p) }
	for k, p := range prior {
		o := odds(p) * level
		rates[k] = min(max(o/(1+o), 1e-6), 1-1e-6)
	}
	if m.Kind == lowRank {
		m.bend(h, rates, weights)
		return rates, weights
	}
	if m.Pseudo.Person >= Never {
		return rates, weights
	}
	around := slices.Clone(rates)
	for k := range rates {
		var n, a float64
		for d, w := range neighbours {
			for _, j := range []int{(k + d) % Slots, (k - d + Slots) % Slots} {
				n += w * h.Sent[j]
				// What the neighbour answered beyond its own expectation.
				a += w * (h.Answered[j] - h.Sent[j]*(around[j]-around[k]))
				if d == 0 {
					break
				}
			}
			// The same hour of the other days tells something, too.
		}
		for day := 1; day < 7; day++ {
			j := (k + 24*day) % Slots
			n += .3 * h.Sent[j]
			a += .3 * (h.Answered[j] - h.Sent[j]*(around[j]-around[k]))
		}
		rates[k] = min(max(shrink(a, n, around[k], m.Pseudo.Person), 1e-6), 1-1e-6)
		weights[k] = n
	}
	return rates, weights
}

func mean(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

// likelihood is the mean log-likelihood of messages, given what was known of people.
func (m *Model) likelihood(known map[string]*History, messages []Message) float64 {
	cache := map[string][]float64{}
	total := 0.0
	for i := range messages {
		v := &messages[i]
		rates := cache[v.Person]
		if rates == nil {
			h := known[v.Person]
			if h == nil && v.Group != "" {
				h = &History{Group: v.Group, Sent: make([]float64, Slots), Answered: make([]float64, Slots)}
			}
			rates, _ = m.Rates(h)
			cache[v.Person] = rates
		}
		if v.Answered {
			total += math.Log(rates[v.Slot])
		} else {
			total += math.Log1p(-rates[v.Slot])
		}
	}
	return total / float64(max(len(messages), 1))
}

// factorise finds the shapes over the week along which people differ most: the leading
// right singular vectors of their standardised residuals, from the covariance of slots.
func (m *Model) factorise(histories map[string]*History, rank int) error {
	covariance := mat.NewSymDense(Slots, nil)
	for _, h := range histories {
		m.Kind = hierarchical
		pseudo := m.Pseudo.Person
		m.Pseudo.Person = Never
		rates, _ := m.Rates(h)
		m.Pseudo.Person = pseudo
		var at []int
		var z []float64
		for k, n := range h.Sent {
			if n > 0 {
				at = append(at, k)
				z = append(z, h.Answered[k]-n*rates[k])
			}
		}
		for a := range at {
			for b := a; b < len(at); b++ {
				v := z[a] * z[b]
				if a == b { // without the noise of chance
					k := at[a]
					v -= h.Sent[k] * rates[k] * (1 - rates[k])
				}
				covariance.SetSym(at[a], at[b], covariance.At(at[a], at[b])+v)
			}
		}
	}
	smooth(covariance)
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return fmt.Errorf("the covariance of hours has no eigenvectors")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	m.Factors = nil
	for r := range rank {
		f := make([]float64, Slots)
		for k := range f {
			f[k] = vectors.At(k, Slots-1-r) * math.Sqrt(Slots)
		}
		m.Factors = append(m.Factors, f)
	}
	m.Kind = lowRank
	return nil
}

// smooth averages neighbouring hours, which live alike.
func smooth(c *mat.SymDense) {
	out := mat.NewSymDense(Slots, nil)
	weights := []float64{.25, .5, .25}
	for i := range Slots {
		for j := i; j < Slots; j++ {
			v := 0.0
			for a, wa := range weights {
				for b, wb := range weights {
					v += wa * wb * c.At((i+a-1+Slots)%Slots, (j+b-1+Slots)%Slots)
				}
			}
			out.SetSym(i, j, v)
		}
	}
	c.CopySym(out)
}

// bend moves the log-odds of a person along the factors by their posterior mode.
func (m *Model) bend(h *History, rates, weights []float64) {
	rank := len(m.Factors)
	u := make([]float64, rank)
	logits := make([]float64, Slots)
	for k, p := range rates {
		logits[k] = math.Log(p / (1 - p))
	}
	const precision = 2.0 // of the prior of each coordinate
	for range 8 {
		hessian := mat.NewSymDense(rank, nil)
		gradient := mat.NewVecDense(rank, nil)
		for r := range rank {
			hessian.SetSym(r, r, precision)
			gradient.SetVec(r, -precision*u[r])
		}
		for k, n := range h.Sent {
			if n == 0 {
				continue
			}
			p := sigmoid(logits[k] + m.along(u, k))
			for r := range rank {
				gradient.SetVec(r, gradient.AtVec(r)+(h.Answered[k]-n*p)*m.Factors[r][k])
				for s := r; s < rank; s++ {
					hessian.SetSym(r, s, hessian.At(r, s)+n*p*(1-p)*m.Factors[r][k]*m.Factors[s][k])
				}
			}
		}
		var chol mat.Cholesky
		var step mat.VecDense
		if !chol.Factorize(hessian) || chol.SolveVecTo(&step, gradient) != nil {
			return
		}
		largest := 0.0
		for r := range u {
			u[r] += step.AtVec(r)
			largest = max(largest, math.Abs(step.AtVec(r)))
		}
		if largest < 1e-6 {
			break
		}
	}
	total := 0.0
	for _, n := range h.Sent {
		total += n
	}
	for k := range rates {
		rates[k] = min(max(sigmoid(logits[k]+m.along(u, k)), 1e-6), 1-1e-6)
		weights[k] = total / float64(max(rank, 1)) / 4
	}
}

func (m *Model) along(u []float64, slot int) float64 {
	v := 0.0
	for r, f := range m.Factors {
		v += u[r] * f[slot]
	}
	return v
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// Day is how long an answer counts for the slot of sending.
const Day = 24 * time.Hour

// Check refuses a model that could not have come from [Fit].
func (m *Model) Check() error {
	if len(m.Global) != Slots {
		return fmt.Errorf("a send-time model with %d slots", len(m.Global))
	}
	for _, p := range m.Global {
		if !(p > 0 && p < 1) {
			return fmt.Errorf("a send-time model with a rate of %v", p)
		}
	}
	for name, g := range m.Groups {
		if len(g) != Slots {
			return fmt.Errorf("group %q of a send-time model has %d slots", name, len(g))
		}
	}
	for _, f := range m.Factors {
		if len(f) != Slots {
			return fmt.Errorf("a factor of a send-time model has %d slots", len(f))
		}
	}
	return nil
}
