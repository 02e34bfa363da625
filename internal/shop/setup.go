package shop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"quintet/internal/client"
)

// Experiment and metrics that the shop measures itself with.
const (
	Experiment   = "hero-learning"
	MetricMargin = "margin-per-decision"
	MetricOrders = "ordering"
	MetricPerson = "margin-per-person"
)

// historyDays is how far back the customers' history reaches.
const historyDays = 90

type definition struct {
	path string
	body map[string]any
}

// Setup creates what is missing: catalogue, offers, channels, decision point,
// metrics, the running experiment and the customers with their history. It
// leaves alone what is there, so that what a person changed stays changed.
func Setup(ctx context.Context, c *client.Client, w *World, progress func(done, total int)) error {
	for _, d := range w.definitions() {
		err := c.Get(ctx, d.path, nil)
		if err == nil {
			continue
		}
		if client.StatusOf(err) != http.StatusNotFound {
			return fmt.Errorf("looking for %s: %w", d.path, err)
		}
		if err := c.Put(ctx, d.path, d.body, nil); err != nil {
			return fmt.Errorf("creating %s: %w", d.path, err)
		}
		if d.path == "/v1/experiments/"+Experiment {
			if err := c.Post(ctx, d.path+"/start", nil, nil); err != nil {
				return fmt.Errorf("starting the experiment: %w", err)
			}
		}
	}
	err := c.Get(ctx, "/v1/profiles/userId:"+w.Customers[len(w.Customers)-1].UserID, nil)
	if err == nil {
		return nil
	}
	if client.StatusOf(err) != http.StatusNotFound {
		return fmt.Errorf("looking for the last customer: %w", err)
	}
	return w.sendHistory(ctx, c, time.Now(), progress)
}

// definitions lists everything that the shop defines, in the order in which one
// may refer to another.
func (w *World) definitions() []definition {
	var out []definition
	add := func(kind, key string, body map[string]any) {
		out = append(out, definition{path: "/v1/" + kind + "/" + key, body: body})
	}
	for _, i := range w.Items {
		add("items", i.ID, map[string]any{"name": i.Name, "category": i.Category, "price": i.Price, "cost": i.Cost, "stock": i.Stock})
	}
	var offerKeys, channelKeys []string
	for _, o := range offers {
		offerKeys = append(offerKeys, o.key)
		add("offers", o.key, map[string]any{
			"name": o.name, "kind": o.kind, "description": o.description, "active": true,
			"attributes": map[string]any{"discount": o.discount}, "items": w.itemsFor(o.category),
		})
	}
	for _, c := range channels {
		channelKeys = append(channelKeys, c.key)
		add("channels", c.key, map[string]any{"name": c.name, "kind": c.kind, "contactCost": c.cost, "requires": c.requires, "active": true})
	}
	add("metrics", MetricMargin, map[string]any{
		"name": "Margin per decision", "kind": "ratio", "event": "Order Completed", "property": "margin", "windowHours": 8760,
		"denominator": "decisions", "direction": "increase", "subtractContactCost": true,
	})
	add("metrics", MetricOrders, map[string]any{
		"name": "People who order", "kind": "proportion", "event": "Order Completed", "windowHours": 336, "direction": "increase",
	})
	add("metrics", MetricPerson, map[string]any{
		"name": "Margin per person", "kind": "mean", "event": "Order Completed", "property": "margin", "windowHours": 8760, "direction": "increase",
	})
	add("decision-points", DecisionPoint, map[string]any{
		"name": "Hero of the home page", "class": "advertising", "offers": offerKeys, "channels": channelKeys,
		"creatives": creativeBodies(), "features": features(),
		"policy": map[string]any{"type": "bandit", "exploration": 0.05, "alpha": 0.5, "halfLifeDays": 30},
		"objective": map[string]any{
			"terms":       []map[string]any{{"event": "Order Completed", "property": "margin", "weight": 1}},
			"windowHours": 1, "subtractContactCost": true,
		},
		"defaultAction": "none",
	})
	add("experiments", Experiment, map[string]any{
		"name": "Does learning pay?", "hypothesis": "The learned policy earns more margin per decision than even choice.",
		"decisionPoint": DecisionPoint, "metrics": []string{MetricMargin, MetricPerson, MetricOrders},
		"variants": []map[string]any{
			{"key": "even", "name": "Even choice", "weight": 0.5, "control": true, "policy": map[string]any{"type": "uniform"}},
			{"key": "learned", "name": "Learned policy", "weight": 0.5, "policy": map[string]any{"type": "bandit"}},
		},
	})
	return out
}

