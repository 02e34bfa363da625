package shop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Shelf is the catalogue of a larger generated shop with what only the simulator knows of
// it: how probable it is that a customer takes an item that they look at. Lists of items
// can then be valued exactly, without any luck in who bought what.
type Shelf struct {
	World *World
	Items []Item
	plans []itemPlan
	likes []customerPlan
}

// dimensions of what is neither category nor price.
const dimensions = 3

type itemPlan struct {
	appeal float64 // for everybody, in log-odds
	style  [dimensions]float64
}

type customerPlan struct {
	style [dimensions]float64
	price float64 // what they mean to spend, as a logarithm
}

// NewShelf gives a world a catalogue of so many items. Margins differ between 10% and 60%
// of the price, whatever the item appeals to.
func NewShelf(w *World, items int) *Shelf {
	s := &Shelf{World: w}
	rng := rand.New(rand.NewPCG(w.Seed, 3))
	style := func() (v [dimensions]float64) {
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		return v
	}
	for i := range items {
		category := categories[i%len(categories)]
		price := math.Round(100*math.Exp(3.2+0.7*rng.NormFloat64())) / 100
		s.Items = append(s.Items, Item{
			ID: fmt.Sprintf("item-%04d", i), Name: fmt.Sprintf("%s no. %d", category, i/len(categories)+1), Category: category,
			Price: price, Cost: math.Round(price*(0.4+0.5*rng.Float64())*100) / 100, Stock: 1000,
		})
		s.plans = append(s.plans, itemPlan{0.5 * rng.NormFloat64(), style()})
	}
	for i := range w.Customers {
		middle := map[string]float64{"low": 2.7, "middle": 3.2, "high": 3.8}[w.Customers[i].Price]
		s.likes = append(s.likes, customerPlan{style(), middle + 0.2*rng.NormFloat64()})
	}
	return s
}

// Chance is the probability that a customer buys an item that they look at.
func (s *Shelf) Chance(customer, item int) float64 { return logistic(s.odds(customer, item)) }

func (s *Shelf) odds(customer, item int) float64 {
	c, like, plan := &s.World.Customers[customer], &s.likes[customer], &s.plans[item]
	odds := -3.6 + plan.appeal + c.inclination/8
	if s.Items[item].Category == c.Category {
		odds += 1.4
	}
	for d := range dimensions {
		odds += 0.45 * like.style[d] * plan.style[d]
	}
	return odds - 0.8*math.Abs(math.Log(s.Items[item].Price)-like.price)
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// Look is the probability that somebody looks at a place of a list, from 0.
func Look(place int) float64 { return math.Pow(float64(place+1), -0.7) }

// Worth is what a list is worth shown to a customer once: the items that are bought of
// it, and what they earn, in expectation.
func (s *Shelf) Worth(customer int, list []int) (bought, profit float64) {
	for place, item := range list {
		p := Look(place) * s.Chance(customer, item)
		bought += p
		profit += p * (s.Items[item].Price - s.Items[item].Cost)
	}
	return bought, profit
}

// Step is something that a customer did with an item.
type Step struct {
	Customer, Item int
	At             time.Time
	Bought         bool // otherwise viewed
}

// Browse is what customers do by themselves between two moments, in the order of time:
// on each visit, once in five days, they look at twelve items, half of them of their own
// category, view what interests them and buy some of that.
func (s *Shelf) Browse(from, until time.Time) []Step {
	rng := rand.New(rand.NewPCG(s.World.Seed, 4<<32+uint64(from.Unix())))
	own := make(map[string][]int)
	for i := range s.Items {
		own[s.Items[i].Category] = append(own[s.Items[i].Category], i)
	}
	var out []Step
	const pause = 5 * 24 * float64(time.Hour)
	for c := range s.World.Customers {
		for at := from.Add(time.Duration(pause * rng.ExpFloat64())); at.Before(until); at = at.Add(time.Duration(pause * rng.ExpFloat64())) {
			mine := own[s.World.Customers[c].Category]
			when := at
			for n := range 12 {
				item := rng.IntN(len(s.Items))
				if n%2 == 0 && len(mine) > 0 {
					item = mine[rng.IntN(len(mine))]
				}
				out = append(out, s.Meet(c, item, when, rng)...)
				when = when.Add(time.Minute)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Step) int { return a.At.Compare(b.At) })
	return out
}

// Meet is what a customer does with an item that they look at: nothing, a view, or a view
// and a purchase a second later.
func (s *Shelf) Meet(customer, item int, at time.Time, rng *rand.Rand) []Step {
	odds, u := s.odds(customer, item), rng.Float64()
	switch {
	case u < logistic(odds):
		return []Step{{customer, item, at, false}, {customer, item, at.Add(time.Second), true}}
	case u < logistic(odds+1.3):
		return []Step{{customer, item, at, false}}
	}
	return nil
}
