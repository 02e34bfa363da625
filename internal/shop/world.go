package shop

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// DecisionPoint is the key of the shop's decision point.
const DecisionPoint = "home-hero"

// Categories of the catalogue; a customer has one that is dearest to them.
var categories = []string{"shoes", "outdoor", "kitchen", "books", "garden"}

// What is known of customers, and shapes their responses.
var (
	priceBands   = []string{"low", "middle", "high"}
	loyaltyTiers = []string{"new", "regular", "loyal"}
	devices      = []string{"mobile", "desktop"}
	dayparts     = []string{"morning", "midday", "evening", "night"}
	cities       = []string{"Riga", "Lyon", "Porto", "Graz", "Gdansk", "Turku"}
)

// offerPlan is an offer with what only the simulator knows about it.
type offerPlan struct {
	key, name, kind, description string
	discount                     float64 // share of the basket's price
	appeal                       float64 // for everybody, in log-odds
	category                     string  // whom it interests most, if anybody
	interest                     float64 // for those, in log-odds
}

// channelPlan is a channel with what only the simulator knows about it.
type channelPlan struct {
	key, name, kind, requires string
	cost                      float64            // of one contact
	appeal                    map[string]float64 // by daypart, in log-odds
}

type creativePlan struct {
	key, tone, emphasis, imagery string
	appeal                       map[string]float64 // by loyalty, in log-odds
}

var offers = []offerPlan{
	{"spring-sale", "Spring sale", "discount", "15% off everything", 0.15, 0.35, "", 0},
	{"free-shipping", "Free shipping", "discount", "No shipping costs today", 0.04, 0.3, "kitchen", 0.5},
	{"new-outdoor", "New for outdoors", "content", "The new outdoor collection", 0, 0.05, "outdoor", 1.1},
	{"book-club", "Book club", "content", "Three picks of the month", 0, -0.05, "books", 1.0},
}

var channels = []channelPlan{
	{"onsite", "On the site", "onsite", "", 0, map[string]float64{"morning": 0.05, "midday": 0.1, "evening": 0.3, "night": 0.1}},
	{"email", "E-mail", "email", "email", 0.03, map[string]float64{"morning": 0.45, "midday": 0.1, "evening": -0.2, "night": -0.5}},
	{"push", "Push message", "push", "pushToken", 0.01, map[string]float64{"morning": -0.3, "midday": 0.2, "evening": 0.35, "night": -0.8}},
}

var creatives = []creativePlan{
	{"warm", "informal", "benefit", "bright", map[string]float64{"new": 0.2, "regular": 0.1, "loyal": 0}},
	{"precise", "formal", "price", "plain", map[string]float64{"new": -0.1, "regular": 0.05, "loyal": 0.25}},
}

// Item is a product of the shop.
type Item struct {
	ID, Name, Category string
	Price, Cost        float64
	Stock              int
}

// Customer is a person with what the shop knows of them and what it does not.
type Customer struct {
	Index    int
	UserID   string
	Email    string // empty for those who never gave one
	Push     string // token of their device; empty without one
	City     string
	Age      int
	Category string // dearest category
	Price    string // price band
	Loyalty  string

	// Hidden.
	inclination float64 // to buy at all, in log-odds
	thrift      float64 // gain in log-odds by a discount of 100%
	basket      float64 // mean price of a basket
	daypart     int     // part of the day in which they mostly come
	mobile      float64 // share of visits from a mobile device
}

// Visit is one moment at which a customer comes by.
type Visit struct {
	Number   uint64
	Customer *Customer
	Hour     int
	Daypart  string
	Device   string
}

// World is all of the shop that a seed determines.
type World struct {
	Seed      uint64
	Customers []Customer
	Items     []Item
}

// NewWorld makes the world of a seed with the given number of customers.
func NewWorld(seed uint64, customers int) *World {
	w := &World{Seed: seed}
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range 60 {
		price := math.Round(100*math.Exp(3+0.6*rng.NormFloat64())) / 100
		w.Items = append(w.Items, Item{
			ID: fmt.Sprintf("sku-%03d", i), Name: fmt.Sprintf("%s no. %d", categories[i%len(categories)], i/len(categories)+1),
			Category: categories[i%len(categories)], Price: price, Cost: math.Round(price*(0.45+0.2*rng.Float64())*100) / 100, Stock: 20 + rng.IntN(200),
		})
	}
	w.Customers = make([]Customer, customers)
	for i := range w.Customers {
		w.Customers[i] = newCustomer(i, rand.New(rand.NewPCG(seed, 1<<32+uint64(i))))
	}
	return w
}

func newCustomer(i int, rng *rand.Rand) Customer {
	c := Customer{
		Index: i, UserID: fmt.Sprintf("shop-%05d", i), City: pick(rng, cities), Age: 18 + rng.IntN(60),
		Category: pick(rng, categories), Price: pick(rng, priceBands), Loyalty: pick(rng, loyaltyTiers),
		daypart: rng.IntN(len(dayparts)), mobile: rng.Float64(),
	}
	if rng.Float64() < 0.8 {
		c.Email = fmt.Sprintf("customer%05d@shop.example", i)
	}
	if rng.Float64() < 0.6 {
		c.Push = fmt.Sprintf("token-%05d", i)
	}
	c.inclination = -3.4 + map[string]float64{"new": -0.3, "regular": 0, "loyal": 0.4}[c.Loyalty] + 0.35*rng.NormFloat64()
	c.thrift = map[string]float64{"low": 7, "middle": 4, "high": 1}[c.Price] * (0.8 + 0.4*rng.Float64())
	c.basket = map[string]float64{"low": 28, "middle": 40, "high": 62}[c.Price] * math.Exp(0.2*rng.NormFloat64())
	return c
}

// Visit is the visit of a number: who comes, when and with what.
func (w *World) Visit(number uint64) Visit {
	rng := rand.New(rand.NewPCG(w.Seed, 2<<32+number))
	c := &w.Customers[rng.IntN(len(w.Customers))]
	part := c.daypart
	if rng.Float64() < 0.4 {
		part = rng.IntN(len(dayparts))
	}
	v := Visit{Number: number, Customer: c, Hour: (6 + part*6 + rng.IntN(6)) % 24, Daypart: dayparts[part], Device: devices[1]}
	if rng.Float64() < c.mobile {
		v.Device = devices[0]
	}
	return v
}

// context is what the shop tells the service of a visit.
func (v *Visit) context() map[string]any {
	return map[string]any{"visit": float64(v.Number), "hour": float64(v.Hour), "daypart": v.Daypart, "device": v.Device}
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
