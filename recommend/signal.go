package recommend

import (
	"encoding/json"
	"strconv"
)

// Signal says how strongly an event speaks for the items that it names.
type Signal struct {
	Event  string  `json:"event" doc:"Name of a track event" minLength:"1" maxLength:"200"`
	Weight float64 `json:"weight" doc:"Strength beside other events, above 0" exclusiveMinimum:"0" maximum:"1000"`
	Bought bool    `json:"bought,omitempty" doc:"It is a purchase: what somebody has bought can be left out"`
}

// defaultSignals are the events of the Segment specification for shops.
func defaultSignals() []Signal {
	return []Signal{
		{Event: "Product Clicked", Weight: 1},
		{Event: "Product Viewed", Weight: 1},
		{Event: "Product Added to Wishlist", Weight: 2},
		{Event: "Product Added", Weight: 3},
		{Event: "Order Completed", Weight: 5, Bought: true},
	}
}

// maxNamed is the most items that one event speaks for.
const maxNamed = 100

// productID is an id as clients write it: a text or a number.
type productID string

func (p *productID) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*p = productID(text)
		return nil
	}
	var number json.Number
	if json.Unmarshal(data, &number) == nil {
		if _, err := strconv.ParseFloat(string(number), 64); err == nil {
			*p = productID(number)
		}
	}
	return nil // anything else names no product
}

type namedProduct struct {
	ProductID productID `json:"product_id"`
	SKU       productID `json:"sku"`
}

func (n namedProduct) id() string {
	if n.ProductID != "" {
		return string(n.ProductID)
	}
	return string(n.SKU)
}

// ItemsNamed are the ids of the items that an event's properties, a JSON object, name:
// product_id or sku, and those of the objects in products. Each is there once.
func ItemsNamed(properties string) []string {
	if properties == "" {
		return nil
	}
	var named struct {
		namedProduct
		Products []json.RawMessage `json:"products"`
	}
	if err := json.Unmarshal([]byte(properties), &named); err != nil {
		named.Products = nil // products is no list: what stands beside it counts
	}
	var ids []string
	seen := make(map[string]bool)
	add := func(id string) {
		if id != "" && !seen[id] && len(ids) < maxNamed {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	add(named.id())
	for _, raw := range named.Products {
		var p namedProduct
		if json.Unmarshal(raw, &p) == nil {
			add(p.id())
		}
	}
	return ids
}
