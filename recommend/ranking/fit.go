package ranking

import (
	"context"
	"fmt"
	"math"

	"quintet/internal/learners"
)

// Settings of learning.
type Settings struct {
	// Penalty is the L2 penalty of the logistic ranker; 1 when 0.
	Penalty float64
	// Trees and Leaves bound the boosted trees, 40 of 8 when 0: a list of a hundred and twenty has
	// to be ranked in a fraction of a millisecond. No trees are tried when Trees is negative.
	Trees, Leaves int
	// Held is every how many-th list chooses between the methods; 5 when 0.
	Held int
}

// Choice says how the method was chosen.
type Choice struct {
	Method string `json:"method"`
	// Gain is by how much the log-loss per list of the trees is below that of the
	// logistic ranker on lists that neither was shown, with its standard error.
	Gain          float64 `json:"gain,omitempty"`
	StandardError float64 `json:"standardError,omitempty"`
	Lists         int     `json:"lists,omitempty"`
	// Place is the exponent of (place + 1), places from 0, by which the odds of being
	// taken fall with the place, by the logistic ranker; 0 where nothing was shown.
	Place float64 `json:"place,omitempty"`
}

// Fit learns a ranker. Both methods learn from four fifths of the lists; trees are taken
// where their log-loss on the rest is lower by more than twice its standard error, list by
// list, as they cost more to serve and go wrong sooner where nothing was seen. The method
// that was taken learns from all. It gives the errors of learners where there is too little
// to learn from.
func Fit(ctx context.Context, rows *Rows, s Settings) (*Ranker, Choice, error) {
	if s.Held == 0 {
		s.Held = 5
	}
	logistic := learners.Logistic{Penalty: s.Penalty, Iterations: 60}
	choice := Choice{Method: MethodLogistic}
	m := rows.matrix()
	var method learners.Learner = logistic
	if s.Trees >= 0 {
		trees := learners.Boosted{Logistic: true, Trees: orDefault(s.Trees, 40), Leaves: orDefault(s.Leaves, 8), Rate: 0.15, MinWeight: 5, Fixed: true}
		if err := choice.between(ctx, rows, m, s.Held, logistic, trees); err != nil {
			return nil, choice, err
		}
		if choice.Method == MethodTrees {
			method = trees
		}
	}
	model, err := method.Fit(ctx, m, rows.taken, rows.weight)
	if err != nil {
		return nil, choice, fmt.Errorf("learning a ranking: %w", err)
	}
	if choice.Place, err = placeEffect(ctx, model, logistic, m, rows); err != nil {
		return nil, choice, err
	}
	r, err := newRanker(rows.names, model)
	return r, choice, err
}

// placeEffect is what the logistic ranker says of places.
func placeEffect(ctx context.Context, model learners.Model, logistic learners.Learner, m *learners.Matrix, rows *Rows) (float64, error) {
	l, ok := model.(*learners.Linear)
	if !ok {
		other, err := logistic.Fit(ctx, m, rows.taken, rows.weight)
		if err != nil {
			return 0, fmt.Errorf("learning what places do: %w", err)
		}
		if l, ok = other.(*learners.Linear); !ok {
			return 0, nil
		}
	}
	last := len(l.Weights) - 1
	return l.Weights[last] / l.Scales[last], nil
}

func orDefault(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

// between judges two methods by lists that neither was shown. Where a part has too
// little of either class, the first is taken.
func (c *Choice) between(ctx context.Context, rows *Rows, m *learners.Matrix, every int, methods ...learners.Learner) error {
	var teach, judge []int
	for i, list := range rows.lists {
		if list%every == 0 {
			judge = append(judge, i)
		} else {
			teach = append(teach, i)
		}
	}
	pick := func(values []float64, at []int) []float64 {
		out := make([]float64, len(at))
		for i, k := range at {
			out[i] = values[k]
		}
		return out
	}
	y, w := pick(rows.taken, teach), pick(rows.weight, teach)
	if learners.CheckBinary(y) != nil || learners.CheckBinary(pick(rows.taken, judge)) != nil {
		return nil
	}
	part, held := m.Take(teach), m.Take(judge)
	losses := make([][]float64, len(methods))
	for n, method := range methods {
		model, err := method.Fit(ctx, part, y, w)
		if err != nil {
			return fmt.Errorf("learning a ranking by %s: %w", method.Name(), err)
		}
		predicted := make([]float64, len(judge))
		model.Predict(held, predicted)
		at := -1
		for i, k := range judge {
			if i == 0 || rows.lists[k] != rows.lists[judge[i-1]] {
				losses[n] = append(losses[n], 0)
				at++
			}
			p := predicted[i]
			if rows.taken[k] == 0 {
				p = 1 - p
			}
			losses[n][at] -= rows.weight[k] * math.Log(math.Max(p, 1e-12))
		}
	}
	sum, squares, n := 0.0, 0.0, float64(len(losses[0]))
	for i := range losses[0] {
		d := losses[0][i] - losses[1][i]
		sum += d
		squares += d * d
	}
	c.Lists, c.Gain = len(losses[0]), sum/n
	if n > 1 {
		c.StandardError = math.Sqrt(math.Max(0, squares-sum*sum/n) / (n - 1) / n)
		if c.Gain > 2*c.StandardError {
			c.Method = MethodTrees
		}
	}
	return nil
}
