package experiments

import (
	"context"
	"fmt"
	"slices"
)

// DimensionReport tells the metrics apart by the values of a dimension, as it was at
// each person's first exposure.
type DimensionReport struct {
	Name      string           `json:"name"`
	Values    []DimensionValue `json:"values" nullable:"false" doc:"The most frequent first"`
	Truncated bool             `json:"truncated,omitempty" doc:"There are more values; the rarest are together"`
	Tests     int              `json:"tests" doc:"Comparisons of goal metrics that the corrected p-values take into account"`
}

// DimensionValue is the experiment among the people of one value.
type DimensionValue struct {
	Value   string         `json:"value"`
	Arms    []ReportArm    `json:"arms" nullable:"false"`
	Metrics []MetricReport `json:"metrics" nullable:"false"`
}

// breakDown tells the metrics apart by the values of the dimension.
func (b *reportBuilder) breakDown(ctx context.Context) error {
	t, err := b.sums(ctx, b.request(Breakdown{Kind: ByDimension, Dimensions: []string{b.options.Dimension}}))
	if err != nil {
		return err
	}
	d := &DimensionReport{Name: b.options.Dimension, Values: []DimensionValue{}, Truncated: t.Truncated}
	var family []*Effect
	for _, value := range sortedValues(t.Cells) {
		var cells []SumsCell
		for _, c := range t.Cells {
			if c.Values[0] == value {
				cells = append(cells, c)
			}
		}
		v := b.dimensionValue(value, b.inOrder(cells))
		for i := range v.Metrics {
			if v.Metrics[i].Role != GoalRole {
				continue
			}
			for j := range v.Metrics[i].Effects {
				family = append(family, &v.Metrics[i].Effects[j])
			}
		}
		d.Values = append(d.Values, v)
	}
	d.Tests = len(family)
	if err := correct(family, &b.report.Analysis); err != nil {
		return fmt.Errorf("correcting for several comparisons: %w", err)
	}
	for i := range d.Values {
		b.concludeValue(&d.Values[i])
	}
	b.report.Dimension = d
	return nil
}

// dimensionValue computes the figures of the people of one value.
func (b *reportBuilder) dimensionValue(value string, cells []SumsCell) DimensionValue {
	v := DimensionValue{Value: value, Arms: []ReportArm{}, Metrics: []MetricReport{}}
	var people int64
	for i, variant := range b.experiment.Variants {
		people += cells[i].Units
		v.Arms = append(v.Arms, ReportArm{Variant: variant.Key, Control: variant.Control, Weight: variant.Weight, Units: cells[i].Units, Mixed: cells[i].Mixed, Dropped: variant.Dropped})
	}
	for i := range b.metrics {
		whole := &b.report.Metrics[b.places[i]]
		m := MetricReport{Key: whole.Key, Name: whole.Name, Kind: whole.Kind, Role: whole.Role, Direction: whole.Direction, WindowHours: whole.WindowHours,
			Version: whole.Version, Cap: whole.Cap, Arms: []MetricArm{}, Effects: []Effect{}}
		f := b.figures(i)
		f.people, f.strata = people, nil // within a value there is one stratum
		m.fill(f, cells)
		for j := range m.Effects {
			m.Effects[j].comparison, _ = f.comparison(cells, m.Effects[j].Variant)
		}
		v.Metrics = append(v.Metrics, m)
	}
	return v
}

// concludeValue draws the conclusions within one value. A method that is planned for
// all people together (a fixed size, planned looks) draws none within a part of them.
func (b *reportBuilder) concludeValue(v *DimensionValue) {
	for i := range v.Metrics {
		for j := range v.Metrics[i].Effects {
			e := &v.Metrics[i].Effects[j]
			if e.comparison == nil || e.Decisive == nil {
				continue
			}
			if slices.Contains([]AnalysisMethod{FixedMethod, GroupSequentialMethod}, b.report.Analysis.Method) {
				e.Decisive.Detail = "The size was planned for all people together; within a part of them nothing is concluded."
				continue
			}
			e.comparison.conclude(e)
		}
	}
}
