package ranking

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"quintet/internal/learners"
)

var names = []string{"appeal", "noise"}

// logged are lists of ten that were in the order of the noise, and are looked at less
// further below; what is looked at is taken with a probability that only appeal moves.
func logged(t *testing.T, lists int, bias float64, seed uint64) *Rows {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	rows := NewRows(names)
	for list := range lists {
		items := make([][]float32, 10)
		for i := range items {
			items[i] = []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64())}
		}
		slices.SortFunc(items, func(a, b []float32) int {
			if a[1] > b[1] {
				return -1
			}
			return 1
		})
		for place, x := range items {
			looked := math.Pow(float64(place+1), -bias)
			taken := rng.Float64() < looked*learners.Sigmoid(-3+0.8*float64(x[0]))
			if err := rows.Add(Row{List: list, Values: x, Taken: taken, Place: place, Weight: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return rows
}

// What stood first was looked at more: without its place, that passes for appeal.
func TestPlace(t *testing.T) {
	t.Parallel()
	weights := func(rows *Rows) (appeal, noise float64) {
		r, choice, err := Fit(t.Context(), rows, Settings{Trees: -1})
		if err != nil || choice.Method != MethodLogistic {
			t.Fatal(choice, err)
		}
		at := func(x ...float32) float64 {
			p := r.Probability(append(x, 0))
			return math.Log(p / (1 - p))
		}
		return at(1, 0) - at(0, 0), at(0, 1) - at(0, 0)
	}
	rows := logged(t, 12000, 1, 1)
	appeal, noise := weights(rows)
	blind := NewRows(names)
	for i := range rows.Len() {
		if err := blind.Add(Row{List: rows.lists[i], Values: rows.values[2*i : 2*i+2], Taken: rows.taken[i] == 1, Place: NotShown, Weight: 1}); err != nil {
			t.Fatal(err)
		}
	}
	_, fooled := weights(blind)
	t.Logf("appeal %.3f; noise %.3f with the place, %.3f without", appeal, noise, fooled)
	if math.Abs(appeal-0.8) > 0.1 {
		t.Errorf("the weight of appeal is %.3f, 0.8 made the data", appeal)
	}
	if math.Abs(noise) > 0.1 {
		t.Errorf("with the place, what orders the lists has the weight %.3f instead of none", noise)
	}
	if fooled < 0.4 {
		t.Errorf("without the place the weight of noise is %.3f: this test shows nothing", fooled)
	}
}

// The old ranking showed what it thought good; weighed by the inverse of how probable
// that was, the lists teach the mean over all.
func TestPropensities(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 1))
	const n = 60_000
	truth, plain, weighed := 0.0, 0.0, 0.0
	rows, even := NewRows(names), NewRows(names)
	shown := 0
	for list := range n {
		liked := rng.Float64() < 0.5
		p, propensity := 0.1, 0.1
		if liked {
			p, propensity = 0.5, 0.9
		}
		truth += p / n
		if rng.Float64() >= propensity {
			continue
		}
		taken := rng.Float64() < p
		x := []float32{float32(rng.NormFloat64()), 0} // tells nothing: the ranker can say the mean only
		for rows, w := range map[*Rows]float64{rows: Weight(propensity, 100), even: 1} {
			if err := rows.Add(Row{List: list, Values: x, Taken: taken, Place: 0, Weight: w}); err != nil {
				t.Fatal(err)
			}
		}
		shown++
	}
	for rows, out := range map[*Rows]*float64{rows: &weighed, even: &plain} {
		r, _, err := Fit(t.Context(), rows, Settings{Trees: -1})
		if err != nil {
			t.Fatal(err)
		}
		*out = r.Probability([]float32{0, 0, 0})
	}
	if math.Abs(weighed-truth) > 0.02 || math.Abs(plain-truth) < 0.1 {
		t.Errorf("%d rows: %.3f weighed, %.3f not, the truth is %.3f", shown, weighed, plain, truth)
	}
	if Weight(0.001, 20) != 20 || Weight(0.5, 20) != 2 || Weight(0, 20) != 20 {
		t.Error("the bound of weights")
	}
}