func (w *World) itemsFor(category string) []string {
	var ids []string
	for _, i := range w.Items {
		if (category == "" || i.Category == category) && len(ids) < 6 {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

func creativeBodies() []map[string]any {
	var out []map[string]any
	for _, c := range creatives {
		out = append(out, map[string]any{"key": c.key, "tone": c.tone, "emphasis": c.emphasis, "imagery": c.imagery})
	}
	return out
}

// features are what the policy may know; the rest stays hidden.
func features() []map[string]any {
	category := func(name, source string, values []string) map[string]any {
		return map[string]any{"name": name, "source": source, "kind": "categorical", "values": values}
	}
	return []map[string]any{
		category("favouriteCategory", "profile", categories),
		category("priceBand", "profile", priceBands),
		category("loyalty", "profile", loyaltyTiers),
		category("device", "context", devices),
		category("daypart", "context", dayparts),
	}
}

// sendHistory sends who the customers are and what they did in the last months.
func (w *World) sendHistory(ctx context.Context, c *client.Client, now time.Time, progress func(done, total int)) error {
	const perCall = 1000
	var batch []client.Message
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		result, err := c.Batch(ctx, batch)
		if err != nil {
			return fmt.Errorf("sending the customers' history: %w", err)
		}
		if len(result.Rejected) > 0 {
			return fmt.Errorf("sending the customers' history: %d messages refused, the first for %v", len(result.Rejected), result.Rejected[0].Errors)
		}
		batch = batch[:0]
		return nil
	}
	for i := range w.Customers {
		batch = append(batch, w.historyOf(&w.Customers[i], now)...)
		if len(batch) >= perCall {
			if err := flush(); err != nil {
				return err
			}
			if progress != nil {
				progress(i+1, len(w.Customers))
			}
		}
	}
	if progress != nil {
		progress(len(w.Customers), len(w.Customers))
	}
	return flush()
}

// historyOf is one customer's past: views and now and then an order.
func (w *World) historyOf(c *Customer, now time.Time) []client.Message {
	rng := rand.New(rand.NewPCG(w.Seed, 4<<32+uint64(c.Index)))
	var out []client.Message
	at := func(days float64) *time.Time {
		t := now.Add(-time.Duration(days * 24 * float64(time.Hour))).UTC().Truncate(time.Millisecond)
		return &t
	}
	id := func(kind string, n int) string { return fmt.Sprintf("shop-%d-%05d-%s-%d", w.Seed, c.Index, kind, n) }
	visits := 1 + rng.IntN(6)
	for n := range visits {
		days := historyDays * (1 - float64(n)/float64(visits)*(0.9+0.1*rng.Float64()))
		item := pick(rng, w.Items)
		out = append(out, client.Message{
			Type: "track", MessageID: id("view", n), UserID: c.UserID, Event: "Product Viewed", Timestamp: at(days),
			Properties: map[string]any{"product_id": item.ID, "name": item.Name, "category": item.Category, "price": item.Price},
		})
		if rng.Float64() < 0.2 {
			out = append(out, client.Message{
				Type: "track", MessageID: id("order", n), UserID: c.UserID, Event: "Order Completed", Timestamp: at(days - 0.01),
				Properties: map[string]any{
					"order_id": id("order", n), "revenue": item.Price, "margin": cents(item.Price - item.Cost), "currency": "EUR",
					"products": []map[string]any{{"product_id": item.ID, "price": item.Price, "quantity": 1}},
				},
			})
		}
	}
	traits := map[string]any{"city": c.City, "age": c.Age, "favouriteCategory": c.Category, "priceBand": c.Price, "loyalty": c.Loyalty}
	if c.Email != "" {
		traits["email"] = c.Email
	}
	if c.Push != "" {
		traits["pushToken"] = c.Push
	}
	return append(out, client.Message{Type: "identify", MessageID: id("identify", 0), UserID: c.UserID, Traits: traits, Timestamp: at(0.001)})
}
