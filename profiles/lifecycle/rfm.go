package lifecycle

import (
	"fmt"
	"math"
	"slices"

	"quintet/internal/problem"
)

// Method says where the bounds between RFM scores come from.
type Method string

// The methods.
const (
	// Quantiles puts a fifth of the customers into each score.
	Quantiles Method = "quantiles"
	// Fixed uses bounds that do not move with the customers.
	Fixed Method = "fixed"
)

// RFM says how customers are scored and what the scores are called.
//
// By quantiles, each of the three numbers has four cuts: the k-th is the smallest
// value of a customer that at least k fifths of the customers do not surpass. A
// customer's score is 1 plus the number of cuts that the customer surpasses
// (strictly; for recency with fewer days). Customers with equal values therefore
// have equal scores, the worst value scores 1, and where many share one value a
// score may have more than a fifth of them, or nobody.
//
// With fixed bounds the score is 1 plus the number of bounds that the customer
// reaches: so many days or fewer, so many orders or more, so much spend or more.
type RFM struct {
	Method Method `json:"method,omitempty" enum:"quantiles,fixed" doc:"quantiles: a fifth of the customers in each score; fixed: the bounds below"`
	// Bounds of fixed scores, from score 2 to score 5.
	RecencyDays []float64 `json:"recencyDays,omitempty" maxItems:"4" doc:"Fixed: at most so many days since the last order for scores 2, 3, 4 and 5, falling"`
	Orders      []float64 `json:"orders,omitempty" maxItems:"4" doc:"Fixed: at least so many orders for scores 2, 3, 4 and 5, rising"`
	Spend       []float64 `json:"spend,omitempty" maxItems:"4" doc:"Fixed: at least so much spend for scores 2, 3, 4 and 5, rising"`
	Segments    []Box     `json:"segments,omitempty" maxItems:"40" doc:"Boxes of scores in their order: the first that holds a code names it"`
	Other       string    `json:"other,omitempty" maxLength:"64" doc:"Key of the codes that no box holds; other unless given"`
}

// Box is a part of the cube of scores.
type Box struct {
	Key       string `json:"key" maxLength:"64"`
	Name      string `json:"name,omitempty" maxLength:"200"`
	Recency   Range  `json:"recency"`
	Frequency Range  `json:"frequency"`
	Monetary  Range  `json:"monetary"`
}

// Range is the scores from Min to Max, both included.
type Range struct {
	Min int `json:"min" minimum:"1" maximum:"5"`
	Max int `json:"max" minimum:"1" maximum:"5"`
}

func (r Range) holds(score int) bool { return r.Min <= score && score <= r.Max }

// Scores are the three of a customer, each 1 to 5.
type Scores struct{ Recency, Frequency, Monetary int }

// Code writes the scores as three digits, 555 for the best.
func (s Scores) Code() string { return fmt.Sprintf("%d%d%d", s.Recency, s.Frequency, s.Monetary) }

// Segment is the key of the first box that holds the scores.
func (r *RFM) Segment(s Scores) string {
	for i := range r.Segments {
		b := &r.Segments[i]
		if b.Recency.holds(s.Recency) && b.Frequency.holds(s.Frequency) && b.Monetary.holds(s.Monetary) {
			return b.Key
		}
	}
	return r.Other
}

// EachScores calls f with all 125 codes.
func EachScores(f func(Scores)) {
	for r := 1; r <= 5; r++ {
		for q := 1; q <= 5; q++ {
			for m := 1; m <= 5; m++ {
				f(Scores{r, q, m})
			}
		}
	}
}

// Unreachable lists the boxes that no code is named by, because earlier ones
// hold all of theirs.
func (r *RFM) Unreachable() []string {
	reached := map[string]bool{}
	EachScores(func(s Scores) { reached[r.Segment(s)] = true })
	list := []string{}
	for _, b := range r.Segments {
		if !reached[b.Key] {
			list = append(list, b.Key)
		}
	}
	return list
}

// Cuts are the bounds between scores as of a moment, each from score 2 to 5,
// and the 99 between percentiles of spend.
type Cuts struct {
	// Days, Orders and Spend are surpassed when Surpass is set, reached otherwise.
	Days, Orders, Spend [4]float64
	Surpass             bool
	// Percentiles of the customers' spend, surpassed in any case.
	Percentiles [99]float64
}

// ranked is the value that at least a share k/of of the ascending values does
// not surpass and that is itself the smallest such one.
func ranked(ascending []float64, k, of int) float64 {
	n := len(ascending)
	if n == 0 {
		return math.NaN()
	}
	return ascending[(k*n+of-1)/of-1]
}

