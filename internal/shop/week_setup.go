package shop

import (
	"context"
	"fmt"
	"time"

	"quintet/internal/client"
)

// WeekHoldout is the share of people that the week holds out of all advertising.
const WeekHoldout = 0.3

// Keys of the campaigns and scenarios of a week.
const (
	CampaignDaily   = "daily"
	CampaignWeekend = "weekend"
	ScenarioWelcome = "welcome"
	ScenarioCart    = "cart-abandoned"
	ScenarioWinBack = "win-back"
)

// receiptsSecret signs what the peer tells of messages.
const receiptsSecret = "receipts of a week"

// Limits of a week, by the number of people.
func (w *Week) money() float64 { return cents(0.032 * float64(len(w.People))) }
func (w *Week) codes() int     { return max(5, len(w.People)/12) }

// Definitions is everything that the week defines, in the order in which one may refer
// to another. peer is where messages go.
func (w *Week) definitions(peer string) []definition {
	var out []definition
	add := func(path string, body map[string]any) { out = append(out, definition{path: "/v1/" + path, body: body}) }
	add("holdouts/universal", map[string]any{"share": WeekHoldout, "comparison": false})
	add("purposes/"+PurposeNews, map[string]any{"title": "News and offers"})
	add("channels/onsite", map[string]any{"kind": "onsite", "active": true})
	add("channels/email", map[string]any{"kind": "email", "requires": "email", "purpose": PurposeNews, "requiresConsent": true, "contactCost": 0.03, "active": true})
	add("channels/push", map[string]any{"kind": "push", "requires": "pushToken", "purpose": PurposeNews, "requiresConsent": true, "contactCost": 0.01, "active": true})
	for _, channel := range []struct{ key, address string }{{"email", "email"}, {"push", "pushToken"}} {
		add("channels/"+channel.key+"/driver", map[string]any{
			"config": map[string]any{"driver": "webhook", "ratePerSecond": 10000, "maxAttempts": 6, "address": channel.address, "webhook": map[string]any{
				"url": peer + "/" + channel.key, "body": map[string]any{"to": "{{to}}", "id": "{{id}}", "text": "{{text}}"}, "id": "id", "idempotent": true,
				"receipts": map[string]any{"header": "X-Signature", "list": "receipts.*", "id": "id", "status": "status", "time": "time",
					"map": map[string]any{"delivered": "delivered", "opened": "opened", "clicked": "clicked"}},
			}},
			"secrets": map[string]any{"receipts": receiptsSecret},
		})
	}
	add("code-pools/"+OfferComeback, map[string]any{"name": "Come back", "endsAt": w.Until.Add(-6 * time.Hour)})
	var written, shown []string
	for _, o := range offers[:3] {
		shown = append(shown, o.key)
		add("offers/"+o.key, map[string]any{"name": o.name, "kind": o.kind, "active": true})
	}
	for _, l := range letters {
		body := map[string]any{"active": true, "cost": l.cost, "tags": l.tags, "kind": "message"}
		if l.key == OfferComeback {
			body["codes"] = OfferComeback
		} else {
			written = append(written, l.key)
		}
		add("offers/"+l.key, body)
		text := "Hello from the shop: " + l.key + ". Enough? {{.unsubscribeUrl}}"
		template := map[string]any{"defaultLocale": "en", "locales": map[string]any{"en": map[string]any{"subject": l.key, "text": text}}}
		if l.key == OfferComeback {
			template["variables"] = map[string]any{"code": map[string]any{"from": "offer:code"}}
			template["locales"] = map[string]any{"en": map[string]any{"subject": l.key, "text": "Your code is {{.code}}. " + text}}
		}
		add("templates/"+l.key, template)
	}
	add("metrics/"+MetricNet, map[string]any{"name": "Net margin", "kind": "margin", "event": "Order Completed", "property": "margin", "windowHours": 720})
	add("metrics/"+MetricMade, map[string]any{"name": "Margin of orders", "kind": "mean", "event": "Order Completed", "property": "margin", "windowHours": 720})
	add("metrics/"+MetricUnsubscribe, map[string]any{"name": "People who unsubscribe", "kind": "proportion", "event": "Unsubscribed", "windowHours": 720, "direction": "decrease"})
	w.addPoints(add, shown, written)
	w.addLimits(add)
	w.addPlans(add)
	return out
}

