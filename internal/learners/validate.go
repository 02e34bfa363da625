package learners

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// Candidate is how a learner did in cross-validation.
type Candidate struct {
	Name      string    `json:"name"`
	Measures  Measures  `json:"measures" doc:"Of all rows, each predicted by a model that had not seen it"`
	Folds     []float64 `json:"folds" doc:"Log-loss by fold"`
	Error     float64   `json:"error" doc:"Standard error of the mean log-loss over rows"`
	Confusion Confusion `json:"confusion"`
	Failure   string    `json:"failure,omitempty" doc:"Why the candidate could not be fitted"`

	predicted []float64
}

// Predicted are the probabilities that the candidate gave to the rows, each without
// having seen it; they are what its calibration is learnt from.
func (c *Candidate) Predicted() []float64 { return c.predicted }

// Folds deals rows into k folds, with labels 1 spread evenly among them.
func Folds(y []float64, k int, seed uint64) []int {
	r := rand.New(rand.NewPCG(seed, 0x666f6c64))
	folds := make([]int, len(y))
	next := [2]int{}
	for _, i := range r.Perm(len(y)) {
		class := 0
		if y[i] != 0 {
			class = 1
		}
		folds[i] = next[class] % k
		next[class]++
	}
	return folds
}

// CrossValidate fits every learner k times on the same folds, side by side, and gives
// them as candidates in the order of their log-loss, those that failed last. progress is
// told after each fit; it may be nil.
func CrossValidate(ctx context.Context, learners []Learner, m *Matrix, y []float64, k int, seed uint64, progress func(done, of int)) ([]Candidate, error) {
	if err := CheckBinary(y); err != nil {
		return nil, err
	}
	if k < 2 || k > 20 {
		return nil, fmt.Errorf("cross-validation has from 2 to 20 folds, not %d", k)
	}
	folds := Folds(y, k, seed)
	out := make([]Candidate, len(learners))
	done := 0
	for c, l := range learners {
		out[c] = Candidate{Name: l.Name(), predicted: make([]float64, len(y))}
		for fold := range k {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("validating %s: %w", l.Name(), err)
			}
			if out[c].Failure == "" {
				loss, err := fitFold(ctx, l, m, y, folds, fold, out[c].predicted)
				if ctx.Err() != nil {
					return nil, fmt.Errorf("validating %s: %w", l.Name(), ctx.Err())
				}
				if err != nil {
					out[c].Failure = err.Error()
				}
				out[c].Folds = append(out[c].Folds, loss)
			}
			done++
			if progress != nil {
				progress(done, k*len(learners))
			}
		}
		if out[c].Failure == "" {
			if err := out[c].judge(y); err != nil {
				out[c].Failure = err.Error()
			}
		}
	}
	sortedBy(out, func(c Candidate) float64 {
		if c.Failure != "" {
			return math.Inf(-1)
		}
		return -c.Measures.LogLoss
	})
	if out[0].Failure != "" {
		return out, fmt.Errorf("no candidate could be fitted; %s: %s", out[0].Name, out[0].Failure)
	}
	return out, nil
}

func (c *Candidate) judge(y []float64) error {
	var err error
	if c.Measures, err = Measure(y, c.predicted); err != nil {
		return err
	}
	c.Confusion = Confuse(y, c.predicted, c.Measures.Rate)
	var squares float64
	for i, v := range y {
		d := rowLoss(v, c.predicted[i]) - c.Measures.LogLoss
		squares += d * d
	}
	c.Error = math.Sqrt(squares) / float64(len(y))
	return nil
}

func rowLoss(y, p float64) float64 {
	p = min(max(p, 1e-15), 1-1e-15)
	return -(y*math.Log(p) + (1-y)*math.Log1p(-p))
}

func fitFold(ctx context.Context, l Learner, m *Matrix, y []float64, folds []int, fold int, predicted []float64) (float64, error) {
	var inside, outside []int
	for i, f := range folds {
		if f == fold {
			outside = append(outside, i)
		} else {
			inside = append(inside, i)
		}
	}
	model, err := l.Fit(ctx, m.Take(inside), take(y, inside), nil)
	if err != nil {
		return 0, err
	}
	out := make([]float64, len(outside))
	model.Predict(m.Take(outside), out)
	loss := 0.0
	for k, i := range outside {
		if math.IsNaN(out[k]) {
			return 0, errors.New("it gives no probability for some rows")
		}
		predicted[i] = out[k]
		loss += rowLoss(y[i], out[k]) / float64(len(outside))
	}
	return loss, nil
}

// BetterBy compares two candidates on the same rows: the mean difference of their
// log-losses (positive when a is better) and its standard error over rows.
func BetterBy(y []float64, a, b *Candidate) (difference, standardError float64) {
	return PairedLoss(y, a.predicted, b.predicted)
}

// PairedLoss is the mean log-loss of b minus that of a on the same rows, with its
// standard error; it is what a challenger is judged by.
func PairedLoss(y, a, b []float64) (difference, standardError float64) {
	n := float64(len(y))
	var sum, squares float64
	for i, v := range y {
		d := rowLoss(v, b[i]) - rowLoss(v, a[i])
		sum += d
		squares += d * d
	}
	mean := sum / n
	return mean, math.Sqrt(math.Max(0, squares/n-mean*mean) / n)
}
