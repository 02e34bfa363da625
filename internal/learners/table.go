package learners

import (
	"errors"
	"fmt"
	"math"
)

// Errors of training data that nothing can be learnt from.
var (
	ErrTooFew        = errors.New("too few rows")
	ErrOneClass      = errors.New("the label has one class only")
	ErrConstant      = errors.New("the label is constant")
	ErrLabel         = errors.New("a label is not allowed")
	ErrNoFeatures    = errors.New("no column varies")
	ErrShape         = errors.New("shapes do not match")
	ErrNotConverged  = errors.New("the optimiser did not converge")
	ErrArtefact      = errors.New("the artefact is damaged")
	errUnknownColumn = errors.New("a column is missing")
)

// Column is one column of a [Table]: Numbers, with NaN for what is missing, or
// Categories, with "" for what is missing; never both.
type Column struct {
	Name       string
	Numbers    []float32
	Categories []string
}

// Categorical says whether the column holds categories.
func (c *Column) Categorical() bool { return c.Categories != nil }

func (c *Column) rows() int {
	if c.Categorical() {
		return len(c.Categories)
	}
	return len(c.Numbers)
}

// Table holds columns of equal length, in the order in which they were asked for.
type Table struct {
	Columns []Column
}

// Rows is the number of rows; 0 of a table without columns.
func (t *Table) Rows() int {
	if len(t.Columns) == 0 {
		return 0
	}
	return t.Columns[0].rows()
}

// Check gives [ErrShape] when columns differ in length or share a name.
func (t *Table) Check() error {
	seen := map[string]bool{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.rows() != t.Rows() {
			return fmt.Errorf("%w: column %q has %d rows, %q has %d", ErrShape, c.Name, c.rows(), t.Columns[0].Name, t.Rows())
		}
		if seen[c.Name] {
			return fmt.Errorf("%w: two columns are named %q", ErrShape, c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// Take is the table of the given rows.
func (t *Table) Take(rows []int) *Table {
	out := &Table{Columns: make([]Column, len(t.Columns))}
	for i := range t.Columns {
		c := &t.Columns[i]
		out.Columns[i].Name = c.Name
		if c.Categorical() {
			out.Columns[i].Categories = take(c.Categories, rows)
		} else {
			out.Columns[i].Numbers = take(c.Numbers, rows)
		}
	}
	return out
}

// Take picks the values of the given rows.
func take[T any](values []T, rows []int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = values[r]
	}
	return out
}

// Matrix holds numbers by column; NaN is missing. Columns are float32, as a million rows
// of 50 columns then take 200 MB.
type Matrix struct {
	Names   []string
	Columns [][]float32
}

// Rows is the number of rows.
func (m *Matrix) Rows() int {
	if len(m.Columns) == 0 {
		return 0
	}
	return len(m.Columns[0])
}

// Take is the matrix of the given rows.
func (m *Matrix) Take(rows []int) *Matrix {
	out := &Matrix{Names: m.Names, Columns: make([][]float32, len(m.Columns))}
	for j := range m.Columns {
		out.Columns[j] = take(m.Columns[j], rows)
	}
	return out
}

// Row copies row i into x, which has one place per column.
func (m *Matrix) Row(i int, x []float32) {
	for j := range m.Columns {
		x[j] = m.Columns[j][i]
	}
}

// With is the matrix with one more column at the end; the others are shared.
func (m *Matrix) With(name string, column []float32) *Matrix {
	return &Matrix{
		Names:   append(append([]string(nil), m.Names...), name),
		Columns: append(append([][]float32(nil), m.Columns...), column),
	}
}

// MinRows is the least number of rows that anything is learnt from.
const MinRows = 50

// MinClass is the least number of rows of either class that a classifier learns from.
const MinClass = 10

// CheckBinary refuses labels that a classifier cannot learn from: other values than 0
// and 1, too few rows, one class only.
func CheckBinary(y []float64) error {
	ones := 0
	for i, v := range y {
		switch v {
		case 1:
			ones++
		case 0:
		default:
			return fmt.Errorf("%w: row %d has %v, which is neither 0 nor 1", ErrLabel, i, v)
		}
	}
	switch {
	case len(y) < MinRows:
		return fmt.Errorf("%w: %d, and at least %d are needed", ErrTooFew, len(y), MinRows)
	case ones == 0 || ones == len(y):
		return fmt.Errorf("%w: all %d rows have %d", ErrOneClass, len(y), min(ones, 1))
	case ones < MinClass || len(y)-ones < MinClass:
		return fmt.Errorf("%w: %d rows with 1 and %d with 0, and at least %d of each are needed", ErrTooFew, ones, len(y)-ones, MinClass)
	}
	return nil
}

// CheckContinuous refuses labels that a regression cannot learn from.
func CheckContinuous(y []float64) error {
	if len(y) < MinRows {
		return fmt.Errorf("%w: %d, and at least %d are needed", ErrTooFew, len(y), MinRows)
	}
	constant := true
	for i, v := range y {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: row %d has %v", ErrLabel, i, v)
		}
		constant = constant && v == y[0]
	}
	if constant {
		return fmt.Errorf("%w: every row has %v", ErrConstant, y[0])
	}
	return nil
}
