package shop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"quintet/internal/client"
)

// WinBack is the experiment of the letters with a promo code, PromoLetter its treatment.
const (
	WinBack     = "win-back"
	PromoLetter = "promo"
)

// mailingDays is how far back the letters of [World.Letters] reach, and winBackDays how
// long ago the last promo codes of [World.PromoCodes] were sent.
const (
	mailingDays = 60
	winBackDays = 25
)

// promoDiscount is what a promo code takes off the price of a basket, promoCost what the
// letter with it costs.
const (
	promoDiscount = 0.2
	promoCost     = 0.1
)

// zones are the time zones of the cities.
var zones = map[string]string{
	"Riga": "Europe/Riga", "Lyon": "Europe/Paris", "Porto": "Europe/Lisbon", "Graz": "Europe/Vienna", "Gdansk": "Europe/Warsaw", "Turku": "Europe/Helsinki",
}

// reader is what the simulator alone knows of how a customer takes letters.
type reader struct {
	hour  float64 // favourite local hour
	keen  float64 // what that hour adds to the probability of opening
	least float64 // probability of opening at the other end of the day

	kind   int     // of buyer
	weekly float64 // looks into the shop per week, by which the kinds can be told apart
}

// Kinds of buyers, by what a promo code does to them.
const (
	bargainHunter = iota // buys with a code, and hardly without
	loyalBuyer           // buys anyway, and takes the code along
	indifferent          // does not buy
	kinds
)

func (w *World) reader(c *Customer) reader {
	rng := rand.New(rand.NewPCG(w.Seed, 5<<32+uint64(c.Index)))
	r := reader{hour: float64([]int{8, 13, 20}[rng.IntN(3)]) + 1.5*rng.NormFloat64(), keen: .2 + .3*rng.Float64(), least: .02 + .06*rng.Float64(), kind: rng.IntN(kinds)}
	r.weekly = []float64{3, 1, .2}[r.kind] * (.8 + .4*rng.Float64())
	return r
}

// opens is the probability that a letter of a local hour is opened.
func (r reader) opens(hour float64) float64 {
	distance := math.Abs(hour - r.hour)
	distance = min(distance, 24-distance)
	return r.least + r.keen*math.Exp(-distance*distance/6)
}

// buys is the probability of an order within two weeks, with and without a promo code.
func (r reader) buys(promo bool) float64 {
	if promo {
		return []float64{.4, .62, .02}[r.kind]
	}
	return []float64{.02, .6, .02}[r.kind]
}

// zone is the time zone in which the customer lives.
func (c *Customer) zone() *time.Location {
	zone, err := time.LoadLocation(zones[c.City])
	if err != nil {
		return time.UTC // the machine knows no time zones
	}
	return zone
}

// Letters are what the shop's newsletter did in the last weeks: every day a letter to
// everybody with an address, at an hour that was drawn evenly, and who opened it.
func (w *World) Letters(now time.Time) []client.Message {
	var out []client.Message
	for i := range w.Customers {
		c := &w.Customers[i]
		if c.Email == "" {
			continue
		}
		r, rng := w.reader(c), rand.New(rand.NewPCG(w.Seed, 6<<32+uint64(c.Index)))
		for day := range mailingDays {
			sent := now.AddDate(0, 0, -day-2).Truncate(24 * time.Hour).Add(time.Duration(rng.IntN(24*3600)) * time.Second)
			id := fmt.Sprintf("letter-%d-%05d-%d", w.Seed, c.Index, day)
			local := sent.In(c.zone())
			out = append(out, client.Message{Type: "track", MessageID: id, UserID: c.UserID, Event: "Message Sent", Timestamp: &sent, Properties: map[string]any{
				"messageId": id, "channel": "email", "timezone": zones[c.City], "slotPropensity": 1.0 / 24,
			}})
			if rng.Float64() < r.opens(float64(local.Hour())+float64(local.Minute())/60) {
				opened := sent.Add(time.Duration(60+rng.IntN(3000)) * time.Second)
				out = append(out, client.Message{Type: "track", MessageID: id + "-open", UserID: c.UserID, Event: "Message Opened", Timestamp: &opened, Properties: map[string]any{"messageId": id, "channel": "email"}})
			}
		}
	}
	return out
}

