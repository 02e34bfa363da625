package bandits

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Update is one observation that is added to a posterior without building it anew: a
// decision, a reward of one that was added before, or both.
type Update struct {
	Action string
	// Features of the decision, valid for the model's dimension.
	Features Vector
	// Weight is what the decision counts for, c of [Builder]; 0 where only a reward
	// comes.
	Weight float64
	// Reward is the reward times what it counts for, g of [Builder].
	Reward float64
}

// Updated is the model with the observations added, in their order. The model itself
// stays as it is; what they do not touch is shared.
//
// For a decision of weight c with features φ the covariance changes by a matrix of rank
// one (Sherman and Morrison, 1950) and the mean with it, since the reward is not there
// yet; a reward r moves the mean:
//
//	v = Λ⁻¹φ    Λ⁻¹ ← Λ⁻¹ - c vvᵀ/(1+c φᵀv)    μ ← μ - c v φᵀμ/(1+c φᵀv)    μ ← μ + Λ⁻¹φ r
//
// That is what [Builder.Build] solves for, as long as the prior of the action stays:
// what the other actions have taught since, and the variance of the rewards, wait for
// the next build. An action without data starts from the prior of all actions.
//
// The result has the same bits on every architecture. It costs sd + d²/2 for s active
// features of d, for each observation. It returns an error for an observation that is
// not finite or not of the model's dimension, and where the actions would be too many.
func (m *Model) Updated(updates []Update) (*Model, error) {
	touched := map[string]*Arm{}
	column := make([]float64, m.Dimension)
	for i := range updates {
		u := &updates[i]
		if err := u.validate(m.Dimension); err != nil {
			return nil, fmt.Errorf("updating posterior: observation %d, action %q: %w", i, u.Action, err)
		}
		arm := touched[u.Action]
		if arm == nil {
			found, known := m.Arm(u.Action)
			if !known {
				found = &Arm{Mean: slices.Clone(m.Prior.Mean), Covariance: slices.Clone(m.Prior.Covariance), Noise: m.Prior.Noise}
			}
			arm = found
			touched[u.Action] = arm
		}
		arm.update(u, column)
	}
	out, err := m.with(touched)
	if err != nil {
		return nil, fmt.Errorf("updating posterior: %w", err)
	}
	return out, nil
}

func (u *Update) validate(dimension int) error {
	switch {
	case u.Action == "":
		return errors.New("the action must not be empty")
	case !(u.Weight >= 0) || !finite(u.Weight):
		return fmt.Errorf("the weight must be finite and not negative, not %g", u.Weight)
	case !finite(u.Reward):
		return errors.New("the reward must be finite")
	}
	return u.Features.Validate(dimension)
}

// update adds an observation; column is room for d numbers.
func (a *Arm) update(u *Update, column []float64) {
	x := u.Features
	clear(column)
	for i, ix := range x.Indices {
		v, at := x.Values[i], int(ix)
		for j := range column {
			if j <= at {
				column[j] += float64(v * a.Covariance[PackedLen(at)+j])
			} else {
				column[j] += float64(v * a.Covariance[PackedLen(j)+at])
			}
		}
	}
	if u.Weight > 0 {
		var quad, predicted float64
		for i, ix := range x.Indices {
			quad += float64(x.Values[i] * column[ix])
			predicted += float64(x.Values[i] * a.Mean[ix])
		}
		if quad < 0 {
			quad = 0
		}
		gain := u.Weight / (1 + float64(u.Weight*quad))
		for i, ci := range column {
			step := float64(gain * ci)
			row := a.Covariance[PackedLen(i):][:i+1]
			for j := range row {
				row[j] -= float64(step * column[j])
			}
			a.Mean[i] -= float64(step * predicted)
		}
		// What is left of Λ⁻¹φ.
		shrink := 1 - float64(gain*quad)
		for i := range column {
			column[i] = float64(column[i] * shrink)
		}
		a.Decisions += u.Weight
	}
	if u.Reward != 0 {
		for i, ci := range column {
			a.Mean[i] += float64(u.Reward * ci)
		}
	}
}

