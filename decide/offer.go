package decide

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"quintet/internal/problem"
)

// Limits of the definitions of this package.
const (
	maxName       = 200
	maxText       = 2000
	maxAttributes = 64
	maxOfferItems = 100
	maxItemKey    = 128
	maxFactor     = 64
	maxOffers     = 200
	maxChannels   = 50
	maxCreatives  = 100
	maxActions    = 1000
)

// Rules that remove an action from the candidates, as records name them.
const (
	ruleOfferUnknown    = "offer-unknown"
	ruleOfferInactive   = "offer-inactive"
	ruleOfferNotStarted = "offer-not-started"
	ruleOfferEnded      = "offer-ended"
	ruleChannelUnknown  = "channel-unknown"
	ruleChannelInactive = "channel-inactive"
	ruleUnreachable     = "channel-unreachable"
	ruleNotApplicable   = "offer-not-applicable"
	ruleOutOfStock      = "offer-out-of-stock"
	ruleCodesEmpty      = "codes-empty"
	ruleCodesEnded      = "codes-ended"
)

// removalRules are all of them.
var removalRules = []string{
	ruleOfferUnknown, ruleOfferInactive, ruleOfferNotStarted, ruleOfferEnded,
	ruleChannelUnknown, ruleChannelInactive, ruleUnreachable, ruleNoConsent, ruleSuppressed, ruleNotApplicable, ruleOutOfStock,
	ruleCodesEmpty, ruleCodesEnded,
}

// Offer is something that may be proposed to a person: a discount, a message
// theme, a piece of content.
type Offer struct {
	Name        string         `json:"name,omitempty" doc:"Name shown in the console" maxLength:"200"`
	Kind        string         `json:"kind,omitempty" doc:"What sort of offer this is" enum:"discount,message,content"`
	Description string         `json:"description,omitempty" doc:"What the person gets" maxLength:"2000"`
	Cost        float64        `json:"cost,omitempty" doc:"What the offer costs when it is taken, in the shop's currency"`
	Value       float64        `json:"value,omitempty" doc:"What a contact with the offer is taken to be worth when contacts compete for room under a cap, in the unit of the objective, where the policy expects no value of it"`
	Attributes  map[string]any `json:"attributes,omitempty" doc:"Properties of the offer, for reports and creatives"`
	Items       []string       `json:"items,omitempty" doc:"Catalogue items that belong to the offer"`
	Tags        []string       `json:"tags,omitempty" doc:"What the offer is about, for caps, such as discount or newsletter" nullable:"false"`
	// Applicable narrows the offer down to a part of those whom its decision points are for.
	Applicable json.RawMessage `json:"applicable,omitempty" doc:"Condition on the person and the context, as of audiences; people whom it does not match are not offered it"`
	Slot       string          `json:"slot,omitempty" doc:"Slot of recommendations that fills the offer with items for the person, instead of items" maxLength:"64"`
	Codes      string          `json:"codes,omitempty" doc:"Key of the pool of promo codes of which each decision for the offer gets one" maxLength:"64"`
	Stocked    bool            `json:"stocked,omitempty" doc:"Whether the offer needs at least one of its items to be in stock"`
	Active     bool            `json:"active" doc:"Inactive offers are never chosen"`
	StartsAt   *time.Time      `json:"startsAt,omitempty" doc:"First moment at which the offer may be chosen"`
	EndsAt     *time.Time      `json:"endsAt,omitempty" doc:"Moment from which the offer may no longer be chosen"`
}