// Opens draws how many of the letters of a week to a customer are opened when they come
// at one local hour. The draws belong to the letters: another hour has the same luck.
func (w *World) Opens(c *Customer, hour float64, letters int) int {
	r, rng := w.reader(c), rand.New(rand.NewPCG(w.Seed, 7<<32+uint64(c.Index)))
	n := 0
	for range letters {
		if rng.Float64() < r.opens(hour) {
			n++
		}
	}
	return n
}

// PromoCodes are half a year of looks and orders, and a win-back that gave half of the
// customers a promo code, by lot, some weeks ago.
func (w *World) PromoCodes(now time.Time) []client.Message {
	var out []client.Message
	for i := range w.Customers {
		c := &w.Customers[i]
		r, rng := w.reader(c), rand.New(rand.NewPCG(w.Seed, 8<<32+uint64(c.Index)))
		id := func(kind string, n int) string {
			return fmt.Sprintf("win-back-%d-%05d-%s-%d", w.Seed, c.Index, kind, n)
		}
		track := func(messageID, event string, at time.Time, properties map[string]any) {
			at = at.UTC().Truncate(time.Millisecond)
			out = append(out, client.Message{Type: "track", MessageID: messageID, UserID: c.UserID, Event: event, Timestamp: &at, Properties: properties})
		}
		n := 0
		for days := 170.0; ; n++ {
			if days -= 7 / r.weekly * rng.ExpFloat64(); days < .1 {
				break
			}
			item := w.Items[rng.IntN(len(w.Items))]
			track(id("look", n), "Product Viewed", daysAgo(now, days), map[string]any{"product_id": item.ID, "category": item.Category, "price": item.Price})
		}
		// Everybody has bought once, half a year ago, and again rarely.
		order := func(n int, at time.Time, promo bool) {
			margin := c.basket * marginShare
			if promo {
				margin -= c.basket * promoDiscount
			}
			track(id("order", n), "Order Completed", at, map[string]any{"revenue": cents(c.basket), "margin": cents(margin), "currency": "EUR"})
		}
		order(0, daysAgo(now, 100+60*rng.Float64()), false)
		exposed := daysAgo(now, winBackDays+40*rng.Float64())
		variant := "control"
		if rng.IntN(2) == 0 {
			variant = PromoLetter
		}
		track(id("exposed", 0), "Experiment Viewed", exposed, map[string]any{"experimentId": WinBack, "variationId": variant})
		if rng.Float64() < r.buys(variant == PromoLetter) {
			order(1, exposed.Add(time.Duration((1+300*rng.Float64())*float64(time.Hour))), variant == PromoLetter)
		}
	}
	return out
}

func daysAgo(now time.Time, days float64) time.Time {
	return now.Add(-time.Duration(days * 24 * float64(time.Hour)))
}

// WinBackMargin draws the margin that a customer brings within two weeks, the cost of a
// letter taken off. The draw belongs to the customer: with a code or without it has the
// same luck.
func (w *World) WinBackMargin(c *Customer, promo bool) float64 {
	r, rng := w.reader(c), rand.New(rand.NewPCG(w.Seed, 9<<32+uint64(c.Index)))
	margin, cost := c.basket*marginShare, 0.0
	if promo {
		margin, cost = margin-c.basket*promoDiscount, promoCost
	}
	if rng.Float64() >= r.buys(promo) {
		margin = 0
	}
	return margin - cost
}

// BestFixedHour is the local hour at which the most letters would be opened if all came
// at the same: what nobody but the simulator can know.
func (w *World) BestFixedHour() float64 {
	best, most := 0.0, 0.0
	for hour := range 24 {
		var sum float64
		for i := range w.Customers {
			if w.Customers[i].Email != "" {
				sum += w.reader(&w.Customers[i]).opens(float64(hour))
			}
		}
		if sum > most {
			best, most = float64(hour), sum
		}
	}
	return best
}
