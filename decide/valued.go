package decide

import (
	"math"
	"slices"

	"quintet/internal/problem"
)

// What a predictive model's treatments stand for.
const (
	treatmentOffer    = "offer"
	treatmentChannel  = "channel"
	treatmentCreative = "creative"
	treatmentAction   = "action"
)

// Effects says what treatments change for a person.
type Effects interface {
	// Effects writes what each treatment changes for the person by a predictive model,
	// less its cost, in the unit of the model, from memory; NaN for a treatment that the
	// model does not know. It gives false when nothing is known of the person, or when
	// there is no such model in use.
	Effects(model, profileID string, treatments []string, effects []float64) bool
	// Knows says whether there is a model of uplift of this key, trained or not.
	Knows(model string) bool
}

// validateValued checks a policy that compares values.
func (p *Policy) validateValued(bad *problem.Invalid, field string) {
	if p.Type == PolicyRecommender {
		return
	}
	if !validKey(p.Model) {
		bad.Add(field+".model", "must be the key of a predictive model", problem.Clip(p.Model))
	}
	if p.Treatment == "" {
		p.Treatment = treatmentOffer
	}
	if !slices.Contains([]string{treatmentOffer, treatmentChannel, treatmentCreative, treatmentAction}, p.Treatment) {
		bad.Add(field+".treatment", "must be offer, channel, creative or action", problem.Clip(p.Treatment))
	}
}

// value writes what the candidates are worth to the person into the record, by the stage
// of the policy that compares values; nothing where it is not known. Sending nothing is
// worth nothing.
func (s *Service) value(p *point, policy *Policy, rec *Record, sc *scratch) {
	stage := policy.valuing()
	if stage == nil {
		return
	}
	n := len(sc.actions)
	rec.Values = slices.Grow(rec.Values[:0], n)[:n]
	known := false
	func() {
		defer func() { // what values are found by must not keep a decision from being made
			if r := recover(); r != nil {
				s.log.Error("finding the values of actions failed", "decision", p.key, "policy", stage.Type, "panic", r)
				known = false
			}
		}()
		if stage.Type == PolicyModel {
			known = s.modelled(p, stage, rec, sc)
		} else {
			known = s.promising(p, rec, sc)
		}
	}()
	if !known {
		rec.Values = rec.Values[:0]
		return
	}
	for i := range rec.Values {
		// What is not known of a treatment is that it changes anything.
		if math.IsNaN(rec.Values[i]) || math.IsInf(rec.Values[i], 0) || p.actions[sc.actions[i]].id == NoneAction {
			rec.Values[i] = 0
		}
	}
}

// modelled asks a predictive model.
func (s *Service) modelled(p *point, stage *Policy, rec *Record, sc *scratch) bool {
	if s.effects == nil {
		return false
	}
	sc.treatments = sc.treatments[:0]
	for _, i := range sc.actions {
		a := &p.actions[i]
		treatment := a.id
		switch {
		case a.id == NoneAction:
		case stage.Treatment == treatmentOffer:
			treatment = a.offerKey
		case stage.Treatment == treatmentChannel:
			treatment = a.chanKey
		case stage.Treatment == treatmentCreative:
			treatment = a.creative.Key
		}
		sc.treatments = append(sc.treatments, treatment)
	}
	return s.effects.Effects(stage.Model, rec.ProfileID, sc.treatments, rec.Values)
}

// promising takes the score of the first item that the recommender has for each offer
// with a slot; offers without one, and without an item, are worth nothing.
func (s *Service) promising(p *point, rec *Record, sc *scratch) bool {
	known, last, score := false, "", 0.0
	for i, at := range sc.actions {
		a := &p.actions[at]
		rec.Values[i] = 0
		if a.offer == nil || a.offer.Slot == "" {
			continue
		}
		if a.offer.Slot != last {
			last, score = a.offer.Slot, 0
			if items := s.recommended(rec.ProfileID, last, 1, sc.answer.items[:0]); len(items) > 0 {
				score = items[0].Score
			}
		}
		if score != 0 {
			known = true
		}
		rec.Values[i] = score
	}
	return known
}

// best gives the candidate of the highest value less its charge the whole probability,
// and shares it among those that are equal, but for sending nothing, which has it alone.
// Where no value is known it is the default action.
func (p *point) best(policy *Policy, rec *Record, out []float64) {
	clear(out)
	if len(rec.Values) != len(out) {
		p.settle(policy, rec, out)
		return
	}
	top, n, none := math.Inf(-1), 0, -1
	net := func(i int) float64 {
		if len(rec.Charges) > 0 {
			return rec.Values[i] - rec.Charges[i]
		}
		return rec.Values[i]
	}
	for i, id := range rec.Candidates {
		switch v := net(i); {
		case v > top:
			top, n, none = v, 1, -1
		case v == top:
			n++
		default:
			continue
		}
		if id == NoneAction {
			none = i
		}
	}
	if none >= 0 {
		out[none] = 1
		return
	}
	for i := range out {
		if net(i) == top {
			out[i] = 1 / float64(n)
		}
	}
}
