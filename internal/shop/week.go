package shop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// What a week of the shop is made of, as [Week.Definitions] creates it.
const (
	PointHome    = "home"    // what visitors see
	PointLetters = "letters" // what campaigns and scenarios send
	PointPromo   = "promo"   // letters with a code

	OfferComeback = "comeback" // with a promo code
	PurposeNews   = "news"

	MetricNet         = "net-margin"   // margin of orders less what contacts cost, per person
	MetricMade        = "order-margin" // margin of orders, per person
	MetricUnsubscribe = "unsubscribing"
)

// Moments of a day, as the shop counts them.
const (
	hoursDay = 24 * time.Hour
	// tiring is for how long a message tires.
	tiring = 7 * hoursDay
	// lateShare of the people sign up during the week.
	lateShare = 0.04
	// orderShare is how much more somebody buys who has come by a link.
	byLink = 1.3
)

// Kinds of patience: what the shop knows of it is a trait, what it comes to is hidden.
var patience = []struct {
	name  string
	share float64
	anger float64 // factor of the probability to unsubscribe
}{{"high", 0.4, 0.4}, {"middle", 0.4, 1}, {"low", 0.2, 4}}

// weekZones are where people live: six zones of Europe that change to and from summer
// time in the same moment, one that changes on another day, and one that never does.
var weekZones = []struct{ zone, country string }{
	{"Europe/Riga", "LV"}, {"Europe/Paris", "FR"}, {"Europe/Lisbon", "PT"}, {"Europe/Vienna", "AT"}, {"Europe/Warsaw", "PL"}, {"Europe/Helsinki", "FI"},
	{"America/New_York", "US"}, {"Asia/Tokyo", "JP"},
}

// letterPlan is an offer of a message with what only the simulator knows about it.
type letterPlan struct {
	key      string
	cost     float64 // of the offer, as budgets count it
	discount float64
	appeal   float64 // of a click, in log-odds
	category string  // whom it interests most
	interest float64
	tags     []string
}

var letters = []letterPlan{
	{"sale", 0, 0.1, 0.5, "", 0, []string{"discount"}},
	{"news", 0, 0, -0.2, "outdoor", 1.4, []string{"content"}},
	{OfferComeback, 0.4, 0.15, 0.8, "", 0, []string{"discount", "code"}},
}

// Week is a world in which people are written to as well as shown something, and in which
// that can be too much. What they do follows from hidden numbers and from draws that
// belong to the person and the moment: without any contact the same person has the same
// luck, so that what contacts bring is known person by person.
type Week struct {
	*World
	From, Until time.Time
	People      []Person
	Visits      []WeekVisit // by time
}

// Person is a customer in a week.
type Person struct {
	*Customer
	Index   int
	Zone    string // empty for those who never told
	Country string // likewise
	Living  *time.Location
	// Patience is what the shop knows of how much somebody bears.
	Patience string
	Agreed   bool      // to news
	SignsUp  time.Time // zero for who was there before
	LastBuy  time.Time // before the week
	anger    float64
	reader   reader
}

// WeekVisit is a visit that somebody makes of their own accord.
type WeekVisit struct {
	Person int
	At     time.Time
	Number uint64 // of the draws
}

// NewWeek makes the week of a seed. Moments are whole steps after from.
func NewWeek(seed uint64, people int, from time.Time, days int, step time.Duration) *Week {
	w := &Week{World: NewWorld(seed, people), From: from, Until: from.Add(time.Duration(days) * hoursDay)}
	for i := range w.Customers {
		c := &w.Customers[i]
		rng := rand.New(rand.NewPCG(seed, 11<<32+uint64(i)))
		at := weekZones[rng.IntN(len(weekZones))]
		p := Person{Customer: c, Index: i, reader: w.reader(c), Agreed: rng.Float64() < 0.85}
		var err error
		if p.Living, err = time.LoadLocation(at.zone); err != nil {
			p.Living = time.UTC
		}
		if rng.Float64() < 0.85 {
			p.Zone = at.zone
		}
		if rng.Float64() < 0.9 {
			p.Country = at.country
		}
		u := rng.Float64()
		for _, kind := range patience {
			if p.Patience, p.anger = kind.name, kind.anger; u < kind.share {
				break
			}
			u -= kind.share
		}
		if c.Email == "" && c.Push == "" {
			c.Email = fmt.Sprintf("customer%05d@shop.example", i)
		}
		p.LastBuy = from.Add(-time.Duration((3 + 60*rng.Float64()) * float64(hoursDay))).Truncate(time.Minute)
		if rng.Float64() < lateShare {
			p.SignsUp = from.Add(time.Duration(rng.Float64() * float64(days) * float64(hoursDay))).Truncate(step)
		}
		w.People = append(w.People, p)
		w.visitsOf(&p, rng, step)
	}
	sort.Slice(w.Visits, func(i, j int) bool {
		a, b := &w.Visits[i], &w.Visits[j]
		return a.At.Before(b.At) || a.At.Equal(b.At) && a.Person < b.Person
	})
	return w
}

