package generated_test

import (
	"math"
	"slices"
	"testing"

	"quintet/recommend/generated"
)

func TestMatrixHasTheSkewOfRealInteractions(t *testing.T) {
	t.Parallel()
	s := generated.Settings{People: 4000, Items: 2000, Interactions: 200_000, Seed: 1}
	m, err := generated.Matrix(s)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(m.Entries())/float64(s.Interactions)-1) > .1 {
		t.Errorf("%d entries, want about %d", m.Entries(), s.Interactions)
	}
	had := make([]int, m.Columns)
	for p := range m.Rows() {
		columns, _ := m.Row(p)
		if len(columns) == 0 || !slices.IsSorted(columns) || len(slices.Compact(slices.Clone(columns))) != len(columns) {
			t.Fatalf("person %d has %v", p, columns)
		}
		for _, c := range columns {
			had[c]++
		}
	}
	slices.Sort(had)
	head := 0
	for _, n := range had[m.Columns*9/10:] {
		head += n
	}
	if share := float64(head) / float64(m.Entries()); share < .3 || share > .9 {
		t.Errorf("a tenth of the items have %.2f of the interactions", share)
	}
	again, err := generated.Matrix(s)
	if err != nil || !slices.Equal(again.Index, m.Index) {
		t.Errorf("the same seed gives other interactions: %v", err)
	}
	for _, bad := range []generated.Settings{{}, {People: 10, Items: 50, Interactions: 5}, {People: 10, Items: 50, Interactions: 499}, {People: 100, Items: 100, Interactions: 1000, Skew: math.NaN()}} {
		if _, err := generated.Matrix(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
