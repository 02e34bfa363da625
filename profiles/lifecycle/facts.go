package lifecycle

import (
	"math"
	"slices"
)

// Fact is the name of one number about a person as of a moment.
type Fact string

// The facts. A number that makes no sense for a person, such as the days since
// an order that never was, is absent: NaN here and in ClickHouse, where no
// condition on it holds. Days are whole days of 24 hours, rounded down.
const (
	Registered            Fact = "registered" // 1 or 0
	Events                Fact = "events"     // what the person did, messages and surveys excepted
	Sessions              Fact = "sessions"   // with half an hour of silence between them
	Views                 Fact = "views"
	Carts                 Fact = "carts"
	Checkouts             Fact = "checkouts"
	Orders                Fact = "orders"
	Spend                 Fact = "spend" // refunds subtracted
	Margin                Fact = "margin"
	AverageOrder          Fact = "averageOrder"
	DiscountShare         Fact = "discountShare"
	PeakShare             Fact = "peakShare"
	OrderGapDays          Fact = "orderGapDays"
	OpenView              Fact = "openView"     // 1 when the last view is later than the last order
	OpenCart              Fact = "openCart"     // likewise of carts
	OpenCheckout          Fact = "openCheckout" // likewise of checkouts
	DaysSinceFirstSeen    Fact = "daysSinceFirstSeen"
	DaysSinceLastSeen     Fact = "daysSinceLastSeen"
	DaysSinceFirstOrder   Fact = "daysSinceFirstOrder"
	DaysSinceLastOrder    Fact = "daysSinceLastOrder"
	DaysSinceLastView     Fact = "daysSinceLastView"
	DaysSinceLastCart     Fact = "daysSinceLastCart"
	DaysSinceLastCheckout Fact = "daysSinceLastCheckout"
	SpendQuantile         Fact = "spendQuantile" // 0 to 0.99
	Recency               Fact = "recency"       // scores of 1 to 5
	Frequency             Fact = "frequency"
	Monetary              Fact = "monetary"
)

// described lists every fact with its meaning, in the order of their places in
// [Facts]. The first baseFacts come from events; the others follow from them and
// from where the person stands among all customers.
var described = []struct {
	fact Fact
	doc  string
}{
	{Registered, "1 when the person has a userId or has signed up, else 0"},
	{Events, "things that the person did; messages sent to them, surveys and what the service notes itself do not count"},
	{Sessions, "visits: runs of events with less than 30 minutes between them"},
	{Views, "products looked at"},
	{Carts, "products put into a cart"},
	{Checkouts, "checkouts begun"},
	{Orders, "orders; one order id counts once"},
	{Spend, "revenue of the orders less refunds"},
	{Margin, "margin of the orders whose cost is known"},
	{DiscountShare, "share of orders with a discount or coupon, 0 to 1; absent without orders"},
	{PeakShare, "share of orders in the strongest quarter of the year, 0.25 to 1; absent without orders"},
	{OrderGapDays, "mean days between orders; absent below two orders"},
	{OpenView, "1 when a product was looked at since the last order, else 0"},
	{OpenCart, "1 when a product was put into a cart since the last order, else 0"},
	{OpenCheckout, "1 when a checkout was begun since the last order, else 0"},
	{DaysSinceFirstSeen, "days since the first event of any kind"},
	{DaysSinceLastSeen, "days since the last thing that the person did; absent when they did nothing"},
	{DaysSinceFirstOrder, "days since the first order; absent without orders"},
	{DaysSinceLastOrder, "days since the last order; absent without orders"},
	{DaysSinceLastView, "days since a product was looked at; absent when never"},
	{DaysSinceLastCart, "days since a product was put into a cart; absent when never"},
	{DaysSinceLastCheckout, "days since a checkout was begun; absent when never"},
	{AverageOrder, "spend divided by orders; absent without orders"},
	{SpendQuantile, "share of customers who are surpassed in spend, in steps of 0.01; absent without orders"},
	{Recency, "RFM score of the last order, 1 to 5; absent without orders"},
	{Frequency, "RFM score of the number of orders, 1 to 5; absent without orders"},
	{Monetary, "RFM score of the spend, 1 to 5; absent without orders"},
}

// baseFacts is how many facts come straight from events.
const baseFacts = 22

var places = func() map[Fact]int {
	m := make(map[Fact]int, len(described))
	for i, d := range described {
		m[d.fact] = i
	}
	return m
}()

// Facts are the numbers of one person, in the order of [FactNames].
type Facts [27]float64

// Absent is a fact that makes no sense for the person.
func Absent() float64 { return math.NaN() }

// Get is the value of a fact, NaN when it is absent or unknown.
func (f *Facts) Get(name Fact) float64 {
	i, ok := places[name]
	if !ok {
		return math.NaN()
	}
	return f[i]
}

// Set sets a fact; an unknown name is ignored.
func (f *Facts) Set(name Fact, value float64) {
	if i, ok := places[name]; ok {
		f[i] = value
	}
}

// NewFacts has every fact absent.
func NewFacts() *Facts {
	f := new(Facts)
	for i := range f {
		f[i] = math.NaN()
	}
	return f
}

// FactNames lists all facts.
func FactNames() []Fact {
	names := make([]Fact, len(described))
	for i, d := range described {
		names[i] = d.fact
	}
	return names
}

// BaseFacts lists the facts that come straight from events.
func BaseFacts() []Fact { return slices.Clone(FactNames()[:baseFacts]) }

// Describe says what a fact means, "" for an unknown one.
func Describe(name Fact) string {
	if i, ok := places[name]; ok {
		return described[i].doc
	}
	return ""
}
