package experiments

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// SeriesPoint is an effect as it was at the end of a day.
type SeriesPoint struct {
	Day      string    `json:"day" doc:"UTC day, of everything up to whose end the figures are"`
	Variant  string    `json:"variant"`
	Units    int64     `json:"units" doc:"People in the arm and the control so far"`
	Absolute *Interval `json:"absolute,omitempty" doc:"With the always-valid band"`
	Relative *Interval `json:"relative,omitempty" doc:"With the always-valid band"`
}

// follow fills the effects over time.
func (b *reportBuilder) follow(ctx context.Context) error {
	t, err := b.sums(ctx, b.request(Breakdown{Kind: ByDay}))
	if err != nil {
		return err
	}
	days := map[time.Time][]SumsCell{}
	for _, c := range t.Cells {
		days[c.Day] = append(days[c.Day], c)
	}
	order := make([]time.Time, 0, len(days))
	for day := range days {
		order = append(order, day)
	}
	slices.SortFunc(order, func(x, y time.Time) int { return cmp.Compare(x.Unix(), y.Unix()) })
	for _, day := range order {
		cells := b.inOrder(days[day])
		var people int64
		for _, c := range cells {
			people += c.Units
		}
		b.daily = append(b.daily, dailyPeople{day, people})
		for i := range b.metrics {
			b.point(i, day, people, cells)
		}
	}
	if len(order) > 0 {
		b.first = order[0]
	}
	return nil
}

// point appends the effects of metric i at the end of a day.
func (b *reportBuilder) point(i int, day time.Time, people int64, cells []SumsCell) {
	m := &b.report.Metrics[b.places[i]]
	f := b.figures(i)
	f.people, f.strata = people, nil // the strata of a day are not known
	for _, v := range b.experiment.Variants {
		c, ok := f.comparison(cells, v.Key)
		if !ok {
			continue
		}
		control, arm := c.control.main, c.arm.main
		if c.control.adjusted != nil && c.arm.adjusted != nil {
			control, arm = c.control.adjusted, c.arm.adjusted
		}
		p := SeriesPoint{Day: day.Format(time.DateOnly), Variant: v.Key}
		made := c.figures(control, arm, c.analysis.Alpha)
		if made.sample.absolute != nil {
			p.Units = made.sample.absolute.N
		}
		if band := c.sequential(made.sample); band != nil {
			p.Absolute, p.Relative = band.Absolute, band.Relative
		}
		m.Series = append(m.Series, p)
	}
}
