package scoring_test

import (
	"math"
	"slices"
	"testing"

	"quintet/recommend/interactions"
	"quintet/recommend/scoring"
)

// some knows a part of the items, and of histories only those that are not empty.
type some []float32

func (s some) Items() int { return len(s) }

func (s some) Score(history []interactions.Event, scores []float32) {
	copy(scores, s)
	for i := range scores {
		if len(history) == 0 || scores[i] == 0 {
			scores[i] = float32(math.Inf(-1))
		}
	}
}

// all knows everything of everybody.
type all []float32

func (s all) Items() int                                     { return len(s) }
func (s all) Score(_ []interactions.Event, scores []float32) { copy(scores, s) }

func TestChainFillsUp(t *testing.T) {
	t.Parallel()
	chain := scoring.Chain{some{0, 0, 7, 9, 0}, all{5, 4, 3, 2, 1}}
	known := []interactions.Event{{Item: 1, Weight: 1}}
	odd := scoring.NewSet(5)
	odd.Add(1)
	odd.Add(3)
	for _, tt := range []struct {
		name    string
		history []interactions.Event
		allowed scoring.Set
		k       int
		want    []int32
	}{
		{"enough", known, nil, 2, []int32{3, 2}},
		{"filled up", known, nil, 4, []int32{3, 2, 0, 1}},
		{"more than there are", known, nil, 9, []int32{3, 2, 0, 1, 4}},
		{"nothing known", nil, nil, 2, []int32{0, 1}},
		{"filtered", known, odd, 5, []int32{3, 1}},
		{"none wanted", known, nil, 0, nil},
	} {
		var got []int32
		for _, s := range chain.Recommend(tt.history, tt.allowed, tt.k, nil) {
			got = append(got, s.Item)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	scores := make([]float32, 5)
	if chain.Score(nil, scores); scores[0] != 5 {
		t.Errorf("of nobody known the scores are %v", scores)
	}
	if chain.Score(known, scores); scores[3] != 9 || !math.IsInf(float64(scores[0]), -1) {
		t.Errorf("of somebody known the scores are %v", scores)
	}
}
