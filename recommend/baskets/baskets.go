// Package baskets finds what is bought together and what is bought after: pairs of
// items with their lift, and the direction in which time runs between them.
package baskets

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"quintet/recommend/interactions"
	"quintet/recommend/neighbours"
	"quintet/recommend/scoring"
)

// Kind names the method.
const Kind = "baskets"

// Settings of the counting.
type Settings struct {
	// Gap is how many seconds may lie between two events of a person in one basket
	// (3600).
	Gap int64 `json:"gap"`
	// Horizon is within how many seconds what comes after another item comes after it
	// (90 days).
	Horizon int64 `json:"horizon"`
	// MaxBasket is how many items of a basket are paired, the first ones, and
	// MaxPerson how many different items of a person (100, 500).
	MaxBasket int `json:"maxBasket"`
	MaxPerson int `json:"maxPerson"`
	// Together is how often a pair must occur (3).
	Together int `json:"together"`
	// Shrinkage draws lifts of what is rare to 1 (10).
	Shrinkage float64 `json:"shrinkage"`
	// Neighbours is how many pairs are kept of each item (50).
	Neighbours int `json:"neighbours"`
}

func (s Settings) withDefaults() Settings {
	if s.Gap == 0 {
		s.Gap = 3600
	}
	if s.Horizon == 0 {
		s.Horizon = 90 * 86_400
	}
	for _, f := range []struct {
		field *int
		value int
	}{{&s.MaxBasket, 100}, {&s.MaxPerson, 500}, {&s.Together, 3}, {&s.Neighbours, 50}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if s.Shrinkage == 0 {
		s.Shrinkage = 10
	}
	return s
}

// Validate says what is wrong with settings.
func (s Settings) Validate() error {
	s = s.withDefaults()
	if s.Gap < 0 || s.Horizon < 0 || s.MaxBasket < 2 || s.MaxPerson < 2 || s.Together < 1 || s.Neighbours < 1 || s.Neighbours > 1000 {
		return fmt.Errorf("gap and horizon must be at least 0, baskets and people have at least 2 items, pairs occur at least once, and neighbours be 1 to 1000")
	}
	if !(s.Shrinkage >= 0) || math.IsInf(s.Shrinkage, 0) {
		return fmt.Errorf("shrinkage must be at least 0, got %v", s.Shrinkage)
	}
	return nil
}

// Pair is what is known of an item beside another.
type Pair struct {
	// Item is the other.
	Item int32 `json:"item"`
	// Count is in how many baskets both are; of what comes after, how many people had
	// the other first.
	Count int32 `json:"count"`
	// Lift is by how much more often than by chance, shrunk: (count + s) / (expected
	// + s).
	Lift float32 `json:"lift"`
	// Confidence is the share of the item's baskets (people) with the other.
	Confidence float32 `json:"confidence"`
	// Direction, of what comes after, is the lower end of the 95 % interval (Wilson)
	// of the share of those who had both, at different times within the horizon, who
	// had this order: above 0.5, the order is more than chance.
	Direction float32 `json:"direction,omitempty"`
}

// Model has the pairs of every item. It does not change.
type Model struct {
	settings        Settings
	together, after [][]Pair
	table, later    *neighbours.Table
}

var (
	_ scoring.Model     = (*Model)(nil)
	_ scoring.Similar   = (*Model)(nil)
	_ scoring.Explainer = (*Model)(nil)
)

// Train counts pairs. Each item counts once in a basket, whatever its weight.
func Train(ctx context.Context, l *interactions.Log, settings Settings) (*Model, error) {
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("settings of baskets: %w", err)
	}
	settings = settings.withDefaults()
	together, err := countTogether(ctx, l, settings)
	if err != nil {
		return nil, err
	}
	after, err := countAfter(ctx, l, settings)
	if err != nil {
		return nil, err
	}
	return newModel(settings, together, after), nil
}

func newModel(settings Settings, together, after [][]Pair) *Model {
	return &Model{settings, together, after, table(together, settings.Neighbours), table(after, settings.Neighbours)}
}

// table values a pair by the logarithm of its lift.
func table(pairs [][]Pair, most int) *neighbours.Table {
	rows := make([][]scoring.Scored, len(pairs))
	for i, row := range pairs {
		for _, p := range row {
			rows[i] = append(rows[i], scoring.Scored{Item: p.Item, Score: float32(math.Log(float64(p.Lift)))})
		}
	}
	return neighbours.NewTable(rows, most)
}

// countTogether pairs the items of each basket.
func countTogether(ctx context.Context, l *interactions.Log, s Settings) ([][]Pair, error) {
	items := l.Items().Len()
	var baskets [][]int32
	in := make([][]int32, items) // the baskets of each item
	for p := range l.People().Len() {
		for _, events := range split(l.Events(p), s.Gap) {
			basket := distinct(events, s.MaxBasket)
			for _, item := range basket {
				in[item] = append(in[item], int32(len(baskets)))
			}
			baskets = append(baskets, basket)
		}
	}
	out, counts := make([][]Pair, items), make([]int32, items)
	for item := range items {
		if item%256 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("pairing items: %w", ctx.Err())
		}
		var touched []int32
		for _, b := range in[item] {
			for _, other := range baskets[b] {
				if counts[other] == 0 {
					touched = append(touched, other)
				}
				counts[other]++
			}
		}
		own := float64(len(in[item]))
		for _, other := range touched {
			if n := counts[other]; int(other) != item && int(n) >= s.Together {
				expected := own * float64(len(in[other])) / float64(len(baskets))
				out[item] = append(out[item], Pair{Item: other, Count: n, Lift: lift(float64(n), expected, s.Shrinkage), Confidence: float32(float64(n) / own)})
			}
			counts[other] = 0
		}
		out[item] = strongest(out[item], s.Neighbours)
	}
	return out, nil
}

