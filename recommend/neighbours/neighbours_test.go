package neighbours_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"quintet/recommend/interactions"
	"quintet/recommend/neighbours"
)

// purchases have pairs of items that go together and some that do not.
func purchases(t testing.TB, people int) *interactions.Log {
	var b interactions.Builder
	rng := rand.New(rand.NewPCG(1, 9))
	for p := range people {
		for n := range 1 + rng.IntN(6) {
			item := rng.IntN(12)
			for range 1 + rng.IntN(2) {
				if err := b.Add("p"+strconv.Itoa(p), "i"+strconv.Itoa(item), 1+float64(rng.IntN(3)), int64(n)); err != nil {
					t.Fatal(err)
				}
				item ^= 1
			}
		}
	}
	return b.Build()
}

func TestMeasuresByHand(t *testing.T) {
	t.Parallel()
	l := purchases(t, 150)
	for _, binary := range []bool{true, false} {
		w := interactions.Weighting{Binary: binary}
		m, err := l.Matrix(w)
		if err != nil {
			t.Fatal(err)
		}
		items, n := m.Columns, float64(m.Rows())
		dense := make([][]float64, m.Rows())
		count := make([]float64, items)
		for p := range dense {
			dense[p] = make([]float64, items)
			columns, weights := m.Row(p)
			for i, c := range columns {
				dense[p][c] = float64(weights[i])
				count[c]++
			}
		}
		for _, measure := range []neighbours.Measure{neighbours.Cosine, neighbours.Lift} {
			model, err := neighbours.Train(t.Context(), l, neighbours.Settings{Measure: measure, Shrinkage: 3, Neighbours: items, Together: 2, Weighting: w})
			if err != nil {
				t.Fatal(err)
			}
			for a := range items {
				got := make(map[int32]float32)
				others, values := model.Row(int32(a))
				for i, o := range others {
					got[o] = values[i]
				}
				for b := range items {
					both, dot, aa, bb := 0.0, 0.0, 0.0, 0.0
					for _, row := range dense {
						if row[a] > 0 && row[b] > 0 {
							both++
						}
						dot, aa, bb = dot+row[a]*row[b], aa+row[a]*row[a], bb+row[b]*row[b]
					}
					want := dot / (math.Sqrt(aa*bb) + 3)
					if measure == neighbours.Lift {
						want = math.Log((both + 3) / (count[a]*count[b]/n + 3))
					}
					if a == b || both < 2 || want < 0 {
						want = 0
					}
					if math.Abs(float64(got[int32(b)])-want) > 1e-6 {
						t.Fatalf("%s of %d and %d is %v, want %v", measure, a, b, got[int32(b)], want)
					}
				}
			}
		}
	}
}

func TestPeopleAndBM25FindWhatGoesTogether(t *testing.T) {
	t.Parallel()
	l := purchases(t, 400)
	number := l.Items().Number
	people, err := neighbours.NewPeople(l, neighbours.PeopleSettings{Weighting: interactions.Weighting{Binary: true}})
	if err != nil {
		t.Fatal(err)
	}
	bm25, err := neighbours.Train(t.Context(), l, neighbours.Settings{Measure: neighbours.BM25})
	if err != nil {
		t.Fatal(err)
	}
	scores := make([]float32, people.Items())
	for _, item := range []string{"i0", "i5", "i10"} {
		partner := map[string]string{"i0": "i1", "i5": "i4", "i10": "i11"}[item]
		if got := bm25.Similar(number(item), nil, 1, nil); len(got) != 1 || got[0].Item != number(partner) {
			t.Errorf("BM25: with %s goes %v, want %s", item, got, partner)
		}
		history := []interactions.Event{{Item: number(item), Weight: 1}}
		people.Score(history, scores)
		scores[number(item)] = 0
		if best := slices.Index(scores, slices.Max(scores)); int32(best) != number(partner) {
			t.Errorf("people with %s have %s most, want %s", item, l.Items().ID(int32(best)), partner)
		}
	}
	// Somebody is most like themselves.
	if got := people.Like(l.Events(3), 400, nil); len(got) == 0 || got[0].Score <= 0 {
		t.Errorf("nobody is like person 3: %v", got)
	}
	for _, history := range [][]interactions.Event{nil, {{Item: -4, Weight: 1}, {Item: 999, Weight: 1}}} {
		bm25.Score(history, scores)
		people.Score(history, scores)
		for _, s := range scores {
			if !math.IsInf(float64(s), -1) {
				t.Fatalf("%v is scored %v", history, scores)
			}
		}
	}
}

func TestSettingsThatAreNone(t *testing.T) {
	t.Parallel()
	l := purchases(t, 3)
	for _, bad := range []neighbours.Settings{{Measure: "pearson"}, {Shrinkage: -1}, {Shrinkage: math.NaN()}, {Neighbours: -1}, {Together: -1}, {B: 2}, {Weighting: interactions.Weighting{HalfLife: -1}}} {
		if _, err := neighbours.Train(t.Context(), l, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
		if _, err := (neighbours.Query{Source: "SELECT 1", Settings: bad}).SQL(); err == nil {
			t.Errorf("a query of %+v is written", bad)
		}
	}
	if _, err := (neighbours.Query{}).SQL(); err == nil || !strings.Contains(err.Error(), "source") {
		t.Errorf("a query without a source: %v", err)
	}
}