// Trees are taken where they say more, and only there.
func TestChoice(t *testing.T) {
	t.Parallel()
	_, choice, err := Fit(t.Context(), logged(t, 1500, 0.5, 2), Settings{})
	if err != nil || choice.Method != MethodLogistic {
		t.Errorf("where log-odds are linear: %+v, %v", choice, err)
	}
	rng := rand.New(rand.NewPCG(5, 1))
	rows := NewRows(names)
	for list := range 1500 {
		for place := range 10 {
			x := []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64())}
			p := 0.05
			if x[0]*x[1] > 0 { // no line tells these apart
				p = 0.4
			}
			if err := rows.Add(Row{List: list, Values: x, Taken: rng.Float64() < p, Place: place, Weight: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, choice, err := Fit(t.Context(), rows, Settings{})
	if err != nil || r.Method() != MethodTrees || choice.Gain <= 0 {
		t.Fatalf("where two columns act together: %+v, %v", choice, err)
	}
	if both, one := r.Probability([]float32{1, 1, 9}), r.Probability([]float32{1, -1, 9}); both < 0.3 || one > 0.15 {
		t.Errorf("probabilities %.3f and %.3f, 0.4 and 0.05 made the data", both, one)
	}
	again(t, r)
}

// again has a ranker say the same after it was kept as bytes, and damage be an error.
func again(t *testing.T, r *Ranker) {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	other, err := Decode(data)
	if err != nil || !other.Fits(names) || other.Fits(names[:1]) {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(9, 9))
	for range 100 {
		x := []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64()), 3}
		if a, b := r.Probability(slices.Clone(x)), other.Probability(x); a != b {
			t.Fatalf("%v and after it was kept %v", a, b)
		}
	}
	for i := range data {
		if _, err := Decode(append(bytes.Clone(data[:i]), append([]byte{data[i] ^ 1}, data[i+1:]...)...)); err == nil {
			t.Fatalf("byte %d is damaged and nobody noticed", i)
		}
	}
}

func TestKept(t *testing.T) {
	t.Parallel()
	r, _, err := Fit(t.Context(), logged(t, 300, 1, 4), Settings{Trees: -1})
	if err != nil {
		t.Fatal(err)
	}
	again(t, r)
	if in := r.Influences(); len(in) != 3 || math.Abs(in[0].Weight) < math.Abs(in[2].Weight) {
		t.Errorf("influences %+v", in)
	}
	bad, err := learners.Seal(map[string]any{"kind": "ranker", "names": names, "linear": map[string]any{"weights": []float64{1}, "means": []float64{0}, "scales": []float64{1}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(bad); !errors.Is(err, learners.ErrArtefact) {
		t.Errorf("weights of too few columns: %v", err)
	}
}

func TestBadRows(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]Row{
		"too few values": {Values: []float32{1}, Weight: 1},
		"no number":      {Values: []float32{1, float32(math.NaN())}, Weight: 1},
		"infinite":       {Values: []float32{1, float32(math.Inf(1))}, Weight: 1},
		"no weight":      {Values: []float32{1, 1}},
		"list before":    {List: -1, Values: []float32{1, 1}, Weight: 1},
	} {
		rows := NewRows(names)
		if err := rows.Add(Row{Values: []float32{0, 0}, Weight: 1, Place: NotShown}); err != nil {
			t.Fatal(err)
		}
		if err := rows.Add(row); err == nil || rows.Len() != 1 {
			t.Errorf("%s: %v, %d rows", name, err, rows.Len())
		}
	}
	rows := NewRows(names)
	for list := range 100 {
		if err := rows.Add(Row{List: list, Values: []float32{float32(list), 0}, Weight: 1, Place: NotShown}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := Fit(t.Context(), rows, Settings{}); !errors.Is(err, learners.ErrOneClass) {
		t.Errorf("nothing was ever taken: %v", err)
	}
}

func BenchmarkProbability(b *testing.B) {
	columns := make([]string, 36)
	for i := range columns {
		columns[i] = fmt.Sprint("c", i)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rows := NewRows(columns)
	x := make([]float32, len(columns)+1)
	for list := range 500 {
		for range 20 {
			for j := range columns {
				x[j] = float32(rng.NormFloat64())
			}
			if err := rows.Add(Row{List: list, Values: x[:len(columns)], Taken: rng.Float64() < learners.Sigmoid(float64(x[0]*x[1])-2), Place: NotShown, Weight: 1}); err != nil {
				b.Fatal(err)
			}
		}
	}
	m := rows.matrix()
	for _, method := range []learners.Learner{learners.Logistic{}, learners.Boosted{Logistic: true, Trees: 40, Leaves: 8, Rate: 0.15, Fixed: true}} {
		model, err := method.Fit(b.Context(), m, rows.taken, rows.weight)
		if err != nil {
			b.Fatal(err)
		}
		r, err := newRanker(columns, model)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(r.Method()+"/200", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range 200 {
					copy(x, rows.values[i*len(columns):(i+1)*len(columns)])
					r.Probability(x)
				}
			}
		})
	}
}