// visitsOf draws when somebody comes by: some days, at their part of the day.
func (w *Week) visitsOf(p *Person, rng *rand.Rand, step time.Duration) {
	weekly := 1 + 4*rng.Float64()
	number := uint64(0)
	for day := w.From.Add(-hoursDay); day.Before(w.Until); day = day.Add(hoursDay) {
		if rng.Float64() > weekly/7 {
			continue
		}
		local := day.In(p.Living)
		part := p.daypart
		if rng.Float64() < 0.3 {
			part = rng.IntN(len(dayparts))
		}
		at := time.Date(local.Year(), local.Month(), local.Day(), 6+part*5+rng.IntN(5), rng.IntN(60), 0, 0, p.Living).Truncate(step)
		number++
		if !at.Before(w.From) && at.Before(w.Until) && (p.SignsUp.IsZero() || at.After(p.SignsUp)) {
			w.Visits = append(w.Visits, WeekVisit{Person: p.Index, At: at, Number: number})
		}
	}
}

// luck is what is drawn for a moment of a person; kind and number name the moment.
func (w *Week) luck(p *Person, kind, number uint64) *rand.Rand {
	return rand.New(rand.NewPCG(w.Seed*0x9E3779B97F4A7C15+kind<<56+number, 12<<32+uint64(p.Index)))
}

// Kinds of moments.
const (
	luckVisit  = 1
	luckLetter = 2
)

// Sale is what somebody bought.
type Sale struct{ Revenue, Margin float64 }

// OnVisit is what a visitor does who is shown the offer, empty for none, and who had so
// many messages in the last days. cart says that something was put into the cart.
func (w *Week) OnVisit(v *WeekVisit, offer string, tired int) (sale Sale, bought, cart bool) {
	p := &w.People[v.Person]
	rng := w.luck(p, luckVisit, v.Number)
	logit, discount := p.inclination+0.5-0.08*float64(tired), 0.0
	for i := range offers {
		if o := &offers[i]; o.key == offer {
			logit += o.appeal + p.thrift*o.discount
			discount = o.discount
			if o.category == p.Category {
				logit += o.interest
			}
		}
	}
	u, wants := rng.Float64(), rng.Float64() < 0.25
	sale = w.basketOf(p, rng, discount)
	bought = u < 1/(1+math.Exp(-logit))
	return sale, bought, bought || wants
}

func (w *Week) basketOf(p *Person, rng *rand.Rand, discount float64) Sale {
	const spread = 0.5
	basket := p.basket * math.Exp(spread*rng.NormFloat64()-spread*spread/2)
	return Sale{Revenue: cents(basket * (1 - discount)), Margin: cents(basket * (marginShare - discount))}
}

// Answer is what somebody does with a message. The times are after its arrival.
type Answer struct {
	Opens, Clicks, Buys, Unsubscribes bool
	OpensAfter, BuysAfter             time.Duration
	UnsubscribesAfter                 time.Duration
	Sale                              Sale
}

// OnMessage is the answer to the message of a number that arrives at a moment, after so
// many in the last days.
func (w *Week) OnMessage(p *Person, number int, at time.Time, offer, channel string, tired int) Answer {
	rng := w.luck(p, luckLetter, uint64(number))
	local := at.In(p.Living)
	opens := p.reader.opens(float64(local.Hour())+float64(local.Minute())/60) * math.Pow(0.85, float64(tired))
	if channel == "push" {
		opens *= 0.8
	}
	var plan letterPlan
	for i := range letters {
		if letters[i].key == offer {
			plan = letters[i]
		}
	}
	click, buy := -0.6+plan.appeal, p.inclination+byLink+plan.appeal+p.thrift*plan.discount-0.08*float64(tired)
	if plan.category != "" && plan.category == p.Category {
		click, buy = click+plan.interest, buy+plan.interest/2
	}
	a := Answer{Opens: rng.Float64() < opens}
	a.Clicks = rng.Float64() < 1/(1+math.Exp(-click)) && a.Opens
	a.Buys = rng.Float64() < 1/(1+math.Exp(-buy)) && a.Clicks
	a.Unsubscribes = rng.Float64() < Unsubscribing(p.anger, tired)
	a.OpensAfter = time.Duration(rng.ExpFloat64() * float64(2*time.Hour))
	a.BuysAfter = a.OpensAfter + time.Duration(rng.ExpFloat64()*float64(20*time.Minute))
	a.UnsubscribesAfter = time.Duration(rng.ExpFloat64() * float64(3*time.Hour))
	a.Sale = w.basketOf(p, rng, plan.discount)
	return a
}

// Unsubscribing is the probability to unsubscribe at a message after so many in the last
// days: it doubles with each.
func Unsubscribing(anger float64, tired int) float64 {
	return min(0.5, 0.008*anger*math.Pow(2, float64(tired)))
}

// Untouched is the margin that somebody brings in the week without any contact, of visits
// before until: the truth that contacts are compared with.
func (w *Week) Untouched(until time.Time) []float64 {
	out := make([]float64, len(w.People))
	for i := range w.Visits {
		v := &w.Visits[i]
		if !v.At.Before(until) {
			break
		}
		if sale, bought, _ := w.OnVisit(v, "", 0); bought {
			out[v.Person] += sale.Margin
		}
	}
	return out
}
