package experiments

import (
	"context"
	"slices"
)

// Costs is what contacts with the people of an arm cost to deliver, within the longest
// window of the report's metrics.
type Costs struct {
	Total     float64  `json:"total"`
	PerPerson *float64 `json:"perPerson,omitempty"`
	Extra     *float64 `json:"extra,omitempty" doc:"Per person, above what the control's contacts cost"`
}

// costEvent is the name of an event that nobody sends: a metric over it, net of what
// contacts cost, is what they cost.
const costEvent = "\x01contact-costs"

// cost fills what contacts cost.
func (b *reportBuilder) cost(ctx context.Context) error {
	m := Metric{Kind: MeanKind, Event: costEvent, SubtractContactCost: true, WindowHours: defaultWindowHours}
	for i := range b.metrics {
		if i == 0 || b.metrics[i].WindowHours > m.WindowHours {
			m.WindowHours = b.metrics[i].WindowHours
		}
	}
	request := b.request(Breakdown{})
	request.Metrics, request.Covariates = []Metric{m}, nil
	t, err := b.sums(ctx, request)
	if err != nil {
		return err
	}
	var control float64
	for i := range b.report.Arms {
		arm := &b.report.Arms[i]
		j := slices.IndexFunc(t.Cells, func(c SumsCell) bool { return c.Variant == arm.Variant })
		arm.Costs = &Costs{}
		if j < 0 || t.Cells[j].Units == 0 || known(t.Cells[j].Metrics[0].Y) == nil {
			continue
		}
		// 0 − y, so that nothing spent is not a negative zero.
		arm.Costs.Total = 0 - t.Cells[j].Metrics[0].Y
		each := arm.Costs.Total / float64(t.Cells[j].Units)
		arm.Costs.PerPerson = &each
		if arm.Control {
			control = each
		}
	}
	for i := range b.report.Arms {
		if c := b.report.Arms[i].Costs; c.PerPerson != nil && !b.report.Arms[i].Control {
			extra := *c.PerPerson - control
			c.Extra = &extra
		}
	}
	return nil
}
