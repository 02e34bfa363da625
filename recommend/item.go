package recommend

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"quintet/internal/problem"
)

const (
	maxName       = 500
	maxCategory   = 200
	maxURL        = 2000
	maxAttributes = 100
	maxText       = 10_000
)

// Item is a product of the catalogue. Its key is the product's id.
type Item struct {
	Name       string         `json:"name" doc:"Name shown to people" maxLength:"500"`
	Category   string         `json:"category,omitempty" doc:"Category, with / between levels" maxLength:"200"`
	Price      float64        `json:"price,omitempty" doc:"Price, in the shop's currency" minimum:"0"`
	Cost       float64        `json:"cost,omitempty" doc:"What the item costs the shop" minimum:"0"`
	Stock      *int           `json:"stock,omitempty" doc:"Pieces that can be sold; unlimited when absent" minimum:"0"`
	ImageURL   string         `json:"imageUrl,omitempty" maxLength:"2000"`
	Text       string         `json:"text,omitempty" doc:"Description, compared by its words" maxLength:"10000"`
	Attributes map[string]any `json:"attributes,omitempty" doc:"Further properties"`
	// The window in which it can be shown.
	AvailableFrom  *time.Time `json:"availableFrom,omitempty" doc:"Not recommended before"`
	AvailableUntil *time.Time `json:"availableUntil,omitempty" doc:"Not recommended from this moment on"`
	Feed           string     `json:"feed,omitempty" doc:"Key of the feed that brought the item" maxLength:"64"`
}

// available says whether a moment is within the window of the item.
func (i *Item) available(at time.Time) bool {
	return (i.AvailableFrom == nil || !at.Before(*i.AvailableFrom)) && (i.AvailableUntil == nil || at.Before(*i.AvailableUntil))
}

// Margin is what one sale earns.
func (i *Item) Margin() float64 { return i.Price - i.Cost }

// ValidateItem checks an item.
func ValidateItem(_ context.Context, _ string, i *Item) error {
	var bad problem.Invalid
	if strings.TrimSpace(i.Name) == "" || len(i.Name) > maxName {
		bad.Add("name", fmt.Sprintf("must have 1 to %d bytes", maxName), problem.Clip(i.Name))
	}
	if len(i.Category) > maxCategory {
		bad.Add("category", fmt.Sprintf("must have at most %d bytes", maxCategory), len(i.Category))
	}
	for _, money := range []struct {
		field string
		value float64
	}{{"price", i.Price}, {"cost", i.Cost}} {
		if !(money.value >= 0) || math.IsInf(money.value, 0) {
			bad.Add(money.field, "must be a number of at least 0", nil)
		}
	}
	if i.Stock != nil && *i.Stock < 0 {
		bad.Add("stock", "must be at least 0", *i.Stock)
	}
	if len(i.ImageURL) > maxURL {
		bad.Add("imageUrl", fmt.Sprintf("must have at most %d bytes", maxURL), len(i.ImageURL))
	}
	if u, err := url.Parse(i.ImageURL); err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		// Anything else, such as javascript:, would run where a page shows it.
		bad.Add("imageUrl", "must be an http or https address or a path", problem.Clip(i.ImageURL))
	}
	levels := strings.Split(i.Category, "/")
	for n, level := range levels {
		// A level below itself comes from a tree with a cycle.
		if i.Category != "" && (strings.TrimSpace(level) == "" || slices.Contains(levels[:n], level)) {
			bad.Add("category", "must have levels that are not empty and none below itself", problem.Clip(i.Category))
			break
		}
	}
	if len(i.Text) > maxText {
		bad.Add("text", fmt.Sprintf("must have at most %d bytes", maxText), len(i.Text))
	}
	if i.AvailableFrom != nil && i.AvailableUntil != nil && !i.AvailableFrom.Before(*i.AvailableUntil) {
		bad.Add("availableUntil", "must be after availableFrom", i.AvailableUntil.Format(time.RFC3339))
	}
	if len(i.Attributes) > maxAttributes {
		bad.Add("attributes", fmt.Sprintf("must have at most %d entries", maxAttributes), len(i.Attributes))
	}
	return bad.Err()
}
