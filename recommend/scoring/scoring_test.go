package scoring_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quintet/recommend/scoring"
)

func TestTopKIsTheHeadOfTheSortedList(t *testing.T) {
	t.Parallel()
	odd := []float32{0, 0, 0, 1, -1, float32(math.NaN()), float32(math.Inf(-1)), float32(math.Inf(1))}
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(odd), rapid.Float32()), 0, 80).Draw(t, "scores")
		k := rapid.IntRange(-1, 90).Draw(t, "k")
		var allowed scoring.Set
		if rapid.Bool().Draw(t, "filter") {
			allowed = scoring.NewSet(len(scores))
			for i := range scores {
				if rapid.Bool().Draw(t, "allowed") {
					allowed.Add(int32(i))
				}
			}
		}
		want := []scoring.Scored{{Item: 99, Score: 1}}
		for i, s := range scores {
			if s > float32(math.Inf(-1)) && (allowed == nil || allowed.Has(int32(i))) {
				want = append(want, scoring.Scored{Item: int32(i), Score: s})
			}
		}
		slices.SortFunc(want[1:], func(a, b scoring.Scored) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Item, b.Item))
		})
		want = want[:1+min(max(k, 0), len(want)-1)]
		if got := scoring.TopK(scores, allowed, k, []scoring.Scored{{Item: 99, Score: 1}}); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestSet(t *testing.T) {
	t.Parallel()
	full, s := scoring.FullSet(70), scoring.NewSet(70)
	for _, i := range []int32{-1, 0, 63, 64, 69, 128, math.MaxInt32} {
		s.Add(i)
	}
	if full.Len() != 70 || s.Len() != 4 || !s.Has(69) || s.Has(1) || s.Has(-1) || s.Has(128) {
		t.Errorf("the sets have %d and %d items", full.Len(), s.Len())
	}
	s.Remove(63)
	full.Subtract(s)
	if full.Len() != 67 || full.Has(64) {
		t.Errorf("70 without 3 are %d", full.Len())
	}
	full.Intersect(scoring.FullSet(10))
	if full.Len() != 9 {
		t.Errorf("of the first ten, without 0, %d are left", full.Len())
	}
}
