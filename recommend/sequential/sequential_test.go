package sequential_test

import (
	"math"
	"strconv"
	"testing"

	"quintet/recommend/interactions"
	"quintet/recommend/sequential"
)

func TestWhatFollows(t *testing.T) {
	t.Parallel()
	var b interactions.Builder
	add := func(person, item string, at int64) {
		if err := b.Add(person, item, 1, at); err != nil {
			t.Fatal(err)
		}
	}
	for p := range 10 {
		person := "p" + strconv.Itoa(p)
		add(person, "first", 0)
		add(person, "second", 10)
		add(person, "second", 20) // follows nothing but first
		add(person, "third", 30)
		add(person, "much later", 30+100_000)
	}
	l := b.Build()
	m, err := sequential.Train(t.Context(), l, sequential.Settings{Shrinkage: 5})
	if err != nil {
		t.Fatal(err)
	}
	n := l.Items().Number
	scores := make([]float32, m.Items())
	m.Score([]interactions.Event{{Item: n("first")}}, scores)
	// After first, ten times: second at once (1) and as the next but one (1/2), third as
	// the one after that (1/3).
	total := 10*(1+1./2+1./3) + 5
	for item, want := range map[string]float64{"second": 15 / total, "third": 10. / 3 / total} {
		if math.Abs(float64(scores[n(item)])-want) > 1e-6 {
			t.Errorf("after first, %s has %v, want %v", item, scores[n(item)], want)
		}
	}
	for _, item := range []string{"first", "much later"} {
		if !math.IsInf(float64(scores[n(item)]), -1) {
			t.Errorf("after first, %s has %v", item, scores[n(item)])
		}
	}
	// The last event has more to say than the one before.
	m.Score([]interactions.Event{{Item: n("second")}, {Item: n("first")}}, scores)
	if !(scores[n("second")] > scores[n("third")]) {
		t.Errorf("after second and first: %v", scores)
	}
	for _, bad := range []sequential.Settings{{Window: -1}, {Pause: -1}, {HalfLife: math.NaN()}, {History: 1e6}} {
		if _, err := sequential.Train(t.Context(), l, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	for _, history := range [][]interactions.Event{nil, {{Item: -1}, {Item: 99}}} {
		m.Score(history, scores)
		for _, s := range scores {
			if !math.IsInf(float64(s), -1) {
				t.Errorf("%v is scored %v", history, scores)
			}
		}
	}
}
