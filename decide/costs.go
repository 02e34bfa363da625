package decide

import (
	"time"

	"quintet/internal/problem"
)

// Costs are taken off the expected reward of contacts before a learned policy compares
// them, in the unit of the objective.
type Costs struct {
	Contact     bool    `json:"contact,omitempty" doc:"Whether the contact cost of the channel is taken off; not where the objective takes it off already"`
	Offer       float64 `json:"offer,omitempty" doc:"Share of the offer's cost that is taken off: how often it is taken" minimum:"0" maximum:"1"`
	Fatigue     float64 `json:"fatigue,omitempty" doc:"What every contact of the person in the days before takes off, as each makes the next one less welcome. Contacts are known as far back as caps look" minimum:"0"`
	FatigueDays float64 `json:"fatigueDays,omitempty" doc:"Days of contacts that tire; 7 unless set" minimum:"0" maximum:"90"`
	Hurdle      float64 `json:"hurdle,omitempty" doc:"What a contact must bring at least beyond its costs" minimum:"0"`
}

func (c *Costs) validate(bad *problem.Invalid, p *DecisionPoint) {
	if c == nil {
		return
	}
	if c.Contact && p.Objective.SubtractContactCost {
		bad.Add("costs.contact", "must not be set where the objective subtracts the contact cost: it would count twice", nil)
	}
	if !(c.Offer >= 0 && c.Offer <= 1) {
		bad.Add("costs.offer", "must be from 0 to 1", nil)
	}
	checkCost(bad, "costs.fatigue", c.Fatigue)
	checkCost(bad, "costs.hurdle", c.Hurdle)
	if c.FatigueDays == 0 {
		c.FatigueDays = 7
	}
	if !(c.FatigueDays > 0 && c.FatigueDays <= 90) {
		bad.Add("costs.fatigueDays", "must be above 0 and at most 90", nil)
	}
}

// cost is what is taken off an action; nothing of sending nothing.
func (p *point) cost(a *action, q *permission, at time.Time) float64 {
	c := p.def.Costs
	if c == nil || a.channel == nil {
		return 0
	}
	sum := c.Hurdle
	if c.Contact {
		sum += a.channel.ContactCost
	}
	if a.offer != nil {
		sum += c.Offer * a.offer.Cost
	}
	if c.Fatigue > 0 {
		since := at.Add(-time.Duration(c.FatigueDays * 24 * float64(time.Hour)))
		for i := range q.history {
			if q.history[i].At.After(since) {
				sum += c.Fatigue
			}
		}
	}
	return sum
}

// Recommender finds items for people.
type Recommender interface {
	// Recommend gives at most limit items for a person in a slot, the best first, from
	// memory. It gives none for a slot that there is not.
	Recommend(profileID, slot string, limit int) []Item
}

// recommended appends the items of a slot that are in stock. Recommending must not keep
// a decision from being made.
func (s *Service) recommended(profileID, slot string, limit int, out []Item) []Item {
	if s.recommender == nil {
		return out
	}
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("recommending items failed", "slot", slot, "panic", r)
		}
	}()
	for _, item := range s.recommender.Recommend(profileID, slot, limit) {
		if len(out) < limit && s.inStock(item.ID) {
			out = append(out, item)
		}
	}
	return out
}
