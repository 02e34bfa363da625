package interactions

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Matrix is a sparse matrix of people by items (or of items by people) in compressed
// rows, one entry for each pair, columns ascending.
type Matrix struct {
	// Columns is how many columns there are.
	Columns int
	// Start is where the entries of each row begin, and at the end how many there are
	// in all.
	Start []int
	// Index is the column of each entry.
	Index []int32
	// Value is the weight of each entry, above 0.
	Value []float32
}

// Rows is how many rows there are.
func (m *Matrix) Rows() int { return max(0, len(m.Start)-1) }

// Entries is how many entries there are.
func (m *Matrix) Entries() int { return len(m.Index) }

// Row gives the columns and weights of a row. They must not be changed.
func (m *Matrix) Row(r int) (columns []int32, weights []float32) {
	from, to := m.Start[r], m.Start[r+1]
	return m.Index[from:to], m.Value[from:to]
}

// Transpose swaps rows and columns.
func (m *Matrix) Transpose() *Matrix {
	t := &Matrix{Columns: m.Rows(), Start: make([]int, m.Columns+1), Index: make([]int32, len(m.Index)), Value: make([]float32, len(m.Value))}
	for _, c := range m.Index {
		t.Start[c+1]++
	}
	for c := range m.Columns {
		t.Start[c+1] += t.Start[c]
	}
	next := slices.Clone(t.Start)
	for r := range m.Rows() {
		for e := m.Start[r]; e < m.Start[r+1]; e++ {
			at := next[m.Index[e]]
			next[m.Index[e]]++
			t.Index[at], t.Value[at] = int32(r), m.Value[e]
		}
	}
	return t
}

// Weighting says what the events of one person with one item come to together.
type Weighting struct {
	// HalfLife is after how many seconds an event counts half; it counts in full for
	// ever when 0.
	HalfLife float64
	// Now is the moment as of which events are old, in seconds since 1970. Later
	// events count in full.
	Now int64
	// Logarithm counts a sum of weights s as log2(1+s), so that the tenth view adds
	// less than the first.
	Logarithm bool
	// Cap is what a pair counts at most; unbounded when 0.
	Cap float64
	// Binary counts every pair as 1, whatever its events weigh.
	Binary bool
	// Latest counts only so many of the latest events of each person; all when 0. What
	// compares pairs of a person's items takes the square of it.
	Latest int
	// MinWeight leaves out the events of a weight below it, as they come (before they
	// decay).
	MinWeight float32
}

// Validate says what is wrong with a weighting.
func (w Weighting) Validate() error {
	if !(w.HalfLife >= 0) || math.IsInf(w.HalfLife, 0) {
		return fmt.Errorf("half-life must be at least 0 seconds, got %v", w.HalfLife)
	}
	if !(w.Cap >= 0) || math.IsInf(w.Cap, 0) {
		return fmt.Errorf("cap must be at least 0, got %v", w.Cap)
	}
	if w.Latest < 0 {
		return fmt.Errorf("latest must be at least 0 events, got %d", w.Latest)
	}
	return nil
}

// latest are the events that count of a person's.
func (w Weighting) latest(events []Event) []Event {
	if w.Latest > 0 && len(events) > w.Latest {
		return events[len(events)-w.Latest:]
	}
	return events
}

// Of is what one event counts as of Now, before anything that looks at all events of
// a pair.
func (w Weighting) Of(e Event) float64 {
	if e.Weight < w.MinWeight {
		return 0
	}
	weight := float64(e.Weight)
	if w.HalfLife > 0 && e.At < w.Now {
		weight *= math.Exp2(-float64(w.Now-e.At) / w.HalfLife)
	}
	return weight
}

// Total is what events whose Of sums to sum count as an entry.
func (w Weighting) Total(sum float64) float64 {
	if !(sum > 0) {
		return 0
	}
	if w.Binary {
		return 1
	}
	if w.Logarithm {
		sum = math.Log2(1 + sum)
	}
	if w.Cap > 0 {
		sum = min(sum, w.Cap)
	}
	return sum
}

// Matrix is the log as people by items.
func (l *Log) Matrix(w Weighting) (*Matrix, error) {
	if err := w.Validate(); err != nil {
		return nil, fmt.Errorf("weighting interactions: %w", err)
	}
	m := &Matrix{Columns: l.items.Len(), Start: make([]int, l.people.Len()+1), Index: make([]int32, 0, len(l.events)), Value: make([]float32, 0, len(l.events))}
	sums := make([]float64, l.items.Len())
	for p := range l.people.Len() {
		from := len(m.Index)
		for _, e := range w.latest(l.Events(p)) {
			of := w.Of(e)
			if of <= 0 {
				continue
			}
			if sums[e.Item] == 0 {
				m.Index = append(m.Index, e.Item)
			}
			sums[e.Item] += of
		}
		slices.Sort(m.Index[from:])
		kept := from
		for _, item := range m.Index[from:] {
			// What decayed to nothing in float32 is no entry.
			if value := float32(w.Total(sums[item])); value > 0 {
				m.Index[kept] = item
				m.Value = append(m.Value, value)
				kept++
			}
			sums[item] = 0
		}
		m.Index = m.Index[:kept]
		m.Start[p+1] = kept
	}
	return m, nil
}

// Entry is what a person's events with one item come to.
type Entry struct {
	Item   int32
	Weight float32
}

// Entries are those of one history of any length, by item: what Matrix makes of a row.
// Events of items that are not below items are passed over. Now is that of the newest
// event when that is later.
func (w Weighting) Entries(history []Event, items int) []Entry {
	history = w.latest(history)
	for _, e := range history {
		w.Now = max(w.Now, e.At)
	}
	out := make([]Entry, 0, len(history))
	sorted := make([]Event, 0, len(history))
	for _, e := range history {
		if e.Item >= 0 && int(e.Item) < items {
			sorted = append(sorted, e)
		}
	}
	// Stable, so that sums round as those of a row.
	slices.SortStableFunc(sorted, func(a, b Event) int { return cmp.Compare(a.Item, b.Item) })
	for i := 0; i < len(sorted); {
		item, sum := sorted[i].Item, 0.0
		for ; i < len(sorted) && sorted[i].Item == item; i++ {
			sum += w.Of(sorted[i])
		}
		if weight := float32(w.Total(sum)); weight > 0 && weight <= math.MaxFloat32 {
			out = append(out, Entry{item, weight})
		}
	}
	return out
}
