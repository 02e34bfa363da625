package recommend

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"quintet/internal/problem"
)

// PlacementKind is what a list of items is for.
type PlacementKind string

// The kinds of placements.
const (
	Home    PlacementKind = "home"    // for the person: a home page
	Email   PlacementKind = "email"   // for the person: a block of an e-mail
	Product PlacementKind = "product" // beside one item: alike and bought with it
	Cart    PlacementKind = "cart"    // beside several items: what completes them
	Search  PlacementKind = "search"  // orders what a search found
)

// Goal is what a list is ranked by.
type Goal string

// The goals of a ranking.
const (
	ByRelevance Goal = "relevance" // the probability that the person takes the item
	ByMargin    Goal = "margin"    // probability times margin: expected profit
)

// Placement is a place where items are shown, with its rules. The kinds stand for
// placements of their own name that nobody defined.
type Placement struct {
	Name string        `json:"name,omitempty" maxLength:"200"`
	Kind PlacementKind `json:"kind" enum:"home,email,product,cart,search"`
	Goal Goal          `json:"goal,omitempty" enum:"relevance,margin" doc:"relevance unless set"`
	// Rules.
	BoughtDays int      `json:"boughtDays,omitempty" doc:"Leave out what the person bought in so many days; -1 leaves nothing out, 30 when 0" minimum:"-1" maximum:"3650"`
	Categories []string `json:"categories,omitempty" doc:"Only of these categories, and those below them" maxItems:"100"`
	Except     []string `json:"except,omitempty" doc:"None of these categories, nor of those below them" maxItems:"100"`
	MinPrice   float64  `json:"minPrice,omitempty" minimum:"0"`
	MaxPrice   float64  `json:"maxPrice,omitempty" doc:"No upper bound when 0" minimum:"0"`
	Pin        []string `json:"pin,omitempty" doc:"Items that come first, in this order, where they can be shown at all" maxItems:"50"`
	Boost      []Boost  `json:"boost,omitempty" doc:"Factors of scores; below 1 buries" maxItems:"100"`
	// Diversity takes from the score of an item as much as it is alike to what stands
	// before it (maximal marginal relevance).
	Diversity float64 `json:"diversity,omitempty" doc:"0 ranks by score alone, towards 1 by difference from what stands before" minimum:"0" maximum:"1"`
	// Exploration is the share of draws at each place that are even among the best.
	Exploration float64 `json:"exploration,omitempty" doc:"Share of draws at each place that are even among the best candidates, with exact propensities" minimum:"0" maximum:"0.5"`
	// PerSupplier bounds how many items of one supplier (attribute supplier or brand)
	// a list has.
	PerSupplier int `json:"perSupplier,omitempty" doc:"Most items of one supplier (attribute supplier, else brand) in a list; unbounded when 0" minimum:"0" maximum:"200"`
}

// Boost multiplies the scores of an item or of a category.
type Boost struct {
	Item     string  `json:"item,omitempty" maxLength:"200"`
	Category string  `json:"category,omitempty" doc:"And those below it" maxLength:"200"`
	Factor   float64 `json:"factor" minimum:"0" maximum:"100"`
}

// placementKinds are all kinds.
func placementKinds() []PlacementKind { return []PlacementKind{Home, Email, Product, Cart, Search} }

// ValidatePlacement checks a placement and fills in what it leaves out.
func ValidatePlacement(_ context.Context, _ string, p *Placement) error {
	var bad problem.Invalid
	if !slices.Contains(placementKinds(), p.Kind) {
		bad.Add("kind", "must be home, email, product, cart or search", string(p.Kind))
	}
	switch p.Goal {
	case "":
		p.Goal = ByRelevance
	case ByRelevance, ByMargin:
	default:
		bad.Add("goal", "must be relevance or margin", string(p.Goal))
	}
	if p.BoughtDays < -1 || p.BoughtDays > 3650 {
		bad.Add("boughtDays", "must be -1 to 3650", p.BoughtDays)
	}
	share := func(field string, v, most float64) {
		if !(v >= 0 && v <= most) {
			bad.Add(field, fmt.Sprintf("must be 0 to %g", most), nil)
		}
	}
	share("diversity", p.Diversity, 1)
	share("exploration", p.Exploration, 0.5)
	share("minPrice", p.MinPrice, math.MaxFloat64)
	share("maxPrice", p.MaxPrice, math.MaxFloat64)
	if p.MaxPrice > 0 && p.MaxPrice < p.MinPrice {
		bad.Add("maxPrice", "must not be below minPrice", p.MaxPrice)
	}
	if p.PerSupplier < 0 || p.PerSupplier > 200 {
		bad.Add("perSupplier", "must be 0 to 200", p.PerSupplier)
	}
	for i, b := range p.Boost {
		field := fmt.Sprintf("boost[%d]", i)
		if (b.Item == "") == (b.Category == "") {
			bad.Add(field, "must name an item or a category", nil)
		}
		if !(b.Factor >= 0 && b.Factor <= 100) {
			bad.Add(field+".factor", "must be 0 to 100", nil)
		}
	}
	for _, list := range []struct {
		field string
		names []string
		most  int
	}{{"categories", p.Categories, 100}, {"except", p.Except, 100}, {"pin", p.Pin, 50}} {
		if len(list.names) > list.most {
			bad.Add(list.field, fmt.Sprintf("must have at most %d entries", list.most), len(list.names))
		}
		if slices.Contains(list.names, "") {
			bad.Add(list.field, "must not have an empty entry", nil)
		}
	}
	return bad.Err()
}

// within says whether a category is one of names or below one of them.
func within(category string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		rest, ok := strings.CutPrefix(category, name)
		return ok && (rest == "" || rest[0] == '/')
	})
}

// shows says whether the rules of the placement let an item be shown at all.
func (p *Placement) shows(item *Item) bool {
	switch {
	case item.Stock != nil && *item.Stock == 0,
		len(p.Categories) > 0 && !within(item.Category, p.Categories),
		within(item.Category, p.Except),
		item.Price < p.MinPrice, p.MaxPrice > 0 && item.Price > p.MaxPrice:
		return false
	}
	return true
}

// factor is what the rules multiply the score of an item by.
func (p *Placement) factor(key string, item *Item) float64 {
	f := 1.0
	for _, b := range p.Boost {
		if b.Item == key || b.Category != "" && within(item.Category, []string{b.Category}) {
			f *= b.Factor
		}
	}
	return f
}
