package learners

import (
	"fmt"
	"math"
	"slices"
)

// Levels of a category that are kept, and the rows that a level needs.
const (
	maxLevels     = 40
	minLevelRows  = 5
	levelSentinel = "\x00none"
)

// Schema turns tables into matrices. It is learnt from the training table and kept with
// the model, so that serving encodes as training did.
type Schema struct {
	Fields  []Field   `json:"fields"`
	Dropped []Dropped `json:"dropped,omitempty"`
}

// Field is a column that is used.
type Field struct {
	Name string `json:"name"`
	// Levels are the categories, sorted; the first is the one that all indicators at zero
	// mean. Nil for a number.
	Levels []string `json:"levels,omitempty"`
	// Other says that rare categories were put together into an indicator of their own.
	Other bool `json:"other,omitempty"`
}

// Dropped is a column that is not used, and why.
type Dropped struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// LearnSchema looks at a training table. Columns without a value or with one value only
// are dropped and named; it is [ErrNoFeatures] when none is left.
func LearnSchema(t *Table) (*Schema, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	s := &Schema{}
	for i := range t.Columns {
		c := &t.Columns[i]
		field, reason := learnField(c)
		if reason != "" {
			s.Dropped = append(s.Dropped, Dropped{Name: c.Name, Reason: reason})
			continue
		}
		s.Fields = append(s.Fields, field)
	}
	if len(s.Fields) == 0 {
		return nil, ErrNoFeatures
	}
	return s, nil
}

func learnField(c *Column) (Field, string) {
	if !c.Categorical() {
		first, any, varies := float32(0), false, false
		for _, v := range c.Numbers {
			switch {
			case v != v || math.IsInf(float64(v), 0):
			case !any:
				first, any = v, true
			case v != first:
				varies = true
			}
		}
		switch {
		case !any:
			return Field{}, "no row has a value"
		case !varies:
			return Field{}, "every row has the same value"
		}
		return Field{Name: c.Name}, ""
	}
	counts := map[string]int{}
	for _, v := range c.Categories {
		if v != "" {
			counts[v]++
		}
	}
	if len(counts) == 0 {
		return Field{}, "no row has a value"
	}
	if len(counts) == 1 {
		return Field{}, "every row has the same value"
	}
	levels := make([]string, 0, len(counts))
	for v := range counts {
		levels = append(levels, v)
	}
	slices.SortFunc(levels, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	kept := levels
	if len(kept) > maxLevels {
		kept = kept[:maxLevels]
	}
	for len(kept) > 1 && counts[kept[len(kept)-1]] < minLevelRows {
		kept = kept[:len(kept)-1]
	}
	f := Field{Name: c.Name, Other: len(kept) < len(levels), Levels: slices.Clone(kept)}
	slices.Sort(f.Levels)
	return f, ""
}

// Names are the columns of the matrices that the schema makes: a number keeps its name,
// a category has one column per level but the first, named "column=level".
func (s *Schema) Names() []string {
	var names []string
	for _, f := range s.Fields {
		if f.Levels == nil {
			names = append(names, f.Name)
			continue
		}
		for _, l := range f.Levels[1:] {
			names = append(names, f.Name+"="+l)
		}
		if f.Other {
			names = append(names, f.Name+"=(other)")
		}
	}
	return names
}

// Origins gives, for each column of a matrix, the index of the field that it comes from.
func (s *Schema) Origins() []int {
	var origins []int
	for i, f := range s.Fields {
		n := 1
		if f.Levels != nil {
			n = len(f.Levels) - 1
			if f.Other {
				n++
			}
		}
		for range n {
			origins = append(origins, i)
		}
	}
	return origins
}

// Encode turns a table into a matrix. Columns are found by name, in any order; one that
// is missing is an error, as a model would silently be given nothing. A category that
// training did not see counts as a rare one where there were rare ones, and is missing
// otherwise.
func (s *Schema) Encode(t *Table) (*Matrix, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	byName := map[string]*Column{}
	for i := range t.Columns {
		byName[t.Columns[i].Name] = &t.Columns[i]
	}
	m := &Matrix{Names: s.Names()}
	for i := range s.Fields {
		f := &s.Fields[i]
		c := byName[f.Name]
		if c == nil {
			return nil, fmt.Errorf("%w: %q", errUnknownColumn, f.Name)
		}
		if c.Categorical() != (f.Levels != nil) {
			return nil, fmt.Errorf("%w: %q holds categories in one of training and serving, and numbers in the other", ErrShape, f.Name)
		}
		if f.Levels == nil {
			m.Columns = append(m.Columns, finite(c.Numbers))
			continue
		}
		m.Columns = append(m.Columns, f.indicators(c.Categories)...)
	}
	return m, nil
}

func finite(values []float32) []float32 {
	for i, v := range values {
		if math.IsInf(float64(v), 0) {
			out := slices.Clone(values)
			for j := i; j < len(out); j++ {
				if math.IsInf(float64(out[j]), 0) {
					out[j] = float32(math.NaN())
				}
			}
			return out
		}
	}
	return values
}

func (f *Field) indicators(values []string) [][]float32 {
	n := len(f.Levels) - 1
	if f.Other {
		n++
	}
	columns := make([][]float32, n)
	for j := range columns {
		columns[j] = make([]float32, len(values))
	}
	index := map[string]int{}
	for j, l := range f.Levels {
		index[l] = j - 1
	}
	missing := float32(math.NaN())
	last, at := levelSentinel, -2
	for i, v := range values {
		if v != last {
			last = v
			j, known := index[v]
			switch {
			case known:
				at = j
			case v != "" && f.Other:
				at = n - 1
			default:
				at = -2
			}
		}
		switch {
		case at >= 0:
			columns[at][i] = 1
		case at == -2:
			for j := range columns {
				columns[j][i] = missing
			}
		}
	}
	return columns
}
