package popular_test

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"quintet/recommend/interactions"
	"quintet/recommend/popular"
	"quintet/recommend/scoring"
)

func ids(l *interactions.Log, list []scoring.Scored) (out []string) {
	for _, s := range list {
		out = append(out, l.Items().ID(s.Item))
	}
	return out
}

const day = 86_400

// The old favourite has most events, the riser has few but most of them now, the
// evergreen has always had some, and the newcomer only three.
func log(t *testing.T) *interactions.Log {
	var b interactions.Builder
	n := 0
	add := func(item string, times int, from, to int) {
		for i := range times {
			n++
			at := int64(from*day + i*(to-from)*day/times)
			if err := b.Add("p"+strconv.Itoa(n), item, 1, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("favourite", 900, 0, 80)
	add("riser", 20, 0, 97)
	add("riser", 60, 97, 100)
	add("evergreen", 400, 0, 100)
	add("newcomer", 3, 99, 100)
	if _, err := b.KnowItem("unsold"); err != nil {
		t.Fatal(err)
	}
	return b.Build()
}

func TestPopularAndTrending(t *testing.T) {
	t.Parallel()
	l := log(t)
	always, err := popular.Count(l, interactions.Weighting{Binary: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(l, always.Recommend(nil, nil, 9, nil)); !slices.Equal(got, []string{"favourite", "evergreen", "riser", "newcomer"}) {
		t.Errorf("popular are %v", got)
	}
	now, err := popular.Count(l, interactions.Weighting{HalfLife: 3 * day, Now: 100 * day})
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(l, now.Recommend(nil, nil, 2, nil)); !slices.Equal(got, []string{"riser", "evergreen"}) {
		t.Errorf("popular with a half-life of three days are %v", got)
	}
	trend, err := popular.Trend(l, popular.Trending{Now: 100 * day, Recent: 2 * day, Usual: 30 * day})
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(l, trend.Recommend(nil, nil, 9, nil)); got[0] != "riser" || got[len(got)-1] != "favourite" {
		t.Errorf("trending are %v, want the riser first and the old favourite last", got)
	}
	for _, bad := range []popular.Trending{{}, {Recent: 2, Usual: 1}, {Recent: math.NaN(), Usual: 1}, {Recent: 1, Usual: 2, Prior: -1}} {
		if _, err := popular.Trend(l, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestLatest(t *testing.T) {
	t.Parallel()
	// A second apart, which float32 cannot tell at this size.
	m := popular.Latest([]int64{1_700_000_000, 0, 1_700_000_001, 1_600_000_000})
	var got []int32
	for _, s := range m.Recommend(nil, nil, 9, nil) {
		got = append(got, s.Item)
	}
	if slices.Contains(got, 1) || len(got) != 3 || got[2] != 3 {
		t.Errorf("latest are %v", got)
	}
}

func TestNothing(t *testing.T) {
	t.Parallel()
	var b interactions.Builder
	l := b.Build()
	m, err := popular.Count(l, interactions.Weighting{})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Recommend(nil, nil, 5, nil); len(got) != 0 {
		t.Errorf("of nothing, %v are popular", got)
	}
	if _, err := popular.Trend(l, popular.Trending{Now: 1, Recent: 1, Usual: 2}); err != nil {
		t.Error(err)
	}
}
