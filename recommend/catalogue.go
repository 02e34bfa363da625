package recommend

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Standing says whether an item can be offered now, and otherwise why not.
type Standing string

// The standings of items.
const (
	Offered  Standing = "offered"
	SoldOut  Standing = "sold-out"
	NotYet   Standing = "not-yet"   // before its window
	Over     Standing = "over"      // after its window
	FeedGone Standing = "feed-gone" // its feed has not succeeded for as long as it says
)

// standing is that of an item at a moment.
func (s *Service) standing(item *Item, at time.Time) Standing {
	switch {
	case item.Stock != nil && *item.Stock == 0:
		return SoldOut
	case item.AvailableFrom != nil && at.Before(*item.AvailableFrom):
		return NotYet
	case item.AvailableUntil != nil && !at.Before(*item.AvailableUntil):
		return Over
	case !s.offered(item, at):
		return FeedGone
	}
	return Offered
}

// Bounds of what is told of the catalogue at once.
const (
	maxCategories = 2000
	// scanStep is after how many items a search looks whether anybody still waits.
	scanStep = 10_000
)

// CatalogueFilter chooses items. Empty fields choose all.
type CatalogueFilter struct {
	// Text are words that key, name or supplier must all have, in any case.
	Text     string
	Category string // and those below it
	Standing string // a [Standing], or "not-offered"
	Feed     string
	// MinPrice and MaxPrice bound the price, both included; no bound when 0.
	MinPrice, MaxPrice float64
}

// matches says whether an item is chosen; words are those of Text in lower case.
func (f *CatalogueFilter) matches(s *Service, words []string, key string, item *Item, now time.Time) bool {
	if f.Category != "" && !within(item.Category, []string{f.Category}) || f.Feed != "" && item.Feed != f.Feed ||
		item.Price < f.MinPrice || f.MaxPrice > 0 && item.Price > f.MaxPrice {
		return false
	}
	if f.Standing != "" {
		standing := s.standing(item, now)
		if string(standing) != f.Standing && (f.Standing != "not-offered" || standing == Offered) {
			return false
		}
	}
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(key + "\n" + item.Name + "\n" + supplier(item))
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// search gives the keys of at most limit items of the filter after a key, in order, and
// how many items there are of it in all.
func (s *Service) search(ctx context.Context, f CatalogueFilter, after string, limit int) (keys []string, total int, err error) {
	words, now, looked := strings.Fields(strings.ToLower(f.Text)), s.now(), 0
	for key, v := range s.items.Snapshot() {
		if looked++; looked%scanStep == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if !f.matches(s, words, key, &v.Value, now) {
			continue
		}
		total++
		if key <= after {
			continue
		}
		// Only the first ones are kept, so that a large catalogue is not sorted.
		if keys = append(keys, key); len(keys) >= 4*limit {
			slices.Sort(keys)
			keys = keys[:limit]
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], total, nil
}

// Category is one of the tree of categories.
type Category struct {
	Path    string `json:"path" doc:"With / between levels"`
	Name    string `json:"name" doc:"Last level"`
	Level   int    `json:"level" doc:"0 at the top"`
	Items   int    `json:"items" doc:"Items of this category and those below it"`
	Own     int    `json:"own" doc:"Of those, items of this very category"`
	Offered int    `json:"offered" doc:"Items, of those below as well, that can be offered now"`
}

// Overview is the catalogue as a whole.
type Overview struct {
	Items      int              `json:"items"`
	Standings  map[Standing]int `json:"standings" doc:"How many items are offered, sold-out, not-yet, over or feed-gone"`
	NoPrice    int              `json:"noPrice" doc:"Items without a price"`
	NoCost     int              `json:"noCost" doc:"Items with a price and no cost: their whole price counts as margin"`
	NoCategory int              `json:"noCategory"`
	NoImage    int              `json:"noImage"`
	Categories []Category       `json:"categories" nullable:"false" doc:"The tree, every category before those below it; the first 2,000"`
	More       int              `json:"moreCategories" doc:"Categories beyond those"`
	Bands      []float64        `json:"priceBands" nullable:"false" doc:"Least price, the quartiles and the largest, of items with a price; empty without any"`
	At         time.Time        `json:"at"`
}

// overview counts the catalogue.
func (s *Service) overview(ctx context.Context) (*Overview, error) {
	now := s.now()
	o := &Overview{Standings: map[Standing]int{}, At: now.UTC(), Bands: []float64{}}
	tree := map[string]*Category{}
	var prices []float64
	for _, v := range s.items.Snapshot() {
		item := &v.Value
		if o.Items++; o.Items%scanStep == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		standing := s.standing(item, now)
		o.Standings[standing]++
		switch {
		case item.Price <= 0:
			o.NoPrice++
		case item.Cost <= 0:
			o.NoCost++
		}
		if item.Price > 0 {
			prices = append(prices, item.Price)
		}
		if item.ImageURL == "" {
			o.NoImage++
		}
		if item.Category == "" {
			o.NoCategory++
			continue
		}
		for at, level := 0, 0; at < len(item.Category); level++ {
			start := at
			if next := strings.IndexByte(item.Category[at:], '/'); next < 0 {
				at = len(item.Category)
			} else {
				at += next
			}
			path := item.Category[:at]
			c := tree[path]
			if c == nil {
				c = &Category{Path: path, Name: item.Category[start:at], Level: level}
				tree[path] = c
			}
			c.Items++
			if standing == Offered {
				c.Offered++
			}
			if at++; at > len(item.Category) {
				c.Own++
			}
		}
	}
	// By levels: a/b comes before "a b", although the blank comes before the slash.
	order := func(a, b string) int {
		return cmp.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
	}
	paths := slices.SortedFunc(maps.Keys(tree), order)
	o.More = max(0, len(paths)-maxCategories)
	o.Categories = make([]Category, 0, len(paths)-o.More)
	for _, path := range paths[:len(paths)-o.More] {
		o.Categories = append(o.Categories, *tree[path])
	}
	if slices.Sort(prices); len(prices) > 0 {
		for q := range 5 {
			o.Bands = append(o.Bands, prices[int(math.Round(float64(q)/4*float64(len(prices)-1)))])
		}
	}
	return o, nil
}
