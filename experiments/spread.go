package experiments

import (
	"context"
	"slices"
)

// Spread is how the values of the people of an arm spread who have one.
type Spread struct {
	Variant  string        `json:"variant"`
	People   int64         `json:"people" doc:"Whose value is not zero"`
	Share    float64       `json:"share" doc:"Of all people of the arm"`
	Quantile []SpreadPoint `json:"quantiles" nullable:"false"`
}

// SpreadPoint is a quantile of the values that are not zero.
type SpreadPoint struct {
	Level float64  `json:"level"`
	Value *float64 `json:"value,omitempty"`
}

// spreadLevels are the quantiles that are shown.
var spreadLevels = []float64{0.1, 0.25, 0.5, 0.75, 0.9, 0.99}

// maxSpreads bounds the metrics whose spread is shown.
const maxSpreads = 10

// spread fills how outcomes are distributed. The quantiles are metrics themselves,
// added up as all others are.
func (b *reportBuilder) spread(ctx context.Context) error {
	var metrics []Metric
	var of []int // which metric of the report
	for i := range b.metrics {
		m := b.metrics[i]
		if m.Kind.binary() || !m.Kind.additive() || m.subtractsCost() || len(of) == maxSpreads {
			continue
		}
		of = append(of, i)
		for _, level := range spreadLevels {
			q := m
			q.Kind, q.Cap, q.Quantile = QuantileKind, nil, &QuantileOf{Level: level, Of: QuantileOfPeople, IgnoreZeros: true}
			metrics = append(metrics, q)
		}
	}
	if len(metrics) == 0 {
		return nil
	}
	request := b.request(Breakdown{})
	request.Metrics, request.Covariates = metrics, nil
	t, err := b.sums(ctx, request)
	if err != nil {
		return err
	}
	for n, i := range of {
		m := &b.report.Metrics[b.places[i]]
		for a, v := range b.experiment.Variants {
			spread := Spread{Variant: v.Key, People: b.arms[a].Metrics[i].NonZero, Quantile: []SpreadPoint{}}
			if b.arms[a].Units > 0 {
				spread.Share = float64(spread.People) / float64(b.arms[a].Units)
			}
			cell := slices.IndexFunc(t.Cells, func(c SumsCell) bool { return c.Variant == v.Key })
			for j, level := range spreadLevels {
				point := SpreadPoint{Level: level}
				if cell >= 0 {
					if q := t.Cells[cell].Metrics[n*len(spreadLevels)+j].Quantile; q != nil && q.N > 0 {
						point.Value = known(q.Value)
					}
				}
				spread.Quantile = append(spread.Quantile, point)
			}
			m.Distribution = append(m.Distribution, spread)
		}
	}
	return nil
}
