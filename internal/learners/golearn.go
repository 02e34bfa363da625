package learners

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/evaluation"
	"github.com/sjwhitworth/golearn/knn"
	"github.com/sjwhitworth/golearn/trees"
)

// Golearn is a classifier of golearn as a candidate beside our own. golearn gives
// classes, not probabilities; the probability of a class is the share of label 1 that
// the classifier's answer had on a part of the training rows that it did not see.
type Golearn struct {
	// Kind is "tree" (CART by Gini) or "neighbours" (k nearest, Euclidean distance of
	// standardised columns).
	Kind string
	// Size is the depth of the tree, 5 unless set, or the number of neighbours, 15 unless
	// set.
	Size int
	// Rows bounds the rows that are used, as both are slow; 2,000 unless set.
	Rows int
	// Seed draws them.
	Seed uint64
}

// Name implements [Learner].
func (l Golearn) Name() string {
	if l.Kind == "neighbours" {
		return fmt.Sprintf("golearn nearest neighbours (k %d)", l.size())
	}
	return fmt.Sprintf("golearn tree (depth %d)", l.size())
}

func (l Golearn) size() int {
	if l.Size > 0 {
		return l.Size
	}
	if l.Kind == "neighbours" {
		return 15
	}
	return 5
}

// golearnModel answers for rows by the class that golearn gives. One of tree and
// neighbours is set.
type golearnModel struct {
	tree       *trees.CARTDecisionTreeClassifier
	neighbours *knn.KNNClassifier
	scaler     *Linear
	inputs     []base.Attribute
	label      base.Attribute // a number for trees, a category for neighbours
	rates      [2]float64     // of label 1, where the answer is 0 and 1
}

