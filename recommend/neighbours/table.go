package neighbours

import (
	"fmt"
	"math"
	"slices"

	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/scoring"
)

// Table has for every item the items that go with it, the nearest first. It does not
// change.
type Table struct {
	start  []int
	items  []int32
	values []float32
}

// NewTable makes a table of rows, one for each item, of which each keeps its most best
// values above 0. Values that are no numbers, the item itself and items without a row
// are left out.
func NewTable(rows [][]scoring.Scored, most int) *Table {
	t := &Table{start: make([]int, len(rows)+1)}
	var best scoring.Best
	for i, row := range rows {
		best.Reset(most)
		for _, s := range row {
			if s.Score > 0 && !math.IsInf(float64(s.Score), 0) && s.Item >= 0 && int(s.Item) < len(rows) && int(s.Item) != i {
				best.Offer(s.Item, s.Score)
			}
		}
		for _, s := range best.Append(nil) {
			t.items, t.values = append(t.items, s.Item), append(t.values, s.Score)
		}
		t.start[i+1] = len(t.items)
	}
	return t
}

// Items is how many items there are.
func (t *Table) Items() int { return max(0, len(t.start)-1) }

// Row gives the items that go with an item, nearest first; nothing for an unknown one.
// They must not be changed.
func (t *Table) Row(item int32) (items []int32, values []float32) {
	if item < 0 || int(item) >= t.Items() {
		return nil, nil
	}
	from, to := t.start[item], t.start[item+1]
	return t.items[from:to], t.values[from:to]
}

// Similar appends the k nearest items of allowed.
func (t *Table) Similar(item int32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	items, values := t.Row(item)
	for i := 0; i < len(items) && k > 0; i++ {
		if allowed == nil || allowed.Has(items[i]) {
			dst = append(dst, scoring.Scored{Item: items[i], Score: values[i]})
			k--
		}
	}
	return dst
}

// Add writes to scores, of length Items, the sum over the entries of weight times value
// of what goes with each, and minus infinity for items that go with none.
func (t *Table) Add(entries []interactions.Entry, scores []float32) {
	none := float32(math.Inf(-1))
	for i := range scores {
		scores[i] = none
	}
	for _, e := range entries {
		items, values := t.Row(e.Item)
		for i, item := range items {
			if scores[item] == none {
				scores[item] = 0
			}
			scores[item] += e.Weight * values[i]
		}
	}
}

// Reasons gives the entries that add most to an item.
func (t *Table) Reasons(entries []interactions.Entry, item int32, n int) []scoring.Reason {
	return scoring.Reasons(entries, n, func(e interactions.Entry) float32 {
		items, values := t.Row(e.Item)
		if i := slices.Index(items, item); i >= 0 {
			return e.Weight * values[i]
		}
		return 0
	})
}

// Write adds the table to a model that is written.
func (t *Table) Write(w *modelfile.Writer) {
	w.Ints("start", t.start)
	w.Int32s("items", t.items)
	w.Float32s("values", t.values)
}

// ReadTable reads what Write added.
func ReadTable(r *modelfile.Reader) (*Table, error) {
	t := &Table{start: r.Ints("start", -1), items: r.Int32s("items", -1)}
	t.values = r.Float32s("values", len(t.items))
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(t.start) == 0 || t.start[0] != 0 || t.start[len(t.start)-1] != len(t.items) || !slices.IsSorted(t.start) {
		return nil, fmt.Errorf("%w: the rows of a table do not fit", modelfile.ErrDamaged)
	}
	for _, i := range t.items {
		if i < 0 || int(i) >= t.Items() {
			return nil, fmt.Errorf("%w: a table has item %d of %d", modelfile.ErrDamaged, i, t.Items())
		}
	}
	return t, nil
}
