package uplift

import (
	"context"
	"fmt"

	"quintet/internal/learners"
)

// SLearner fits one model with the arm as columns, and compares its predictions with the
// arm set and not.
type SLearner struct{ Base learners.Learner }

// Name implements [Learner].
func (l SLearner) Name() string { return "S-learner of " + l.Base.Name() }

type sModel struct {
	model      learners.Model
	treatments int
}

func withArm(m *learners.Matrix, treatments int, arm func(i int) int) *learners.Matrix {
	for k := 1; k <= treatments; k++ {
		column := make([]float32, m.Rows())
		for i := range column {
			if arm(i) == k {
				column[i] = 1
			}
		}
		m = m.With(fmt.Sprintf("(treatment %d)", k), column)
	}
	return m
}

// Fit implements [Learner].
func (l SLearner) Fit(ctx context.Context, d *Data) (Model, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	model, err := l.Base.Fit(ctx, withArm(d.X, d.Treatments, func(i int) int { return d.Arms[i] }), d.Y, nil)
	if err != nil {
		return nil, fmt.Errorf("fitting the outcome: %w", err)
	}
	return &sModel{model, d.Treatments}, nil
}

// Effects implements [Model].
func (s *sModel) Effects(m *learners.Matrix, out [][]float64) {
	control := make([]float64, m.Rows())
	s.model.Predict(withArm(m, s.treatments, func(int) int { return 0 }), control)
	for k := range out {
		s.model.Predict(withArm(m, s.treatments, func(int) int { return k + 1 }), out[k])
		subtract(out[k], control)
	}
}

func subtract(a, b []float64) {
	for i := range a {
		a[i] -= b[i]
	}
}

// TLearner fits one model per arm.
type TLearner struct{ Base learners.Learner }

// Name implements [Learner].
func (l TLearner) Name() string { return "T-learner of " + l.Base.Name() }

type tModel struct{ arms []learners.Model }

// Fit implements [Learner].
func (l TLearner) Fit(ctx context.Context, d *Data) (Model, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	arms, err := fitArms(ctx, l.Base, d)
	if err != nil {
		return nil, err
	}
	return &tModel{arms}, nil
}

func fitArms(ctx context.Context, base learners.Learner, d *Data) ([]learners.Model, error) {
	models := make([]learners.Model, d.Treatments+1)
	for a := range models {
		part := d.Take(d.rowsOf(a))
		var err error
		if models[a], err = base.Fit(ctx, part.X, part.Y, nil); err != nil {
			return nil, fmt.Errorf("fitting arm %d: %w", a, err)
		}
	}
	return models, nil
}

// Effects implements [Model].
func (t *tModel) Effects(m *learners.Matrix, out [][]float64) {
	control := make([]float64, m.Rows())
	t.arms[0].Predict(m, control)
	for k := range out {
		t.arms[k+1].Predict(m, out[k])
		subtract(out[k], control)
	}
}

// XLearner learns the effect on the treated and on the control each, from outcomes that
// the other arm's model imputes, and weighs them by the propensity.
type XLearner struct {
	Base learners.Learner
	// Effect fits the imputed effects, a regression.
	Effect learners.Learner
}

// Name implements [Learner].
func (l XLearner) Name() string { return "X-learner of " + l.Base.Name() }

type xModel struct {
	treated, control []learners.Model
	weights          []float64 // of the control's model
}

// Fit implements [Learner].
func (l XLearner) Fit(ctx context.Context, d *Data) (Model, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	arms, err := fitArms(ctx, l.Base, d)
	if err != nil {
		return nil, err
	}
	control := d.Take(d.rowsOf(0))
	out := &xModel{}
	for k := 1; k <= d.Treatments; k++ {
		treated := d.Take(d.rowsOf(k))
		imputed := make([]float64, len(treated.Y))
		arms[0].Predict(treated.X, imputed)
		for i, v := range treated.Y {
			imputed[i] = v - imputed[i]
		}
		first, err := l.Effect.Fit(ctx, treated.X, imputed, nil)
		if err != nil {
			return nil, fmt.Errorf("fitting the effect of treatment %d on the treated: %w", k, err)
		}
		imputed = make([]float64, len(control.Y))
		arms[k].Predict(control.X, imputed)
		subtract(imputed, control.Y)
		second, err := l.Effect.Fit(ctx, control.X, imputed, nil)
		if err != nil {
			return nil, fmt.Errorf("fitting the effect of treatment %d on the control: %w", k, err)
		}
		out.treated, out.control = append(out.treated, first), append(out.control, second)
		out.weights = append(out.weights, d.Shares[k]/(d.Shares[k]+d.Shares[0]))
	}
	return out, nil
}

// Effects implements [Model].
func (x *xModel) Effects(m *learners.Matrix, out [][]float64) {
	other := make([]float64, m.Rows())
	for k := range out {
		x.treated[k].Predict(m, out[k])
		x.control[k].Predict(m, other)
		w := x.weights[k]
		for i := range other {
			out[k][i] = w*other[i] + (1-w)*out[k][i]
		}
	}
}

// effectModels holds one regression of the effect per treatment.
type effectModels []learners.Model

// Effects implements [Model].
func (e effectModels) Effects(m *learners.Matrix, out [][]float64) {
	for k := range out {
		e[k].Predict(m, out[k])
	}
}