func weekFeatures() []map[string]any {
	field := func(name string, values []string) map[string]any {
		return map[string]any{"name": name, "source": "profile", "kind": "categorical", "values": values}
	}
	return []map[string]any{field("patience", []string{"low", "middle", "high"}), field("price", priceBands), field("category", categories), field("loyalty", loyaltyTiers)}
}

func (w *Week) addPoints(add func(string, map[string]any), shown, written []string) {
	add("decision-points/"+PointHome, map[string]any{
		"name": "Home page", "offers": shown, "channels": []string{"onsite"}, "features": weekFeatures(),
		"policy":        map[string]any{"type": "bandit", "exploration": 0.1},
		"objective":     map[string]any{"terms": []map[string]any{{"event": "Order Completed", "property": "margin"}}, "windowHours": 1},
		"defaultAction": "spring-sale/onsite/default", "groups": map[string]any{"random": 0.1, "businessAsUsual": 0.1},
	})
	add("decision-points/"+PointLetters, map[string]any{
		"name": "Letters", "offers": written, "channels": []string{"email", "push"}, "features": weekFeatures(),
		"policy": map[string]any{"type": "bandit", "exploration": 0.1},
		"objective": map[string]any{"windowHours": 24, "subtractContactCost": true, "terms": []map[string]any{
			{"event": "Order Completed", "property": "margin"}, {"event": "Unsubscribed", "weight": -12},
		}},
		"costs": map[string]any{"fatigue": 0.1, "fatigueDays": 7}, "expiresAfterMinutes": 12 * 60,
		// Business as usual writes to everybody whom it may write to.
		"defaultAction": "sale/email/default", "groups": map[string]any{"random": 0.15, "businessAsUsual": 0.3},
	})
	add("decision-points/"+PointPromo, map[string]any{
		"name": "Codes", "offers": []string{OfferComeback}, "channels": []string{"email", "push"}, "noneAction": false,
		"policy": map[string]any{"type": "uniform"}, "expiresAfterMinutes": 12 * 60,
	})
}

func (w *Week) addLimits(add func(string, map[string]any)) {
	add("caps/weekly", map[string]any{"limit": 3, "hours": 168, "channels": []string{"email", "push"}})
	add("caps/mail-a-day", map[string]any{"limit": 1, "calendar": "day", "channels": []string{"email"}})
	add("caps/push-a-day", map[string]any{"limit": 1, "hours": 36, "channels": []string{"push"}})
	add("caps/discounts", map[string]any{"limit": 2, "hours": 120, "tags": []string{"discount"}, "channels": []string{"email", "push"}})
	add("quiet-hours/night", map[string]any{"from": "21:00", "to": "08:00", "channels": []string{"email"}, "timeZone": "Europe/Lisbon"})
	add("quiet-hours/still", map[string]any{"from": "19:30", "to": "09:30", "channels": []string{"push"}, "timeZone": "America/New_York"})
	add("quiet-hours/lunch", map[string]any{"from": "12:00", "to": "15:00", "days": []string{"sunday"}, "countries": []string{"FR", "AT"}, "timeZone": "Europe/Paris", "action": "drop"})
	add("budgets/contacts", map[string]any{"unit": "money", "limit": w.money(), "startsAt": w.From, "endsAt": w.Until, "channels": []string{"email", "push"}, "decisionPoints": []string{PointLetters}, "paced": true, "startPrice": 0.5})
	add("budgets/promo", map[string]any{"unit": "contacts", "limit": float64(w.codes()), "startsAt": w.From, "endsAt": w.Until, "offers": []string{OfferComeback}})
}

func (w *Week) addPlans(add func(string, map[string]any)) {
	consent := map[string]any{"basis": "consent", "purpose": PurposeNews}
	add("segments/quiet", map[string]any{"name": "A month without an order", "rule": map[string]any{"all": []map[string]any{
		{"event": "Order Completed"}, {"event": "Order Completed", "did": false, "window": map[string]any{"last": "30d"}},
	}}})
	add("campaigns/"+CampaignDaily, map[string]any{"decisionPoint": PointLetters, "audience": map[string]any{"everybody": true}, "consent": consent,
		"schedule": map[string]any{"kind": "daily", "time": "06:30", "zone": "UTC"}})
	weekend := w.From.Add(w.Until.Sub(w.From) / 2).Truncate(time.Hour)
	add("campaigns/"+CampaignWeekend, map[string]any{"decisionPoint": PointPromo, "audience": map[string]any{"condition": map[string]any{"loyalty": map[string]any{"$in": []string{"regular", "new"}}}}, "consent": consent,
		"schedule": map[string]any{"kind": "once", "at": weekend}, "localTime": "20:00"})
}

