package decide

import (
	"context"
	"math"
	"time"

	"quintet/decide/budgets"
	"quintet/internal/problem"
)

// What budgets count.
const (
	unitMoney    = "money"    // the cost of the contact and of the offer
	unitContacts = "contacts" // one for each contact, so the codes of a pool
)

// Budget limits what decisions spend.
type Budget struct {
	Name       string     `json:"name,omitempty" doc:"Name shown in the console" maxLength:"200"`
	Unit       string     `json:"unit" doc:"money: the cost of the contact and of its offer, as if everybody took it; contacts: one for each contact, as of a pool of promo codes" enum:"money,contacts"`
	Limit      float64    `json:"limit" doc:"Most that is spent"`
	StartsAt   time.Time  `json:"startsAt" doc:"Moment from which it can be spent"`
	EndsAt     *time.Time `json:"endsAt,omitempty" doc:"Moment from which nothing of it can be spent any more"`
	Offers     []string   `json:"offers,omitempty" doc:"Offers that spend it; all unless set" nullable:"false"`
	Channels   []string   `json:"channels,omitempty" doc:"Channels that spend it; all unless set" nullable:"false"`
	Points     []string   `json:"decisionPoints,omitempty" doc:"Decision points that spend it; all unless set" nullable:"false"`
	Paced      bool       `json:"paced,omitempty" doc:"Whether it is to last until it ends: learned policies then take a price, which follows the spending, off the value of what spends it"`
	StartPrice float64    `json:"startPrice,omitempty" doc:"Price that pacing begins with: what the last unit may be worth, by the objective; 0.01 unless set"`
}

// ValidateBudget checks and normalises a budget.
func ValidateBudget(_ context.Context, _ string, b *Budget) error {
	var bad problem.Invalid
	checkText(&bad, "name", b.Name, maxName)
	if b.Unit != unitMoney && b.Unit != unitContacts {
		bad.Add("unit", "must be money or contacts", b.Unit)
	}
	if !(b.Limit > 0) || math.IsInf(b.Limit, 0) {
		bad.Add("limit", "must be a number above 0", nil)
	}
	if b.StartsAt.IsZero() {
		bad.Add("startsAt", "is required", nil)
	}
	if b.EndsAt != nil && !b.EndsAt.After(b.StartsAt) {
		bad.Add("endsAt", "must be after startsAt", b.EndsAt)
	}
	if b.Paced && b.EndsAt == nil {
		bad.Add("endsAt", "is required for a budget that is paced", nil)
	}
	checkKeys(&bad, "offers", b.Offers, maxOffers)
	checkKeys(&bad, "channels", b.Channels, maxChannels)
	checkKeys(&bad, "decisionPoints", b.Points, maxOffers)
	checkCost(&bad, "startPrice", b.StartPrice)
	return bad.Err()
}

func (b *Budget) compile(key string) budgets.Budget {
	out := budgets.Budget{Key: key, Limit: b.Limit, From: b.StartsAt, Paced: b.Paced, StartPrice: b.StartPrice}
	if b.EndsAt != nil {
		out.Until = *b.EndsAt
	}
	return out
}

// budgetRule is a budget with what spends it.
type budgetRule struct {
	key string
	def Budget
}

// spends says whether a contact takes from the budget.
func (r *budgetRule) spends(point, offer, channel string) bool {
	b := &r.def
	return (len(b.Offers) == 0 || contains(b.Offers, offer)) && (len(b.Channels) == 0 || contains(b.Channels, channel)) && (len(b.Points) == 0 || contains(b.Points, point))
}

// amount is what a contact takes.
func (r *budgetRule) amount(contactCost float64, o *Offer) float64 {
	if r.def.Unit == unitContacts {
		return 1
	}
	if o != nil {
		contactCost += o.Cost
	}
	return contactCost
}
