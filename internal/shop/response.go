package shop

import (
	"math"
	"math/rand/v2"
	"strings"
)

// marginShare is what is left of a basket's undiscounted price after the cost of
// the goods.
const marginShare = 0.4

// plan is an action resolved into what the simulator knows of its factors.
type plan struct {
	offer    *offerPlan // nil for none
	channel  *channelPlan
	creative *creativePlan
}

// resolve reads an action id; ok is false for one that the shop does not have.
// An empty id is a person who was not addressed.
func resolve(action string) (p plan, ok bool) {
	if action == "" || action == "none" {
		return plan{}, true
	}
	parts := strings.Split(action, "/")
	if len(parts) != 3 {
		return plan{}, false
	}
	for i := range offers {
		if offers[i].key == parts[0] {
			p.offer = &offers[i]
		}
	}
	for i := range channels {
		if channels[i].key == parts[1] {
			p.channel = &channels[i]
		}
	}
	for i := range creatives {
		if creatives[i].key == parts[2] {
			p.creative = &creatives[i]
		}
	}
	return p, p.offer != nil && p.channel != nil && p.creative != nil
}

// probability of an order on a visit, given the action.
func (v *Visit) probability(p plan) float64 {
	c := v.Customer
	logit := c.inclination
	if v.Device == "desktop" {
		logit += 0.15
	}
	if p.offer != nil {
		logit += p.offer.appeal + c.thrift*p.offer.discount
		if p.offer.category == c.Category {
			logit += p.offer.interest
		}
		logit += p.channel.appeal[v.Daypart] + p.creative.appeal[c.Loyalty]
		if p.channel.key == "push" && v.Device == "mobile" {
			logit += 0.25
		}
	}
	return 1 / (1 + math.Exp(-logit))
}

// margin of an order whose undiscounted price is basket.
func (p plan) margin(basket float64) float64 {
	margin := basket * marginShare
	if p.offer != nil {
		margin -= basket * p.offer.discount
	}
	return margin
}

func (p plan) cost() float64 {
	if p.channel == nil {
		return 0
	}
	return p.channel.cost
}

// Expected is the expected margin of an action on a visit, net of the cost of
// the contact: the truth that no client of the service sees. ok is false for an
// action that the shop does not have.
func (v *Visit) Expected(action string) (value float64, ok bool) {
	p, ok := resolve(action)
	if !ok {
		return 0, false
	}
	return v.probability(p)*p.margin(v.Customer.basket) - p.cost(), true
}

// order is what a customer bought.
type order struct {
	revenue, margin float64
}

// respond draws what the customer does. The draw belongs to the visit, so that
// the same action on the same visit has the same outcome.
func (w *World) respond(v *Visit, action string) (o order, bought bool) {
	p, ok := resolve(action)
	if !ok {
		return o, false
	}
	rng := rand.New(rand.NewPCG(w.Seed, 3<<32+v.Number))
	if rng.Float64() >= v.probability(p) {
		return o, false
	}
	// A log-normal basket whose mean is the customer's.
	const spread = 0.5
	basket := v.Customer.basket * math.Exp(spread*rng.NormFloat64()-spread*spread/2)
	o.margin = p.margin(basket)
	o.revenue = basket
	if p.offer != nil {
		o.revenue -= basket * p.offer.discount
	}
	return order{revenue: cents(o.revenue), margin: cents(o.margin)}, true
}

func cents(x float64) float64 { return math.Round(x*100) / 100 }