// Fit implements [Learner].
func (l Golearn) Fit(ctx context.Context, m *Matrix, y, weights []float64) (model Model, err error) {
	if err := checkShape(m, y, weights); err != nil {
		return nil, err
	}
	if err := CheckBinary(y); err != nil {
		return nil, err
	}
	if weights != nil {
		return nil, errors.New("golearn knows no weights")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() { // golearn panics where others give errors
		if r := recover(); r != nil {
			model, err = nil, fmt.Errorf("golearn: %v", r)
		}
	}()
	r := rand.New(rand.NewPCG(l.Seed, 0x676f6c))
	rows := r.Perm(len(y))
	limit := l.Rows
	if limit <= 0 {
		limit = 2000
	}
	rows = rows[:min(limit, len(rows))]
	cut := len(rows) * 4 / 5
	g, err := l.model(m)
	if err != nil {
		return nil, err
	}
	learnt := g.instances(m, y, rows[:cut])
	if g.tree != nil {
		err = g.tree.Fit(learnt)
	} else {
		err = g.neighbours.Fit(learnt)
	}
	if err != nil {
		return nil, fmt.Errorf("golearn: %w", err)
	}
	aside := rows[cut:]
	answers, err := g.answers(m, aside)
	if err != nil {
		return nil, err
	}
	var ones, counts [2]float64
	for k, i := range aside {
		ones[answers[k]] += y[i]
		counts[answers[k]]++
	}
	for c := range g.rates {
		g.rates[c] = (ones[c] + .5) / (counts[c] + 1)
	}
	return g, nil
}

func (l Golearn) model(m *Matrix) (*golearnModel, error) {
	g := &golearnModel{scaler: &Linear{}}
	for j, c := range m.Columns {
		mean, scale := moments(c, nil) // distances need columns of one scale
		g.scaler.Means, g.scaler.Scales = append(g.scaler.Means, mean), append(g.scaler.Scales, scale)
		g.inputs = append(g.inputs, base.NewFloatAttribute(m.Names[j]))
	}
	switch l.Kind {
	case "tree":
		g.tree = trees.NewDecisionTreeClassifier("gini", int64(l.size()), []int64{0, 1})
		g.label = base.NewFloatAttribute("(label)")
	case "neighbours":
		g.neighbours = knn.NewKnnClassifier("euclidean", "linear", l.size())
		label := new(base.CategoricalAttribute)
		label.SetName("(label)")
		label.GetSysValFromString("0")
		label.GetSysValFromString("1")
		g.label = label
	default:
		return nil, fmt.Errorf("golearn has no %q here", l.Kind)
	}
	return g, nil
}

// instances makes rows as golearn takes them; without labels each has 0.
func (g *golearnModel) instances(m *Matrix, y []float64, rows []int) *base.DenseInstances {
	d := base.NewDenseInstances()
	specs := make([]base.AttributeSpec, len(g.inputs))
	for j, a := range g.inputs {
		specs[j] = d.AddAttribute(a)
	}
	class := d.AddAttribute(g.label)
	if err := d.AddClassAttribute(g.label); err != nil {
		panic(err) // it was added a line above
	}
	if err := d.Extend(len(rows)); err != nil {
		panic(err)
	}
	for k, i := range rows {
		for j, c := range m.Columns {
			v := 0.0
			if c[i] == c[i] {
				v = (float64(c[i]) - g.scaler.Means[j]) / g.scaler.Scales[j]
			}
			d.Set(specs[j], k, base.PackFloatToBytes(v))
		}
		label := "0"
		if y != nil && y[i] == 1 {
			label = "1"
		}
		d.Set(class, k, g.label.GetSysValFromString(label))
	}
	return d
}

func (g *golearnModel) answers(m *Matrix, rows []int) ([]int, error) {
	out := make([]int, len(rows))
	if g.tree != nil {
		for k, v := range g.tree.Predict(g.instances(m, nil, rows)) {
			out[k] = int(v)
		}
		return out, nil
	}
	predictions, err := g.neighbours.Predict(g.instances(m, nil, rows))
	if err != nil {
		return nil, fmt.Errorf("golearn: %w", err)
	}
	for k := range out {
		if base.GetClass(predictions, k) == "1" {
			out[k] = 1
		}
	}
	return out, nil
}

// Predict implements [Model]. A row that golearn cannot answer for has NaN.
func (g *golearnModel) Predict(m *Matrix, out []float64) {
	defer func() {
		if recover() != nil {
			for i := range out {
				out[i] = math.NaN()
			}
		}
	}()
	rows := make([]int, m.Rows())
	for i := range rows {
		rows[i] = i
	}
	for block := range slices.Chunk(rows, 4096) {
		answers, err := g.answers(m, block)
		for k, i := range block {
			if err != nil {
				out[i] = math.NaN()
				continue
			}
			out[i] = g.rates[answers[k]]
		}
	}
}

// Explain implements [Model]; golearn gives no reasons.
func (g *golearnModel) Explain(_ []float32, contributions []float64) float64 {
	clear(contributions)
	return 0
}

// Confusion is golearn's evaluation of answers: a row is answered with 1 when its
// probability is at least the share of label 1.
type Confusion struct {
	TruePositives  float64 `json:"truePositives"`
	FalsePositives float64 `json:"falsePositives"`
	TrueNegatives  float64 `json:"trueNegatives"`
	FalseNegatives float64 `json:"falseNegatives"`
	Accuracy       float64 `json:"accuracy"`
	Precision      float64 `json:"precision"`
	Recall         float64 `json:"recall"`
	F1             float64 `json:"f1"`
}

// Confuse counts answers against labels by golearn's evaluation.
func Confuse(y, predicted []float64, threshold float64) Confusion {
	matrix := evaluation.ConfusionMatrix{"0": {"0": 0, "1": 0}, "1": {"0": 0, "1": 0}}
	names := [2]string{"0", "1"}
	for i, v := range y {
		answer := 0
		if predicted[i] >= threshold {
			answer = 1
		}
		matrix[names[int(v)]][names[answer]]++
	}
	finite := func(v float64) float64 {
		if math.IsNaN(v) {
			return 0
		}
		return v
	}
	return Confusion{
		TruePositives: evaluation.GetTruePositives("1", matrix), FalsePositives: evaluation.GetFalsePositives("1", matrix),
		TrueNegatives: evaluation.GetTrueNegatives("1", matrix), FalseNegatives: evaluation.GetFalseNegatives("1", matrix),
		Accuracy: evaluation.GetAccuracy(matrix), Precision: finite(evaluation.GetPrecision("1", matrix)),
		Recall: finite(evaluation.GetRecall("1", matrix)), F1: finite(evaluation.GetF1Score("1", matrix)),
	}
}