// crossFit predicts every row by models that had not seen it; with one fold, by a model
// of all rows.
func crossFit(ctx context.Context, base learners.Learner, m *learners.Matrix, y []float64, rows func(i int) bool, folds int) ([]float64, error) {
	out := make([]float64, len(y))
	dealt := learners.Folds(make([]float64, len(y)), max(folds, 1), 7)
	for f := range max(folds, 1) {
		var inside, outside []int
		for i := range y {
			if folds <= 1 || dealt[i] != f {
				if rows(i) {
					inside = append(inside, i)
				}
			}
			if dealt[i] == f {
				outside = append(outside, i)
			}
		}
		part := make([]float64, len(inside))
		for k, i := range inside {
			part[k] = y[i]
		}
		model, err := base.Fit(ctx, m.Take(inside), part, nil)
		if err != nil {
			return nil, fmt.Errorf("fitting the outcome: %w", err)
		}
		predicted := make([]float64, len(outside))
		model.Predict(m.Take(outside), predicted)
		for k, i := range outside {
			out[i] = predicted[k]
		}
	}
	return out, nil
}

// RLearner regresses what the outcome is beyond its expectation on what the treatment is
// beyond its propensity.
type RLearner struct {
	Base, Effect learners.Learner
	// Folds cross-fit the outcome; 5 unless set, 1 fits it on all rows.
	Folds int
}

// Name implements [Learner].
func (l RLearner) Name() string { return "R-learner of " + l.Base.Name() }

func orFive(folds int) int {
	if folds == 0 {
		return 5
	}
	return folds
}

// Fit implements [Learner].
func (l RLearner) Fit(ctx context.Context, d *Data) (Model, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	var out effectModels
	for k := 1; k <= d.Treatments; k++ {
		part := d.Take(append(d.rowsOf(0), d.rowsOf(k)...))
		expected, err := crossFit(ctx, l.Base, part.X, part.Y, func(int) bool { return true }, orFive(l.Folds))
		if err != nil {
			return nil, err
		}
		e := d.Shares[k] / (d.Shares[k] + d.Shares[0])
		target, weights := make([]float64, len(part.Y)), make([]float64, len(part.Y))
		for i, v := range part.Y {
			t := -e
			if part.Arms[i] == k {
				t = 1 - e
			}
			target[i], weights[i] = (v-expected[i])/t, t*t
		}
		model, err := l.Effect.Fit(ctx, part.X, target, weights)
		if err != nil {
			return nil, fmt.Errorf("fitting the effect of treatment %d: %w", k, err)
		}
		out = append(out, model)
	}
	return out, nil
}

// DRLearner regresses the doubly robust score of each row: the difference of the arms'
// predictions plus what each arm's outcome was beyond it, by the inverse propensity.
type DRLearner struct {
	Base, Effect learners.Learner
	// Folds cross-fit the outcomes; 5 unless set, 1 fits them on all rows.
	Folds int
}

// Name implements [Learner].
func (l DRLearner) Name() string { return "doubly robust learner of " + l.Base.Name() }

// Fit implements [Learner].
func (l DRLearner) Fit(ctx context.Context, d *Data) (Model, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	scores, err := Scores(ctx, l.Base, d, orFive(l.Folds))
	if err != nil {
		return nil, err
	}
	var out effectModels
	for k := range d.Treatments {
		subtract(scores[k+1], scores[0])
		model, err := l.Effect.Fit(ctx, d.X, scores[k+1], nil)
		if err != nil {
			return nil, fmt.Errorf("fitting the effect of treatment %d: %w", k+1, err)
		}
		out = append(out, model)
	}
	return out, nil
}

// Scores are the doubly robust scores of each arm, control first: the mean of scores[a]
// over any group estimates what the outcome of that group is in arm a.
func Scores(ctx context.Context, base learners.Learner, d *Data, folds int) ([][]float64, error) {
	scores := make([][]float64, d.Treatments+1)
	for a := range scores {
		var err error
		if scores[a], err = crossFit(ctx, base, d.X, d.Y, func(i int) bool { return d.Arms[i] == a }, folds); err != nil {
			return nil, fmt.Errorf("arm %d: %w", a, err)
		}
		for i, v := range d.Y {
			if d.Arms[i] == a {
				scores[a][i] += (v - scores[a][i]) / d.Shares[a]
			}
		}
	}
	return scores, nil
}

// TransformedLearner regresses the transformed outcome Y(T-e)/(e(1-e)), whose expectation
// is the effect; it is noisy, and here as a baseline.
type TransformedLearner struct{ Effect learners.Learner }

// Name implements [Learner].
func (l TransformedLearner) Name() string { return "transformed outcome by " + l.Effect.Name() }

// Fit implements [Learner].
func (l TransformedLearner) Fit(ctx context.Context, d *Data) (Model, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	var out effectModels
	for k := 1; k <= d.Treatments; k++ {
		part := d.Take(append(d.rowsOf(0), d.rowsOf(k)...))
		e := d.Shares[k] / (d.Shares[k] + d.Shares[0])
		target := make([]float64, len(part.Y))
		for i, v := range part.Y {
			if part.Arms[i] == k {
				target[i] = v / e
			} else {
				target[i] = -v / (1 - e)
			}
		}
		model, err := l.Effect.Fit(ctx, part.X, target, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, model)
	}
	return out, nil
}