// define creates everything that the week is decided by.
func (w *Week) define(ctx context.Context, c *client.Client, peer string) error {
	for _, d := range w.definitions(peer) {
		if err := c.Put(ctx, d.path, d.body, nil); err != nil {
			return fmt.Errorf("creating %s: %w", d.path, err)
		}
	}
	var codes []string
	for i := range w.codes() * 3 / 4 { // they run out before the budget does
		codes = append(codes, fmt.Sprintf("BACK-%05d", i))
	}
	if err := c.Post(ctx, "/v1/code-pools/"+OfferComeback+"/codes", map[string]any{"codes": codes}, nil, client.Idempotent()); err != nil {
		return fmt.Errorf("filling the pool of codes: %w", err)
	}
	return nil
}

// start begins scenarios, which are those that come with the service, filled in, and the
// campaigns.
func (w *Week) start(ctx context.Context, c *client.Client) error {
	for key, values := range map[string]map[string]any{
		ScenarioWelcome: {"decisionPoint": PointLetters, "purpose": PurposeNews},
		ScenarioCart:    {"decisionPoint": PointLetters, "purpose": PurposeNews},
		ScenarioWinBack: {"decisionPoint": PointLetters, "purpose": PurposeNews, "segment": "quiet", "promoPoint": PointPromo},
	} {
		var filled map[string]any
		if err := c.Post(ctx, "/v1/scenario-templates/"+key+"/fill", map[string]any{"variables": values}, &filled, client.Idempotent()); err != nil {
			return fmt.Errorf("filling the template %s: %w", key, err)
		}
		delete(filled, "$schema")
		if err := c.Put(ctx, "/v1/scenarios/"+key, filled, nil); err != nil {
			return fmt.Errorf("creating the scenario %s: %w", key, err)
		}
		if err := c.Post(ctx, "/v1/scenarios/"+key+"/start", nil, nil); err != nil {
			return fmt.Errorf("starting the scenario %s: %w", key, err)
		}
	}
	for _, key := range []string{CampaignDaily, CampaignWeekend} {
		if err := c.Post(ctx, "/v1/campaigns/"+key+"/start", nil, nil); err != nil {
			return fmt.Errorf("starting the campaign %s: %w", key, err)
		}
	}
	return nil
}

// introduce tells the service of somebody: who they are, what they agreed to, and what
// they bought before the week.
func (w *Week) introduce(p *Person, at time.Time) []client.Message {
	traits := map[string]any{"patience": p.Patience, "price": p.Price, "category": p.Category, "loyalty": p.Loyalty, "city": p.City}
	for name, value := range map[string]string{"email": p.Email, "pushToken": p.Push, "timezone": p.Zone, "country": p.Country} {
		if value != "" {
			traits[name] = value
		}
	}
	id := func(kind string) string { return fmt.Sprintf("week-%d-%05d-%s", w.Seed, p.Index, kind) }
	list := []client.Message{{Type: "identify", MessageID: id("identify"), UserID: p.UserID, Traits: traits, Timestamp: &at}}
	if p.Agreed {
		list = append(list, client.Message{Type: "track", MessageID: id("agreed"), UserID: p.UserID, Event: "Consent Given", Timestamp: &at, Properties: map[string]any{"purpose": PurposeNews, "confirmed": true}})
	}
	if p.SignsUp.IsZero() {
		list = append(list, client.Message{Type: "track", MessageID: id("bought"), UserID: p.UserID, Event: "Order Completed", Timestamp: &p.LastBuy, Properties: map[string]any{"revenue": cents(p.basket), "margin": cents(p.basket * marginShare)}})
	} else {
		list = append(list, client.Message{Type: "track", MessageID: id("signed-up"), UserID: p.UserID, Event: "Signed Up", Timestamp: &at})
	}
	return list
}