// NewCuts computes the cuts from the customers: days since the last order, number
// of orders and spend of each, in any order. Those of a fixed table are its
// bounds. Without customers nothing is surpassed.
func (r *RFM) NewCuts(days, orders, spend []float64) Cuts {
	var c Cuts
	spend = slices.Sorted(slices.Values(spend))
	for j := range c.Percentiles {
		c.Percentiles[j] = ranked(spend, j+1, 100)
	}
	// Few days are good: the order turns round.
	recent := make([]float64, len(days))
	for i, d := range days {
		recent[i] = -d
	}
	slices.Sort(recent)
	orders = slices.Sorted(slices.Values(orders))
	for k := range c.Days {
		c.Days[k] = -ranked(recent, k+1, 5)
		c.Orders[k] = ranked(orders, k+1, 5)
		c.Spend[k] = ranked(spend, k+1, 5)
	}
	return r.bound(c)
}

// bound makes the cuts those of the table where it has its own.
func (r *RFM) bound(c Cuts) Cuts {
	c.Surpass = r.Method != Fixed
	if r.Method == Fixed {
		copy(c.Days[:], r.RecencyDays)
		copy(c.Orders[:], r.Orders)
		copy(c.Spend[:], r.Spend)
	}
	return c
}

// CutsFrom makes cuts of the row of [CutsQuery].
func (r *RFM) CutsFrom(days, orders, spend, percentiles []float64) Cuts {
	var c Cuts
	copy(c.Days[:], days)
	copy(c.Orders[:], orders)
	copy(c.Spend[:], spend)
	copy(c.Percentiles[:], percentiles)
	return r.bound(c)
}

// Score scores a customer.
func (c *Cuts) Score(days, orders, spend float64) Scores {
	s := Scores{1, 1, 1}
	for k := range 4 {
		if days < c.Days[k] || !c.Surpass && days == c.Days[k] {
			s.Recency++
		}
		if orders > c.Orders[k] || !c.Surpass && orders == c.Orders[k] {
			s.Frequency++
		}
		if spend > c.Spend[k] || !c.Surpass && spend == c.Spend[k] {
			s.Monetary++
		}
	}
	return s
}

// Quantile is the share of customers that the spend surpasses, in hundredths.
func (c *Cuts) Quantile(spend float64) float64 {
	n := 0
	for _, p := range c.Percentiles {
		if spend > p {
			n++
		}
	}
	return float64(n) / 100
}

func (r *RFM) normalise() {
	defaults := DefaultRFM()
	if r.Method == "" {
		r.Method = Quantiles
	}
	if r.Other == "" {
		r.Other = defaults.Other
	}
	if len(r.Segments) == 0 {
		r.Segments = defaults.Segments
	}
}

func (r *RFM) validate() problem.Invalid {
	var bad problem.Invalid
	switch r.Method {
	case Quantiles:
		for field, list := range map[string][]float64{"recencyDays": r.RecencyDays, "orders": r.Orders, "spend": r.Spend} {
			if len(list) > 0 {
				bad.Add(field, "must be left out unless the method is fixed", len(list))
			}
		}
	case Fixed:
		checkBounds(&bad, "recencyDays", r.RecencyDays, -1)
		checkBounds(&bad, "orders", r.Orders, 1)
		checkBounds(&bad, "spend", r.Spend, 1)
	default:
		bad.Add("method", "must be quantiles or fixed", r.Method)
	}
	keys := map[string]bool{}
	if len(r.Segments) > maxRules {
		bad.Add("segments", fmt.Sprintf("must be at most %d", maxRules), len(r.Segments))
	}
	for i, b := range r.Segments {
		at := fmt.Sprintf("segments[%d]", i)
		checkKey(&bad, at+".key", b.Key, keys)
		checkName(&bad, at+".name", b.Name)
		for field, span := range map[string]Range{"recency": b.Recency, "frequency": b.Frequency, "monetary": b.Monetary} {
			if span.Min < 1 || span.Max > 5 || span.Min > span.Max {
				bad.Add(at+"."+field, "must be scores of 1 to 5 with min not above max", fmt.Sprintf("%d to %d", span.Min, span.Max))
			}
		}
	}
	checkKey(&bad, "other", r.Other, keys)
	return bad
}

// checkBounds checks the four bounds of fixed scores; direction is 1 for rising.
func checkBounds(bad *problem.Invalid, field string, list []float64, direction float64) {
	word := map[float64]string{1: "rising", -1: "falling"}[direction]
	if len(list) != 4 {
		bad.Add(field, "must be four "+word+" bounds, for scores 2 to 5", len(list))
		return
	}
	for i, v := range list {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			bad.Add(fmt.Sprintf("%s[%d]", field, i), "must be a finite number", fmt.Sprint(v))
		case i > 0 && (v-list[i-1])*direction <= 0:
			bad.Add(fmt.Sprintf("%s[%d]", field, i), "must go on "+word, v)
		}
	}
}
