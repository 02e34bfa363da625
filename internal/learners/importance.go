package learners

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// Importance is how much worse predictions get when a column tells nothing.
type Importance struct {
	Column string  `json:"column"`
	Loss   float64 `json:"loss" doc:"Growth of the log-loss when the column's values are dealt out anew among rows"`
	Error  float64 `json:"error" doc:"Standard error over the repetitions"`
}

// Permute measures the importance of every field (all indicators of a category at once)
// on rows that the model was not fitted on, by permutation (Breiman 2001). It looks at
// 20,000 rows at most, five times.
func (p *Predictor) Permute(ctx context.Context, t *Table, y []float64, seed uint64) ([]Importance, error) {
	const most, repeats = 20_000, 5
	rows := make([]int, len(y))
	for i := range rows {
		rows[i] = i
	}
	r := rand.New(rand.NewPCG(seed, 0x7065726d))
	if len(rows) > most {
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		rows = rows[:most]
	}
	m, err := p.Schema.Encode(t.Take(rows))
	if err != nil {
		return nil, err
	}
	y = take(y, rows)
	out := make([]float64, len(y))
	loss := func(m *Matrix) float64 {
		p.Model.Predict(m, out)
		sum := 0.0
		for i, v := range y {
			sum += rowLoss(v, p.Calibration.Apply(out[i]))
		}
		return sum / float64(len(y))
	}
	base := loss(m)
	origins := p.Schema.Origins()
	importances := make([]Importance, len(p.Schema.Fields))
	for f := range p.Schema.Fields {
		var sum, squares float64
		for range repeats {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			order := r.Perm(len(y))
			shuffled := &Matrix{Names: m.Names, Columns: slices.Clone(m.Columns)}
			for j, o := range origins {
				if o == f {
					shuffled.Columns[j] = take(m.Columns[j], order)
				}
			}
			d := loss(shuffled) - base
			sum += d
			squares += d * d
		}
		mean := sum / repeats
		importances[f] = Importance{Column: p.Schema.Fields[f].Name, Loss: mean,
			Error: math.Sqrt(math.Max(0, squares/repeats-mean*mean) / (repeats - 1))}
	}
	sortedBy(importances, func(i Importance) float64 { return i.Loss })
	return importances, nil
}

// Reason is what one column did to a row's score.
type Reason struct {
	Column string `json:"column"`
	Value  string `json:"value" doc:"The row's value; empty when it is missing"`
	// Effect is on the log-odds of a probability, or in units of an amount.
	Effect float64 `json:"effect" doc:"What the value moved the score by: log-odds of a probability, units of an amount"`
}
