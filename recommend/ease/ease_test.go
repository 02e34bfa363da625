package ease_test

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"quintet/recommend/ease"
	"quintet/recommend/generated"
	"quintet/recommend/interactions"
)

// Column j of the weights is, by another way, the ridge regression of item j on all
// others (Steck 2019, section 3).
func TestWeightsAreRidgeRegressions(t *testing.T) {
	t.Parallel()
	m, err := generated.Matrix(generated.Settings{People: 200, Items: 30, Interactions: 1200, Tastes: 5, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	const lambda = 7.5
	model, err := ease.Train(t.Context(), m, ease.Settings{Regularisation: lambda})
	if err != nil {
		t.Fatal(err)
	}
	x := mat.NewDense(m.Rows(), m.Columns, nil)
	for p := range m.Rows() {
		columns, _ := m.Row(p)
		for _, c := range columns {
			x.Set(p, int(c), 1)
		}
	}
	var gram mat.Dense
	gram.Mul(x.T(), x)
	scores := make([]float32, m.Columns)
	for j := range m.Columns {
		n := m.Columns - 1
		system, right := mat.NewDense(n, n, nil), mat.NewVecDense(n, nil)
		other := func(i int) int {
			if i >= j {
				return i + 1
			}
			return i
		}
		for a := range n {
			for b := range n {
				system.Set(a, b, gram.At(other(a), other(b)))
			}
			system.Set(a, a, system.At(a, a)+lambda)
			right.SetVec(a, gram.At(other(a), j))
		}
		var want mat.VecDense
		if err := want.SolveVec(system, right); err != nil {
			t.Fatal(err)
		}
		for a := range n {
			model.Score([]interactions.Event{{Item: int32(other(a)), Weight: 1}}, scores)
			if math.Abs(float64(scores[j])-want.AtVec(a)) > 1e-5 {
				t.Fatalf("weight of %d for %d is %v, want %v", other(a), j, scores[j], want.AtVec(a))
			}
		}
		model.Score([]interactions.Event{{Item: int32(j), Weight: 1}}, scores)
		if scores[j] != 0 {
			t.Fatalf("item %d speaks for itself with %v", j, scores[j])
		}
	}
}

func TestTrainingOnWhatIsNotUsable(t *testing.T) {
	t.Parallel()
	one := func(v float32) *interactions.Matrix {
		return &interactions.Matrix{Columns: 3, Start: []int{0, 2}, Index: []int32{0, 1}, Value: []float32{1, v}}
	}
	for _, tt := range []struct {
		name    string
		m       *interactions.Matrix
		lambda  float64
		problem string
	}{
		{"nothing", &interactions.Matrix{}, 1, "no interactions"},
		{"NaN", one(float32(math.NaN())), 1, "not a positive"},
		{"too many items", &interactions.Matrix{Columns: ease.MaxItems + 1, Start: []int{0, 1}, Index: []int32{0}, Value: []float32{1}}, 1, "at most"},
		{"negative", one(1), -1, "regularisation"},
		{"NaN regularisation", one(1), math.NaN(), "regularisation"},
	} {
		if _, err := ease.Train(t.Context(), tt.m, ease.Settings{Regularisation: tt.lambda}); err == nil || !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.problem)
		}
	}
	model, err := ease.Train(t.Context(), one(1), ease.Settings{Regularisation: 1})
	if err != nil {
		t.Fatal(err)
	}
	scores := make([]float32, 3)
	for _, history := range [][]interactions.Event{nil, {{Item: 2, Weight: 1}}, {{Item: 77, Weight: 1}}} {
		model.Score(history, scores)
		for _, s := range scores {
			if !math.IsInf(float64(s), -1) {
				t.Errorf("%v is scored %v", history, scores)
			}
		}
	}
	if got := model.Explain([]interactions.Event{{Item: 0, Weight: 1}}, 1, 3); len(got) != 1 || got[0].Item != 0 {
		t.Errorf("item 1 is explained by %v, want item 0", got)
	}
}