// with is the model with other posteriors for some actions, which it does not copy.
func (m *Model) with(arms map[string]*Arm) (*Model, error) {
	added := 0
	for name, arm := range arms {
		if err := arm.validate(m.Dimension); err != nil {
			return nil, fmt.Errorf("posterior of action %q: %w", name, err)
		}
		if _, known := m.register.lane[name]; !known {
			added++
		}
	}
	if added > 0 {
		if n := len(m.names) + added; n > MaxActions || n*PackedLen(m.Dimension) > MaxNumbers {
			return nil, fmt.Errorf("%d actions with %d features are too many", n, m.Dimension)
		}
		all := maps.Clone(arms)
		for _, name := range m.names {
			if all[name] == nil {
				all[name], _ = m.Arm(name)
			}
		}
		return newModel(m.Fingerprint, m.Dimension, m.AsOf, m.Prior, all)
	}
	out := *m
	out.octets = slices.Clone(m.octets)
	copied := make(map[int32]bool)
	for name, arm := range arms {
		lane := m.register.lane[name]
		at := lane / laneCount
		if !copied[at] {
			copied[at] = true
			out.octets[at] = out.octets[at].clone()
		}
		out.octets[at].set(int(lane%laneCount), arm)
	}
	return &out, nil
}

func (b *octet) clone() octet {
	c := *b
	c.mean, c.covariance = slices.Clone(b.mean), slices.Clone(b.covariance)
	return c
}

const updatesMagic = "QNTBUPD\x01" // the last byte is the format's version

// AppendUpdates writes observations to the last bit, to be read by [ParseUpdates].
func AppendUpdates(dst []byte, updates []Update) ([]byte, error) {
	le := binary.LittleEndian
	dst = append(dst, updatesMagic...)
	dst = le.AppendUint32(dst, uint32(len(updates)))
	for i := range updates {
		u := &updates[i]
		if len(u.Action) > maxActionLength {
			return nil, fmt.Errorf("storing observations: the name of an action has %d bytes, more than %d", len(u.Action), maxActionLength)
		}
		dst = appendFloats(appendText(dst, u.Action), u.Weight, u.Reward)
		dst = le.AppendUint32(dst, uint32(len(u.Features.Indices)))
		for _, ix := range u.Features.Indices {
			dst = le.AppendUint32(dst, ix)
		}
		dst = appendFloats(dst, u.Features.Values...)
	}
	return dst, nil
}

// ParseUpdates reads what [AppendUpdates] wrote. Whether the observations suit a model
// is for [Model.Updated] to say.
func ParseUpdates(data []byte) ([]Update, error) {
	if len(data) < len(updatesMagic) || string(data[:len(updatesMagic)]) != updatesMagic {
		return nil, errors.New("reading observations: not of this format")
	}
	r := reader{rest: data[len(updatesMagic):]}
	count := int(r.uint32())
	const least = 4 + 16 + 4
	if count > math.MaxInt32 || count*least > len(r.rest) {
		return nil, errors.New("reading observations: the data end too early")
	}
	out := make([]Update, count)
	for i := range out {
		u := &out[i]
		u.Action = r.text()
		if head := r.floats(2); head != nil {
			u.Weight, u.Reward = head[0], head[1]
		}
		n := int(r.uint32())
		if n*12 > len(r.rest) {
			r.short = true
			break
		}
		u.Features.Indices = make([]uint32, n)
		for k := range u.Features.Indices {
			u.Features.Indices[k] = r.uint32()
		}
		u.Features.Values = r.floats(n)
	}
	if r.short {
		return nil, errors.New("reading observations: the data end too early")
	}
	if len(r.rest) > 0 {
		return nil, fmt.Errorf("reading observations: %d bytes too many", len(r.rest))
	}
	return out, nil
}