// countAfter compares when people had each item first.
func countAfter(ctx context.Context, l *interactions.Log, s Settings) ([][]Pair, error) {
	items := l.Items().Len()
	type had struct {
		item int32
		at   int64
	}
	firsts := make([][]had, l.People().Len())
	of := make([][]int32, items) // the people of each item
	people := 0
	for p := range firsts {
		seen := make(map[int32]bool)
		for _, e := range l.Events(p) {
			if !seen[e.Item] && len(seen) < s.MaxPerson {
				seen[e.Item] = true
				firsts[p] = append(firsts[p], had{e.Item, e.At})
				of[e.Item] = append(of[e.Item], int32(p))
			}
		}
		if len(firsts[p]) > 0 {
			people++
		}
	}
	out, later, earlier := make([][]Pair, items), make([]int32, items), make([]int32, items)
	for item := range items {
		if item%256 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("ordering items: %w", ctx.Err())
		}
		var touched []int32
		for _, p := range of[item] {
			at := firsts[p][slices.IndexFunc(firsts[p], func(h had) bool { return int(h.item) == item })].at
			for _, h := range firsts[p] {
				apart := h.at - at
				// What is in the same basket has no order.
				if apart >= -s.Gap && apart <= s.Gap || apart > s.Horizon || apart < -s.Horizon {
					continue
				}
				if later[h.item]+earlier[h.item] == 0 {
					touched = append(touched, h.item)
				}
				if apart > 0 {
					later[h.item]++
				} else {
					earlier[h.item]++
				}
			}
		}
		own := float64(len(of[item]))
		for _, other := range touched {
			n, all := float64(later[other]), float64(later[other]+earlier[other])
			if int(later[other]) >= s.Together {
				// Of those who have both by chance, half have them in this order.
				expected := own * float64(len(of[other])) / float64(people) / 2
				out[item] = append(out[item], Pair{Item: other, Count: later[other], Lift: lift(n, expected, s.Shrinkage), Confidence: float32(n / own), Direction: float32(wilson(n, all))})
			}
			later[other], earlier[other] = 0, 0
		}
		out[item] = strongest(out[item], s.Neighbours)
	}
	return out, nil
}

// split cuts events, in the order of time, where more than gap seconds lie between.
func split(events []interactions.Event, gap int64) (out [][]interactions.Event) {
	from := 0
	for i := range events {
		if i+1 == len(events) || events[i+1].At-events[i].At > gap {
			out = append(out, events[from:i+1])
			from = i + 1
		}
	}
	return out
}

func distinct(events []interactions.Event, most int) []int32 {
	seen := make(map[int32]bool, len(events))
	var out []int32
	for _, e := range events {
		if !seen[e.Item] && len(out) < most {
			seen[e.Item] = true
			out = append(out, e.Item)
		}
	}
	return out
}

func lift(n, expected, s float64) float32 {
	if !(expected+s > 0) {
		return 0
	}
	return float32((n + s) / (expected + s))
}

// wilson is the lower end of the 95 % interval of a share.
func wilson(n, all float64) float64 {
	const z = 1.959964
	share := n / all
	return (share + z*z/(2*all) - z*math.Sqrt(share*(1-share)/all+z*z/(4*all*all))) / (1 + z*z/all)
}

// strongest keeps the pairs of most lift, above 1.
func strongest(pairs []Pair, most int) []Pair {
	pairs = slices.DeleteFunc(pairs, func(p Pair) bool { return !(p.Lift > 1) })
	slices.SortFunc(pairs, func(a, b Pair) int { return cmp.Or(cmp.Compare(b.Lift, a.Lift), cmp.Compare(a.Item, b.Item)) })
	return slices.Clip(pairs[:min(most, len(pairs))])
}

// Kind is "baskets".
func (m *Model) Kind() string { return Kind }

// Items is how many items there are.
func (m *Model) Items() int { return len(m.together) }

// Together are the items that are in the same baskets as an item more often than by
// chance, most lift first. They must not be changed.
func (m *Model) Together(item int32) []Pair { return row(m.together, item) }

// After are the items that people have later than an item more often than by chance,
// most lift first: complements, and what wears out. They must not be changed.
func (m *Model) After(item int32) []Pair { return row(m.after, item) }

func row(pairs [][]Pair, item int32) []Pair {
	if item < 0 || int(item) >= len(pairs) {
		return nil
	}
	return pairs[item]
}

// entries count every item of a history once.
func entries(history []interactions.Event) []interactions.Entry {
	var out []interactions.Entry
	for _, item := range distinct(history, len(history)) {
		out = append(out, interactions.Entry{Item: item, Weight: 1})
	}
	return out
}

// Score takes the history for a basket, for example a cart, and adds up the logarithms
// of the lifts of what goes with it.
func (m *Model) Score(history []interactions.Event, scores []float32) {
	m.table.Add(entries(history), scores)
}

// Similar appends what is bought with an item.
func (m *Model) Similar(item int32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	return m.table.Similar(item, allowed, k, dst)
}

// Complements appends what is bought after an item.
func (m *Model) Complements(item int32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	return m.later.Similar(item, allowed, k, dst)
}

// Explain gives the items of the basket that an item goes with most.
func (m *Model) Explain(history []interactions.Event, item int32, n int) []scoring.Reason {
	return m.table.Reasons(entries(history), item, n)
}
