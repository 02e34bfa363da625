package implicit_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"quintet/recommend/generated"
	"quintet/recommend/implicit"
	"quintet/recommend/interactions"
)

func matrix(t testing.TB, people, items, entries int) *interactions.Matrix {
	t.Helper()
	m, err := generated.Matrix(generated.Settings{People: people, Items: items, Interactions: entries, Tastes: 8, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func weighted(m *interactions.Matrix) *interactions.Matrix {
	for i := range m.Value {
		m.Value[i] = 1 + float32(i%5)
	}
	return m
}

func history(m *interactions.Matrix, person int) (out []interactions.Event) {
	columns, weights := m.Row(person)
	for i, c := range columns {
		out = append(out, interactions.Event{Item: c, Weight: weights[i], At: int64(i)})
	}
	return out
}

func train(t testing.TB, m *interactions.Matrix, s implicit.Settings, o implicit.Options) *implicit.Model {
	t.Helper()
	model, err := implicit.Train(t.Context(), m, s, o)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// The vector of somebody is the solution, in float64 by another program, of
// (a Σ_all y yᵀ + Σ w y yᵀ + λ I) x = Σ w y.
func TestFoldInSolvesTheNormalEquations(t *testing.T) {
	t.Parallel()
	m := weighted(matrix(t, 300, 120, 6000))
	for _, factors := range []int{7, 16, 40} {
		s := implicit.Settings{Factors: factors, Regularisation: .01, Unobserved: .2, Epochs: 3, Seed: 2}
		model := train(t, m, s, implicit.Options{})
		all := model.Factors()
		row := func(item int32) *mat.VecDense {
			v := mat.NewVecDense(factors, nil)
			for i := range factors {
				v.SetVec(i, float64(all[int(item)*factors+i]))
			}
			return v
		}
		got := make([]float32, model.Width())
		for person := range 60 {
			// From one event on: few are solved for in another way than many.
			events := history(m, person)
			events = events[:min(len(events), 1+person)]
			system, right, mass := mat.NewSymDense(factors, nil), mat.NewVecDense(factors, nil), 0.0
			for item := range int32(m.Columns) {
				system.SymRankOne(system, s.Unobserved, row(item))
			}
			for _, e := range events {
				system.SymRankOne(system, float64(e.Weight), row(e.Item))
				right.AddScaledVec(right, float64(e.Weight), row(e.Item))
				mass += float64(e.Weight)
			}
			for i := range factors {
				system.SetSym(i, i, system.At(i, i)+s.Regularisation*(mass+s.Unobserved*float64(m.Columns)))
			}
			var want mat.VecDense
			if err := want.SolveVec(system, right); err != nil {
				t.Fatal(err)
			}
			if !model.FoldIn(events, got) {
				t.Fatal("there is no vector")
			}
			for i := range factors {
				if math.Abs(float64(got[i])-want.AtVec(i)) > 2e-5*(1+want.Norm(2)) {
					t.Fatalf("%d factors, person %d: %v at %d, want %v", factors, person, got[i], i, want.AtVec(i))
				}
			}
		}
	}
}

// loss is the objective in float64, with everybody folded in.
func loss(t *testing.T, m *interactions.Matrix, model *implicit.Model) float64 {
	s, all, width := model.Settings(), model.Factors(), model.Width()
	d := s.Factors
	gram := mat.NewSymDense(d, nil)
	itemMass := make([]float64, m.Columns)
	for e, i := range m.Index {
		itemMass[i] += float64(m.Value[e])
	}
	total := 0.0
	for item := range m.Columns {
		v := mat.NewVecDense(d, nil)
		for i := range d {
			v.SetVec(i, float64(all[item*d+i]))
		}
		gram.SymRankOne(gram, 1, v)
		total += s.Regularisation * (itemMass[item] + s.Unobserved*float64(m.Rows())) * mat.Dot(v, v)
	}
	x := make([]float32, width)
	for p := range m.Rows() {
		if !model.FoldIn(history(m, p), x) {
			continue
		}
		v, mass := mat.NewVecDense(d, nil), 0.0
		for i := range d {
			v.SetVec(i, float64(x[i]))
		}
		for _, e := range history(m, p) {
			dot := 0.0
			for i := range d {
				dot += float64(x[i]) * float64(all[int(e.Item)*d+i])
			}
			total += float64(e.Weight) * (1 - dot) * (1 - dot)
			mass += float64(e.Weight)
		}
		total += s.Unobserved*mat.Inner(v, gram, v) + s.Regularisation*(mass+s.Unobserved*float64(m.Columns))*mat.Dot(v, v)
	}
	return total
}

func TestTrainingLowersTheLoss(t *testing.T) {
	t.Parallel()
	m := weighted(matrix(t, 300, 120, 6000))
	s := implicit.Settings{Factors: 32, Regularisation: .005, Unobserved: .2, Seed: 3}
	last := math.Inf(1)
	for _, epochs := range []int{1, 2, 4, 8} {
		s.Epochs = epochs
		now := loss(t, m, train(t, m, s, implicit.Options{}))
		if !(now < last) {
			t.Errorf("after %d epochs the loss is %.4f, before %.4f", epochs, now, last)
		}
		last = now
	}
	// Blocks take a Newton step each and come to about the same.
	s.Block, s.Epochs = 16, 16
	if blocks := loss(t, m, train(t, m, s, implicit.Options{})); blocks > 1.02*last {
		t.Errorf("in blocks the loss is %.4f, in whole %.4f", blocks, last)
	}
}

func TestCoresDoNotChangeTheResult(t *testing.T) {
	t.Parallel()
	m := matrix(t, 300, 100, 4000)
	s := implicit.Settings{Factors: 16, Epochs: 2, Seed: 4, Workers: 1}
	one := train(t, m, s, implicit.Options{}).Encode()
	s.Workers = 5
	if !slices.Equal(one, train(t, m, s, implicit.Options{}).Encode()) {
		t.Error("five workers come to another model than one")
	}
}

func TestWarmStartNeedsFewerEpochs(t *testing.T) {
	t.Parallel()
	m := matrix(t, 400, 150, 9000)
	s := implicit.Settings{Factors: 16, Epochs: 12, Seed: 5}
	before := train(t, m, s, implicit.Options{})
	s.Epochs, s.Seed = 1, 99
	cold, warm := loss(t, m, train(t, m, s, implicit.Options{})), loss(t, m, train(t, m, s, implicit.Options{Warm: before, WarmItem: func(i int32) int32 { return i }}))
	if target := loss(t, m, before); warm > 1.01*target || cold < warm {
		t.Errorf("one epoch comes to %.3f from a model of loss %.3f, and to %.3f from nothing", warm, target, cold)
	}
}

func TestReasonsAddUpToTheScore(t *testing.T) {
	t.Parallel()
	m := weighted(matrix(t, 300, 120, 6000))
	model := train(t, m, implicit.Settings{Factors: 16, Epochs: 5, Seed: 6}, implicit.Options{})
	scores := make([]float32, model.Items())
	for person := range 10 {
		events := history(m, person)
		model.Score(events, scores)
		best := model.Recommend(events, nil, 1, nil)[0]
		if best.Score != scores[best.Item] {
			t.Fatalf("the best has %v, its score is %v", best.Score, scores[best.Item])
		}
		sum := float32(0)
		for _, r := range model.Explain(events, best.Item, 1000) {
			sum += r.Contribution
		}
		// What speaks against the item is left out.
		if sum < best.Score*.999 {
			t.Errorf("reasons of %v for a score of %v", sum, best.Score)
		}
	}
}

func TestTrainingOnWhatIsNotUsable(t *testing.T) {
	t.Parallel()
	nan := matrix(t, 20, 20, 60)
	nan.Value[7] = float32(math.NaN())
	for _, tt := range []struct {
		name    string
		m       *interactions.Matrix
		s       implicit.Settings
		problem string
	}{
		{"nothing", &interactions.Matrix{}, implicit.Settings{}, "no interactions"},
		{"no entries", &interactions.Matrix{Columns: 3, Start: []int{0, 0, 0}}, implicit.Settings{}, "no interactions"},
		{"NaN", nan, implicit.Settings{}, "entry 7"},
		{"negative factors", matrix(t, 20, 20, 60), implicit.Settings{Factors: -1}, "factors"},
		{"NaN regularisation", matrix(t, 20, 20, 60), implicit.Settings{Regularisation: math.NaN()}, "regularisation"},
		{"endless epochs", matrix(t, 20, 20, 60), implicit.Settings{Epochs: 1 << 30}, "epochs"},
	} {
		if _, err := implicit.Train(t.Context(), tt.m, tt.s, implicit.Options{}); err == nil || !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.problem)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := implicit.Train(cancelled, matrix(t, 20, 20, 60), implicit.Settings{}, implicit.Options{}); err == nil {
		t.Error("training goes on after the end of its context")
	}
	// Everybody has everything: nothing can be told apart, and nothing breaks. Nor does
	// it with next to no regularisation, where the systems are singular in float32.
	all := &interactions.Matrix{Columns: 5, Start: []int{0}}
	for range 10 {
		for i := range int32(5) {
			all.Index, all.Value = append(all.Index, i), append(all.Value, 1)
		}
		all.Start = append(all.Start, len(all.Index))
	}
	for _, regularisation := range []float64{.01, 1e-30} {
		model := train(t, all, implicit.Settings{Factors: 16, Epochs: 3, Regularisation: regularisation, Unobserved: 1e-9}, implicit.Options{})
		for _, s := range model.Recommend([]interactions.Event{{Item: 1, Weight: 1}}, nil, 5, nil) {
			if math.IsNaN(float64(s.Score)) || math.IsInf(float64(s.Score), 0) {
				t.Errorf("regularisation %g: item %d has %v", regularisation, s.Item, s.Score)
			}
		}
	}
}

func TestHistoriesOfAnyKind(t *testing.T) {
	t.Parallel()
	m := matrix(t, 200, 90, 3000)
	m.Columns = 91 // nobody had the last
	model := train(t, m, implicit.Settings{Factors: 16, Epochs: 3}, implicit.Options{})
	long := make([]interactions.Event, 100_000)
	for i := range long {
		long[i] = interactions.Event{Item: int32(i % 90), Weight: 1, At: int64(i)}
	}
	for _, tt := range []struct {
		name    string
		history []interactions.Event
		list    int
	}{
		{"nothing", nil, 0},
		{"unknown items", []interactions.Event{{Item: -1, Weight: 1}, {Item: 90, Weight: 1}, {Item: 1 << 30, Weight: 1}}, 0},
		{"weights that are none", []interactions.Event{{Item: 1, Weight: float32(math.NaN())}, {Item: 2, Weight: -1}, {Item: 3}}, 0},
		{"one", []interactions.Event{{Item: 1, Weight: 1}}, 10},
		{"100,000 events", long, 10},
	} {
		if got := model.Recommend(tt.history, nil, 10, nil); len(got) != tt.list {
			t.Errorf("%s: a list of %d, want %d", tt.name, len(got), tt.list)
		}
		scores := make([]float32, model.Items())
		model.Score(tt.history, scores)
		if !math.IsInf(float64(scores[90]), -1) {
			t.Errorf("%s: an item that nobody had scores %v", tt.name, scores[90])
		}
	}
	if got := model.Similar(90, nil, 3, nil); len(got) != 0 {
		t.Errorf("an item that nobody had is like %v", got)
	}
	if got := model.Similar(5, nil, 3, nil); len(got) != 3 || got[0].Item == 5 || got[0].Score > 1.0001 {
		t.Errorf("like item 5 are %v", got)
	}
	more, err := model.WithItems(93, func(item int32) []float32 {
		if item == 92 {
			return model.Item(5)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := more.Similar(5, nil, 1, nil); len(got) != 1 || got[0].Item != 92 {
		t.Errorf("an item that is placed where item 5 is, is not found beside it: %v", got)
	}
}

func BenchmarkEpoch(b *testing.B) {
	m := matrix(b, 20_000, 5_000, 1_000_000)
	for b.Loop() {
		train(b, m, implicit.Settings{Factors: 64, Epochs: 1}, implicit.Options{})
	}
}
