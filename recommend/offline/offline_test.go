package offline_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"quintet/recommend/interactions"
	"quintet/recommend/offline"
	"quintet/recommend/popular"
)

// fixed recommends the same list to everybody.
type fixed []float32

func (f fixed) Items() int                                     { return len(f) }
func (f fixed) Score(_ []interactions.Event, scores []float32) { copy(scores, f) }

func logOf(t testing.TB, rows ...string) *interactions.Log {
	var b interactions.Builder
	for i := range 6 {
		if _, err := b.KnowItem(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	for at, row := range rows {
		if err := b.Add(row[:1], row[1:], 1, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

// Two people, a list 0 1 2 3 4 5, computed by hand. Person a has had 0 and is to find 2
// and 5: the list is 1 2 3, with 2 in the second place. Person b is to find 1: the list
// is 0 1 2.
func TestMeasuresByHand(t *testing.T) {
	t.Parallel()
	split := &offline.Split{Train: logOf(t, "a0", "b4"), Cases: []offline.Case{
		{Truth: []int32{2, 5}, Exclude: []int32{0}},
		{Truth: []int32{1}},
	}}
	r, err := offline.Evaluate(t.Context(), fixed{6, 5, 4, 3, 2, 1}, split, offline.Options{
		K:          []int{3},
		Margin:     func(i int32) float64 { return float64(10 * i) },
		Similarity: func(a, b int32) float64 { return map[bool]float64{true: 1}[a%2 == b%2] },
	})
	if err != nil {
		t.Fatal(err)
	}
	second := 1 / math.Log2(3)
	for measure, want := range map[string]float64{
		offline.HitRate:   1,
		offline.Precision: 1. / 3,
		offline.Recall:    (1./2 + 1) / 2,
		offline.NDCG:      (second/(1+second) + second) / 2,
		offline.MAP:       (.5/2 + .5) / 2,
		offline.MRR:       .5,
		offline.Coverage:  4. / 6,
		// Of two people, one had 0: -log2(1/2) = 1; nobody the others: -log2(0.5/2) = 2.
		offline.Novelty: (2 + 5./3) / 2,
		// 1 2 3 has one pair of three alike, and so has 0 1 2.
		offline.Diversity: 2. / 3,
		offline.Profit:    (20 + 10) / 2,
	} {
		if got := r.Value(measure, 3); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s@3 is %v, want %v", measure, got, want)
		}
	}
	// Recalls of 1/2 and 1: mean 3/4, deviation √(1/8), Student's t of one degree 12.7062.
	for _, f := range r.Figures {
		if half := 12.7062 * math.Sqrt(1./8/2); f.Measure == offline.Recall && math.Abs(f.Upper-f.Value-half) > 1e-4 {
			t.Errorf("the interval of recall is %v wide on each side, want %v", f.Upper-f.Value, half)
		}
	}
	among, err := offline.Evaluate(t.Context(), fixed{6, 5, 4, 3, 2, 1}, &offline.Split{Train: split.Train, Cases: []offline.Case{{Truth: []int32{5}, Among: []int32{3, 4}}}}, offline.Options{K: []int{3}})
	if err != nil {
		t.Fatal(err)
	}
	if got := among.Value(offline.MRR, 3); got != 1./3 {
		t.Errorf("5 among 3 and 4 has reciprocal rank %v, want 1/3", got)
	}
}

// The interval holds the true mean in about 95 of 100 repetitions.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	train, covered := logOf(t, "a0"), 0
	const rounds = 400
	for range rounds {
		split := &offline.Split{Train: train}
		for range 200 {
			split.Cases = append(split.Cases, offline.Case{Truth: []int32{int32(rng.IntN(6))}})
		}
		r, err := offline.Evaluate(t.Context(), fixed{6, 5, 4, 3, 2, 1}, split, offline.Options{K: []int{2}, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Figures {
			if f.Measure == offline.Recall && f.Lower <= 1./3 && f.Upper >= 1./3 {
				covered++
			}
		}
	}
	// Five standard errors of a share of 0.95.
	if share := float64(covered) / rounds; share < .95-5*math.Sqrt(.05*.95/rounds) {
		t.Errorf("%.3f of the intervals hold the truth", share)
	}
}

func TestDifferenceIsPaired(t *testing.T) {
	t.Parallel()
	split := &offline.Split{Train: logOf(t, "a0")}
	for i := range 40 {
		split.Cases = append(split.Cases, offline.Case{Truth: []int32{int32(i % 6)}})
	}
	a, err := offline.Evaluate(t.Context(), fixed{6, 5, 4, 3, 2, 1}, split, offline.Options{K: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	same, err := offline.Difference(a, a, offline.NDCG, 2)
	if err != nil || same.Value != 0 || same.Upper != 0 {
		t.Errorf("a recommender differs from itself by %+v, %v", same, err)
	}
	b, err := offline.Evaluate(t.Context(), fixed{6, 5, 4, 3, 2, 1}, &offline.Split{Train: split.Train, Cases: split.Cases[:3]}, offline.Options{K: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := offline.Difference(a, b, offline.NDCG, 2); err == nil {
		t.Error("reports of other people are compared")
	}
}

func TestSplits(t *testing.T) {
	t.Parallel()
	l := logOf(t, "a0", "a1", "b2", "a0", "b3", "c4", "b2", "a2", "d1", "d1")
	items := func(events []interactions.Event) (out []int32) {
		for _, e := range events {
			out = append(out, e.Item)
		}
		return out
	}
	one := offline.LeaveOneOut(l, 0)
	if len(one.Cases) != 2 || !slices.Equal(one.Cases[0].Truth, []int32{2}) || !slices.Equal(items(one.Cases[0].History), []int32{0, 1, 0}) || !slices.Equal(one.Cases[1].Truth, []int32{3}) {
		t.Errorf("leave-one-out asks %+v", one.Cases)
	}
	if one.Train.Len() != 8 {
		t.Errorf("leave-one-out teaches %d events, want 8", one.Train.Len())
	}
	at := offline.TimeSplit(l, 0, 5, 0, false)
	if at.Train.Len() != 5 || len(at.Cases) != 3 || !slices.Equal(at.Cases[0].Truth, []int32{2}) {
		t.Errorf("the split in time asks %+v", at.Cases)
	}
	again := offline.TimeSplit(l, 0, 5, 0, true)
	if len(again.Cases) != 4 || !slices.Equal(again.Cases[1].Truth, []int32{2}) || again.Cases[1].Exclude != nil {
		t.Errorf("the split in time, with what was had before, asks %+v", again.Cases)
	}
	for _, bad := range []float64{0, 1, -1, math.NaN()} {
		if _, err := offline.StrongGeneralisation(l, 0, bad, .5, 1); err == nil {
			t.Errorf("a share of %v of the people is held out", bad)
		}
		if _, err := offline.Holdout(l, 0, bad, 1); err == nil {
			t.Errorf("a share of %v of the items is held out", bad)
		}
	}
	empty := logOf(t)
	for _, s := range []*offline.Split{offline.LeaveOneOut(empty, 0), offline.TimeSplit(empty, 0, 0, 0, false)} {
		if _, err := offline.Evaluate(t.Context(), fixed(make([]float32, 6)), s, offline.Options{}); err == nil {
			t.Errorf("%s: nobody is asked anything, and there are figures", s.Protocol)
		}
	}
	if _, err := offline.Evaluate(t.Context(), fixed{1}, one, offline.Options{}); err == nil {
		t.Error("a recommender of one item is asked about six")
	}
}

// Nobody who is asked has taught, and nothing that is to be found is known.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	var b interactions.Builder
	rng := rand.New(rand.NewPCG(3, 3))
	for range 3000 {
		if err := b.Add(strconv.Itoa(rng.IntN(80)), strconv.Itoa(rng.IntN(60)), 1, int64(rng.IntN(1000))); err != nil {
			t.Fatal(err)
		}
	}
	l := b.Build()
	strong, err := offline.StrongGeneralisation(l, 0, .25, .8, 7)
	if err != nil {
		t.Fatal(err)
	}
	taught := 0
	for p := range l.People().Len() {
		if len(strong.Train.Events(p)) > 0 {
			taught++
		}
	}
	if len(strong.Cases) != 20 || taught != 60 {
		t.Errorf("%d people are asked and %d teach, want 20 and 60", len(strong.Cases), taught)
	}
	random, err := offline.Holdout(l, 0, .2, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*offline.Split{strong, random, offline.LeaveOneOut(l, 0), offline.TimeSplit(l, 0, offline.Quantile(l, .8), 0, false), random.WithNegatives(20, 1)} {
		for i, c := range s.Cases {
			for _, item := range c.Truth {
				if slices.ContainsFunc(c.History, func(e interactions.Event) bool { return e.Item == item }) || slices.Contains(c.Exclude, item) || slices.Contains(c.Among, item) {
					t.Fatalf("%s: case %d is told of item %d, which it is to find", s.Protocol, i, item)
				}
			}
			for _, e := range c.History {
				if !slices.Contains(c.Exclude, e.Item) {
					t.Fatalf("%s: case %d ranks item %d of its history", s.Protocol, i, e.Item)
				}
			}
		}
	}
}

func TestSearchFindsTheValley(t *testing.T) {
	t.Parallel()
	split := &offline.Split{Train: logOf(t, "a0"), Cases: []offline.Case{{Truth: []int32{1}}}}
	report, err := offline.Evaluate(t.Context(), fixed{1, 1, 1, 1, 1, 1}, split, offline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	space := []offline.Parameter{{Name: "a", From: .001, To: 10, Logarithmic: true}, {Name: "b", From: 1, To: 40, Whole: true}}
	trials, err := offline.Search(t.Context(), space, 60, 1, offline.NDCG, 10, func(_ context.Context, v map[string]float64) (*offline.Report, error) {
		if v["b"] != math.Round(v["b"]) || v["a"] < .001 || v["a"] > 10 {
			t.Errorf("%v is out of bounds", v)
		}
		if v["b"] > 35 {
			return nil, errors.New("it does not converge")
		}
		r := *report
		away := math.Abs(math.Log10(v["a"]/.05)) + math.Abs(v["b"]-12)/10
		r.Figures = []offline.Figure{{Measure: offline.NDCG, K: 10, Value: -away}}
		return &r, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if best := trials[0]; best.Value < -.25 {
		t.Errorf("the best of %d trials is %v at %v, the valley is at 0.05 and 12", len(trials), best.Value, best.Values)
	}
	if last := trials[len(trials)-1]; last.Error == "" || last.Report != nil {
		t.Errorf("a failed trial comes as %+v", last)
	}
	if _, err := offline.Search(t.Context(), []offline.Parameter{{Name: "a", From: 2, To: 1}}, 3, 1, offline.NDCG, 10, nil); err == nil {
		t.Error("bounds that are none are searched")
	}
}

func TestPopularityAmongNegatives(t *testing.T) {
	t.Parallel()
	l := logOf(t, "a0", "b0", "c0", "d0", "a1", "b1", "c2", "e0", "e3")
	split := offline.LeaveOneOut(l, 0)
	m, err := popular.Count(split.Train, interactions.Weighting{Binary: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := offline.Evaluate(t.Context(), m, split.WithNegatives(2, 1), offline.Options{K: []int{1, 3}}); err != nil {
		t.Fatal(err)
	}
}
