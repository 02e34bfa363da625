package experiments

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"quintet/internal/problem"
)

// check refuses what no statement can be written for.
func (r *SumsRequest) check() error {
	var bad problem.Invalid
	if len(r.By.Phases) > maxPhases {
		bad.Add("by.phases", fmt.Sprintf("must be at most %d", maxPhases), len(r.By.Phases))
	}
	if !slices.IsSortedFunc(r.By.Phases, time.Time.Compare) {
		bad.Add("by.phases", "must ascend", len(r.By.Phases))
	}
	switch r.By.Kind {
	case NoBreakdown, ByDay, ByPhase:
	case ByDimension:
		if n := len(r.By.Dimensions); n < 1 || n > maxSplits {
			bad.Add("by.dimensions", fmt.Sprintf("must be 1 to %d", maxSplits), n)
		}
		for i, d := range r.By.Dimensions {
			if err := CheckDimension(d); err != nil {
				bad.Add(fmt.Sprintf("by.dimensions[%d]", i), err.Error(), d)
			}
		}
	default:
		bad.Add("by.kind", "must be empty, day, phase or dimension", r.By.Kind)
	}
	if c := r.Covariates; c != nil {
		if !(c.Days >= 0 && c.Days <= maxPreDays) {
			bad.Add("covariates.days", fmt.Sprintf("must be 0 to %d", maxPreDays), number(c.Days))
		}
		if len(c.Traits) > maxCovariates {
			bad.Add("covariates.traits", fmt.Sprintf("must be at most %d", maxCovariates), len(c.Traits))
		}
	}
	return bad.Err()
}

// CheckDimension says what is wrong with the name of a dimension.
func CheckDimension(name string) error {
	for _, prefix := range []string{traitPrefix, contextPrefix, propertyPrefix} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" && len(rest) <= maxEventRunes {
			return nil
		}
	}
	if rest, ok := strings.CutPrefix(name, decisionPrefix); ok && slices.Contains(decisionDimensions(), rest) {
		return nil
	}
	return fmt.Errorf("must be trait.NAME, context.NAME, property.NAME, or decision. and one of %s", strings.Join(decisionDimensions(), ", "))
}

func tooManyValues() error {
	var bad problem.Invalid
	bad.Add("dimensions", fmt.Sprintf("must not have more than %d values over all arms together", maxCells), nil)
	return bad.Err()
}

// gather puts the rarest values of a dimension together where there are many.
func (t *SumsTable) gather() error {
	name := func(values []string) string { return strings.Join(values, "\x00") }
	units := map[string]int64{}
	for i := range t.Cells {
		units[name(t.Cells[i].Values)] += t.Cells[i].Units
	}
	if len(units) > MaxValues {
		t.Truncated = true
	}
	order := make([]string, 0, len(units))
	for n := range units {
		order = append(order, n)
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Or(cmp.Compare(units[b], units[a]), strings.Compare(a, b)) })
	keep := map[string]int{}
	for i, n := range order[:min(len(order), MaxValues)] {
		keep[n] = i
	}
	rank := func(c *SumsCell) int {
		if i, ok := keep[name(c.Values)]; ok {
			return i
		}
		return MaxValues
	}
	cells := make([]SumsCell, 0, len(t.Cells))
	others := map[string]int{}
	for _, c := range t.Cells {
		if _, ok := keep[name(c.Values)]; ok {
			cells = append(cells, c)
			continue
		}
		for i := range c.Values {
			c.Values[i] = OtherValues
		}
		if j, ok := others[c.Variant]; ok {
			if err := cells[j].add(&c); err != nil {
				return err
			}
			continue
		}
		others[c.Variant] = len(cells)
		cells = append(cells, c)
	}
	slices.SortStableFunc(cells, func(a, b SumsCell) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), strings.Compare(a.Variant, b.Variant))
	})
	t.Cells = cells
	return nil
}

// add takes in the people of another cell of the same arm.
func (c *SumsCell) add(o *SumsCell) error {
	c.Units, c.Mixed = c.Units+o.Units, c.Mixed+o.Mixed
	for i := range c.Metrics {
		a, b := &c.Metrics[i], &o.Metrics[i]
		if len(a.Covariates) != len(b.Covariates) || len(a.Cross) != len(b.Cross) || len(a.Funnel) != len(b.Funnel) {
			return fmt.Errorf("adding up cells of %s: metric %d has other covariates", c.Variant, i)
		}
		a.Units, a.Matured, a.NonZero, a.Capped = a.Units+b.Units, a.Matured+b.Matured, a.NonZero+b.NonZero, a.Capped+b.Capped
		a.Events, a.Missing, a.NotFinite = a.Events+b.Events, a.Missing+b.Missing, a.NotFinite+b.NotFinite
		a.Y, a.YY, a.UncappedY, a.UncappedYY = a.Y+b.Y, a.YY+b.YY, a.UncappedY+b.UncappedY, a.UncappedYY+b.UncappedYY
		a.Cubes += b.Cubes
		a.D, a.DD, a.YD = a.D+b.D, a.DD+b.DD, a.YD+b.YD
		for j := range a.Covariates {
			x, z := &a.Covariates[j], &b.Covariates[j]
			x.X, x.XY, x.XD, x.Missing = x.X+z.X, x.XY+z.XY, x.XD+z.XD, x.Missing+z.Missing
		}
		for j := range a.Cross {
			a.Cross[j] += b.Cross[j]
		}
		for j := range a.Funnel {
			a.Funnel[j] += b.Funnel[j]
		}
		a.Quantile = nil
	}
	return nil
}