// ValidateOffer checks and normalises an offer.
func ValidateOffer(_ context.Context, _ string, o *Offer) error {
	var bad problem.Invalid
	checkText(&bad, "name", o.Name, maxName)
	checkText(&bad, "description", o.Description, maxText)
	checkCost(&bad, "cost", o.Cost)
	checkCost(&bad, "value", o.Value)
	checkTags(&bad, "tags", o.Tags)
	checkText(&bad, "slot", o.Slot, maxFactor)
	if o.Slot != "" && len(o.Items) > 0 {
		bad.Add("slot", "must not be given together with items", o.Slot)
	}
	checkCondition(&bad, "applicable", o.Applicable)
	if o.Stocked && len(o.Items) == 0 {
		bad.Add("stocked", "needs items", nil)
	}
	if o.Kind == "" {
		o.Kind = "message"
	}
	if o.Kind != "discount" && o.Kind != "message" && o.Kind != "content" {
		bad.Add("kind", "must be discount, message or content", o.Kind)
	}
	if len(o.Attributes) > maxAttributes {
		bad.Add("attributes", "must have at most 64 entries", len(o.Attributes))
	}
	if len(o.Items) > maxOfferItems {
		bad.Add("items", "must have at most 100 entries", len(o.Items))
	} else {
		checkItems(&bad, o.Items)
	}
	if o.StartsAt != nil && o.EndsAt != nil && !o.EndsAt.After(*o.StartsAt) {
		bad.Add("endsAt", "must be after startsAt", o.EndsAt)
	}
	return bad.Err()
}

// available says whether the offer may be chosen at a moment, and if not, the
// rule that removes it.
func (o *Offer) available(at time.Time) (rule string, ok bool) {
	switch {
	case !o.Active:
		return ruleOfferInactive, false
	case o.StartsAt != nil && at.Before(*o.StartsAt):
		return ruleOfferNotStarted, false
	case o.EndsAt != nil && !at.Before(*o.EndsAt):
		return ruleOfferEnded, false
	}
	return "", true
}

// Channel is a way to reach a person, with what one contact costs.
type Channel struct {
	Name        string  `json:"name,omitempty" doc:"Name shown in the console" maxLength:"200"`
	Kind        string  `json:"kind,omitempty" doc:"Technical kind of the channel: email, sms, push, onsite and so on" maxLength:"64"`
	ContactCost float64 `json:"contactCost,omitempty" doc:"Cost of one contact, in the shop's currency"`
	Requires    string  `json:"requires,omitempty" doc:"Identifier namespace or trait that a person must have to be reached" maxLength:"128"`
	Active      bool    `json:"active" doc:"Inactive channels are never chosen"`
	// Purpose without RequiresConsent: it is enough that the person did not refuse.
	Purpose         string `json:"purpose,omitempty" doc:"Key of the purpose that advertising on this channel serves; who refused it is not contacted. None when absent" maxLength:"64"`
	RequiresConsent bool   `json:"requiresConsent,omitempty" doc:"Whether advertising on this channel needs consent for the purpose that was given, not only the absence of a refusal"`
}

// ValidateChannel checks and normalises a channel.
func ValidateChannel(_ context.Context, key string, c *Channel) error {
	var bad problem.Invalid
	checkText(&bad, "name", c.Name, maxName)
	checkText(&bad, "kind", c.Kind, 64)
	checkText(&bad, "requires", c.Requires, 128)
	checkCost(&bad, "contactCost", c.ContactCost)
	c.checkConsent(&bad)
	if c.Kind == "" {
		c.Kind = key
	}
	return bad.Err()
}

func checkItems(bad *problem.Invalid, items []string) {
	for i, item := range items {
		switch {
		case item == "" || len(item) > maxItemKey:
			bad.Add("items["+itoa(i)+"]", "must be the key of an item, 1 to 128 bytes long", problem.Clip(item))
		case slices.Contains(items[:i], item):
			bad.Add("items["+itoa(i)+"]", "must be unique", item)
		}
	}
}

func checkText(bad *problem.Invalid, field, value string, most int) {
	if len(value) > most {
		bad.Add(field, "must be at most "+itoa(most)+" bytes long", len(value))
	}
	if strings.ContainsRune(value, 0) {
		bad.Add(field, "must not contain a NUL character", nil)
	}
}

func checkCost(bad *problem.Invalid, field string, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
		bad.Add(field, "must be a number of at least 0", nil)
	}
}
